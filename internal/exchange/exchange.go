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
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"corridor"
	"corridor/internal/counter"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/internal/law"
	"corridor/internal/ledger"
	"corridor/internal/plane"
	"corridor/internal/store"
)

//go:embed schema.sql
var schema string

//go:embed schema_postgres.sql
var schemaPostgres string

//go:embed reviews.sql
var reviewsSchema string

//go:embed reviews_postgres.sql
var reviewsPostgres string

//go:embed tasks.sql
var tasksSchema string

//go:embed tasks_postgres.sql
var tasksPostgres string

//go:embed counters.sql
var countersSchema string // the same text serves both databases

//go:embed deletions.sql
var deletionsSchema string

//go:embed deletions_postgres.sql
var deletionsPostgres string

//go:embed decisions.sql
var decisionsSchema string // this one too

//go:embed places.sql
var placesSchema string // and this one

//go:embed texts.sql
var textsSchema string // and this one

//go:embed lookups.sql
var lookupsSchema string // this one too

//go:embed expiry.sql
var expirySchema string

//go:embed expiry_postgres.sql
var expiryPostgres string

//go:embed documents.sql
var documentsSchema string

//go:embed documents_postgres.sql
var documentsPostgres string

// Migrations lists the tables of this room. Those of the room counter come
// first: version 4 moves rows there.
var Migrations = []store.Migration{
	{Room: "exchange", Version: 1, SQL: schema, Postgres: schemaPostgres},
	{Room: "exchange", Version: 2, SQL: reviewsSchema, Postgres: reviewsPostgres},
	{Room: "exchange", Version: 3, SQL: tasksSchema, Postgres: tasksPostgres},
	{Room: "exchange", Version: 4, SQL: countersSchema},
	{Room: "exchange", Version: 5, SQL: lookupsSchema},
	{Room: "exchange", Version: 6, SQL: deletionsSchema, Postgres: deletionsPostgres},
	{Room: "exchange", Version: 7, SQL: decisionsSchema},
	{Room: "exchange", Version: 8, SQL: placesSchema},
	{Room: "exchange", Version: 9, SQL: textsSchema},
	{Room: "exchange", Version: 10, SQL: trustSchema, Postgres: trustPostgres},
	{Room: "exchange", Version: 11, SQL: arrivalsSchema, Postgres: arrivalsPostgres},
	{Room: "exchange", Version: 12, SQL: expirySchema, Postgres: expiryPostgres},
	{Room: "exchange", Version: 13, SQL: askedSchema, Postgres: askedPostgres},
	{Room: "exchange", Version: 14, SQL: documentsSchema, Postgres: documentsPostgres},
	{Room: "exchange", Version: 15, SQL: usesSchema},
	{Room: "exchange", Version: 16, SQL: incrementsSchema, Postgres: incrementsPostgres},
	{Room: "clock", Version: 1, SQL: clockSchema},
	{Room: "keys", Version: 1, SQL: keysSchema},
	{Room: "settings", Version: 1, SQL: adminSchema},
	{Room: "packs", Version: 1, SQL: packsSchema, Postgres: packsPostgres},
}

// Manual names the steps that a person does. The zero value lets the node do
// all that the law allows.
type Manual struct {
	Agree    bool `json:"agree"`    // provider: a person answers every request
	Verify   bool `json:"verify"`   // consumer: a person verifies every agreement
	Finalize bool `json:"finalize"` // provider: a person makes every agreement final
	Start    bool `json:"start"`    // provider: a person starts every transfer
	Fetch    bool `json:"fetch"`    // consumer: nothing is fetched when a transfer starts
}

// Config is what a Service needs.
type Config struct {
	Self     corridor.Participant
	Base     string // own DSP base as peers reach it, such as https://gw.example/dsp/2025-1
	DataBase string // own data plane as peers reach it, such as https://gw.example/data
	Inbox    string // received files: <inbox>/<agreement>/<name>

	DB       *store.DB
	Ledger   *ledger.Log
	Law      *law.Library
	Editions map[string]PackInUse // the signed editions among the packs of Law, by pack
	Signer   identity.Signer      // signs decisions, agreements and receipts
	// Verifies lists the suites of peers' signatures that this node relies on,
	// its own among them. Nil: all that it knows.
	Verifies []string
	// Trust is the key of this side's trust service, which vouches for its
	// signatures towards peers that do not verify their suite. Nil: there is none.
	Trust     identity.Signer
	TrustName string // of the trust service, for people
	Directory identity.Directory
	Resolver  *identity.Resolver
	// Credentials says whether what a peer has shown still stands. Nil: nothing
	// is demanded of peers.
	Credentials Credentials
	AskEvery    time.Duration // while data of a peer moves; 0: 30 seconds
	// Token makes a token for a peer (identity.Tokens.Issue).
	Token func(ctx context.Context, audience string) (string, error)
	// UseToken notes the use of a peer's token in the transaction of what its
	// message changes, and says whether it was the first. Nil: the server notes
	// it apart.
	UseToken func(ctx context.Context, tx *store.Tx, issuer, jti string, until time.Time) (fresh bool, err error)
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

	// Keys lists the keys of this node that can be changed. Nil: changes of keys
	// leave no receipt.
	Keys func() ([]KeyInUse, error)
	// Settings lists what the administrator decides in the node's directory.
	// Nil: changes there leave no receipt.
	Settings func() (Settings, error)
	// CountKeys is the directory of the yearly keys under which people are
	// counted. Empty: no dataset may name its people.
	CountKeys string
	// Temp is the directory, of this process alone, of files that live as long
	// as one count. Empty: beside the database, if that is a file.
	Temp string

	// RequireCompact refuses every flow that no compact opens. False: where no
	// compact governs, the law alone decides.
	RequireCompact bool

	// SignedApprovals says where an approval by an authority that the law names
	// must be its signed document. Empty: SignedWherePossible.
	SignedApprovals string

	StreamKey []byte // 32 bytes: makes and checks the tokens of the data plane
	Policy    []byte // text of the witness policy; may be empty
	Assume    string // assumption profile for facts that nobody gave; empty: ask
	Manual    Manual
	Retry     time.Duration // how long an undelivered message is repeated; 0: 24 hours
	// PeerLimit is how long a peer that has our last word may be silent before
	// the node ends the negotiation or transfer; 0: 90 days.
	PeerLimit time.Duration
	// PersonLimit is the same for a person of this node who has something to
	// decide; 0: 180 days.
	PersonLimit time.Duration
	TokenLife   time.Duration // of a data-plane token; 0: 15 minutes
	// ConfirmWithin is how long the consumer of a release may take to confirm
	// its arrival before the log says that it has not; 0: 24 hours.
	ConfirmWithin time.Duration
	// LookEvery is how often the consumer of data that goes on asks for the next
	// increment; 0: 1 minute.
	LookEvery time.Duration
	// Changed is told of every committed change of a negotiation or a transfer.
	// It must return at once. Nil: nobody is told.
	Changed func(Change)
	Now     func() time.Time // nil: time.Now
	// ClockIsRight is the word of a person, at this start, that the clock is: it
	// is not doubted, however far it has gone on since the node was last there.
	ClockIsRight bool
	// Chance draws a number below n, by which the pauses before repeats differ
	// from those of other nodes. Nil: rand.Int64N.
	Chance func(n int64) int64
	Log    *slog.Logger // nil: silent
}

// Change is a record as it stands after a commit: one of the two.
type Change struct {
	Negotiation *Negotiation
	Transfer    *Transfer
}

// Service is a node's exchange. It is safe for concurrent use, and it is the
// plane.Authority of the node's streams.
type Service struct {
	cfg      Config
	db       *store.DB
	client   *dsp.Client
	receipts *dsp.Client                // the same, for longer answers
	side     chan func(context.Context) // work that may be lost
	toCut    *chores                    // streams that another node may have stopped
	toReview *chores                    // peers whose agreements are to be asked about again
	toPutOff *chores                    // transfers that move
	toNudge  *chores                    // datasets that have grown
	log      *slog.Logger
	tokens   *plane.Tokens
	files    *plane.Files
	plane    *plane.Handler
	gate     *plane.Gate // of all that this node sends
	bell     bell
	turns    turns                // of negotiations
	datasets shared[*dsp.Dataset] // of peers
	limits   limits

	negotiations *table[Negotiation]
	agreements   *table[Agreement]
	transfers    *table[Transfer]
	bodies       recent[corridor.Agreement] // of agreements whose transfers run

	run      runs
	unseen   unwitnessed
	reviews  *alarm        // days of review of agreements
	clocks   *alarm        // days after the last ones of tasks
	terms    chan struct{} // a copy has a term
	arrivals chan struct{} // a release awaits its confirmation
	people   *people
	views    *views
	began    time.Time // what ended before was not waited for
	law      string    // names the packs that this node decides with

	trust    atomic.Pointer[standing] // what authorities have signed, and what is stopped
	trusting sync.Mutex               // held by whoever changes it
	trusts   chan struct{}            // another node has
	keys     chan struct{}            // the keys have changed: look when the clock changes them next
	settings chan struct{}            // a file of the node's directory has
	subs     subscriptions
	vouch    vouching
	asking   asking

	arrivalShare time.Duration // see arrivals.go
	clock        timepiece
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
		{c.Temp == "" && c.DB != nil && store.IsServer(c.DB.Path()), "Temp"},
	} {
		if need.missing {
			return nil, corridor.E(corridor.Invalid, "exchange: %s is missing", need.name)
		}
	}
	if c.Verifies != nil && !slices.Contains(c.Verifies, c.Signer.Suite()) {
		return nil, corridor.E(corridor.Invalid, "exchange: Verifies lacks the node's own suite, %s", c.Signer.Suite())
	}
	if err := CheckSignedApprovals("exchange: SignedApprovals", c.SignedApprovals); err != nil {
		return nil, err
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
	if c.AskEvery <= 0 {
		c.AskEvery = askEvery
	}
	if c.PeerLimit <= 0 {
		c.PeerLimit = 90 * dayLong
	}
	if c.PersonLimit <= 0 {
		c.PersonLimit = 180 * dayLong
	}
	if c.TokenLife <= 0 {
		c.TokenLife = 15 * time.Minute
	}
	if c.ConfirmWithin <= 0 {
		c.ConfirmWithin = confirmWithin
	}
	if c.LookEvery <= 0 {
		c.LookEvery = lookEvery
	}
	s := &Service{cfg: c, db: c.DB, log: c.Log, limits: limits{c.Retry, c.PeerLimit, c.PersonLimit},
		client:   dsp.NewClient(dsp.ClientConfig{HTTP: c.HTTP, Token: c.Token, Log: c.Log}),
		receipts: dsp.NewClient(dsp.ClientConfig{HTTP: c.HTTP, Token: c.Token, Log: c.Log, MaxResponse: maxReceipts}),
		side:     make(chan func(context.Context), 64), toCut: newChores(), toReview: newChores(), toPutOff: newChores(), toNudge: newChores(), reviews: newAlarm(c.Now), clocks: newAlarm(c.Now), terms: make(chan struct{}, 1), arrivals: make(chan struct{}, 1), people: newPeople(c.Law), began: c.Now(), views: newViews(), law: lawOf(c.Law)}
	s.negotiations = newTable("negotiations", "pid", readNegotiation, Negotiation.clipped)
	s.agreements = newTable("agreements", "id", readAgreement, Agreement.clipped)
	s.transfers = newTable("transfers", "pid", readTransfer, Transfer.clipped)
	s.keys, s.settings = make(chan struct{}, 1), make(chan struct{}, 1)
	s.trusts, s.subs = make(chan struct{}, 1), subscriptions{by: map[string]subscription{}, wakeup: make(chan struct{}, 1)}
	s.asking = asking{wake: make(chan struct{}, 1), by: map[string]question{}}
	s.arrivalShare = arrivalShare
	s.clock.wake = make(chan struct{}, 1)
	s.clock.vouched.Store(c.ClockIsRight)
	s.vouch = vouching{wake: make(chan struct{}, 1), by: map[string]vouched{}}
	s.run = newRuns()
	var err error
	if s.tokens, err = plane.NewTokens(c.StreamKey); err != nil {
		return nil, err
	}
	s.files = plane.NewFiles()
	s.gate = plane.NewGate()
	s.plane = plane.NewHandler(s, plane.HandlerConfig{Gate: s.gate, Log: c.Log})
	s.db.Hear(s.told)
	return s, s.loadTrust(context.Background())
}

// Run delivers what is in the outbox and fetches what has been started, until
// ctx ends. It begins with what an earlier run left: parked negotiations stay
// parked, messages are sent again, and half-received files go on.
func (s *Service) Run(ctx context.Context) error {
	if err := s.whenThere(ctx, s.sameInbox); err != nil || ctx.Err() != nil {
		return err
	}
	if err := s.cfg.Ledger.Reconciled(ctx); err != nil {
		if ctx.Err() == nil { // every act needs a receipt: what is there can be read, and no more
			s.log.ErrorContext(ctx, "the node is read-only", "error", err)
			<-ctx.Done()
		}
		return nil
	}
	if err := s.whenThere(ctx, s.logPacks); err != nil || ctx.Err() != nil {
		return err
	}
	if err := s.whenThere(ctx, s.vouchClock); err != nil || ctx.Err() != nil {
		return err
	}
	counter.Sweep(s.tempDir())
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { // one after the other: of what comes to a disk at the same moment it is chance which fails
		s.tidyPeople(ctx)
		if _, err := s.clockStands(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "the time could not be written down; it is done before a wait is ended", "error", err)
		}
		g.Go(func() error { return s.db.Lead(ctx, leaseReviews, s.runReviews) })
		g.Go(func() error { return s.db.Lead(ctx, leaseExpiry, s.runExpiry) })
		return nil
	})
	g.Go(func() error {
		return s.db.RunOutbox(ctx, store.Outbox{Deliver: s.deliver, Failed: s.failed, Late: s.mayBeLate, First: 200 * time.Millisecond, Workers: 48, Chance: s.cfg.Chance})
	})
	g.Go(func() error { return s.runFetches(ctx) })
	g.Go(func() error { return s.runNudges(ctx) })
	g.Go(func() error { return s.runTrust(ctx) })
	g.Go(func() error { return s.runKeys(ctx) })
	g.Go(func() error { return s.runSettings(ctx) })
	g.Go(func() error { return s.runVouching(ctx) })
	g.Go(func() error {
		return s.runChores(ctx, s.toCut, "whether another node has stopped a stream could not be read; it is tried again", s.cutStopped)
	})
	g.Go(func() error {
		return s.runChores(ctx, s.toReview, "the agreements of a peer could not be looked at again; it is tried again", s.reviewPeer)
	})
	g.Go(func() error {
		return s.runChores(ctx, s.toPutOff, "that a transfer moves could not be written down; it is tried again", s.putOff)
	})
	g.Go(func() error { return s.db.Lead(ctx, leaseFeeds, s.runFeeds) })
	g.Go(func() error { return s.db.Lead(ctx, leaseAsking, s.runAsking) })
	g.Go(func() error { return s.db.Lead(ctx, leaseTasks, s.runTasks) })
	g.Go(func() error { return s.db.Lead(ctx, leaseDeletions, s.runDeletions) })
	g.Go(func() error { return s.db.Lead(ctx, leaseArrivals, s.runArrivals) })
	g.Go(func() error { return s.db.Lead(ctx, leaseMonitor, s.runMonitor) })
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
		v, over, err := waitOnce(ctx, s, pid, load, done)
		if err != nil || over {
			return v, err
		}
	}
}

func waitOnce[T any](ctx context.Context, s *Service, pid string, load func(context.Context, string) (T, error), done func(T) bool) (v T, over bool, err error) {
	rung, leave := s.bell.listen(pid) // before looking: a change in between is not missed
	defer leave()
	if v, err = load(ctx, pid); err != nil || done(v) {
		return v, true, err
	}
	select {
	case <-rung:
		return v, false, nil
	case <-ctx.Done():
		return v, true, corridor.E(corridor.Unavailable, "waiting for %s: %w", pid, ctx.Err())
	}
}
