package exchange

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/store"
)

// An approval is given on facts: what is in the dataset, how many people it is
// about. The provider may publish others under the same identifier. What was
// approved before is then not what would go, and the approval, a document or a
// word, counts no longer until the facts are those again.

// looksAt notes the facts that the dataset of a negotiation has now. Without it
// nothing of the provider's is lifted.
func (n *Negotiation) looksAt(d catalog.Dataset) { n.published = factsDigest(d) }

func factsDigest(d catalog.Dataset) string {
	raw, err := corridor.Canonical(d.Facts)
	if err != nil { // equal to nothing
		return newID()
	}
	return corridor.Digest(raw)
}

// look is looksAt for a step that does not have the dataset at hand. A consumer
// knows only what it was shown.
func (s *Service) look(ctx context.Context, n *Negotiation) error {
	if n.Role != dsp.Provider {
		return nil
	}
	d, err := s.dataset(ctx, n.Dataset)
	if err == nil {
		n.looksAt(d)
	}
	return err
}

// given adds an approval, with the facts that it was given on.
func (n *Negotiation) given(a corridor.Approval) {
	n.Approvals = append(slices.Clip(n.Approvals), a)
	if n.published == "" {
		return
	}
	all := maps.Clone(n.givenOn)
	if all == nil {
		all = map[string]string{}
	}
	all[nameOfApproval(a)] = n.published
	n.givenOn = all
}

// nameOfApproval tells the approvals of a negotiation apart.
func nameOfApproval(a corridor.Approval) string {
	if a.Signed != nil {
		return a.Signed.Digest
	}
	raw, err := corridor.Canonical(a)
	if err != nil {
		return newID()
	}
	return corridor.Digest(raw)
}

// lapsed says whether an approval was given on other facts than the dataset has.
// Of approvals from before this was noted nobody knows.
func (n *Negotiation) lapsed(a corridor.Approval) bool {
	on, noted := n.givenOn[nameOfApproval(a)]
	return noted && n.published != "" && on != n.published
}

// lapsedFor says that an approval which a decision asks for was given on other
// facts; nil if none was.
func (n *Negotiation) lapsedFor(d *corridor.Decision) error {
	for _, a := range slices.Backward(n.agreedOn()) {
		if a.Side != d.Side || !n.lapsed(a) {
			continue
		}
		cites := citesOf(*d)
		return &corridor.Error{Kind: corridor.ApprovalNeeded, Msg: fmt.Sprintf("the law of %s (%s side) needs an approval anew: %s was given on other facts of the dataset than it has now", d.Jurisdiction, d.Side, clip(a.Reference)),
			Why: articles(cites), Fix: "let it be approved as it is now, or publish the facts that were approved", Cites: cites}
	}
	return nil
}

// liftedBy is lifted, with the reason why approvals that were given do not count.
func (n *Negotiation) liftedBy(list []corridor.Approval, d *corridor.Decision, at time.Time) error {
	if n.Role == dsp.Provider && n.published == "" {
		return corridor.E(corridor.Internal, "negotiation %s was to go on without a look at its dataset", n.PID)
	}
	err := lifted(list, d, at)
	if err == nil {
		return nil
	}
	return orElse(n.lapsedFor(d), err)
}

// reviewOther lets the agreements about datasets that are published with other
// facts than before be asked about again. It comes before the datasets are
// written.
func (s *Service) reviewOther(ctx context.Context, tx *store.Tx, list []catalog.Dataset) (some bool, err error) {
	for _, d := range list {
		var one string
		if err := tx.QueryRow(ctx, `SELECT COALESCE((SELECT id FROM agreements WHERE dataset = ? LIMIT 1), '')`, d.ID).Scan(&one); err != nil {
			return some, fmt.Errorf("agreements about %s: %w", d.ID, err)
		}
		if one == "" {
			continue
		}
		old, err := catalog.Get(ctx, tx, d.ID)
		if corridor.KindOf(err) == corridor.NotFound { // agreements of a consumer, about another's dataset of that name
			continue
		}
		if err != nil {
			return some, err
		}
		if factsDigest(old) == factsDigest(d) {
			continue
		}
		if err := s.reviewAll(ctx, tx, corridor.Target{Dataset: d.ID}); err != nil {
			return some, err
		}
		some = true
	}
	return some, nil
}
