package exchange

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

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
	queue   map[string]bool               // fetches wanted while Run has not begun, or while one is ending
	wake    chan struct{}
}

// wanted asks for a fetch.
func (r *runs) wanted(pid string) {
	r.mu.Lock()
	r.queue[pid] = true
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// stop ends a fetch at once.
func (r *runs) stop(pid string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.queue, pid)
	delete(r.far, pid)
	if cancel := r.cancels[pid]; cancel != nil {
		cancel()
	}
}

func (r *runs) note(pid string, n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.far[pid] = n
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
	if err := s.recover(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	for {
		for pid, run := range s.run.next(ctx) {
			wg.Go(func() {
				defer s.run.ended(pid)
				s.fetch(run, pid)
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.run.wake:
		}
	}
}

// recover asks for every fetch whose transfer is started and whose file has
// not been recorded.
func (s *Service) recover(ctx context.Context) error {
	if s.cfg.Manual.Fetch {
		return nil
	}
	for p := (Page{State: string(dsp.Started)}); ; {
		list, next, err := s.Transfers(ctx, p)
		if err != nil {
			return err
		}
		for _, t := range list {
			if t.Role == dsp.Consumer && t.Pending == dsp.None && t.Parked == "" {
				s.run.wanted(t.PID)
			}
		}
		if p.After = next; next == "" {
			return nil
		}
	}
}

// fetch brings one transfer's data in. A file gets its name only when its
// digest has been checked; the receipt and the completion message follow in
// one commit. A crash between the two finds the file again by its digest.
func (s *Service) fetch(ctx context.Context, pid string) {
	t, err := s.TransferByPID(ctx, pid)
	if err != nil || t.Role != dsp.Consumer || t.State != dsp.Started || t.Pending != dsp.None {
		return // stopped meanwhile, or complete
	}
	r, err := s.bring(ctx, &t)
	if err == nil {
		err = s.arrived(ctx, pid, r)
	}
	if err == nil || ctx.Err() != nil {
		return
	}
	s.log.WarnContext(ctx, "a transfer could not be fetched", "transfer", pid, "error", err)
	_, perr := s.actTransfer(ctx, pid, func(t *Transfer, _ *step) error {
		if t.State != dsp.Started || t.Pending != dsp.None {
			return nil
		}
		_, reason, _ := explain(err)
		t.Parked = "the data could not be fetched: " + strings.Join(reason, "; ")
		return nil
	})
	if perr != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "a failed fetch could not be recorded", "transfer", pid, "error", perr)
	}
}

// maxAttempts is how often a stream without any progress is asked for; the
// time that it may take is bounded besides.
const maxAttempts = 1_000_000

func (s *Service) bring(ctx context.Context, t *Transfer) (plane.Result, error) {
	if t.SHA256 != "" && t.File != "" { // received before a suspension: only the completion is missing
		return plane.Result{Rows: t.Rows, Bytes: t.Bytes, SHA256: t.SHA256}, nil
	}
	if t.address == nil || t.address.Endpoint == "" {
		return plane.Result{}, &corridor.Error{Kind: corridor.Invalid, Msg: "the provider's start names no address to fetch from"}
	}
	if err := os.MkdirAll(filepath.Dir(t.dest), 0o700); err != nil {
		return plane.Result{}, corridor.E(corridor.Unavailable, "inbox: %w", err)
	}
	token, _ := t.address.Property("authorization")
	// A provider that is away is waited for as long as a message is repeated.
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Retry)
	defer cancel()
	return plane.Fetch(ctx, plane.FetchRequest{
		URL: t.address.Endpoint, Dest: t.dest, Client: s.cfg.Streams, Attempts: maxAttempts,
		Progress: func(n int64) { s.run.note(t.PID, n) },
		Token: func(ctx context.Context, stale string) (string, error) {
			if stale == "" {
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
	t, err := s.TransferByPID(ctx, pid)
	if err != nil {
		return err
	}
	released, err := s.releasedBy(ctx, &t, r)
	if err != nil {
		return err
	}
	_, err = s.actTransfer(ctx, pid, func(t *Transfer, st *step) error {
		if t.State != dsp.Started || t.Pending != dsp.None { // stopped while we looked for the receipt
			return nil
		}
		a, err := s.Agreement(ctx, t.Agreement)
		if err != nil {
			return err
		}
		t.Bytes, t.Rows, t.SHA256, t.File = r.Bytes, r.Rows, r.SHA256, t.dest
		if t.Received == nil {
			body := corridor.Receipt{Type: corridor.ReceiptTransferReceived, State: string(t.State), Digests: map[string]string{"content": r.SHA256, "agreement": a.Digest}}
			if released != nil {
				t.Released = released
				body.PeerRefs = []corridor.ReceiptRef{*released}
			}
			st.receipts = []receipt{{body: body, note: func(ref corridor.ReceiptRef) { t.Received = &ref }}}
		}
		m := &dsp.TransferCompletionMessage{Pids: t.pids()}
		st.say(m, &m.Extensions, dsp.Provider, dsp.Completed)
		return nil
	})
	return err
}

// destination names the file of a transfer once and for all: after a crash the
// same half-received file is found again.
func (s *Service) destination(ctx context.Context, a Agreement, pid string) (string, error) {
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
	if others > 0 {
		name += "-" + fileName(pid[len(pid)-12:])
	}
	if ext := fileName(plan.Format); ext != "" && !strings.HasSuffix(strings.ToLower(name), "."+ext) {
		name += "." + ext
	}
	dir, err := filepath.Abs(s.cfg.Inbox)
	if err != nil {
		return "", corridor.E(corridor.Invalid, "inbox: %w", err)
	}
	return filepath.Join(dir, fileName(strings.TrimPrefix(a.ID, "urn:uuid:")), name), nil
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
