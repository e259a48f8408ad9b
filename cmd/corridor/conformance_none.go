//go:build !conformance

package main

// conformanceCommands is empty: this program cannot be driven by a test kit.
type conformanceCommands struct{}
