package catalog

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/store"
	"corridor/internal/store/storetest"
	"corridor/test/racing"
)

// others are participants with catalogues, on real HTTP. The first part of an
// address names the participant.
type others struct {
	srv *httptest.Server

	mu     sync.Mutex
	holds  map[string][]string // datasets by participant
	nests  map[string][]string // participants by participant
	at     map[string]string   // where a nested one is said to be, if not at its own
	refuse map[string]int      // answers this status
	later  string              // Retry-After of a refusal
	asked  map[string]int      // requests by participant
	full   map[string]int      // answered with a body
}

func newOthers(t *testing.T) *others {
	t.Helper()
	o := &others{holds: map[string][]string{}, nests: map[string][]string{}, refuse: map[string]int{}, asked: map[string]int{}, full: map[string]int{}}
	o.srv = httptest.NewServer(o)
	t.Cleanup(o.srv.Close)
	return o
}

// who is the participant of a name.
func who(name string) string { return "did:web:" + name + ".example" }

func (o *others) base(did string) string {
	return o.srv.URL + "/" + strings.TrimSuffix(strings.TrimPrefix(did, "did:web:"), ".example")
}

// ServeHTTP answers a page of two datasets with its tag.
func (o *others) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(strings.TrimPrefix(path.Clean(r.URL.Path), "/"), "/")
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked[name]++
	if status := o.refuse[name]; status != 0 {
		w.Header().Set("Retry-After", o.later)
		w.WriteHeader(status)
		return
	}
	at, _ := strconv.Atoi(r.URL.Query().Get("after"))
	all := o.holds[name]
	page := all[min(at, len(all)):min(at+2, len(all))]
	if at+2 < len(all) {
		w.Header().Set("Link", fmt.Sprintf(`<%s?after=%d>; rel="next"`, r.URL.Path, at+2))
	}
	tag := strconv.Quote(corridor.Digest([]byte(fmt.Sprint(page, o.nests[name])))[:20])
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	o.full[name]++
	cat := &dsp.Catalog{ID: name, ParticipantID: who(name)}
	for _, id := range page {
		d, err := dataset(id).DCAT(dsp.DataService{ID: "s", EndpointURL: o.srv.URL})
		if err != nil {
			panic(err)
		}
		cat.Dataset = append(cat.Dataset, d)
	}
	if at == 0 {
		for _, n := range o.nests[name] {
			at := cmp.Or(o.at[n], n)
			cat.Catalog = append(cat.Catalog, dsp.Catalog{ID: n, ParticipantID: who(n), Service: []dsp.DataService{{ID: "s", EndpointURL: o.srv.URL + "/" + at}}})
		}
	}
	body, err := dsp.Encode(cat)
	if err != nil {
		panic(err)
	}
	w.Write(body)
}

func (o *others) change(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
}

func (o *others) counts() (asked, full map[string]int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.asked), maps.Clone(o.full)
}

// crawl runs a crawler over a database until the test ends, or stop is called.
func (o *others) crawl(t *testing.T, db *store.DB, named func() []string, adjust ...func(*CrawlConfig)) (c *Crawler, stop func()) {
	t.Helper()
	cfg := CrawlConfig{DB: db, Client: dsp.NewClient(dsp.ClientConfig{HTTP: o.srv.Client()}), Pause: time.Microsecond, Retry: time.Hour, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Named: func(context.Context) (list []Named, err error) {
			for _, n := range named() {
				list = append(list, Named{DID: who(n), Country: "KZ"})
			}
			return list, nil
		},
		Address: func(_ context.Context, did string) (string, error) { return o.base(did), nil },
		Vouch: func(_ context.Context, did, base string) error {
			if base != o.base(did) {
				return corridor.E(corridor.Forbidden, "%s is not at %s", did, base)
			}
			return nil
		}}
	for _, f := range adjust {
		f(&cfg)
	}
	c, err := NewCrawler(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return c, stop
}

func refresh(t *testing.T, c *Crawler) {
	t.Helper()
	if err := c.Refresh(t.Context(), "", true); err != nil || t.Context().Err() != nil {
		t.Fatal(err, t.Context().Err())
	}
}

// find gives "peer/id" of what a search finds.
func find(t *testing.T, c *Crawler, by map[string]string) []string {
	t.Helper()
	out := []string{}
	for after := ""; ; {
		list, next, err := c.Search(context.Background(), by, after, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			out = append(out, f.Peer+"/"+f.ID)
		}
		if after = next; next == "" {
			slices.Sort(out)
			return out
		}
	}
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, not %v", what, got, want)
	}
}

func TestWhatPeersOfferIsFoundAndChangesAreFollowed(t *testing.T) {
	o := newOthers(t)
	o.holds = map[string][]string{"a": {"ports", "ships", "flights", "trains", "roads"}, "b": {"ports"}}
	named := []string{"a", "b"}
	var mu sync.Mutex
	list := func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(named)
	}
	c, _ := o.crawl(t, open(t), list)
	refresh(t, c)
	same(t, "ports", find(t, c, map[string]string{"text": "port"}), who("a")+"/ports", who("b")+"/ports")
	same(t, "of one", find(t, c, map[string]string{"peer": who("a"), "class": "non_personal"}), who("a")+"/flights", who("a")+"/ports", who("a")+"/roads", who("a")+"/ships", who("a")+"/trains")
	same(t, "elsewhere", find(t, c, map[string]string{"from": "CN"}))
	found, _, err := c.Search(context.Background(), map[string]string{"text": "ships"}, "", 1)
	if err != nil || len(found) != 1 || found[0].AsOf == "" || found[0].Country != "KZ" || found[0].Title == "" || len(found[0].Offers) != 1 {
		t.Errorf("%+v %v", found, err)
	}

	_, before := o.counts()
	refresh(t, c)
	if _, after := o.counts(); !maps.Equal(before, after) {
		t.Errorf("nothing has changed, and it was sent again: %v, then %v", before, after)
	}
	same(t, "still there", find(t, c, map[string]string{"text": "port"}), who("a")+"/ports", who("b")+"/ports")

	o.change(func() { o.holds["a"] = []string{"ships", "flights", "trains", "roads", "canals"} })
	refresh(t, c)
	same(t, "after a change", find(t, c, map[string]string{"peer": who("a")}), who("a")+"/canals", who("a")+"/flights", who("a")+"/roads", who("a")+"/ships", who("a")+"/trains")

	mu.Lock()
	named = []string{"b"}
	mu.Unlock()
	refresh(t, c)
	same(t, "a is no longer named", find(t, c, map[string]string{}), who("b")+"/ports")
	if _, err := NewFilter(map[string]string{"from": "KZ"}); corridor.KindOf(err) != corridor.Invalid {
		t.Errorf("from is no filter of our own catalogue: %v", err)
	}
}

func TestAPeerThatFailsIsLeftAloneAndWhatItHadStays(t *testing.T) {
	o := newOthers(t)
	o.holds = map[string][]string{"a": {"ports"}}
	now := time.Now()
	c, _ := o.crawl(t, open(t), func() []string { return []string{"a"} }, func(c *CrawlConfig) { c.Now = func() time.Time { return now } })
	refresh(t, c)
	rest := func() time.Duration {
		s, err := c.first(context.Background())
		if err != nil || s == nil {
			t.Fatal(err)
		}
		return time.UnixMilli(s.due).Sub(now)
	}
	if d := rest(); d < 4*time.Hour || d > 8*time.Hour {
		t.Errorf("it is read again after %s", d)
	}
	o.change(func() { o.refuse["a"] = 503 })
	last := time.Duration(0)
	for i := range 5 {
		refresh(t, c)
		d := rest()
		if d <= last {
			t.Errorf("after %d failures it is left alone for %s, before for %s", i+1, d, last)
		}
		last = d
	}
	for range 10 {
		refresh(t, c)
	}
	if d := rest(); d > maxBackOff*6/5+time.Second {
		t.Errorf("left alone for %s", d)
	}
	same(t, "as it was", find(t, c, map[string]string{"text": "ports"}), who("a")+"/ports")
	if s, err := c.Sources(context.Background()); err != nil || s.Failing != 1 {
		t.Errorf("%+v %v", s, err)
	}
	o.change(func() { o.refuse["a"] = 0 })
	refresh(t, c)
	o.change(func() { o.refuse["a"], o.later = 429, "3600" })
	c.cfg.Retry = time.Millisecond
	refresh(t, c)
	if d := rest(); d < 59*time.Minute {
		t.Errorf("it asked for an hour and is left alone for %s", d)
	}
}

func TestNobodyIsAskedWhomTheOperatorDoesNotName(t *testing.T) {
	o := newOthers(t)
	o.holds = map[string][]string{"a": {"one"}, "b": {"two"}, "c": {"three"}, "d": {"four"}, "stranger": {"five"}}
	o.nests = map[string][]string{"a": {"b", "self"}, "b": {"c"}, "c": {"d"}}
	c, _ := o.crawl(t, open(t), func() []string { return []string{"a"} }, func(c *CrawlConfig) { c.Self = who("self") })
	deadline := time.Now().Add(time.Minute)
	for len(find(t, c, map[string]string{})) < 3 && time.Now().Before(deadline) {
		c.Wake()
		time.Sleep(5 * time.Millisecond)
	}
	refresh(t, c)
	same(t, "two levels deep", find(t, c, map[string]string{}), who("a")+"/one", who("b")+"/two", who("c")+"/three")
	found, _, err := c.Search(context.Background(), map[string]string{"text": "three"}, "", 1)
	if err != nil || len(found) != 1 || found[0].Through != who("b") || found[0].Country != "" {
		t.Errorf("%+v %v", found, err)
	}
	if asked, _ := o.counts(); asked["d"]+asked["stranger"]+asked["self"] > 0 {
		t.Errorf("asked: %v", asked)
	}
	o.change(func() { o.nests["a"] = nil })
	refresh(t, c)
	same(t, "nested no more", find(t, c, map[string]string{}), who("a")+"/one")
}

// A catalogue that nests another participant's under its own address would be
// handed tokens that open the other one in our name.
func TestATokenForAParticipantIsShownToNobodyElse(t *testing.T) {
	o := newOthers(t)
	o.holds = map[string][]string{"a": {"one"}, "b": {"two"}}
	o.nests = map[string][]string{"a": {"b", "victim"}}
	o.at = map[string]string{"victim": "a/trap"}
	var mu sync.Mutex
	var issued []string
	tokens := func(_ context.Context, aud string) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		issued = append(issued, aud)
		return "t", nil
	}
	c, _ := o.crawl(t, open(t), func() []string { return []string{"a"} }, func(c *CrawlConfig) {
		c.Client = dsp.NewClient(dsp.ClientConfig{HTTP: o.srv.Client(), Token: tokens})
	})
	refresh(t, c)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		c.Wake()
		s, err := c.Sources(context.Background())
		if err != nil || time.Now().After(deadline) {
			t.Fatal(s, err)
		}
		if s.Failing == 1 && s.Never == 1 {
			break
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if slices.Contains(issued, who("victim")) || !slices.Contains(issued, who("b")) {
		t.Errorf("tokens for %v", issued)
	}
}

func TestACrawlerGoesOnWhereItStopped(t *testing.T) {
	o := newOthers(t)
	o.holds = map[string][]string{"a": {"ports"}}
	place := storetest.Place(t)
	before := 0 // how often it was asked until the first end
	for round := range 3 {
		db, err := store.Open(context.Background(), place, Migrations...)
		if err != nil {
			t.Fatal(err)
		}
		c, stop := o.crawl(t, db, func() []string { return []string{"a"} })
		if round == 0 {
			refresh(t, c)
		}
		same(t, "found", find(t, c, map[string]string{"text": "ports"}), who("a")+"/ports")
		stop()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if asked, _ := o.counts(); round == 0 {
			before = asked["a"] // twice, where it had been asked before it was to be refreshed
		} else if asked["a"] != before {
			t.Errorf("restart %d asks again: %d requests, %d before", round, asked["a"], before)
		}
	}
}

// A federation of ten thousand is read over real HTTP, and once more with
// nothing sent twice.
func TestTenThousandPeersAreRead(t *testing.T) {
	n := 10_000
	if racing.On {
		n = 1_000
	}
	if testing.Short() || storetest.OnServer() {
		n = 300
	}
	var hosts []*others // each has some of the participants
	for range 50 {
		hosts = append(hosts, newOthers(t))
	}
	var names []string
	of := map[string]*others{}
	for i := range n {
		name := fmt.Sprintf("p%d", i)
		o := hosts[i%len(hosts)]
		o.holds[name] = []string{"customs-" + name}
		of[who(name)] = o
		names = append(names, name)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	c, _ := hosts[0].crawl(t, open(t), func() []string { return names }, func(c *CrawlConfig) {
		c.Client = dsp.NewClient(dsp.ClientConfig{HTTP: client})
		c.Workers = 32
		c.Address = func(_ context.Context, did string) (string, error) { return of[did].base(did), nil }
	})
	t.Cleanup(client.CloseIdleConnections)
	for round := range 2 {
		refresh(t, c)
		asked, full := 0, 0
		for _, o := range hosts {
			a, f := o.counts()
			for name := range a {
				asked, full = asked+a[name], full+f[name]
			}
		}
		if full != n || asked < n*(round+1) {
			t.Errorf("round %d: %d requests, %d of them answered in full, of %d peers", round, asked, full, n)
		}
	}
	if got := find(t, c, map[string]string{"text": "customs p77"}); len(got) != 1 {
		t.Errorf("%v", got)
	}
	if s, err := c.Sources(context.Background()); err != nil || s != (Sources{Catalogues: int64(n)}) {
		t.Errorf("%+v %v", s, err)
	}
}

// A node that has just started asks nobody yet, so that nodes which start
// together do not take each other for down; but it does as soon as somebody
// wants to know.
func TestACrawlerSettlesFirst(t *testing.T) {
	var asked atomic.Int64
	c, err := NewCrawler(CrawlConfig{Self: "did:web:self.example", DB: open(t), Client: dsp.NewClient(dsp.ClientConfig{}), Settle: time.Hour,
		Named: func(context.Context) ([]Named, error) { asked.Add(1); return nil, nil },
		Address: func(context.Context, string) (string, error) {
			return "", corridor.E(corridor.Unavailable, "nobody is there")
		},
		Vouch: func(context.Context, string, string) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	time.Sleep(50 * time.Millisecond)
	if asked.Load() != 0 {
		t.Error("it looks whom to ask at once")
	}
	c.Wake()
	for deadline := time.Now().Add(10 * time.Second); asked.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not look although somebody asks")
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
