package main

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"corridor/internal/exchange"
)

// scriptPatience bounds what a script waits for.
const scriptPatience = 30 * time.Second

// nodeCommands are what scripts need besides the program, to speak of nodes.
func nodeCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"freeport":    freeportCmd,
		"awaitnode":   awaitNodeCmd,
		"awaitparked": awaitParkedCmd,
		"capture":     captureCmd,
		"replace":     replaceCmd,
		"capturetask": captureTaskCmd,
		"awaittask":   awaitTaskCmd,
	}
}

// freeportCmd sets two variables: an address nobody listens on, and the DID of
// a node there.
func freeportCmd(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	ts.Setenv(args[0], l.Addr().String())
	ts.Setenv(args[1], "did:web:"+strings.ReplaceAll(l.Addr().String(), ":", "%3A"))
}

// awaitNodeCmd waits until the node of a directory answers.
func awaitNodeCmd(ts *testscript.TestScript, _ bool, args []string) {
	cfg, err := loadConfig(ts.MkAbs(args[0]))
	ts.Check(err)
	for deadline := time.Now().Add(scriptPatience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get(cfg.localURL() + "/health")
		if err == nil {
			resp.Body.Close()
			return
		}
	}
	ts.Fatalf("the node of %s does not answer", args[0])
}

// awaitParkedCmd waits until a negotiation of a node waits for its operator.
func awaitParkedCmd(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(scriptPatience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if parked(ts, args[0]) != "" {
			return
		}
	}
	ts.Fatalf("nothing waits for the operator of %s", args[0])
}

// captureCmd sets a variable to an identifier of a node's list: the one that
// waits for its operator, or the first.
func captureCmd(ts *testscript.TestScript, _ bool, args []string) {
	if args[3] == "parked" {
		ts.Setenv(args[0], parked(ts, args[1]))
		return
	}
	var p page[struct{ ID, PID string }]
	ts.Check(scriptNode(ts, args[1]).get(context.Background(), args[2], url.Values{}, &p))
	if len(p.Items) == 0 {
		ts.Fatalf("%s of %s is empty", args[2], args[1])
	}
	ts.Setenv(args[0], p.Items[0].ID+p.Items[0].PID)
}

func parked(ts *testscript.TestScript, dir string) string {
	var p page[negotiationView]
	ts.Check(scriptNode(ts, dir).get(context.Background(), "/api/negotiations", url.Values{}, &p))
	for _, n := range p.Items {
		if n.Waiting != nil && n.Waiting.On == "operator" {
			return n.PID
		}
	}
	return ""
}

func scriptNode(ts *testscript.TestScript, dir string) *nodeClient {
	c, err := nodeFlags{Dir: ts.MkAbs(dir)}.client()
	ts.Check(err)
	return c
}

// replaceCmd replaces a text in a file, which must be there.
func replaceCmd(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(text, args[1], args[2])), 0o600))
}

// captureTaskCmd sets a variable to the task of a node that stands for a duty.
func captureTaskCmd(ts *testscript.TestScript, _ bool, args []string) {
	list, err := allPages[exchange.Task](context.Background(), scriptNode(ts, args[1]), "/api/tasks", nil)
	ts.Check(err)
	for _, t := range list {
		if t.Obligation == args[2] && t.Ref == "" {
			ts.Setenv(args[0], t.ID)
			return
		}
	}
	ts.Fatalf("%s has no task %s", args[1], args[2])
}

// awaitTaskCmd waits until a task of a node is in a state.
func awaitTaskCmd(ts *testscript.TestScript, _ bool, args []string) {
	var t exchange.Task
	for deadline := time.Now().Add(scriptPatience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		ts.Check(scriptNode(ts, args[0]).get(context.Background(), "/api/tasks/"+url.PathEscape(args[1]), nil, &t))
		if t.State == args[2] {
			return
		}
	}
	ts.Fatalf("the task is %s, not %s", t.State, args[2])
}
