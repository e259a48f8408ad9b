package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
	"corridor/internal/plane"
	"corridor/internal/scan"
)

// demoOutcome is what the exchange brought.
type demoOutcome struct {
	dataset   string
	offer     string
	agreement corridor.Agreement
	transfer  exchange.Transfer
	received  string
	bundle    string
	raw       []byte // of the bundle
}

// demoPatience bounds every wait of the demo: far over what a step takes.
const demoPatience = 2 * time.Minute

// publish puts the file into the exporter's catalogue, with the facts, the
// plan and the evidence of the duties that come first.
func (d *demo) publish() error {
	if !d.ownFile {
		if err := d.rehearse(); err != nil {
			d.show.say(d.words.t("ownfile.unfit", err.Error()))
			if err := d.useOwnFile(); err != nil {
				return err
			}
		}
	}
	if err := d.scene.signs(d.ctx); err != nil {
		return err
	}
	sub := &d.subject
	d.outcome.dataset = strings.TrimSuffix(datasetName(d.file), filepath.Ext(d.file))
	proof := d.evidenceFor("exporter")
	raw, err := json.Marshal(sub.plan)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	p := exchange.Publication{ID: d.outcome.dataset, Title: d.outcome.dataset, Source: d.file, Format: sub.report.Format,
		Facts: sub.facts, Plan: raw, Evidence: proof}
	set, err := d.scene.exporter.exchange.Publish(d.ctx, p)
	if err != nil {
		return err
	}
	if set.SHA256 != "sha256:"+strings.TrimPrefix(sub.report.SHA256, "sha256:") {
		return fmt.Errorf("the published file is %s, the scanned one %s", set.SHA256, sub.report.SHA256)
	}
	var does []string
	for _, s := range sub.plan.Stages {
		does = append(does, d.words.t("stage."+s.Do)+" "+strings.Join(s.Columns, ", "))
	}
	switch {
	case len(does) > 0:
		d.show.say(d.words.t("publish.plan", strings.Join(does, "; ")))
	default:
		d.show.say(d.words.t("publish.asis"))
	}
	if len(proof) > 0 {
		var list []string
		for _, o := range d.subject.verdict.Obligations {
			if e, ok := proof[o]; ok {
				list = append(list, o+" ("+e.Ref+")")
			}
		}
		d.show.say(d.words.t("publish.proof", strings.Join(list, ", ")))
	}
	d.show.note("dataset", set.ID)
	d.show.note("digest", set.SHA256)
	d.show.note("plan", sub.plan)
	return nil
}

// datasetName makes an identifier of a file's name.
func datasetName(path string) string {
	name := strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f || r == '/' || r == '\\' || r == '%' {
			return '-'
		}
		return r
	}, filepath.Base(path))
	if len(name) > 100 {
		name = strings.ToValidUTF8(name[:100], "")
	}
	return name
}

// evidenceFor states that the duties which one side owes before the transfer
// were done. In the demo nobody did them: the references say so.
func (d *demo) evidenceFor(owner string) map[string]corridor.Evidence {
	out := map[string]corridor.Evidence{}
	for _, side := range d.subject.verdict.Sides {
		for _, o := range side.Duties {
			if o.When == "before" && o.Stage == "" && (o.Owner == owner || o.Owner == "both") {
				out[o.ID] = corridor.Evidence{Obligation: o.ID, Ref: "demo-" + fmt.Sprint(len(out)+1), By: demoOfficer, On: corridor.DateOf(time.Now())}
			}
		}
	}
	return out
}

// discover finds the dataset in the exporter's catalogue, as the importer's
// node sees it over the protocol.
func (d *demo) discover() error {
	list, _, err := d.scene.importer.exchange.PeerCatalogue(d.ctx, d.scene.exporter.cfg.DID, "")
	if err != nil {
		return err
	}
	for _, l := range list {
		if l.ID == d.outcome.dataset && len(l.Offers) > 0 {
			d.outcome.offer = l.Offers[0].ID
			d.show.say(d.words.t("discover.found", l.ID, d.outcome.offer))
			d.show.note("dataset", l.ID)
			d.show.note("offer", d.outcome.offer)
			return nil
		}
	}
	return fmt.Errorf("the catalogue of %s does not show %s", d.scene.exporter.cfg.DID, d.outcome.dataset)
}

// ask opens a negotiation and waits for its end, or until a person is needed.
func (d *demo) ask(purpose string) (n exchange.Negotiation, err error) {
	ctx, cancel := context.WithTimeout(d.ctx, demoPatience)
	defer cancel()
	n, err = d.scene.importer.exchange.Negotiate(ctx, exchange.Request{Provider: d.scene.exporter.cfg.DID, Dataset: d.outcome.dataset,
		Offer: d.outcome.offer, Purpose: purpose, Facts: d.subject.importer, Evidence: d.evidenceFor("importer")})
	if err != nil {
		return n, err
	}
	return d.scene.importer.exchange.AwaitNegotiation(ctx, n.PID, func(n exchange.Negotiation) bool {
		return n.State.Final() || n.Parked != "" || d.waitsForApproval(ctx, n)
	})
}

// states lists the states that a negotiation went through, as the receipts of
// both sides tell.
func (d *demo) states(n exchange.Negotiation) ([]string, error) {
	pids := []string{n.PID, n.PeerPID}
	var out []string
	for _, p := range []*party{d.scene.exporter, d.scene.importer} {
		leaves, err := d.leaves(p, 0)
		if err != nil {
			return nil, err
		}
		for _, l := range leaves {
			if s := l.Receipt.State; s != "" && l.Receipt.Transfer == "" && slices.Contains(pids, l.Receipt.Negotiation) && !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out, nil
}

// exporters finds the exporter's own record of a negotiation.
func (d *demo) exporters(ctx context.Context, pid string) (exchange.Negotiation, bool) {
	list, _, err := d.scene.exporter.exchange.Negotiations(ctx, exchange.Page{})
	if err != nil {
		return exchange.Negotiation{}, false
	}
	for _, n := range list {
		if n.PeerPID == pid {
			return n, true
		}
	}
	return exchange.Negotiation{}, false
}

func (d *demo) waitsForApproval(ctx context.Context, n exchange.Negotiation) bool {
	theirs, ok := d.exporters(ctx, n.PID)
	return ok && theirs.Parked != ""
}

// negotiate carries the negotiation to an agreement that both have signed.
func (d *demo) negotiate() error {
	n, err := d.ask(demoPurpose)
	if err != nil {
		return err
	}
	if !n.State.Final() {
		if n, err = d.approve(n); err != nil {
			return err
		}
	}
	states, err := d.states(n)
	if err != nil {
		return err
	}
	d.show.say(d.words.t("negotiate.states", strings.Join(states, " > ")))
	d.show.note("states", states)
	if n.State != dsp.Finalized {
		return fmt.Errorf("the negotiation ended %s: %s %s", n.State, n.Code, strings.Join(n.Reason, "; "))
	}
	return d.checkAgreement(n.Agreement)
}

// approve gives the approval that a negotiation waits for, on either side.
func (d *demo) approve(n exchange.Negotiation) (exchange.Negotiation, error) {
	ctx, cancel := context.WithTimeout(d.ctx, demoPatience)
	defer cancel()
	act := exchange.Approval{By: demoOfficer, Reference: "demo-approval", Note: "given by the demo itself"}
	if n.Parked != "" {
		d.show.say(d.words.t("negotiate.waits", n.Parked))
		act.Evidence = d.evidenceFor("importer")
		if _, err := d.scene.importer.exchange.Approve(ctx, n.PID, act); err != nil {
			return n, err
		}
	}
	theirs, ok := d.exporters(ctx, n.PID)
	switch {
	case !ok || theirs.Parked == "":
	case d.signed != nil:
		d.show.say(d.words.t("negotiate.waits", theirs.Parked))
		if err := d.signed(theirs.PID); err != nil {
			return n, err
		}
		return d.scene.importer.exchange.AwaitNegotiation(ctx, n.PID, func(n exchange.Negotiation) bool { return n.State.Final() })
	default:
		d.show.say(d.words.t("negotiate.waits", theirs.Parked))
		act.Evidence = d.evidenceFor("exporter")
		if _, err := d.scene.exporter.exchange.Approve(ctx, theirs.PID, act); err != nil {
			return n, err
		}
	}
	d.show.say(d.words.t("negotiate.approved", demoOfficer))
	d.show.note("approved_by", demoOfficer)
	return d.scene.importer.exchange.AwaitNegotiation(ctx, n.PID, func(n exchange.Negotiation) bool { return n.State.Final() })
}

// checkAgreement reads the agreement as both sides hold it: the same body,
// two signatures in the suites of both sides, a signed decision of each.
func (d *demo) checkAgreement(id string) error {
	e, i := d.scene.exporter, d.scene.importer
	mine, err := i.exchange.Agreement(d.ctx, id)
	if err != nil {
		return err
	}
	theirs, err := e.exchange.Agreement(d.ctx, id)
	if err != nil {
		return err
	}
	signed, err := corridor.DecodeAgreement(mine.Signed)
	if err != nil {
		return err
	}
	d.outcome.agreement = signed.Body
	suites := map[string]string{}
	for _, s := range signed.Signatures {
		did, _, _ := strings.Cut(s.Key, "#")
		suites[did] = s.Suite
	}
	switch {
	case mine.Digest != theirs.Digest:
		return fmt.Errorf("the two sides hold different agreements: %s and %s", mine.Digest, theirs.Digest)
	case suites[e.cfg.DID] != e.cfg.Suite || suites[i.cfg.DID] != i.cfg.Suite:
		return fmt.Errorf("the agreement is signed with %v", suites)
	case len(signed.Body.Decisions) != 2:
		return fmt.Errorf("the agreement holds %d signed decisions, want 2", len(signed.Body.Decisions))
	}
	d.show.say(d.words.t("negotiate.signed", id, e.name, e.cfg.Suite, i.name, i.cfg.Suite))
	d.show.say(d.words.t("negotiate.both"))
	d.show.note("agreement", id)
	d.show.note("digest", mine.Digest)
	d.show.note("suites", suites)
	return nil
}

// transfer fetches the data and holds what arrived against the plan.
func (d *demo) transfer() error {
	ctx, cancel := context.WithTimeout(d.ctx, demoPatience)
	defer cancel()
	svc := d.scene.importer.exchange
	t, err := svc.Transfer(ctx, d.outcome.agreement.ID)
	if err != nil {
		return err
	}
	stop := d.follow(ctx, t.PID)
	t, err = svc.AwaitTransfer(ctx, t.PID, func(t exchange.Transfer) bool { return t.State.Final() && t.Pending == dsp.None })
	stop()
	if err != nil {
		if t.Waiting != nil {
			err = fmt.Errorf("%w; it waits on %s: %s", err, t.Waiting.On, t.Waiting.Why)
		}
		return err
	}
	if t.State != dsp.Completed {
		return fmt.Errorf("the transfer ended %s: %s", t.State, strings.Join(t.Reason, "; "))
	}
	d.outcome.transfer, d.outcome.received = t, shorterPath(t.File)
	if t.Rows > 0 {
		d.show.say(d.words.t("transfer.done", t.Rows, megabytes(t.Bytes)))
	} else {
		d.show.say(d.words.t("transfer.bytes", megabytes(t.Bytes)))
	}
	d.showRows(t.File)
	d.show.note("file", d.outcome.received)
	d.show.note("rows", t.Rows)
	d.show.note("bytes", t.Bytes)
	d.show.note("sha256", t.SHA256)
	return d.checkReceived(ctx, t.File)
}

// follow redraws the progress of a transfer on a terminal.
func (d *demo) follow(ctx context.Context, pid string) (stop func()) {
	if !d.show.live {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if t, err := d.scene.importer.exchange.TransferByPID(ctx, pid); err == nil {
				d.show.progress(d.words.t("transfer.going", megabytes(t.Bytes)))
			}
		}
	}()
	return func() { cancel(); <-done }
}

// shorterPath writes a path below the working directory relative to it.
func shorterPath(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

// checkReceived scans the received file: what was to be left out is gone, and
// what was recognised in a column that was changed is not found there again.
func (d *demo) checkReceived(ctx context.Context, path string) error {
	if len(d.subject.plan.Stages) == 0 {
		return nil
	}
	after, err := scan.File(ctx, path, scan.Options{})
	if err != nil {
		return err
	}
	if after.Rows != d.subject.report.Rows {
		return fmt.Errorf("%d rows arrived of %d", after.Rows, d.subject.report.Rows)
	}
	for _, stage := range d.subject.plan.Stages {
		for _, column := range stage.Columns {
			at := slices.IndexFunc(after.Columns, func(c scan.Column) bool { return c.Name == column })
			if stage.Do == plane.Drop && at >= 0 {
				return fmt.Errorf("the column %s was to be left out and has arrived", column)
			}
			if stage.Do != plane.Drop && at < 0 {
				return fmt.Errorf("the column %s has not arrived", column)
			}
		}
	}
	return nil
}

// showRows shows one row of a CSV before and after, in the columns that were
// changed.
func (d *demo) showRows(path string) {
	if d.subject.plan.Format != plane.FormatCSV || len(d.subject.plan.Stages) == 0 {
		return
	}
	before, err := firstRow(d.file)
	if err != nil {
		return
	}
	after, err := firstRow(path)
	if err != nil {
		return
	}
	rows := [][]string{{"", d.words.t("transfer.before"), d.words.t("transfer.after")}}
	for _, s := range d.subject.plan.Stages {
		for _, c := range s.Columns {
			value, ok := after[c]
			if !ok {
				value = d.words.t("dropped")
			}
			rows = append(rows, []string{c, before[c], value})
		}
	}
	d.show.table(rows[:min(len(rows), mostShown+1)])
}

// firstRow reads the first row of a CSV with commas by column name.
func firstRow(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(bufio.NewReaderSize(f, 64<<10))
	r.LazyQuotes, r.FieldsPerRecord = true, -1
	header, err := r.Read()
	if err != nil {
		return nil, err
	}
	row, err := r.Read()
	if err != nil {
		return nil, err
	}
	if len(row) != len(header) {
		return nil, errors.New("ragged")
	}
	out := map[string]string{}
	for i, name := range header {
		out[strings.TrimPrefix(name, "\ufeff")] = row[i]
	}
	return out, nil
}
