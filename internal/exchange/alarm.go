package exchange

import (
	"sync"
	"time"
)

// never comes after every day.
const never = "9999-99-99"

// alarm wakes a loop that waits for a day: when something may have come that
// is earlier than what it waits for, and when its timer may be wrong because
// the clock was set. Days are YYYY-MM-DD, or "" for one that is not known.
type alarm struct {
	now  func() time.Time
	wake chan struct{}

	mu    sync.Mutex
	next  string    // what the loop waits for; "": it is looking, and may not see what comes now
	wall  time.Time // by the clock that can be set, when it began to wait
	began time.Time // and by the one that cannot
}

func newAlarm(now func() time.Time) *alarm { return &alarm{now: now, wake: make(chan struct{}, 1)} }

// looks says that the loop is about to look for the next day.
func (a *alarm) looks() {
	a.mu.Lock()
	a.next = ""
	a.mu.Unlock()
}

// waits says which day the loop has found; never if there is none.
func (a *alarm) waits(day string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next, a.wall, a.began = day, a.now().Round(0), time.Now()
}

// changed says that something durable waits for a day.
func (a *alarm) changed(day string) {
	a.mu.Lock()
	later := day != "" && a.next != "" && day >= a.next && !a.set()
	a.mu.Unlock()
	if later {
		return
	}
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// set says whether the clock was set since the loop began to wait.
func (a *alarm) set() bool {
	const slack = time.Second // clocks are slewed all the time
	return (a.now().Round(0).Sub(a.wall) - time.Since(a.began)).Abs() > slack
}
