package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"corridor"
	"corridor/internal/exchange"
	"corridor/internal/identity/dcp"
	"corridor/internal/ledger"
	"corridor/test/port"
	"corridor/verify"
)

// scriptPatience bounds what a script waits for.
const scriptPatience = 30 * time.Second

// nodeCommands are what scripts need besides the program, to speak of nodes.
func nodeCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"freeport":        freeportCmd,
		"awaitnode":       awaitNodeCmd,
		"awaitparked":     awaitParkedCmd,
		"awaitstate":      awaitStateCmd,
		"capture":         captureCmd,
		"replace":         replaceCmd,
		"capturetask":     captureTaskCmd,
		"awaittask":       awaitTaskCmd,
		"awaitsigned":     awaitSignedCmd,
		"mkpolicy":        mkPolicyCmd,
		"logkey":          logKeyCmd,
		"awaitlog":        awaitLogCmd,
		"awaitcredential": awaitCredentialCmd,
		"awaitfeed":       awaitFeedCmd,
		"awaitreceipt":    awaitReceiptCmd,
	}
}

// freeportCmd sets two variables: an address nobody listens on, and the DID of
// a node there.
func freeportCmd(ts *testscript.TestScript, _ bool, args []string) {
	addr, err := port.Free()
	ts.Check(err)
	ts.Setenv(args[0], addr)
	ts.Setenv(args[1], "did:web:"+strings.ReplaceAll(addr, ":", "%3A"))
}

// mkPolicyCmd makes the key of a witness in a directory, and a policy that
// needs it: mkpolicy DIR NAME ADDRESS FILE.
func mkPolicyCmd(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	name, keys, err := ledger.WitnessKeys(dir, args[1])
	ts.Check(err)
	policy := "witness w " + verify.WitnessVKey(name, keys[0].Public().(ed25519.PublicKey)) + " http://" + args[2] + "\nquorum w\n"
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(policy), 0o600))
}

// logKeyCmd sets a variable to the verifier key of a node's log.
func logKeyCmd(ts *testscript.TestScript, _ bool, args []string) {
	vkey, err := prepareNode(context.Background(), ts.MkAbs(args[1]))
	ts.Check(err)
	ts.Setenv(args[0], vkey)
}

// awaitLogCmd waits until a node says that its log is open, or halted.
func awaitLogCmd(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(scriptPatience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var s struct{ Log exchange.LogStatus }
		ts.Check(scriptNode(ts, args[0]).get(context.Background(), "/api/status", nil, &s))
		if args[1] == "open" && s.Log.Stopped == "" || args[1] == "halted" && strings.Contains(s.Log.Stopped, "must not be signed any more") {
			return
		}
	}
	ts.Fatalf("the log of %s is not %s", args[0], args[1])
}

// awaitReceiptCmd waits until the log of a node holds a receipt of a kind whose
// words hold a text: awaitreceipt NODE KIND TEXT.
func awaitReceiptCmd(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(scriptPatience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var s struct{ Log exchange.LogStatus }
		node := scriptNode(ts, args[0])
		ts.Check(node.get(context.Background(), "/api/status", nil, &s))
		for i := range s.Log.Size {
			var v loggedView
			ts.Check(node.get(context.Background(), "/api/receipts/"+strconv.FormatInt(i, 10), nil, &v))
			var leaf corridor.Leaf
			ts.Check(json.Unmarshal(v.Leaf, &leaf))
			if leaf.Receipt.Type == args[1] && strings.Contains(leaf.Receipt.Reason, args[2]) {
				return
			}
		}
	}
	ts.Fatalf("the log of %s holds no receipt %s that says %q", args[0], args[1], args[2])
}

// awaitSignedCmd waits until the newest checkpoint of a node has a line of a
// witness.
func awaitSignedCmd(ts *testscript.TestScript, _ bool, args []string) {
	cfg, err := loadConfig(ts.MkAbs(args[0]))
	ts.Check(err)
	for deadline := time.Now().Add(scriptPatience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get(cfg.localURL() + "/log/checkpoint")
		if err != nil {
			continue
		}
		signed, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil && strings.Contains(string(signed), "\n— "+args[1]+" ") {
			return
		}
	}
	ts.Fatalf("no cosignature of %s on the log of %s", args[1], args[0])
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

// awaitParkedCmd waits until a negotiation of a node, or one of another list of
// it, waits for its operator.
func awaitParkedCmd(ts *testscript.TestScript, _ bool, args []string) {
	path := "/api/negotiations"
	if len(args) > 1 {
		path = args[1]
	}
	for deadline := time.Now().Add(scriptPatience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if parked(ts, args[0], path) != "" {
			return
		}
	}
	ts.Fatalf("nothing waits for the operator of %s", args[0])
}

// awaitCredentialCmd waits until a node holds a credential.
func awaitCredentialCmd(ts *testscript.TestScript, _ bool, args []string) {
	var all dcp.Contents
	for deadline := time.Now().Add(scriptPatience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		ts.Check(scriptNode(ts, args[0]).get(context.Background(), "/api/credentials", nil, &all))
		if len(all.Held) > 0 {
			return
		}
	}
	ts.Fatalf("%s holds nothing: %+v", args[0], all)
}

// awaitStateCmd waits until one process or agreement of a node is in a state.
func awaitStateCmd(ts *testscript.TestScript, _ bool, args []string) {
	var is struct{ State string }
	for deadline := time.Now().Add(scriptPatience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		ts.Check(scriptNode(ts, args[0]).get(context.Background(), args[1], nil, &is))
		if is.State == args[2] {
			return
		}
	}
	ts.Fatalf("%s of %s is %s, not %s", args[1], args[0], is.State, args[2])
}

// awaitFeedCmd waits until a node has a feed of some authority in a state, with
// a number or a later one.
func awaitFeedCmd(ts *testscript.TestScript, _ bool, args []string) {
	var st struct{ Trust exchange.TrustStatus }
	least, err := strconv.ParseInt(args[2], 10, 64)
	ts.Check(err)
	for deadline := time.Now().Add(scriptPatience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		ts.Check(scriptNode(ts, args[0]).get(context.Background(), "/api/status", nil, &st))
		if slices.ContainsFunc(st.Trust.Feeds, func(f exchange.FeedState) bool { return f.State == args[1] && f.Number >= least }) {
			return
		}
	}
	ts.Fatalf("no feed of %s is %s: %+v", args[0], args[1], st.Trust.Feeds)
}

// captureCmd sets a variable to an identifier of a node's list: the one that
// waits for its operator, or the first.
func captureCmd(ts *testscript.TestScript, _ bool, args []string) {
	if args[3] == "parked" {
		ts.Setenv(args[0], parked(ts, args[1], args[2]))
		return
	}
	if args[3] == "vkey" {
		var v loggedView
		ts.Check(scriptNode(ts, args[1]).get(context.Background(), args[2], url.Values{}, &v))
		ts.Setenv(args[0], v.VKey)
		return
	}
	var p page[struct{ ID, PID string }]
	ts.Check(scriptNode(ts, args[1]).get(context.Background(), args[2], url.Values{}, &p))
	if len(p.Items) == 0 {
		ts.Fatalf("%s of %s is empty", args[2], args[1])
	}
	item := p.Items[0]
	if args[3] == "last" {
		item = p.Items[len(p.Items)-1]
	}
	ts.Setenv(args[0], item.ID+item.PID)
}

func parked(ts *testscript.TestScript, dir, path string) string {
	var p page[struct {
		PID     string
		Waiting *waiting
	}]
	ts.Check(scriptNode(ts, dir).get(context.Background(), path, url.Values{}, &p))
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
