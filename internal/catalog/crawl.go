package catalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/store"
)

// Named is a participant whose catalogue the operator wants to be read.
type Named struct {
	DID     string
	Country string // as the operator vouches for
}

// CrawlConfig is what a Crawler needs. Zero values have defaults.
type CrawlConfig struct {
	Self   string // this node's DID: it is not asked
	DB     *store.DB
	Client *dsp.Client // guarded: addresses come from peers
	// Named lists the participants that the operator names. Nobody else is
	// asked, but the catalogues that theirs nest.
	Named func(ctx context.Context) ([]Named, error)
	// Address finds where a named participant can be asked.
	Address func(ctx context.Context, did string) (string, error)
	// Vouch says why an address that somebody else's catalogue gives for a
	// participant is not that participant's own: a token for a participant is
	// shown to nobody else, who could use it in our name.
	Vouch func(ctx context.Context, did, base string) error

	Settle  time.Duration // after Run begins nobody is asked for so long, unless somebody wants to know; none
	Every   time.Duration // between two readings of one catalogue; 6 hours
	Pause   time.Duration // between two requests to one host; 1 second
	Retry   time.Duration // after the first failure, doubled with each; 5 minutes
	Workers int           // catalogues read at once; 8
	Depth   int           // how deep nested catalogues are followed; 2
	Now     func() time.Time
	Log     *slog.Logger
}

// Limits of what is read from others.
const (
	maxSources  = 10_000  // catalogues, nested ones included
	maxNested   = 100     // catalogues that one catalogue may nest
	maxReading  = 1_000   // pages of one reading
	maxFound    = 100_000 // datasets of one catalogue
	maxBackOff  = 48 * time.Hour
	readTimeout = 10 * time.Minute // of one reading; also how long it stays claimed
)

// Crawler reads the catalogues of peers, politely: one request at a time to
// a host, with a pause, only for what has changed, seldom, and more seldom the
// more often it fails. All that it knows is in the database, so that it goes
// on where it stopped, and several nodes on one database share the work.
type Crawler struct {
	cfg   CrawlConfig
	wake  chan struct{} // somebody asks whether something is due
	ended chan struct{} // a reading has ended, and may be due again soon

	following sync.Mutex // guards followed
	followed  []Named    // the operator's list when it was followed last; nil: not yet

	mu    sync.Mutex      // guards what follows
	hosts map[string]bool // that are being asked
	rung  chan struct{}   // closed when a reading has ended
}

// NewCrawler makes a crawler. Nothing is asked before Run.
func NewCrawler(c CrawlConfig) (*Crawler, error) {
	if c.DB == nil || c.Client == nil || c.Named == nil || c.Address == nil || c.Vouch == nil {
		return nil, corridor.E(corridor.Internal, "crawler: DB, Client, Named, Address and Vouch are needed")
	}
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{{&c.Every, 6 * time.Hour}, {&c.Pause, time.Second}, {&c.Retry, 5 * time.Minute}} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	if c.Workers <= 0 {
		c.Workers = 8
	}
	if c.Depth <= 0 {
		c.Depth = 2
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Crawler{cfg: c, wake: make(chan struct{}, 1), ended: make(chan struct{}, 1), hosts: map[string]bool{}, rung: make(chan struct{})}, nil
}

// Run reads what is due until ctx ends. It sleeps until the next catalogue is
// due, or somebody asks for one.
func (c *Crawler) Run(ctx context.Context) error {
	if c.cfg.Settle > 0 {
		timer := time.NewTimer(c.cfg.Settle)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return nil
		case <-c.wake:
		case <-timer.C:
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.cfg.Workers + 1)
	g.Go(func() error {
		var looked time.Time // at the operator's list
		for ctx.Err() == nil {
			if time.Since(looked) > followEvery {
				if err := c.follow(ctx); err != nil {
					c.cfg.Log.WarnContext(ctx, "the list of peers cannot be read: nobody new is asked", "error", err)
				}
				looked = time.Now()
			}
			waited, err := c.step(ctx, g)
			if err != nil && ctx.Err() == nil {
				return err
			}
			if waited {
				looked = time.Time{}
			}
		}
		return nil
	})
	return g.Wait()
}

// followEvery is how long a busy crawler may go on with the operator's list
// as it was; one that has waited looks at it first.
const followEvery = 5 * time.Second

// step starts a reading of what is due, or waits, and says whether it waited
// for something else than a reading.
func (c *Crawler) step(ctx context.Context, g *errgroup.Group) (waited bool, err error) {
	src, wait, err := c.claim(ctx)
	if err != nil {
		return false, err
	}
	if src != nil {
		g.Go(func() error { // blocks while all workers are busy
			c.visit(ctx, *src)
			return nil
		})
		return false, nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-c.ended:
		return false, nil
	case <-c.wake:
	case <-timer.C:
	}
	return true, nil
}

// visit reads one catalogue and says when it is to be read again.
func (c *Crawler) visit(ctx context.Context, s source) {
	began := c.cfg.Now()
	err := c.read(ctx, &s)
	if ctx.Err() != nil {
		return // the claim runs out by itself
	}
	switch {
	case errors.Is(err, errBusy):
		err = c.put(ctx, s, began.Add(c.jitter(10*c.cfg.Pause)))
	case err != nil:
		c.cfg.Log.InfoContext(ctx, "a catalogue was not read", "peer", s.did, "through", s.through, "failures", s.failures+1, "error", err)
		err = c.failed(ctx, s, err)
	default:
		err = c.done(ctx, s)
	}
	if err != nil && ctx.Err() == nil {
		c.cfg.Log.ErrorContext(ctx, "the state of a reading was not kept; it is repeated", "peer", s.did, "error", err)
	}
	c.ring()
	signal(c.ended)
}

// signal wakes the one who listens; if it has been told already, that is
// enough.
func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// jitter spreads a time by a fifth to both sides, so that nodes which start
// together do not ask together.
func (c *Crawler) jitter(d time.Duration) time.Duration {
	return d*4/5 + rand.N(d*2/5+1)
}

// backOff is how long to leave a source alone after its failures.
func (c *Crawler) backOff(failures int64, asked time.Duration) time.Duration {
	d := c.cfg.Retry
	for range min(failures-1, 20) {
		if d *= 2; d > maxBackOff {
			break
		}
	}
	return max(c.jitter(min(d, maxBackOff)), asked)
}

var errBusy = errors.New("its host is being asked already")

// enter takes a host for one reading.
func (c *Crawler) enter(base string) (leave func(), err error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "address %q: %w", clip(base), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hosts[u.Host] {
		return nil, errBusy
	}
	c.hosts[u.Host] = true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.hosts, u.Host)
	}, nil
}

func (c *Crawler) ring() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.rung)
	c.rung = make(chan struct{})
}

func (c *Crawler) bell() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rung
}

// Wake lets the crawler look whether something is due.
func (c *Crawler) Wake() { signal(c.wake) }

// Refresh makes the catalogues of all named peers due now, or that of one. If
// wait is set it returns when they have been read, or the reading has failed,
// or ctx ends.
func (c *Crawler) Refresh(ctx context.Context, did string, wait bool) error {
	if err := c.follow(ctx); err != nil {
		return err
	}
	if err := c.dueNow(ctx, did); err != nil {
		return err
	}
	c.Wake()
	for wait {
		rung := c.bell() // before looking: what ends in between is not missed
		open, err := c.open(ctx, did)
		if err != nil || open == 0 {
			return err
		}
		select {
		case <-rung:
		case <-ctx.Done():
			return nil // what is not done yet goes on
		}
	}
	return nil
}

// read walks over the pages of one catalogue. What it holds now replaces what
// it held, page by page; what has gone goes at the end of a complete walk.
func (c *Crawler) read(ctx context.Context, s *source) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	base, err := c.baseOf(ctx, s)
	if err != nil {
		return err
	}
	leave, err := c.enter(base)
	if err != nil {
		return err
	}
	defer leave()
	known, err := c.pages(ctx, s.did)
	if err != nil {
		return err
	}
	place := ""
	for n := range maxReading {
		if n > 0 && !pause(ctx, c.cfg.Pause) {
			return ctx.Err()
		}
		place, err = c.readPage(ctx, s, base, n, place, known)
		if err != nil || place == "" {
			return err
		}
	}
	return corridor.E(corridor.Limited, "the catalogue has more than %d pages", maxReading)
}

// baseOf is where a participant is asked.
func (c *Crawler) baseOf(ctx context.Context, s *source) (string, error) {
	if s.base == "" {
		return c.cfg.Address(ctx, s.did)
	}
	if err := c.cfg.Vouch(ctx, s.did, s.base); err != nil {
		return "", fmt.Errorf("the address that the catalogue of %s gives: %w", clip(s.through), err)
	}
	return s.base, nil
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// readPage reads one page, if it has changed, and gives the place of the next.
func (c *Crawler) readPage(ctx context.Context, s *source, base string, n int, place string, known []page) (string, error) {
	tag := ""
	if n < len(known) && known[n].place == place {
		tag = known[n].tag
	}
	got, err := c.cfg.Client.CatalogPage(ctx, dsp.Peer{ID: s.did, Base: base}, place, tag)
	if err != nil {
		return "", err
	}
	if n == 0 {
		s.fresh = got.Fresh
	}
	if got.Unchanged {
		if got.Next == "" { // not every peer repeats its links
			got.Next = known[n].next
		}
		return got.Next, c.same(ctx, *s, n)
	}
	if got.Next == place && place != "" {
		return "", corridor.E(corridor.Invalid, "a page of the catalogue names itself as the next")
	}
	return got.Next, c.keep(ctx, s, page{n: n, place: place, tag: got.Tag, next: got.Next}, got.Catalog)
}
