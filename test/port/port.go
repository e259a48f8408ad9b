// Package port finds addresses for the servers of tests and benchmarks that
// are told where to listen, and that come back there after a restart.
package port

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
)

// The ports that are given: above the well known ones, and below those that
// the system gives to outgoing connections, so that none of these takes a port
// while nobody listens on it. The last 4,000 below are left to others.
const (
	first   = 10000
	dynamic = 32768
	left    = 4000
	block   = 64 // ports that one process takes at once
)

// given is what this process has taken of the machine's ports: a block is its
// own while it listens on the first port of it. It gives each port once.
var given struct {
	mu     sync.Mutex
	guards []net.Listener // open until the process ends
	next   int
	end    int
}

// Free gives an address on 127.0.0.1 on which nobody listens, and which no other
// process is given. Nothing holds it until its server does.
func Free() (string, error) {
	given.mu.Lock()
	defer given.mu.Unlock()
	var failed error
	for range 1000 {
		if given.next == given.end {
			if err := takeBlock(); err != nil {
				return "", err
			}
		}
		addr := address(given.next)
		given.next++
		l, err := net.Listen("tcp", addr)
		if err == nil {
			return addr, l.Close()
		}
		failed = err
	}
	return "", fmt.Errorf("no free port on 127.0.0.1 in 1,000 tries: %w", failed)
}

// takeBlock takes a block that no other process has. It needs the lock.
func takeBlock() error {
	blocks := (below() - left - first) / block
	var failed error
	for range 4 * blocks {
		start := first + block*rand.IntN(blocks)
		guard, err := net.Listen("tcp", address(start))
		if err != nil {
			failed = err
			continue
		}
		given.guards = append(given.guards, guard)
		given.next, given.end = start+1, start+block
		return nil
	}
	return errors.Join(errors.New("all ports of 127.0.0.1 for tests are taken"), failed)
}

// below is the first port that the system gives to outgoing connections.
func below() int {
	var low int
	raw, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return dynamic
	}
	if _, err := fmt.Sscan(string(raw), &low); err != nil || low < first+left+100*block {
		return dynamic
	}
	return min(low, dynamic)
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
