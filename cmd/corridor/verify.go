package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"corridor"
	"corridor/verify"
	verifier "corridor/verify/page"
)

// verifyCmd checks a bundle offline.
type verifyCmd struct {
	Bundle  string   `arg:"" optional:"" help:"Bundle file, as corridor bundle writes it."`
	Policy  string   `type:"existingfile" help:"Witness policy (C2SP tlog-policy) to trust instead of the one in the bundle."`
	DID     []string `name:"did" type:"existingfile" help:"DID document that you got from its owner. Repeatable."`
	Without []string `name:"without-suite" help:"Suite whose signatures are not to be verified, as by a reader who does not know it: GOST-2012-256 for example. Signatures in it then need validation receipts. Repeatable."`
	Leaf    string   `type:"existingfile" help:"The entry that a COSE receipt is about, as corridor proof writes it. The file to check is then a COSE receipt (RFC 9942)."`
	Log     string   `help:"vkey of the log that must have signed a COSE receipt. Default: the log lines of --policy."`
	Brief   bool     `short:"q" help:"Print failures, notes and the result only."`
	JSON    bool     `name:"json" help:"Print the whole report as JSON."`
	Page    string   `type:"path" help:"Write the verifier itself as one HTML file that a browser opens from a disk or stick, without a network. It is not replaced if it is there."`
	Lang    string   `enum:"en,zh,ru" default:"en" env:"CORRIDOR_LANG" help:"Language of the result line: en, zh or ru."`
}

// Help gives an example.
func (verifyCmd) Help() string {
	return "No network is used. Exit code 0: everything holds; 1: something does not; 2: the file cannot be read.\n\n" +
		"Example:\n  corridor verify bundle.json --policy witness-policy.txt --did provider.json --did consumer.json\n  corridor verify --page verify.html\n  corridor verify receipt.cose --leaf receipt.json --log 'gw.example.kz/log+1a2b3c4d+AQ...'"
}

// Run prints every check and exits with 1 if one failed.
func (c verifyCmd) Run(a *app) error {
	if c.Page != "" {
		return c.page(a)
	}
	if c.Bundle == "" {
		return &corridor.Error{Kind: corridor.Invalid, Msg: "there is no file to check", Fix: "name the file that corridor bundle wrote: corridor verify bundle.json"}
	}
	opts, err := c.anchors()
	if err != nil {
		return err
	}
	if opts.Without, err = c.without(); err != nil {
		return err
	}
	rep, err := c.check(opts)
	if err != nil {
		return err
	}
	if c.JSON {
		_, err = a.stdout.Write(rep.JSON())
	} else {
		err = c.print(a, rep)
	}
	if err == nil && !rep.OK {
		err = exit(exitFailed)
	}
	return err
}

// check reads what the command line names and checks it.
func (c verifyCmd) check(opts verify.Options) (*verify.Report, error) {
	if c.Leaf == "" {
		if c.Log != "" {
			return nil, &corridor.Error{Kind: corridor.Invalid, Msg: "--log goes with a COSE receipt", Fix: "name its entry with --leaf FILE; for a bundle give a policy with --policy FILE"}
		}
		data, err := readBundle(c.Bundle)
		if err != nil {
			return nil, err
		}
		return verify.Evidence(data, opts), nil
	}
	if c.Log == "" && c.Policy == "" {
		return nil, &corridor.Error{Kind: corridor.Invalid, Msg: "a COSE receipt does not carry the key of its log", Fix: "give it with --log VKEY, or a policy that has it with --policy FILE"}
	}
	data, err := readUpTo(c.Bundle, verify.MaxCOSE+1)
	if err != nil {
		return nil, err
	}
	entry, err := readUpTo(c.Leaf, corridor.MaxReceipt+1)
	if err != nil {
		return nil, err
	}
	return verify.COSE(data, entry, c.Log, opts), nil
}

// page writes the verifier for a browser.
func (c verifyCmd) page(a *app) error {
	if c.Bundle != "" || c.Policy != "" || len(c.DID) > 0 {
		return &corridor.Error{Kind: corridor.Invalid, Msg: "--page writes the verifier, it does not check a file", Fix: "give the files to the page: open it in a browser and drop them there"}
	}
	var html bytes.Buffer
	if err := verifier.Write(&html); err != nil {
		return corridor.E(corridor.Internal, "page: %w", err)
	}
	if err := writeWhole(c.Page, html.Bytes()); err != nil {
		return err
	}
	err := a.print("%s: %s, %s. Open it in a browser; no network is needed.\n", c.Page, megabytes(int64(html.Len())), corridor.Digest(html.Bytes()))
	return err
}

// anchors reads the trust that the reader brings along.
func (c verifyCmd) anchors() (verify.Options, error) {
	var policy []byte
	if c.Policy != "" {
		var err error
		if policy, err = readUpTo(c.Policy, verify.MaxPolicy+1); err != nil {
			return verify.Options{}, err
		}
		if _, err := verify.Anchors(policy); err != nil {
			return verify.Options{}, fmt.Errorf("%s: %w", c.Policy, err)
		}
	}
	var docs [][]byte
	for _, path := range c.DID {
		raw, err := readUpTo(path, verify.MaxDocument)
		if err == nil {
			_, err = verify.Anchors(nil, raw)
		}
		if err != nil {
			return verify.Options{}, fmt.Errorf("%s: %w", path, err)
		}
		docs = append(docs, raw)
	}
	return verify.Anchors(policy, docs...)
}

// without gives the suites that are left unverified.
func (c verifyCmd) without() ([]string, error) {
	for _, name := range c.Without {
		if !slices.Contains(verify.Suites(), name) {
			return nil, &corridor.Error{Kind: corridor.Invalid, Where: "--without-suite", Msg: fmt.Sprintf("%q is not a suite", name), Fix: "use any of " + strings.Join(verify.Suites(), ", ")}
		}
	}
	if len(c.Without) > 0 && c.Leaf != "" {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: "--without-suite", Msg: "goes with a bundle", Fix: "leave --did away, and the entry's own signature is not verified"}
	}
	return c.Without, nil
}

// readBundle reads a bundle of the size that one may have. What is too long,
// or does not begin as one, is not read: a device or a pipe may have no end.
func readBundle(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, corridor.Unreadable(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, corridor.Unreadable(err)
	}
	tooLong := &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: fmt.Sprintf("is longer than a bundle may be (%d bytes)", verify.MaxBundle), Fix: "name the file that corridor bundle wrote"}
	if info.Size() > verify.MaxBundle {
		return nil, tooLong
	}
	in := bufio.NewReader(f)
	first, err := in.Peek(1)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, corridor.Unreadable(err)
	case !info.Mode().IsRegular() && string(first) != "{":
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: "does not begin as a bundle does, with {", Fix: "name the file that corridor bundle wrote"}
	}
	data := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead)) // the file at once, and no more
	if _, err := io.Copy(data, io.LimitReader(in, verify.MaxBundle+1)); err != nil {
		return nil, corridor.Unreadable(err)
	}
	if data.Len() > verify.MaxBundle {
		return nil, tooLong
	}
	return data.Bytes(), nil
}

func readUpTo(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, corridor.Unreadable(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil, corridor.Unreadable(err)
	}
	return data, nil
}

// print writes one line per check: what was asked, what was found, and for a
// failure why it matters and what would mend it.
func (c verifyCmd) print(a *app, rep *verify.Report) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	for _, k := range rep.Checks {
		k.What, k.Detail, k.Why, k.Fix = a.heard(k.What), a.heard(k.Detail), a.heard(k.Why), a.heard(k.Fix)
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
			line("    %s %s", a.text("check"), k.ID)
		}
		if !k.OK && k.Why != "" {
			line("    %s: %s", a.text("why it matters"), k.Why)
		}
		if (!k.OK || k.Note) && k.Fix != "" {
			line("    %s: %s", a.text("what to do"), k.Fix)
		}
	}
	verdict := corridor.Text{EN: "The bundle does NOT hold", ZH: "证据包未通过验证", RU: "Пакет доказательств НЕ подтверждён"}
	if rep.OK {
		verdict = corridor.Text{EN: "The bundle holds", ZH: "证据包验证通过", RU: "Пакет доказательств подтверждён"}
	}
	if rep.Kind == verify.KindEquivocation {
		verdict = corridor.Text{EN: "The evidence does NOT hold", ZH: "证据不成立", RU: "Доказательство НЕ подтверждено"}
		if rep.OK {
			verdict = corridor.Text{EN: "The evidence holds, the log has signed two histories", ZH: "证据成立，该日志签署了两段不同的历史", RU: "Доказательство подтверждено, журнал подписал две истории"}
		}
	}
	if c.Leaf != "" {
		verdict = corridor.Text{EN: "The receipt does NOT hold", ZH: "收据未通过验证", RU: "Квитанция НЕ подтверждена"}
		if rep.OK {
			verdict = corridor.Text{EN: "The receipt holds", ZH: "收据验证通过", RU: "Квитанция подтверждена"}
		}
	}
	summary := strings.Split(rep.Summary, "; ")
	for i, part := range summary {
		summary[i] = a.heard(part)
	}
	line("%s: %s.", verdict.In(c.Lang), strings.Join(summary, "; "))
	_, err := io.WriteString(a.stdout, b.String())
	return err
}
