package exchange

import (
	"context"
	"fmt"
	"slices"

	"corridor"
	"corridor/internal/dsp"
)

// Where the law names an authority as the one who approves, a node may want to
// see the authority's document instead of its operator's word that there is
// one. This file says where, and keeps words from counting there.

// The values of Config.SignedApprovals.
const (
	SignedAlways        = "always"         // wherever the law names an authority
	SignedWherePossible = "where_possible" // where a compact gives this node the keys of such an authority
	SignedNever         = "never"          // the operator's word suffices; bundles note that it stands alone
)

// CheckSignedApprovals says what is wrong with a value of SignedApprovals, or
// nil.
func CheckSignedApprovals(where, value string) error {
	known := []string{SignedAlways, SignedWherePossible, SignedNever}
	if value == "" || slices.Contains(known, value) {
		return nil
	}
	return &corridor.Error{Kind: corridor.Invalid, Where: where, Msg: fmt.Sprintf("%q is not a way to approve", clip(value)), Fix: fmt.Sprintf("use any of %v", known)}
}

// signedOnly lists the provisions of a decision made here that only a signed
// document of an authority lifts.
func (s *Service) signedOnly(d *corridor.Decision) []corridor.Demand {
	if d.Outcome != corridor.NeedsApproval || s.cfg.SignedApprovals == SignedNever {
		return nil
	}
	// A compact that is not in force counts too: its end is no reason to be
	// content with less.
	if s.cfg.SignedApprovals != SignedAlways && !slices.ContainsFunc(s.trust.Load().authorities(), func(m corridor.Authority) bool { return m.Jurisdiction == d.Jurisdiction }) {
		return nil
	}
	return slices.DeleteFunc(d.Demands(), func(x corridor.Demand) bool { return x.By != corridor.ByAuthority })
}

// lifts says why no approval of a negotiation lifts what a decision made here
// ties to one, or nil.
func (s *Service) lifts(n *Negotiation, d *corridor.Decision) error {
	list := n.current()
	if len(s.signedOnly(d)) > 0 {
		list = documents(list)
	}
	return n.liftedBy(list, d, s.now())
}

// liftsStill is lifts for what was agreed on before. A word that sufficed then
// is not taken back; it does not reach what the law has come to tie to an
// authority since.
func (s *Service) liftsStill(n *Negotiation, d *corridor.Decision) error {
	demands, on := s.signedOnly(d), n.sided(d.Side)
	if len(demands) == 0 || on == nil {
		return s.lifts(n, d)
	}
	st, err := on.decode()
	if err != nil {
		return err
	}
	then := st.Decision.Demands()
	for _, x := range demands {
		if !slices.ContainsFunc(then, func(y corridor.Demand) bool { return y.Rule == x.Rule && y.By == corridor.ByAuthority }) {
			return s.lifts(n, d)
		}
	}
	return n.liftedBy(n.current(), d, s.now())
}

// documents lists the signed ones of approvals.
func documents(list []corridor.Approval) []corridor.Approval {
	return slices.DeleteFunc(slices.Clone(list), func(a corridor.Approval) bool { return a.Signed == nil })
}

// wordTaken says why an operator's word about a side is not taken, or nil. Once
// the authority's document is there, a word still brings evidence of what the
// firm itself owes.
func (s *Service) wordTaken(ctx context.Context, n *Negotiation, side corridor.Side) error {
	if n.sided(side) == nil && !(n.Role == dsp.Provider && side == corridor.Export) {
		return nil // nothing is decided yet that the word could lift
	}
	peer, err := s.cfg.Directory.Lookup(ctx, n.Peer)
	if err != nil {
		return err
	}
	flow, err := s.flowNow(ctx, n, side, peer.Participant)
	if err != nil {
		return err
	}
	d, err := s.cfg.Law.DecideSide(flow, side)
	if err != nil {
		return fmt.Errorf("own law: %w", err)
	}
	demands := s.signedOnly(&d)
	if len(demands) == 0 || s.lifts(n, &d) == nil {
		return nil
	}
	first := demands[0]
	return &corridor.Error{Kind: corridor.Forbidden, Where: first.Rule,
		Msg:   fmt.Sprintf("the law of %s leaves this approval to an authority (%v), and this node takes it as a signed document only (signed_approvals)", d.Jurisdiction, first.Duties),
		Why:   articles(first.Articles),
		Fix:   "let the authority answer what corridor approvals request " + n.PID + " writes: its signed answer lets the negotiation go on",
		Cites: first.Articles}
}
