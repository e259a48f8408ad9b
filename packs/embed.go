// Package packs carries the rule packs inside the binary: each jurisdiction's
// law as data, edited by lawyers and read by internal/law. The format is
// described in docs/pack-format.md.
package packs

import (
	"embed"
	"io/fs"
)

//go:embed *
var data embed.FS

// FS gives the packs that this binary was built with.
func FS() fs.FS { return data }
