package exchange

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"corridor"
)

// A feed is fetched again when it says so, and again and again, with growing
// pauses, while that fails. When three quarters of its time are over the
// operator is warned; at its end the corridors of its authority are closed, by
// trust.stopped alone, whether or not this loop runs.

const (
	leaseFeeds   = "feeds"
	feedTimeout  = 20 * time.Second
	firstPause   = time.Second
	longestPause = 5 * time.Minute
)

// subscription is what this node does about one authority's feed.
type subscription struct {
	next   time.Time
	pause  time.Duration // after the last failure; 0: there was none
	failed string
}

// subscriptions are those of all authorities. They are lost at a crash.
type subscriptions struct {
	mu     sync.Mutex
	by     map[string]subscription
	wakeup chan struct{}
}

// feedsChanged lets runFeeds look again.
func (s *Service) feedsChanged() {
	select {
	case s.subs.wakeup <- struct{}{}:
	default:
	}
}

// runFeeds fetches the feeds of the authorities, on one node at a time.
func (s *Service) runFeeds(ctx context.Context) error {
	return s.runTimer(ctx, "feeds of orders could not be looked at; it is tried again", s.subs.wakeup, s.feedsDue)
}

func (s *Service) feedsDue(ctx context.Context) (time.Duration, error) {
	t := s.trust.Load()
	var wg sync.WaitGroup
	for _, m := range t.authorities() {
		if m.Feed == "" || s.now().Before(s.feedAt(t.trust, m)) {
			continue
		}
		wg.Go(func() { s.refreshFeed(ctx, m) })
	}
	wg.Wait()
	if ctx.Err() != nil {
		return -1, nil
	}
	t = s.trust.Load()
	first := time.Duration(-1)
	for _, m := range t.authorities() {
		if m.Feed == "" {
			continue
		}
		if wait := max(s.feedAt(t.trust, m).Sub(s.now()), time.Millisecond); first < 0 || wait < first {
			first = wait
		}
	}
	return first, nil
}

// feedAt is when the feed of an authority is to be fetched.
func (s *Service) feedAt(t *trust, m corridor.Authority) time.Time {
	s.subs.mu.Lock()
	defer s.subs.mu.Unlock()
	if sub := s.subs.by[m.ID]; !sub.next.IsZero() {
		return sub.next
	}
	f, known := t.feeds[m.ID]
	this, err := corridor.ParseMoment(f.ThisUpdate)
	if !known || err != nil {
		return time.Time{}
	}
	return this.Add(time.Duration(f.Refresh) * time.Second)
}

// refreshFeed fetches one feed and settles when it is fetched again.
func (s *Service) refreshFeed(ctx context.Context, m corridor.Authority) {
	err := s.fetchFeed(ctx, m)
	if ctx.Err() != nil {
		return
	}
	f, known := s.trust.Load().feeds[m.ID]
	now := s.now()
	s.subs.mu.Lock()
	sub := s.subs.by[m.ID]
	if err == nil {
		sub = subscription{next: now.Add(max(time.Duration(f.Refresh)*time.Second, firstPause))}
	} else {
		_, reason, _ := explain(err)
		sub.pause = min(max(2*sub.pause, firstPause), longestPause)
		if known {
			sub.pause = min(sub.pause, max(time.Duration(f.Refresh)*time.Second, firstPause))
		}
		sub.next, sub.failed = now.Add(sub.pause), reason[0]
	}
	s.subs.by[m.ID] = sub
	s.subs.mu.Unlock()
	if err == nil {
		return
	}
	level := s.log.InfoContext
	if !known || f.warns(now) {
		level = s.log.WarnContext
	}
	level(ctx, "the orders of an authority could not be fetched; it is tried again", "authority", m.ID, "jurisdiction", m.Jurisdiction, "in", sub.pause, "closed_at", f.NextUpdate, "error", err)
}

// warns says whether the end of a feed is near.
func (f *feed) warns(now time.Time) bool {
	this, err1 := corridor.ParseMoment(f.ThisUpdate)
	next, err2 := corridor.ParseMoment(f.NextUpdate)
	return err1 != nil || err2 != nil || !now.Before(this.Add(next.Sub(this)*3/4))
}

func (s *Service) fetchFeed(ctx context.Context, m corridor.Authority) error {
	ctx, cancel := context.WithTimeout(ctx, feedTimeout)
	defer cancel()
	if err := s.guard(ctx, m.Feed); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.Feed, nil)
	if err != nil {
		return corridor.E(corridor.Invalid, "feed: %w", err)
	}
	resp, err := s.cfg.HTTP.Do(req)
	if err != nil {
		return corridor.E(corridor.Unavailable, "feed: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return corridor.E(corridor.Unavailable, "feed: %s answers with status %d", m.Feed, resp.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, corridor.MaxFeed+1))
	if err != nil {
		return corridor.E(corridor.Unavailable, "feed: %w", err)
	}
	_, err = s.TakeFeed(ctx, raw)
	return err
}

// FeedState is how this node stands to an authority.
type FeedState struct {
	Authority    string `json:"authority"`
	Jurisdiction string `json:"jurisdiction"`
	URL          string `json:"url,omitempty"`
	Number       int64  `json:"number,omitempty"`
	ThisUpdate   string `json:"this_update,omitempty"`
	NextUpdate   string `json:"next_update,omitempty"`
	State        string `json:"state"` // "fresh", "old" (close to its end), "stale", "never" or "none": orders are only pushed
	Failed       string `json:"failed,omitempty"`
}

// Feeds lists the authorities, and how fresh what is known of their orders is.
func (s *Service) Feeds() []FeedState {
	t := s.trust.Load()
	out := []FeedState{}
	for _, m := range t.authorities() {
		f, known := t.feeds[m.ID]
		st := FeedState{Authority: m.ID, Jurisdiction: m.Jurisdiction, URL: m.Feed, Number: f.Number, ThisUpdate: f.ThisUpdate, NextUpdate: f.NextUpdate, State: "fresh"}
		switch {
		case m.Feed == "":
			st.State = "none"
		case !known:
			st.State = "never"
		case f.Fresh(s.now()) != nil:
			st.State = "stale"
		case f.warns(s.now()):
			st.State = "old"
		}
		s.subs.mu.Lock()
		st.Failed = s.subs.by[m.ID].failed
		s.subs.mu.Unlock()
		out = append(out, st)
	}
	return out
}
