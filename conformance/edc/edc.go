// Package edc starts Eclipse EDC from published artifacts and drives it over
// its management API, so that Corridor can be held against it. Start it with
// conformance/edc/run, which fetches the artifacts; docs/conformance.md says
// what is proven.
package edc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Distribution is one version of EDC as run has laid it out.
type Distribution struct {
	Version string
	Dir     string // lib/ with the published jars, ext/ with the compiled door
}

// Distributions reads what run has fetched: EDC_PEERS holds VERSION=DIR pairs,
// separated by spaces.
func Distributions() ([]Distribution, error) {
	var out []Distribution
	for _, pair := range strings.Fields(os.Getenv("EDC_PEERS")) {
		version, dir, ok := strings.Cut(pair, "=")
		if !ok || version == "" || dir == "" {
			return nil, fmt.Errorf("EDC_PEERS: %q is not VERSION=DIRECTORY", pair)
		}
		out = append(out, Distribution{version, dir})
	}
	if len(out) == 0 {
		return nil, errors.New("EDC_PEERS names no version of EDC: start this with conformance/edc/run")
	}
	return out, nil
}

// Options say how a peer is started.
type Options struct {
	Poll time.Duration // of its state machines; EDC's own default is 1 s, its tests set 50 ms
	Log  string        // file for its output
	// Front gives an address to announce to other participants in place of the
	// peer's own: something that stands before it. Nil: the peer's own.
	Front func(own string) (string, error)
}

// Peer is a running EDC: control plane and data plane in one process.
type Peer struct {
	ID         string // participant id, a did:web so that Corridor can list it
	Version    string
	Management string        // base of the management API
	Protocol   string        // base of DSP 2025-1
	Root       string        // where the version document is
	Ready      time.Duration // from exec until all of it has started

	http  *http.Client
	cmd   *exec.Cmd
	began time.Time
	done  chan struct{}
	log   string
}

// dspName is how EDC calls the edition of the protocol.
const dspName = "dataspace-protocol-http:2025-1"

// Start runs a peer until Stop, or until ctx ends.
func Start(ctx context.Context, d Distribution, o Options) (*Peer, error) {
	ports, err := freePorts(7)
	if err != nil {
		return nil, err
	}
	at := func(i int, path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", ports[i], path) }
	p := &Peer{ID: fmt.Sprintf("did:web:127.0.0.1%%3A%d", ports[2]), Version: d.Version, Management: at(1, "/management/v3"), Root: at(2, "/protocol"),
		Protocol: at(2, "/protocol/2025-1"), http: &http.Client{Timeout: 30 * time.Second}, done: make(chan struct{}), log: o.Log}
	if o.Front != nil {
		front, err := o.Front(at(2, ""))
		if err != nil {
			return nil, err
		}
		p.Root, p.Protocol = front+"/protocol", front+"/protocol/2025-1"
	}
	settings := map[string]string{
		"edc.participant.id": p.ID, "edc.hostname": "127.0.0.1", "edc.dsp.callback.address": p.Root,
		"web.http.port": strconv.Itoa(ports[0]), "web.http.path": "/api",
		"web.http.management.port": strconv.Itoa(ports[1]), "web.http.management.path": "/management",
		"web.http.protocol.port": strconv.Itoa(ports[2]), "web.http.protocol.path": "/protocol",
		"web.http.control.port": strconv.Itoa(ports[3]), "web.http.control.path": "/control",
		"web.http.public.port": strconv.Itoa(ports[4]), "web.http.public.path": "/public",
		"web.http.version.port": strconv.Itoa(ports[5]), "web.http.version.path": "/version",
		"edc.transfer.proxy.token.signer.privatekey.alias":  "private-key",
		"edc.transfer.proxy.token.verifier.publickey.alias": "public-key",
	}
	for _, machine := range []string{"negotiation.consumer", "negotiation.provider", "transfer", "dataplane", "data.plane.selector"} {
		settings["edc."+machine+".state-machine.iteration-wait-millis"] = strconv.FormatInt(o.Poll.Milliseconds(), 10)
	}
	if err := p.exec(ctx, d, settings); err != nil {
		return nil, err
	}
	if err := errors.Join(p.awaitReady(ctx), p.awaitPlane(ctx)); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

func (p *Peer) exec(ctx context.Context, d Distribution, settings map[string]string) error {
	var text strings.Builder
	for k, v := range settings {
		fmt.Fprintf(&text, "%s=%s\n", k, v)
	}
	properties := p.log + ".properties"
	if err := os.WriteFile(properties, []byte(text.String()), 0o600); err != nil {
		return err
	}
	out, err := os.Create(p.log)
	if err != nil {
		return err
	}
	defer out.Close()
	p.cmd = exec.CommandContext(ctx, "java", "-Xshare:auto", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=4", "-Dedc.fs.config="+properties,
		"-cp", filepath.Join(d.Dir, "ext")+":"+filepath.Join(d.Dir, "lib", "*"), "org.eclipse.edc.boot.system.runtime.BaseRuntime")
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // never outlives the driver
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in its log
		close(p.done)
	}()
	return nil
}

// awaitReady waits for the line with which EDC says that every part has
// started: its readiness probe answers before that.
func (p *Peer) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	for {
		raw, err := os.ReadFile(p.log)
		if err != nil {
			return err
		}
		if readyLine.Match(raw) {
			p.Ready = time.Since(p.began)
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("EDC %s was not ready: %w\n%s", p.Version, ctx.Err(), p.Tail())
		case <-p.done:
			return fmt.Errorf("EDC %s ended while starting\n%s", p.Version, p.Tail())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// awaitPlane waits until EDC's control plane has found its own data plane
// available, which it does some time after it says that it is ready: a
// transfer before that ends with "No dataplane found".
func (p *Peer) awaitPlane(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	for {
		var planes []struct{ State string }
		err := p.get(ctx, "/dataplanes", &planes)
		for _, plane := range planes {
			if plane.State == "AVAILABLE" {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("EDC %s has no data plane that is available: %v (%w)\n%s", p.Version, planes, errors.Join(err, ctx.Err()), p.Tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

var readyLine = regexp.MustCompile(`Runtime \S+ ready`)

// Stop ends the peer and waits for it.
func (p *Peer) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.done:
		return
	case <-time.After(5 * time.Second):
	}
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Tail is the end of the peer's log, for a failure's message.
func (p *Peer) Tail() string {
	raw, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	const most = 6000
	return string(raw[max(0, len(raw)-most):])
}

// RSS is the peer's resident memory in bytes.
func (p *Peer) RSS() (int64, error) { return residentOf(p.cmd.Process.Pid) }

func residentOf(pid int) (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("the system tells no VmRSS")
}

// freePorts picks ports on which nobody listens, below those that the system
// gives to outgoing connections: none of these takes one meanwhile.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range 100 * n {
		if len(ports) == n {
			return ports, nil
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000)))
		if err != nil {
			continue
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return nil, errors.New("no free ports on 127.0.0.1")
}

// call sends JSON to an address and gives the answer of a success.
func call(ctx context.Context, c *http.Client, method, address string, header http.Header, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if header != nil {
		req.Header = header.Clone()
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, fmt.Errorf("%s %s: %s: %s", method, address, resp.Status, bytes.TrimSpace(out))
	}
	return out, nil
}
