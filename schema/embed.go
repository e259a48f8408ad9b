// Package schema carries the JSON-LD contexts that messages of peers are
// expanded with. They are pinned: nothing is ever fetched to read a message.
package schema

import (
	"embed"
	"io/fs"
)

//go:embed dsp/2025-1/context edc
var data embed.FS

// FS gives the contexts, by the paths that README.md lists.
func FS() fs.FS { return data }
