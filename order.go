package corridor

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Target says what an order, or any other stop, is about. Of a crossing, all
// that is named must fit; what is empty fits any. The zero Target is
// everything.
type Target struct {
	Participant string `json:"participant,omitempty"` // DID, on either end
	Dataset     string `json:"dataset,omitempty"`
	Class       string `json:"class,omitempty"` // of the fact data_classes
	From        string `json:"from,omitempty"`
	To          string `json:"to,omitempty"`
}

// Covers says whether a crossing is meant. A class that may be in the data
// counts as being there.
func (t Target) Covers(x Crossing) bool {
	fits := func(want string, have ...string) bool { return want == "" || slices.Contains(have, want) }
	return fits(t.Participant, x.Exporter, x.Importer) && fits(t.Dataset, x.Dataset) && fits(t.From, x.From) && fits(t.To, x.To) &&
		(t.Class == "" || !x.ClassesKnown || slices.Contains(x.Classes, t.Class))
}

// String writes a target for a person.
func (t Target) String() string {
	var parts []string
	for _, p := range []struct{ name, v string }{{"participant ", t.Participant}, {"dataset ", t.Dataset}, {"class ", t.Class}, {"from ", t.From}, {"to ", t.To}} {
		if p.v != "" {
			parts = append(parts, p.name+p.v)
		}
	}
	if len(parts) == 0 {
		return "everything"
	}
	return strings.Join(parts, ", ")
}

// What an order does.
const (
	OrderSuspend = "suspend"
	OrderLift    = "lift"
	OrderRevoke  = "revoke" // the admissions of a participant; only a later admission restores it
)

// Order is an act of an authority. It reaches as far as the authority does:
// flows that begin or end in its jurisdiction.
type Order struct {
	Type         string `json:"type"`
	Authority    string `json:"authority"` // DID
	Jurisdiction string `json:"jurisdiction"`
	Number       int64  `json:"number"` // counts from 1, by authority, orders and admissions together
	Act          string `json:"act"`
	Compact      string `json:"compact,omitempty"` // id: only flows under that compact. Empty: all
	Target       Target `json:"target"`
	Lifts        int64  `json:"lifts,omitempty"` // number of the suspension that a lift ends
	Issued       string `json:"issued"`          // RFC 3339, UTC
	Until        string `json:"until,omitempty"` // of a suspension: it ends by itself
	Reference    string `json:"reference"`       // file number
	Reason       string `json:"reason"`
}

// Name is how an order is quoted.
func (o *Order) Name() string {
	return fmt.Sprintf("order %d of the authority of %s (%s)", o.Number, o.Jurisdiction, o.Reference)
}

// DecodeOrder reads an order. It does not judge the signatures.
func DecodeOrder(raw []byte) (Sealed, Order, error) {
	var o Order
	s, err := decodeSealed(raw, TypeOrder, MaxDocument, &o)
	if err == nil {
		err = o.Check()
	}
	return s, o, err
}

// Check says what is wrong with an order by itself.
func (o *Order) Check() error {
	if err := checkNames("order", map[string]string{"authority": o.Authority, "reference": o.Reference, "reason": o.Reason}); err != nil {
		return err
	}
	t := o.Target
	switch {
	case !isCountry(o.Jurisdiction):
		return badField("order.jurisdiction", "%q is not a country", clipped(o.Jurisdiction))
	case o.Number < 1:
		return badField("order.number", "%d: numbers count from 1", o.Number)
	case t.From != "" && !isCountry(t.From) || t.To != "" && !isCountry(t.To):
		return badField("order.target", "%s: a direction is written with two countries", t)
	case t.From != "" && t.To != "" && t.From != o.Jurisdiction && t.To != o.Jurisdiction:
		return &Error{Kind: Forbidden, Where: "order.target", Msg: fmt.Sprintf("an order of %s about flows from %s to %s", o.Jurisdiction, t.From, t.To), Why: "an authority speaks for its own country alone"}
	}
	if _, err := moment(o.Issued); err != nil {
		return badField("order.issued", "%w", err)
	}
	if o.Until != "" {
		if _, err := moment(o.Until); err != nil || o.Act != OrderSuspend {
			return badField("order.until", "%q is not the end of a suspension", clipped(o.Until))
		}
	}
	return o.checkAct()
}

func (o *Order) checkAct() error {
	switch {
	case o.Act == OrderSuspend && o.Lifts == 0:
		return nil
	case o.Act == OrderLift && o.Lifts > 0 && o.Lifts < o.Number && o.Target == Target{} && o.Compact == "":
		return nil
	case o.Act == OrderRevoke && o.Lifts == 0 && o.Target == Target{Participant: o.Target.Participant} && o.Target.Participant != "" && o.Compact == "":
		return nil
	case o.Act == OrderSuspend || o.Act == OrderLift || o.Act == OrderRevoke:
		return &Error{Kind: Invalid, Where: "order", Msg: "the members do not fit the act " + o.Act,
			Fix: "a suspension names its target, a lift the number of an earlier order, a revocation a participant, and none of them more"}
	}
	return badField("order.act", "%q is none of %s, %s, %s", clipped(o.Act), OrderSuspend, OrderLift, OrderRevoke)
}

// Dated refuses an order whose date is to come.
func (o *Order) Dated(now time.Time) error {
	t, err := moment(o.Issued)
	if err != nil {
		return err
	}
	if t.After(now.Add(ClockSkew)) {
		return &Error{Kind: Invalid, Where: "order.issued", Msg: o.Name() + " is dated " + o.Issued + ", which is to come", Fix: "compare the clocks"}
	}
	return nil
}

// Ended says whether a suspension has come to its own end.
func (o *Order) Ended(now time.Time) bool {
	t, err := moment(o.Until)
	return o.Until != "" && err == nil && !now.Before(t)
}

// Touches says whether a flow begins or ends in the order's jurisdiction and is
// what the order is about.
func (o *Order) Touches(x Crossing) bool {
	return (x.From == o.Jurisdiction || x.To == o.Jurisdiction) && o.Target.Covers(x)
}

// Admission is the word of an authority that a participant is established in
// its jurisdiction and may take part.
type Admission struct {
	Type         string   `json:"type"`
	Authority    string   `json:"authority"`
	Jurisdiction string   `json:"jurisdiction"`
	Number       int64    `json:"number"`
	Participant  string   `json:"participant"` // DID
	Name         string   `json:"name"`
	Traits       []string `json:"traits"` // of its sector, in the words of the facts exporter_traits and recipient_type
	Issued       string   `json:"issued"`
	ValidFrom    string   `json:"valid_from"`
	ValidUntil   string   `json:"valid_until"`
}

// DecodeAdmission reads an admission. It does not judge the signatures.
func DecodeAdmission(raw []byte) (Sealed, Admission, error) {
	var a Admission
	s, err := decodeSealed(raw, TypeAdmission, MaxDocument, &a)
	if err == nil {
		err = a.Check()
	}
	return s, a, err
}

// Check says what is wrong with an admission by itself.
func (a *Admission) Check() error {
	if err := checkNames("admission", map[string]string{"authority": a.Authority, "participant": a.Participant, "name": a.Name}); err != nil {
		return err
	}
	if !isCountry(a.Jurisdiction) || a.Number < 1 || !strings.HasPrefix(a.Participant, "did:") || len(a.Traits) > maxAnchors {
		return badField("admission", "jurisdiction, number, participant or traits are not as they must be")
	}
	return checkSpan("admission", a.Issued, a.ValidFrom, a.ValidUntil)
}

// Holds says why an admission does not hold at a time, or nil.
func (a *Admission) Holds(at time.Time) error {
	return within(fmt.Sprintf("the admission of %s by the authority of %s", a.Participant, a.Jurisdiction), a.Issued, a.ValidFrom, a.ValidUntil, at)
}

// Feed is all that an authority has ordered and whom it has admitted, as of a
// moment, with the moment until which it may be relied on.
type Feed struct {
	Type         string   `json:"type"`
	Authority    string   `json:"authority"`
	Jurisdiction string   `json:"jurisdiction"`
	Number       int64    `json:"number"` // counts from 1
	ThisUpdate   string   `json:"this_update"`
	NextUpdate   string   `json:"next_update"` // after it nobody may rely on this feed
	Refresh      int64    `json:"refresh"`     // seconds after which to ask for a newer one
	Last         int64    `json:"last"`        // the highest number given out so far; 0: none
	Orders       []Sealed `json:"orders"`      // by number
	Admissions   []Sealed `json:"admissions"`  // by number
}

// DecodeFeed reads a feed. It does not judge the signatures.
func DecodeFeed(raw []byte) (Sealed, Feed, error) {
	var f Feed
	s, err := decodeSealed(raw, TypeFeed, MaxFeed, &f)
	if err == nil {
		err = f.Check()
	}
	return s, f, err
}

// Check says what is wrong with a feed by itself.
func (f *Feed) Check() error {
	this, err1 := moment(f.ThisUpdate)
	next, err2 := moment(f.NextUpdate)
	switch {
	case err1 != nil || err2 != nil || !this.Before(next):
		return badField("feed.next_update", "%q is not a moment after %q", clipped(f.NextUpdate), clipped(f.ThisUpdate))
	case f.Refresh < 1 || f.Refresh > int64(next.Sub(this)/time.Second):
		return badField("feed.refresh", "%d seconds do not lie between the two updates", f.Refresh)
	case !isCountry(f.Jurisdiction) || f.Authority == "" || f.Number < 1 || f.Last < 0:
		return badField("feed", "authority, jurisdiction or numbers are not as they must be")
	case len(f.Orders) > maxListed || len(f.Admissions) > maxListed:
		return E(Limited, "feed: more than %d orders or admissions", maxListed)
	}
	return nil
}

// Fresh says why a feed may not be relied on at a time, or nil.
func (f *Feed) Fresh(at time.Time) error {
	this, err1 := moment(f.ThisUpdate)
	next, err2 := moment(f.NextUpdate)
	switch {
	case err1 != nil || err2 != nil:
		return E(Invalid, "feed: its dates cannot be read")
	case this.After(at.Add(ClockSkew)):
		return &Error{Kind: Invalid, Where: "feed.this_update", Msg: "the feed of the authority of " + f.Jurisdiction + " is dated " + f.ThisUpdate + ", which is to come", Fix: "compare the clocks"}
	case !at.Before(next):
		return &Error{Kind: RefusedByLaw, Where: "feed.next_update", Msg: "the orders of the authority of " + f.Jurisdiction + " are not known since " + f.NextUpdate,
			Why: "what may have been suspended since then is taken to be", Fix: "let the node reach the authority's feed"}
	}
	return nil
}
