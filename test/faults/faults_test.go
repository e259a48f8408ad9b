// Package faults holds the fault rig: two whole nodes in one process, in
// simulated time, over a network and on disks that fail as a seed says. See
// docs/faults.md.
package faults

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"corridor/internal/exchange"
)

var (
	seedsFlag = flag.Int("seeds", 80, "how many seeds TestFaults runs")
	firstFlag = flag.Uint64("first", 0, "the first seed that TestFaults runs")
	seedFlag  = flag.Int64("seed", -1, "run this seed alone, and tell all that happens")
)

const (
	dataset   = "shipments"
	fileRows  = 400
	fileBytes = 12_000 // about
)

// theStage is made once: the law is compiled, and the keys are made, in real
// time.
var theStage = sync.OnceValues(func() (*stage, error) {
	root, err := os.MkdirTemp(inMemory(), "faults")
	if err != nil {
		return nil, err
	}
	s, err := newStage(root)
	if err != nil {
		return nil, err
	}
	return s, s.writeFile()
})

// inMemory is a place for files that need not outlive the machine, or empty:
// that of other temporary files.
func inMemory() string {
	const shm = "/dev/shm"
	if info, err := os.Stat(shm); err == nil && info.IsDir() {
		return shm
	}
	return ""
}

func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(400) // many short lives on a little memory
	code := m.Run()
	if s, err := theStage(); err == nil {
		os.RemoveAll(s.root)
	}
	os.Exit(code)
}

func (s *stage) writeFile() error {
	var b strings.Builder
	fmt.Fprintln(&b, "awb,weight,port,contact")
	for i := range fileRows {
		fmt.Fprintf(&b, "CN%07d,%d,Khorgos,person%d@example.cn\n", i, 10+i%90, i)
	}
	s.content, s.source = []byte(b.String()), filepath.Join(s.root, "shipments.csv")
	return os.WriteFile(s.source, s.content, 0o600)
}

// result is what came of a run.
type result struct {
	scene  string
	mode   mode
	wrong  []string
	tells  map[string]int
	counts map[string]int
	story  string
}

// sceneOf gives the scene and the way of disturbance of a seed.
func sceneOf(seed uint64) (scene, mode) {
	r := die(seed).about("scene")
	all := scenes()
	s := all[r.IntN(len(all))]
	switch n := r.IntN(100); {
	case n < 60:
		return s, storm
	case n < 85:
		return s, oneCommit
	}
	return s, oneMessage
}

// run plays one seed in a bubble of simulated time.
func run(t *testing.T, st *stage, seed uint64, s scene, m mode) (res result) {
	res = result{scene: s.name, mode: m}
	defer func() {
		if p := recover(); p != nil { // of synctest: not all goroutines have ended
			res.wrong = append(res.wrong, fmt.Sprint(p))
			if *seedFlag >= 0 {
				all := make([]byte, 1<<20)
				res.wrong = append(res.wrong, string(all[:runtime.Stack(all, true)]))
			}
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)))
		w, err := newWorld(st, seed, m)
		if err != nil {
			res.wrong = append(res.wrong, err.Error())
			return
		}
		maps.Copy(w.manual, s.manual)
		w.limits = s.limits
		cn, kz := w.perform(s, seed)
		res.counts, res.story = maps.Clone(w.story.counts), w.story.text()
		w.close()
		res.wrong = append(res.wrong, w.broken...)
		res.tells = cn.tells()
		maps.Copy(res.tells, kz.tells())
	})
	return res
}

// perform publishes, lets people act, waits for rest, and looks.
func (w *world) perform(s scene, seed uint64) (cn, kz view) {
	w.cn.start()
	w.kz.start()
	cn, kz = view{site: w.cn}, view{site: w.kz}
	facts, policy := plainFacts(), []byte(nil)
	if s.facts != nil {
		facts = s.facts()
	}
	if s.policy != "" {
		policy = []byte(s.policy)
	}
	l := w.cn.up()
	if _, err := l.x.Publish(l.ctx, exchange.Publication{ID: dataset, Source: w.source, Format: "csv", Growing: s.grows, Facts: facts, Policy: policy, Evidence: evidence(s.have...)}); err != nil {
		w.wrong("publish: %v", err)
		return cn, kz
	}
	w.begin()
	defer func() {
		if p := recover(); p != nil {
			stop, ours := p.(stopped)
			if !ours {
				panic(p)
			}
			w.wrong("%s%s", stop.why, w.state())
		}
	}()
	s.play(&play{w: w, scene: s})
	cn, kz, err := w.settle()
	if err != nil {
		w.wrong("%v", err)
		return cn, kz
	}
	w.judge(&cn, &kz, seed%16 == 0)
	return cn, kz
}

// expected is what the logs of a scene tell when nothing goes wrong.
type expected struct {
	mu sync.Mutex
	of map[string]map[string]int
}

func (e *expected) tells(t *testing.T, st *stage, s scene) map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.of[s.name] == nil {
		r := run(t, st, 0, s, noFault)
		if len(r.wrong) > 0 {
			t.Fatalf("%s, undisturbed: %s\n%s", s.name, strings.Join(r.wrong, "\n"), r.story)
		}
		e.of[s.name] = r.tells
	}
	return e.of[s.name]
}

// judge plays a seed and holds its logs against those of an undisturbed run.
func (e *expected) judge(t *testing.T, st *stage, seed uint64) result {
	s, m := sceneOf(seed)
	r := run(t, st, seed, s, m)
	if s.raced || len(r.wrong) > 0 {
		return r
	}
	if want := e.tells(t, st, s); !maps.Equal(want, r.tells) {
		r.wrong = append(r.wrong, "the logs tell other things than those of an undisturbed run: "+differ(want, r.tells))
	}
	return r
}

func differ(want, got map[string]int) string {
	var out []string
	for k := range want {
		if got[k] != want[k] {
			out = append(out, fmt.Sprintf("%s: %d, not %d", k, got[k], want[k]))
		}
	}
	for k := range got {
		if _, known := want[k]; !known {
			out = append(out, fmt.Sprintf("%s: %d, not 0", k, got[k]))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// TestFaults runs many seeds. Each ends with both sides agreeing, nothing
// told twice or lost, and no goroutine left.
func TestFaults(t *testing.T) {
	st, err := theStage()
	if err != nil {
		t.Fatal(err)
	}
	e := &expected{of: map[string]map[string]int{}}
	if *seedFlag >= 0 {
		r := e.judge(t, st, uint64(*seedFlag))
		t.Logf("seed %d: %s, %s\n%s", *seedFlag, r.scene, r.mode, r.story)
		for _, w := range r.wrong {
			t.Error(w)
		}
		return
	}
	var next atomic.Int64
	var mu sync.Mutex
	counts, failed := map[string]int{}, 0
	began := time.Now()
	t.Run("seeds", func(t *testing.T) {
		for worker := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				for i := next.Add(1) - 1; i < int64(*seedsFlag); i = next.Add(1) - 1 {
					seed := *firstFlag + uint64(i)
					r := e.judge(t, st, seed)
					mu.Lock()
					for k, n := range r.counts {
						counts[k] += n
					}
					if len(r.wrong) > 0 {
						if failed++; failed <= 10 {
							t.Errorf("seed %d (%s, %s):\n  %s\n  replay: go test ./test/faults -run TestFaults -v -seed %d", seed, r.scene, r.mode, strings.Join(r.wrong, "\n  "), seed)
						}
					}
					enough := failed > 10
					mu.Unlock()
					if enough {
						return
					}
				}
			})
		}
	})
	t.Logf("%d seeds in %v", *seedsFlag, time.Since(began).Round(time.Second))
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%8d %s", counts[k], k)
	}
	if *seedsFlag < 1000 || failed > 0 { // too few to say
		return
	}
	for _, k := range slices.Concat(kinds(commitFaults), kinds(messageFaults), kinds(streamFaults), []string{killedAtAnyTime, stoppedInOrder, refused, cutBack, nudges, "looks at a wait"}) {
		if counts[k] == 0 {
			t.Errorf("%d seeds, and never: %s", *seedsFlag, k)
		}
	}
}

// TestTheSameSeedRunsTheSame plays seeds twice.
func TestTheSameSeedRunsTheSame(t *testing.T) {
	st, err := theStage()
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(12) {
		s, m := sceneOf(seed)
		a, b := run(t, st, seed, s, m), run(t, st, seed, s, m)
		if a.story != b.story {
			t.Errorf("seed %d (%s, %s) does not run the same twice:\n%s", seed, s.name, m, firstDifference(a.story, b.story))
		}
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return strings.Join(x[max(0, i-4):i], "\n") + "\n< " + x[i] + "\n> " + y[i]
		}
	}
	return "one goes on longer"
}
