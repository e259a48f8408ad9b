package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"corridor"
	"corridor/internal/identity"
)

// peersTestCmd looks at a peer before anything is negotiated with it.
type peersTestCmd struct {
	nodeFlags
	Peer string `arg:"" help:"Its DID, or the address of its gateway." placeholder:"DID|URL" complete:"peers"`
}

// Help gives examples.
func (peersTestCmd) Help() string {
	return `Examples:
  corridor peers test did:web:gateway.example.kz --dir node
  corridor peers test https://gateway.example.kz --json --dir node
Each step says what was found, why it matters, and what would mend it. Nothing is negotiated and nothing is written down. What the
running node knows (credentials, compacts) is asked of it; the other steps need only its directory. The exit code is 1 if a step failed.`
}

// Run takes all steps and prints what they found.
func (c peersTestCmd) Run(a *app) error {
	t, err := c.prepare(a.ctx)
	if err != nil {
		return err
	}
	list := t.run(a.ctx)
	if err := a.ctx.Err(); err != nil {
		return corridor.E(corridor.Unavailable, "stopped: %w", err)
	}
	if c.JSON {
		err = printJSON(a.stdout, list)
	} else {
		err = printTrial(a, list)
	}
	for _, f := range list {
		if err == nil && f.Result == resultFailed {
			return exit(exitFailed)
		}
	}
	return err
}

// prepare opens what a node's directory holds, and finds out whether the node
// runs.
func (c peersTestCmd) prepare(ctx context.Context) (*peerTrial, error) {
	cfg, err := loadConfig(c.Dir)
	if err != nil {
		return nil, err
	}
	n := &running{cfg: cfg, log: slog.New(slog.DiscardHandler), peers: &peerList{path: cfg.path(cfg.Peers)}}
	for _, step := range []func(context.Context) error{n.openKeys, n.openNetwork} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	t := &peerTrial{cfg: cfg, given: c.Peer, guard: n.guard(), token: n.tokens.Issue, peers: n.peers, rules: n.rules, bounded: boundedStep, now: time.Now}
	t.http = t.guard.Client()
	node, err := c.client()
	if err == nil {
		err = node.get(ctx, "/api/packs", nil, &t.packs)
	}
	if err != nil {
		t.away = plainly(err)
		return t, nil
	}
	t.node = node
	return t, nil
}

// trialPatience bounds one step.
const trialPatience = 15 * time.Second

func boundedStep(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, trialPatience)
}

// The results of a step.
const (
	resultOK      = "ok"
	resultWarning = "warning"
	resultFailed  = "failed"
	resultNone    = "not_applicable"
)

// trialStep is what one step found.
type trialStep struct {
	Step   string `json:"step"`
	Result string `json:"result"`
	Found  string `json:"found"`
	Why    string `json:"why"`           // it matters
	Fix    string `json:"fix,omitempty"` // what would mend it
}

func found(format string, args ...any) trialStep {
	return trialStep{Result: resultOK, Found: fmt.Sprintf(format, args...)}
}

func warned(fix, format string, args ...any) trialStep {
	return trialStep{Result: resultWarning, Found: fmt.Sprintf(format, args...), Fix: fix}
}

func failed(fix, format string, args ...any) trialStep {
	return trialStep{Result: resultFailed, Found: fmt.Sprintf(format, args...), Fix: fix}
}

func notApplicable(format string, args ...any) trialStep {
	return trialStep{Result: resultNone, Found: fmt.Sprintf(format, args...)}
}

// failedWith tells an error the way it explains itself.
func failedWith(err error, fix string) trialStep {
	var e *corridor.Error
	if !errors.As(err, &e) {
		return failed(fix, "%s", inBrief(err.Error()))
	}
	said := *e
	said.Fix = ""
	if e.Fix != "" {
		fix = e.Fix
	}
	return failed(fix, "%s", inBrief(said.Error()))
}

// inBrief bounds what a stranger makes us print.
func inBrief(s string) string {
	const most = 400
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// peerTrial is one look at one peer. Each step leaves to the next ones what
// they need; what a step could not find out is empty.
type peerTrial struct {
	cfg     config
	given   string // DID or address
	guard   identity.Guard
	http    *http.Client
	token   func(ctx context.Context, audience string) (string, error)
	peers   *peerList
	rules   *ruleFile
	bounded func(context.Context) (context.Context, context.CancelFunc) // of one step
	now     func() time.Time

	node  *nodeClient // nil: the node does not run
	away  string      // why
	packs page[corridor.PackRef]

	did     string
	root    string // scheme and host
	known   *identity.Peer
	closed  string // why nothing more is sent to the address
	answer  *trialAnswer
	answers error
	doc     *identity.Document
	base    string // of the protocol
	demands string // how the peer wants callers to prove themselves, as its version document says
}

// run takes every step; one that fails does not keep the others from what they
// can find out.
func (t *peerTrial) run(ctx context.Context) []trialStep {
	var list []trialStep
	for _, s := range []struct {
		name, why string
		network   bool // it sends something to the peer
		do        func(context.Context) trialStep
	}{
		{"address", "a participant is its DID; where it is follows from that", false, t.findAddress},
		{"name", "requests that a peer causes must not reach inside networks", false, t.findName},
		{"connection", "messages have to get there", true, t.connect},
		{"tls", "messages carry tokens and data: nobody in between may read or change them", true, t.secure},
		{"clock", fmt.Sprintf("tokens live %s, and clocks may differ by %s: beyond that each side refuses the other", identity.TokenLife, identity.ClockSkew), true, t.compareClocks},
		{"versions", "both must speak one edition of the Dataspace Protocol", true, t.compareVersions},
		{"did", "its keys prove who calls and who has signed; an address that it does not announce gets no token", true, t.resolveDID},
		{"suites", "each side must be able to check what the other signs", false, t.compareSuites},
		{"known", "whoever is not on this node's list of peers is refused: the law of its side could not be chosen", false, t.findPeer},
		{"credentials", "a side that demands credentials lets nobody in without them", false, t.compareCredentials},
		{"catalogue", "it is the first request that needs everything before it", true, t.askCatalogue},
		{"compact", "where a compact is required, it must open the corridor between the two countries", false, t.compareCompacts},
	} {
		f := notApplicable("%s", t.closed)
		if !s.network || t.closed == "" {
			step, cancel := t.bounded(ctx)
			f = s.do(step)
			cancel()
		}
		f.Step, f.Why = s.name, s.why
		list = append(list, f)
	}
	return list
}

// padded fills a word up to a width on the screen.
func padded(s string, width int) string { return s + strings.Repeat(" ", max(width-cells(s), 0)) }

// printTrial prints one step after the other, and how many there were.
func printTrial(a *app, list []trialStep) error {
	count, width := map[string]int{}, 11
	for _, f := range list {
		width = max(width, cells(a.text(f.Step)))
	}
	for _, f := range list {
		count[f.Result]++
		fmt.Fprintf(a.stdout, "%s  %s  %s\n", padded(a.text(strings.ReplaceAll(f.Result, "_", " ")), 14), padded(a.text(f.Step), width), a.heard(f.Found))
		if f.Result == resultWarning || f.Result == resultFailed {
			fmt.Fprintf(a.stdout, "%*s  %s\n", width+18, "", a.text("why: %s", a.heard(f.Why)))
		}
		if f.Fix != "" {
			fmt.Fprintf(a.stdout, "%*s  %s\n", width+18, "", a.text("fix: %s", a.heard(f.Fix)))
		}
	}
	return a.print("%d ok, %d warnings, %d failed, %d not applicable\n", count[resultOK], count[resultWarning], count[resultFailed], count[resultNone])
}
