package exchange

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/plane"
	"corridor/internal/store"
)

// runs are the streams of this process: the fetches under way, and how far
// each transfer has come. All of it is lost at a crash and found again from
// the records.
type runs struct {
	mu      sync.Mutex
	cancels map[string]context.CancelFunc // fetches, by pid
	far     map[string]int64              // bytes so far, by pid, both roles
	moved   map[string]time.Time          // when it was last written down that they move
	queue   map[string]bool               // fetches wanted while Run has not begun, or while one is ending
	pauses  map[string]*time.Timer        // until those are tried again that stand still
	orphans bool                          // another node is gone, and may have left fetches
	wake    chan struct{}

	looked    map[string]time.Time // when it was last asked whether there is more, by pid of data that goes on
	lookAgain map[string]bool      // there was a nudge while that was asked
}

func newRuns() runs {
	return runs{cancels: map[string]context.CancelFunc{}, far: map[string]int64{}, moved: map[string]time.Time{}, queue: map[string]bool{}, pauses: map[string]*time.Timer{},
		wake: make(chan struct{}, 1), looked: map[string]time.Time{}, lookAgain: map[string]bool{}}
}

// wanted asks for a fetch.
func (r *runs) wanted(pid string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ask(pid)
}

// ask needs the lock.
func (r *runs) ask(pid string) {
	r.queue[pid] = true
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// later asks for a fetch after a pause; a newer pause takes the place of an
// older one.
func (r *runs) later(pid string, pause time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pauseFor(pid, pause)
}

// pauseFor needs the lock.
func (r *runs) pauseFor(pid string, pause time.Duration) {
	r.hurry(pid)
	r.pauses[pid] = time.AfterFunc(pause, func() { r.wanted(pid) })
}

// hurry ends a pause. It needs the lock.
func (r *runs) hurry(pid string) {
	if pause := r.pauses[pid]; pause != nil {
		pause.Stop()
		delete(r.pauses, pid)
	}
}

// stop ends a fetch at once.
func (r *runs) stop(pid string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.queue, pid)
	r.hurry(pid)
	delete(r.far, pid)
	delete(r.moved, pid)
	delete(r.looked, pid)
	delete(r.lookAgain, pid)
	if cancel := r.cancels[pid]; cancel != nil {
		cancel()
	}
}

// waits says whether a fetch is asked for after a pause.
func (r *runs) waits(pid string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pauses[pid] != nil
}

// forget drops how far a stream has come that is at its end.
func (r *runs) forget(pid string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.far, pid)
	delete(r.moved, pid)
}

func (r *runs) note(pid string, n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.far[pid] = n
}

// heard says whether a step has passed since it was last written down that
// the data of a transfer moves.
func (r *runs) heard(pid string, now time.Time, step time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, ok := r.moved[pid]; ok && now.Sub(last) < step {
		return false
	}
	r.moved[pid] = now
	return true
}

func (r *runs) progress(pid string) (int64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, ok := r.far[pid]
	return n, ok
}

// next takes the fetches that can begin now.
func (r *runs) next(ctx context.Context) map[string]context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]context.Context{}
	for pid := range r.queue {
		if r.cancels[pid] != nil { // still ending: it will wake us
			continue
		}
		delete(r.queue, pid)
		r.hurry(pid)
		run, cancel := context.WithCancel(ctx)
		r.cancels[pid] = cancel
		out[pid] = run
	}
	return out
}

func (r *runs) ended(pid string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if cancel := r.cancels[pid]; cancel != nil {
		cancel()
	}
	delete(r.cancels, pid)
	delete(r.far, pid)
	delete(r.moved, pid)
	if len(r.queue) > 0 {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// runFetches fetches what has been started until ctx ends. It begins with the
// transfers that an earlier run left in the middle.
func (s *Service) runFetches(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	s.run.look()
	for {
		if s.run.takeOrphans() {
			if err := s.recover(ctx); err != nil && ctx.Err() == nil {
				if !s.db.Away(err) {
					return err
				}
				s.log.WarnContext(ctx, "what is to be fetched could not be read; it is tried again", "error", err)
				time.AfterFunc(retryAway, s.run.look)
			}
		}
		for pid, run := range s.run.next(ctx) {
			wg.Go(func() {
				defer s.run.ended(pid)
				s.move(run, pid)
				s.deletionsChanged() // it may have been ended meanwhile: see discard
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.run.wake:
		}
	}
}

// retryAway is how soon something is tried again that a database which is away
// prevented.
const retryAway = time.Second

// recover asks for every fetch whose transfer is started and whose file has
// not been recorded.
func (s *Service) recover(ctx context.Context) error {
	for p := (Page{State: string(dsp.Started)}); ; {
		list, next, err := s.Transfers(ctx, p)
		if err != nil {
			return err
		}
		for _, t := range list {
			if !t.moves() || t.Pending != dsp.None || t.Parked != "" || t.Deleted != nil || s.run.has(t.PID) || t.PartOf != "" && t.Received == nil {
				continue
			}
			if t.growing() && s.restsHere(ctx, &t) || s.stalledStill(&t) {
				continue
			}
			if peer, err := s.cfg.Directory.Lookup(ctx, t.Peer); err == nil && (t.pushed() || t.wanted || s.held(StepFetch, peer, nil) == "") {
				s.run.wanted(t.PID)
			}
		}
		if p.After = next; next == "" {
			return nil
		}
	}
}

// stalledStill says whether a transfer stands still and is not to be tried yet,
// on whichever node that was found. This one tries it then, in case the other
// is gone: tried at once, it would go from node to node without a pause.
func (s *Service) stalledStill(t *Transfer) bool {
	if t.Stalled == nil {
		return false
	}
	left := min(t.Stalled.Retry.Sub(s.now()), longestStall) // a clock may have been set
	if left <= 0 {
		return false
	}
	s.run.later(t.PID, left)
	return true
}

// moves says whether the data of a transfer moves by our own doing: as the
// consumer we fetch, as the provider we push.
func (t *Transfer) moves() bool { return (t.Role == dsp.Provider) == t.pushed() }

// move carries out one transfer. What it cannot do is left to the operator.
func (s *Service) move(ctx context.Context, pid string) {
	ctx, release, ok, err := s.db.Claim(ctx, leaseMove+pid)
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "a transfer waits for the database", "transfer", pid, "error", err)
		time.AfterFunc(retryAway, func() { s.run.wanted(pid) })
		return
	}
	if err != nil || !ok { // another node is at it; if it dies, it is looked for again
		return
	}
	defer release()
	t, err := s.transfer(ctx, pid)
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "a transfer waits for its record", "transfer", pid, "error", err)
		s.run.later(pid, retryAway)
	}
	if err != nil || !t.moves() || t.State != dsp.Started || t.Pending != dsp.None {
		return // stopped meanwhile, or complete
	}
	if refused := s.mayCross(ctx, t.Role, t.Peer, t.Dataset, t.Negotiation); refused != nil && !unknownNow(refused) {
		s.log.WarnContext(ctx, "a transfer does not go on", "transfer", pid, "error", refused)
		s.run.later(pid, s.cfg.LookEvery) // the review of its agreement suspends it, if that was a refusal
		return
	}
	if (!t.growing() || t.Stalled != nil) && t.Waiting.isOver(s.now(), t.Pending) && (t.Stalled == nil || s.began.After(*t.Waiting.By)) { // the node was down
		t, err = s.takenUpAgain(ctx, pid)
	}
	what := "fetched"
	if t.pushed() {
		what = "pushed"
	}
	if err == nil {
		if err = s.mayFlow(ctx, &t); unknownNow(err) && ctx.Err() == nil && !t.Waiting.isOver(s.now(), t.Pending) {
			s.standStill(ctx, pid, err)
			return
		}
	}
	if err == nil && t.Stalled != nil {
		t, err = s.actTransfer(ctx, pid, func(t *Transfer, _ *step) error {
			t.Stalled = nil
			return nil
		})
	}
	if err == nil {
		err = s.carry(ctx, &t)
	}
	if err == nil || ctx.Err() != nil {
		return
	}
	s.log.WarnContext(ctx, "a transfer could not be "+what, "transfer", pid, "error", err)
	_, perr := s.actTransfer(ctx, pid, func(t *Transfer, _ *step) error {
		if t.State != dsp.Started || t.Pending != dsp.None {
			return nil
		}
		_, reason, _ := explain(err)
		t.Parked = "the data could not be " + what + ": " + strings.Join(reason, "; ")
		return nil
	})
	if perr != nil && ctx.Err() == nil { // nobody knows that it failed: it must not stay there as if it went on
		s.log.ErrorContext(ctx, "a failed transfer could not be recorded; it is tried again", "transfer", pid, "error", perr)
		time.AfterFunc(retryAway, func() { s.run.wanted(pid) })
	}
}

// Stall is why data that may move stands still, and when that is tried again.
type Stall struct {
	Why   string    `json:"why"`
	Retry time.Time `json:"retry"`
}

// longestStall is how far apart is tried what stands still.
const longestStall = 5 * time.Minute

// unknownNow says that whether data may move cannot be known now, which is no
// refusal.
func unknownNow(err error) bool { return err != nil && corridor.KindOf(err) == corridor.Unavailable }

// standStill leaves a transfer as it is until it is known whether its data may
// move. The pause is as long as it has stood still already, and the end of the
// wait stays that of the first try.
func (s *Service) standStill(ctx context.Context, pid string, why error) {
	pause := retryAway // if it cannot even be written down
	_, err := s.actTransfer(ctx, pid, func(t *Transfer, _ *step) error {
		if t.State != dsp.Started || t.Pending != dsp.None {
			return nil
		}
		stood := time.Duration(0)
		if t.Stalled != nil && t.Waiting != nil {
			stood = s.now().Sub(t.Waiting.Since)
		}
		pause = min(max(stood, s.cfg.AskEvery), longestStall)
		_, reason, _ := explain(why)
		t.Stalled = &Stall{Why: short("it cannot be known now whether the data may move", reason), Retry: s.now().Add(pause)}
		return nil
	})
	if ctx.Err() != nil {
		return
	}
	s.log.WarnContext(ctx, "a transfer stands still until it is known whether its data may move", "transfer", pid, "in", pause, "error", errors.Join(why, err))
	s.run.later(pid, pause)
}

func (s *Service) carry(ctx context.Context, t *Transfer) error {
	if t.growing() {
		return s.follow(ctx, t.PID)
	}
	if t.pushed() && t.PartOf != "" {
		return s.pushIncrement(ctx, t)
	}
	if t.pushed() {
		return s.push(ctx, t)
	}
	return s.fetch(ctx, t)
}

// fetch brings one transfer's data in. A file gets its name only when its
// digest has been checked; the receipt and the completion message follow in
// one commit. A crash between the two finds the file again by its digest.
func (s *Service) fetch(ctx context.Context, t *Transfer) error {
	r, err := s.bring(ctx, t)
	if err != nil {
		return err
	}
	return s.arrived(ctx, t.PID, r)
}

// maxAttempts is how often a stream without any progress is asked for; the
// time that it may take is bounded besides.
const maxAttempts = 1_000_000

func (s *Service) bring(ctx context.Context, t *Transfer) (plane.Result, error) {
	if err := t.ended(); err != nil {
		return plane.Result{}, err
	}
	if t.SHA256 != "" && t.File != "" { // received before a suspension: only the completion is missing
		return plane.Result{Rows: t.Rows, Bytes: t.Bytes, SHA256: t.SHA256}, nil
	}
	if t.address.URL() == "" {
		return plane.Result{}, &corridor.Error{Kind: corridor.Invalid, Msg: "the provider's start names no address to fetch from"}
	}
	if err := os.MkdirAll(filepath.Dir(t.dest), 0o700); err != nil {
		return plane.Result{}, corridor.E(corridor.Unavailable, "inbox: %w", err)
	}
	token, _ := t.address.Property("authorization")
	// A provider that is away is waited for as long as a message is repeated.
	ctx, cancel := s.untilGivenUp(ctx, t)
	defer cancel()
	return plane.Fetch(ctx, plane.FetchRequest{
		URL: t.address.URL(), Dest: t.dest, Plain: t.Plain, Client: s.cfg.Streams, Attempts: maxAttempts, Chance: s.cfg.Chance,
		Progress: func(n int64) { s.Progress(t.PID, n) },
		Token: func(ctx context.Context, stale string) (string, error) {
			if stale == "" || t.Plain { // a plain provider has no way to a new one but a new start
				return token, nil
			}
			return s.renew(ctx, t)
		},
	})
}

// renew asks the provider for a new token.
func (s *Service) renew(ctx context.Context, t *Transfer) (string, error) {
	reply, err := s.client.Get(ctx, dsp.Peer{ID: t.Peer, Base: t.Callback}, AddressPath(t.PeerPID))
	if err != nil {
		return "", err
	}
	m, err := dsp.Decode[dsp.TransferStartMessage](reply.Body)
	if err != nil {
		return "", err
	}
	token, ok := m.DataAddress.Property("authorization")
	if !ok || m.DataAddress.Endpoint != t.address.Endpoint {
		return "", corridor.E(corridor.Invalid, "the provider's new address is not one of this transfer")
	}
	return token, nil
}

// arrived records a received file and tells the provider.
func (s *Service) arrived(ctx context.Context, pid string, r plane.Result) error {
	t, err := s.transfer(ctx, pid)
	if err != nil {
		return err
	}
	released, rows, err := s.receiptOf(ctx, &t, corridor.ReceiptTransferReleased, r)
	if err != nil {
		return err
	}
	if t.pushed() {
		r.Rows = rows
	}
	_, err = s.actTransfer(ctx, pid, func(t *Transfer, st *step) (err error) {
		if t.State != dsp.Started || t.Pending != dsp.None { // stopped while we looked for the receipt
			if t.pushed() {
				return &corridor.Error{Kind: corridor.Conflict, Msg: "the transfer is " + stateName(t.State)}
			}
			return nil
		}
		if err := t.ended(); err != nil {
			return err
		}
		if t.Received == nil { // else its transfer may have ended by now
			if st.whole, err = s.whole(ctx, t); err != nil {
				return err
			}
			if w := st.whole; w != nil && t.pushed() {
				if err := w.open(); err != nil { // the provider is to hear it
					return err
				}
			} else if w != nil && (w.State != dsp.Started || w.Pending != dsp.None) {
				return nil
			}
			st.ofWhole(r)
		}
		a, err := s.Agreement(ctx, t.Agreement)
		if err != nil {
			return err
		}
		n, err := s.Negotiation(ctx, a.Negotiation)
		if err != nil {
			return err
		}
		due, err := s.deleteBy(&n, s.now())
		if err != nil {
			return err
		}
		t.Bytes, t.Rows, t.SHA256, t.File, t.Parked = r.Bytes, r.Rows, r.SHA256, t.dest, ""
		if !due.IsZero() {
			t.DeleteBy = dsp.FormatTime(due)
		}
		if t.Received == nil {
			body := corridor.Receipt{Type: corridor.ReceiptTransferReceived, State: string(t.State), Digests: map[string]string{"content": r.SHA256, "agreement": a.Digest}}
			if released != nil {
				t.Released = released
				body.PeerRefs = []corridor.ReceiptRef{*released}
			}
			st.receipts = []receipt{{body: body, note: func(ref corridor.ReceiptRef) { t.Received = &ref }}}
		}
		if t.pushed() { // who sends says that it is done
			return nil
		}
		if len(st.receipts) == 0 { // written before a suspension
			st.quotes = []corridor.ReceiptRef{*t.Received}
		}
		m := &dsp.TransferCompletionMessage{Pids: t.pids()}
		st.say(m, &m.Extensions, dsp.Provider, dsp.Completed)
		return nil
	})
	return err
}

// destination names the file of a transfer once and for all: after a crash the
// same half-received file is found again.
func (s *Service) destination(ctx context.Context, a Agreement, pid string, alone bool) (string, error) {
	signed, err := corridor.DecodeAgreement(a.Signed)
	if err != nil {
		return "", err
	}
	plan, err := planOf(signed.Body)
	if err != nil {
		return "", err
	}
	var others int
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT COUNT(*) FROM transfers WHERE agreement = ?`, a.ID).Scan(&others)
	})
	if err != nil {
		return "", fmt.Errorf("count transfers: %w", err)
	}
	name := fileName(a.Dataset)
	if others > 0 || !alone {
		name += "-" + fileName(pid[len(pid)-12:])
	}
	if ext := fileName(plan.Format); ext != "" && !strings.HasSuffix(strings.ToLower(name), "."+ext) {
		name += "." + ext
	}
	dir, err := filepath.Abs(s.cfg.Inbox)
	if err != nil {
		return "", corridor.E(corridor.Invalid, "inbox: %w", err)
	}
	return filepath.Join(dir, folderName(a.ID), name), nil
}

// folderName is the directory of an agreement's files. A plain provider names
// its agreements as it likes: what is not safe in a path is told apart by a
// digest, or two agreements would share their files, and the term of one copy
// would end the other.
func folderName(agreement string) string {
	id := strings.TrimPrefix(agreement, "urn:uuid:")
	name := fileName(id)
	if name == id && name != "" {
		return name
	}
	return name + "-" + strings.TrimPrefix(corridor.Digest([]byte(agreement)), "sha256:")[:16]
}

// fileName keeps of a foreign name what is safe in a path.
func fileName(s string) string {
	safe := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, s)
	safe = strings.TrimLeft(safe, ".")
	if len(safe) > 120 {
		safe = safe[:120]
	}
	return safe
}

// AddressPath is where a consumer asks for a new token, below the DSP base.
func AddressPath(pid string) string { return dsp.TransferPath(pid) + "/corridor-address" }
