package edc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Node is a Corridor node in a process of its own: the program that is built
// for conformance, which takes EDC's mock identity, or the one that people run.
type Node struct {
	DID   string
	Base  string // of the node
	DSP   string // of the Dataspace Protocol
	Dir   string
	prog  string
	admin string
	http  *http.Client
	cmd   *exec.Cmd
	done  chan struct{}
	log   string
}

// Program gives the path of a built program that run has put into the
// environment.
func Program(name string) (string, error) {
	path := os.Getenv(name)
	if path == "" {
		return "", fmt.Errorf("%s is not set: start this with conformance/edc/run", name)
	}
	return path, nil
}

// NewNode makes a node directory for a country, as an operator does.
func NewNode(ctx context.Context, dir, country string) (*Node, error) {
	prog, err := Program("CORRIDOR")
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", ports[0])
	n := &Node{DID: "did:web:" + strings.ReplaceAll(addr, ":", "%3A"), Base: "http://" + addr, DSP: "http://" + addr + "/dsp/2025-1",
		Dir: dir, prog: prog, http: &http.Client{Timeout: 90 * time.Second}, done: make(chan struct{}), log: filepath.Join(dir, "corridor.log")}
	if err := n.Run(ctx, "init", "--did", n.DID, "--jurisdiction", country, "--listen", addr); err != nil {
		return nil, err
	}
	if err := n.configure("type: private", "traits: []", "flags: []"); err != nil {
		return nil, err
	}
	token, err := os.ReadFile(filepath.Join(dir, "admin.token"))
	if err != nil {
		return nil, err
	}
	n.admin = strings.TrimSpace(string(token))
	return n, nil
}

// configure sets lines of the node's configuration.
func (n *Node) configure(lines ...string) error {
	path := filepath.Join(n.Dir, "config.yaml")
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	all := strings.Split(string(raw), "\n")
	for _, line := range lines {
		key, _, _ := strings.Cut(line, ":")
		found := false
		for i, have := range all {
			if strings.HasPrefix(have, key+":") {
				all[i], found = line, true
			}
		}
		if !found {
			return fmt.Errorf("%s has no line %q", path, key)
		}
	}
	return os.WriteFile(path, []byte(strings.Join(all, "\n")), 0o600)
}

// Run carries out a command of the program on the node's directory.
func (n *Node) Run(ctx context.Context, command string, args ...string) error {
	cmd := exec.CommandContext(ctx, n.prog, append(append(strings.Fields(command), "--dir", n.Dir), args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("corridor %s: %w: %s", command, err, bytes.TrimSpace(out))
	}
	return nil
}

// Lists puts an EDC into the node's list of peers, as a connector of another
// make: what it is and what it uses data for is this operator's word.
func (n *Node) Lists(ctx context.Context, p *Peer, country string, facts ...string) error {
	args := []string{"--did", p.ID, "--name", "Eclipse EDC " + p.Version, "--jurisdiction", country, "--type", "private", "--unflagged",
		"--address", p.Protocol, "--plain", "--purpose", "trade_logistics"}
	for _, f := range facts {
		args = append(args, "--set", f)
	}
	return n.Run(ctx, "peers add", args...)
}

// Serve runs the node. mock: with EDC's mock identity, which only the program
// of the tag conformance has.
func (n *Node) Serve(ctx context.Context, mock bool) error {
	prog, args := n.prog, []string{"serve", "--dir", n.Dir}
	if mock {
		var err error
		if prog, err = Program("CORRIDOR_CONFORMANCE"); err != nil {
			return err
		}
		args = []string{"conformance", "edc", "--dir", n.Dir}
	}
	out, err := os.Create(n.log)
	if err != nil {
		return err
	}
	defer out.Close()
	n.cmd = exec.CommandContext(ctx, prog, args...)
	n.cmd.Stdout, n.cmd.Stderr = out, out
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = n.cmd.Wait() // how it ended is in its log
		close(n.done)
	}()
	return n.awaitHealth(ctx)
}

func (n *Node) awaitHealth(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	for {
		if _, err := call(ctx, n.http, http.MethodGet, n.Base+"/health", nil, nil); err == nil {
			return nil
		}
		select {
		case <-n.done:
			return errors.New("the node ended: " + n.Tail())
		case <-ctx.Done():
			return errors.New("the node does not answer: " + n.Tail())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Stop ends the node and waits for it.
func (n *Node) Stop() {
	if n.cmd == nil || n.cmd.Process == nil {
		return
	}
	_ = n.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-n.done:
		return
	case <-time.After(10 * time.Second):
	}
	_ = n.cmd.Process.Kill()
	<-n.done
}

// Tail is the end of the node's log.
func (n *Node) Tail() string { return (&Peer{log: n.log}).Tail() }

// RSS is the node's resident memory in bytes.
func (n *Node) RSS() (int64, error) { return residentOf(n.cmd.Process.Pid) }

// API calls the management API.
func (n *Node) API(ctx context.Context, method, path string, body any, out any) error {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return err
		}
	}
	answer, err := call(ctx, n.http, method, n.Base+"/api"+path, http.Header{"Authorization": {"Bearer " + n.admin}}, raw)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s: %w: %s", path, err, answer)
	}
	return nil
}

// Offers publishes a file.
func (n *Node) Offers(ctx context.Context, id, path string, facts, plan obj) error {
	body := obj{"id": id, "source": path, "format": "csv", "facts": facts}
	if plan != nil {
		body["plan"] = plan
	}
	return n.API(ctx, http.MethodPost, "/datasets", body, nil)
}

// Listing is a dataset of a peer's catalogue.
type Listing struct {
	ID      string   `json:"id"`
	Formats []string `json:"formats"`
}

// Catalogue asks a peer for its catalogue.
func (n *Node) Catalogue(ctx context.Context, peer string) ([]Listing, error) {
	var page struct{ Items []Listing }
	return page.Items, n.API(ctx, http.MethodGet, "/catalogue?peer="+url.QueryEscape(peer), nil, &page)
}

// Process is a negotiation or a transfer as the management API shows it.
type Process struct {
	PID       string
	State     string
	Agreement string
	Reason    []string
	Code      string
	File      string
	SHA256    string
	Bytes     int64
	Parked    string
	Released  any
	Received  any
}

// Negotiate asks a peer for a contract and waits until it is over.
func (n *Node) Negotiate(ctx context.Context, peer, dataset string, facts obj) (Process, error) {
	var p Process
	if err := n.API(ctx, http.MethodPost, "/negotiations", obj{"provider": peer, "dataset": dataset, "purpose": "trade_logistics", "facts": facts}, &p); err != nil {
		return p, err
	}
	return n.until(ctx, "/negotiations/"+p.PID, "FINALIZED", "TERMINATED")
}

// Transfer asks for the data of an agreement.
func (n *Node) Transfer(ctx context.Context, agreement, format string) (p Process, err error) {
	return p, n.API(ctx, http.MethodPost, "/transfers", obj{"agreement": agreement, "format": format}, &p)
}

// AwaitTransfer waits until a transfer is in one of the states.
func (n *Node) AwaitTransfer(ctx context.Context, pid string, states ...string) (Process, error) {
	return n.until(ctx, "/transfers/"+pid, states...)
}

func (n *Node) until(ctx context.Context, path string, states ...string) (Process, error) {
	for {
		var p Process
		if err := n.API(ctx, http.MethodGet, path, nil, &p); err != nil {
			return p, err
		}
		for _, s := range states {
			if p.State == s {
				return p, nil
			}
		}
		select {
		case <-ctx.Done():
			return p, fmt.Errorf("waiting for %v of %s: %w; it is %+v", states, path, ctx.Err(), p)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Act suspends, resumes or terminates a transfer.
func (n *Node) Act(ctx context.Context, pid, act, reason string) error {
	body := obj{"reason": reason}
	if act == "resume" {
		return n.API(ctx, http.MethodPost, "/transfers/"+pid+"/resume", nil, nil)
	}
	return n.API(ctx, http.MethodPost, "/transfers/"+pid+"/"+act, body, nil)
}

// Transfers lists the node's transfers.
func (n *Node) Transfers(ctx context.Context) ([]Process, error) {
	var page struct{ Items []Process }
	return page.Items, n.API(ctx, http.MethodGet, "/transfers", nil, &page)
}

// verify checks a bundle with the program that people run.
func (n *Node) verify(ctx context.Context, bundle string) (string, error) {
	out, err := exec.CommandContext(ctx, n.prog, "verify", bundle).CombinedOutput()
	return string(out), err
}
