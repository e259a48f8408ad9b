package exchange

import "sync"

// cache keeps what was computed, up to about twice a weight: when the young
// half is full it becomes the old half, and what was not asked for since is
// forgotten. It is safe for concurrent use.
type cache[V any] struct {
	mu         sync.Mutex
	max        int
	weight     func(V) int
	used       int
	young, old map[string]V
}

func newCache[V any](max int, weight func(V) int) *cache[V] {
	return &cache[V]{max: max, weight: weight, young: map[string]V{}}
}

func (c *cache[V]) get(key string) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.young[key]
	if ok {
		return v, true
	}
	if v, ok = c.old[key]; ok {
		c.set(key, v)
	}
	return v, ok
}

func (c *cache[V]) put(key string, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set(key, v)
}

// set needs the lock.
func (c *cache[V]) set(key string, v V) {
	if have, ok := c.young[key]; ok {
		c.used -= c.weight(have)
	}
	w := c.weight(v)
	if c.used > 0 && c.used+w > c.max {
		c.old, c.young, c.used = c.young, map[string]V{}, 0
	}
	c.young[key] = v
	c.used += w
}

func one[V any](V) int { return 1 }
