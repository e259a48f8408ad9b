package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"corridor"
	"corridor/verify"
)

// PublishAhead is how long a new key stands in the DID document before it
// signs: longer than a peer uses a document that it has.
const PublishAhead = 15 * time.Minute

// tokenGrace is how long a key that signed tokens stays published: no token of
// it is good for longer.
const tokenGrace = TokenLife + 2*ClockSkew

// The states of a published key.
const (
	KeyNext    = "next"    // published, not used yet
	KeyCurrent = "current" // signs
	KeyRetired = "retired" // published, so that what it signed stays verifiable
)

// PublishedKey is a key of the node as its DID document knows it.
type PublishedKey struct {
	Name  string     `json:"name"` // national, token, log, credential or trust
	ID    string     `json:"id"`
	Suite string     `json:"suite"`
	State string     `json:"state"`
	From  time.Time  `json:"from,omitzero"`  // when it signs, or began to; zero: from the start
	Until time.Time  `json:"until,omitzero"` // when it leaves the document; zero: it stays
	JWK   verify.JWK `json:"jwk"`
}

// Digest names the public key, by its JWK in canonical form.
func (k PublishedKey) Digest() string {
	raw, err := corridor.Canonical(k.JWK)
	if err != nil { // text always has a canonical form
		return ""
	}
	return corridor.Digest(raw)
}

// Ring changes the node's keys while it runs: a new key is published first,
// signs once peers could have seen it, and the old one stays in the DID
// document for what it has signed. What it knows is in files, so that a command
// and a running node, or a node before and after a crash, see the same.
type Ring struct {
	dir string
	did string
	// trust is the DID of the trust service, which may be another.
	trust string
	now   func() time.Time

	mu    sync.Mutex // guards what follows
	seen  time.Time  // modification of the ring's file
	size  int64
	other []PublishedKey    // next and retired
	use   map[string]Signer // by name, what signs now
	next  map[string]Signer
}

const (
	ringFile    = "keys.json"
	maxRing     = 1 << 20
	maxRingKeys = 32 // stays within what others read of a document
)

// OpenRing puts the keys that are in files under a ring: from then on k signs
// with whatever key is current. Now may be nil.
func (k *Keys) OpenRing(dir string, now func() time.Time) (*Ring, error) {
	if now == nil {
		now = time.Now
	}
	r := &Ring{dir: dir, did: k.DID, trust: k.trustOwner(), now: now, use: map[string]Signer{}, next: map[string]Signer{}}
	for _, s := range k.inFiles() {
		if *s.into == nil {
			continue
		}
		if _, err := os.Lstat(r.path(s.name, "")); errors.Is(err, fs.ErrNotExist) {
			continue // in another program
		}
		r.use[s.name] = *s.into
		*s.into = &ringSigner{ring: r, name: s.name}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.look(); err != nil {
		return nil, err
	}
	k.ring = r
	return r, nil
}

type ringKey struct {
	name string
	into *Signer
}

// inFiles are the keys that can be changed. That of the log cannot: it is the
// log's identity.
func (k *Keys) inFiles() []ringKey {
	return []ringKey{{nationalName, &k.National}, {"token", &k.Token}, {"credential", &k.Credential}, {trustName, &k.Trust}}
}

func (r *Ring) path(name, part string) string { return filepath.Join(r.dir, name+part+".pem") }

// look reads the ring's file if it has changed, brings the files of the keys
// into line with it, and takes over a key whose time has come. The caller holds
// mu.
func (r *Ring) look() error {
	info, err := os.Stat(filepath.Join(r.dir, ringFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // nothing was ever changed
	case err != nil:
		return corridor.E(corridor.Unavailable, "the list of keys: %w", err)
	}
	if !info.ModTime().Equal(r.seen) || info.Size() != r.size {
		if err := r.read(info); err != nil {
			return err
		}
	}
	for i, k := range r.other {
		if k.State == KeyNext && !r.now().Before(k.From) {
			return r.promote(i)
		}
	}
	return nil
}

func (r *Ring) read(info fs.FileInfo) error {
	path := filepath.Join(r.dir, ringFile)
	raw, err := os.ReadFile(path)
	if err != nil || len(raw) > maxRing {
		return &corridor.Error{Kind: corridor.Unavailable, Where: path, Msg: "the list of keys cannot be read", Err: err}
	}
	var list []PublishedKey
	if err := json.Unmarshal(raw, &list); err != nil {
		return &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: "the list of keys is damaged", Fix: "restore it from a backup", Err: err}
	}
	for name := range r.use {
		if err := r.load(name, list); err != nil {
			return err
		}
	}
	r.other, r.seen, r.size = list, info.ModTime(), info.Size()
	return nil
}

// load finds the private keys of a name that belong to the list. A crash can
// have left the old key in the place of one that the list has made current: the
// move is completed then.
func (r *Ring) load(name string, list []PublishedKey) error {
	delete(r.next, name)
	waiting, err := r.open(name, ".next")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		switch stateOf(list, waiting.KeyID()) {
		case KeyNext:
			r.next[name] = waiting
		case KeyCurrent:
			if err := r.move(name); err != nil {
				return err
			}
		}
	}
	current, err := r.open(name, "")
	if err != nil {
		return err
	}
	r.use[name] = current
	return nil
}

func stateOf(list []PublishedKey, id string) string {
	for _, k := range list {
		if k.ID == id {
			return k.State
		}
	}
	return ""
}

func (r *Ring) open(name, part string) (Signer, error) {
	private, err := readKey(r.path(name, part))
	if err != nil {
		return nil, err
	}
	return NewSigner(r.owner(name), name, private)
}

func (r *Ring) owner(name string) string {
	if name == trustName {
		return r.trust
	}
	return r.did
}

// move puts a prepared key in the place of the old one, whose private half is
// gone then.
func (r *Ring) move(name string) error {
	if err := os.Rename(r.path(name, ".next"), r.path(name, "")); err != nil {
		return corridor.E(corridor.Internal, "the new key: %w", err)
	}
	return syncDir(r.dir)
}

// promote lets a prepared key sign. The list is written first: if this ends in
// between, load completes it.
func (r *Ring) promote(i int) error {
	name, old := r.other[i].Name, r.use[r.other[i].Name]
	if old == nil || r.next[name] == nil {
		return &corridor.Error{Kind: corridor.Invalid, Where: r.path(name, ".next"), Msg: "the key that is to sign from now on is not there", Fix: "restore it from a backup"}
	}
	list := r.retire(name, old, r.other[i].From)
	for j := range list {
		if list[j].ID == r.other[i].ID {
			list[j].State = KeyCurrent
		}
	}
	if err := r.write(list); err != nil {
		return err
	}
	return r.reload()
}

// retire gives the list in which old is retired, and what has served its time
// is gone. A list keeps the present key only to say since when it signs.
func (r *Ring) retire(name string, old Signer, at time.Time) []PublishedKey {
	list := make([]PublishedKey, 0, len(r.other)+1)
	gone := PublishedKey{Name: name, ID: old.KeyID(), Suite: old.Suite(), State: KeyRetired, JWK: old.Public().JWK}
	for _, k := range r.other {
		switch {
		case k.ID == gone.ID:
			gone.From = k.From
		case k.State == KeyRetired && !k.Until.IsZero() && !r.now().Before(k.Until):
		default:
			list = append(list, k)
		}
	}
	if name == "token" {
		gone.Until = at.Add(tokenGrace)
	}
	return append(list, gone)
}

// write makes a list durable in the place of the old one.
func (r *Ring) write(list []PublishedKey) error {
	raw, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return corridor.E(corridor.Internal, "the list of keys: %w", err)
	}
	tmp, err := os.CreateTemp(r.dir, "."+ringFile+".*") // mode 0600
	if err != nil {
		return corridor.E(corridor.Internal, "the list of keys: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(raw)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(r.dir, ringFile))
	}
	if err = errors.Join(err, syncDir(r.dir)); err != nil {
		return corridor.E(corridor.Internal, "the list of keys: %w", err)
	}
	return nil
}

func (r *Ring) reload() error {
	info, err := os.Stat(filepath.Join(r.dir, ringFile))
	if err != nil {
		return corridor.E(corridor.Unavailable, "the list of keys: %w", err)
	}
	return r.read(info)
}

// Rotate prepares a new key of a name, in the suite of the present one. It is
// published at once and signs from after on; the old one stays published. One
// key can be under way at a time.
func (r *Ring) Rotate(name string, after time.Duration) (PublishedKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	none := PublishedKey{}
	if err := r.look(); err != nil {
		return none, err
	}
	old, ok := r.use[name]
	if !ok {
		return none, &corridor.Error{Kind: corridor.Invalid, Msg: fmt.Sprintf("%q is no key that can be changed here", clip(name)),
			Why: "the key of the log is the log's identity, and a key in another program is changed there", Fix: "use national, token, credential or trust, where the node has it in a file"}
	}
	for _, k := range r.other {
		if k.State == KeyNext {
			return none, &corridor.Error{Kind: corridor.Conflict, Msg: fmt.Sprintf("a new %s key is under way; it signs from %s on", k.Name, k.From.Format(time.RFC3339)), Fix: "wait until then"}
		}
	}
	if len(r.other) >= maxRingKeys {
		return none, &corridor.Error{Kind: corridor.Limited, Msg: fmt.Sprintf("the DID document holds %d old keys already", len(r.other)), Fix: "let go of one whose signatures nobody needs: corridor keys drop"}
	}
	private, err := generate(old.Suite())
	if err != nil {
		return none, err
	}
	s, err := NewSigner(r.owner(name), name, private)
	if err != nil {
		return none, err
	}
	// One that a crash left here was never published: no list knows it.
	if err := os.Remove(r.path(name, ".next")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return none, corridor.E(corridor.Internal, "a key that was prepared: %w", err)
	}
	if err := writeKey(r.path(name, ".next"), private); err != nil {
		return none, err
	}
	k := PublishedKey{Name: name, ID: s.KeyID(), Suite: s.Suite(), State: KeyNext, From: r.now().Add(after).UTC().Truncate(time.Second), JWK: s.Public().JWK}
	if err := r.write(append(append([]PublishedKey{}, r.other...), k)); err != nil {
		return none, errors.Join(err, os.Remove(r.path(name, ".next")))
	}
	if err := r.reload(); err != nil {
		return none, err
	}
	if err := r.look(); err != nil {
		return none, err
	}
	k.State = stateOf(r.other, k.ID)
	return k, nil
}

// Drop lets go of a retired key: it leaves the DID document, and what it signed
// can be verified only with a document that was kept, such as that of a bundle.
func (r *Ring) Drop(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.look(); err != nil {
		return err
	}
	var list []PublishedKey
	for _, k := range r.other {
		if k.ID != id || k.State != KeyRetired {
			list = append(list, k)
		}
	}
	if len(list) == len(r.other) {
		return &corridor.Error{Kind: corridor.NotFound, Msg: fmt.Sprintf("%q is no retired key of this node", clip(id)), Fix: "see corridor keys list"}
	}
	if err := r.write(list); err != nil {
		return err
	}
	return r.reload()
}

// Keys lists the keys of the ring: next, current and retired.
func (r *Ring) Keys() ([]PublishedKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.look(); err != nil {
		return nil, err
	}
	var out []PublishedKey
	for _, name := range []string{nationalName, "token", "credential", trustName} {
		s, ok := r.use[name]
		if !ok {
			continue
		}
		k := PublishedKey{Name: name, ID: s.KeyID(), Suite: s.Suite(), State: KeyCurrent, JWK: s.Public().JWK}
		for _, o := range r.other {
			if o.ID == k.ID {
				k.From = o.From
			}
		}
		out = append(out, k)
		for _, o := range r.other {
			if o.Name == name && o.State != KeyCurrent && (o.Until.IsZero() || r.now().Before(o.Until)) {
				out = append(out, o)
			}
		}
	}
	return out, nil
}

// publish adds the keys that are not current to a DID document. A list that
// cannot be read adds none: the keys that sign are in the document anyway.
func (r *Ring) publish(d *Document) {
	keys, err := r.Keys()
	if err != nil {
		return
	}
	for _, k := range keys {
		if owner, _, err := SplitKeyID(k.ID); k.State == KeyCurrent || err != nil || owner != d.ID {
			continue // those of a trust service under its own DID stand in its document
		}
		d.VerificationMethod = append(d.VerificationMethod, Method{ID: k.ID, Type: "JsonWebKey2020", Controller: d.ID, JWK: k.JWK})
		switch k.Name {
		case "token":
			d.Authentication = append(d.Authentication, k.ID)
			d.CapabilityInvocation = append(d.CapabilityInvocation, k.ID)
		case trustName:
			if d.ID != r.did {
				d.AssertionMethod = append(d.AssertionMethod, k.ID)
				break
			}
			d.validates(k.ID)
		default:
			d.AssertionMethod = append(d.AssertionMethod, k.ID)
		}
	}
}

// ringSigner signs with whatever key is current.
type ringSigner struct {
	ring *Ring
	name string
}

// Present gives the signer of the current key. While the list of keys cannot
// be read, it is the one that signed last.
func (s *ringSigner) Present() Signer {
	s.ring.mu.Lock()
	defer s.ring.mu.Unlock()
	_ = s.ring.look() // the key in use stays good; corridor keys list shows what is wrong
	return s.ring.use[s.name]
}

func (s *ringSigner) Suite() string      { return s.Present().Suite() }
func (s *ringSigner) KeyID() string      { return s.Present().KeyID() }
func (s *ringSigner) Public() verify.Key { return s.Present().Public() }

func (s *ringSigner) Sign(ctx context.Context, msg []byte) ([]byte, error) {
	return s.Present().Sign(ctx, msg)
}
