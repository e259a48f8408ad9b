// Command measure times Corridor, Open Policy Agent and cedar-go on the same
// flows under the same rules, in one process and by turns, and prints the
// result as Markdown. It asserts nothing; that the three agree is what the
// tests beside it are for.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"corridor"
	"corridor/conformance/engines"
	"corridor/packs"
)

func main() {
	load := flag.String("load", "", "only load this engine and report on it")
	commit := flag.String("commit", "unknown", "what is measured")
	flows := flag.Int("flows", 2000, "different flows")
	rounds := flag.Int("rounds", 7, "times that each engine goes through the flows")
	flag.Parse()
	err := error(nil)
	if *load != "" {
		err = loadOne(*load)
	} else {
		err = report(context.Background(), *commit, *flows, *rounds)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

// today is the day of all flows, so that what is measured does not move with
// the calendar.
const today = "2026-11-26"

// timed is what one engine took for one question.
type timed struct {
	took   [][]time.Duration // by flow, one for each pass
	allocs float64
	bytes  float64
}

// middle is the median over all flows and passes, and of each flow's best
// pass, which other programs on the machine disturb least.
func (t *timed) middle() (all, best time.Duration) {
	var every, bests []time.Duration
	for _, one := range t.took {
		every = append(every, one...)
		bests = append(bests, slices.Min(one))
	}
	slices.Sort(every)
	slices.Sort(bests)
	return every[len(every)/2], bests[len(bests)/2]
}

// pass asks a question about every flow and notes the time of each.
func (t *timed) pass(n int, ask func(i int) error) error {
	var before, after runtime.MemStats
	if t.took == nil {
		t.took = make([][]time.Duration, n)
	}
	runtime.ReadMemStats(&before)
	for i := range n {
		at := time.Now()
		err := ask(i)
		took := time.Since(at)
		t.took[i] = append(t.took[i], took)
		if err != nil {
			return err
		}
	}
	runtime.ReadMemStats(&after)
	t.allocs = float64(after.Mallocs-before.Mallocs) / float64(n)
	t.bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
	return nil
}

// question is one row of the table.
type question struct {
	what string
	ask  func(e engines.Engine, i int) error
	by   map[string]*timed
}

func report(ctx context.Context, commit string, n, rounds int) error {
	on, err := corridor.ParseDate(today)
	if err != nil {
		return err
	}
	set, err := engines.NewSet(ctx, packs.FS(), on, n)
	if err != nil {
		return err
	}
	if err := agree(ctx, set, n); err != nil {
		return err
	}
	questions := []*question{
		{what: "outcome, facts ready", ask: func(e engines.Engine, i int) error { _, err := e.Outcome(ctx, i); return err }},
		{what: "decision, facts ready", ask: func(e engines.Engine, i int) error { return e.Decide(ctx, i) }},
		{what: "decision, from a map of facts", ask: func(e engines.Engine, i int) error { return e.Unread(ctx, i) }},
	}
	for round := range rounds + 1 {
		for _, q := range questions {
			for _, e := range set.Engines {
				if q.by == nil {
					q.by = map[string]*timed{}
				}
				if round <= 1 { // the first round warms up
					q.by[e.Name()] = &timed{}
				}
				runtime.GC()
				if err := q.by[e.Name()].pass(n, func(i int) error { return q.ask(e, i) }); err != nil {
					return fmt.Errorf("%s, %s: %w", e.Name(), q.what, err)
				}
			}
		}
	}
	fmt.Printf("Commit %s, %s, %s, %s %s, %d flows between %d states on %s, %d passes by turns, %d rules on %d sides of law.\n\n", commit,
		machine(), versions(), runtime.Version(), runtime.GOARCH, n, set.States, today, rounds, set.Rules, set.Sides)
	fmt.Println("| question | engine | median | median of best passes | allocations | bytes | best against Corridor |\n|---|---|---:|---:|---:|---:|---:|")
	for _, q := range questions {
		_, base := q.by[set.Engines[0].Name()].middle()
		for _, e := range set.Engines {
			t := q.by[e.Name()]
			all, best := t.middle()
			fmt.Printf("| %s | %s | %s | %s | %.0f | %.0f | %s |\n", q.what, e.Name(), micro(all), micro(best), t.allocs, t.bytes, ratio(float64(best), float64(base)))
		}
	}
	return loads(ctx, set.Engines)
}

// agree refuses to measure engines that answer differently.
func agree(ctx context.Context, set *engines.Set, n int) error {
	for i := range n {
		first, err := set.Engines[0].Outcome(ctx, i)
		if err != nil {
			return err
		}
		for _, e := range set.Engines[1:] {
			o, err := e.Outcome(ctx, i)
			if err != nil {
				return err
			}
			if o != first {
				return fmt.Errorf("flow %d: %s says %s, %s says %s", i, e.Name(), o, set.Engines[0].Name(), first)
			}
		}
	}
	return nil
}

func micro(d time.Duration) string {
	return fmt.Sprintf("%.2f µs", float64(d.Nanoseconds())/1000)
}

func ratio(a, b float64) string { return fmt.Sprintf("%.1f×", a/b) }

// loaded is what a fresh process reports of itself.
type loaded struct {
	Took time.Duration
	Heap float64 // bytes that stay
	Peak int     // KiB resident at most
}

// loads lets fresh processes load each engine by turns.
func loads(ctx context.Context, list []engines.Engine) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	all := map[string][]loaded{}
	for range 15 {
		for _, e := range list {
			out, err := exec.CommandContext(ctx, self, "-load", e.Name()).Output()
			if err != nil {
				return fmt.Errorf("load %s: %w", e.Name(), err)
			}
			var one loaded
			if err := json.Unmarshal(out, &one); err != nil {
				return err
			}
			all[e.Name()] = append(all[e.Name()], one)
		}
	}
	fmt.Println("\n| loading, in a fresh process | median of 15 | fastest | heap that stays | peak resident | fastest against Corridor |\n|---|---:|---:|---:|---:|---:|")
	sorted := func(name string, of func(loaded) float64) []float64 {
		var v []float64
		for _, one := range all[name] {
			v = append(v, of(one))
		}
		slices.Sort(v)
		return v
	}
	middle := func(name string, of func(loaded) float64) float64 { return sorted(name, of)[len(all[name])/2] }
	took := func(l loaded) float64 { return float64(l.Took) }
	for _, e := range list {
		fastest := sorted(e.Name(), took)[0]
		fmt.Printf("| %s | %.0f ms | %.0f ms | %.1f MB | %.0f MB | %s |\n", e.Name(), middle(e.Name(), took)/1e6, fastest/1e6,
			middle(e.Name(), func(l loaded) float64 { return l.Heap })/1e6, middle(e.Name(), func(l loaded) float64 { return float64(l.Peak) })/1024,
			ratio(fastest, sorted(list[0].Name(), took)[0]))
	}
	return nil
}

// loadOne loads one engine with the law of one day, ready to be asked about
// every side of every pack.
func loadOne(name string) error {
	on, err := corridor.ParseDate(today)
	if err != nil {
		return err
	}
	begin, err := engines.Loader(context.Background(), name, packs.FS(), on)
	if err != nil {
		return err
	}
	before := heap()
	old := debug.SetGCPercent(-1) // as the program does, for each of them
	at := time.Now()
	kept, err := begin()
	if err != nil {
		return err
	}
	l := loaded{Took: time.Since(at)}
	debug.SetGCPercent(old)
	l.Heap = heap() - before
	runtime.KeepAlive(kept)
	runtime.KeepAlive(begin)
	l.Peak = peak()
	return json.NewEncoder(os.Stdout).Encode(l)
}

func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// peak reads the process's own greatest resident size.
func peak() (kib int) {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib
		}
	}
	return 0
}

// machine names the processor and how many of it there are.
func machine() string {
	name := runtime.GOARCH
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			if key, v, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
				name = strings.TrimSpace(v)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d cores", name, runtime.NumCPU())
}

// versions names the engines that are compared with.
func versions() string {
	var out []string
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "github.com/open-policy-agent/opa" || d.Path == "github.com/cedar-policy/cedar-go" {
				out = append(out, d.Path[strings.LastIndex(d.Path, "/")+1:]+" "+d.Version)
			}
		}
	}
	return strings.Join(out, ", ")
}
