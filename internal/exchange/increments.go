package exchange

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/internal/plane"
	"corridor/internal/store"
)

//go:embed increments.sql
var incrementsSchema string

//go:embed increments_postgres.sql
var incrementsPostgres string

// A transfer of a dataset that grows goes on: it stays STARTED until one side
// completes, suspends or terminates it. Each increment is a process of its own
// below it, with the same life as a transfer that ends: the law is asked before
// it begins, its release, arrival and acknowledgement are receipts, its copy has
// a term. It begins when the consumer asks for its address, in the order of the
// numbers, and nothing of it moves unless the transfer itself is STARTED. Where the
// data is pushed it begins when there is one: see increments_push.go.

// lookEvery is how often a consumer asks whether there is more, if no nudge
// comes.
const lookEvery = time.Minute

// growing says whether a transfer goes on.
func (t *Transfer) growing() bool { return endless(t.Format) }

func endless(format string) bool {
	return format == catalog.FormatGrowing || format == catalog.FormatGrowingPush
}

const incrementMark = "~"

func incrementPID(of string, number int64) string {
	return of + incrementMark + strconv.FormatInt(number, 10)
}

// splitIncrement reads the name of an increment.
func splitIncrement(pid string) (of string, number int64, ok bool) {
	at := strings.LastIndex(pid, incrementMark)
	if at < 0 {
		return "", 0, false
	}
	number, err := strconv.ParseInt(pid[at+1:], 10, 64)
	ok = err == nil && number >= 1 && number <= MaxIncrements && incrementPID(pid[:at], number) == pid
	return pid[:at], number, ok
}

// asWhole refuses an act on one increment: it begins and ends with its transfer.
func (t *Transfer) asWhole() error {
	if t.PartOf == "" {
		return nil
	}
	return &corridor.Error{Kind: corridor.Conflict, Msg: fmt.Sprintf("this is increment %d of the transfer %s", t.Number, t.PartOf), Fix: "act on that transfer"}
}

// asWholeFrom is the same for a message of the peer's.
func (t *Transfer) asWholeFrom(m dsp.Process) error {
	if m.Type() == dsp.TypeCompletion || m.Type() == dsp.TypeTermination {
		return nil
	}
	return t.asWhole()
}

// datasetOf reads what a transfer, or an increment, brings; of one that goes on,
// what it has brought last. The number is that of the increment, or 0.
func (s *Service) datasetOf(ctx context.Context, t *Transfer) (d catalog.Dataset, number int64, err error) {
	if d, err = s.dataset(ctx, t.Dataset); err != nil {
		return d, 0, err
	}
	switch {
	case t.PartOf != "":
		number = t.Number
	case t.growing():
		number = max(1, t.Increments)
	default:
		return d, 0, nil
	}
	i, err := s.incrementOf(ctx, d, number)
	return i.as(d), number, err
}

// whole reads the transfer of which t is an increment; nil if it is none.
func (s *Service) whole(ctx context.Context, t *Transfer) (*Transfer, error) {
	if t.PartOf == "" {
		return nil, nil
	}
	p, err := s.transfer(ctx, t.PartOf)
	return &p, err
}

// openNow says whether bytes may flow now: those of an increment only while its
// transfer is open too.
func (s *Service) openNow(ctx context.Context, t *Transfer) error {
	if err := t.open(); err != nil {
		return err
	}
	if t.growing() {
		return &corridor.Error{Kind: corridor.Conflict, Msg: "this transfer goes on, and each increment has an address of its own", Fix: "ask for it at " + AddressPath(incrementPID(t.PID, max(1, t.Increments)))}
	}
	p, err := s.whole(ctx, t)
	if err != nil || p == nil {
		return err
	}
	return p.open()
}

// coversNow holds what our law demands today against what both sides have
// agreed is done to the bytes, and today against the life of the agreement.
func (s *Service) coversNow(a *Agreement, d catalog.Dataset, decision corridor.Decision) error {
	body, err := s.signedBody(a)
	if err != nil {
		return err
	}
	if _, err := s.withinTerm(body); err != nil {
		return err
	}
	d.Plan = body.Transforms
	_, err = makePlan(d, nil, []corridor.Decision{decision})
	return err
}

// increment is the address of one increment for its consumer. One that is asked
// for the first time begins with that; where none was added yet the answer has
// no address.
func (s *Service) increment(ctx context.Context, c identity.Caller, of string, number int64) (m *dsp.TransferStartMessage, err error) {
	err = again(func() error {
		t, err := s.transfer(ctx, of)
		if err != nil {
			return err
		}
		if t.Peer != c.DID || t.Role != dsp.Provider || !t.growing() || t.pushed() {
			return noSuch("transfer", of)
		}
		if err := t.open(); err != nil {
			return err
		}
		if t.Parked != "" { // such as an end that the consumer has not taken
			return &corridor.Error{Kind: corridor.Conflict, Msg: "the transfer waits for a person of its provider", Why: t.Parked, Fix: "ask the provider to end or to resume it"}
		}
		d, err := s.dataset(ctx, t.Dataset)
		if err != nil {
			return err
		}
		m = &dsp.TransferStartMessage{Pids: dsp.Pids{ProviderPid: incrementPID(of, number), ConsumerPid: incrementPID(t.PeerPID, number)}}
		i, err := s.incrementOf(ctx, d, number)
		if corridor.KindOf(err) == corridor.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		part, err := s.openIncrement(ctx, c, &t, number)
		if err != nil {
			return err
		}
		if m.Facts, err = json.Marshal(i.as(d).PublicFacts()); err != nil {
			return corridor.E(corridor.Internal, "facts of an increment: %w", err)
		}
		m.DataAddress, err = s.dataAddress(&part)
		return err
	})
	return m, err
}

// openIncrement gives an increment that is open to its consumer, and begins it
// if that is its turn.
func (s *Service) openIncrement(ctx context.Context, c identity.Caller, t *Transfer, number int64) (Transfer, error) {
	part, err := s.transfer(ctx, incrementPID(t.PID, number))
	if err != nil && corridor.KindOf(err) == corridor.NotFound {
		return s.beginIncrement(ctx, c.Peer.Participant, t, number)
	}
	if err == nil {
		err = part.open()
	}
	return part, err
}

// beginIncrement lets one increment go, if our law, the policy and the counts
// of today permit it; else the whole transfer is suspended, with the reason.
func (s *Service) beginIncrement(ctx context.Context, peer corridor.Participant, t *Transfer, number int64) (part Transfer, err error) {
	if number > 1 {
		before, err := s.transfer(ctx, incrementPID(t.PID, number-1))
		if err == nil && before.Released != nil {
			err = nil
		} else if err == nil || corridor.KindOf(err) == corridor.NotFound {
			err = &corridor.Error{Kind: corridor.Conflict, Msg: fmt.Sprintf("increment %d has not been fetched", number-1), Fix: "take the increments in their order"}
		}
		if err != nil {
			return part, err
		}
	}
	a, err := s.Agreement(ctx, t.Agreement)
	if err == nil {
		err = a.inForce()
	}
	if err != nil {
		return part, err
	}
	if err := s.roomForIncrement(ctx, t.Agreement); err != nil {
		if corridor.KindOf(err) != corridor.Limited {
			return part, err
		}
		return part, s.holdUp(ctx, t.PID, err)
	}
	part = t.increment(number, s.now())
	st := &step{tr: &part, whole: t}
	refused, err := s.exportStill(ctx, peer, a, &part, st)
	if err != nil {
		return part, err
	}
	if refused != nil {
		return part, s.holdUp(ctx, t.PID, refused)
	}
	t.Increments = number
	st.receipts = []receipt{{body: corridor.Receipt{Type: corridor.ReceiptTransferStarted, State: string(part.State), Digests: map[string]string{"agreement": a.Digest}}}}
	return part, s.commit(ctx, st)
}

// roomForIncrement refuses an increment whose receipts would find no room in
// the bundle of its agreement, however many transfers they are of.
func (s *Service) roomForIncrement(ctx context.Context, agreement string) error {
	var n int64
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT COUNT(*) FROM transfers WHERE agreement = ? AND part_of <> ''`, agreement).Scan(&n)
	})
	if err != nil {
		return fmt.Errorf("increments under %s: %w", agreement, err)
	}
	if n >= MaxIncrements {
		return &corridor.Error{Kind: corridor.Limited, Where: agreement, Msg: fmt.Sprintf("%d increments have gone under this agreement, and its proof holds no more", n), Fix: "negotiate a new agreement"}
	}
	return nil
}

// increment is the record of an increment that begins.
func (t *Transfer) increment(number int64, now time.Time) Transfer {
	format := catalog.FormatPull
	if t.pushed() {
		format = catalog.FormatPush
	}
	return Transfer{PID: incrementPID(t.PID, number), PeerPID: incrementPID(t.PeerPID, number), PartOf: t.PID, Number: number, Role: t.Role, Peer: t.Peer, Callback: t.Callback,
		Agreement: t.Agreement, Negotiation: t.Negotiation, Dataset: t.Dataset, State: dsp.Started, Format: format, Created: now.UTC()}
}

// holdUp suspends a transfer whose next increment is refused, and gives the
// refusal.
func (s *Service) holdUp(ctx context.Context, pid string, refused error) error {
	_, err := s.actTransfer(ctx, pid, func(t *Transfer, st *step) error {
		if t.Pending != dsp.Started && (t.State != dsp.Started || t.Pending != dsp.None) {
			return nil
		}
		code, why, _ := explain(refused)
		return s.suspend(t, st, code, why)
	})
	if err != nil {
		return err
	}
	return refused
}

// follow brings the increments of a transfer, one after the other, until there
// is none for now.
func (s *Service) follow(ctx context.Context, pid string) error {
	for {
		s.run.looks(pid)
		var part *Transfer
		err := again(func() (err error) {
			part, err = s.nextIncrement(ctx, pid)
			return err
		})
		if err != nil {
			return err
		}
		if part == nil {
			return s.lookLater(ctx, pid)
		}
		err = s.carry(ctx, part)
		s.run.forget(part.PID)
		if err != nil {
			return err
		}
	}
}

// restsHere says whether a transfer has nothing on its way, and this node asks
// for more by itself. Nodes on one database tell each other of each lease that
// is free: if every one asked at that, they would not stop.
func (s *Service) restsHere(ctx context.Context, t *Transfer) bool {
	if !s.run.waits(t.PID) || t.Increments == 0 {
		return s.run.waits(t.PID)
	}
	part, err := s.transfer(ctx, incrementPID(t.PID, t.Increments))
	return err == nil && part.gone()
}

// gone says whether an increment has nothing on its way any more, as whoever
// moves it sees it.
func (t *Transfer) gone() bool {
	if t.pushed() {
		return t.Acknowledged != nil
	}
	return t.Received != nil
}

// nextIncrement gives the increment that is on its way, or else begins the next
// one; nil: there is none for now.
func (s *Service) nextIncrement(ctx context.Context, pid string) (*Transfer, error) {
	t, err := s.transfer(ctx, pid)
	if err != nil || t.State != dsp.Started || t.Pending != dsp.None {
		return nil, err
	}
	if t.Increments > 0 {
		part, err := s.transfer(ctx, incrementPID(pid, t.Increments))
		if err != nil || !part.gone() {
			return s.takenUp(ctx, &part, err)
		}
	}
	if t.Increments == MaxIncrements {
		return nil, nil
	}
	if t.pushed() {
		return s.nextToPush(ctx, &t, t.Increments+1)
	}
	m, err := s.askIncrement(ctx, &t, t.Increments+1)
	if err != nil || m == nil {
		return nil, err
	}
	part, refused, err := s.acceptIncrement(ctx, &t, t.Increments+1, m)
	if refused != nil {
		s.log.WarnContext(ctx, "an increment is not taken", "transfer", t.PID, "increment", t.Increments+1, "error", refused)
	}
	return part, err
}

// takenUp goes on with an increment that is on its way.
func (s *Service) takenUp(ctx context.Context, part *Transfer, err error) (*Transfer, error) {
	switch {
	case err != nil:
		return nil, err
	case part.State.Final():
		return nil, &corridor.Error{Kind: corridor.Conflict, Msg: fmt.Sprintf("increment %d is %s and did not arrive", part.Number, stateName(part.State)), Fix: "terminate the transfer and ask for another one"}
	case part.Waiting.isOver(s.now(), part.Pending): // the node was down, or the transfer suspended
		again, err := s.takenUpAgain(ctx, part.PID)
		return &again, err
	}
	return part, nil
}

// askIncrement asks the provider for the address of an increment; nil: there is
// none yet, or the provider cannot be reached for the moment.
func (s *Service) askIncrement(ctx context.Context, t *Transfer, number int64) (*dsp.TransferStartMessage, error) {
	reply, err := s.client.Get(ctx, dsp.Peer{ID: t.Peer, Base: t.Callback}, AddressPath(incrementPID(t.PeerPID, number)))
	if err != nil {
		if ctx.Err() != nil || dsp.Permanent(err) {
			return nil, err
		}
		s.log.InfoContext(ctx, "the provider could not be asked for the next increment; it is asked again", "transfer", t.PID, "error", err)
		return nil, nil
	}
	m, err := dsp.Decode[dsp.TransferStartMessage](reply.Body)
	if err != nil {
		return nil, err
	}
	if want := (dsp.Pids{ProviderPid: incrementPID(t.PeerPID, number), ConsumerPid: incrementPID(t.PID, number)}); m.Pids != want {
		return nil, corridor.E(corridor.Invalid, "the provider answers about %s, and was asked about %s", clip(m.ProviderPid), want.ProviderPid)
	}
	if m.DataAddress == nil {
		return nil, nil
	}
	if s.cfg.Guard != nil {
		if err := s.guard(ctx, m.DataAddress.URL()); err != nil {
			return nil, &corridor.Error{Kind: corridor.Invalid, Where: "dataAddress.endpoint", Msg: "cannot be called", Err: err}
		}
	}
	return m, nil
}

// acceptIncrement begins an increment as its consumer, if our own law permits
// it with the numbers that the provider states; else the whole transfer is
// suspended.
func (s *Service) acceptIncrement(ctx context.Context, t *Transfer, number int64, m *dsp.TransferStartMessage) (_ *Transfer, refused, err error) {
	a, err := s.Agreement(ctx, t.Agreement)
	if err == nil {
		err = a.inForce()
	}
	if err != nil {
		return nil, nil, err
	}
	part := t.increment(number, s.now())
	part.address, part.dest = m.DataAddress, incrementFile(t.dest, number)
	st := &step{tr: &part, whole: t}
	refused, err = s.importIncrement(ctx, &a, &part, m.Facts, st)
	if err != nil {
		return nil, nil, err
	}
	if refused != nil {
		return nil, s.holdUp(ctx, t.PID, refused), nil
	}
	t.Increments = number
	st.receipts = []receipt{{body: corridor.Receipt{Type: corridor.ReceiptTransferStarted, State: string(part.State), Digests: map[string]string{"agreement": a.Digest}}}}
	return &part, nil, s.commit(ctx, st)
}

// incrementFile names the file of an increment.
func incrementFile(dest string, number int64) string {
	ext := filepath.Ext(dest)
	return fmt.Sprintf("%s-%04d%s", strings.TrimSuffix(dest, ext), number, ext)
}

// importIncrement asks our own law about an increment: the flow that was agreed
// on, with the numbers of people that this one has.
func (s *Service) importIncrement(ctx context.Context, a *Agreement, part *Transfer, stated json.RawMessage, st *step) (refused, err error) {
	n, err := s.Negotiation(ctx, a.Negotiation)
	if err != nil {
		return nil, err
	}
	if n.Own == nil || n.Own.Flow == nil {
		return nil, corridor.E(corridor.Internal, "the negotiation holds no decision of ours")
	}
	var numbers corridor.Facts
	if len(stated) > 0 {
		if err := json.Unmarshal(stated, &numbers); err != nil {
			return nil, corridor.E(corridor.Invalid, "corridor:facts: %w", err)
		}
	}
	n.Own = n.Own.withNumbers(n.Shown, numbers)
	u, err := s.usesOf(ctx, &n, part)
	if err != nil {
		return nil, err
	}
	st.uses = &u
	if refused := orElse(s.approvalsHold(&n, s.cfg.Self, u.before), u.made()); refused != nil {
		return refused, nil
	}
	if err := s.mayCross(ctx, n.Role, n.Peer, n.Dataset, n.PID); err != nil {
		return asRefusal(err)
	}
	decision, refused, err := s.importNow(&n)
	if err != nil || refused != nil {
		return refused, err
	}
	return s.coversNow(a, catalog.Dataset{ID: a.Dataset}, decision), nil
}

// withNumbers is a decision about the flow with other numbers of people. One
// that the catalogue showed and that is not stated any more is not known.
func (d *SidedDecision) withNumbers(shown, numbers corridor.Facts) *SidedDecision {
	flow, out := *d.Flow, *d
	flow.Facts = flow.Facts.Clone()
	for _, name := range incrementNumbers() {
		if v, stated := numbers[name]; stated {
			flow.Facts[name] = v
		} else if _, was := shown[name]; was {
			delete(flow.Facts, name)
		}
	}
	out.Flow = &flow
	return &out
}

// lookLater lets the provider be asked again after a while; where a person
// fetches what comes, it waits for one.
func (s *Service) lookLater(ctx context.Context, pid string) error {
	t, err := s.transfer(ctx, pid)
	if err != nil || t.State != dsp.Started || t.Pending != dsp.None {
		return err
	}
	held := ""
	if !t.pushed() {
		peer, err := s.cfg.Directory.Lookup(ctx, t.Peer)
		if err != nil { // a person may be wanted
			return err
		}
		held = s.held(StepFetch, peer, nil)
	}
	if held == "" {
		s.run.lookAfter(pid, s.cfg.LookEvery)
		return nil
	}
	_, err = s.actTransfer(ctx, pid, func(t *Transfer, _ *step) error {
		if t.State == dsp.Started && t.Pending == dsp.None {
			t.Parked, t.wanted = held, false
		}
		return nil
	})
	return err
}

// endIncrement ends, with a transfer that has come to its end, the increment of
// it that was on its way. One that is all there has an end of its own: the
// consumer, who alone knows, confirms it or says that it did not arrive.
func (s *Service) endIncrement(ctx context.Context, tx *store.Tx, t *Transfer) error {
	if !t.growing() || !t.State.Final() || t.Increments == 0 {
		return nil
	}
	part, err := s.loadTransfer(ctx, tx, `pid = ?`, incrementPID(t.PID, t.Increments))
	if err != nil {
		return ignoreNone(err)
	}
	if part.State.Final() {
		return nil
	}
	if part.SHA256 != "" {
		return s.confirmIncrement(ctx, tx, &part)
	}
	part.State, part.Code, part.Reason, part.Parked = dsp.Terminated, t.Code, []string{"the transfer is " + stateName(t.State)}, ""
	st := &step{tr: &part, receipts: []receipt{{body: corridor.Receipt{Type: corridor.ReceiptTransferTerminated, State: string(part.State), Reason: short(part.Code, part.Reason)}}}}
	if part.Role == dsp.Consumer { // the provider may have released all of it, and then waits for a word about it
		s.sayStop(&part, dsp.Terminated, st)
	}
	st.after = append(st.after, func() { s.cut(part.PID, string(t.State)) })
	return s.write(ctx, tx, st)
}

// ofWhole adds what an increment brings to what its transfer has brought.
func (st *step) ofWhole(r plane.Result) {
	if st.whole != nil {
		st.whole.Bytes, st.whole.Rows = st.whole.Bytes+r.Bytes, st.whole.Rows+r.Rows
	}
}

// streamsOf lists the increments of a transfer of which streams are open here.
func (s *Service) streamsOf(pid string) []string {
	return slices.DeleteFunc(s.plane.Transfers(), func(open string) bool { return !strings.HasPrefix(open, pid+incrementMark) })
}
