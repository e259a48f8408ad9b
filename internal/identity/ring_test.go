package identity

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"corridor"
	"corridor/verify"
)

// ringed is a node with keys in files, under a ring.
type ringed struct {
	dir   string
	keys  *Keys
	ring  *Ring
	clock *clock
}

func newRinged(t *testing.T, did string) *ringed {
	t.Helper()
	r := &ringed{dir: filepath.Join(t.TempDir(), "keys"), clock: newClock()}
	r.open(t, did)
	return r
}

// open is a start of the node, or another.
func (r *ringed) open(t *testing.T, did string) {
	t.Helper()
	var err error
	r.keys, err = OpenKeys(r.dir, did, verify.SM2)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.keys.OpenCredential(r.dir); err != nil {
		t.Fatal(err)
	}
	if r.ring, err = r.keys.OpenRing(r.dir, r.clock.now); err != nil {
		t.Fatal(err)
	}
}

// published says what the DID document lets a key do, as a peer reads it.
func (r *ringed) published(t *testing.T, id string) (out []Relationship) {
	t.Helper()
	raw, err := json.Marshal(r.keys.Document(""))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := ParseDocument(r.keys.DID, raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, rel := range []Relationship{Authentication, AssertionMethod, CapabilityInvocation} {
		if _, err := doc.Key(id, rel); err == nil {
			out = append(out, rel)
		}
	}
	return out
}

const ringDID = "did:web:ring.example"

func TestANewKeyIsPublishedBeforeItSignsAndTheOldOneAfter(t *testing.T) {
	for _, c := range []struct {
		name string
		s    func(*Keys) Signer
		may  []Relationship
		stay bool
	}{
		{"national", func(k *Keys) Signer { return k.National }, []Relationship{AssertionMethod}, true},
		{"credential", func(k *Keys) Signer { return k.Credential }, []Relationship{AssertionMethod}, true},
		{"token", func(k *Keys) Signer { return k.Token }, []Relationship{Authentication, CapabilityInvocation}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRinged(t, ringDID)
			old := c.s(r.keys).KeyID()
			signed, err := SignObject(context.Background(), c.s(r.keys), map[string]int{"a": 1})
			if err != nil {
				t.Fatal(err)
			}
			key := c.s(r.keys).Public()
			k, err := r.ring.Rotate(c.name, PublishAhead)
			if err != nil {
				t.Fatal(err)
			}
			if k.State != KeyNext || c.s(r.keys).KeyID() != old || !slices.Equal(r.published(t, k.ID), c.may) {
				t.Fatalf("before its time: %+v signs %s, published for %v", k, c.s(r.keys).KeyID(), r.published(t, k.ID))
			}
			_, err = r.ring.Rotate("credential", PublishAhead)
			wants(t, err, corridor.Conflict, "under way")
			r.clock.forward(PublishAhead)
			if got := c.s(r.keys).KeyID(); got != k.ID {
				t.Fatalf("in its time %s signs, not %s", got, k.ID)
			}
			if !slices.Equal(r.published(t, old), c.may) || !slices.Equal(r.published(t, k.ID), c.may) {
				t.Errorf("after: the old key is published for %v, the new for %v", r.published(t, old), r.published(t, k.ID))
			}
			if err := VerifyObject(key, map[string]int{"a": 1}, signed); err != nil {
				t.Errorf("what the old key signed: %v", err)
			}
			r.open(t, ringDID) // a restart changes nothing
			if got := c.s(r.keys).KeyID(); got != k.ID {
				t.Errorf("after a restart %s signs", got)
			}
			r.clock.forward(tokenGrace)
			if got := len(r.published(t, old)) > 0; got != c.stay {
				t.Errorf("when its last token has expired: the old key is published: %v", got)
			}
		})
	}
}

func TestAKeyThatIsLetGoLeavesTheDocument(t *testing.T) {
	r := newRinged(t, ringDID)
	old := r.keys.National.KeyID()
	if _, err := r.ring.Rotate("national", 0); err != nil {
		t.Fatal(err)
	}
	wants(t, r.ring.Drop(r.keys.National.KeyID()), corridor.NotFound, "no retired key")
	if len(r.published(t, old)) == 0 {
		t.Fatal("the old key is not published")
	}
	if err := r.ring.Drop(old); err != nil {
		t.Fatal(err)
	}
	if len(r.published(t, old)) != 0 {
		t.Error("the old key is published still")
	}
	list, err := r.ring.Keys()
	if err != nil || len(list) != 3 {
		t.Errorf("the keys are %+v, %v", list, err)
	}
}

func TestTheKeyOfTheLogCannotBeChanged(t *testing.T) {
	r := newRinged(t, ringDID)
	for _, name := range []string{"log", "../token", ""} {
		_, err := r.ring.Rotate(name, 0)
		wants(t, err, corridor.Invalid, "no key that can be changed here")
	}
}

// A node runs while a command, another process, prepares a key: it notices.
func TestARunningNodeNoticesAKeyThatACommandPrepared(t *testing.T) {
	r := newRinged(t, ringDID)
	old := r.keys.Token.KeyID()
	command := &ringed{dir: r.dir, clock: r.clock}
	command.open(t, ringDID)
	k, err := command.ring.Rotate("token", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.published(t, k.ID)) == 0 || r.keys.Token.KeyID() != old {
		t.Errorf("the node publishes the new key for %v and signs with %s", r.published(t, k.ID), r.keys.Token.KeyID())
	}
	r.clock.forward(time.Minute)
	if r.keys.Token.KeyID() != k.ID {
		t.Error("the node does not sign with the new key")
	}
	if command.keys.Token.KeyID() != k.ID { // which has not taken it over itself
		t.Error("the command does not see it")
	}
}

func TestACrashWhileAKeyIsTakenOverLosesNothing(t *testing.T) {
	r := newRinged(t, ringDID)
	k, err := r.ring.Rotate("token", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	// The list was written, the file not moved.
	list := r.ring.retire("token", r.ring.use["token"], k.From)
	for i := range list {
		if list[i].ID == k.ID {
			list[i].State = KeyCurrent
		}
	}
	if err := r.ring.write(list); err != nil {
		t.Fatal(err)
	}
	r.open(t, ringDID)
	if r.keys.Token.KeyID() != k.ID {
		t.Error("the new key does not sign after the crash")
	}
	if _, err := os.Stat(filepath.Join(r.dir, "token.next.pem")); !os.IsNotExist(err) {
		t.Errorf("the prepared key is still there: %v", err)
	}
	// A key was prepared, the list not written: the next one takes its place.
	if err := writeKey(filepath.Join(r.dir, "national.next.pem"), private(t, verify.SM2)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ring.Rotate("national", time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, ringFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = r.ring.Keys()
	wants(t, err, corridor.Invalid, "damaged")
	if _, err := r.keys.Token.Sign(context.Background(), []byte("a")); err != nil {
		t.Errorf("the key in use no longer signs: %v", err)
	}
}

// Tokens are taken before, while and after the key changes: no downtime.
func TestTokensAreTakenThroughAChangeOfKey(t *testing.T) {
	h := newHost(t)
	r := newRinged(t, h.did)
	h.answer(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(r.keys.Document("")) })
	const self = "did:web:self.example"
	tokens, err := NewTokens(h.did, r.keys.Token, r.clock.now)
	if err != nil {
		t.Fatal(err)
	}
	peers, err := NewPeers([]Peer{{Participant: corridor.Participant{DID: h.did, Jurisdiction: "KZ"}}})
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewTokenVerifier(VerifierConfig{DID: self, Resolver: NewResolver(ResolverConfig{HTTP: GuardedClient(true), Now: r.clock.now}), Directory: peers, Replay: NewMemoryReplay(1000, r.clock.now), Now: r.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	issue := func() string {
		token, err := tokens.Issue(context.Background(), self)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	take := func(token string) {
		t.Helper()
		if _, err := v.Verify(context.Background(), "Bearer "+token); err != nil {
			t.Error(err)
		}
	}
	take(issue())
	if _, err := r.ring.Rotate("token", PublishAhead); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		late := issue()
		r.clock.forward(time.Minute)
		take(issue())
		take(late) // under way while the key may have changed
	}
}
