package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/scan"
)

// streaming is the transfer that the order meets.
type streaming struct {
	agreement    string
	mine, theirs string // the transfer at the importer and at the exporter
	crossed      int64  // bytes that were there when it stopped
	order        int64
}

const (
	hugeSize          = 150_000_000
	stopReference     = "CN-17/2026"
	liftReference     = "CN-18/2026"
	hugeDataset       = "survey"
	approvalReference = "RU-5/2026"
	approvalCondition = "count lteq 12" // transfers
	officialsTable    = 3000            // rows
)

// fromChina exchanges the demo's own file, as the demo between two does.
func (t *trio) fromChina() error {
	t.file = t.place("shipments.csv")
	if err := unpackShipments(t.file); err != nil {
		return err
	}
	if err := t.look(); err != nil {
		return err
	}
	if err := t.agree(t.publish); err != nil {
		return err
	}
	t.first = t.outcome.agreement.ID
	return t.transfer()
}

// agree asks the law, publishes, and carries a negotiation to an agreement that
// rests on the compact.
func (t *trio) agree(publish func() error) (err error) {
	if t.subject.verdict, err = t.scene.rules.Decide(t.flow(t.scene.rules)); err != nil {
		return err
	}
	t.showSides()
	for _, step := range []func() error{publish, t.discover, t.negotiate} {
		if err := step(); err != nil {
			return err
		}
	}
	rests := t.outcome.agreement.Compact
	if rests == nil {
		return fmt.Errorf("the agreement %s rests on no compact", t.outcome.agreement.ID)
	}
	t.show.say(t.words.t("three.under.compact", rests.Article))
	t.show.note("article", rests.Article)
	return nil
}

// mostCited bounds the provisions that are named of one side.
const mostCited = 3

// showSides says how each side's law decides, and by what.
func (t *trio) showSides() {
	for _, side := range t.subject.verdict.Sides {
		if len(side.Jurisdiction) != 2 { // treaties
			continue
		}
		var cites []corridor.Citation
		for _, m := range side.Matched {
			for _, c := range m.Citations {
				if len(cites) < mostCited && !slices.ContainsFunc(cites, func(have corridor.Citation) bool { return have.Instrument == c.Instrument && have.Article == c.Article }) {
					cites = append(cites, c)
				}
			}
		}
		t.show.mark(outcomeColour(side.Outcome), t.words.t(side.Outcome.String()), t.words.t(side.Jurisdiction)+": "+citeText(cites, t.words.lang))
	}
	t.show.note("outcome", t.subject.verdict.Outcome)
}

// fromRussia exchanges official information: the law of Russia wants the body
// that marked it to decide first.
func (t *trio) fromRussia() error {
	t.scene.exporter = t.ru
	t.file = t.place("capacity.csv")
	var table bytes.Buffer
	table.WriteString("crossing,week,wagons\n")
	for i := range officialsTable {
		fmt.Fprintf(&table, "crossing-%02d,%d,%d\n", i%30, 1+i/30, 100+i*37%400)
	}
	if err := os.WriteFile(t.file, table.Bytes(), 0o644); err != nil {
		return unwritable(t.dir, err)
	}
	t.subject = demoSubject{report: &scan.Report{}, facts: withoutPeople("non_personal", "govt_restricted"), importer: t.subject.importer}
	t.signed = t.approve
	if err := t.agree(func() error { return t.offer("capacity", "csv") }); err != nil {
		return err
	}
	t.signed = nil
	if t.show.detail["approved_by"] != t.bodies["RU"].entry.ID {
		return fmt.Errorf("the exchange went without the approval that the law of Russia wants")
	}
	t.second = t.outcome.agreement.ID
	return t.transfer()
}

// approve lets the authority of Russia sign the approval that a negotiation
// waits for, with a condition and an end.
func (t *trio) approve(negotiation string) error {
	doc, err := t.ru.exchange.RequestApproval(t.ctx, negotiation, exchange.ApprovalAsked{})
	if err != nil {
		return err
	}
	raw, err := doc.Encode()
	if err != nil {
		return err
	}
	request, answer, body := t.place("approval-request.json"), t.place("approval.json"), t.bodies["RU"]
	if err := writeWhole(request, raw); err != nil {
		return err
	}
	err = authorityApproveCmd{answering: answering{inAuthority: inAuthority{Dir: body.dir}, Request: request, Reference: approvalReference, Out: answer},
		Condition: []string{approvalCondition}, Until: corridor.DateOf(time.Now().AddDate(0, 6, 0)).String()}.Run(t.app(t.ctx))
	if err != nil {
		return err
	}
	if raw, err = readBounded(answer); err != nil {
		return err
	}
	if _, err := t.ru.exchange.TakeApproval(t.ctx, raw); err != nil {
		return err
	}
	t.show.say(t.words.t("three.approved", body.entry.Name, approvalReference, body.settings.Suite, approvalCondition))
	t.show.note("approved_by", body.entry.ID)
	t.show.note("approval", answer)
	return nil
}

// withoutPeople are the facts of data without people in it.
func withoutPeople(classes ...any) corridor.Facts {
	return corridor.Facts{"data_classes": classes, "subjects_in_file": 0, "access_mode": "copy", "deid": "none", "data_source": "domestic", "local_copy": true, "onward": "none",
		"ai_role": "none", "ai_prohibited_use": false, "ai_output_published": false, "ai_risk": "min"}
}

// offer publishes the file as it is.
func (t *trio) offer(id, format string) error {
	plan, err := json.Marshal(t.subject.plan)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	set, err := t.scene.exporter.exchange.Publish(t.ctx, exchange.Publication{ID: id, Title: id, Source: t.file, Format: format, Facts: t.subject.facts, Plan: plan})
	if err != nil {
		return err
	}
	t.outcome.dataset = id
	t.show.say(t.words.t("publish.asis"))
	t.show.note("dataset", set.ID)
	return nil
}

// stop lets the authority of China order that the corridor to Kazakhstan
// stops, while a large file is on its way.
func (t *trio) stop() error {
	t.scene.exporter = t.cn
	t.file = t.place("survey.bin")
	if err := zeros(t.file, hugeSize); err != nil {
		return err
	}
	t.subject = demoSubject{report: &scan.Report{}, facts: withoutPeople("non_personal"), importer: t.subject.importer}
	if err := t.agree(func() error { return t.offer(hugeDataset, "bin") }); err != nil {
		return err
	}
	t.huge.agreement = t.outcome.agreement.ID
	if err := t.begin(); err != nil {
		return err
	}
	body := t.bodies["CN"]
	number, raw, err := body.order(t.app(t.ctx), because{Reference: stopReference, Reason: t.words.t("three.reason")}, corridor.Order{Act: corridor.OrderSuspend, Target: corridor.Target{From: "CN", To: "KZ"}})
	if err != nil {
		return err
	}
	t.huge.order = number
	at := time.Now()
	if err := push(t.ctx, t.cn.base, raw); err != nil {
		return err
	}
	accepted := time.Now()
	if err := until(t.ctx, "the end of the streams", func() (bool, error) { return !t.streams(), nil }); err != nil {
		return err
	}
	ended := time.Since(accepted)
	told, err := t.stopped()
	if err != nil {
		return err
	}
	t.show.say(t.words.t("three.ordered", number, stopReference, body.settings.Suite, corridor.Target{From: "CN", To: "KZ"}))
	t.show.mark(red, "x", t.words.t("three.cut", duration(accepted.Sub(at)), duration(ended), megabytes(t.huge.crossed), megabytes(hugeSize)))
	t.show.aside(t.words.t("three.told", told))
	t.show.note("order", number)
	t.show.note("reference", stopReference)
	t.show.note("accepted_ms", millis(accepted.Sub(at)))
	t.show.note("ended_ms", millis(ended))
	t.show.note("crossed", t.huge.crossed)
	if ended > time.Second {
		return fmt.Errorf("the stream ended %s after the order was accepted", ended)
	}
	return nil
}

// zeros makes a file of yesterday that takes no room on most disks.
func zeros(path string, size int64) error {
	err := os.WriteFile(path, nil, 0o644)
	if err == nil {
		err = os.Truncate(path, size)
	}
	if yesterday := time.Now().AddDate(0, 0, -1); err == nil {
		err = os.Chtimes(path, yesterday, yesterday)
	}
	if err != nil {
		return unwritable(filepath.Dir(path), err)
	}
	return nil
}

// begin starts the large transfer and waits until a part of it has crossed.
func (t *trio) begin() error {
	x := t.kz.exchange
	tr, err := x.Transfer(t.ctx, t.huge.agreement)
	if err != nil {
		return err
	}
	t.huge.mine = tr.PID
	err = until(t.ctx, "the first bytes of the large file", func() (bool, error) {
		tr, err = x.TransferByPID(t.ctx, t.huge.mine)
		if err == nil && tr.State.Final() {
			err = fmt.Errorf("the transfer ended %s before the order: %s", tr.State, strings.Join(tr.Reason, "; "))
		}
		return tr.Bytes > 1<<20, err
	})
	if err != nil {
		return err
	}
	t.huge.theirs = tr.PeerPID
	t.show.say(t.words.t("three.runs", megabytes(hugeSize), megabytes(tr.Bytes)))
	return nil
}

// streams says whether the exporter sends anything.
func (t *trio) streams() bool {
	h, counts := t.cn.exchange.Plane().(interface{ Running() int })
	return !counts || h.Running() > 0
}

// stopped waits until both sides have the large transfer suspended, gives the
// reason that the importer was told, and looks at what has arrived.
func (t *trio) stopped() (told string, err error) {
	ctx, cancel := context.WithTimeout(t.ctx, demoPatience)
	defer cancel()
	isSuspended := func(tr exchange.Transfer) bool { return tr.State == dsp.Suspended || tr.State.Final() }
	for _, side := range []struct {
		of  *party
		pid string
	}{{t.cn, t.huge.theirs}, {t.kz, t.huge.mine}} {
		tr, err := side.of.exchange.AwaitTransfer(ctx, side.pid, isSuspended)
		if err != nil {
			return "", err
		}
		told = strings.Join(tr.Reason, "; ")
		if tr.State != dsp.Suspended || !strings.Contains(told, stopReference) {
			return "", fmt.Errorf("the transfer of %s is %s: %s", side.of.name, tr.State, told)
		}
	}
	parts, err := filepath.Glob(filepath.Join(t.kz.cfg.path(t.kz.cfg.Inbox), "*", "*.part"))
	if err != nil || len(parts) != 1 {
		return "", fmt.Errorf("%d half-received files, want 1 (%w)", len(parts), err)
	}
	info, err := os.Stat(parts[0])
	if err != nil {
		return "", corridor.Unreadable(err)
	}
	t.huge.crossed = info.Size()
	if t.huge.crossed <= 0 || t.huge.crossed >= hugeSize {
		return "", fmt.Errorf("%d of %d bytes have crossed", t.huge.crossed, hugeSize)
	}
	return told, nil
}

// refused asks for data under the stopped corridor anew, and sees that the other
// corridor is open.
func (t *trio) refused() error {
	t.show.say(t.words.t("three.refused.ask"))
	ctx, cancel := context.WithTimeout(t.ctx, demoPatience)
	defer cancel()
	asked, err := t.kz.exchange.Transfer(ctx, t.first)
	if err != nil {
		return err
	}
	asked, err = t.kz.exchange.AwaitTransfer(ctx, asked.PID, func(tr exchange.Transfer) bool { return tr.State.Final() })
	if err != nil {
		return err
	}
	reason := strings.Join(asked.Reason, "; ")
	if asked.State != dsp.Terminated || !strings.Contains(reason, stopReference) {
		return fmt.Errorf("a new transfer is %s: %s", asked.State, reason)
	}
	t.show.mark(red, t.words.t("deny"), reason)
	t.show.note("reason", asked.Reason)
	if _, err := t.cn.exchange.Resume(t.ctx, t.huge.theirs); err == nil || !strings.Contains(err.Error(), stopReference) {
		return fmt.Errorf("the stopped transfer was started by a person: %w", err)
	}
	tr, err := t.fetch(t.second)
	if err != nil {
		return err
	}
	t.show.say(t.words.t("three.refused.other", megabytes(tr.Bytes)))
	t.show.note("open", "RU>KZ")
	return nil
}

// fetch carries out a transfer under an agreement.
func (t *trio) fetch(agreement string) (exchange.Transfer, error) {
	ctx, cancel := context.WithTimeout(t.ctx, demoPatience)
	defer cancel()
	tr, err := t.kz.exchange.Transfer(ctx, agreement)
	if err != nil {
		return tr, err
	}
	return t.completed(ctx, tr.PID)
}

func (t *trio) completed(ctx context.Context, pid string) (exchange.Transfer, error) {
	tr, err := t.kz.exchange.AwaitTransfer(ctx, pid, func(tr exchange.Transfer) bool { return tr.State.Final() && tr.Pending == dsp.None })
	if err == nil && tr.State != dsp.Completed {
		err = fmt.Errorf("the transfer ended %s: %s", tr.State, strings.Join(tr.Reason, "; "))
	}
	return tr, err
}

// lift lets the authority lift its order, and the large transfer go on.
func (t *trio) lift() error {
	body := t.bodies["CN"]
	number, raw, err := body.order(t.app(t.ctx), because{Reference: liftReference, Reason: t.words.t("three.closed.inquiry")}, corridor.Order{Act: corridor.OrderLift, Lifts: t.huge.order})
	if err != nil {
		return err
	}
	if err := push(t.ctx, t.cn.base, raw); err != nil {
		return err
	}
	err = until(t.ctx, "the agreement to come back", func() (bool, error) {
		a, err := t.cn.exchange.Agreement(t.ctx, t.huge.agreement)
		return a.State == exchange.AgreementInForce, err
	})
	if err != nil {
		return err
	}
	t.show.say(t.words.t("three.lifted", number, liftReference, t.huge.order))
	ctx, cancel := context.WithTimeout(t.ctx, demoPatience)
	defer cancel()
	if _, err := t.cn.exchange.Resume(ctx, t.huge.theirs); err != nil {
		return err
	}
	stop := t.follow(ctx, t.huge.mine)
	tr, err := t.completed(ctx, t.huge.mine)
	stop()
	if err != nil {
		return err
	}
	if tr.Bytes != hugeSize {
		return fmt.Errorf("%d bytes have arrived of %d", tr.Bytes, hugeSize)
	}
	t.show.say(t.words.t("three.resumed", megabytes(t.huge.crossed), megabytes(tr.Bytes)))
	t.show.note("order", number)
	t.show.note("bytes", tr.Bytes)
	t.show.note("sha256", tr.SHA256)
	return nil
}

// proveAll exports and verifies the bundles of all agreements; the one of the
// agreement with the approval is last, and is tampered with next.
func (t *trio) proveAll() error {
	ctx, cancel := context.WithTimeout(t.ctx, demoPatience)
	defer cancel()
	for _, b := range []struct {
		agreement, file string
		exporter        *party
	}{{t.first, "bundle-cn-kz.json", t.cn}, {t.huge.agreement, "bundle-stopped.json", t.cn}, {t.second, "bundle-ru-kz.json", t.ru}} {
		t.scene.exporter = b.exporter
		report, err := t.prove(ctx, b.agreement, b.file)
		if err != nil {
			return fmt.Errorf("%s: %w", b.file, err)
		}
		t.file = t.place("shipments.csv") // what is left to try is tried with it
		t.show.note(b.file, map[string]any{"file": t.outcome.bundle, "bytes": len(t.outcome.raw), "checks": len(report.Checks)})
	}
	return nil
}
