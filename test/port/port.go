// Package port finds addresses for the servers of tests and benchmarks that
// are told where to listen, and that come back there after a restart.
package port

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
)

// The ports from which Free picks: above the well known ones, and below
// those that the system gives to outgoing connections, so that none of these
// takes the port while nobody listens on it.
const first, dynamic = 10000, 32768

// Free gives an address on 127.0.0.1 on which nobody listens. Nothing holds it
// until its server does.
func Free() (string, error) {
	below := dynamic
	if raw, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		var low int
		if _, err := fmt.Sscan(string(raw), &low); err == nil && low > first+1000 {
			below = min(below, low)
		}
	}
	var failed error
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(below-first))
		l, err := net.Listen("tcp", addr)
		if err == nil {
			return addr, l.Close()
		}
		failed = errors.Join(failed, err)
	}
	return "", fmt.Errorf("no free port on 127.0.0.1 in 100 tries: %w", failed)
}
