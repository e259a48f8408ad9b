package faults

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/counter"
	"corridor/internal/exchange"
	"corridor/internal/identity"
	"corridor/internal/law"
	"corridor/internal/ledger"
	"corridor/internal/server"
	"corridor/internal/store"
	"corridor/packs"
)

// The ways in which a run is disturbed.
type mode int

const (
	noFault    mode = iota // what an undisturbed run leaves is what all others are held against
	storm                  // everything fails, again and again, for some minutes
	oneCommit              // one commit of one node fails in one way
	oneMessage             // few messages fail
)

func (m mode) String() string {
	return [...]string{"no fault", "a storm", "one commit", "a few messages"}[m]
}

// stage is what runs share: nothing of it changes.
type stage struct {
	root  string // directory of all files
	law   *law.Library
	blank string // an empty database with all tables
	// The file that is exchanged.
	source  string
	content []byte
	disks   *disks
	cast    map[string]*actor // by name and suite
}

// actor is a participant with its keys.
type actor struct {
	name, country string
	who           corridor.Participant
	keys          *identity.Keys
	keyDir        string
	doc           identity.Document
}

func (a *actor) host() string { return a.name + ".example" }
func (a *actor) base() string { return "https://" + a.host() + server.Base }

var suites = []string{"Ed25519", "SM2"}

// newStage makes what runs share, in a directory.
func newStage(root string) (*stage, error) {
	s := &stage{root: root, blank: filepath.Join(root, "blank.db"), cast: map[string]*actor{}}
	var err error
	if s.law, err = law.Load(packs.FS()); err != nil {
		return nil, err
	}
	if s.disks, err = theDisks(); err != nil {
		return nil, err
	}
	db, err := store.Open(context.Background(), s.blank, migrations()...)
	if err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	for _, suite := range suites {
		for _, a := range []*actor{{name: "cn", country: "CN"}, {name: "kz", country: "KZ"}} {
			if err := s.casts(a, suite); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func (s *stage) casts(a *actor, suite string) error {
	did, err := identity.WebDID("https://" + a.host())
	if err != nil {
		return err
	}
	a.who = corridor.Participant{DID: did, Name: a.name, Jurisdiction: a.country, Type: "private", Traits: []string{}, Flags: []string{}}
	a.keyDir = filepath.Join(s.root, a.name+"-"+suite)
	if a.keys, err = identity.OpenKeys(a.keyDir, did, suite); err != nil {
		return err
	}
	a.doc = a.keys.Document(a.base(), "https://"+a.host())
	s.cast[a.name+" "+suite] = a
	return nil
}

func migrations() []store.Migration {
	return slices.Concat(ledger.Migrations, catalog.Migrations, counter.Migrations, exchange.Migrations,
		[]store.Migration{{Room: "replay", Version: 1, SQL: `CREATE TABLE used_tokens (issuer TEXT NOT NULL, jti TEXT NOT NULL, expires BIGINT NOT NULL, PRIMARY KEY (issuer, jti))`}})
}

// usedTokens keeps used tokens in a node's database, as a real node does.
type usedTokens struct{ db *store.DB }

// Use implements identity.ReplayStore.
func (u usedTokens) Use(ctx context.Context, issuer, jti string, exp time.Time) (fresh bool, err error) {
	err = u.db.Write(ctx, func(tx *store.Tx) error {
		fresh, err = useToken(ctx, tx, issuer, jti, exp)
		return err
	})
	return fresh, err
}

func useToken(ctx context.Context, tx *store.Tx, issuer, jti string, exp time.Time) (bool, error) {
	r, err := tx.Exec(ctx, `INSERT INTO used_tokens (issuer, jti, expires) VALUES (?, ?, ?) ON CONFLICT (issuer, jti) DO NOTHING`, issuer, jti, exp.Unix())
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n == 1, err
}

// world is one run: two sites, a network, and what goes wrong.
type world struct {
	*stage
	die    die
	mode   mode
	dir    string
	story  *story
	net    *network
	until  atomic.Int64 // the end of the storm, nanoseconds since 1970
	cn, kz *site        // the exporter, the importer
	sites  map[string]*site
	ill    counting // nodes that no longer write, until somebody notices
	manual map[string]exchange.Manual
	limits limits

	mu     sync.Mutex
	broken []string // what should not have been
	added  [][]byte // to the dataset, one increment after the other
}

// calm says whether nothing goes wrong any more.
func (w *world) calm() bool { return w.mode == noFault || time.Now().UnixNano() >= w.until.Load() }

// wrong notes what should not have been.
func (w *world) wrong(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

// site is where one participant's node runs, one life after the other.
type site struct {
	*actor
	w    *world
	peer *actor
	skew time.Duration

	mu      sync.Mutex
	life    *life // nil: down
	changed chan struct{}
	lives   atomic.Int64
	commits atomic.Int64
	closed  bool // it stays down
	dir     string
	ending  counting
}

// life is a node between a start and an end.
type life struct {
	site    *site
	dir     string
	disk    *disk
	ctx     context.Context // ends with the life
	cancel  context.CancelFunc
	db      *store.DB
	log     *ledger.Log
	x       *exchange.Service
	handler http.Handler
	ran     chan error
	serving counting
	end     sync.Once
	born    atomic.Bool // it came up
	no      int64       // of the lives of its site
	commits atomic.Int64
	next    string // directory of what it leaves
	forget  func()
}

func (l *life) isDead() bool { return l.disk.dead.Load() || l.ctx.Err() != nil }

// now gives the life of a site, or nil while it is down.
func (s *site) now() *life {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life != nil && s.life.isDead() {
		return nil
	}
	return s.life
}

// up waits for a life that answers.
func (s *site) up() *life {
	for {
		s.mu.Lock()
		l, changed := s.life, s.changed
		s.mu.Unlock()
		if l != nil && !l.isDead() {
			return l
		}
		select {
		case <-changed:
		case <-time.After(time.Second):
		}
	}
}

func (s *site) set(l *life) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.life = l
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *site) note(format string, args ...any) {
	s.w.story.note("%s: %s", s.name, fmt.Sprintf(format, args...))
}

// place makes a directory for a life.
func (s *site) place() string {
	dir := filepath.Join(s.w.dir, fmt.Sprintf("%s-%d", s.name, s.lives.Add(1)))
	if err := os.Mkdir(dir, 0o700); err != nil {
		s.w.wrong("%s: %v", s.name, err)
	}
	return dir
}

// start begins a life on what the last one has left. It tries until it
// succeeds: what fails at a start is tried again by whoever started it.
func (s *site) start() {
	for tries := 0; ; tries++ {
		l := s.newLife()
		err := l.open()
		if err == nil {
			s.note("up")
			go l.watch()
			// What a node does of itself when it begins is over before others come: of
			// what reaches a disk at the same moment it is chance which a fault hits.
			time.Sleep(within(s.w.die.about("others come", s.name, l.no), 60*time.Millisecond, 90*time.Millisecond))
			if !l.isDead() {
				s.set(l)
			}
			return
		}
		s.note("start: %v", brief(err))
		if !l.disk.dead.Load() && tries > 50 {
			s.w.wrong("%s does not start: %v", s.name, err)
			return
		}
		l.leave()
		l.close()
		time.Sleep(within(s.w.die.about("start again", s.name, s.lives.Load()), 100*time.Millisecond, 5*time.Second))
	}
}

var placePattern = regexp.MustCompile(`/\S*/faults\d+/run\d+/`)

// brief is an error as the story tells it: without what differs from run to
// run.
func brief(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	text = placePattern.ReplaceAllString(text, "")
	return pidPattern.ReplaceAllString(text, "#")
}

func (s *site) newLife() *life {
	l := &life{site: s, dir: s.dir, ran: make(chan error, 1), no: s.lives.Load()}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	pace := s.w.die.about("pace", s.name, l.no)
	l.disk = &disk{path: filepath.Join(l.dir, databaseFileName), full: s.w.stage.disks.full, note: s.note,
		took: func() time.Duration { return within(pace, 20*time.Microsecond, 3*time.Millisecond) },
		plan: l.planned,
		kill: l.killed,
		lost: func() { s.w.ill.Go(l.giveUpSoon) },
	}
	l.forget = s.w.stage.disks.put(l.disk.path, l.disk)
	return l
}

// planned names the next commit and says how it fails. Commits are counted from
// the start of a life: how many there were while the life before it came to its
// end, where everybody stops at the same moment, changes nothing.
func (l *life) planned() (name, fault string, within int) {
	s, w := l.site, l.site.w
	all, n := s.commits.Add(1), l.commits.Add(1)
	w.story.count("commit")
	name = fmt.Sprintf("commit %d.%d", l.no, n)
	r := w.die.about(name, s.name)
	switch {
	case w.calm():
	case w.mode == storm:
		fault = pick(r, commitFaults)
	case w.mode == oneCommit:
		one := w.die.about("the one commit")
		if (one.IntN(2) == 0) == (s == w.cn) && one.Int64N(40) == all-1 {
			fault = commitFaults[one.IntN(len(commitFaults))].kind
		}
	}
	if fault != "" {
		w.story.count(fault)
	}
	return name, fault, r.IntN(101)
}

func (l *life) open() (err error) {
	ctx := l.ctx
	if l.db, err = store.OpenWith(ctx, driverName, l.disk.path, migrations()...); err != nil {
		return err
	}
	if err := l.wire(ctx); err != nil {
		return err
	}
	l.born.Store(true)
	go func() { l.ran <- l.x.Run(ctx) }()
	return nil
}

// wire puts a node together the way the program does.
func (l *life) wire(ctx context.Context) error {
	s := l.site
	now := func() time.Time { return time.Now().Add(s.skew) }
	origin := s.host() + "/log"
	signer, err := s.keys.LogSigner(origin)
	if err != nil {
		return err
	}
	vkey, err := s.keys.LogVKey(origin)
	if err != nil {
		return err
	}
	logger := s.logger()
	client := &http.Client{Transport: &link{net: s.w.net, from: l}, Timeout: 30 * time.Second}
	if l.log, err = ledger.Open(ctx, l.db, ledger.Config{Origin: origin, Signer: signer, VKey: vkey, Issuer: s.who.DID, Client: client, Now: now}); err != nil {
		return err
	}
	resolver := identity.NewResolver(identity.ResolverConfig{HTTP: client, Static: []identity.Document{s.doc, s.peer.doc}, Now: now})
	peers, err := identity.NewPeers([]identity.Peer{{Participant: s.peer.who, Address: s.peer.base()}})
	if err != nil {
		return err
	}
	tokens, err := identity.NewTokens(s.who.DID, s.keys.Token, now)
	if err != nil {
		return err
	}
	verifier, err := identity.NewTokenVerifier(identity.VerifierConfig{DID: s.who.DID, Resolver: resolver, Directory: peers, Replay: usedTokens{l.db}, Now: now})
	if err != nil {
		return err
	}
	home := filepath.Join(s.w.dir, s.name)
	chance := func(n int64) int64 { return s.w.die.about("chance", s.name, time.Now().UnixNano(), n).Int64N(n) }
	l.x, err = exchange.New(exchange.Config{
		Self: s.who, Base: s.base(), DataBase: "https://" + s.host() + "/data", Inbox: filepath.Join(home, "inbox"), Temp: home,
		DB: l.db, Ledger: l.log, Law: s.w.law, Signer: s.keys.National, Directory: peers, Resolver: resolver, Token: tokens.Issue, UseToken: useToken,
		HTTP: client, Streams: client, CountKeys: s.keyDir, StreamKey: []byte("0123456789abcdef0123456789abcdef" + s.name),
		Manual: s.w.manual[s.name], PeerLimit: s.w.limits.peer, PersonLimit: s.w.limits.person, Now: now, Chance: chance, Log: logger,
	})
	if err != nil {
		return err
	}
	l.handler, err = server.New(server.Config{Exchange: l.x, Verifier: verifier, Ledger: l.log.Handler(), DID: func() identity.Document { return s.doc }, Logger: logger})
	return err
}

func (s *site) logger() *slog.Logger {
	if os.Getenv("CORRIDOR_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil)).With("node", s.name)
}

// watch ends the life when the node gives up by itself, as its process would.
func (l *life) watch() {
	err := <-l.ran
	l.ran <- err
	if err != nil && !l.isDead() {
		l.site.why(err)
		l.site.w.story.count(endedByItself)
		l.killed(endedByItself, func(dir string) error { return l.disk.copyTo(dir, -1) })
	}
}

// why tells, where the test logs, which of the things that failed at the same
// moment ended a node: that may be another one in another run.
func (s *site) why(err error) {
	s.logger().Error("the node ends", "error", err)
}

// killed ends a life at this instant. Nothing of it reaches the disk or the
// network any more; leave gives what is on the disk to the next life.
func (l *life) killed(how string, leave func(dir string) error) {
	l.end.Do(func() {
		l.disk.dead.Store(true)
		l.next = l.site.place()
		if err := leave(l.next); err != nil {
			l.site.w.wrong("%s: %s: %v", l.site.name, how, err)
		}
		l.cancel()
		l.site.note("%s", how)
		if !l.born.Load() { // whoever starts it goes on with what it leaves
			l.site.dir = l.next
			return
		}
		l.site.ending.Go(func() { l.site.rise(l, how) })
	})
}

// leave keeps what a start that failed has written.
func (l *life) leave() {
	l.end.Do(func() {
		l.disk.dead.Store(true)
		l.next = l.site.place()
		if err := l.disk.copyTo(l.next, -1); err != nil {
			l.site.w.wrong("%s: %v", l.site.name, err)
		}
		l.cancel()
		l.site.dir = l.next
	})
}

// stop ends a life in order: what runs comes to its end, the file is closed.
func (l *life) stop() {
	l.end.Do(func() {
		l.next = l.dir
		l.cancel()
		l.site.note("%s", stoppedInOrder)
		l.site.w.story.count(stoppedInOrder)
		l.site.ending.Go(func() { l.site.rise(l, stoppedInOrder) })
	})
}

// giveUpSoon stops a node that no longer writes: somebody notices after a
// while.
func (l *life) giveUpSoon() {
	time.Sleep(within(l.site.w.die.about("notice", l.site.name, l.no), time.Second, 30*time.Second))
	if l.ctx.Err() == nil {
		l.stop()
	}
}

func (l *life) close() {
	l.serving.Wait()
	if l.db != nil {
		if err := l.db.Close(); err != nil && !errors.Is(err, errDead) && !errors.Is(err, errUnknown) {
			l.site.note("close: %s", brief(err))
		}
	}
	l.forget()
}

// rise waits for the end of a life and, after some time, begins the next.
func (s *site) rise(l *life, how string) {
	err := <-l.ran
	l.ran <- err // watch and this each take it and leave it for the other
	if err != nil && how == stoppedInOrder && !errors.Is(err, errDead) {
		s.why(err)
	}
	l.close()
	s.dir = l.next
	if l.next != l.dir {
		os.RemoveAll(l.dir)
	}
	r := s.w.die.about("down", s.name, l.no)
	down := within(r, 10*time.Millisecond, 3*time.Second)
	if r.IntN(6) == 0 {
		down = within(r, 10*time.Second, 3*time.Minute)
	}
	time.Sleep(down)
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if !closed {
		s.start()
	}
}

// newWorld makes two sites that know each other; none of them is up.
func newWorld(st *stage, seed uint64, m mode) (*world, error) {
	dir, err := os.MkdirTemp(st.root, "run")
	if err != nil {
		return nil, err
	}
	w := &world{stage: st, die: die(seed), mode: m, dir: dir, sites: map[string]*site{}, manual: map[string]exchange.Manual{}}
	w.story = &story{began: time.Now(), counts: map[string]int{}}
	w.net = &network{w: w, sent: map[string]int{}, pids: map[string]string{}}
	suite := suites[0]
	if seed%10 == 9 {
		suite = suites[1]
	}
	cn, kz := st.cast["cn "+suite], st.cast["kz "+suites[0]]
	w.cn, w.kz = w.newSite(cn, kz), w.newSite(kz, cn)
	for _, s := range []*site{w.cn, w.kz} {
		s.dir = s.place()
		if err := copyFile(filepath.Join(s.dir, databaseFileName), st.blank); err != nil {
			return nil, err
		}
		if err := os.Mkdir(filepath.Join(dir, s.name), 0o700); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *world) newSite(a, peer *actor) *site {
	s := &site{actor: a, w: w, peer: peer, changed: make(chan struct{})}
	if w.mode == storm {
		s.skew = within(w.die.about("skew", a.name), -20*time.Second, 20*time.Second)
	}
	w.sites[a.host()] = s
	return s
}

// begin lets things go wrong from now on.
func (w *world) begin() {
	w.until.Store(time.Now().Add(within(w.die.about("storm"), 2*time.Second, time.Minute)).UnixNano())
	if w.mode == storm {
		for _, s := range []*site{w.cn, w.kz} {
			s.ending.Go(s.surprises)
		}
	}
	w.cn.ending.Go(w.watch)
}

// surprises ends a node now and then, at moments of no meaning.
func (s *site) surprises() {
	r := s.w.die.about("surprise", s.name)
	for {
		time.Sleep(within(r, 200*time.Millisecond, 50*time.Second))
		if s.w.calm() {
			return
		}
		kill := r.IntN(3) > 0
		l := s.now()
		switch {
		case l == nil:
		case kill:
			s.w.story.count(killedAtAnyTime)
			l.killed(killedAtAnyTime, func(dir string) error { return l.disk.copyTo(dir, -1) })
		default:
			l.stop()
		}
	}
}

// close ends both sites for good.
func (w *world) close() {
	for _, s := range []*site{w.cn, w.kz} {
		s.mu.Lock()
		s.closed = true
		l := s.life
		s.mu.Unlock()
		if l != nil {
			l.stop()
		}
		s.ending.Wait()
	}
	w.ill.Wait()
	w.net.under.Wait()
	os.RemoveAll(w.dir)
}
