package verify

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"corridor"
)

// MaxProof bounds the text of one proof.
const MaxProof = MaxCheckpoint + 16<<10

const proofHeader = "c2sp.org/tlog-proof@v1"

// Proof is a C2SP tlog-proof: a signed checkpoint and the path from one entry
// to its root.
type Proof struct {
	Index      int64
	Hashes     []tlog.Hash // from the leaf's sibling to the root's child
	Extra      []byte      // not authenticated; Corridor writes none
	Checkpoint []byte      // the signed note
}

// Format writes the proof as text.
func (p Proof) Format() []byte {
	var b bytes.Buffer
	b.WriteString(proofHeader + "\n")
	if len(p.Extra) > 0 {
		b.WriteString("extra " + base64.StdEncoding.EncodeToString(p.Extra) + "\n")
	}
	b.WriteString("index " + strconv.FormatInt(p.Index, 10) + "\n")
	for _, h := range p.Hashes {
		b.WriteString(h.String() + "\n")
	}
	b.WriteByte('\n')
	b.Write(p.Checkpoint)
	return b.Bytes()
}

// ParseProof reads the text of a proof. It checks the form, not the content.
func ParseProof(text []byte) (Proof, error) {
	var p Proof
	bad := func(why string) (Proof, error) {
		return Proof{}, &corridor.Error{Kind: corridor.Invalid, Msg: "not a proof: " + why, Why: "C2SP tlog-proof"}
	}
	if len(text) > MaxProof {
		return bad("too long")
	}
	head, checkpoint, ok := strings.Cut(string(text), "\n\n")
	if !ok {
		return bad("no empty line before the checkpoint")
	}
	lines := strings.Split(head, "\n")
	if lines[0] != proofHeader {
		return bad("the first line is not " + proofHeader)
	}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		raw := strings.TrimPrefix(lines[0], "extra ")
		extra, err := base64.StdEncoding.Strict().DecodeString(raw)
		if err != nil || base64.StdEncoding.EncodeToString(extra) != raw {
			return bad("extra data that is not base64")
		}
		p.Extra, lines = extra, lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return bad("no index line")
	}
	var err error
	if p.Index, err = parseDecimal(strings.TrimPrefix(lines[0], "index ")); err != nil {
		return bad("index: " + err.Error())
	}
	if len(lines)-1 > 63 {
		return bad("more than 63 hashes")
	}
	for _, l := range lines[1:] {
		h, err := parseHash(l)
		if err != nil {
			return bad(err.Error())
		}
		p.Hashes = append(p.Hashes, h)
	}
	p.Checkpoint = []byte(checkpoint)
	return p, nil
}

// CheckInclusion says whether the proof leads from the leaf hash of an entry
// to the root of the checkpoint c.
func (p Proof) CheckInclusion(c Checkpoint, leaf tlog.Hash) error {
	if p.Index >= c.Size {
		return corridor.E(corridor.Invalid, "the checkpoint covers %d entries, not yet entry %d", c.Size, p.Index)
	}
	if err := tlog.CheckRecord(p.Hashes, c.Size, c.Root, p.Index, leaf); err != nil {
		return corridor.E(corridor.Unauthenticated, "entry %d is not in the tree of %d entries that the checkpoint names", p.Index, c.Size)
	}
	return nil
}
