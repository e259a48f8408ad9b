// Command wasm is the verifier as the page runs it: compiled to WebAssembly,
// with nothing but standard input and output. It reads one line of JSON (see
// request) and then the file to check, and writes one JSON answer.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"corridor"
	"corridor/verify"
)

// request is what the reader brings along. Lengths say which part of what
// follows is which file; the rest is the file to check.
type request struct {
	Policy    int   `json:"policy"`    // bytes; negative: none
	Documents []int `json:"documents"` // bytes of each
}

// answer is what the page shows. Report is the very text that
// corridor verify --json prints.
type answer struct {
	Error  string          `json:"error,omitempty"` // what was brought along cannot be used
	Report string          `json:"report,omitempty"`
	Words  []corridor.Text `json:"words,omitempty"` // the questions of the report, in its order
}

func main() {
	raw, err := json.Marshal(reply())
	if err == nil {
		_, err = os.Stdout.Write(raw)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func reply() answer {
	in := bufio.NewReaderSize(os.Stdin, 1<<16)
	opts, err := options(in)
	if err != nil {
		return answer{Error: err.Error()}
	}
	var data bytes.Buffer
	if _, err := io.Copy(&data, io.LimitReader(in, verify.MaxBundle+1)); err != nil {
		return answer{Error: err.Error()}
	}
	rep := verify.Evidence(data.Bytes(), opts)
	out := answer{Report: string(rep.JSON())}
	for _, c := range rep.Checks {
		out.Words = append(out.Words, c.Question())
	}
	return out
}

func options(in *bufio.Reader) (verify.Options, error) {
	var r request
	line, err := in.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	if err != nil {
		return verify.Options{}, fmt.Errorf("the request cannot be read: %w", err)
	}
	part := func(size int) ([]byte, error) {
		if size > verify.MaxPolicy+verify.MaxDocument {
			return nil, corridor.E(corridor.Limited, "a file of %d bytes is too long to be a policy or a DID document", size)
		}
		b := make([]byte, size)
		_, err := io.ReadFull(in, b)
		return b, err
	}
	var policy []byte
	if r.Policy >= 0 {
		if policy, err = part(r.Policy); err != nil {
			return verify.Options{}, err
		}
	}
	var docs [][]byte
	for _, n := range r.Documents {
		doc, err := part(max(n, 0))
		if err != nil {
			return verify.Options{}, err
		}
		docs = append(docs, doc)
	}
	return verify.Anchors(policy, docs...)
}
