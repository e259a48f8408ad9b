//go:build bench

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"corridor/internal/plane"
)

// roles are what this program does in processes of its own.
func roles() map[string]func(context.Context, []string) error {
	return map[string]func(context.Context, []string) error{"load": loadRole, "provide": provideRole, "consume": consumeRole}
}

// largePlan masks the first column and pseudonymises the second.
func largePlan(masked, pseudonym string) plane.Plan {
	return plane.Plan{Format: plane.FormatCSV, Stages: []plane.Stage{
		{Do: plane.Mask, Columns: []string{masked}, Param: "keep:2,2"},
		{Do: plane.Pseudonymise, Columns: []string{pseudonym}},
	}}
}

// open grants everybody one source.
type open struct{ grant plane.Grant }

func (o open) Grant(context.Context, string, string) (plane.Grant, error) { return o.grant, nil }
func (o open) Started(context.Context, string, int64) error               { return nil }
func (o open) Progress(string, int64)                                     {}
func (o open) Finished(context.Context, string, plane.Result) error       { return nil }
func (o open) Failed(_ context.Context, _ string, sent int64, cause error) {
	fmt.Fprintln(os.Stderr, "stream broke off at", sent, cause)
}

// provideRole serves a file until its input ends: FILE DIGEST.
func provideRole(ctx context.Context, args []string) error {
	src := plane.NewFiles().Source(args[0], args[1])
	if c, err := src.Open(ctx); err != nil { // its digest is known from here on
		return err
	} else if err := c.Close(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	h := plane.NewHandler(open{plane.Grant{Agreement: "a", Transfer: "t", Consumer: "c", Source: src, Plan: largePlan("手机", "iin"), Key: make([]byte, 32)}}, plane.HandlerConfig{})
	srv := &http.Server{Handler: h}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = srv.Close()
	}()
	fmt.Println("http://" + l.Addr().String() + "/data/t")
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// received is what the consumer reports.
type received struct {
	Took   time.Duration
	Result plane.Result
}

// consumeRole fetches URL into DEST when it is told to, and stays until its
// input ends.
func consumeRole(ctx context.Context, args []string) error {
	in := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	if _, err := in.ReadString('\n'); err != nil {
		return err
	}
	at := time.Now()
	r, err := plane.Fetch(ctx, plane.FetchRequest{URL: args[0], Dest: args[1], Client: &http.Client{},
		Token: func(context.Context, string) (string, error) { return "t", nil }})
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(received{time.Since(at), r}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// actor is a role in a process of its own.
type actor struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	before int64
}

// act starts a role and waits for its first line.
func (b *bench) act(args ...string) (*actor, string, error) {
	a := &actor{cmd: exec.CommandContext(b.ctx, b.self, args...)}
	a.cmd.Stderr = os.Stderr
	var err error
	if a.in, err = a.cmd.StdinPipe(); err != nil {
		return nil, "", err
	}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := a.cmd.Start(); err != nil {
		return nil, "", err
	}
	a.out = bufio.NewReader(out)
	line, err := a.out.ReadString('\n')
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("%s: %w", args[0], err), a.end())
	}
	a.before, err = memory(a.cmd.Process.Pid, "VmRSS")
	return a, line[:len(line)-1], err
}

// grown is how far the process's memory rose over what it was when ready.
func (a *actor) grown() (int64, error) {
	peak, err := memory(a.cmd.Process.Pid, "VmHWM")
	return peak - a.before, err
}

func (a *actor) end() error { return errors.Join(a.in.Close(), a.cmd.Wait()) }

// streamed is one run of the large file from process to process.
type streamed struct {
	rate               float64
	provider, consumer int64
}

// plane measures the data plane alone.
func (b *bench) plane() error {
	path, err := b.largeFile()
	if err != nil {
		return err
	}
	digest, err := digestOf(path)
	if err != nil {
		return err
	}
	var rates []float64
	var provider, consumer []int64
	for range b.runs {
		s, err := b.stream(path, digest)
		if err != nil {
			return err
		}
		rates, provider, consumer = append(rates, s.rate), append(provider, s.provider), append(consumer, s.consumer)
	}
	b.add(fmt.Sprintf("%d MB CSV, one column masked, one pseudonymised, provider to durable file of the consumer, two processes", b.size/1e6), "≥ 80 MB/s, RSS growth ≤ 64 MB on either side",
		"%s, growth %s provider, %s consumer", rate(rates), mb(slices.Max(provider)), mb(slices.Max(consumer)))
	return nil
}

func (b *bench) stream(path, digest string) (s streamed, err error) {
	p, url, err := b.act("provide", path, digest)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	dest := filepath.Join(b.dir, "received.csv")
	defer os.Remove(dest)
	c, _, err := b.act("consume", url, dest)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, c.end()) }()
	if _, err := io.WriteString(c.in, "go\n"); err != nil {
		return s, err
	}
	var r received
	if err := json.NewDecoder(c.out).Decode(&r); err != nil {
		return s, err
	}
	if info, err := os.Stat(path); err != nil {
		return s, err
	} else {
		s.rate = float64(info.Size()) / 1e6 / r.Took.Seconds()
	}
	if s.provider, err = p.grown(); err != nil {
		return s, err
	}
	s.consumer, err = c.grown()
	return s, err
}

// transfer measures the same between two whole nodes, from the request for
// the transfer to its completion, with law, tokens and receipts.
func (b *bench) transfer() error {
	path, err := b.largeFile()
	if err != nil {
		return err
	}
	cn, kz, err := b.pair()
	if err != nil {
		return err
	}
	defer cn.stop()
	defer kz.stop()
	at := time.Now()
	if err := cn.publish(path, largePlan("手机", "iin")); err != nil {
		return err
	}
	published := time.Since(at)
	var rates []float64
	var provider, consumer int64
	for range b.runs {
		s, err := b.exchange(cn, kz)
		if err != nil {
			return err
		}
		rates, provider, consumer = append(rates, s.rate), max(provider, s.provider), max(consumer, s.consumer)
	}
	b.add("- the same between two nodes, transfer requested to completed", "", "%s, growth %s exporter, %s importer; publishing took %s",
		rate(rates), mb(provider), mb(consumer), brief(published))
	return nil
}

// exchange negotiates and carries out one transfer.
func (b *bench) exchange(cn, kz *node) (s streamed, err error) {
	agreed, err := agree(cn, kz)
	if err != nil {
		return s, err
	}
	var before [2]int64
	for i, n := range []*node{cn, kz} {
		if before[i], err = memory(n.cmd.Process.Pid, "VmRSS"); err != nil {
			return s, err
		}
	}
	at := time.Now()
	var t process
	if err := kz.call(http.MethodPost, "/api/transfers", map[string]string{"agreement": agreed.Agreement}, &t); err != nil {
		return s, err
	}
	if t, err = kz.await("transfers", t.PID, "COMPLETED"); err != nil {
		return s, err
	}
	s.rate = float64(b.size) / 1e6 / time.Since(at).Seconds()
	if t.Bytes == 0 {
		return s, errors.New("the transfer brought nothing")
	}
	for i, n := range []*node{cn, kz} {
		peak, err := memory(n.cmd.Process.Pid, "VmHWM")
		if err != nil {
			return s, err
		}
		*[]*int64{&s.provider, &s.consumer}[i] = peak - before[i]
	}
	return s, os.Remove(t.File)
}
