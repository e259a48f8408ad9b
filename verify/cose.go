package verify

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"corridor"
)

// MaxCOSE bounds a COSE receipt: 63 hashes, a key id and a signature.
const MaxCOSE = 8 << 10

// COSEReceipt is a COSE receipt of inclusion (RFC 9942): the log's signature
// over the root of a tree, and the path from one entry to it. The root itself
// is detached: who checks it computes it from the entry.
//
// Of what the RFC leaves open, this profile fixes: the verifiable data
// structure is RFC9162_SHA256 (1); the algorithm is Ed25519 (-19, RFC 9864:
// EdDSA, -8, does not say which curve and is deprecated); the protected header
// also holds kid and, as a CWT claim (RFC 9597), the issuer, which is the
// log's origin; there is one proof; and the CBOR is deterministic (RFC 8949,
// 4.2.1), so that a receipt has one spelling.
type COSEReceipt struct {
	KeyID     string // name and hash of the log's vkey: origin+hash
	Origin    string
	Size      int64 // entries of the tree
	Index     int64 // of the entry
	Hashes    []tlog.Hash
	Signature []byte
}

// The labels and values of RFC 9052, 9597, 9864 and 9942 that are used.
const (
	coseSign1     = 18
	labelAlg      = 1
	labelKid      = 4
	labelClaims   = 15
	labelVDS      = 395
	labelVDP      = 396
	claimIssuer   = 1
	algCOSE       = -19
	vdsRFC9162    = 1
	proofIncluded = -1
)

// NewCOSEReceipt prepares the receipt of a proof, for the log of vkey to sign
// Message with. RFC 9942 has no form for a tree of one entry, whose path is
// empty.
func NewCOSEReceipt(vkey string, p Proof, size int64) (COSEReceipt, error) {
	v, err := LogVerifier(vkey)
	if err != nil {
		return COSEReceipt{}, err
	}
	if size < 2 {
		return COSEReceipt{}, &corridor.Error{Kind: corridor.Unavailable, Msg: "a COSE receipt needs a tree of at least two entries", Why: "RFC 9942: an inclusion path is not empty",
			Fix: "ask again after the log's next entry, or take the tlog-proof"}
	}
	return COSEReceipt{KeyID: coseKeyID(v), Origin: v.Name(), Size: size, Index: p.Index, Hashes: p.Hashes}, nil
}

func coseKeyID(v note.Verifier) string { return fmt.Sprintf("%s+%08x", v.Name(), v.KeyHash()) }

// protected is the protected header.
func (r COSEReceipt) protected() []byte {
	var b cborWriter
	b.head(5, 4)
	b.int(labelAlg)
	b.int(algCOSE)
	b.int(labelKid)
	b.bytes([]byte(r.KeyID))
	b.int(labelClaims)
	b.head(5, 1)
	b.int(claimIssuer)
	b.text(r.Origin)
	b.int(labelVDS)
	b.int(vdsRFC9162)
	return b.Bytes()
}

// Message is what the log signs for a root: the Sig_structure of RFC 9052,
// 4.4, without external data.
func (r COSEReceipt) Message(root tlog.Hash) []byte {
	var b cborWriter
	b.head(4, 4)
	b.text("Signature1")
	b.bytes(r.protected())
	b.bytes(nil)
	b.bytes(root[:])
	return b.Bytes()
}

// Encode writes the receipt.
func (r COSEReceipt) Encode() []byte {
	var proof, b cborWriter
	proof.head(4, 3)
	proof.int(r.Size)
	proof.int(r.Index)
	proof.head(4, uint64(len(r.Hashes)))
	for _, h := range r.Hashes {
		proof.bytes(h[:])
	}
	b.head(6, coseSign1)
	b.head(4, 4)
	b.bytes(r.protected())
	b.head(5, 1)
	b.int(labelVDP)
	b.head(5, 1)
	b.int(proofIncluded)
	b.head(4, 1)
	b.bytes(proof.Bytes())
	b.WriteByte(0xf6) // null: the payload is detached
	b.bytes(r.Signature)
	return b.Bytes()
}

// ParseCOSEReceipt reads a receipt of the profile in its one spelling. It
// checks the form, not the content.
func ParseCOSEReceipt(raw []byte) (COSEReceipt, error) {
	bad := func(why string) (COSEReceipt, error) {
		return COSEReceipt{}, &corridor.Error{Kind: corridor.Invalid, Msg: "not a COSE receipt of a log: " + why, Why: "RFC 9942, with RFC9162_SHA256 and Ed25519"}
	}
	if len(raw) > MaxCOSE {
		return bad("too long")
	}
	var r COSEReceipt
	in := cborReader{rest: raw}
	in.expect(6, coseSign1)
	in.expect(4, 4)
	header := cborReader{rest: in.bytes()}
	header.expect(5, 4)
	header.int(labelAlg, algCOSE)
	header.int(labelKid)
	r.KeyID = string(header.bytes())
	header.int(labelClaims)
	header.expect(5, 1)
	header.int(claimIssuer)
	r.Origin = header.text()
	header.int(labelVDS, vdsRFC9162)
	in.expect(5, 1)
	in.int(labelVDP)
	in.expect(5, 1)
	in.int(proofIncluded)
	in.expect(4, 1)
	proof := cborReader{rest: in.bytes()}
	proof.expect(4, 3)
	r.Size, r.Index = proof.uint(), proof.uint()
	n := proof.uintOf(4)
	for i := uint64(0); i < n && n <= 63 && !proof.failed; i++ {
		h := proof.bytes()
		if len(h) != tlog.HashSize {
			return bad("a hash of the path is not 32 bytes")
		}
		r.Hashes = append(r.Hashes, tlog.Hash(h))
	}
	in.expect(7, 22)
	r.Signature = slices.Clone(in.bytes())
	switch {
	case in.failed || header.failed || proof.failed || !bytes.Equal(r.Encode(), raw):
		return bad("it is not the deterministic CBOR of its content, or holds something else")
	case len(r.Hashes) == 0:
		return bad("the path is empty")
	}
	return r, nil
}

// Check says whether the log of v has signed a tree that holds the entry. It
// is one answer, as RFC 9942 recommends: an entry, path, size or index that
// was changed gives another root, which was not signed.
func (r COSEReceipt) Check(entry []byte, v note.Verifier) error {
	if r.KeyID != coseKeyID(v) || r.Origin != v.Name() {
		return mismatch("it is by key %q of log %q, not by %q", clip(r.KeyID), clip(r.Origin), clip(coseKeyID(v)))
	}
	root, err := rootOf(r.Size, r.Index, tlog.RecordHash(entry), r.Hashes)
	if err != nil {
		return err
	}
	if !v.Verify(r.Message(root), r.Signature) {
		return mismatch("the log has signed no tree of %d entries with this one at %d", r.Size, r.Index)
	}
	return nil
}

// rootOf computes the root that a path leads to (RFC 9162, 2.1.3.2).
func rootOf(size, index int64, leaf tlog.Hash, path []tlog.Hash) (tlog.Hash, error) {
	if index < 0 || index >= size {
		return tlog.Hash{}, mismatch("entry %d is not in a tree of %d entries", index, size)
	}
	fn, sn, h := index, size-1, leaf
	for _, p := range path {
		if sn == 0 {
			return tlog.Hash{}, mismatch("the path is too long for a tree of %d entries", size)
		}
		if fn&1 == 1 || fn == sn {
			h = tlog.NodeHash(p, h)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			h = tlog.NodeHash(h, p)
		}
		fn, sn = fn>>1, sn>>1
	}
	if sn != 0 {
		return tlog.Hash{}, mismatch("the path is too short for a tree of %d entries", size)
	}
	return h, nil
}

// COSE checks a COSE receipt over the entry that it is about. The log must be
// one of the policy's log lines, or have the vkey that is given; the entry's
// own signature is checked if its issuer's DID document is given.
func COSE(data, entry []byte, vkey string, opts Options) *Report {
	rep := &Report{}
	r, err := ParseCOSEReceipt(data)
	rep.expect("cose.form", "The file is a COSE receipt in its one spelling", err, fmt.Sprintf("%d bytes", len(data)), "another spelling could hide something", "ask the log's owner for it again")
	if err != nil {
		rep.finish()
		return rep
	}
	v, err := coseLog(r, vkey, opts)
	rep.expect("cose.log", "The log is one that the reader trusts", err, clip(r.KeyID), "anybody can make a log", "give the log's key with --log VKEY, or a policy with its log line")
	if err == nil {
		err = r.Check(entry, v)
		rep.expect("cose.inclusion", "The log has signed a tree that holds the entry", err, fmt.Sprintf("entry %d of %d", r.Index, r.Size), "the path leads from the entry to the signed root", "check that the entry is the one that the receipt is about, byte for byte")
	}
	rep.note("cose.witnesses", "Witnesses stand by the log's history", "a COSE receipt carries no cosignatures: the log's owner alone vouches for it", "ask for the tlog-proof, or for a bundle")
	entrySigned(rep, entry, opts)
	rep.finish()
	return rep
}

func coseLog(r COSEReceipt, vkey string, opts Options) (note.Verifier, error) {
	if vkey != "" {
		v, err := LogVerifier(vkey)
		if err == nil && coseKeyID(v) != r.KeyID {
			err = mismatch("the receipt is by key %q", clip(r.KeyID))
		}
		return v, err
	}
	p, err := ParsePolicy(opts.Policy)
	if opts.Policy == nil {
		return nil, mismatch("no key of a log was given")
	}
	if err != nil {
		return nil, err
	}
	for _, l := range p.Logs {
		if coseKeyID(l.verifier) == r.KeyID {
			return l.verifier, nil
		}
	}
	return nil, mismatch("the policy has no log line for key %q", clip(r.KeyID))
}

// entrySigned checks the statement itself.
func entrySigned(rep *Report, entry []byte, opts Options) {
	leaf, err := corridor.DecodeReceipt(entry)
	rep.expect("entry.form", "The entry can be read strictly", err, clip(leaf.Receipt.Type), "an entry that cannot be read strictly proves nothing", "")
	if err != nil {
		return
	}
	doc, given := opts.Documents[leaf.Receipt.Issuer]
	if !given {
		rep.note("entry.signature", "The issuer has signed the entry", "not checked: the DID document of "+clip(leaf.Receipt.Issuer)+" was not given", "fetch it from the participant and give it with --did FILE")
		return
	}
	keys, err := DocumentKeys(leaf.Receipt.Issuer, doc)
	if err == nil {
		var body []byte
		if body, err = corridor.Canonical(leaf.Receipt); err == nil {
			i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == leaf.Signature.Key })
			if i < 0 {
				err = mismatch("the DID document has no key %q", clip(leaf.Signature.Key))
			} else {
				err = keys[i].VerifySignature(body, leaf.Signature)
			}
		}
	}
	rep.expect("entry.signature", "The issuer has signed the entry", err, leaf.Signature.Suite, "it shows who makes the statement", "")
}

// cborWriter writes the few forms that a receipt needs, each in the shortest
// head.
type cborWriter struct{ bytes.Buffer }

func (w *cborWriter) head(major byte, n uint64) {
	major <<= 5
	switch {
	case n < 24:
		w.WriteByte(major | byte(n))
	case n <= math.MaxUint8:
		w.Write([]byte{major | 24, byte(n)})
	case n <= math.MaxUint16:
		w.WriteByte(major | 25)
		w.Write(binary.BigEndian.AppendUint16(nil, uint16(n)))
	case n <= math.MaxUint32:
		w.WriteByte(major | 26)
		w.Write(binary.BigEndian.AppendUint32(nil, uint32(n)))
	default:
		w.WriteByte(major | 27)
		w.Write(binary.BigEndian.AppendUint64(nil, n))
	}
}

func (w *cborWriter) int(n int64) {
	if n < 0 {
		w.head(1, uint64(-1-n))
		return
	}
	w.head(0, uint64(n))
}

func (w *cborWriter) bytes(b []byte) { w.head(2, uint64(len(b))); w.Write(b) }
func (w *cborWriter) text(s string)  { w.head(3, uint64(len(s))); w.WriteString(s) }

// cborReader reads them back. After the first failure it gives zero values.
// That heads are the shortest is left to who compares with the text anew.
type cborReader struct {
	rest   []byte
	failed bool
}

func (r *cborReader) uintOf(major byte) uint64 {
	if r.failed || len(r.rest) == 0 || r.rest[0]>>5 != major {
		r.failed = true
		return 0
	}
	low := r.rest[0] & 31
	size := 0
	if low >= 24 && low <= 27 {
		size = 1 << (low - 24)
	}
	if low > 27 || len(r.rest) < 1+size {
		r.failed = true
		return 0
	}
	n := uint64(low)
	if size > 0 {
		n = 0
		for _, b := range r.rest[1 : 1+size] {
			n = n<<8 | uint64(b)
		}
	}
	r.rest = r.rest[1+size:]
	return n
}

func (r *cborReader) expect(major byte, n uint64) {
	if r.uintOf(major) != n {
		r.failed = true
	}
}

// int reads numbers that must stand there.
func (r *cborReader) int(want ...int64) {
	for _, n := range want {
		if n < 0 {
			r.expect(1, uint64(-1-n))
		} else {
			r.expect(0, uint64(n))
		}
	}
}

func (r *cborReader) uint() int64 {
	n := r.uintOf(0)
	if n > math.MaxInt64 {
		r.failed = true
		return 0
	}
	return int64(n)
}

func (r *cborReader) bytes() []byte { return r.take(2) }

func (r *cborReader) text() string {
	s := strings.ToValidUTF8(string(r.take(3)), "") // another text than the one read is found by comparing
	return s
}

func (r *cborReader) take(major byte) []byte {
	n := r.uintOf(major)
	if r.failed || n > uint64(len(r.rest)) {
		r.failed = true
		return nil
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}
