package verify

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"filippo.io/mldsa"
	"golang.org/x/mod/sumdb/note"

	"corridor"
)

// MaxPolicy bounds the text of a policy; each kind of line is bounded too.
const (
	MaxPolicy   = 256 << 10
	maxPolicyOf = 256
)

// Policy is a C2SP tlog-policy: which logs are trusted, which witnesses are
// known, and which sets of witnesses are enough.
type Policy struct {
	Logs      []PolicyLog
	Witnesses []PolicyWitness
	Groups    []PolicyGroup
	Quorum    string // a witness, a group, or "none"
}

// PolicyLog is a log line. The name in the vkey is the log's origin.
type PolicyLog struct {
	VKey, URL string
	verifier  note.Verifier
}

// Origin is the name in the log's vkey.
func (l PolicyLog) Origin() string { return l.verifier.Name() }

// Verifier checks the log's signature on its checkpoints.
func (l PolicyLog) Verifier() note.Verifier { return l.verifier }

// PolicyWitness is a witness line.
type PolicyWitness struct {
	Name, VKey, URL string
	verifier        note.Verifier
}

// Verifier checks the witness's cosignatures.
func (w PolicyWitness) Verifier() note.Verifier { return w.verifier }

// MaxLine is the length of the witness's cosignature line, in bytes.
func (w PolicyWitness) MaxLine() int {
	size := ed25519.SignatureSize
	if k, err := splitVKey(w.VKey, algCosignMLDSA44); err == nil && k.alg == algCosignMLDSA44 {
		size = mldsa.MLDSA44SignatureSize
	}
	return len("—  \n") + len(w.verifier.Name()) + base64.StdEncoding.EncodedLen(4+8+size)
}

// PolicyGroup is a group line: at least K of the members.
type PolicyGroup struct {
	Name    string
	K       int
	Members []string
}

// ParsePolicy reads a policy and checks that every name is defined before it
// is used and that every key is written once.
func ParsePolicy(text []byte) (*Policy, error) {
	if len(text) > MaxPolicy {
		return nil, corridor.E(corridor.Invalid, "a policy of %d bytes is over the limit of %d", len(text), MaxPolicy)
	}
	p := &policyParser{used: map[string]bool{}, defined: map[string]bool{}, keys: map[string]bool{}}
	for i, line := range bytes.Split(text, []byte("\n")) {
		if err := p.line(line); err != nil {
			return nil, &corridor.Error{Kind: corridor.Invalid, Msg: "policy: " + err.Error(), Where: "line " + strconv.Itoa(i+1), Why: "C2SP tlog-policy"}
		}
	}
	if p.Quorum == "" {
		return nil, &corridor.Error{Kind: corridor.Invalid, Msg: "policy: there is no quorum line", Why: "C2SP tlog-policy",
			Fix: "end the policy with: quorum NAME, or quorum none if no witness is needed"}
	}
	return &p.Policy, nil
}

type policyParser struct {
	Policy
	defined map[string]bool
	used    map[string]bool // as a member of a group
	keys    map[string]bool
}

func (p *policyParser) line(line []byte) error {
	for _, c := range line {
		if c < 0x20 && c != '\t' || c == 0x7f {
			return fmt.Errorf("control character %#02x", c)
		}
	}
	f := strings.FieldsFunc(string(line), func(r rune) bool { return r == ' ' || r == '\t' })
	if len(f) == 0 || strings.HasPrefix(f[0], "#") {
		return nil
	}
	switch {
	case f[0] == "log" && (len(f) == 2 || len(f) == 3):
		return p.log(f[1:])
	case f[0] == "witness" && (len(f) == 3 || len(f) == 4):
		return p.witness(f[1:])
	case f[0] == "group" && len(f) >= 4:
		return p.group(f[1], f[2], f[3:])
	case f[0] == "quorum" && len(f) == 2:
		if p.Quorum != "" {
			return fmt.Errorf("a second quorum line")
		}
		if f[1] != "none" && !p.defined[f[1]] {
			return fmt.Errorf("quorum %q is not defined above", f[1])
		}
		p.Quorum = f[1]
		return nil
	case slices.Contains([]string{"log", "witness", "group", "quorum"}, f[0]):
		return fmt.Errorf("a %s line with %d words", f[0], len(f)-1)
	}
	return fmt.Errorf("unknown line %q; known are log, witness, group, quorum", f[0])
}

func (p *policyParser) log(f []string) error {
	v, err := LogVerifier(f[0])
	if err != nil {
		return err
	}
	if err := p.newKey("log", f[0], algEd25519); err != nil {
		return err
	}
	l := PolicyLog{VKey: f[0], verifier: v}
	if len(f) > 1 {
		l.URL = f[1]
	}
	p.Logs = append(p.Logs, l)
	return tooMany("logs", len(p.Logs))
}

func (p *policyParser) witness(f []string) error {
	if err := p.define(f[0]); err != nil {
		return err
	}
	v, err := WitnessVerifier(f[1])
	if err != nil {
		return err
	}
	if err := p.newKey("witness", f[1], algCosignEd25519, algCosignMLDSA44); err != nil {
		return err
	}
	w := PolicyWitness{Name: f[0], VKey: f[1], verifier: v}
	if len(f) > 2 {
		w.URL = f[2]
	}
	p.Witnesses = append(p.Witnesses, w)
	return tooMany("witnesses", len(p.Witnesses))
}

// newKey refuses one key under two names: it would count twice.
func (p *policyParser) newKey(kind, vkey string, algs ...byte) error {
	k, err := splitVKey(vkey, algs...)
	if err != nil {
		return err
	}
	if p.keys[kind+string(k.key)] {
		return fmt.Errorf("the key of %s %.80s occurs twice", kind, vkey)
	}
	p.keys[kind+string(k.key)] = true
	return nil
}

func (p *policyParser) group(name, threshold string, members []string) error {
	if err := p.define(name); err != nil {
		return err
	}
	k := 0
	switch threshold {
	case "any":
		k = 1
	case "all":
		k = len(members)
	default:
		n, err := parseDecimal(threshold)
		if err != nil || n < 1 || n > int64(len(members)) {
			return fmt.Errorf("group %q needs a number from 1 to %d, any or all, not %.20q", name, len(members), threshold)
		}
		k = int(n)
	}
	for _, m := range members {
		switch {
		case m == name || !p.defined[m]:
			return fmt.Errorf("member %q of group %q is not defined above", m, name)
		case p.used[m]:
			return fmt.Errorf("%q is a member twice", m)
		}
		p.used[m] = true
	}
	p.Groups = append(p.Groups, PolicyGroup{Name: name, K: k, Members: members})
	return tooMany("groups", len(p.Groups))
}

func (p *policyParser) define(name string) error {
	if name == "none" {
		return fmt.Errorf("the name none is taken")
	}
	if p.defined[name] {
		return fmt.Errorf("%q is defined twice", name)
	}
	p.defined[name] = true
	return nil
}

func tooMany(what string, n int) error {
	if n > maxPolicyOf {
		return fmt.Errorf("more than %d %s", maxPolicyOf, what)
	}
	return nil
}

// Format writes the policy as text that ParsePolicy reads back.
func (p *Policy) Format() []byte {
	var b bytes.Buffer
	line := func(words ...string) {
		b.WriteString(strings.TrimRight(strings.Join(words, " "), " ") + "\n")
	}
	for _, l := range p.Logs {
		line("log", l.VKey, l.URL)
	}
	for _, w := range p.Witnesses {
		line("witness", w.Name, w.VKey, w.URL)
	}
	for _, g := range p.Groups {
		line(append([]string{"group", g.Name, strconv.Itoa(g.K)}, g.Members...)...)
	}
	line("quorum", p.Quorum)
	return b.Bytes()
}

// Verifiers are those of all witnesses.
func (p *Policy) Verifiers() []note.Verifier {
	list := make([]note.Verifier, len(p.Witnesses))
	for i, w := range p.Witnesses {
		list[i] = w.verifier
	}
	return list
}

// Cosigners gives the names of the witnesses whose signatures, already
// checked, are among sigs.
func (p *Policy) Cosigners(sigs []note.Signature) []string {
	var names []string
	for _, w := range p.Witnesses {
		for _, s := range sigs {
			if s.Name == w.verifier.Name() && s.Hash == w.verifier.KeyHash() {
				names = append(names, w.Name)
				break
			}
		}
	}
	return names
}

// Satisfied says whether these witnesses are enough.
func (p *Policy) Satisfied(witnesses []string) bool {
	if p.Quorum == "none" {
		return true
	}
	have := map[string]bool{}
	for _, w := range p.Witnesses {
		have[w.Name] = slices.Contains(witnesses, w.Name)
	}
	for _, g := range p.Groups { // members are always defined earlier
		n := 0
		for _, m := range g.Members {
			if have[m] {
				n++
			}
		}
		have[g.Name] = n >= g.K
	}
	return have[p.Quorum]
}

// ForcesOverlap says whether any two sufficient sets of witnesses share one:
// only then does a fork of the log need a dishonest witness. A name is a
// member of one group at most, so the answer is exact: a group can be split
// if the members that can be split and half of the others reach its number.
func (p *Policy) ForcesOverlap() bool {
	if p.Quorum == "none" {
		return false
	}
	split := map[string]bool{}
	for _, g := range p.Groups {
		s := 0
		for _, m := range g.Members {
			if split[m] {
				s++
			}
		}
		split[g.Name] = s+(len(g.Members)-s)/2 >= g.K
	}
	return !split[p.Quorum]
}
