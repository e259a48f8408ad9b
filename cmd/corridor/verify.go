package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"corridor"
	"corridor/verify"
)

// verifyCmd checks a bundle offline.
type verifyCmd struct {
	Bundle string   `arg:"" help:"Bundle file, as corridor bundle writes it."`
	Policy string   `type:"existingfile" help:"Witness policy (C2SP tlog-policy) to trust instead of the one in the bundle."`
	DID    []string `name:"did" type:"existingfile" help:"DID document that you got from its owner. Repeatable."`
	Brief  bool     `short:"q" help:"Print failures, notes and the result only."`
	JSON   bool     `name:"json" help:"Print the whole report as JSON."`
	Lang   string   `enum:"en,zh,ru" default:"en" help:"Language of the result line: en, zh or ru."`
}

// Help gives an example.
func (verifyCmd) Help() string {
	return "No network is used. Exit code 0: everything holds; 1: something does not; 2: the file cannot be read.\n\n" +
		"Example:\n  corridor verify bundle.json --policy witness-policy.txt --did provider.json --did consumer.json"
}

// Run prints every check and exits with 1 if one failed.
func (c verifyCmd) Run(a *app) error {
	data, err := readUpTo(c.Bundle, verify.MaxBundle+1) // one byte more: Bundle itself says that it is too long
	if err != nil {
		return err
	}
	opts := verify.Options{Documents: map[string][]byte{}}
	if c.Policy != "" {
		if opts.Policy, err = readUpTo(c.Policy, verify.MaxPolicy+1); err != nil {
			return err
		}
		if _, err := verify.ParsePolicy(opts.Policy); err != nil {
			return fmt.Errorf("%s: %w", c.Policy, err)
		}
	}
	for _, path := range c.DID {
		did, doc, err := readDocument(path)
		if err != nil {
			return err
		}
		opts.Documents[did] = doc
	}
	rep := verify.Bundle(data, opts)
	if c.JSON {
		err = printJSON(a.stdout, rep)
	} else {
		err = c.print(a.stdout, rep)
	}
	if err == nil && !rep.OK {
		err = exit(exitFailed)
	}
	return err
}

func readUpTo(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "%w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "%w", err)
	}
	return data, nil
}

// readDocument reads a DID document and the DID that it says it is of.
func readDocument(path string) (string, []byte, error) {
	const limit = 1 << 20
	raw, err := readUpTo(path, limit)
	if err != nil {
		return "", nil, err
	}
	var doc struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return "", nil, corridor.E(corridor.Invalid, "%s is not a DID document: %w", path, err)
	}
	if _, err := verify.DocumentKeys(doc.ID, raw); err != nil {
		return "", nil, fmt.Errorf("%s: %w", path, err)
	}
	return doc.ID, raw, nil
}

// print writes one line per check: what was asked, what was found, and for a
// failure why it matters and what would mend it.
func (c verifyCmd) print(w io.Writer, rep *verify.Report) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	for _, k := range rep.Checks {
		mark := "✓"
		switch {
		case !k.OK:
			mark = "✗"
		case k.Note:
			mark = "!"
		case c.Brief:
			continue
		}
		if k.Detail != "" {
			line("%s %s: %s", mark, k.What, k.Detail)
		} else {
			line("%s %s", mark, k.What)
		}
		if !k.OK {
			line("    check %s", k.ID)
		}
		if !k.OK && k.Why != "" {
			line("    why it matters: %s", k.Why)
		}
		if (!k.OK || k.Note) && k.Fix != "" {
			line("    what to do: %s", k.Fix)
		}
	}
	verdict := corridor.Text{EN: "The bundle does NOT hold", ZH: "证据包未通过验证", RU: "Пакет доказательств НЕ подтверждён"}
	if rep.OK {
		verdict = corridor.Text{EN: "The bundle holds", ZH: "证据包验证通过", RU: "Пакет доказательств подтверждён"}
	}
	line("%s: %s.", verdict.In(c.Lang), rep.Summary)
	_, err := io.WriteString(w, b.String())
	return err
}
