package test

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"corridor/verify"
)

const (
	killings = 20
	killSeed = 20261124
	killRows = 200_000
)

// TestNodeKilledAtAnyMomentLosesNothing runs an exporter and an importer as
// processes, and at twenty moments drawn from a seed ends one of them without
// warning, in the middle of a negotiation or a transfer, and starts it again.
// Every exchange finishes or terminates, in the same way on both sides; no
// agreement and no receipt is lost or doubled; a file has its final name only
// when it is whole; both logs only ever grow; and every bundle verifies.
func TestNodeKilledAtAnyMomentLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("runs two nodes as processes")
	}
	w := newKillWorld(t)
	span := w.calibrate()
	seed := uint64(killSeed)
	if given, err := strconv.ParseUint(os.Getenv("KILL_SEED"), 10, 64); err == nil {
		seed = given
	}
	random := rand.New(rand.NewPCG(seed, 9))
	for i := range killings {
		victim, who := w.exporter, "exporter"
		if random.IntN(2) == 0 {
			victim, who = w.importer, "importer"
		}
		after := time.Duration(random.Int64N(int64(span)))
		pause := time.Duration(random.Int64N(int64(60 * time.Millisecond)))
		t.Logf("%2d: the %s is killed after %v and stays down for %v", i+1, who, after.Round(time.Millisecond), pause.Round(time.Millisecond))
		w.exchangeWhileKilling(victim, after, pause)
		w.noteCheckpoints()
	}
	w.checkProcesses()
	w.checkFiles()
	w.checkProofs()
	w.checkLogs()
	t.Logf("%d exchanges finished, %d of %d deaths were in the middle of a file", len(w.finished)-2, w.cut, killings)
}

// killWorld is two nodes, one dataset, and what must come out of it.
type killWorld struct {
	t                  *testing.T
	exporter, importer *node
	want               string // digest of the file as it must arrive
	finished           []string
	cut                int // deaths that left a part of a file
	seen               map[*node][]verify.Checkpoint
}

func newKillWorld(t *testing.T) *killWorld {
	bin := build(t)
	w := &killWorld{t: t, exporter: newNode(t, bin, "exporter", "CN", "SM2"), importer: newNode(t, bin, "importer", "KZ", "Ed25519"),
		seen: map[*node][]verify.Checkpoint{}}
	w.exporter.knows(w.importer)
	w.importer.knows(w.exporter)
	w.exporter.configure(map[string]string{"traits": "[]", "assume": "ordinary_private_exporter"})
	w.importer.configure(map[string]string{"assume": "ordinary_private_exporter"})
	w.exporter.start()
	w.importer.start()
	w.publish()
	return w
}

// publish offers a file of personal data whose telephone column is masked.
func (w *killWorld) publish() {
	w.t.Helper()
	source := filepath.Join(w.t.TempDir(), "consignments.csv")
	var in bytes.Buffer
	out := csv.NewWriter(&in)
	_ = out.Write([]string{"consignment", "phone", "goods"})
	for i := range killRows {
		_ = out.Write([]string{fmt.Sprintf("C%07d", i), fmt.Sprintf("+1202555%04d", 100+i%100), strings.Repeat("goods ", 1+i%9)})
	}
	out.Flush()
	if err := os.WriteFile(source, in.Bytes(), 0o600); err != nil {
		w.t.Fatal(err)
	}
	none := map[string]string{"state": "none"}
	w.exporter.must(http.MethodPost, "/api/datasets", map[string]any{
		"id": "consignments", "title": "Consignments", "source": source, "format": "csv",
		"facts": map[string]any{"data_classes": []string{"personal"}, "deid": "none", "subjects_in_file": 100, "subjects_ytd": 100,
			"sensitive_subjects_ytd": 0, "sensitive_subjects_in_file": 0, "data_source": "domestic", "subject_link": []string{"resident"}, "local_copy": true,
			"vehicles": map[string]any{"cn.standard_contract": none, "cn.certification": none, "cn.security_assessment": none, "cn.treaty_terms": none, "cn.authority_approval": none}},
		"plan":     map[string]any{"format": "csv", "stages": []any{map[string]any{"do": "drop", "columns": []string{"phone"}}}},
		"evidence": proofs("contract_with_recipient", "pipia", "notice", "consent_if_consent_basis"),
	}, nil)
}

// proofs is evidence for duties that are owed before the transfer.
func proofs(duties ...string) map[string]any {
	out := map[string]any{}
	for _, d := range duties {
		out[d] = map[string]any{"obligation": d, "ref": "test", "by": "test", "on": "2026-11-24"}
	}
	return out
}

// ask starts a negotiation and gives its pid. If the answer is lost with the
// node, what the node kept decides whether to ask again.
func (w *killWorld) ask() string {
	w.t.Helper()
	known := map[string]bool{}
	for _, n := range w.steady("negotiations") {
		known[n.PID] = true
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		var n process
		err := w.importer.call(http.MethodPost, "/api/negotiations", map[string]any{"provider": w.exporter.did, "dataset": "consignments", "purpose": "trade_logistics",
			"facts": map[string]any{"ai_role": "none", "decision_effect": "none"}}, &n)
		if err == nil {
			return n.PID
		}
		for _, n := range w.steady("negotiations") {
			if !known[n.PID] {
				return n.PID
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.t.Fatal("no negotiation could be started")
	return ""
}

// fetch starts the transfer of an agreement and gives its pid.
func (w *killWorld) fetch(agreement string) string {
	w.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		var tr process
		if err := w.importer.call(http.MethodPost, "/api/transfers", map[string]string{"agreement": agreement}, &tr); err == nil {
			return tr.PID
		}
		for _, tr := range w.steady("transfers") {
			if tr.Agreement == agreement {
				return tr.PID
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.t.Fatal("no transfer could be started")
	return ""
}

// steady lists the importer's processes, waiting for a node that is down.
func (w *killWorld) steady(kind string) []process {
	w.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if err := w.importer.call(http.MethodGet, "/api/status", nil, nil); err == nil {
			var page struct{ Items []process }
			if err := w.importer.call(http.MethodGet, "/api/"+kind+"?limit=100", nil, &page); err == nil {
				return page.Items
			}
		}
		if time.Now().After(deadline) {
			w.t.Fatal("the importer does not come back")
		}
	}
}

// until follows a process of the importer to its end, across its deaths.
func (w *killWorld) until(kind, pid string, ends ...string) process {
	w.t.Helper()
	var p process
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		err := w.importer.call(http.MethodGet, "/api/"+kind+"/"+url.PathEscape(pid)+"?wait=2s", nil, &p)
		switch {
		case err == nil && slices.Contains(ends, p.State):
			return p
		case err != nil && !errors.Is(err, errDown):
			w.t.Fatal(err)
		case err != nil:
			time.Sleep(10 * time.Millisecond)
		}
	}
	w.t.Fatalf("%s %s hangs: %+v, waiting %+v", kind, pid, p, p.Waiting)
	return p
}

// exchange runs one negotiation and transfer to their end.
func (w *killWorld) exchange() {
	w.t.Helper()
	n := w.until("negotiations", w.ask(), "FINALIZED", "TERMINATED")
	if n.State == "TERMINATED" {
		w.t.Logf("    terminated cleanly: %v", n.Reason)
		return
	}
	tr := w.until("transfers", w.fetch(n.Agreement), "COMPLETED", "TERMINATED")
	if tr.State == "TERMINATED" {
		w.t.Logf("    transfer terminated cleanly: %v", tr.Reason)
		return
	}
	w.finished = append(w.finished, n.Agreement)
}

// calibrate runs exchanges that nobody disturbs: how long one takes, and what
// arrives.
func (w *killWorld) calibrate() time.Duration {
	w.t.Helper()
	w.exchange()
	started := time.Now()
	w.exchange()
	span := time.Since(started)
	if len(w.finished) != 2 {
		w.t.Fatalf("an undisturbed exchange did not finish")
	}
	w.want = w.digestOf(w.finished[0])
	return span
}

// digestOf is the digest of the one file that an agreement brought.
func (w *killWorld) digestOf(agreement string) string {
	w.t.Helper()
	files, err := w.inbox(agreement)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(files) != 1 {
		w.t.Fatalf("agreement %s brought %v, want one file", agreement, files)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		w.t.Fatal(err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// inbox lists the files with final names: of one agreement, or of all.
func (w *killWorld) inbox(agreement string) (files []string, err error) {
	err = filepath.WalkDir(filepath.Join(w.importer.dir, "inbox"), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && d.Type().IsRegular() && strings.HasSuffix(path, ".csv") && strings.Contains(path, tail(agreement)) {
			files = append(files, path)
		}
		return err
	})
	return files, err
}

// tail is the part of an identifier that a directory name keeps.
func tail(id string) string { return id[strings.LastIndexByte(id, ':')+1:] }

// exchangeWhileKilling runs one exchange, during which a node dies.
func (w *killWorld) exchangeWhileKilling(victim *node, after, pause time.Duration) {
	w.t.Helper()
	var wait sync.WaitGroup
	wait.Go(func() {
		time.Sleep(after)
		victim.kill()
		w.checkWhole()
		w.countParts()
		time.Sleep(pause)
		victim.restart()
	})
	w.exchange()
	wait.Wait()
}

// checkWhole looks at what lies under final names at this moment.
func (w *killWorld) checkWhole() {
	files, err := w.inbox("")
	if err != nil {
		w.t.Error(err)
	}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			w.t.Error(err)
			return
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil || hex.EncodeToString(h.Sum(nil)) != w.want {
			w.t.Errorf("%s has its final name and is not whole (%v)", path, err)
		}
	}
}

// countParts notes whether a death left a part of a file.
func (w *killWorld) countParts() {
	parts, err := filepath.Glob(filepath.Join(w.importer.dir, "inbox", "*", "*.part"))
	if err == nil && len(parts) > 0 {
		w.cut++
	}
}

// noteCheckpoints remembers where both logs stand.
func (w *killWorld) noteCheckpoints() {
	w.t.Helper()
	for _, n := range []*node{w.exporter, w.importer} {
		w.seen[n] = append(w.seen[n], w.checkpoint(n))
	}
}

func (w *killWorld) checkpoint(n *node) verify.Checkpoint {
	w.t.Helper()
	verifier, err := verify.LogVerifier(n.vkey)
	if err != nil {
		w.t.Fatal(err)
	}
	var raw []byte
	n.must(http.MethodGet, "/log/checkpoint", nil, &raw)
	c, _, err := verify.OpenCheckpoint(raw, verifier)
	if err != nil {
		w.t.Fatalf("checkpoint of %s: %v\n%s", n.country, err, raw)
	}
	return c
}

// checkProcesses compares both sides' records one by one.
func (w *killWorld) checkProcesses() {
	w.t.Helper()
	for _, kind := range []string{"negotiations", "transfers"} {
		theirs := map[string]process{}
		for _, p := range w.exporter.all(kind) {
			if _, twice := theirs[p.PeerPID]; twice {
				w.t.Errorf("the exporter has two %s for %s", kind, p.PeerPID)
			}
			theirs[p.PeerPID] = p
		}
		for _, p := range w.importer.all(kind) {
			other, ok := theirs[p.PID]
			delete(theirs, p.PID)
			if !ok && p.State != "TERMINATED" {
				w.t.Errorf("%s %s is %s here and unknown to the exporter", kind, p.PID, p.State)
			}
			if ok && other.State != p.State {
				w.t.Errorf("%s %s is %s at the importer and %s at the exporter", kind, p.PID, p.State, other.State)
			}
			if !slices.Contains([]string{"FINALIZED", "COMPLETED", "TERMINATED"}, p.State) {
				w.t.Errorf("%s %s is stuck in %s", kind, p.PID, p.State)
			}
		}
		for pid := range theirs {
			w.t.Errorf("the exporter has %s for %s, which the importer does not know", kind, pid)
		}
	}
	mine, other := idsOf(w.importer), idsOf(w.exporter)
	if !slices.Equal(mine, other) {
		w.t.Errorf("agreements of the importer %v, of the exporter %v", mine, other)
	}
}

// idsOf lists a node's agreements in force.
func idsOf(n *node) []string {
	n.t.Helper()
	var page struct {
		Items []struct{ ID, State string }
	}
	n.must(http.MethodGet, "/api/agreements?limit=100", nil, &page)
	var ids []string
	for _, a := range page.Items {
		if a.State == "in_force" {
			ids = append(ids, a.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// checkFiles looks at every file that arrived.
func (w *killWorld) checkFiles() {
	w.t.Helper()
	for _, agreement := range w.finished {
		if got := w.digestOf(agreement); got != w.want {
			w.t.Errorf("the file of %s is %s, want %s", agreement, got, w.want)
		}
	}
	if files, err := w.inbox(""); err != nil || len(files) != len(w.finished) {
		w.t.Errorf("%d files for %d completed exchanges (%v)", len(files), len(w.finished), err)
	}
}

// checkProofs verifies every bundle and counts its receipts.
func (w *killWorld) checkProofs() {
	w.t.Helper()
	for i, agreement := range w.finished {
		path := filepath.Join(w.t.TempDir(), fmt.Sprintf("bundle-%d.json", i))
		w.importer.run("bundle", agreement, "-o", path, "--dir", w.importer.dir)
		raw, err := os.ReadFile(path)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, c := range verify.Bundle(raw, verify.Options{}).Failed() {
			w.t.Errorf("the bundle of %s does not verify: %s: %s", agreement, c.ID, c.Detail)
		}
		w.countReceipts(agreement, raw)
	}
}

// countReceipts wants each turning point once per side that states it.
func (w *killWorld) countReceipts(agreement string, bundle []byte) {
	w.t.Helper()
	count := receiptsIn(w.t, bundle)
	for _, want := range []string{
		"agreement " + w.exporter.did, "agreement " + w.importer.did,
		"transfer.released " + w.exporter.did, "transfer.received " + w.importer.did, "transfer.acknowledged " + w.exporter.did,
	} {
		if count[want] != 1 {
			w.t.Errorf("agreement %s has %d receipts %q, want 1; all: %v", agreement, count[want], want, count)
		}
	}
}

// checkLogs recomputes, from the tiles as they are now, the root of every
// checkpoint that was ever seen: a log that forgot or changed an entry cannot
// give them all.
func (w *killWorld) checkLogs() {
	w.t.Helper()
	for n, list := range w.seen {
		now := w.checkpoint(n)
		reader := tlog.TileHashReader(tlog.Tree{N: now.Size, Hash: now.Root}, &tiles{node: n})
		last := int64(0)
		for _, c := range list {
			if c.Size < last {
				w.t.Errorf("the log of %s shrank from %d to %d", n.country, last, c.Size)
			}
			last = c.Size
			if c.Size == 0 {
				continue
			}
			root, err := tlog.TreeHash(c.Size, reader)
			if err != nil || root != c.Root {
				w.t.Errorf("the log of %s gives another root at size %d than it signed (%v)", n.country, c.Size, err)
			}
		}
	}
}

// tiles reads a node's tiles over HTTP.
type tiles struct{ node *node }

func (*tiles) Height() int { return 8 }

func (r *tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(list))
	for i, tile := range list {
		path := strings.TrimPrefix(tile.Path(), "tile/8/")
		if err := r.node.call(http.MethodGet, "/log/tile/"+path, nil, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (*tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// receiptsIn counts the receipts of a bundle by kind and issuer.
func receiptsIn(t *testing.T, bundle []byte) map[string]int {
	t.Helper()
	count := map[string]int{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			kind, isKind := v["type"].(string)
			issuer, isIssuer := v["issuer"].(string)
			if isKind && isIssuer {
				count[kind+" "+issuer]++
			}
			for _, member := range v {
				walk(member)
			}
		case []any:
			for _, member := range v {
				walk(member)
			}
		}
	}
	var doc any
	if err := json.Unmarshal(bundle, &doc); err != nil {
		t.Fatal(err)
	}
	walk(doc)
	return count
}
