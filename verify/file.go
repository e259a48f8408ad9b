package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"corridor"
)

// Limits of a bundle.
const (
	MaxBundle   = 64 << 20
	maxReceipts = 10_000
	maxParties  = 100

	MaxCompacts   = maxParties
	MaxOrders     = 1_000
	MaxAdmissions = maxParties

	maxList   = maxReceipts // parts of one list or object
	maxValues = 2_000_000   // parts of all of them
	maxDepth  = 64
)

// File is a bundle: one canonical JSON file with everything that is needed to
// check, offline, what two participants agreed and did.
type File struct {
	Version   int                       `json:"corridor_bundle"` // 1
	About     About                     `json:"about"`
	Agreement json.RawMessage           `json:"agreement,omitempty"` // corridor.SignedAgreement
	Decisions []corridor.SignedDecision `json:"decisions"`           // beyond those inside the agreement
	Keys      []FileKeys                `json:"keys"`
	Logs      []FileLog                 `json:"logs"`
	Policy    string                    `json:"policy"` // tlog-policy text
	Receipts  []FileReceipt             `json:"receipts"`
	// Validations of national signatures, of both sides; absent where neither
	// side needed one.
	Validations []corridor.SignedValidation `json:"validations,omitempty"`
	// Compacts that the agreement or its receipts quote, and the orders of
	// authorities that stopped it or let it go on, as they were signed; absent
	// where nothing quotes one.
	Compacts []corridor.Sealed `json:"compacts,omitempty"`
	Orders   []corridor.Sealed `json:"orders,omitempty"`
	// Admissions of the parties that the receipts of the agreement quote, as their
	// authorities signed them; absent where none is quoted.
	Admissions []corridor.Sealed `json:"admissions,omitempty"`
	// Witnessed is the proofs (tlog-proof texts) that releases quote: what
	// witnesses had cosigned before data went; absent where none is quoted.
	Witnessed []string `json:"witnessed,omitempty"`
	Digest    string   `json:"digest"` // of the canonical form without this member
}

// About says where a bundle comes from. Nothing in it is trusted.
type About struct {
	At          string `json:"at"` // RFC 3339, UTC
	By          string `json:"by"` // DID
	Agreement   string `json:"agreement,omitempty"`
	Negotiation string `json:"negotiation,omitempty"`
	Part        *Part  `json:"part,omitempty"` // absent: all that was done under the agreement
}

// Part is some of what was done under an agreement: what belongs to no transfer,
// and one transfer, or some increments of one that goes on.
type Part struct {
	Transfer string `json:"transfer"`       // as the exporter names it
	From     int64  `json:"from,omitempty"` // first and last increment
	To       int64  `json:"to,omitempty"`
}

// first is the increment that a part begins with.
func (p *Part) first() int64 {
	if p == nil {
		return 1
	}
	return max(p.From, 1)
}

// holds says whether a transfer, as the exporter names it, belongs to a part.
func (p *Part) holds(transfer string, i *corridor.Increment) bool {
	if transfer == "" || transfer == p.Transfer {
		return true
	}
	return i != nil && p.From <= i.Number && i.Number <= p.To && transfer == fmt.Sprintf("%s~%d", p.Transfer, i.Number)
}

// FileKeys is the DID document of one participant.
type FileKeys struct {
	DID      string          `json:"did"`
	Document json.RawMessage `json:"document"`
}

// FileLog names the log of one participant.
type FileLog struct {
	DID    string `json:"did"`
	Origin string `json:"origin"`
	VKey   string `json:"vkey"`
}

// FileReceipt is one entry of a log with its proof.
type FileReceipt struct {
	Log      string          `json:"log"` // origin
	Index    int64           `json:"index"`
	Leaf     json.RawMessage `json:"leaf"`  // corridor.Leaf: the exact entry
	Proof    string          `json:"proof"` // tlog-proof text
	Openings []Opening       `json:"openings"`
}

// Opening shows what a commitment of a receipt hides.
type Opening struct {
	Name  string `json:"name"`
	Salt  string `json:"salt"`  // base64url
	Value string `json:"value"` // base64url
}

// NewOpening encodes an opening.
func NewOpening(name string, salt, value []byte) Opening {
	return Opening{Name: name, Salt: b64(salt), Value: b64(value)}
}

// Encode computes the digest and writes the file in its one form.
func (f File) Encode() ([]byte, error) {
	f.Version = 1
	if f.Decisions == nil {
		f.Decisions = []corridor.SignedDecision{}
	}
	if f.Keys == nil {
		f.Keys = []FileKeys{}
	}
	if f.Logs == nil {
		f.Logs = []FileLog{}
	}
	if f.Receipts == nil {
		f.Receipts = []FileReceipt{}
	}
	f.Digest = ""
	raw, err := corridor.Canonical(f)
	if err != nil {
		return nil, err
	}
	if f.Digest, err = contentDigest(raw); err != nil {
		return nil, err
	}
	return corridor.Canonical(f)
}

// contentDigest is the digest of a bundle's JSON without its digest member.
func contentDigest(raw []byte) (string, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return "", corridor.E(corridor.Invalid, "bundle: %w", err)
	}
	delete(members, "digest")
	rest, err := corridor.Canonical(members)
	if err != nil {
		return "", err
	}
	return corridor.Digest(rest), nil
}

// bounded counts the parts of a text before any of them takes memory: a list
// of empty objects grows a hundredfold when it is read. What it lets through
// need not be JSON.
func bounded(text []byte) error {
	var parts [maxDepth + 1]int
	depth, all := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth++; depth > maxDepth {
				return corridor.E(corridor.Limited, "the bundle is nested deeper than %d levels", maxDepth)
			}
			parts[depth] = 0
		case '}', ']':
			depth = max(0, depth-1)
		case ',':
			all++
			if parts[depth]++; parts[depth] >= maxList || all >= maxValues {
				return corridor.E(corridor.Limited, "the bundle holds a list or an object of more than %d parts, or more than %d in all", maxList, maxValues)
			}
		}
	}
	return nil
}

// decodeFile reads a bundle strictly. The file is returned as far as it could
// be read, so that the other checks can say more.
func decodeFile(data []byte) (File, error) {
	var f File
	if len(data) > MaxBundle {
		return f, corridor.E(corridor.Limited, "a bundle of %d bytes is over the limit of %d", len(data), MaxBundle)
	}
	if err := bounded(data); err != nil {
		return f, err
	}
	canon, err := corridor.Canonicalize(data)
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(canon, &f); err != nil {
		return f, corridor.E(corridor.Invalid, "not a bundle: %w", err)
	}
	if len(f.Receipts) > maxReceipts || len(f.Keys) > maxParties || len(f.Logs) > maxParties || len(f.Decisions) > maxParties || len(f.Validations) > maxParties || len(f.Compacts) > MaxCompacts || len(f.Orders) > MaxOrders || len(f.Admissions) > MaxAdmissions {
		return File{}, corridor.E(corridor.Limited, "the bundle holds more than %d receipts, %d orders or %d keys, logs, decisions, validations, compacts or admissions", maxReceipts, MaxOrders, maxParties)
	}
	if len(f.Witnessed) > maxReceipts || overlong(f.Witnessed) {
		return File{}, corridor.E(corridor.Limited, "the bundle holds more than %d proofs of what witnesses had cosigned, or one of more than %d bytes", maxReceipts, MaxProof)
	}
	for _, d := range slices.Concat(f.Compacts, f.Orders, f.Admissions) {
		if len(d.Body) > corridor.MaxDocument {
			return File{}, corridor.E(corridor.Limited, "the bundle holds a compact, an order or an admission of %d bytes, over the limit of %d", len(d.Body), corridor.MaxDocument)
		}
	}
	if !bytes.Equal(canon, data) {
		return f, corridor.CheckCanonical(data)
	}
	if f.Version != 1 {
		return f, corridor.E(corridor.Invalid, "bundle format %d is not known, want 1", f.Version)
	}
	// What was read must be all that is there: a member that this version does
	// not know, or one in another letter case, could say something unseen.
	again, err := corridor.Canonical(f)
	if err != nil {
		return f, err
	}
	if !bytes.Equal(canon, again) {
		return f, corridor.E(corridor.Invalid, "the file has members that do not belong into a bundle, or lacks some")
	}
	return f, nil
}

// ReadFile reads a bundle without checking what it says (see Bundle for that):
// only its form.
func ReadFile(data []byte) (File, error) {
	f, err := decodeFile(data)
	if err != nil {
		return File{}, err
	}
	return f, nil
}

// document is the part of a DID document that checking needs.
type document struct {
	ID        string            `json:"id"`
	Methods   []method          `json:"verificationMethod"`
	Assertion []json.RawMessage `json:"assertionMethod"`
}

type method struct {
	ID         string          `json:"id"`
	Controller string          `json:"controller"`
	JWK        json.RawMessage `json:"publicKeyJwk"`
}

// DocumentKeys reads the keys of a DID document that may sign statements:
// those of assertionMethod, or all if the document names none.
func DocumentKeys(did string, raw []byte) ([]Key, error) {
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, corridor.E(corridor.Invalid, "DID document of %s: %w", did, err)
	}
	if d.ID != did || did == "" {
		return nil, corridor.E(corridor.Invalid, "the DID document is of %q, not of %q", d.ID, did)
	}
	allowed := map[string]bool{}
	for _, a := range d.Assertion {
		var id string
		var m method
		if json.Unmarshal(a, &id) == nil {
			allowed[absolute(did, id)] = true
		} else if json.Unmarshal(a, &m) == nil {
			d.Methods = append(d.Methods, m)
			allowed[absolute(did, m.ID)] = true
		}
	}
	var keys []Key
	for _, m := range d.Methods {
		id := absolute(did, m.ID)
		if d.Assertion != nil && !allowed[id] || m.Controller != did || len(m.JWK) == 0 || didOf(id) != did {
			continue
		}
		k, err := ParseJWK(id, m.JWK)
		if err != nil {
			continue // a key of a suite that we do not know signs nothing here
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, corridor.E(corridor.Invalid, "the DID document of %s has no key that could sign a statement", did)
	}
	return keys, nil
}

func absolute(did, id string) string {
	if strings.HasPrefix(id, "#") {
		return did + id
	}
	return id
}

// didOf is the DID of a DID URL.
func didOf(url string) string {
	did, _, _ := strings.Cut(url, "#")
	return did
}
