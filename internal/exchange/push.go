package exchange

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/plane"
)

// A push is a transfer that the provider carries out: it sends the data to an
// address that the consumer names with its request, and says when it is done.
// All else is as with a fetch. The law is asked before the start, the stages
// of the agreement are carried out on the bytes, the release is on record
// before the consumer has all of them, and the arrival before the provider
// hears that all is well.

// pushed says whether the provider sends the data of a transfer.
func (t *Transfer) pushed() bool { return pushes(t.Format) }

func pushes(format string) bool {
	return format == catalog.FormatPush || format == catalog.FormatGrowingPush
}

// checkSink judges where a consumer wants the data. It must be at the host
// where the consumer itself is: the law was asked about this recipient, in its
// country, and about no other.
func (s *Service) checkSink(ctx context.Context, m *dsp.TransferRequestMessage) error {
	return s.checkSinkAt(ctx, m.DataAddress, m.CallbackAddress)
}

func (s *Service) checkSinkAt(ctx context.Context, at *dsp.DataAddress, callback string) error {
	sink, err := at.Sink()
	if err != nil {
		return err
	}
	if err := s.guard(ctx, sink.URL); err != nil {
		return &corridor.Error{Kind: corridor.Invalid, Where: "dataAddress", Msg: "cannot be called", Fix: "give an address that this gateway may reach", Err: err}
	}
	to, err := url.Parse(sink.URL)
	if err != nil {
		return corridor.E(corridor.Invalid, "dataAddress: %w", err)
	}
	home, err := url.Parse(callback)
	if err != nil {
		return corridor.E(corridor.Invalid, "callbackAddress: %w", err)
	}
	if !strings.EqualFold(to.Hostname(), home.Hostname()) {
		return &corridor.Error{Kind: corridor.Forbidden, Where: "dataAddress", Msg: fmt.Sprintf("is at %q, and the consumer is at %q", clip(to.Hostname()), clip(home.Hostname())),
			Why: "the law was asked about this recipient and about no other", Fix: "take the data at the host of the callback address, or fetch it"}
	}
	return nil
}

// sinkAddress is where the provider pushes to us. Its token lives as long as a
// message is repeated: there is no way to a new one.
func (s *Service) sinkAddress(t *Transfer) (*dsp.DataAddress, error) {
	token, err := s.tokens.Mint(plane.Claims{Transfer: t.PID, Agreement: t.Agreement, Audience: t.Peer, Expires: s.now().Add(s.cfg.Retry).Unix()})
	if err != nil {
		return nil, err
	}
	return dsp.SinkAddress(s.cfg.DataBase+"/"+t.PID, token), nil
}

// push sends the data of a started transfer, and tells the consumer.
func (s *Service) push(ctx context.Context, t *Transfer) error {
	sink, err := t.address.Sink()
	if err != nil {
		return err
	}
	// A consumer that is away is waited for as long as a message is repeated.
	wait, cancel := s.untilGivenUp(ctx, t)
	defer cancel()
	r, err := plane.Push(wait, s, plane.PushRequest{Transfer: t.PID, URL: sink.URL, Method: sink.Method, Header: sink.Header, Client: s.cfg.Streams, Attempts: maxAttempts, Gate: s.gate, Chance: s.cfg.Chance,
		Grant: func(ctx context.Context) (plane.Grant, error) {
			for {
				now, err := s.transfer(ctx, t.PID)
				if err != nil {
					return plane.Grant{}, err
				}
				g, err := s.grant(ctx, &now)
				if !errors.Is(err, errUnwitnessed) || ctx.Err() != nil { // nobody comes again for what is pushed
					return g, err
				}
			}
		}})
	if err != nil {
		return err
	}
	return s.delivered(ctx, t.PID, r)
}

// delivered records that the consumer has taken all, and says that the
// transfer is complete. A consumer that runs Corridor has written a receipt of
// the arrival, which ours answers.
func (s *Service) delivered(ctx context.Context, pid string, r plane.Result) error {
	t, err := s.transfer(ctx, pid)
	if err != nil {
		return err
	}
	received, _, err := s.receiptOf(ctx, &t, corridor.ReceiptTransferReceived, r)
	if err != nil {
		return err
	}
	_, err = s.actTransfer(ctx, pid, func(t *Transfer, st *step) error {
		if t.State != dsp.Started || t.Pending != dsp.None { // stopped at the last moment
			return nil
		}
		if t.Acknowledged == nil || t.SHA256 != r.SHA256 { // else it was suspended before the consumer heard that it is complete
			body := corridor.Receipt{Type: corridor.ReceiptTransferAcknowledged, State: string(t.State), Digests: t.late(map[string]string{"content": r.SHA256})}
			if received != nil {
				t.Received = received
				body.PeerRefs = []corridor.ReceiptRef{*received}
			}
			st.receipts = []receipt{{body: body, note: func(ref corridor.ReceiptRef) { t.Acknowledged = &ref }}}
		}
		if len(st.receipts) == 0 {
			st.quotes = []corridor.ReceiptRef{*t.Acknowledged}
		}
		t.Bytes, t.Rows, t.SHA256, t.Parked = r.Bytes, r.Rows, r.SHA256, ""
		m := &dsp.TransferCompletionMessage{Pids: t.pids()}
		st.say(m, &m.Extensions, dsp.Consumer, dsp.Completed)
		return nil
	})
	return err
}

// Service takes what is pushed to this node.
var _ plane.Receiver = (*Service)(nil)

// Receive implements plane.Receiver. A provider may begin before its start
// message is here: the request that it answers came from us, after our law was
// asked. Whether it has started is seen to in Arrived.
func (s *Service) Receive(ctx context.Context, transfer, token string) (plane.Delivery, error) {
	var d plane.Delivery
	claims, err := s.tokens.Check(token, s.now())
	if err != nil {
		return d, err
	}
	t, err := s.transfer(ctx, transfer)
	if err != nil {
		return d, err
	}
	if err := claims.Match(t.PID, t.Agreement, t.Peer); err != nil {
		return d, err
	}
	if t.Role != dsp.Consumer || !t.pushed() || t.growing() {
		return d, noSuch("transfer", transfer)
	}
	if err := orElse(t.takes(), s.takesOf(ctx, &t)); err != nil {
		return d, err
	}
	a, err := s.Agreement(ctx, t.Agreement)
	if err != nil {
		return d, err
	}
	if a.State != AgreementInForce {
		return d, corridor.E(corridor.Gone, "the agreement is not in force")
	}
	if err := s.mayFlow(ctx, &t); err != nil {
		return d, err
	}
	signed, err := corridor.DecodeAgreement(a.Signed)
	if err != nil {
		return d, err
	}
	if _, err := s.withinTerm(signed.Body); err != nil {
		return d, err
	}
	if err := os.MkdirAll(filepath.Dir(t.dest), 0o700); err != nil {
		return d, corridor.E(corridor.Unavailable, "inbox: %w", err)
	}
	return plane.Delivery{Dest: t.dest}, nil
}

// takesOf says so of the transfer that an increment belongs to. One that has
// arrived is said to be there whatever has come of the transfer.
func (s *Service) takesOf(ctx context.Context, t *Transfer) error {
	if t.PartOf == "" || t.Received != nil {
		return nil
	}
	whole, err := s.whole(ctx, t)
	if err != nil {
		return err
	}
	return whole.open()
}

// takes says whether data of a push may come in now.
func (t *Transfer) takes() error {
	if err := t.ended(); err != nil {
		return err
	}
	switch {
	case t.State == dsp.Started, t.State == dsp.Requested, t.State == dsp.None && t.Pending == dsp.Requested:
		return nil
	case t.State.Final():
		return &corridor.Error{Kind: corridor.Gone, Msg: "the transfer is " + stateName(t.State)}
	}
	return &corridor.Error{Kind: corridor.Conflict, Msg: "the transfer is " + stateName(t.State), Fix: "start it again first"}
}

// Arriving implements plane.Receiver.
func (s *Service) Arriving(transfer string, received int64) { s.Progress(transfer, received) }

// startWait is how long a delivery waits for the start message that belongs
// before it.
const startWait = 30 * time.Second

// Arrived implements plane.Receiver: the file is there, and the receipt of the
// arrival is durable before the provider hears of it.
func (s *Service) Arrived(ctx context.Context, transfer string, r plane.Result) error {
	wait, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	t, err := s.AwaitTransfer(wait, transfer, func(t Transfer) bool { return t.State == dsp.Started || t.takes() != nil })
	if err != nil {
		return err
	}
	if t.Received != nil && t.SHA256 == r.SHA256 { // repeated, because the answer was lost
		return nil
	}
	if err := t.takes(); err != nil {
		return err
	}
	return s.arrived(ctx, transfer, r)
}

// completed takes the provider's word that its push is done. What has not
// arrived is not complete.
func (t *Transfer) completed(st *step) error {
	if !t.pushed() {
		return nil
	}
	if t.SHA256 == "" || t.Received == nil {
		return &corridor.Error{Kind: corridor.Conflict, Msg: "the data of this push has not arrived", Fix: "push it, then complete"}
	}
	if n := len(st.heard); n > 0 {
		t.Acknowledged = &st.heard[n-1]
	}
	return nil
}

// startedAnew says whether a plain provider starts a running transfer again,
// as Eclipse EDC does to answer a consumer that resumes: the new start brings
// a new address.
func (t *Transfer) startedAnew(m dsp.Process) bool {
	return t.Plain && t.Role == dsp.Consumer && t.State == dsp.Started && t.File == "" && m.Type() == dsp.TypeTransferStart
}
