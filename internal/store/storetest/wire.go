package storetest

import (
	"bytes"
	"net"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Wire is the network between a node and its server. It can be cut, and it
// can lose a server's answer.
type Wire struct {
	l        net.Listener
	network  string
	upstream string

	mu     sync.Mutex
	down   bool
	open   map[net.Conn]bool
	at     []byte // cut when the node sends this,
	passed bool   // after the server got it, or before
}

// Wired gives the same database by a way that can be cut.
func Wired(t testing.TB, place string) (*Wire, string) {
	t.Helper()
	config, err := pgconn.ParseConfig(place)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{l: l, open: map[net.Conn]bool{}}
	w.network, w.upstream = pgconn.NetworkAddress(config.Host, config.Port)
	u, err := url.Parse(place)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Del("host")
	q.Set("sslmode", "disable")
	u.Host, u.RawQuery = l.Addr().String(), q.Encode()
	go w.accept()
	t.Cleanup(func() { w.Cut(); l.Close() })
	return w, u.String()
}

func (w *Wire) accept() {
	for {
		near, err := w.l.Accept()
		if err != nil {
			return
		}
		w.mu.Lock()
		down := w.down
		w.mu.Unlock()
		if down {
			near.Close()
			continue
		}
		far, err := net.Dial(w.network, w.upstream)
		if err != nil {
			near.Close()
			continue
		}
		w.mu.Lock()
		w.open[near], w.open[far] = true, true
		w.mu.Unlock()
		go w.pump(far, near, true)
		go w.pump(near, far, false)
	}
}

func (w *Wire) pump(to, from net.Conn, outward bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		w.mu.Lock()
		hit, passed := outward && w.at != nil && bytes.Contains(buf[:n], w.at), w.passed
		if hit {
			w.at = nil
		}
		w.mu.Unlock()
		if hit && !passed {
			return
		}
		if hit { // the server does it, and its answer is lost
			from.Close()
			_, _ = to.Write(buf[:n])
			time.Sleep(200 * time.Millisecond)
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// Cut ends all connections and lets none begin.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = true
	for c := range w.open {
		c.Close()
		delete(w.open, c)
	}
}

// Mend lets new connections begin.
func (w *Wire) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
}

// CutAt cuts the connection that sends a text, once.
func (w *Wire) CutAt(text string, passed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at, w.passed = []byte(text), passed
}

// Secret is the password of the server, which must not be seen anywhere.
func Secret(t testing.TB) string {
	t.Helper()
	config, err := pgconn.ParseConfig(os.Getenv(Variable))
	if err != nil {
		t.Fatal(err)
	}
	return config.Password
}
