package verify

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"corridor"
	"corridor/verify/page"
)

// browser speaks the Chrome DevTools Protocol over two pipes.
type browser struct {
	t       *testing.T
	in      *bufio.Reader
	out     *os.File
	last    int
	session string
}

// openPage starts the browser that CORRIDOR_BROWSER names, with the page as a
// file. .ci/browser sets it.
func openPage(t *testing.T) *browser {
	t.Helper()
	program := os.Getenv("CORRIDOR_BROWSER")
	if program == "" {
		t.Skip("CORRIDOR_BROWSER names no Chromium: .ci/page runs this test")
	}
	dir := t.TempDir()
	html := filepath.Join(dir, "verify.html")
	var text bytes.Buffer
	if err := page.Write(&text); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(html, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	theirIn, ourOut := pipe(t)
	ourIn, theirOut := pipe(t)
	cmd := exec.Command(program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--user-data-dir="+filepath.Join(dir, "profile"), "--remote-debugging-pipe", "--window-size=1000,1400", "about:blank")
	cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	b := &browser{t: t, in: bufio.NewReaderSize(ourIn, 1<<20), out: ourOut}
	watchdog := time.AfterFunc(5*time.Minute, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		watchdog.Stop()
		b.out.Close() // it ends when its pipe does
		stop := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		stop.Stop()
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "file://" + html}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for b.eval(`document.readyState + typeof translate`) != "completefunction" {
		time.Sleep(20 * time.Millisecond)
	}
	return b
}

func pipe(t *testing.T) (r, w *os.File) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

// call sends a command and waits for its result; events are passed over.
func (b *browser) call(method string, params map[string]any, result any) {
	b.t.Helper()
	b.last++
	raw, err := json.Marshal(map[string]any{"id": b.last, "method": method, "params": params, "sessionId": b.session})
	if b.session == "" {
		raw, err = json.Marshal(map[string]any{"id": b.last, "method": method, "params": params})
	}
	if err == nil {
		_, err = b.out.Write(append(raw, 0))
	}
	for err == nil {
		var answer struct {
			ID     int
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if raw, err = b.in.ReadBytes(0); err != nil {
			break
		}
		if err = json.Unmarshal(raw[:len(raw)-1], &answer); err != nil || answer.ID != b.last {
			continue
		}
		if answer.Error != nil {
			err = errors.New(answer.Error.Message)
		} else if result != nil {
			err = json.Unmarshal(answer.Result, result)
		}
		break
	}
	if err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
}

// eval gives the value of an expression in the page, awaited, as text.
func (b *browser) eval(expression string) string {
	b.t.Helper()
	var got struct {
		Result           struct{ Value string }
		ExceptionDetails *struct{ Exception struct{ Description string } }
	}
	b.call("Runtime.evaluate", map[string]any{"expression": "Promise.resolve(" + expression + ").then(String)", "awaitPromise": true, "returnByValue": true, "allowUnsafeEvalBlockedByCSP": false}, &got)
	if got.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, got.ExceptionDetails.Exception.Description)
	}
	return got.Result.Value
}

// choose puts files into a field of the page, as a person does.
func (b *browser) choose(field string, paths ...string) {
	b.t.Helper()
	b.eval("$('" + field + "').value = ''")
	if len(paths) == 0 {
		return
	}
	var node struct{ Result struct{ ObjectID string } }
	b.call("Runtime.evaluate", map[string]any{"expression": "$('" + field + "')"}, &node)
	b.call("DOM.setFileInputFiles", map[string]any{"files": paths, "objectId": node.Result.ObjectID}, nil)
}

// outcome waits until the page has checked the file, and gives the text that
// it would save, and what it shows.
func (b *browser) outcome(name string) (report, verdict string) {
	b.t.Helper()
	b.eval(fmt.Sprintf(`new Promise(done => { const look = () => shown && shown.file.name === %q && $('busy').hidden ? done() : setTimeout(look, 2); look(); })`, name))
	return b.eval(`shown.text || shown.error`), b.eval(`$('verdict').className`)
}

// sample is one file for both verifiers.
type sample struct {
	data      []byte
	policy    []byte
	documents [][]byte
}

// corpus is good bundles of each suite, bundles with one thing changed in
// every place and signed anew where a forger could, and files that are no
// bundle.
func corpus(t *testing.T) map[string]sample {
	all := map[string]sample{}
	for _, suite := range []string{Ed25519, P256, SM2} {
		s := newScene(t)
		s.cn = newParty(t, "cn.example", suite)
		s.agree(t, func(*corridor.Agreement) {})
		s.build(t, func(*story) {})
		all["good, "+suite] = sample{data: s.bytes(t)}
	}
	all["good, under a compact, stopped and lifted"] = sample{data: newRuled(t).bytes(t)}
	for name, change := range map[string]func(*ruled){
		"a compact with a missing signature": func(r *ruled) { r.signers = r.signers[:1] },
		"an order for another dataset":       func(r *ruled) { r.stop.Target.Dataset = "ships" },
		"a lift by another authority":        func(r *ruled) { r.lift.Authority, r.lift.Jurisdiction, r.lifter = r.kzBody.did, "KZ", r.kzBody },
	} {
		r := newRuled(t)
		change(r)
		all["forged: "+name] = sample{data: r.bytes(t)}
	}
	all["good, with the admissions of both parties"] = sample{data: newAdmitted(t).bytes(t)}
	for name, change := range map[string]func(*admitted){
		"an admission by the other country's authority": func(a *admitted) { a.by[0] = a.kzBody },
		"an admission that had ended":                   func(a *admitted) { a.admissions[0].ValidUntil = "2026-11-24T05:00:00Z" },
		"an admission of another participant":           func(a *admitted) { a.admissions[1].Participant = "did:web:other.example" },
	} {
		a := newAdmitted(t)
		change(a)
		all["forged: "+name] = sample{data: a.bytes(t)}
	}
	all["good, with data that waited for the witnesses"] = sample{data: newAwaited(t).bytes(t)}
	for name, change := range map[string]func(*awaited){
		"a release before enough witnesses had cosigned": func(a *awaited) { a.by = a.by[:2] },
		"a release that quotes a tree of later":          func(a *awaited) { a.late = true },
	} {
		a := newAwaited(t)
		change(a)
		all["forged: "+name] = sample{data: a.bytes(t)}
	}
	all["good, with a trust service under its own DID"] = sample{data: newServed(t).bytes(t)}
	for name, change := range map[string]func(*served){
		"a trust service that the side does not name": func(s *served) { s.named = "did:web:other.example" },
		"a trust service of another country": func(s *served) {
			s.anchored(t, map[string][]string{"KZ": {"did:web:ttp.example"}, "CN": {"did:web:ttp.cn.example"}})
		},
		"a key of a trust service that had expired": func(s *served) { s.method["expires"] = "2026-11-24T05:09:00Z" },
	} {
		s := newServed(t)
		change(s)
		all["forged: "+name] = sample{data: s.bytes(t)}
	}
	s := newScene(t)
	good := s.bytes(t)
	all["good, with trust from outside"] = sample{data: good, policy: []byte(s.policy), documents: [][]byte{s.cn.document(), s.kz.document()}}
	all["another key"] = sample{data: good, documents: [][]byte{newParty(t, "cn.example", SM2).document()}}
	all["a policy with other witnesses"] = sample{data: good, policy: fmt.Appendf(nil, goodPolicy, witnessKey("x1"), witnessKey("x2"), witnessKey("x3"), witnessKey("x4"))}
	for name, f := range forgeries(t) {
		s := newScene(t)
		f.change(s, &s.file)
		all["forged: "+name] = sample{data: s.bytes(t)}
	}
	for name, l := range lies(t) {
		all["a lie: "+name] = sample{data: l.told(t).bytes(t)}
	}
	for name, data := range evidence(t) {
		all["evidence: "+name] = sample{data: data}
	}
	for i := 0; i < len(good); i += len(good)/40 + 1 {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		all[fmt.Sprintf("byte %d", i)] = sample{data: bad}
	}
	for name, text := range map[string]string{"empty": "", "no object": "[]", "null": "null", "no JSON": "hello", "not UTF-8": "{\"\xff\":1}",
		"a key twice": `{"a":1,"a":2}`, "deep": string(bytes.Repeat([]byte("["), 100_000)), "half": string(good[:len(good)/2])} {
		all["no bundle: "+name] = sample{data: []byte(text)}
	}
	return all
}

// TestThePageInABrowserSaysWhatTheProgramSays: a person picks each file of the
// corpus, and the report that the page would save has the bytes of
// corridor verify --json.
func TestThePageInABrowserSaysWhatTheProgramSays(t *testing.T) {
	b := openPage(t)
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	all := corpus(t)
	held := 0
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		c := all[name]
		opts, err := Anchors(c.policy, c.documents...)
		if err != nil {
			t.Fatal(err)
		}
		want := Evidence(c.data, opts)
		b.eval(`shown = null`)
		var policy, dids []string
		if c.policy != nil {
			policy = []string{write("policy.txt", c.policy)}
		}
		for k, d := range c.documents {
			dids = append(dids, write(fmt.Sprintf("did%d.json", k), d))
		}
		b.choose("policy", policy...)
		b.choose("dids", dids...)
		file := fmt.Sprintf("%d.json", i)
		b.choose("file", write(file, c.data))
		report, verdict := b.outcome(file)
		if report != string(want.JSON()) {
			t.Errorf("%s: the page says\n%s\nand the program\n%s", name, report, want.JSON())
		}
		if want.OK {
			held++
		}
		if (verdict == "holds") != want.OK {
			t.Errorf("%s: the page shows %s", name, verdict)
		}
	}
	if held < 4 || held > len(names)/2 {
		t.Errorf("%d of %d files hold: the corpus says nothing", held, len(names))
	}
	t.Logf("%d files, %d of them hold: the same bytes from both", len(names), held)
}

// TestThePageInABrowserReachesNothing tries from inside the page what a page
// could try to call home with.
func TestThePageInABrowserReachesNothing(t *testing.T) {
	b := openPage(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var reached atomic.Int32
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			reached.Add(1)
			c.Close()
		}
	}()
	for _, try := range []string{
		`fetch('http://%s/').then(() => 'reached', () => 'refused')`,
		`new Promise(done => { const i = new Image(); i.onload = () => done('reached'); i.onerror = () => done('refused'); i.src = 'http://%s/'; })`,
		`new Promise(done => { const x = new XMLHttpRequest(); x.onload = () => done('reached'); x.onerror = () => done('refused'); x.open('GET', 'http://%s/'); x.send(); })`,
		`new Promise(done => { const s = document.createElement('script'); s.onload = () => done('reached'); s.onerror = () => done('refused'); s.src = 'http://%s/'; document.head.append(s); })`,
		`new Promise(done => { try { const w = new WebSocket('ws://%s/'); w.onopen = () => done('reached'); w.onerror = () => done('refused'); } catch { done('refused'); } })`,
		`new Promise(done => { const w = new Worker(URL.createObjectURL(new Blob(["fetch('http://%s/').then(() => postMessage('reached'), () => postMessage('refused'))"]))); w.onmessage = m => done(m.data); w.onerror = () => done('refused'); })`,
		`new Promise(done => { try { eval('1'); done('reached'); } catch { done('refused'); } /* %s */ })`,
	} {
		if got := b.eval(fmt.Sprintf(try, l.Addr())); got != "refused" {
			t.Errorf("%s: %s", try, got)
		}
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("%d connections", n)
	}
}

// TestThePageInABrowserSpeaksThreeLanguages: each word of the page and each
// question of a report has its translations. CORRIDOR_SCREENSHOTS names a
// directory for pictures of what a reader sees.
func TestThePageInABrowserSpeaksThreeLanguages(t *testing.T) {
	b := openPage(t)
	dir := t.TempDir()
	s := newScene(t)
	good, forged := filepath.Join(dir, "bundle.json"), filepath.Join(dir, "forged.json")
	if err := os.WriteFile(good, s.bytes(t), 0o600); err != nil {
		t.Fatal(err)
	}
	forgeries(t)["the text of a receipt"].change(s, &s.file)
	if err := os.WriteFile(forged, s.bytes(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := b.eval(`Object.keys(words.en).filter(k => !words.zh[k] || !words.ru[k]).join()`); got != "" {
		t.Errorf("words without a translation: %s", got)
	}
	for _, path := range []string{good, forged} {
		b.eval(`shown = null`)
		b.choose("file", path)
		if report, _ := b.outcome(filepath.Base(path)); !json.Valid([]byte(report)) {
			t.Fatal(report)
		}
		if got := b.eval(`shown.questions.filter(q => !q.zh || !q.ru).map(q => q.en).join()`); got != "" {
			t.Errorf("questions without a translation: %s", got)
		}
		for lang, want := range map[string][2]string{"en": {"The bundle holds", "The bundle does NOT hold"}, "zh": {"证据包验证通过", "证据包未通过验证"}, "ru": {"Пакет доказательств подтверждён", "Пакет доказательств НЕ подтверждён"}} {
			b.eval(`document.querySelector('[data-lang=` + lang + `]').click()`)
			said := want[0]
			if path == forged {
				said = want[1]
			}
			if got := b.eval(`$('said').textContent`); got != said {
				t.Errorf("%s: %q", lang, got)
			}
			b.picture(filepath.Base(path) + "." + lang)
		}
	}
}

func (b *browser) picture(name string) {
	to := os.Getenv("CORRIDOR_SCREENSHOTS")
	if to == "" {
		return
	}
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": false}, &shot)
	raw, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(filepath.Join(to, name+".png"), raw, 0o600)
	}
	if err != nil {
		b.t.Error(err)
	}
}
