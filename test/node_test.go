package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"corridor/test/port"
)

// patience bounds every wait of these tests; it is no measurement.
const patience = 30 * time.Second

// build makes the program once for a test.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "corridor")
	cmd := exec.Command("go", "build", "-o", bin, "./cmd/corridor")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// node is one organisation's gateway as a process of its own.
type node struct {
	t         *testing.T
	bin, dir  string
	addr, did string
	country   string
	vkey      string
	token     string
	log       *os.File
	cmd       *exec.Cmd
	done      chan error
}

// newNode makes a node directory with the program's own init.
func newNode(t *testing.T, bin, name, country, suite string) *node {
	t.Helper()
	addr := freePort(t)
	return makeNode(t, bin, name, country, suite, addr, addr)
}

// makeNode is newNode for a participant that others may reach at another
// address than the one on which this process listens.
func makeNode(t *testing.T, bin, name, country, suite, public, listen string) *node {
	t.Helper()
	n := &node{t: t, bin: bin, dir: filepath.Join(t.TempDir(), name), addr: listen, country: country,
		did: "did:web:" + strings.ReplaceAll(public, ":", "%3A")}
	out := n.run("init", "--dir", n.dir, "--did", n.did, "--jurisdiction", country, "--suite", suite, "--name", name, "--listen", listen)
	n.vkey = regexp.MustCompile(`--log-key '([^']+)'`).FindStringSubmatch(out)[1]
	raw, err := os.ReadFile(filepath.Join(n.dir, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	n.token = strings.TrimSpace(string(raw))
	n.openLog(name)
	return n
}

// openLog makes the file of what the process says, and sees to its end.
func (n *node) openLog(name string) {
	var err error
	if n.log, err = os.Create(filepath.Join(n.t.TempDir(), name+".log")); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		n.kill()
		if n.t.Failed() {
			n.tail()
		}
		n.log.Close()
	})
}

// freePort gives an address where nobody listens now.
func freePort(t *testing.T) string {
	t.Helper()
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// run runs a command of the program and gives what it printed.
func (n *node) run(args ...string) string {
	n.t.Helper()
	out, err := exec.Command(n.bin, args...).CombinedOutput()
	if err != nil {
		n.t.Fatalf("corridor %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// configure changes lines of the node's configuration.
func (n *node) configure(lines map[string]string) {
	n.t.Helper()
	path := filepath.Join(n.dir, "config.yaml")
	raw, err := os.ReadFile(path)
	if err != nil {
		n.t.Fatal(err)
	}
	text := string(raw)
	for key, value := range lines {
		text = regexp.MustCompile(`(?m)^`+key+`: .*$`).ReplaceAllString(text, key+": "+value)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// knows puts a peer on the node's list.
func (n *node) knows(p *node) {
	n.t.Helper()
	n.run("peers", "add", "--dir", n.dir, "--did", p.did, "--jurisdiction", p.country, "--type", "private", "--unflagged", "--log-key", p.vkey)
}

// start runs the node and waits until it answers.
func (n *node) start() {
	n.t.Helper()
	if err := n.launch(); err != nil {
		n.tail()
		n.t.Fatal(err)
	}
}

// restart is start for goroutines other than the test's own.
func (n *node) restart() {
	if err := n.launch(); err != nil {
		n.t.Error(err)
	}
}

func (n *node) launch() error {
	n.cmd = exec.Command(n.bin, "serve", "--dir", n.dir)
	n.cmd.Stderr, n.cmd.Stdout = n.log, n.log
	if err := n.cmd.Start(); err != nil {
		return err
	}
	n.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan error) { done <- cmd.Wait() }(n.cmd, n.done)
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		resp, err := http.Get("http://" + n.addr + "/health")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-n.done:
			n.done <- err
			return fmt.Errorf("the node of %s did not start: %w", n.country, err)
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the node of %s does not answer", n.country)
		}
	}
}

// kill ends the node as a power cut would: nothing of it runs any more.
func (n *node) kill() {
	if n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Kill()
	<-n.done
	n.cmd = nil
}

// tail shows the end of the node's log.
func (n *node) tail() {
	raw, err := os.ReadFile(n.log.Name())
	if err != nil {
		return
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	n.t.Logf("log of %s:\n%s", n.country, strings.Join(lines[max(0, len(lines)-40):], "\n"))
}

// errDown says that the node gave no answer.
var errDown = errors.New("the node is down")

// call uses the management API. A status of 300 and above is an error with
// the body's text.
func (n *node) call(method, path string, body, out any) error {
	var send io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		send = bytes.NewReader(raw)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+n.addr+path, send)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+n.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", errDown, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%w: %w", errDown, err)
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %d %s", method, path, resp.StatusCode, raw)
	}
	if b, ok := out.(*[]byte); ok {
		*b = raw
		return nil
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(raw, out)
}

// must is call for a node that is up.
func (n *node) must(method, path string, body, out any) {
	n.t.Helper()
	if err := n.call(method, path, body, out); err != nil {
		n.t.Fatal(err)
	}
}

// process is what the tests read of a negotiation or a transfer.
type process struct {
	PID       string   `json:"pid"`
	PeerPID   string   `json:"peer_pid"`
	State     string   `json:"state"`
	Agreement string   `json:"agreement"`
	File      string   `json:"file"`
	SHA256    string   `json:"sha256"`
	Reason    []string `json:"reason"`
	Waiting   *struct {
		On, Why string
	} `json:"waiting"`
}

// all lists every process of a kind.
func (n *node) all(kind string) []process {
	n.t.Helper()
	var items []process
	for after := ""; ; {
		var page struct {
			Items []process
			Next  string
		}
		n.must(http.MethodGet, "/api/"+kind+"?limit=100&after="+url.QueryEscape(after), nil, &page)
		items = append(items, page.Items...)
		if page.Next == "" {
			return items
		}
		after = page.Next
	}
}
