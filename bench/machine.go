//go:build bench

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// header says on what the table was made.
func (b *bench) header(commit string) error {
	sync, err := syncLatency(filepath.Join(b.dir, "sync"))
	if err != nil {
		return err
	}
	fmt.Printf("- machine: %d cores, %s, %s/%s\n", runtime.NumCPU(), cpuModel(), runtime.GOOS, runtime.GOARCH)
	fmt.Printf("- Go: %s\n- commit: %s\n- at: %s\n", runtime.Version(), commit, time.Now().UTC().Format("2006-01-02 15:04 UTC"))
	fmt.Printf("- disk: append of 4 KB and fsync takes %s\n", sync)
	fmt.Printf("- large file: %d MB; MB and GB are powers of ten\n\n", b.size/1e6)
	return nil
}

// syncLatency is the floor under every durable commit on this disk.
func syncLatency(path string) (quantiles, error) {
	f, err := os.Create(path)
	if err != nil {
		return quantiles{}, err
	}
	defer os.Remove(path)
	defer f.Close()
	block := make([]byte, 4096)
	var took []time.Duration
	for range 200 {
		at := time.Now()
		if _, err := f.Write(block); err != nil {
			return quantiles{}, err
		}
		if err := f.Sync(); err != nil {
			return quantiles{}, err
		}
		took = append(took, time.Since(at))
	}
	return quantilesOf(took), nil
}

func cpuModel() string {
	raw, _ := os.ReadFile("/proc/cpuinfo") // absent on other systems
	for line := range strings.Lines(string(raw)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "processor unknown"
}

// quantiles of a row.
type quantiles struct {
	p50, p99 time.Duration
	n        int
}

func quantilesOf(took []time.Duration) quantiles {
	slices.Sort(took)
	n := len(took)
	if n == 0 {
		return quantiles{}
	}
	return quantiles{p50: took[n/2], p99: took[min(n*99/100, n-1)], n: n}
}

// String gives both, or the median alone where there are too few for a tail.
func (q quantiles) String() string {
	if q.n < 50 {
		return fmt.Sprintf("median %s of %d", brief(q.p50), q.n)
	}
	return fmt.Sprintf("p50 %s, p99 %s", brief(q.p50), brief(q.p99))
}

// brief writes three digits of a duration.
func brief(d time.Duration) string {
	unit, name := time.Second, "s"
	switch {
	case d < time.Microsecond:
		unit, name = 1, "ns"
	case d < time.Millisecond:
		unit, name = time.Microsecond, "µs"
	case d < time.Second:
		unit, name = time.Millisecond, "ms"
	}
	v := float64(d) / float64(unit)
	digits := 2
	if v >= 10 {
		digits = 1
	}
	if v >= 100 || unit == 1 {
		digits = 0
	}
	return strconv.FormatFloat(v, 'f', digits, 64) + " " + name
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	return s[len(s)/2]
}

// rate is the median of several runs with the worst of them.
func rate(values []float64) string {
	return fmt.Sprintf("median %.0f MB/s of %d (worst %.0f)", median(values), len(values), slices.Min(values))
}

// memory reads a line of a process's status in bytes: VmRSS, VmHWM.
func memory(pid int, line string) (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for s := bufio.NewScanner(bytes.NewReader(raw)); s.Scan(); {
		value, ok := strings.CutPrefix(s.Text(), line+":")
		if !ok {
			continue
		}
		kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(value, "kB")), 10, 64)
		return kb * 1024, err
	}
	return 0, fmt.Errorf("process %d has no %s", pid, line)
}

// processor reads how much processor time a process has used, from field 14
// (user) and 15 (system) of /proc/PID/stat, in ticks of 10 ms.
func processor(pid int) (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	var ticks int64
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:])) // the name may hold blanks
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

func mb(bytes int64) string { return fmt.Sprintf("%.0f MB", float64(bytes)/1e6) }

// meter tells how much of the machine other programs took.
type meter struct {
	at        time.Time
	busy, own time.Duration
}

func startMeter() meter { return meter{time.Now(), busyTime(), ownTime()} }

func (m meter) others() string {
	wall := time.Since(m.at)
	if m.busy == 0 || wall < 50*time.Millisecond {
		return "-"
	}
	others := busyTime() - m.busy - (ownTime() - m.own)
	return fmt.Sprintf("%.1f", max(0, others.Seconds()/wall.Seconds()))
}

// ownTime is of this process and of the children that have ended.
func ownTime() time.Duration {
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return sum
}

// busyTime is of the whole machine; 0 where it cannot be known.
func busyTime() time.Duration {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	var ticks int64
	for i, f := range strings.Fields(first) {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil || i == 4 || i == 5 || i > 8 { // idle, waiting for the disk, guests (counted elsewhere)
			continue
		}
		ticks += n
	}
	const tick = 10 * time.Millisecond // USER_HZ
	return time.Duration(ticks) * tick
}
