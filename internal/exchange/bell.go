package exchange

import "sync"

// bell wakes those who wait for a process to change.
type bell struct {
	mu      sync.Mutex
	waiting map[string]*rope // by pid; only those that somebody holds
}

type rope struct {
	rung  chan struct{} // closed when the process changes
	hands int           // who wait for it
}

// listen gives what is closed at the next change, and what gives it back.
func (b *bell) listen(pid string) (rung <-chan struct{}, leave func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.waiting[pid]
	if r == nil {
		r = &rope{rung: make(chan struct{})}
		if b.waiting == nil {
			b.waiting = map[string]*rope{}
		}
		b.waiting[pid] = r
	}
	r.hands++
	return r.rung, func() { b.leave(pid, r) }
}

func (b *bell) leave(pid string, r *rope) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.hands--; r.hands == 0 && b.waiting[pid] == r {
		delete(b.waiting, pid)
	}
}

func (b *bell) ring(pid string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r, ok := b.waiting[pid]; ok {
		close(r.rung)
		delete(b.waiting, pid)
	}
}

func (b *bell) ringAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for pid, r := range b.waiting {
		close(r.rung)
		delete(b.waiting, pid)
	}
}
