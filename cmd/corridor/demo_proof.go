package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"corridor"
	"corridor/internal/dsp"
	"corridor/verify"
)

// readReceipts shows what each side wrote into its own log, and wants the
// turning points there.
func (d *demo) readReceipts() error {
	wants := map[*party][]string{
		d.scene.exporter: {corridor.ReceiptDatasetPublished, corridor.ReceiptDecision, corridor.ReceiptAgreement, corridor.ReceiptTransferReleased, corridor.ReceiptTransferAcknowledged},
		d.scene.importer: {corridor.ReceiptDecision, corridor.ReceiptAgreement, corridor.ReceiptTransferReceived},
	}
	for _, p := range []*party{d.scene.exporter, d.scene.importer} {
		kinds, err := d.kinds(p)
		if err != nil {
			return err
		}
		for _, want := range wants[p] {
			if !slices.Contains(kinds, want) {
				return fmt.Errorf("the log of %s holds no receipt %q: %v", p.name, want, kinds)
			}
		}
		d.show.say(d.words.t("receipts.log", p.name, strings.Join(kinds, ", ")))
		d.show.note(p.country, kinds)
	}
	return nil
}

// kinds lists the receipts of a node's log.
func (d *demo) kinds(p *party) ([]string, error) {
	leaves, err := d.leaves(p, 0)
	var out []string
	for _, l := range leaves {
		out = append(out, l.Receipt.Type)
	}
	return out, err
}

// leaves reads a node's log from an index on, each entry checked to be a
// receipt.
func (d *demo) leaves(p *party, from int64) ([]corridor.Leaf, error) {
	var out []corridor.Leaf
	for i := from; i < p.ledger.Size(); i++ {
		entry, err := p.ledger.Receipt(d.ctx, i)
		if err != nil {
			return nil, err
		}
		leaf, err := corridor.DecodeReceipt(entry)
		if err != nil {
			return nil, err
		}
		out = append(out, leaf)
	}
	return out, nil
}

// readCosignatures waits until the witness has cosigned all logs, and checks
// its signatures with the policy alone.
func (d *demo) readCosignatures() error {
	ctx, cancel := context.WithTimeout(d.ctx, demoPatience)
	defer cancel()
	policy, err := verify.ParsePolicy(d.scene.policy)
	if err != nil {
		return err
	}
	for _, p := range d.scene.parties() {
		if err := p.ledger.WaitCosigned(ctx, p.ledger.Size()-1); err != nil {
			return err
		}
		raw, err := p.ledger.PublicCheckpoint(ctx)
		if err != nil {
			return err
		}
		log, err := verify.LogVerifier(p.ledger.VKey())
		if err != nil {
			return err
		}
		c, note, err := verify.OpenCheckpoint(raw, log, policy.Verifiers()...)
		if err != nil {
			return err
		}
		names := policy.Cosigners(note.Sigs)
		if !policy.Satisfied(names) {
			return fmt.Errorf("the checkpoint of %s is cosigned by %v, which the policy does not take as enough", p.name, names)
		}
		d.show.say(d.words.t("cosign.log", p.name, c.Size, strings.Join(names, ", ")))
		d.show.note(p.country, map[string]any{"size": c.Size, "witnesses": names})
	}
	return nil
}

// proveOffline exports the bundle and verifies it through the public package,
// with nothing but the bytes and the policy.
func (d *demo) proveOffline() error {
	ctx, cancel := context.WithTimeout(d.ctx, demoPatience)
	defer cancel()
	report, err := d.prove(ctx, d.outcome.agreement.ID, "bundle.json")
	if err != nil {
		return err
	}
	for _, c := range report.Checks {
		if c.Note {
			d.show.aside(c.What + ": " + c.Detail)
		}
	}
	d.show.note("file", d.outcome.bundle)
	d.show.note("bytes", len(d.outcome.raw))
	d.show.note("checks", len(report.Checks))
	return nil
}

// prove writes the bundle of an agreement to a file and verifies it.
func (d *demo) prove(ctx context.Context, agreement, file string) (*verify.Report, error) {
	raw, err := d.scene.importer.exchange.Bundle(ctx, agreement)
	if err != nil {
		return nil, err
	}
	d.outcome.raw, d.outcome.bundle = raw, d.place(file)
	if err := os.WriteFile(d.outcome.bundle, raw, 0o644); err != nil {
		return nil, unwritable(d.outcome.bundle, err)
	}
	report := verify.Bundle(raw, verify.Options{Policy: d.scene.policy})
	for _, c := range report.Failed() {
		return report, fmt.Errorf("%s: %s: %s", c.ID, c.What, c.Detail)
	}
	if !report.OK || len(report.Checks) == 0 {
		return report, fmt.Errorf("the bundle does not verify: %s", report.Summary)
	}
	d.show.say(d.words.t("bundle.done", d.outcome.bundle, megabytes(int64(len(raw))), len(report.Checks)))
	return report, nil
}

// forbiddenPurpose turns the exchange into one that the exporter's law denies.
const forbiddenPurpose = "foreign_legal_request"

// beRefused asks for the same dataset for a purpose that the law forbids, and
// wants the refusal with its article, before any byte has moved.
func (d *demo) beRefused() error {
	d.show.say(d.words.t("refused.what"))
	before := d.scene.exporter.ledger.Size()
	n, err := d.ask(forbiddenPurpose)
	if err != nil {
		return err
	}
	theirs, ok := d.exporters(d.ctx, n.PID)
	switch {
	case n.State != dsp.Terminated:
		return fmt.Errorf("a forbidden exchange is %s", n.State)
	case !ok || len(theirs.Cites) == 0:
		return fmt.Errorf("the refusal names no article")
	case n.Agreement != "":
		return fmt.Errorf("a forbidden exchange has the agreement %s", n.Agreement)
	}
	d.show.mark(red, d.words.t("deny"), citeText(theirs.Cites, d.words.lang))
	if d.words.lang == "en" && len(n.Reason) > 0 { // as the importer was told over the protocol
		d.show.aside(n.Reason[0])
	}
	leaves, err := d.leaves(d.scene.exporter, before)
	if err != nil {
		return err
	}
	for i, l := range leaves {
		if l.Receipt.Type == corridor.ReceiptRefusal {
			d.show.say(d.words.t("refused.proof", before+int64(i)))
			d.show.note("receipt", before+int64(i))
			d.show.note("articles", citeText(theirs.Cites, "en"))
			d.show.note("reason", n.Reason)
			return nil
		}
	}
	return fmt.Errorf("the refusal left no receipt")
}

// tamper flips one bit of one byte of the bundle and wants the verification
// to fail.
func (d *demo) tamper() error {
	raw := slices.Clone(d.outcome.raw)
	at := len(raw) / 2
	raw[at] ^= 1
	if err := os.WriteFile(d.place("tampered.json"), raw, 0o644); err != nil {
		return unwritable(d.dir, err)
	}
	report := verify.Bundle(raw, verify.Options{Policy: d.scene.policy})
	failed := report.Failed()
	if report.OK || len(failed) == 0 {
		return fmt.Errorf("a bundle with byte %d flipped verifies", at)
	}
	d.show.mark(red, "x", d.words.t("tamper.done", at, len(raw), len(failed), failed[0].What+": "+failed[0].Detail))
	d.show.note("byte", at)
	d.show.note("failed", len(failed))
	d.show.note("check", failed[0].ID)
	return nil
}
