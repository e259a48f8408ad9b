package verify

import (
	"fmt"
	"slices"
	"strings"

	"corridor"
)

// Compact reads a compact and checks that all its members have signed it, each
// with a key that the compact itself names for it, and nobody besides. Whether
// those keys are the authorities' own, only who knows them can say.
func Compact(raw []byte) (corridor.Sealed, corridor.Compact, error) {
	s, c, err := corridor.DecodeCompact(raw)
	if err != nil {
		return s, c, err
	}
	return s, c, CompactSigned(s, c)
}

// CompactSigned says what the signatures of a compact lack, or nil.
func CompactSigned(s corridor.Sealed, c corridor.Compact) error {
	return compactSigned(s, c, anchorSigned)
}

// anchorCheck checks a signature over a body that must be by a key of an
// authority.
type anchorCheck func(m corridor.Authority, body []byte, sig corridor.Signature) error

func compactSigned(s corridor.Sealed, c corridor.Compact, check anchorCheck) error {
	signers := map[string]bool{}
	for _, sig := range s.Signatures {
		m, err := ownerOf(c.Members, sig.Key)
		if err != nil {
			return err
		}
		if signers[sig.Key] {
			return corridor.E(corridor.Invalid, "the key %s has signed the compact twice", clip(sig.Key))
		}
		signers[sig.Key] = true
		if err := check(m, s.Body, sig); err != nil {
			return &corridor.Error{Kind: corridor.Unauthenticated, Where: c.Name(), Msg: "the signature of the authority of " + m.Jurisdiction + " is wrong: the compact was changed after it was signed, or it is another's",
				Fix: "get the compact from a member, and let all members sign the same text", Err: err}
		}
	}
	var missing []string
	for _, m := range c.Members {
		if !slices.ContainsFunc(m.Anchors, func(a corridor.Anchor) bool { return signers[a.ID] }) {
			missing = append(missing, m.Jurisdiction)
		}
	}
	if len(missing) > 0 {
		return &corridor.Error{Kind: corridor.Unauthenticated, Where: c.Name(), Msg: "not signed by the authority of: " + strings.Join(missing, ", "),
			Why: "a compact binds when all its members have signed it", Fix: "let them sign it: corridor authority compact sign"}
	}
	return nil
}

func ownerOf(members []corridor.Authority, key string) (corridor.Authority, error) {
	for _, m := range members {
		if slices.ContainsFunc(m.Anchors, func(a corridor.Anchor) bool { return a.ID == key }) {
			return m, nil
		}
	}
	return corridor.Authority{}, corridor.E(corridor.Unauthenticated, "the key %s is not one of a member of the compact", clip(key))
}

// anchorSigned checks a signature by a key of an authority.
func anchorSigned(m corridor.Authority, body []byte, sig corridor.Signature) error {
	key, err := anchorKey(m, sig)
	if err != nil {
		return err
	}
	return key.VerifySignature(body, sig)
}

// anchorKey finds the key of an authority that a signature names.
func anchorKey(m corridor.Authority, sig corridor.Signature) (Key, error) {
	for _, a := range m.Anchors {
		if a.ID == sig.Key {
			return ParseJWK(a.ID, a.JWK)
		}
	}
	return Key{}, corridor.E(corridor.Unauthenticated, "the key %s does not speak for the authority of %s", clip(sig.Key), m.Jurisdiction)
}

// AuthoritySigned checks that a document is an authority's own: it names that
// authority and jurisdiction, and has exactly one signature, by one of its keys.
func AuthoritySigned(s corridor.Sealed, m corridor.Authority, authority, jurisdiction string) error {
	return authoritySigned(s, m, authority, jurisdiction, anchorSigned)
}

func authoritySigned(s corridor.Sealed, m corridor.Authority, authority, jurisdiction string, check anchorCheck) error {
	if authority != m.ID || jurisdiction != m.Jurisdiction {
		return &corridor.Error{Kind: corridor.Forbidden, Msg: fmt.Sprintf("a document of %s for %s is not one of %s for %s", clip(authority), clip(jurisdiction), m.ID, m.Jurisdiction),
			Why: "an authority speaks for its own country alone"}
	}
	if len(s.Signatures) != 1 {
		return corridor.E(corridor.Unauthenticated, "the document has %d signatures, and its authority's is wanted", len(s.Signatures))
	}
	return check(m, s.Body, s.Signatures[0])
}

// Order reads an order and checks it against the members of a compact.
func Order(raw []byte, members []corridor.Authority) (corridor.Sealed, corridor.Order, error) {
	s, o, err := corridor.DecodeOrder(raw)
	if err != nil {
		return s, o, err
	}
	m, err := memberOf(members, o.Authority, o.Jurisdiction)
	if err == nil {
		err = AuthoritySigned(s, m, o.Authority, o.Jurisdiction)
	}
	return s, o, err
}

// Admission reads an admission and checks it against the members of a compact.
func Admission(raw []byte, members []corridor.Authority) (corridor.Sealed, corridor.Admission, error) {
	s, a, err := corridor.DecodeAdmission(raw)
	if err != nil {
		return s, a, err
	}
	m, err := memberOf(members, a.Authority, a.Jurisdiction)
	if err == nil {
		err = AuthoritySigned(s, m, a.Authority, a.Jurisdiction)
	}
	return s, a, err
}

// Feed reads a feed with all that is in it, and checks each signature against
// the members of a compact, the order of the numbers, and that all is of one
// authority.
func Feed(raw []byte, members []corridor.Authority) (corridor.Sealed, corridor.Feed, error) {
	s, f, err := corridor.DecodeFeed(raw)
	if err != nil {
		return s, f, err
	}
	m, err := memberOf(members, f.Authority, f.Jurisdiction)
	if err == nil {
		err = AuthoritySigned(s, m, f.Authority, f.Jurisdiction)
	}
	if err != nil {
		return s, f, err
	}
	last := int64(0)
	rising := func(n int64) error {
		if n <= last || n > f.Last {
			return corridor.E(corridor.Invalid, "feed: number %d after %d, of %d given out", n, last, f.Last)
		}
		last = n
		return nil
	}
	for i, sealed := range f.Orders {
		o, err := part(sealed, func(raw []byte) (corridor.Sealed, corridor.Order, error) {
			return Order(raw, []corridor.Authority{m})
		})
		if err == nil {
			err = rising(o.Number)
		}
		if err != nil {
			return s, f, fmt.Errorf("feed: order %d: %w", i, err)
		}
	}
	last = 0
	for i, sealed := range f.Admissions {
		a, err := part(sealed, func(raw []byte) (corridor.Sealed, corridor.Admission, error) {
			return Admission(raw, []corridor.Authority{m})
		})
		if err == nil {
			err = rising(a.Number)
		}
		if err != nil {
			return s, f, fmt.Errorf("feed: admission %d: %w", i, err)
		}
	}
	return s, f, nil
}

func part[T any](sealed corridor.Sealed, read func([]byte) (corridor.Sealed, T, error)) (T, error) {
	var none T
	raw, err := sealed.Encode()
	if err != nil {
		return none, err
	}
	_, out, err := read(raw)
	return out, err
}

func memberOf(members []corridor.Authority, authority, jurisdiction string) (corridor.Authority, error) {
	for _, m := range members {
		if m.ID == authority {
			if m.Jurisdiction != jurisdiction {
				return m, &corridor.Error{Kind: corridor.Forbidden, Msg: fmt.Sprintf("%s is the authority of %s, not of %s", m.ID, m.Jurisdiction, clip(jurisdiction)), Why: "an authority speaks for its own country alone"}
			}
			return m, nil
		}
	}
	return corridor.Authority{}, &corridor.Error{Kind: corridor.Forbidden, Msg: fmt.Sprintf("%s is not an authority of a compact that is known here", clip(authority)), Fix: "adopt the compact that it is a member of"}
}

// Succeeds says whether a compact, whose signatures were checked, has the same
// authority as a member of another: it is signed with a key that both name.
func Succeeds(s corridor.Sealed, c corridor.Compact, m corridor.Authority) bool {
	now, both := c.Member(m.Jurisdiction)
	return both && now.ID == m.ID && slices.ContainsFunc(m.Anchors, func(a corridor.Anchor) bool {
		return slices.ContainsFunc(now.Anchors, func(b corridor.Anchor) bool { return a.ID == b.ID && string(a.JWK) == string(b.JWK) }) &&
			slices.ContainsFunc(s.Signatures, func(sig corridor.Signature) bool { return sig.Key == a.ID })
	})
}

// AnswerSigned checks that the answer to a request for an approval is signed by
// the authority that it names, which must be one of the members of a compact
// and speak for the country whose law it answers for. It gives that member.
func AnswerSigned(s corridor.Sealed, a corridor.ApprovalAnswer, members []corridor.Authority) (corridor.Authority, error) {
	if a.By != corridor.ByAuthority {
		return corridor.Authority{}, corridor.E(corridor.Forbidden, "%s is not an authority's", a.Name())
	}
	m, err := memberOf(members, a.Authority, a.Jurisdiction)
	if err == nil {
		err = AuthoritySigned(s, m, a.Authority, a.Jurisdiction)
	}
	return m, err
}
