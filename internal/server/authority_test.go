package server_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/identity"
)

// treaty is a compact of China and Kazakhstan, an order of the authority of
// Kazakhstan, and the same compact with one signature too few.
func treaty(t *testing.T) (compact, order, wrong string) {
	t.Helper()
	now := time.Now()
	c := corridor.Compact{Type: corridor.TypeCompact, ID: "steppe-trade", Version: 1, Title: "Trade", Issued: corridor.Moment(now), ValidFrom: corridor.Moment(now), ValidUntil: corridor.Moment(now.Add(time.Hour)),
		Credentials: []string{}, Packs: map[string]string{}, OtherPacks: corridor.PacksFlag, Opens: []corridor.Opened{{Article: "1", From: "CN", To: "KZ", Classes: []string{corridor.Any}}}}
	var keys []identity.Signer
	for _, country := range []string{"CN", "KZ"} {
		did := "did:web:" + strings.ToLower(country) + ".example"
		key, err := identity.OpenAuthority(filepath.Join(t.TempDir(), "keys"), did, "Ed25519")
		must(t, err)
		anchor, err := identity.AnchorOf(key)
		must(t, err)
		keys = append(keys, key)
		c.Members = append(c.Members, corridor.Authority{ID: did, Jurisdiction: country, Name: country, Anchors: []corridor.Anchor{anchor}})
	}
	text := func(doc corridor.Sealed, err error) string {
		must(t, err)
		raw, err := doc.Encode()
		must(t, err)
		return string(raw)
	}
	one, err := identity.SealAndSign(context.Background(), keys[0], c)
	wrong = text(one, err)
	compact = text(identity.SignSealed(context.Background(), keys[1], one))
	order = text(identity.SealAndSign(context.Background(), keys[1], corridor.Order{Type: corridor.TypeOrder, Authority: c.Members[1].ID, Jurisdiction: "KZ", Number: 1, Act: corridor.OrderSuspend,
		Issued: corridor.Moment(now), Reference: "1/2026", Reason: "an inquiry"}))
	return compact, order, wrong
}
