package identity

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/verify"
)

// told is a document as a peer reads it.
func told(t *testing.T, k *Keys) *Document {
	t.Helper()
	raw, err := json.Marshal(k.Document("https://ring.example/dsp"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := ParseDocument(k.DID, raw)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func trusted(t *testing.T, k *Keys) (ids []string) {
	t.Helper()
	keys, err := told(t, k).Validators()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		ids = append(ids, key.ID)
	}
	return ids
}

func TestADocumentSaysWhatItsOwnerVerifies(t *testing.T) {
	k, err := OpenKeys(filepath.Join(t.TempDir(), "keys"), ringDID, verify.SM2)
	if err != nil {
		t.Fatal(err)
	}
	if got := told(t, k).Verifies(); !slices.Equal(got, verify.Suites()) {
		t.Errorf("one that says nothing verifies %v", got)
	}
	k.Verifies = []string{verify.SM2, verify.P256}
	if got := told(t, k).Verifies(); !slices.Equal(got, []string{verify.P256, verify.SM2}) {
		t.Errorf("it verifies %v", got)
	}
	k.Verifies = []string{verify.SM2, "XMSS-2040"}
	if got := told(t, k).Verifies(); !slices.Equal(got, []string{verify.SM2}) {
		t.Errorf("a suite that is not known here counts: %v", got)
	}
	for _, at := range []string{"", "all", ringDID, "did:web:other.example?verifies=P-256"} {
		d := Document{ID: ringDID, Service: []Service{{ID: ringDID + "#suites", Type: verify.SuitesService, Endpoint: at}}}
		if got := d.Verifies(); len(got) > 0 {
			t.Errorf("%q is read as %v", at, got)
		}
	}
}

// The key of a trust service may sign nothing else, stays published after it
// was changed, and vouches from the moment it is published.
func TestTheKeyOfATrustServiceIsItsOwn(t *testing.T) {
	r := &ringed{dir: filepath.Join(t.TempDir(), "keys"), clock: newClock()}
	r.open(t, ringDID)
	if got := trusted(t, r.keys); len(got) > 0 {
		t.Fatalf("a node without a trust service names %v", got)
	}
	if err := r.keys.OpenTrust(r.dir, verify.P256); err != nil {
		t.Fatal(err)
	}
	var err error
	if r.ring, err = r.keys.OpenRing(r.dir, r.clock.now); err != nil {
		t.Fatal(err)
	}
	old := r.keys.Trust.KeyID()
	if got := trusted(t, r.keys); !slices.Equal(got, []string{old}) {
		t.Fatalf("it names %v, not %s", got, old)
	}
	if may := r.published(t, old); len(may) > 0 {
		t.Errorf("the key may also be used for %v", may)
	}
	next, err := r.ring.Rotate("trust", PublishAhead)
	if err != nil {
		t.Fatal(err)
	}
	r.clock.forward(PublishAhead + time.Second)
	if got := r.keys.Trust.KeyID(); got != next.ID {
		t.Errorf("%s signs, not %s", got, next.ID)
	}
	for _, id := range []string{old, next.ID} {
		if !slices.Contains(trusted(t, r.keys), id) || len(r.published(t, id)) > 0 {
			t.Errorf("%s: named %v, may %v", id, trusted(t, r.keys), r.published(t, id))
		}
	}
	if err := r.ring.Drop(old); err != nil || slices.Contains(trusted(t, r.keys), old) {
		t.Errorf("%v: what was let go vouches still", err)
	}
}

// Under a DID of its own the keys of a trust service stand in its own document,
// present, next and retired, and the side's document names the service alone.
func TestATrustServiceUnderItsOwnDIDHasItsOwnDocument(t *testing.T) {
	const service = ringDID + ":trust"
	r := &ringed{dir: filepath.Join(t.TempDir(), "keys"), clock: newClock()}
	r.open(t, ringDID)
	if r.keys.TrustDocument() != nil {
		t.Error("there is a document of a service that is not there")
	}
	r.keys.TrustDID = service
	if err := r.keys.OpenTrust(r.dir, verify.P256); err != nil {
		t.Fatal(err)
	}
	var err error
	if r.ring, err = r.keys.OpenRing(r.dir, r.clock.now); err != nil {
		t.Fatal(err)
	}
	next, err := r.ring.Rotate("trust", PublishAhead)
	if err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"published", "in use"} {
		raw, err := json.Marshal(r.keys.TrustDocument())
		if err != nil {
			t.Fatal(err)
		}
		doc, err := ParseDocument(service, raw)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := doc.ServiceKeys(r.clock.now())
		if err != nil || len(keys) != 2 || !slices.ContainsFunc(keys, func(k verify.Key) bool { return k.ID == next.ID }) || !strings.HasPrefix(next.ID, service+"#") {
			t.Errorf("%s: %v %v", when, keys, err)
		}
		side := told(t, r.keys)
		shown, err := json.Marshal(side)
		if err != nil {
			t.Fatal(err)
		}
		named, err := side.TrustServices()
		if err != nil || !slices.Equal(named, []string{service}) || len(trusted(t, r.keys)) > 0 || strings.Contains(string(shown), service+"#") {
			t.Errorf("%s: the side names %v, %v", when, named, err)
		}
		r.clock.forward(PublishAhead + time.Second)
	}
	if got := r.keys.Trust.KeyID(); got != next.ID {
		t.Errorf("%s signs, not %s", got, next.ID)
	}
}

// A program that holds the key of a trust service sees the signature, and signs
// no statement about another one.
func TestATrustServiceElsewhereSeesWhatItVouchesFor(t *testing.T) {
	ctx := context.Background()
	argv := signerProgram(t, "well", keyFileOf(t, verify.Ed25519))
	k := &Keys{DID: me}
	if err := k.OpenTrustWith(ctx, verify.Ed25519, t.TempDir(), argv); err != nil {
		t.Fatal(err)
	}
	private, err := generate(verify.GOST256)
	if err != nil {
		t.Fatal(err)
	}
	if k.National, err = NewSigner(me, "national", private); err != nil {
		t.Fatal(err)
	}
	sig, err := SignObject(ctx, k.National, "an agreement")
	if err != nil {
		t.Fatal(err)
	}
	n := verify.National{Object: corridor.ObjectAgreement, Agreement: "a", Signer: me, For: ringDID, Text: []byte(`"an agreement"`), Signature: sig, Key: k.National.Public()}
	at := newClock().now()
	st, err := n.Statement("service", at, at.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	v, err := Vouch(ctx, k.Trust, n, st)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.CheckValidation(v, []verify.Key{k.Trust.Public()}, []string{verify.GOST256}); err != nil {
		t.Error(err)
	}
	for sentence, c := range map[string]struct {
		change func(*verify.National, *corridor.Validation)
		want   string
	}{
		"the signature is of another text": {func(n *verify.National, st *corridor.Validation) {
			n.Text = []byte(`"another"`)
			st.Text = corridor.Digest(n.Text)
		}, "signature does not match"},
		"the statement is of another text": {func(_ *verify.National, st *corridor.Validation) { st.Text = corridor.Digest(nil) }, "says something else"},
		"the statement is no validation":   {func(_ *verify.National, st *corridor.Validation) { st.Type = "order" }, "says something else"},
		"the key is another":               {func(n *verify.National, _ *corridor.Validation) { n.Key = k.Trust.Public() }, "says something else"},
		"it may be taken for ever":         {func(_ *verify.National, st *corridor.Validation) { st.Until = "2036-01-01T00:00:00Z" }, "at most 48h"},
	} {
		other, said := n, st
		c.change(&other, &said)
		if _, err := Vouch(ctx, k.Trust, other, said); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", sentence, err, c.want)
		}
	}
}
