//go:build bench

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"corridor"
	"corridor/test/port"
)

// node is a gateway as a process of its own, made by corridor init.
type node struct {
	b              *bench
	dir, addr, did string
	country, vkey  string
	token          string
	log            string
	cmd            *exec.Cmd
}

// newNode makes the directory of a node on a free port.
func (b *bench) newNode(country, suite string) (*node, error) {
	addr, err := port.Free()
	if err != nil {
		return nil, err
	}
	n := &node{b: b, addr: addr, country: country}
	if n.dir, err = os.MkdirTemp(b.dir, "node-"); err != nil {
		return nil, err
	}
	n.log = filepath.Join(n.dir, "log")
	n.did = "did:web:" + strings.ReplaceAll(n.addr, ":", "%3A")
	home := filepath.Join(n.dir, "home")
	out, err := n.corridor("init", "--dir", home, "--did", n.did, "--jurisdiction", country, "--suite", suite, "--listen", n.addr, "--assume", "ordinary_private_exporter")
	if err != nil {
		return nil, err
	}
	n.dir = home
	key := regexp.MustCompile(`--log-key '([^']+)'`).FindStringSubmatch(out)
	if key == nil {
		return nil, errors.New("init names no log key")
	}
	n.vkey = key[1]
	if err := n.configure(`(?m)^traits: .*$`, "traits: []"); err != nil {
		return nil, err
	}
	token, err := os.ReadFile(filepath.Join(home, "admin.token"))
	n.token = strings.TrimSpace(string(token))
	return n, err
}

func (n *node) corridor(args ...string) (string, error) {
	out, err := exec.CommandContext(n.b.ctx, n.b.corridor, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("corridor %s: %w: %s", args[0], err, out)
	}
	return string(out), nil
}

func (n *node) knows(p *node) error {
	_, err := n.corridor("peers", "add", "--dir", n.dir, "--did", p.did, "--jurisdiction", p.country, "--type", "private", "--unflagged", "--log-key", p.vkey)
	return err
}

// start runs the node and gives the time until its first answer.
func (n *node) start() (time.Duration, error) {
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	n.cmd = exec.CommandContext(n.b.ctx, n.b.corridor, "serve", "--dir", n.dir)
	n.cmd.Stdout, n.cmd.Stderr = log, log
	at := time.Now()
	if err := n.cmd.Start(); err != nil {
		return 0, err
	}
	for time.Since(at) < 30*time.Second {
		resp, err := http.Get("http://" + n.addr + "/health")
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if err == nil && resp.StatusCode == http.StatusOK {
				return time.Since(at), nil
			}
		}
		time.Sleep(time.Millisecond)
	}
	n.stop()
	tail, _ := os.ReadFile(n.log) // for the message only
	return 0, fmt.Errorf("the node of %s does not answer: %s", n.country, tail[max(0, len(tail)-500):])
}

// stop ends the node and waits for it.
func (n *node) stop() {
	if n == nil || n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Signal(syscall.SIGTERM)
	hard := time.AfterFunc(10*time.Second, func() { _ = n.cmd.Process.Kill() })
	_ = n.cmd.Wait()
	hard.Stop()
	n.cmd = nil
}

// call uses the management API.
func (n *node) call(method, path string, body, out any) error {
	var send io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		send = bytes.NewReader(raw)
	}
	ctx, cancel := context.WithTimeout(n.b.ctx, 5*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+n.addr+path, send)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+n.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %d %s", method, path, resp.StatusCode, raw)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(raw, out)
}

// process is what is read of a negotiation or a transfer.
type process struct {
	PID       string   `json:"pid"`
	PeerPID   string   `json:"peer_pid"`
	Peer      string   `json:"peer"`
	State     string   `json:"state"`
	Pending   string   `json:"pending"`
	Agreement string   `json:"agreement"`
	File      string   `json:"file"`
	Bytes     int64    `json:"bytes"`
	Reason    []string `json:"reason"`
	Waiting   *struct {
		On, Why string
	} `json:"waiting"`
}

// await waits until a process is in the state that is wanted.
func (n *node) await(kind, pid, want string) (process, error) {
	var p process
	for deadline := time.Now().Add(10 * time.Minute); time.Now().Before(deadline); {
		if err := n.call(http.MethodGet, "/api/"+kind+"/"+pid+"?wait=30s", nil, &p); err != nil {
			return p, err
		}
		switch {
		case p.State == want:
			return p, nil
		case p.State == "TERMINATED", p.Waiting != nil && p.Waiting.On == "operator":
			return p, fmt.Errorf("%s of %s: %s %v %+v", kind, n.country, p.State, p.Reason, p.Waiting)
		}
	}
	return p, fmt.Errorf("%s of %s stays %s", kind, n.country, p.State)
}

// pair starts an exporter in China, who signs with SM2, and an importer in
// Kazakhstan, who signs with Ed25519.
func (b *bench) pair() (cn, kz *node, err error) {
	defer func() {
		if err != nil {
			cn.stop()
			kz.stop()
		}
	}()
	if cn, err = b.newNode("CN", "SM2"); err != nil {
		return cn, kz, err
	}
	if kz, err = b.newNode("KZ", "Ed25519"); err != nil {
		return cn, kz, err
	}
	for _, n := range []*node{cn, kz} {
		if _, err = n.start(); err != nil {
			return cn, kz, err
		}
	}
	// A peer that is not there yet would be remembered as such for a while.
	return cn, kz, errors.Join(cn.knows(kz), kz.knows(cn))
}

// publish offers a file of personal data with its plan and the evidence of
// the duties that come first.
func (n *node) publish(source string, plan any) error {
	none := map[string]string{"state": "none"}
	evidence := map[string]any{}
	for _, d := range []string{"contract_with_recipient", "pipia", "notice", "consent_if_consent_basis"} {
		evidence[d] = corridor.Evidence{Obligation: d, Ref: "benchmark", By: "benchmark", On: corridor.DateOf(time.Now())}
	}
	return n.call(http.MethodPost, "/api/datasets", map[string]any{
		"id": "shipments", "title": "Shipments", "source": source, "format": "csv", "plan": plan, "evidence": evidence,
		"facts": map[string]any{"data_classes": []string{"personal"}, "deid": "pseudonymised", "subjects_in_file": 100, "subjects_ytd": 100,
			"sensitive_subjects_ytd": 0, "sensitive_subjects_in_file": 0, "data_source": "domestic", "subject_link": []string{"resident"}, "local_copy": true,
			"vehicles": map[string]any{"cn.standard_contract": none, "cn.certification": none, "cn.security_assessment": none, "cn.treaty_terms": none, "cn.authority_approval": none}},
	}, nil)
}

// agree negotiates and waits until both sides have finalised.
func agree(cn, kz *node) (process, error) {
	var p process
	if err := kz.call(http.MethodPost, "/api/negotiations", map[string]any{"provider": cn.did, "dataset": "shipments", "purpose": "trade_logistics",
		"facts": map[string]any{"ai_role": "none", "decision_effect": "none"}}, &p); err != nil {
		return p, err
	}
	p, err := kz.await("negotiations", p.PID, "FINALIZED")
	if err != nil {
		return p, err
	}
	_, err = cn.await("negotiations", p.PeerPID, "FINALIZED")
	return p, err
}

// node measures start and idle memory.
func (b *bench) node() error {
	n, err := b.newNode("KZ", "Ed25519")
	if err != nil {
		return err
	}
	defer n.stop()
	var took []time.Duration
	for range 11 {
		n.stop()
		t, err := n.start()
		if err != nil {
			return err
		}
		took = append(took, t)
	}
	time.Sleep(10 * time.Second)
	now, err := memory(n.cmd.Process.Pid, "VmRSS")
	if err != nil {
		return err
	}
	peak, err := memory(n.cmd.Process.Pid, "VmHWM")
	b.add("node start to first answered request", "≤ 120 ms", "%s (worst %s)", quantilesOf(took), brief(slices.Max(took)))
	b.add("- idle memory, ten seconds later", "≤ 50 MB RSS", "%s RSS (highest since start %s)", mb(now), mb(peak))
	return err
}

// negotiate measures complete negotiations between two nodes.
func (b *bench) negotiate() error {
	cn, kz, err := b.trading()
	if err != nil {
		return err
	}
	defer cn.stop()
	defer kz.stop()
	n := 400
	if b.quick {
		n = 100
	}
	var took []time.Duration
	var before [2]time.Duration
	for i := range n + 10 {
		if i == 10 {
			if before, err = spent(cn, kz); err != nil {
				return err
			}
		}
		at := time.Now()
		if _, err := agree(cn, kz); err != nil {
			return err
		}
		if i >= 10 { // the first ones warm up
			took = append(took, time.Since(at))
		}
	}
	b.add("complete negotiation, request to finalised on both sides, two processes", "p50 ≤ 15 ms, p99 ≤ 60 ms", "%s, of %d", quantilesOf(took), n)
	after, err := spent(cn, kz)
	if err != nil {
		return err
	}
	b.add("- processor time of the two nodes for one", "", "%s in CN, %s in KZ", brief((after[0]-before[0])/time.Duration(n)), brief((after[1]-before[1])/time.Duration(n)))
	for _, side := range []*node{cn, kz} {
		rss, err := memory(side.cmd.Process.Pid, "VmRSS")
		if err != nil {
			return err
		}
		b.add("- memory of the node in "+side.country+" after these", "", "%s RSS", mb(rss))
	}
	return nil
}

// spent is the processor time of two nodes so far.
func spent(a, b *node) (out [2]time.Duration, err error) {
	for i, n := range []*node{a, b} {
		if out[i], err = processor(n.cmd.Process.Pid); err != nil {
			return out, err
		}
	}
	return out, nil
}

// demo measures the demo of the built program.
func (b *bench) demo() error {
	var took []time.Duration
	for i := range 7 {
		cmd := exec.CommandContext(b.ctx, b.corridor, "demo", "--out", filepath.Join(b.dir, fmt.Sprintf("demo-%d", i)))
		cmd.Stdout = io.Discard
		t, _, err := watched(cmd)
		if err != nil {
			return err
		}
		took = append(took, t)
	}
	b.add("`demo`, built binary", "≤ 3 s", "%s (worst %s)", quantilesOf(took), brief(slices.Max(took)))
	return nil
}
