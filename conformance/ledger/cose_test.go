package ledger

import (
	"bytes"
	"crypto/ed25519"
	"io"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/veraison/go-cose"
	"golang.org/x/mod/sumdb/note"

	"corridor/verify"
)

// fully is Ed25519 under its fully-specified number (RFC 9864), which go-cose
// leaves to its callers.
type fully struct{ v note.Verifier }

func (fully) Algorithm() cose.Algorithm { return -19 }

func (f fully) Verify(content, signature []byte) error {
	if !f.v.Verify(content, signature) {
		return cose.ErrVerification
	}
	return nil
}

type fullySigner struct{ key ed25519.PrivateKey }

func (fullySigner) Algorithm() cose.Algorithm { return -19 }

func (f fullySigner) Sign(_ io.Reader, content []byte) ([]byte, error) {
	return ed25519.Sign(f.key, content), nil
}

// TestGoCOSEVerifiesOurReceipts: veraison/go-cose checks the signature over a
// root that transparency-dev/merkle computes from the proof that
// fxamacker/cbor reads.
func TestGoCOSEVerifiesOurReceipts(t *testing.T) {
	w := begin(t)
	log, err := verify.LogVerifier(w.vkey)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{2, 254, 45} {
		w.grow(t, n)
		for _, i := range []int64{0, w.log.Size() / 2, w.log.Size() - 1} {
			raw, err := w.log.COSE(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			entry, err := w.log.Receipt(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			if rep := verify.COSE(raw, entry, w.vkey, verify.Options{}); !rep.OK {
				t.Fatal(rep.Summary)
			}
			if err := foreign(t, raw, entry, log); err != nil {
				t.Errorf("entry %d of %d: %v\n%x", i, w.log.Size(), err, raw)
			}
			if foreign(t, raw, []byte("x"), log) == nil {
				t.Error("another entry was verified")
			}
		}
	}
}

// foreign verifies a receipt with none of our code.
func foreign(t *testing.T, raw, entry []byte, log note.Verifier) error {
	t.Helper()
	var m cose.Sign1Message
	if err := m.UnmarshalCBOR(raw); err != nil {
		t.Fatal(err)
	}
	if m.Payload != nil || m.Headers.Protected[int64(395)] != int64(1) {
		t.Fatalf("payload %x, header %v", m.Payload, m.Headers.Protected)
	}
	var parts struct {
		_           struct{} `cbor:",toarray"`
		Size, Index uint64
		Path        [][]byte
	}
	vdp, ok := m.Headers.Unprotected[int64(396)].(map[any]any)
	if !ok {
		t.Fatalf("%T", m.Headers.Unprotected[int64(396)])
	}
	proofs := vdp[int64(-1)].([]any)
	if len(proofs) != 1 {
		t.Fatalf("%d proofs", len(proofs))
	}
	if err := cbor.Unmarshal(proofs[0].([]byte), &parts); err != nil {
		t.Fatal(err)
	}
	root, err := proof.RootFromInclusionProof(rfc6962.DefaultHasher, parts.Index, parts.Size, rfc6962.DefaultHasher.HashLeaf(entry), parts.Path)
	if err != nil {
		t.Fatal(err)
	}
	m.Payload = root
	return m.Verify(nil, fully{log})
}

// TestOurReceiptsAreDeterministicCBOR: what fxamacker/cbor makes of a receipt
// in RFC 8949's core deterministic encoding is the same bytes.
func TestOurReceiptsAreDeterministicCBOR(t *testing.T) {
	w := begin(t)
	w.grow(t, 300)
	raw, err := w.log.COSE(t.Context(), 17)
	if err != nil {
		t.Fatal(err)
	}
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	again := func(raw []byte) []byte {
		var v any
		if err := cbor.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		out, err := mode.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if !bytes.Equal(again(raw), raw) {
		t.Errorf("%x, deterministic is %x", raw, again(raw))
	}
	var m cose.Sign1Message
	if err := m.UnmarshalCBOR(raw); err != nil {
		t.Fatal(err)
	}
	var header []byte
	if err := cbor.Unmarshal(m.Headers.RawProtected, &header); err != nil || !bytes.Equal(again(header), header) {
		t.Errorf("%v: %x, deterministic is %x", err, header, again(header))
	}
}

// TestOursVerifiesReceiptsOfGoCOSE: the other way round.
func TestOursVerifiesReceiptsOfGoCOSE(t *testing.T) {
	w := begin(t)
	w.grow(t, 7)
	raw, err := w.log.COSE(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := w.log.Receipt(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := verify.ParseCOSEReceipt(raw)
	if err != nil {
		t.Fatal(err)
	}
	path := make([][]byte, len(ours.Hashes))
	for i, h := range ours.Hashes {
		path[i] = h[:]
	}
	included, err := cbor.Marshal([]any{ours.Size, ours.Index, path})
	if err != nil {
		t.Fatal(err)
	}
	root, err := proof.RootFromInclusionProof(rfc6962.DefaultHasher, 3, 7, rfc6962.DefaultHasher.HashLeaf(entry), path)
	if err != nil {
		t.Fatal(err)
	}
	m := cose.NewSign1Message()
	m.Headers.Protected = cose.ProtectedHeader{int64(1): cose.Algorithm(-19), int64(4): []byte(ours.KeyID), int64(15): map[any]any{int64(1): origin}, int64(395): int64(1)}
	m.Headers.Unprotected = cose.UnprotectedHeader{int64(396): map[any]any{int64(-1): []any{included}}}
	m.Payload = root
	if err := m.Sign(nil, nil, fullySigner{w.me.key}); err != nil {
		t.Fatal(err)
	}
	m.Payload = nil
	theirs, err := m.MarshalCBOR()
	if err != nil {
		t.Fatal(err)
	}
	if rep := verify.COSE(theirs, entry, w.vkey, verify.Options{}); !rep.OK {
		t.Errorf("%s\n%x\n%x", rep.Summary, theirs, raw)
	}
	if !bytes.Equal(theirs, raw) {
		t.Errorf("%x from go-cose, %x from us", theirs, raw)
	}
}
