package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

// The management API: thin adapters between JSON and the use cases.

// page is one page of a list.
type page struct {
	Items any    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// decode reads a body strictly: a member that is not known is a mistake that
// the operator should hear of.
func decode[T any](body []byte) (T, error) {
	var v T
	if len(bytes.TrimSpace(body)) == 0 {
		return v, nil
	}
	if _, err := corridor.Canonicalize(body); err != nil { // depth, repeated keys, fractions
		return v, err
	}
	if bytes.Contains(body, []byte(`\u0000`)) && holdsNUL(body) {
		return v, &corridor.Error{Kind: corridor.Invalid, Where: "body", Msg: "holds a NUL in a text", Fix: "leave it out: not every database can keep it"}
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return v, corridor.E(corridor.Invalid, "body: %w", err)
	}
	return v, nil
}

// holdsNUL looks for the escape of a NUL; what looks like one behind an escaped
// backslash is text.
func holdsNUL(body []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(body))
	for {
		token, err := dec.Token()
		if err != nil {
			return false
		}
		if text, ok := token.(string); ok && strings.ContainsRune(text, 0) {
			return true
		}
	}
}

func list[T any](call func(context.Context, exchange.Page) ([]T, string, error)) func(*request) (any, error) {
	return func(q *request) (any, error) {
		p, err := pageOf(q)
		if err != nil {
			return nil, err
		}
		items, next, err := call(q.ctx, p)
		if err != nil {
			return nil, err
		}
		if items == nil {
			items = []T{}
		}
		return page{items, next}, nil
	}
}

// pageOf reads which part of a list is wanted.
func pageOf(q *request) (exchange.Page, error) {
	v := q.URL.Query()
	p := exchange.Page{After: v.Get("after"), State: v.Get("state")}
	if n := v.Get("limit"); n != "" {
		limit, err := strconv.Atoi(n)
		if err != nil || limit < 1 {
			return p, corridor.E(corridor.Invalid, "limit: %q is not a number of rows", n)
		}
		if limit > catalog.MaxPage {
			return p, &corridor.Error{Kind: corridor.Invalid, Where: "limit", Msg: fmt.Sprintf("%d rows are more than a page holds", limit), Fix: fmt.Sprintf("ask for at most %d, and for the rest by the next that comes with them", catalog.MaxPage)}
		}
		p.Limit = limit
	}
	return p, nil
}

// tasks lists the duties of this side, of one agreement or of all.
func (s *server) tasks(q *request) (any, error) {
	return list(func(ctx context.Context, p exchange.Page) ([]exchange.Task, string, error) {
		return s.x.Tasks(ctx, exchange.TaskPage{Page: p, Agreement: q.URL.Query().Get("agreement")})
	})(q)
}

func (s *server) taskEvent(q *request) (any, error) {
	h, err := decode[exchange.Happened](q.body)
	if err != nil {
		return nil, err
	}
	items, err := s.x.TaskEvent(q.ctx, q.PathValue("id"), h)
	if err != nil {
		return nil, err
	}
	return page{Items: items}, nil
}

func given[T, A any](call func(context.Context, T) (A, error)) func(*request) (any, error) {
	return func(q *request) (any, error) {
		v, err := decode[T](q.body)
		if err != nil {
			return nil, err
		}
		return called(call(q.ctx, v))
	}
}

func named[T, A any](call func(context.Context, string, T) (A, error)) func(*request) (any, error) {
	return func(q *request) (any, error) {
		v, err := decode[T](q.body)
		if err != nil {
			return nil, err
		}
		return called(call(q.ctx, q.PathValue("id"), v))
	}
}

func byID[A any](call func(context.Context, string) (A, error)) func(*request) (any, error) {
	return func(q *request) (any, error) { return called(call(q.ctx, q.PathValue("id"))) }
}

// Because is the body of acts that need a reason.
type Because struct {
	By     string `json:"by"`
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

func withReason[A any](call func(context.Context, string, string) (A, error)) func(*request) (any, error) {
	return named(func(ctx context.Context, id string, b Because) (A, error) { return call(ctx, id, b.Reason) })
}

func (s *server) status(q *request) (any, error) { return called(s.x.Status(q.ctx)) }

func (s *server) packs(*request) (any, error) { return page{Items: s.x.PacksInUse()}, nil }

// counters tells the year's counts; ?exact=true counts what is estimated.
func (s *server) counters(q *request) (any, error) {
	exact := false
	if v := q.URL.Query().Get("exact"); v != "" {
		var err error
		if exact, err = strconv.ParseBool(v); err != nil {
			return nil, corridor.E(corridor.Invalid, "exact: %q is not true or false", v)
		}
	}
	return called(s.x.Counters(q.ctx, exact))
}

func (s *server) peers(*request) (any, error) { return page{Items: s.x.Peers()}, nil }

// PeerPage is what a peer offers, and which of the catalogues that its own
// nests could not be read.
type PeerPage struct {
	Items  []exchange.Listing `json:"items"`
	Unread []exchange.Unread  `json:"unread,omitempty"`
}

func (s *server) peerCatalogue(q *request) (any, error) {
	v := q.URL.Query()
	if v.Get("peer") == "" {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: "peer", Msg: "is missing", Fix: "name the peer's DID: ?peer=did:web:..."}
	}
	items, unread, err := s.x.PeerCatalogue(q.ctx, v.Get("peer"), v.Get("address"))
	if err != nil {
		return nil, err
	}
	return PeerPage{items, unread}, nil
}

func (s *server) reach(q *request) (any, error) {
	items, err := s.x.Reaches(q.ctx, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return page{Items: items}, nil
}

func (s *server) reject(q *request) (any, error) {
	b, err := decode[Because](q.body)
	if err != nil {
		return nil, err
	}
	return called(s.x.Reject(q.ctx, q.PathValue("id"), b.By, b.Reason))
}

func (s *server) terminate(q *request) (any, error) {
	b, err := decode[Because](q.body)
	if err != nil {
		return nil, err
	}
	return called(s.x.Terminate(q.ctx, q.PathValue("id"), b.Code, b.Reason))
}

func (s *server) offer(q *request) (any, error) {
	b, err := decode[struct {
		Terms *dsp.Policy `json:"terms"`
	}](q.body)
	if err != nil {
		return nil, err
	}
	return called(s.x.Offer(q.ctx, q.PathValue("id"), b.Terms))
}

func (s *server) offerTo(q *request) (any, error) {
	b, err := decode[struct {
		Consumer string `json:"consumer"`
		Address  string `json:"address"`
		Dataset  string `json:"dataset"`
	}](q.body)
	if err != nil {
		return nil, err
	}
	return called(s.x.OfferTo(q.ctx, b.Consumer, b.Address, b.Dataset))
}

func (s *server) transfer(q *request) (any, error) {
	b, err := decode[struct {
		Agreement string `json:"agreement"`
		Format    string `json:"format"`
	}](q.body)
	if err != nil {
		return nil, err
	}
	if b.Format == "" {
		return called(s.x.Transfer(q.ctx, b.Agreement))
	}
	return called(s.x.TransferIn(q.ctx, b.Agreement, b.Format))
}

func (s *server) bundle(q *request) (any, error) {
	part, err := partOf(q)
	if err != nil {
		return nil, err
	}
	out, err := s.x.BundleOf(q.ctx, q.PathValue("id"), part)
	return raw{contentType: dsp.MediaType, body: out}, err
}

// partOf reads which part of what was done under an agreement is wanted.
func partOf(q *request) (p exchange.Part, err error) {
	v := q.URL.Query()
	p.Transfer = v.Get("transfer")
	for name, into := range map[string]*int64{"from": &p.From, "to": &p.To} {
		text := v.Get(name)
		if text == "" {
			continue
		}
		if *into, err = strconv.ParseInt(text, 10, 64); err != nil || *into < 1 {
			return p, &corridor.Error{Kind: corridor.Invalid, Where: name, Msg: fmt.Sprintf("%q is no number of an increment", text), Fix: "count from 1"}
		}
	}
	return p, nil
}

// evidence lists what was found against logs of peers.
func (s *server) evidence(q *request) (any, error) {
	list, err := s.x.Evidence(q.ctx)
	if err != nil {
		return nil, err
	}
	return page{Items: list}, nil
}

func (s *server) evidenceFile(q *request) (any, error) {
	out, err := s.x.EvidenceFile(q.ctx, q.PathValue("id"))
	return raw{contentType: dsp.MediaType, body: out}, err
}

// logged gives one entry of the log with its proof.
func (s *server) logged(q *request) (any, error) {
	index, err := entryIndex(q)
	if err != nil {
		return nil, err
	}
	return called(s.x.Logged(q.ctx, index))
}

func (s *server) cose(q *request) (any, error) {
	index, err := entryIndex(q)
	if err != nil {
		return nil, err
	}
	out, err := s.x.COSE(q.ctx, index)
	return raw{contentType: `application/cose; cose-type="cose-sign1"`, body: out}, err
}

func entryIndex(q *request) (int64, error) {
	index, err := strconv.ParseInt(q.PathValue("id"), 10, 64)
	if err != nil || index < 0 {
		return 0, corridor.E(corridor.NotFound, "%.40q is not the index of an entry", q.PathValue("id"))
	}
	return index, nil
}

// waiting gives the context of ?wait=30s, and whether there is one.
func waiting(r *request) (context.Context, context.CancelFunc, bool, error) {
	text := r.URL.Query().Get("wait")
	if text == "" {
		return r.ctx, func() {}, false, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return nil, nil, false, corridor.E(corridor.Invalid, "wait: %q is not a duration such as 30s", text)
	}
	ctx, cancel := context.WithTimeout(r.ctx, min(d, maxWait))
	return ctx, cancel, true, nil
}

func (s *server) negotiation(q *request) (any, error) {
	ctx, cancel, wait, err := waiting(q)
	if err != nil {
		return nil, err
	}
	defer cancel()
	n, err := s.x.AwaitNegotiation(ctx, q.PathValue("id"), func(n exchange.Negotiation) bool {
		return !wait || n.State.Final() || n.Waiting != nil && n.Waiting.On == "operator"
	})
	if err = unlessTimeUp(err, n.PID, wait); err == nil {
		n, err = s.x.Shown(q.ctx, n)
	}
	return called(n, err)
}

func (s *server) transferByPID(q *request) (any, error) {
	ctx, cancel, wait, err := waiting(q)
	if err != nil {
		return nil, err
	}
	defer cancel()
	t, err := s.x.AwaitTransfer(ctx, q.PathValue("id"), func(t exchange.Transfer) bool {
		return !wait || t.State.Final() || t.State == dsp.Suspended || t.Waiting != nil && t.Waiting.On == "operator"
	})
	if err = unlessTimeUp(err, t.PID, wait); err == nil {
		t, err = s.x.ShownTransfer(q.ctx, t)
	}
	return called(t, err)
}

// unlessTimeUp makes the end of a wait an answer: the state as it is.
func unlessTimeUp(err error, pid string, wait bool) error {
	if wait && pid != "" && corridor.KindOf(err) == corridor.Unavailable {
		return nil
	}
	return err
}
