//go:build bench

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"
)

// watched runs a program to its end and gives its wall time and the most
// memory that it held. The kernel's own account of a child begins with the
// memory of its parent, so the child is looked at while it runs.
func watched(cmd *exec.Cmd) (time.Duration, int64, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	at := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var peak int64
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil {
				err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(stderr.Bytes()))
			}
			return time.Since(at), peak, err
		case <-look.C:
			if now, err := memory(cmd.Process.Pid, "VmHWM"); err == nil {
				peak = max(peak, now)
			}
		}
	}
}

// scan measures corridor scan of the large file.
func (b *bench) scan() error {
	path, err := b.largeFile()
	if err != nil {
		return err
	}
	var rates []float64
	var peaks []int64
	found := 0
	for range b.runs {
		cmd := exec.CommandContext(b.ctx, b.corridor, "scan", "--json", path)
		var out bytes.Buffer
		cmd.Stdout = &out
		took, peak, err := watched(cmd)
		if err != nil {
			return err
		}
		var report struct {
			Rows    int64 `json:"rows"`
			Bytes   int64 `json:"bytes"`
			Columns []struct {
				Classes []any `json:"classes"`
			} `json:"columns"`
		}
		if err := json.Unmarshal(out.Bytes(), &report); err != nil {
			return err
		}
		if report.Bytes < b.size || report.Rows == 0 {
			return errors.New("the report is not about the whole file")
		}
		found = 0
		for _, c := range report.Columns {
			if len(c.Classes) > 0 {
				found++
			}
		}
		rates, peaks = append(rates, float64(report.Bytes)/1e6/took.Seconds()), append(peaks, peak)
	}
	b.add(fmt.Sprintf("`scan` of a %d MB CSV", b.size/1e6), "≥ 80 MB/s, RSS ≤ 150 MB", "%s, peak RSS %s; data about people found in %d columns", rate(rates), mb(slices.Max(peaks)), found)
	return nil
}
