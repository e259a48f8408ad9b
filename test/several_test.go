package test

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"corridor/internal/store/storetest"
	"corridor/verify"
)

// TestSeveralNodesServeOneParticipant runs an exporter as two processes on one
// PostgreSQL database, behind one address, and kills one of them in the middle
// of the work, again and again. The other goes on within seconds: every
// exchange finishes, nothing happens twice, and the log that both write is one
// tree of which every checkpoint ever shown is a beginning.
func TestSeveralNodesServeOneParticipant(t *testing.T) {
	if testing.Short() {
		t.Skip("runs three nodes as processes")
	}
	place := storetest.Server(t)
	bin := build(t)
	front := newBalancer(t)
	w := &severalWorld{killWorld: killWorld{t: t, seen: map[*node][]verify.Checkpoint{}}}
	w.exporter = newNodeAt(t, bin, "exporter", "CN", "SM2", front.addr(), freePort(t), place)
	w.importer = newNode(t, bin, "importer", "KZ", "Ed25519")
	w.exporter.knows(w.importer)
	w.importer.knows(w.exporter)
	w.exporter.configure(map[string]string{"traits": "[]", "assume": "ordinary_private_exporter"})
	w.importer.configure(map[string]string{"assume": "ordinary_private_exporter"})
	w.second = w.exporter.twin(freePort(t))
	w.importer.start()
	w.exporter.start()
	w.second.start()
	front.to(w.exporter.addr, w.second.addr)
	w.publish()
	span := w.calibrate()

	for round := range killingsOfSeveral {
		victim, other := w.exporter, w.second
		if round%2 == 1 {
			victim, other = other, victim
		}
		after := span * time.Duration(round+1) / (killingsOfSeveral + 1) // another moment each time
		var death time.Time
		var wait sync.WaitGroup
		wait.Go(func() {
			time.Sleep(after)
			victim.kill()
			death = time.Now()
		})
		w.killWorld.exchange()
		ended := time.Now()
		wait.Wait()
		t.Logf("%d: killed after %v, the exchange ended %v later", round+1, after.Round(time.Millisecond), ended.Sub(death).Round(10*time.Millisecond))
		w.look(other)
		victim.start()
	}
	if len(w.finished) != 2+killingsOfSeveral {
		t.Errorf("%d of %d exchanges finished", len(w.finished), 2+killingsOfSeveral)
	}
	w.settle()
	w.look(w.exporter)
	w.look(w.second)
	w.checkProcesses()
	w.checkFiles()
	w.checkProofs()
	w.checkLogs()
}

const killingsOfSeveral = 4

// severalWorld is the world of the kill test with a second exporter.
type severalWorld struct {
	killWorld
	second *node
}

// settle waits until what a dead process was about to write down has been
// taken over: others may go on only when its name has expired.
func (w *severalWorld) settle() {
	w.t.Helper()
	final := []string{"FINALIZED", "COMPLETED", "TERMINATED"}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		open := 0
		for _, n := range []*node{w.exporter, w.importer} {
			for _, kind := range []string{"negotiations", "transfers"} {
				for _, p := range n.all(kind) {
					if !slices.Contains(final, p.State) {
						open++
					}
				}
			}
		}
		if open == 0 {
			return
		}
	}
}

// look notes the checkpoint that one of the exporter's processes shows.
func (w *severalWorld) look(n *node) {
	c := w.checkpoint(n)
	w.seen[w.exporter] = append(w.seen[w.exporter], c)
}

// newNodeAt is newNode for a participant whose address is not where this
// process listens, with its state on a server.
func newNodeAt(t *testing.T, bin, name, country, suite, public, listen, place string) *node {
	t.Helper()
	t.Setenv("CORRIDOR_DB", place)
	n := makeNode(t, bin, name, country, suite, public, listen)
	if err := os.Unsetenv("CORRIDOR_DB"); err != nil {
		t.Fatal(err)
	}
	return n
}

// twin is a second process of the same participant: the same directory, as on
// storage that both can reach, and another port.
func (n *node) twin(listen string) *node {
	n.t.Helper()
	second := *n
	second.dir, second.addr = filepath.Join(n.t.TempDir(), "twin"), listen
	if err := os.CopyFS(second.dir, os.DirFS(n.dir)); err != nil {
		n.t.Fatal(err)
	}
	err := filepath.WalkDir(second.dir, func(path string, d os.DirEntry, err error) error { // the copy has other modes
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o600)
	})
	if err != nil {
		n.t.Fatal(err)
	}
	second.configure(map[string]string{"listen": `"` + listen + `"`, "inbox": `"` + filepath.Join(n.dir, "inbox") + `"`})
	second.openLog("twin")
	return &second
}

// balancer is one address in front of several processes.
type balancer struct {
	l net.Listener

	mu    sync.Mutex // guards what follows
	backs []string
	next  int
}

func newBalancer(t *testing.T) *balancer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{l: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go b.serve(c)
		}
	}()
	return b
}

func (b *balancer) addr() string { return b.l.Addr().String() }

// to says which processes there are.
func (b *balancer) to(backs ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.backs = backs
}

func (b *balancer) serve(c net.Conn) {
	defer c.Close()
	b.mu.Lock()
	backs := slices.Clone(b.backs)
	b.next++
	at := b.next
	b.mu.Unlock()
	for i := range backs {
		up, err := net.Dial("tcp", backs[(at+i)%len(backs)])
		if err != nil {
			continue
		}
		defer up.Close()
		go func() {
			_, _ = io.Copy(up, c)
			up.Close()
		}()
		_, _ = io.Copy(c, up)
		return
	}
}

// TestSeveralNodesAndADatabaseThatIsAway: 503 and words, and the same process goes
// on when it is back.
func TestSeveralNodesAndADatabaseThatIsAway(t *testing.T) {
	wire, place := storetest.Wired(t, storetest.Server(t))
	secret := storetest.Secret(t)
	bin := build(t)
	addr := freePort(t)
	n := newNodeAt(t, bin, "exporter", "CN", "Ed25519", addr, addr, place)
	n.start()
	n.must(http.MethodGet, "/api/negotiations", nil, nil)
	wire.Cut()
	err := n.call(http.MethodGet, "/api/negotiations", nil, nil)
	if err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "the database cannot be reached") {
		t.Errorf("while it is away: %v", err)
	}
	if err != nil && secret != "" && strings.Contains(err.Error(), secret) {
		t.Errorf("the answer tells too much: %v", err)
	}
	time.Sleep(2 * time.Second) // outbox, timers and lease all find out
	wire.Mend()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if err = n.call(http.MethodGet, "/api/negotiations", nil, nil); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not come back: %v", err)
		}
	}
	select {
	case err := <-n.done:
		t.Fatalf("the process ended: %v", err)
	default:
	}
	raw, err := os.ReadFile(n.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	if secret != "" && strings.Contains(string(raw), secret) {
		t.Error("the password of the database is in the log")
	}
}
