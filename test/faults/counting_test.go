package faults

import "sync"

// counting counts what runs, as a sync.WaitGroup does, but may be waited for
// while others begin.
type counting struct {
	mu   sync.Mutex
	n    int
	idle sync.Cond // n is 0
}

// Add counts one more, until Done.
func (c *counting) Add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += n
	if c.n == 0 && c.idle.L != nil {
		c.idle.Broadcast()
	}
}

func (c *counting) Done() { c.Add(-1) }

// Go runs f beside its caller.
func (c *counting) Go(f func()) {
	c.Add(1)
	go func() {
		defer c.Done()
		f()
	}()
}

// Wait waits until nothing runs that was begun before.
func (c *counting) Wait() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle.L = &c.mu
	for c.n > 0 {
		c.idle.Wait()
	}
}
