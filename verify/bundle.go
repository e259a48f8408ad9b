package verify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"corridor"
)

// Options bring trust from outside. Without them the bundle is checked
// against its own keys and policy, and the report says so.
type Options struct {
	// Policy is the witness policy (tlog-policy text) to use instead of the
	// bundle's. Its log lines, if any, are the only logs that are trusted.
	Policy []byte
	// Documents are DID documents got from their owners. A participant who has
	// one here must have signed with a key of it.
	Documents map[string][]byte
	// Without names suites whose signatures are not verified: the check is made
	// as by a reader who does not know, or may not rely on, their cryptography.
	// A national signature in one of them then needs a validation.
	Without []string
}

// MaxDocument bounds a DID document that a reader brings along.
const MaxDocument = 1 << 20

// Anchors makes Options of what a reader brought along: a witness policy, or
// nil, and DID documents got from their owners. What cannot be used is
// refused, so that nobody believes to have checked against it.
func Anchors(policy []byte, documents ...[]byte) (Options, error) {
	opts := Options{Policy: policy, Documents: map[string][]byte{}}
	if policy != nil {
		if _, err := ParsePolicy(policy); err != nil {
			return Options{}, err
		}
	}
	for _, raw := range documents {
		var doc document
		if len(raw) > MaxDocument {
			return Options{}, corridor.E(corridor.Limited, "a DID document of %d bytes is over the limit of %d", len(raw), MaxDocument)
		}
		if err := json.Unmarshal(raw, &doc); err != nil {
			return Options{}, corridor.E(corridor.Invalid, "not a DID document: %w", err)
		}
		if _, err := DocumentKeys(doc.ID, raw); err != nil {
			return Options{}, err
		}
		opts.Documents[doc.ID] = raw
	}
	return opts, nil
}

// Bundle checks a bundle: every signature, proof and cross reference in it.
// It never stops at the first failure and never panics. Each check of the
// report says what was asked, what was found, why it matters and what would
// mend it; docs/bundle-format.md lists them.
func Bundle(data []byte, opts Options) *Report {
	c := &checker{opts: opts, keys: map[string]Key{}, validators: map[string][]Key{}, logs: map[string]logKey{}, opened: map[string]*opened{}, handed: map[string][]string{}, awaited: map[*receipt]bool{}}
	if !c.form(data) { // nothing was read that could be checked
		c.rep.finish()
		return &c.rep
	}
	c.trust()
	c.participants()
	c.receipts()
	c.agreement()
	c.decisions()
	c.approvals()
	c.witnesses()
	c.compacts()
	c.orders()
	c.admissions()
	c.validations()
	c.byLog()
	c.references()
	c.arrivals()
	c.part()
	c.increments()
	c.histories()
	c.times()
	c.rep.finish()
	return &c.rep
}

// checker holds what the checks share.
type checker struct {
	rep        Report
	opts       Options
	file       File
	policy     *Policy
	keys       map[string]Key    // by DID URL
	validators map[string][]Key  // keys of each side's trust service, by DID
	nationals  []National        // signatures of the agreement and the decisions
	logs       map[string]logKey // by origin
	opened     map[string]*opened
	list       []receipt
	agreed     *corridor.SignedAgreement
	body       []byte // canonical agreement body
	stated     []statement
	shown      []Checkpoint // that logs have signed
	pacts      []pact
	rulings    []ruling
	grants     []grant
	awaited    map[*receipt]bool     // releases that show what witnesses had cosigned
	begun      map[string][]*receipt // starts of transfers, by log and transfer
	handed     map[string][]string   // compacts that have an authority from one
	quoted     map[quote][]*receipt  // about the agreement
	flow       *corridor.Crossing    // what crossing has found
	courses    map[place]*course     // what happened in each log under each agreement
	looks      int                   // at receipts for what came after suspensions
}

type logKey struct {
	FileLog
	verifier note.Verifier
}

// receipt is an entry as far as it could be read.
type receipt struct {
	FileReceipt
	name  string // for people
	leaf  corridor.Leaf
	hash  tlog.Hash
	ok    bool // its form is right
	byLog bool // its signature is in a suite that is not verified here
	cosi  []time.Time
}

// form reads the file, and says whether there is something to check.
func (c *checker) form(data []byte) bool {
	f, err := decodeFile(data)
	limited := corridor.KindOf(err) == corridor.Limited
	c.file = f
	c.rep.expect("form", "The file is one canonical bundle", err, fmt.Sprintf("%d bytes", len(data)),
		"a bundle has exactly one spelling, so that any change to it shows", "ask the exporter for the file again, unchanged")
	if limited {
		return false
	}
	got, err := contentDigest(data)
	if err == nil && got != f.Digest {
		err = mismatch("the file says %s, its content gives %s", clip(f.Digest), got)
	}
	c.rep.expect("digest", "The file's digest is that of its content", err, f.Digest,
		"it shows damage in storage or transport", "ask the exporter for the file again")
	return true
}

// trust settles which policy and keys the other checks stand on.
func (c *checker) trust() {
	text, own := []byte(c.file.Policy), true
	if c.opts.Policy != nil {
		text, own = c.opts.Policy, false
	}
	p, err := ParsePolicy(text)
	if err != nil {
		p = &Policy{Quorum: "\x00"} // satisfied by nothing
	}
	c.policy = p
	switch {
	case err != nil:
		c.rep.fail("trust.policy", "The witness policy can be used", err, "it says which logs and witnesses are believed", "give a policy with --policy FILE")
	case own:
		c.rep.note("trust.policy", "The witness policy can be used", "it comes from the bundle itself: whoever made the bundle chose it",
			"give the policy that you trust with --policy FILE")
	default:
		c.rep.pass("trust.policy", "The witness policy can be used", "given by you: %d logs, %d witnesses", len(p.Logs), len(p.Witnesses))
	}
	if err == nil && p.Quorum == "none" {
		c.rep.note("trust.quorum", "The policy asks for witnesses", "it asks for none: the owner of a log could keep two histories", "agree on witnesses in third countries")
	} else if err == nil && !p.ForcesOverlap() {
		c.rep.note("trust.quorum", "The policy asks for witnesses", "two separate sets of honest witnesses could satisfy it, one for each of two histories", "ask for more than half of a group")
	}
	c.suites()
	var unknown []string
	for _, k := range c.file.Keys {
		if _, given := c.opts.Documents[k.DID]; !given {
			unknown = append(unknown, clip(k.DID))
		}
	}
	if len(unknown) > 0 {
		c.rep.note("trust.keys", "The participants' keys are known", "those of "+strings.Join(unknown, ", ")+" come from the bundle itself",
			"fetch the DID documents from the participants and give them with --did FILE")
	}
}

// participants reads keys and logs.
func (c *checker) participants() {
	for i, k := range c.file.Keys {
		raw := []byte(k.Document)
		what := "The DID document of " + clip(k.DID) + " has usable keys"
		keys, err := DocumentKeys(k.DID, raw)
		if trusted, ok := c.opts.Documents[k.DID]; ok && err == nil {
			keys, err = bothHave(k.DID, keys, trusted)
			what = "The DID document of " + clip(k.DID) + " has keys of the one that you gave"
		}
		c.rep.expect(fmt.Sprintf("keys[%d]", i), what, err, fmt.Sprintf("%d keys", len(keys)), "signatures are checked against it", "compare with the document that the participant publishes")
		for _, key := range keys {
			if have, twice := c.keys[key.ID]; twice && !have.Equal(key) {
				c.rep.fail(fmt.Sprintf("keys[%d].unique", i), "Each key id means one key", mismatch("%s is given twice", clip(key.ID)), "", "")
				continue
			}
			c.keys[key.ID] = key
		}
		if err == nil {
			c.validators[k.DID] = c.validatorsOf(k.DID, raw)
		}
	}
	for i, l := range c.file.Logs {
		v, err := LogVerifier(l.VKey)
		switch {
		case err != nil:
		case v.Name() != l.Origin:
			err = mismatch("the key is of %q, not of log %q", clip(v.Name()), clip(l.Origin))
		case c.logs[l.Origin].VKey != "":
			err = mismatch("log %q occurs twice", clip(l.Origin))
		case !c.trustsLog(l.VKey):
			err = mismatch("the policy does not trust this log and key")
		default:
			c.logs[l.Origin] = logKey{l, v}
		}
		c.rep.expect(fmt.Sprintf("logs[%d]", i), "The log of "+clip(l.DID)+" has a trusted key", err, clip(l.VKey),
			"checkpoints are checked against it", "compare with the policy and with what the participant publishes")
	}
}

func (c *checker) trustsLog(vkey string) bool {
	return len(c.policy.Logs) == 0 || slices.ContainsFunc(c.policy.Logs, func(l PolicyLog) bool { return l.VKey == vkey })
}

func bothHave(did string, keys []Key, trusted []byte) ([]Key, error) {
	keys, err := intersect(did, keys, trusted, DocumentKeys)
	if err == nil && len(keys) == 0 {
		err = mismatch("no key of the bundle's document is in it")
	}
	return keys, err
}

// intersect leaves the keys that the reader's document has too.
func intersect(did string, keys []Key, trusted []byte, read func(string, []byte) ([]Key, error)) ([]Key, error) {
	known, err := read(did, trusted)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(keys, func(k Key) bool {
		return !slices.ContainsFunc(known, func(t Key) bool { return t.ID == k.ID && t.Equal(k) })
	}), nil
}

// validatorsOf gives the keys of a side's trust service: those that the
// reader's document names too, if there is one. None is no failure; what rests
// on one fails then.
func (c *checker) validatorsOf(did string, raw []byte) []Key {
	keys, err := Validators(did, raw)
	if err != nil {
		return nil
	}
	if trusted, ok := c.opts.Documents[did]; ok {
		if keys, err = intersect(did, keys, trusted, Validators); err != nil {
			return nil
		}
	}
	return keys
}

// keyOf finds the key of a signature that must be by did.
func (c *checker) keyOf(did string, s corridor.Signature) (Key, error) {
	if didOf(s.Key) != did || did == "" {
		return Key{}, mismatch("it is by key %q, which is not one of %q", clip(s.Key), clip(did))
	}
	key, ok := c.keys[s.Key]
	if !ok {
		return Key{}, mismatch("the bundle has no key %q that could sign a statement", clip(s.Key))
	}
	return key, nil
}

// signed checks a signature that must be by a key of did and that nobody
// vouches for: it is verified here, or it is nothing.
func (c *checker) signed(did string, msg []byte, s corridor.Signature) error {
	key, err := c.keyOf(did, s)
	if err != nil {
		return err
	}
	if c.skips(key.Suite) {
		return mismatch("it is in %s, which is not verified here", key.Suite)
	}
	return key.VerifySignature(msg, s)
}

func (c *checker) receipts() {
	var err error
	if len(c.file.Receipts) == 0 {
		err = mismatch("there is none")
	}
	c.rep.expect("receipts", "The bundle holds receipts", err, fmt.Sprintf("%d", len(c.file.Receipts)), "without receipts nothing is shown", "")
	c.list = make([]receipt, len(c.file.Receipts))
	places := map[corridor.ReceiptRef]bool{}
	for i, fr := range c.file.Receipts {
		r := &c.list[i]
		r.FileReceipt = fr
		r.hash = tlog.RecordHash(fr.Leaf)
		r.leaf, err = corridor.DecodeReceipt(fr.Leaf)
		place := corridor.ReceiptRef{Origin: fr.Log, Index: fr.Index}
		switch {
		case err != nil:
		case r.leaf.Receipt.Version != 1:
			err = mismatch("receipt version %d is not known", r.leaf.Receipt.Version)
		case places[place]:
			err = mismatch("entry %d of log %q occurs twice", fr.Index, clip(fr.Log))
		default:
			r.ok = true
		}
		places[place] = true
		r.name = fmt.Sprintf("receipt %d (%s by %s)", i, clip(r.leaf.Receipt.Type), clip(r.leaf.Receipt.Issuer))
		c.rep.expect(fmt.Sprintf("receipt[%d].form", i), "The form of "+r.name, err, "", "an entry that cannot be read strictly proves nothing", "")
		c.receipt(fmt.Sprintf("receipt[%d]", i), r)
	}
}

// receipt runs all checks of one entry. Those that need a readable form fail
// without it.
func (c *checker) receipt(id string, r *receipt) {
	c.issued(id, r)
	var err error
	log, known := c.logs[r.Log]
	if !known {
		err = mismatch("log %q is not one of the bundle's trusted logs", clip(r.Log))
	} else if log.DID != r.leaf.Receipt.Issuer {
		err = mismatch("the log belongs to %q", clip(log.DID))
	}
	c.rep.expect(id+".log", "The log of "+r.name+" is its issuer's", err, clip(r.Log), "nobody can be made to say things in somebody else's log", "")
	c.proof(id, r, log)
	c.openings(id, r)
}

// issued checks who makes the statement. Where the issuer's suite is not
// verified here, its log may speak for it: see byLog.
func (c *checker) issued(id string, r *receipt) {
	var err error = mismatch("its form is wrong, see %s.form", id)
	what := "The issuer's signature on " + r.name
	if r.ok {
		var body []byte
		n := National{Signature: r.leaf.Signature}
		if body, err = corridor.Canonical(r.leaf.Receipt); err == nil {
			n.Key, err = c.keyOf(r.leaf.Receipt.Issuer, r.leaf.Signature)
		}
		if err == nil && c.skips(n.Key.Suite) {
			if err = n.Named(); err == nil {
				r.byLog = true
				return
			}
		} else if err == nil {
			err = n.Key.VerifySignature(body, r.leaf.Signature)
		}
	}
	c.rep.expect(id+".signature", what, err, r.leaf.Signature.Suite, "it shows who makes the statement", "")
}

// opened is a checkpoint that several proofs may share.
type opened struct {
	c       Checkpoint
	textErr error // its text cannot be read
	logErr  error // the log's signature
	names   []string
	times   []time.Time
	cosiErr error
}

func (c *checker) proof(id string, r *receipt, log logKey) {
	p, err := ParseProof([]byte(r.Proof))
	var o *opened
	if err == nil {
		o = c.open(p.Checkpoint, r.Log, log)
		switch {
		case p.Index != r.Index:
			err = mismatch("the proof is of entry %d, not %d", p.Index, r.Index)
		case o.textErr != nil:
			err = o.textErr
		case len(p.Extra) > 0:
			err = mismatch("the proof carries data that nobody has signed")
		default:
			err = p.CheckInclusion(o.c, r.hash)
		}
	} else {
		o = &opened{textErr: err, logErr: err, cosiErr: err}
	}
	c.rep.expect(id+".inclusion", "The log holds "+r.name, err, fmt.Sprintf("entry %d of %d", r.Index, o.c.Size), "the proof leads from the entry to the signed root", "")
	c.rep.expect(id+".checkpoint", "The log has signed the checkpoint for "+r.name, o.logErr, clip(r.Log), "the owner of the log stands by this history", "")
	c.rep.expect(id+".cosignatures", "Enough witnesses have cosigned the checkpoint for "+r.name, o.cosiErr, fmt.Sprintf("%s: %v", "by", o.names),
		"witnesses in other countries make a second history visible", "export again when the witnesses have answered")
	if o.cosiErr == nil {
		r.cosi = o.times
	}
}

func (c *checker) open(signed []byte, origin string, log logKey) *opened {
	cacheKey := origin + "\x00" + string(signed)
	if o := c.opened[cacheKey]; o != nil {
		return o
	}
	o := &opened{}
	c.opened[cacheKey] = o
	n, err := unsigned(signed)
	if err == nil {
		o.c, err = ParseCheckpoint(n.Text)
	}
	if err != nil {
		o.textErr, o.logErr, o.cosiErr = err, err, err
		return o
	}
	if o.c.Origin != origin {
		o.textErr = mismatch("the checkpoint is of log %q, not %q", clip(o.c.Origin), clip(origin))
	}
	if log.verifier == nil {
		o.logErr = mismatch("no trusted key is known for log %q", clip(origin))
	} else {
		_, _, o.logErr = OpenCheckpoint(signed, log.verifier)
	}
	c.cosigned(o, signed)
	return o
}

// cosigned checks each witness on its own: a bad line of a known witness is a
// failure even when the others would do.
func (c *checker) cosigned(o *opened, signed []byte) {
	for _, w := range c.policy.Witnesses {
		n, err := note.Open(signed, note.VerifierList(w.Verifier()))
		if err != nil {
			if _, absent := err.(*note.UnverifiedNoteError); !absent {
				o.cosiErr = mismatch("the cosignature of %q is false", clip(w.Name))
			}
			continue
		}
		o.names = append(o.names, w.Name)
		if t, err := CosignatureTime(n.Sigs[0]); err == nil {
			o.times = append(o.times, t)
		}
	}
	if o.cosiErr == nil && !c.policy.Satisfied(o.names) {
		o.cosiErr = mismatch("cosigned by %v; the policy wants %q", o.names, clip(c.policy.Quorum))
	}
}

// unsigned reads a note without believing any signature.
func unsigned(msg []byte) (*note.Note, error) {
	if len(msg) > MaxCheckpoint {
		return nil, corridor.E(corridor.Invalid, "the checkpoint is too long")
	}
	_, err := note.Open(msg, nil)
	if e, ok := err.(*note.UnverifiedNoteError); ok {
		return e.Note, nil
	}
	return nil, corridor.E(corridor.Invalid, "the checkpoint is not a signed note")
}

func (c *checker) openings(id string, r *receipt) {
	if len(r.Openings) == 0 {
		return
	}
	var err error
	seen := map[string]bool{}
	for _, o := range r.Openings {
		salt, err1 := unb64(o.Salt)
		value, err2 := unb64(o.Value)
		switch {
		case err1 != nil || err2 != nil:
			err = mismatch("%q is not base64url", clip(o.Name))
		case seen[o.Name]:
			err = mismatch("%q is opened twice", clip(o.Name))
		case len(salt) > 255 || corridor.Commit(salt, value) != r.leaf.Receipt.Commitments[o.Name]:
			err = mismatch("what is shown as %q is not what the receipt bound", clip(o.Name))
		}
		seen[o.Name] = true
	}
	c.rep.expect(id+".openings", "What is shown behind the commitments of "+r.name, err, fmt.Sprintf("%d shown", len(r.Openings)), "a receipt binds facts without telling them; here they are told", "")
}

// members reads a JSON object into its parts without changing them.
func members(raw json.RawMessage) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m
}
