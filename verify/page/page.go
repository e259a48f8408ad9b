// Package page is the verifier as one HTML file: it is opened from a disk or a
// stick, needs no network and can use none, and gives the verdict, the findings
// and the JSON of corridor verify, because it runs the same code as
// WebAssembly.
//
// verifier.wasm.gz is that code, compiled by go generate. The file
// verifier.sum names the toolchain and the sources that it was made of; a test
// compares them with those at hand, and .ci/page compiles it anew and compares
// the bytes.
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the parts of the page
	"encoding/base64"
	"html"
	"io"
	"strings"
)

//go:generate go run ./gen

var (
	//go:embed page.html
	frame string
	//go:embed page.css
	style string
	//go:embed page.js
	script string
	//go:embed worker.js
	worker string
	//go:embed verifier.wasm.gz
	code []byte
	//go:embed licences.txt
	licences string
)

// Write writes the page. Its content security policy lets run what is in it,
// named by digest, and nothing else; no address can be reached.
func Write(w io.Writer) error {
	csp := "default-src 'none'; script-src " + digest(script) + " 'wasm-unsafe-eval'; style-src " + digest(style) +
		"; worker-src blob:; base-uri 'none'; form-action 'none'"
	fill := strings.NewReplacer("{{csp}}", csp, "{{style}}", style, "{{script}}", script, "{{worker}}", worker, "{{licences}}", html.EscapeString(licences),
		"{{code}}", base64.StdEncoding.EncodeToString(code))
	var page bytes.Buffer
	if _, err := fill.WriteString(&page, frame); err != nil {
		return err
	}
	_, err := w.Write(page.Bytes())
	return err
}

func digest(text string) string {
	h := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(h[:]) + "'"
}
