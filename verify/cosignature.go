package verify

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"filippo.io/mldsa"
	"golang.org/x/mod/sumdb/note"

	"corridor"
)

// The signature types of vkeys that Corridor knows (C2SP signed-note v1.0.0,
// Signature types).
const (
	algEd25519       = 0x01 // a log's signature
	algCosignEd25519 = 0x04 // a witness's timestamped cosignature of a checkpoint
	algCosignMLDSA44 = 0x06 // a witness's timestamped cosignature of a tree
)

// vkey is a verifier key taken apart.
type vkey struct {
	name string
	id   uint32
	alg  byte
	key  []byte
}

// splitVKey takes "name+hash+key" apart, checks the hash, and that the key is
// of one of the given types.
func splitVKey(text string, algs ...byte) (vkey, error) {
	bad := func(why string) (vkey, error) {
		return vkey{}, &corridor.Error{Kind: corridor.Invalid, Msg: fmt.Sprintf("%.120q is not a usable vkey: %s", text, why), Why: "C2SP signed-note",
			Fix: "copy the whole name+hash+key text from the log's or witness's operator"}
	}
	name, rest, ok := strings.Cut(text, "+")
	hash, key64, ok2 := strings.Cut(rest, "+")
	if !ok || !ok2 || !validName(name) {
		return bad("it has not the form name+hash+key")
	}
	raw, err := base64.StdEncoding.DecodeString(key64)
	if err != nil || len(raw) == 0 || base64.StdEncoding.EncodeToString(raw) != key64 {
		return bad("the key is not base64")
	}
	var wanted []string
	known := false
	for _, alg := range algs {
		wanted = append(wanted, fmt.Sprintf("%#02x with %d bytes", alg, keySize(alg)))
		known = known || raw[0] == alg && len(raw) == 1+keySize(alg)
	}
	if !known {
		return bad(fmt.Sprintf("the key is of type %#02x with %d bytes, wanted %s", raw[0], len(raw)-1, strings.Join(wanted, " or ")))
	}
	id := keyID(name, raw)
	if hash != fmt.Sprintf("%08x", id) {
		return bad("its hash does not belong to its name and key")
	}
	return vkey{name, id, raw[0], raw[1:]}, nil
}

func keySize(alg byte) int {
	if alg == algCosignMLDSA44 {
		return mldsa.MLDSA44PublicKeySize
	}
	return ed25519.PublicKeySize
}

func validName(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsSpace) && !strings.Contains(name, "+")
}

func keyID(name string, key []byte) uint32 {
	h := sha256.New()
	h.Write([]byte(name))
	h.Write([]byte{'\n'})
	h.Write(key)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

func formatVKey(name string, alg byte, key []byte) string {
	raw := append([]byte{alg}, key...)
	return fmt.Sprintf("%s+%08x+%s", name, keyID(name, raw), base64.StdEncoding.EncodeToString(raw))
}

// LogVKey writes the verifier key of a log: its origin and Ed25519 key.
func LogVKey(origin string, key ed25519.PublicKey) string {
	return formatVKey(origin, algEd25519, key)
}

// WitnessVKey writes the verifier key of a witness that makes Ed25519
// cosignatures.
func WitnessVKey(name string, key ed25519.PublicKey) string {
	return formatVKey(name, algCosignEd25519, key)
}

// WitnessVKeyMLDSA writes the verifier key of a witness that makes ML-DSA-44
// cosignatures.
func WitnessVKeyMLDSA(name string, key *mldsa.PublicKey) string {
	return formatVKey(name, algCosignMLDSA44, key.Bytes())
}

// LogVerifier checks a log's own signature on its checkpoints.
func LogVerifier(text string) (note.Verifier, error) {
	k, err := splitVKey(text, algEd25519)
	if err != nil {
		return nil, err
	}
	key := ed25519.PublicKey(k.key)
	return &verifier{k.name, k.id, func(msg, sig []byte) bool { return len(sig) == ed25519.SignatureSize && ed25519.Verify(key, msg, sig) }}, nil
}

// WitnessVerifier checks a witness's cosignatures on checkpoints, of the type
// that its vkey names.
func WitnessVerifier(text string) (note.Verifier, error) {
	k, err := splitVKey(text, algCosignEd25519, algCosignMLDSA44)
	if err != nil {
		return nil, err
	}
	v := &verifier{name: k.name, id: k.id}
	if k.alg == algCosignEd25519 {
		v.check = timestamped(ed25519.SignatureSize, func(unix int64, msg string, sig []byte) bool {
			return ed25519.Verify(k.key, CosignedMessage(unix, msg), sig)
		})
		return v, nil
	}
	public, err := mldsa.NewPublicKey(mldsa.MLDSA44(), k.key)
	if err != nil || len(k.name) > maxOpaque {
		return nil, &corridor.Error{Kind: corridor.Invalid, Msg: fmt.Sprintf("%.120q is not a usable vkey: no ML-DSA-44 key, or a name of more than %d bytes", text, maxOpaque),
			Why: "C2SP tlog-cosignature", Fix: "copy the whole name+hash+key text from the witness's operator"}
	}
	v.check = timestamped(mldsa.MLDSA44SignatureSize, func(unix int64, msg string, sig []byte) bool {
		c, err := ParseCheckpoint(msg)
		if err != nil {
			return false
		}
		signed, err := CosignedTree(k.name, unix, c)
		return err == nil && mldsa.Verify(public, signed, sig, nil) == nil
	})
	return v, nil
}

// timestamped takes a timestamped_signature apart (C2SP tlog-cosignature,
// Format): 8 bytes of time, which must not exceed 2^63 - 1, and the signature.
func timestamped(size int, check func(unix int64, msg string, sig []byte) bool) func(msg, sig []byte) bool {
	return func(msg, sig []byte) bool {
		if len(sig) != 8+size {
			return false
		}
		t := binary.BigEndian.Uint64(sig)
		return t <= math.MaxInt64 && check(int64(t), string(msg), sig[8:])
	}
}

type verifier struct {
	name  string
	id    uint32
	check func(msg, sig []byte) bool
}

func (v *verifier) Name() string                { return v.name }
func (v *verifier) KeyHash() uint32             { return v.id }
func (v *verifier) Verify(msg, sig []byte) bool { return v.check(msg, sig) }

// CosignedMessage is what a witness signs with Ed25519 for a checkpoint text at
// a time in seconds since 1970 (C2SP tlog-cosignature, Ed25519 signed message).
func CosignedMessage(unix int64, checkpoint string) []byte {
	return fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", unix, checkpoint)
}

// maxOpaque bounds the names in a cosigned_message.
const maxOpaque = 255

// CosignedTree is what a witness signs with ML-DSA-44 for the tree of a
// checkpoint at a time in seconds since 1970: a cosigned_message from entry 0
// (C2SP tlog-cosignature, ML-DSA-44 signed message, which came after v1.0.1 and
// stands in v1.1.0-rc.1). It names the witness, and leaves out extension lines.
func CosignedTree(cosigner string, unix int64, c Checkpoint) ([]byte, error) {
	if cosigner == "" || len(cosigner) > maxOpaque || c.Origin == "" || len(c.Origin) > maxOpaque || unix < 0 || c.Size < 0 {
		return nil, &corridor.Error{Kind: corridor.Invalid, Msg: fmt.Sprintf("the names of a witness and of a log that it cosigns with ML-DSA-44 have 1 to %d bytes", maxOpaque),
			Where: clip(cosigner) + ", " + clip(c.Origin), Why: "C2SP tlog-cosignature"}
	}
	msg := append([]byte("subtree/v1\n\x00"), byte(len(cosigner)))
	msg = append(msg, cosigner...)
	msg = binary.BigEndian.AppendUint64(msg, uint64(unix))
	msg = append(msg, byte(len(c.Origin)))
	msg = append(msg, c.Origin...)
	msg = binary.BigEndian.AppendUint64(msg, 0) // start: a checkpoint's tree begins with the first entry
	msg = binary.BigEndian.AppendUint64(msg, uint64(c.Size))
	return append(msg, c.Root[:]...), nil
}

// CosignatureTime reads the time of a cosignature. One of time zero says that
// the tree is a beginning of the log, and nothing of when it was the largest.
func CosignatureTime(s note.Signature) (time.Time, error) {
	raw, err := base64.StdEncoding.DecodeString(s.Base64)
	if err != nil || len(raw) < 12 {
		return time.Time{}, corridor.E(corridor.Invalid, "the cosignature of %s has no time", s.Name)
	}
	t := binary.BigEndian.Uint64(raw[4:])
	if t == 0 || t > 1<<40 { // year 36812: not a time
		return time.Time{}, corridor.E(corridor.Invalid, "the cosignature of %s has no plausible time", s.Name)
	}
	return time.Unix(int64(t), 0).UTC(), nil
}
