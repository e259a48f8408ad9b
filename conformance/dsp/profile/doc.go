// Package profile makes a node that public test kits can be run against: a
// peer that has no DID and no token of its own, a law that limits nothing, the
// datasets and agreements that a kit presupposes, and a script that plays the
// operator where a kit wants a person's or a business's decision.
//
// It is a test package. The program holds it only when it is built with the
// tag conformance, behind a hidden command; a test of cmd/corridor proves that
// the ordinary program does not.
package profile
