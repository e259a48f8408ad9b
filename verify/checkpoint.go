package verify

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"corridor"
)

// MaxCheckpoint bounds one signed checkpoint with its cosignatures.
const MaxCheckpoint = 64 << 10

// Checkpoint is the body of a C2SP tlog-checkpoint.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
	// Extensions are further lines, opaque. Corridor writes none.
	Extensions []string
}

// ParseCheckpoint reads the text of a checkpoint, without its signatures.
func ParseCheckpoint(text string) (Checkpoint, error) {
	var c Checkpoint
	bad := func(why string) (Checkpoint, error) {
		return Checkpoint{}, &corridor.Error{Kind: corridor.Invalid, Msg: "not a checkpoint: " + why, Why: "C2SP tlog-checkpoint"}
	}
	body, ok := strings.CutSuffix(text, "\n")
	lines := strings.Split(body, "\n")
	if !ok || len(text) > MaxCheckpoint || len(lines) < 3 {
		return bad("three lines are needed, each ending in a newline")
	}
	for _, l := range lines {
		if l == "" {
			return bad("an empty line")
		}
	}
	size, err := parseDecimal(lines[1])
	if err != nil {
		return bad("tree size: " + err.Error())
	}
	root, err := parseHash(lines[2])
	if err != nil {
		return bad("root hash: " + err.Error())
	}
	c = Checkpoint{Origin: lines[0], Size: size, Root: root}
	if len(lines) > 3 {
		c.Extensions = lines[3:]
	}
	return c, nil
}

// String is the text of the checkpoint, ready to be signed.
func (c Checkpoint) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
	for _, e := range c.Extensions {
		b.WriteString(e + "\n")
	}
	return b.String()
}

func parseDecimal(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != s {
		return 0, fmt.Errorf("%.40q is not a plain decimal number", s)
	}
	return n, nil
}

func parseHash(s string) (tlog.Hash, error) {
	var h tlog.Hash
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(h) || base64.StdEncoding.EncodeToString(b) != s {
		return h, fmt.Errorf("%.60q is not a SHA-256 hash in base64", s)
	}
	copy(h[:], b)
	return h, nil
}

// The signature types of vkeys that Corridor knows (C2SP signed-note).
const (
	algEd25519     = 0x01 // a log's signature
	algCosignature = 0x04 // a witness's timestamped cosignature
)

// splitVKey takes "name+hash+key" apart and checks the hash.
func splitVKey(vkey string, alg byte) (name string, id uint32, key ed25519.PublicKey, err error) {
	bad := func(why string) (string, uint32, ed25519.PublicKey, error) {
		return "", 0, nil, &corridor.Error{Kind: corridor.Invalid, Msg: fmt.Sprintf("%.120q is not a usable vkey: %s", vkey, why), Why: "C2SP signed-note",
			Fix: "copy the whole name+hash+key text from the log's or witness's operator"}
	}
	name, rest, ok := strings.Cut(vkey, "+")
	hash, key64, ok2 := strings.Cut(rest, "+")
	if !ok || !ok2 || !validName(name) {
		return bad("it has not the form name+hash+key")
	}
	raw, err := base64.StdEncoding.DecodeString(key64)
	if err != nil || len(raw) == 0 || base64.StdEncoding.EncodeToString(raw) != key64 {
		return bad("the key is not base64")
	}
	if raw[0] != alg || len(raw) != 1+ed25519.PublicKeySize {
		return bad(fmt.Sprintf("the key is of type %#02x, wanted %#02x with 32 bytes", raw[0], alg))
	}
	id = keyID(name, raw)
	if hash != fmt.Sprintf("%08x", id) {
		return bad("its hash does not belong to its name and key")
	}
	return name, id, ed25519.PublicKey(raw[1:]), nil
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

func formatVKey(name string, alg byte, key ed25519.PublicKey) string {
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
	return formatVKey(name, algCosignature, key)
}

// LogVerifier checks a log's own signature on its checkpoints.
func LogVerifier(vkey string) (note.Verifier, error) {
	name, id, key, err := splitVKey(vkey, algEd25519)
	if err != nil {
		return nil, err
	}
	return &verifier{name, id, func(msg, sig []byte) bool { return len(sig) == ed25519.SignatureSize && ed25519.Verify(key, msg, sig) }}, nil
}

// WitnessVerifier checks a witness's cosignature/v1 on a checkpoint.
func WitnessVerifier(vkey string) (note.Verifier, error) {
	name, id, key, err := splitVKey(vkey, algCosignature)
	if err != nil {
		return nil, err
	}
	return &verifier{name, id, func(msg, sig []byte) bool {
		if len(sig) != 8+ed25519.SignatureSize {
			return false
		}
		t := binary.BigEndian.Uint64(sig)
		return t <= math.MaxInt64 && ed25519.Verify(key, CosignedMessage(int64(t), string(msg)), sig[8:])
	}}, nil
}

type verifier struct {
	name  string
	id    uint32
	check func(msg, sig []byte) bool
}

func (v *verifier) Name() string                { return v.name }
func (v *verifier) KeyHash() uint32             { return v.id }
func (v *verifier) Verify(msg, sig []byte) bool { return v.check(msg, sig) }

// CosignedMessage is what a witness signs for a checkpoint text at a time in
// seconds since 1970 (C2SP tlog-cosignature, Ed25519).
func CosignedMessage(unix int64, checkpoint string) []byte {
	return fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", unix, checkpoint)
}

// CosignatureTime reads the time of a cosignature.
func CosignatureTime(s note.Signature) (time.Time, error) {
	raw, err := base64.StdEncoding.DecodeString(s.Base64)
	if err != nil || len(raw) < 12 {
		return time.Time{}, corridor.E(corridor.Invalid, "the cosignature of %s has no time", s.Name)
	}
	t := binary.BigEndian.Uint64(raw[4:])
	if t > 1<<40 { // year 36812: not a time
		return time.Time{}, corridor.E(corridor.Invalid, "the cosignature of %s has no plausible time", s.Name)
	}
	return time.Unix(int64(t), 0).UTC(), nil
}

// OriginID is the name under which a witness serves the checkpoint of a log to
// monitors: the SHA-256 of the origin in hex.
func OriginID(origin string) string {
	h := sha256.Sum256([]byte(origin))
	return hex.EncodeToString(h[:])
}

// OpenCheckpoint checks a signed checkpoint against a log's verifier and gives
// its content. Signatures of the further verifiers are checked too and
// returned with the note; unknown ones are ignored.
func OpenCheckpoint(msg []byte, log note.Verifier, more ...note.Verifier) (Checkpoint, *note.Note, error) {
	if len(msg) > MaxCheckpoint {
		return Checkpoint{}, nil, corridor.E(corridor.Invalid, "a checkpoint of %d bytes is over the limit of %d", len(msg), MaxCheckpoint)
	}
	n, err := note.Open(msg, note.VerifierList(append([]note.Verifier{log}, more...)...))
	if err != nil {
		return Checkpoint{}, nil, corridor.E(corridor.Unauthenticated, "checkpoint: %w", err)
	}
	signed := false
	for _, s := range n.Sigs {
		signed = signed || s.Name == log.Name() && s.Hash == log.KeyHash()
	}
	if !signed {
		return Checkpoint{}, nil, corridor.E(corridor.Unauthenticated, "the log %s has not signed this checkpoint", log.Name())
	}
	c, err := ParseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	if c.Origin != log.Name() {
		return Checkpoint{}, nil, corridor.E(corridor.Unauthenticated, "the checkpoint is of log %q, not of %q", c.Origin, log.Name())
	}
	return c, n, nil
}
