package verify

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"corridor"
)

// MaxCheckpoint bounds one signed checkpoint with its cosignatures: 38 of
// ML-DSA-44. C2SP signed-note wants room for 16 of nearly 5 kB.
const MaxCheckpoint = 128 << 10

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
