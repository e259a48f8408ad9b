package law

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
	signed "golang.org/x/mod/sumdb/note"

	"corridor"
)

// A publisher may speak for some jurisdictions and for no other: whoever
// signs the law of one state cannot change that of another.

// Publisher is a key and what it may sign.
type Publisher struct {
	VKey      string   `json:"vkey"` // name+hash+key, as golang.org/x/mod/sumdb/note writes it
	SpeaksFor []string `json:"speaks_for"`
	verifier  signed.Verifier
	place
}

// Anywhere lets a publisher sign the pack of any jurisdiction.
const Anywhere = "any"

// Publishers are those whom an operator trusts.
type Publishers struct {
	file string
	list []Publisher
}

// ParsePublishers reads a file of publishers.
func ParsePublishers(file string, data []byte) (*Publishers, error) {
	p, r := &Publishers{file: file}, &reader{file: file}
	if root := r.parse(data); root != nil {
		r.object(root, "the publishers",
			field{"publishers", true, func(n *yaml.Node) {
				r.list(n, "publishers", func(n *yaml.Node) {
					q := r.publisher(n)
					if q.verifier != nil && slices.ContainsFunc(p.list, q.sameKey) {
						r.fail(n, "write all that it speaks for in one place", "the key of %s is listed twice", q.verifier.Name())
					}
					p.list = append(p.list, q)
				})
			}})
	}
	return p, errors.Join(r.errs...)
}

func (r *reader) publisher(n *yaml.Node) Publisher {
	p := Publisher{place: r.at(n)}
	r.object(n, "a publisher",
		field{"key", true, func(n *yaml.Node) {
			p.VKey = r.str(n, "key")
			var err error
			if p.verifier, err = signed.NewVerifier(p.VKey); err != nil {
				r.fail(n, "copy the line that  corridor packs keygen  prints", "this is not a verifier key")
			}
		}},
		field{"speaks_for", true, func(n *yaml.Node) {
			p.SpeaksFor = r.names(n, "speaks_for")
			for _, code := range p.SpeaksFor {
				if _, state := newAtlas().number(code); !state && !slices.Contains([]string{"EU", layerTreaty, Anywhere}, code) {
					r.fail(n, "write ISO 3166-1 alpha-2 codes, EU, "+layerTreaty+" or "+Anywhere, "%q is no jurisdiction", code)
				}
			}
		}})
	if len(p.SpeaksFor) == 0 && len(r.errs) == 0 {
		r.fail(n, "", "a publisher that speaks for nobody")
	}
	return p
}

// List gives the publishers in the order of the file.
func (p *Publishers) List() []Publisher { return slices.Clone(p.list) }

// sameKey says whether a signature would name either.
func (p *Publisher) sameKey(q Publisher) bool {
	return q.verifier != nil && p.verifier.Name() == q.verifier.Name() && p.verifier.KeyHash() == q.verifier.KeyHash()
}

func (p *Publisher) speaksFor(code string) bool {
	return slices.Contains(p.SpeaksFor, code) || slices.Contains(p.SpeaksFor, Anywhere)
}

// Check verifies the signatures of an edition and gives the names of the
// publishers that signed it and may speak for its jurisdiction. There is at
// least one, or an error of kind Forbidden.
func (p *Publishers) Check(e *Edition) ([]string, error) {
	var good []string
	var others []string
	for _, sig := range e.sigs {
		at := slices.IndexFunc(p.list, func(q Publisher) bool {
			return q.verifier.Name() == sig.Name && q.verifier.KeyHash() == sig.Hash
		})
		if at < 0 {
			others = append(others, fmt.Sprintf("%s+%08x (not a publisher here)", sig.Name, sig.Hash))
			continue
		}
		q := p.list[at]
		if _, err := signed.Open([]byte(e.note()), signed.VerifierList(q.verifier)); err != nil {
			return nil, &corridor.Error{Kind: corridor.Forbidden, Where: p.file, Msg: "the signature of " + sig.Name + " is wrong: the edition was changed after it was signed",
				Fix: "get the file again from its publisher", Err: err}
		}
		if !q.speaksFor(e.Manifest.Jurisdiction) {
			others = append(others, fmt.Sprintf("%s+%08x (speaks for %s)", sig.Name, sig.Hash, strings.Join(q.SpeaksFor, ", ")))
			continue
		}
		good = append(good, sig.Name)
	}
	if len(good) > 0 {
		return good, nil
	}
	msg := "the edition is not signed"
	if len(others) > 0 {
		msg = "no publisher that may speak for " + e.Manifest.Jurisdiction + " signed it, only " + strings.Join(others, "; ")
	}
	return nil, &corridor.Error{Kind: corridor.Forbidden, Where: orFile(p.file), Msg: msg,
		Fix: "if the key belongs to an authority of " + e.Manifest.Jurisdiction + ", list it there with speaks_for: [" + e.Manifest.Jurisdiction + "]"}
}

func orFile(name string) string {
	if name == "" {
		return "publishers"
	}
	return name
}

// Admitted is what came of letting an edition in.
type Admitted struct {
	Signers []string `json:"signers"`
	Cases   int      `json:"cases"` // of the pack, all of which pass with the files shared here
	Digest  string   `json:"digest"`
	// SharedDiffer says that the files which all packs share are not those that
	// the publisher had: decisions quote another digest than the manifest.
	SharedDiffer bool `json:"shared_differ,omitempty"`
}

// Admit lets an edition take the place of its namesake among the packs of
// base: signed by a publisher of its jurisdiction, the pack that it says,
// claiming no state that is not its own, and with its own cases passing. No
// other pack can change by it, which is checked all the same.
func Admit(base fs.FS, e *Edition, p *Publishers) (*Admitted, error) {
	out := &Admitted{}
	var err error
	if out.Signers, err = p.Check(e); err != nil {
		return nil, err
	}
	before, err := Load(base)
	if err != nil {
		return nil, fmt.Errorf("the rule packs in use: %w", err)
	}
	lib, err := Load(Overlay(base, map[string]map[string][]byte{e.Manifest.Pack: e.Files}))
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "the edition does not fit the rule packs here:\n%w", err)
	}
	if err := e.Fits(before, lib, p); err != nil {
		return nil, err
	}
	if err := othersUnchanged(before, lib, e.Manifest.Pack); err != nil {
		return nil, err
	}
	if _, err := lib.Kits(); err != nil {
		if _, before := before.Kits(); before == nil {
			return nil, corridor.E(corridor.Invalid, "the kits of the edition cannot be used:\n%w", err)
		}
	}
	pk := lib.packByID(e.Manifest.Pack)
	out.Digest = pk.digest
	out.SharedDiffer = pk.digest != e.Manifest.Digest
	out.Cases, err = lib.ownCases(pk)
	return out, err
}

// Fits holds an edition that is among the packs of now against its manifest,
// and what it claims against the packs of before and its publishers. Their
// signatures are for Check.
func (e *Edition) Fits(before, now *Library, p *Publishers) error {
	if err := e.isWhatItSays(now); err != nil {
		return err
	}
	return e.claims(before, p)
}

// isWhatItSays holds the pack against the manifest.
func (e *Edition) isWhatItSays(lib *Library) error {
	m := e.Manifest
	pk := lib.packByID(m.Pack)
	if pk == nil {
		return corridor.E(corridor.Invalid, "the edition holds no pack %s", m.Pack)
	}
	for _, f := range []struct{ name, signed, is string }{
		{"pack", m.Pack, pk.id}, {"jurisdiction", m.Jurisdiction, pk.jurisdiction}, {"version", m.Version, pk.version},
		{"members", strings.Join(m.Members, ", "), strings.Join(pk.members, ", ")},
	} {
		if f.signed != f.is {
			return &corridor.Error{Kind: corridor.Invalid, Where: "manifest." + f.name, Msg: fmt.Sprintf("is %q, and pack.yaml says %q", f.signed, f.is)}
		}
	}
	return nil
}

// claims refuses an edition that takes a state's law, or a pack, from
// somebody else.
func (e *Edition) claims(before *Library, p *Publishers) error {
	m := e.Manifest
	old := before.packByID(m.Pack)
	if old != nil && old.jurisdiction != m.Jurisdiction {
		return &corridor.Error{Kind: corridor.Forbidden, Where: "manifest.pack", Msg: fmt.Sprintf("the pack %s is that of %s, and this edition is of %s", m.Pack, old.jurisdiction, m.Jurisdiction),
			Why: "an edition replaces the pack of its own jurisdiction only", Fix: "name the pack otherwise"}
	}
	for _, state := range m.Members {
		if old != nil && slices.Contains(old.members, state) {
			continue
		}
		if !slices.ContainsFunc(p.list, func(q Publisher) bool {
			return q.speaksFor(state) && slices.ContainsFunc(e.sigs, func(s signed.Signature) bool {
				return s.Name == q.verifier.Name() && s.Hash == q.verifier.KeyHash()
			})
		}) {
			return &corridor.Error{Kind: corridor.Forbidden, Where: "manifest.members", Msg: fmt.Sprintf("%s is not a member here, and nobody who speaks for it signed the edition", state),
				Why: "an edition may speak for its own jurisdiction only", Fix: "let a publisher of " + state + " sign it too"}
		}
	}
	return nil
}

// othersUnchanged compares all other packs.
func othersUnchanged(before, after *Library, except string) error {
	for _, p := range before.packs {
		q := after.packByID(p.id)
		if p.id == except {
			continue
		}
		if q == nil || q.digest != p.digest || before.byJurisdiction[p.jurisdiction] != p || after.byJurisdiction[p.jurisdiction] != q {
			return corridor.E(corridor.Internal, "the edition would change the pack %s", p.id)
		}
	}
	return nil
}

// CheckCases runs the cases of one pack among those of fsys: there are some,
// and all pass.
func CheckCases(fsys fs.FS, id string) error {
	lib, err := Load(fsys)
	if err != nil {
		return err
	}
	_, err = lib.ownCases(lib.packByID(id))
	return err
}

// ownCases runs the cases of one pack.
func (l *Library) ownCases(pk *pack) (int, error) {
	all, err := l.Cases()
	if err != nil {
		return 0, err
	}
	var own []Case
	for _, c := range all {
		if l.byJurisdiction[c.Jurisdiction] == pk {
			own = append(own, c)
		}
	}
	if len(own) == 0 {
		return 0, &corridor.Error{Kind: corridor.Invalid, Where: pk.id + "/cases.yaml", Msg: "the edition brings no case that shows what its law says", Fix: "let  corridor packs cover  propose them"}
	}
	var failed []string
	for _, r := range l.RunCases(own) {
		if !r.Passed {
			failed = append(failed, r.Case.ID+": "+r.Reason)
		}
	}
	if len(failed) > 0 {
		more := ""
		if n := len(failed); n > 5 {
			failed, more = failed[:5], fmt.Sprintf("\nand %d more", n-5)
		}
		return 0, corridor.E(corridor.Invalid, "%s: of the edition's own cases, these fail here:\n%s%s", pk.id, strings.Join(failed, "\n"), more)
	}
	return len(own), nil
}
