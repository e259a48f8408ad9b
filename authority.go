package corridor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What the authorities of jurisdictions write: compacts, orders, feeds of
// orders, and admissions. Each is one Sealed document. Reading is
// strict and needs no key; who signed is checked by package verify.

// The types of document, which stand in the body and so under the signature.
const (
	TypeCompact   = "corridor-compact/v1"
	TypeOrder     = "corridor-order/v1"
	TypeFeed      = "corridor-feed/v1"
	TypeAdmission = "corridor-admission/v1"
)

// Limits of documents.
const (
	MaxDocument = 256 << 10
	MaxFeed     = 8 << 20
	maxMembers  = 64
	maxAnchors  = 16
	maxOpenings = 1024
	maxListed   = 20_000 // orders or admissions of one feed
	maxText     = 2000   // bytes of one text
)

// ClockSkew is how far ahead of our clock the date of a document may be.
const ClockSkew = 5 * time.Minute

// Any stands for every class of data or every other member.
const Any = "any"

// Sealed is a document in its one form: canonical JSON (RFC 8785) of a body
// and signatures over the canonical body.
type Sealed struct {
	Body       json.RawMessage `json:"body"`
	Signatures []Signature     `json:"signatures"`
}

// Digest names a document by its body, whoever has signed it so far.
func (s Sealed) Digest() string { return Digest(s.Body) }

// Encode writes the document.
func (s Sealed) Encode() ([]byte, error) {
	if s.Signatures == nil {
		s.Signatures = []Signature{}
	}
	return Canonical(s)
}

// Seal makes an unsigned document of a body.
func Seal(body any) (Sealed, error) {
	raw, err := Canonical(body)
	return Sealed{Body: raw, Signatures: []Signature{}}, err
}

// decodeSealed reads a document of a type: canonical as a whole, no unknown
// and no repeated member, a body that reads back to the same bytes.
func decodeSealed(raw []byte, kind string, limit int, body any) (Sealed, error) {
	var s Sealed
	what := strings.TrimSuffix(strings.TrimPrefix(kind, "corridor-"), "/v1")
	if len(raw) > limit {
		return s, E(Limited, "%s: %d bytes are over the limit of %d", what, len(raw), limit)
	}
	if err := CheckCanonical(raw); err != nil {
		return s, fmt.Errorf("%s: %w", what, err)
	}
	if err := strictly(raw, &s); err != nil {
		return s, fmt.Errorf("%s: %w", what, err)
	}
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(s.Body, &head); err != nil || head.Type != kind {
		return s, &Error{Kind: Invalid, Where: "type", Msg: fmt.Sprintf("this is %q, not a document of type %q", head.Type, kind)}
	}
	if err := strictly(s.Body, body); err != nil {
		return s, fmt.Errorf("%s: %w", what, err)
	}
	again, err := Canonical(body)
	if err != nil {
		return s, err
	}
	if !bytes.Equal(again, s.Body) { // a member in another letter case, or null where nothing belongs
		return s, E(Invalid, "%s: reads back differently: %s", what, firstDifference(s.Body, again))
	}
	if len(s.Signatures) > maxMembers*maxAnchors {
		return s, E(Limited, "%s: too many signatures", what)
	}
	return s, nil
}

func strictly(raw []byte, to any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return E(Invalid, "%w", err)
	}
	return nil
}

// Anchor is a public key that speaks for an authority: a DID URL and a JWK in
// the form of verify.ParseJWK.
type Anchor struct {
	ID  string          `json:"id"`
	JWK json.RawMessage `json:"jwk"`
}

// Authority is the body of a jurisdiction that admits participants and
// suspends, with the keys that speak for it.
type Authority struct {
	ID           string   `json:"id"` // its DID
	Jurisdiction string   `json:"jurisdiction"`
	Name         string   `json:"name"`
	Anchors      []Anchor `json:"anchors"`
	// Feed is where its feed of orders is served. Empty: it has none, and
	// orders are only pushed.
	Feed string `json:"feed,omitempty"`
	// TrustServices are the DIDs of the services that may state, for participants
	// of its jurisdiction, that a national signature is valid. Empty: each
	// participant's own, whatever that is.
	TrustServices []string `json:"trust_services,omitempty"`
}

// Opened is an article of a compact: a direction that it opens for classes of
// data.
type Opened struct {
	Article string   `json:"article"`
	From    string   `json:"from"`
	To      string   `json:"to"`
	Classes []string `json:"classes"` // of the fact data_classes, or Any
}

// Compact is what several authorities have agreed on: who they are, and which
// corridors they open. There is no authority above them.
type Compact struct {
	Type       string      `json:"type"`
	ID         string      `json:"id"` // the same for all its versions
	Version    int64       `json:"version"`
	Title      string      `json:"title"`
	Issued     string      `json:"issued"`     // RFC 3339, UTC
	ValidFrom  string      `json:"valid_from"` // RFC 3339, UTC
	ValidUntil string      `json:"valid_until"`
	Members    []Authority `json:"members"`
	Opens      []Opened    `json:"opens"`
	// Credentials lists the types of credential of which each participant needs
	// one from the authority of its jurisdiction. Empty: the operators' lists of
	// peers decide who takes part.
	Credentials []string `json:"credentials"`
	// Packs are the digests of the rule packs that decisions must have been made
	// with, by pack. A pack that is not named may be any.
	Packs map[string]string `json:"packs"`
	// OtherPacks says what happens to a decision made with another pack than
	// the one named: "refuse", or "flag" in the record.
	OtherPacks string `json:"other_packs"`
	// Witnesses is the digest of the witness policy that all nodes use. Empty:
	// any.
	Witnesses string `json:"witnesses,omitempty"`
	// Liveness is the grade that the log of whoever lets data go must have
	// reached before: LivenessCosigned, or empty, which is LivenessLogged.
	Liveness string `json:"liveness,omitempty"`
}

// The grades of liveness: what a log must have of a transfer before data moves.
const (
	LivenessLogged   = "logged"   // a checkpoint that the log itself has signed: at once
	LivenessCosigned = "cosigned" // one that the witnesses have cosigned, as their policy wants
)

// CheckLiveness refuses a word that is no grade. Empty is LivenessLogged.
func CheckLiveness(where, grade string) error {
	if grade != "" && grade != LivenessLogged && grade != LivenessCosigned {
		return badField(where, "%q is neither %s nor %s", clipped(grade), LivenessLogged, LivenessCosigned)
	}
	return nil
}

// What becomes of a decision made with other packs.
const (
	PacksRefuse = "refuse"
	PacksFlag   = "flag"
)

// DecodeCompact reads a compact. It does not judge the signatures.
func DecodeCompact(raw []byte) (Sealed, Compact, error) {
	var c Compact
	s, err := decodeSealed(raw, TypeCompact, MaxDocument, &c)
	if err == nil {
		err = c.Check()
	}
	return s, c, err
}

func badField(where, format string, args ...any) error {
	e := E(Invalid, format, args...)
	e.Where = where
	return e
}

// Check says what is wrong with a compact by itself.
func (c *Compact) Check() error {
	if err := checkNames("compact", map[string]string{"id": c.ID, "title": c.Title}); err != nil {
		return err
	}
	if c.Version < 1 {
		return badField("compact.version", "%d: versions count from 1", c.Version)
	}
	if err := checkSpan("compact", c.Issued, c.ValidFrom, c.ValidUntil); err != nil {
		return err
	}
	if len(c.Members) < 2 || len(c.Members) > maxMembers {
		return badField("compact.members", "%d members: a compact has 2 to %d", len(c.Members), maxMembers)
	}
	ids, countries := map[string]bool{}, map[string]bool{}
	for i, m := range c.Members {
		at := fmt.Sprintf("compact.members[%d]", i)
		if err := m.check(at); err != nil {
			return err
		}
		if ids[m.ID] || countries[m.Jurisdiction] {
			return badField(at, "%s of %s occurs twice", m.ID, m.Jurisdiction)
		}
		ids[m.ID], countries[m.Jurisdiction] = true, true
	}
	if err := c.checkServices(); err != nil {
		return err
	}
	if err := c.checkOpens(countries); err != nil {
		return err
	}
	for _, kind := range c.Credentials {
		if kind != TypeAdmission {
			return badField("compact.credentials", "%q is not a credential that is known here", clipped(kind))
		}
	}
	if c.OtherPacks != PacksRefuse && c.OtherPacks != PacksFlag {
		return badField("compact.other_packs", "%q is neither %s nor %s", clipped(c.OtherPacks), PacksRefuse, PacksFlag)
	}
	for pack, digest := range c.Packs {
		if pack == "" || !isDigest(digest) {
			return badField("compact.packs", "%q of the pack %q is not a digest", clipped(digest), clipped(pack))
		}
	}
	if c.Witnesses != "" && !isDigest(c.Witnesses) {
		return badField("compact.witnesses", "%q is not a digest", clipped(c.Witnesses))
	}
	if c.Liveness == LivenessCosigned && c.Witnesses == "" {
		return badField("compact.liveness", "%s is wanted, and no witness policy is named", LivenessCosigned)
	}
	return CheckLiveness("compact.liveness", c.Liveness)
}

// checkServices: a service vouches for one country.
func (c *Compact) checkServices() error {
	of := map[string]string{}
	for i, m := range c.Members {
		for _, did := range m.TrustServices {
			if other, taken := of[did]; taken {
				return badField(fmt.Sprintf("compact.members[%d].trust_services", i), "%s speaks for %s already, and a service vouches for one country", did, other)
			}
			of[did] = m.Jurisdiction
		}
	}
	return nil
}

func (c *Compact) checkOpens(countries map[string]bool) error {
	if len(c.Opens) == 0 || len(c.Opens) > maxOpenings {
		return badField("compact.opens", "%d articles: a compact opens 1 to %d", len(c.Opens), maxOpenings)
	}
	articles := map[string]bool{}
	for i, o := range c.Opens {
		at := fmt.Sprintf("compact.opens[%d]", i)
		switch {
		case o.Article == "" || len(o.Article) > 32 || articles[o.Article]:
			return badField(at+".article", "%q is empty, too long, or occurs twice", clipped(o.Article))
		case !countries[o.From] || !countries[o.To] || o.From == o.To:
			return badField(at, "%s to %s is no direction between two members", clipped(o.From), clipped(o.To))
		case len(o.Classes) == 0 || slices.Contains(o.Classes, ""):
			return badField(at+".classes", "opens no class of data; write %q for all", Any)
		}
		articles[o.Article] = true
	}
	return nil
}

// Check says what is wrong with an authority's entry, or nil.
func (m *Authority) Check() error { return m.check("authority") }

func (m *Authority) check(at string) error {
	if err := checkNames(at, map[string]string{"id": m.ID, "name": m.Name}); err != nil {
		return err
	}
	if !strings.HasPrefix(m.ID, "did:") {
		return badField(at+".id", "%q is not a DID", clipped(m.ID))
	}
	if !isCountry(m.Jurisdiction) {
		return badField(at+".jurisdiction", "%q is not a country", clipped(m.Jurisdiction))
	}
	if len(m.Anchors) == 0 || len(m.Anchors) > maxAnchors {
		return badField(at+".anchors", "%d keys: an authority has 1 to %d", len(m.Anchors), maxAnchors)
	}
	for _, a := range m.Anchors {
		if !strings.HasPrefix(a.ID, m.ID+"#") {
			return badField(at+".anchors", "the key %q is not one of %s", clipped(a.ID), m.ID)
		}
	}
	if err := m.checkServices(at + ".trust_services"); err != nil {
		return err
	}
	if m.Feed != "" && !strings.HasPrefix(m.Feed, "https://") && !strings.HasPrefix(m.Feed, "http://") {
		return badField(at+".feed", "%q is not a web address", clipped(m.Feed))
	}
	return nil
}

func (m *Authority) checkServices(at string) error {
	if len(m.TrustServices) > maxAnchors {
		return badField(at, "%d services: an authority names at most %d", len(m.TrustServices), maxAnchors)
	}
	for i, did := range m.TrustServices {
		if !IsTrustService(did) || slices.Contains(m.TrustServices[:i], did) {
			return badField(at, "%q is not the DID of a service, or occurs twice", clipped(did))
		}
	}
	return nil
}

// IsTrustService says whether a text is a DID, and not the DID URL of a key or
// an address.
func IsTrustService(s string) bool {
	return strings.HasPrefix(s, "did:") && len(s) <= 512 && !strings.ContainsAny(s, "#/? \t\n")
}

// InForce says why a compact is not in force at a time, or nil.
func (c *Compact) InForce(at time.Time) error {
	return within(c.Name(), c.Issued, c.ValidFrom, c.ValidUntil, at)
}

// Name is how a compact is quoted.
func (c *Compact) Name() string { return fmt.Sprintf("compact %s, version %d", c.ID, c.Version) }

// Member finds the authority of a jurisdiction.
func (c *Compact) Member(jurisdiction string) (Authority, bool) {
	for _, m := range c.Members {
		if m.Jurisdiction == jurisdiction {
			return m, true
		}
	}
	return Authority{}, false
}

// Governs says whether both ends of a crossing are in members' jurisdictions.
func (c *Compact) Governs(x Crossing) bool {
	_, from := c.Member(x.From)
	_, to := c.Member(x.To)
	return from && to
}

// Article gives the article that opens a crossing: its direction, and every
// class of data in it. What classes there are must be known, unless the
// article opens all.
func (c *Compact) Article(x Crossing) (string, error) {
	direction := false
	for _, o := range c.Opens {
		if o.From != x.From || o.To != x.To {
			continue
		}
		direction = true
		if slices.Contains(o.Classes, Any) {
			return o.Article, nil
		}
		if x.ClassesKnown && !slices.ContainsFunc(x.Classes, func(class string) bool { return !slices.Contains(o.Classes, class) }) {
			return o.Article, nil
		}
	}
	e := &Error{Kind: RefusedByLaw, Where: "data_classes", Why: c.Name(), Fix: "the authorities can open it by a new version of the compact"}
	switch {
	case !direction:
		e.Where, e.Msg = "", fmt.Sprintf("the compact opens no corridor from %s to %s", x.From, x.To)
	case !x.ClassesKnown:
		e.Msg, e.Fix = fmt.Sprintf("the compact opens the corridor from %s to %s by class of data, and the classes of this data are not known", x.From, x.To), "state the fact data_classes"
	default:
		e.Msg = fmt.Sprintf("no article of the compact opens the corridor from %s to %s for all of: %s", x.From, x.To, strings.Join(x.Classes, ", "))
	}
	return "", e
}

// Crossing is what compacts and orders look at in a flow.
type Crossing struct {
	From, To           string // jurisdictions
	Exporter, Importer string // DIDs
	Dataset            string
	Classes            []string
	ClassesKnown       bool // false: there may be others
}

// ClassesOf reads the fact data_classes: what is known to be in it, and whether
// that is all.
func ClassesOf(f Facts) (classes []string, known bool) {
	all := func(v any) (out []string, ok bool) {
		switch list := v.(type) {
		case []any:
			for _, e := range list {
				s, isText := e.(string)
				if !isText {
					return nil, false
				}
				out = append(out, s)
			}
			return out, true
		case []string:
			return list, true
		}
		return nil, false
	}
	switch v := f["data_classes"].(type) {
	case map[string]any: // {has: [...], lacks: [...]}: the rest is open
		classes, _ = all(v["has"])
		return classes, false
	default:
		return all(v)
	}
}

func checkNames(at string, names map[string]string) error {
	for field, v := range names {
		if v == "" || len(v) > maxText || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' }) {
			return badField(at+"."+field, "%q is empty, too long, or not one line", clipped(v))
		}
	}
	return nil
}

// checkSpan checks that three moments are written as such and are in order.
func checkSpan(at, issued, from, until string) error {
	i, err1 := moment(issued)
	f, err2 := moment(from)
	u, err3 := moment(until)
	switch {
	case err1 != nil:
		return badField(at+".issued", "%w", err1)
	case err2 != nil:
		return badField(at+".valid_from", "%w", err2)
	case err3 != nil:
		return badField(at+".valid_until", "%w", err3)
	case !f.Before(u) || !i.Before(u):
		return badField(at+".valid_until", "%s is not after the beginning", until)
	}
	return nil
}

// within says why a document does not hold at a time.
func within(what, issued, from, until string, at time.Time) error {
	i, err1 := moment(issued)
	f, err2 := moment(from)
	u, err3 := moment(until)
	switch {
	case err1 != nil || err2 != nil || err3 != nil:
		return E(Invalid, "%s: its dates cannot be read", what)
	case i.After(at.Add(ClockSkew)):
		return &Error{Kind: Invalid, Where: "issued", Msg: what + " is dated " + issued + ", which is to come", Fix: "compare the clocks"}
	case at.Before(f):
		return &Error{Kind: RefusedByLaw, Where: "valid_from", Msg: what + " begins at " + from}
	case !at.Before(u):
		return &Error{Kind: RefusedByLaw, Where: "valid_until", Msg: what + " ended at " + until, Fix: "a newer one is needed"}
	}
	return nil
}

// moment reads RFC 3339 in UTC, to the second, in its one spelling.
func moment(s string) (time.Time, error) {
	t, err := time.Parse("2006-01-02T15:04:05Z", s)
	if err != nil {
		return t, E(Invalid, "%q is not a time such as 2026-11-26T12:00:00Z", clipped(s))
	}
	return t, nil
}

// Moment writes a time as documents hold it.
func Moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// ParseMoment reads a time of a document.
func ParseMoment(s string) (time.Time, error) { return moment(s) }

func isDigest(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}

func isCountry(s string) bool {
	return len(s) == 2 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func clipped(s string) string {
	if len(s) > 120 {
		return s[:120] + "..."
	}
	return s
}
