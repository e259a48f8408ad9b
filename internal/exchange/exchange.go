// Package exchange holds the use cases of a node: publish, negotiate,
// approve, agree, transfer, stop, prove. Each loads the record of a process,
// asks the state table whether the act is legal, asks the law, and hands the
// whole change to the one commit (commit.go): record, receipts and outgoing
// message become durable together, and nothing leaves the process before.
//
// A node plays both parts; the code of both stands side by side, because what
// one sends is what the other checks.
package exchange

import (
	"context"
	_ "embed"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/internal/law"
	"corridor/internal/ledger"
	"corridor/internal/plane"
	"corridor/internal/store"
)

//go:embed schema.sql
var schema string

//go:embed reviews.sql
var reviewsSchema string

//go:embed tasks.sql
var tasksSchema string

//go:embed counters.sql
var countersSchema string

// Migrations lists the tables of this room. Those of the room counter come
// first: version 4 moves rows there.
var Migrations = []store.Migration{{Room: "exchange", Version: 1, SQL: schema}, {Room: "exchange", Version: 2, SQL: reviewsSchema},
	{Room: "exchange", Version: 3, SQL: tasksSchema}, {Room: "exchange", Version: 4, SQL: countersSchema}, {Room: "packs", Version: 1, SQL: packsSchema}}

// Manual names the steps that a person does. The zero value lets the node do
// all that the law allows.
type Manual struct {
	Agree  bool `json:"agree"`  // provider: a person answers every request
	Verify bool `json:"verify"` // consumer: a person verifies every agreement
	Start  bool `json:"start"`  // provider: a person starts every transfer
	Fetch  bool `json:"fetch"`  // consumer: nothing is fetched when a transfer starts
}

// Config is what a Service needs.
type Config struct {
	Self     corridor.Participant
	Base     string // own DSP base as peers reach it, such as https://gw.example/dsp/2025-1
	DataBase string // own data plane as peers reach it, such as https://gw.example/data
	Inbox    string // received files: <inbox>/<agreement>/<name>

	DB        *store.DB
	Ledger    *ledger.Log
	Law       *law.Library
	Editions  map[string]PackInUse // the signed editions among the packs of Law, by pack
	Signer    identity.Signer      // signs decisions, agreements and receipts
	Directory identity.Directory
	Resolver  *identity.Resolver
	// Token makes a token for a peer (identity.Tokens.Issue).
	Token func(ctx context.Context, audience string) (string, error)
	// HTTP carries everything that goes out. It must be guarded against
	// addresses of inside networks.
	HTTP *http.Client
	// Streams carries the data of transfers: guarded too, but without limits on
	// time and size of a body. Nil: HTTP.
	Streams *http.Client
	// Guard says whether a callback address may be used at all, before
	// anything is sent there (identity.Guard.Check). Nil: the guard inside HTTP
	// stands alone.
	Guard func(ctx context.Context, address string) error

	// CountKeys is the directory of the yearly keys under which people are
	// counted. Empty: no dataset may name its people.
	CountKeys string

	StreamKey []byte // 32 bytes: makes and checks the tokens of the data plane
	Policy    []byte // text of the witness policy; may be empty
	Assume    string // assumption profile for facts that nobody gave; empty: ask
	Manual    Manual
	Retry     time.Duration    // how long an undelivered message is repeated; 0: 24 hours
	TokenLife time.Duration    // of a data-plane token; 0: 15 minutes
	Now       func() time.Time // nil: time.Now
	Log       *slog.Logger     // nil: silent
}

// Service is a node's exchange. It is safe for concurrent use, and it is the
// plane.Authority of the node's streams.
type Service struct {
	cfg      Config
	db       *store.DB
	client   *dsp.Client
	receipts *dsp.Client                // the same, for longer answers
	side     chan func(context.Context) // work that may be lost
	log      *slog.Logger
	tokens   *plane.Tokens
	files    *plane.Files
	plane    *plane.Handler
	bell     bell
	run      runs
	reviews  chan struct{} // an agreement has a new day of review
	clocks   chan struct{} // a task has a new last day
	people   *people
	law      string // names the packs that this node decides with
}

// New makes a Service. Nothing is sent or fetched before Run.
func New(c Config) (*Service, error) {
	for _, need := range []struct {
		missing bool
		name    string
	}{
		{c.Self.DID == "", "Self.DID"}, {c.Self.Jurisdiction == "", "Self.Jurisdiction"}, {c.Base == "", "Base"},
		{c.DB == nil, "DB"}, {c.Ledger == nil, "Ledger"}, {c.Law == nil, "Law"}, {c.Signer == nil, "Signer"},
		{c.Directory == nil, "Directory"}, {c.Resolver == nil, "Resolver"}, {c.Token == nil, "Token"},
		{c.HTTP == nil, "HTTP"}, {len(c.StreamKey) < 32, "StreamKey"}, {c.Inbox == "", "Inbox"},
	} {
		if need.missing {
			return nil, corridor.E(corridor.Invalid, "exchange: %s is missing", need.name)
		}
	}
	c.Base, c.DataBase = strings.TrimRight(c.Base, "/"), strings.TrimRight(c.DataBase, "/")
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Streams == nil {
		c.Streams = c.HTTP
	}
	if c.Retry <= 0 {
		c.Retry = 24 * time.Hour
	}
	if c.TokenLife <= 0 {
		c.TokenLife = 15 * time.Minute
	}
	s := &Service{cfg: c, db: c.DB, log: c.Log,
		client:   dsp.NewClient(dsp.ClientConfig{HTTP: c.HTTP, Token: c.Token, Log: c.Log}),
		receipts: dsp.NewClient(dsp.ClientConfig{HTTP: c.HTTP, Token: c.Token, Log: c.Log, MaxResponse: maxReceipts}),
		side:     make(chan func(context.Context), 64), reviews: make(chan struct{}, 1), clocks: make(chan struct{}, 1), people: newPeople(c.Law), law: lawOf(c.Law)}
	s.bell.waiting = map[string]chan struct{}{}
	s.run = runs{cancels: map[string]context.CancelFunc{}, far: map[string]int64{}, queue: map[string]bool{}, wake: make(chan struct{}, 1)}
	var err error
	if s.tokens, err = plane.NewTokens(c.StreamKey); err != nil {
		return nil, err
	}
	s.files = plane.NewFiles()
	s.plane = plane.NewHandler(s, plane.HandlerConfig{Log: c.Log})
	return s, nil
}

// Run delivers what is in the outbox and fetches what has been started, until
// ctx ends. It begins with what an earlier run left: parked negotiations stay
// parked, messages are sent again, and half-received files go on.
func (s *Service) Run(ctx context.Context) error {
	if err := s.logPacks(ctx); err != nil {
		return err
	}
	if err := s.tidyPeople(ctx); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return s.db.RunOutbox(ctx, store.Outbox{Deliver: s.deliver, Failed: s.failed, First: 200 * time.Millisecond, Workers: 16})
	})
	g.Go(func() error { return s.runFetches(ctx) })
	g.Go(func() error { return s.runReviews(ctx) })
	g.Go(func() error { return s.runTasks(ctx) })
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case f := <-s.side:
				f(ctx)
			}
		}
	})
	return g.Wait()
}

// now is the node's clock, to the second: receipts and agreements hold no
// fractions.
func (s *Service) now() time.Time { return s.cfg.Now() }

// bell wakes those who wait for a process to change.
type bell struct {
	mu      sync.Mutex
	waiting map[string]chan struct{}
}

func (b *bell) listen(pid string) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.waiting[pid]
	if !ok {
		c = make(chan struct{})
		b.waiting[pid] = c
	}
	return c
}

func (b *bell) ring(pid string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c, ok := b.waiting[pid]; ok {
		close(c)
		delete(b.waiting, pid)
	}
}

// AwaitNegotiation returns as soon as done says so, or when ctx ends.
func (s *Service) AwaitNegotiation(ctx context.Context, pid string, done func(Negotiation) bool) (Negotiation, error) {
	return await(ctx, s, pid, s.Negotiation, done)
}

// AwaitTransfer returns as soon as done says so, or when ctx ends.
func (s *Service) AwaitTransfer(ctx context.Context, pid string, done func(Transfer) bool) (Transfer, error) {
	return await(ctx, s, pid, s.TransferByPID, done)
}

func await[T any](ctx context.Context, s *Service, pid string, load func(context.Context, string) (T, error), done func(T) bool) (T, error) {
	for {
		rung := s.bell.listen(pid) // before looking: a change in between is not missed
		v, err := load(ctx, pid)
		if err != nil || done(v) {
			return v, err
		}
		select {
		case <-rung:
		case <-ctx.Done():
			return v, corridor.E(corridor.Unavailable, "waiting for %s: %w", pid, ctx.Err())
		}
	}
}
