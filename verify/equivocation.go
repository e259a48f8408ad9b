package verify

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"corridor"
)

// KindEquivocation marks the report on an Equivocation.
const KindEquivocation = "equivocation"

// Equivocation is evidence that a log has signed two histories: two
// checkpoints under its key, and what shows that the larger tree does not
// continue the smaller one. It needs nobody's word: only the log's own key can
// have made both. The file is canonical JSON.
type Equivocation struct {
	Version int     `json:"corridor_equivocation"` // 1
	About   About   `json:"about"`                 // not trusted
	Log     FileLog `json:"log"`
	// Document is the DID document of the log's owner, which names the log's
	// key; absent where it was not to be had.
	Document json.RawMessage `json:"document,omitempty"`
	A        string          `json:"a"` // signed checkpoint of the smaller or equal tree
	B        string          `json:"b"` // signed checkpoint of the other
	// Trees of different sizes: the root of B's first entries, as many as A
	// has, with the proof that B continues it (RFC 9162, 2.1.4).
	Prefix string   `json:"prefix,omitempty"` // base64
	Proof  []string `json:"proof,omitempty"`  // base64
	// Or: one place that holds different entries in the two trees.
	Entries *Replaced `json:"entries,omitempty"`
	Digest  string    `json:"digest"` // of the canonical form without this member
}

// Replaced is a place of a log and the two entries that it was shown with.
type Replaced struct {
	Index int64    `json:"index"`
	LeafA string   `json:"leaf_a"` // base64, RFC 6962 leaf hash
	LeafB string   `json:"leaf_b"`
	PathA []string `json:"path_a"` // base64
	PathB []string `json:"path_b"`
}

// Encode computes the digest and writes the file in its one form.
func (e Equivocation) Encode() ([]byte, error) {
	e.Version, e.Digest = 1, ""
	raw, err := corridor.Canonical(e)
	if err != nil {
		return nil, err
	}
	if e.Digest, err = contentDigest(raw); err != nil {
		return nil, err
	}
	return corridor.Canonical(e)
}

// ReadEquivocation reads the file strictly. It checks the form, not the
// content.
func ReadEquivocation(data []byte) (Equivocation, error) {
	var e Equivocation
	if len(data) > MaxEquivocation {
		return e, corridor.E(corridor.Limited, "evidence of %d bytes is over the limit of %d", len(data), MaxEquivocation)
	}
	if err := corridor.CheckCanonical(data); err != nil {
		return e, err
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return e, corridor.E(corridor.Invalid, "not evidence: %w", err)
	}
	if e.Version != 1 {
		return e, corridor.E(corridor.Invalid, "evidence of format %d is not known, want 1", e.Version)
	}
	again, err := corridor.Canonical(e)
	if err == nil && !bytes.Equal(again, data) {
		err = corridor.E(corridor.Invalid, "the file has members that do not belong into it, or lacks some")
	}
	return e, err
}

// MaxEquivocation bounds the file: two checkpoints, two proofs, a DID document.
const MaxEquivocation = 2*MaxCheckpoint + MaxDocument + 64<<10

// Evidence checks a file that a court may be handed: a bundle, or evidence
// that a log has signed two histories (Report.Kind says which).
func Evidence(data []byte, opts Options) *Report {
	if bytes.Contains(data[:min(len(data), MaxEquivocation)], []byte(`"corridor_equivocation":`)) && !bytes.Contains(data, []byte(`"corridor_bundle":`)) {
		return checkEquivocation(data, opts)
	}
	return Bundle(data, opts)
}

func checkEquivocation(data []byte, opts Options) *Report {
	rep := &Report{Kind: KindEquivocation}
	e, err := ReadEquivocation(data)
	rep.expect("form", "The file is canonical evidence", err, fmt.Sprintf("%d bytes", len(data)), "evidence has exactly one spelling, so that any change to it shows", "ask for the file again, unchanged")
	if err == nil {
		var got string
		if got, err = contentDigest(data); err == nil && got != e.Digest {
			err = mismatch("the file says %s, its content gives %s", clip(e.Digest), got)
		}
		rep.expect("digest", "The file's digest is that of its content", err, e.Digest, "it shows damage in storage or transport", "ask for the file again")
		e.check(rep, opts)
	}
	rep.finish()
	return rep
}

// check says who is accused, and whether both checkpoints are its own and
// exclude each other.
func (e Equivocation) check(rep *Report, opts Options) {
	e.owner(rep, opts)
	v, err := LogVerifier(e.Log.VKey)
	if err == nil && v.Name() != e.Log.Origin {
		err = mismatch("the key is of %q, not of log %q", clip(v.Name()), clip(e.Log.Origin))
	}
	rep.expect("log", "The key is that of the log", err, clip(e.Log.VKey), "the checkpoints are checked against it", "")
	if err != nil {
		return
	}
	a, errA := openBare(e.A, v)
	b, errB := openBare(e.B, v)
	rep.expect("checkpoint.a", "The log has signed the first checkpoint", errA, fmt.Sprintf("%d entries, root %s", a.Size, a.Root), "nobody else can have signed it", "")
	rep.expect("checkpoint.b", "The log has signed the second checkpoint", errB, fmt.Sprintf("%d entries, root %s", b.Size, b.Root), "nobody else can have signed it", "")
	if errA == nil && errB == nil {
		detail, err := e.exclude(a, b)
		rep.expect("inconsistent", "The two checkpoints exclude each other", err, detail, "a log keeps one history: who signs two has told two parties different things", "")
	}
}

// openBare opens a checkpoint that carries the log's signature, in its one
// spelling, and no other.
func openBare(signed string, v note.Verifier) (Checkpoint, error) {
	c, _, err := OpenCheckpoint([]byte(signed), v)
	if err != nil {
		return c, err
	}
	_, line, _ := strings.Cut(signed, "\n\n")
	sig, ok := strings.CutSuffix(strings.TrimPrefix(line, "— "+v.Name()+" "), "\n")
	raw, err := base64.StdEncoding.Strict().DecodeString(sig)
	if !ok || err != nil || base64.StdEncoding.EncodeToString(raw) != sig {
		return c, mismatch("it carries other signatures than the log's one")
	}
	return c, nil
}

// owner ties the key to a participant.
func (e Equivocation) owner(rep *Report, opts Options) {
	doc, from := e.Document, "the file itself"
	if given, ok := opts.Documents[e.Log.DID]; ok {
		doc, from = given, "the document that you gave"
	}
	switch {
	case opts.Policy != nil:
		p, err := ParsePolicy(opts.Policy)
		if err == nil && !slices.ContainsFunc(p.Logs, func(l PolicyLog) bool { return l.VKey == e.Log.VKey }) {
			err = mismatch("it has no log line for this key")
		}
		rep.expect("trust.policy", "The policy knows the log", err, clip(e.Log.Origin), "it says whose log this is", "")
	case len(doc) > 0:
		err := namesLog(e.Log, doc)
		if err == nil && from == "the file itself" {
			rep.note("trust.keys", "The owner of the log has published its key", "by the DID document of "+clip(e.Log.DID)+" in the file itself", "fetch the DID document from the participant and give it with --did FILE")
			return
		}
		rep.expect("trust.keys", "The owner of the log has published its key", err, "by "+from, "it ties the log to the participant", "compare with the agreement, which names the log and its key")
	default:
		rep.note("trust.keys", "The owner of the log has published its key", "the file does not show it: that the log is "+clip(e.Log.DID)+"'s has to be seen from an agreement, which names the log and its key", "give the participant's DID document with --did FILE, or a policy with a log line with --policy FILE")
	}
}

// namesLog says whether a DID document of the owner has the log's key.
func namesLog(l FileLog, raw []byte) error {
	var d document
	if err := json.Unmarshal(raw, &d); err != nil || d.ID != l.DID || l.DID == "" {
		return mismatch("the DID document is not of %q", clip(l.DID))
	}
	log, err := splitVKey(l.VKey, algEd25519)
	if err != nil {
		return err
	}
	for _, m := range d.Methods {
		k, err := ParseJWK(absolute(l.DID, m.ID), m.JWK)
		if err != nil || m.Controller != l.DID {
			continue
		}
		if public, err := k.Public(); err == nil {
			if p, ok := public.(ed25519.PublicKey); ok && p.Equal(ed25519.PublicKey(log.key)) {
				return nil
			}
		}
	}
	return mismatch("the DID document of %q does not name this key", clip(l.DID))
}

// exclude shows that no history can have both checkpoints.
func (e Equivocation) exclude(a, b Checkpoint) (string, error) {
	switch {
	case e.Entries != nil && (e.Prefix != "" || len(e.Proof) > 0):
		return "", mismatch("the file shows it in two ways")
	case e.Entries != nil:
		return e.replaced(a, b)
	case a.Size == b.Size && a.Root != b.Root && e.Prefix == "" && len(e.Proof) == 0:
		return fmt.Sprintf("two trees of %d entries", a.Size), nil
	case a.Size == b.Size:
		return "", mismatch("they are of one tree, or more is shown than belongs here")
	case a.Size > b.Size || a.Size == 0:
		return "", mismatch("the first is not of a smaller tree with entries")
	}
	prefix, err := parseHash(e.Prefix)
	if err != nil {
		return "", err
	}
	proof, err := parseHashes(e.Proof)
	if err != nil {
		return "", err
	}
	if err := tlog.CheckTree(proof, b.Size, b.Root, a.Size, prefix); err != nil {
		return "", mismatch("the proof does not show what the second tree begins with")
	}
	if prefix == a.Root {
		return "", mismatch("the second tree continues the first: that is one history")
	}
	return fmt.Sprintf("the first %d entries of the second tree have the root %s", a.Size, prefix), nil
}

func (e Equivocation) replaced(a, b Checkpoint) (string, error) {
	r := e.Entries
	leafA, err := parseHash(r.LeafA)
	if err != nil {
		return "", err
	}
	leafB, err := parseHash(r.LeafB)
	if err != nil {
		return "", err
	}
	for _, side := range []struct {
		c    Checkpoint
		leaf tlog.Hash
		path []string
	}{{a, leafA, r.PathA}, {b, leafB, r.PathB}} {
		path, err := parseHashes(side.path)
		if err != nil {
			return "", err
		}
		if r.Index < 0 {
			return "", mismatch("there is no entry %d", r.Index)
		}
		if err := (Proof{Index: r.Index, Hashes: path}).CheckInclusion(side.c, side.leaf); err != nil {
			return "", err
		}
	}
	if leafA == leafB {
		return "", mismatch("it is the same entry in both")
	}
	return fmt.Sprintf("entry %d is %s in one and %s in the other", r.Index, leafA, leafB), nil
}

func parseHashes(list []string) ([]tlog.Hash, error) {
	if len(list) > 126 {
		return nil, mismatch("more than 126 hashes")
	}
	out := make([]tlog.Hash, len(list))
	for i, s := range list {
		h, err := parseHash(s)
		if err != nil {
			return nil, err
		}
		out[i] = h
	}
	return out, nil
}

// Hashes writes hashes as the file holds them.
func Hashes(list []tlog.Hash) []string {
	out := make([]string, len(list))
	for i, h := range list {
		out[i] = h.String()
	}
	return out
}

// LogSignatureOnly gives a signed checkpoint with the log's own signatures and
// no others.
func LogSignatureOnly(signed []byte, origin string) []byte {
	text, sigs, ok := strings.Cut(string(signed), "\n\n")
	if !ok {
		return signed
	}
	out := text + "\n\n"
	for line := range strings.Lines(sigs) {
		if strings.HasPrefix(line, "— "+origin+" ") {
			out += line
		}
	}
	return []byte(out)
}
