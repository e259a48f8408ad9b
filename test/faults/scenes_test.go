package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/exchange"
)

// scene is what people do on both sides in a run. They know what they want
// and repeat what failed, after a look at whether it has happened all the
// same.
type scene struct {
	name   string
	manual map[string]exchange.Manual
	limits limits
	policy string
	facts  func() corridor.Facts
	have   []string // duties that there is evidence of
	grows  bool     // the dataset
	play   func(*play)
	raced  bool // who is first depends on the network: its log is not always that of an undisturbed run
}

// limits are how long nodes wait; 0: as long as nodes do.
type limits struct{ peer, person time.Duration }

// patience is how long people wait for the end: longer than messages are
// repeated.
const patience = 72 * time.Hour

func scenes() []scene {
	return []scene{
		{name: "negotiation", play: func(p *play) { p.agreed(p.ask("trade_logistics")) }},
		{name: "pull", play: func(p *play) { p.completed(p.transfer(p.agreed(p.ask("trade_logistics")), catalog.FormatPull)) }},
		{name: "push", play: func(p *play) { p.completed(p.transfer(p.agreed(p.ask("trade_logistics")), catalog.FormatPush)) }},
		{name: "offer", play: (*play).offered},
		{name: "counter-offer", policy: forTwo, play: (*play).countered},
		{name: "steps by hand", manual: map[string]exchange.Manual{"cn": {Agree: true, Finalize: true, Start: true}, "kz": {Verify: true, Fetch: true}}, play: (*play).byHand},
		{name: "approval", facts: peopleFacts, play: (*play).approved},
		{name: "rejection", manual: map[string]exchange.Manual{"cn": {Agree: true}}, play: (*play).rejected},
		{name: "refusal by law", facts: peopleFacts, have: duties(), play: func(p *play) { p.refused(p.ask("foreign_legal_request")) }},
		{name: "people in the data", facts: peopleFacts, have: duties(), play: func(p *play) { p.completed(p.transfer(p.agreed(p.ask("trade_logistics")), catalog.FormatPull)) }},
		{name: "two at once", play: (*play).twice, raced: true},
		{name: "the consumer ends a negotiation", manual: map[string]exchange.Manual{"cn": {Agree: true}}, raced: true, play: func(p *play) { p.endNegotiation(p.w.kz) }},
		{name: "the provider ends a negotiation", manual: map[string]exchange.Manual{"cn": {Agree: true}}, raced: true, play: func(p *play) { p.endNegotiation(p.w.cn) }},
		{name: "both end a negotiation", raced: true, play: func(p *play) { p.endNegotiation(p.w.cn, p.w.kz) }},
		{name: "the consumer suspends", raced: true, play: func(p *play) { p.suspended(p.w.kz, catalog.FormatPull) }},
		{name: "the provider suspends", raced: true, play: func(p *play) { p.suspended(p.w.cn, catalog.FormatPull) }},
		{name: "the provider suspends a push", raced: true, play: func(p *play) { p.suspended(p.w.cn, catalog.FormatPush) }},
		{name: "the consumer suspends a push", raced: true, play: func(p *play) { p.suspended(p.w.kz, catalog.FormatPush) }},
		{name: "the consumer ends a transfer", raced: true, play: func(p *play) { p.endTransfer(p.w.kz) }},
		{name: "the provider ends a transfer", raced: true, play: func(p *play) { p.endTransfer(p.w.cn) }},
		{name: "the end of a term", policy: lent, play: (*play).lent},
		{name: "a peer that never answers", manual: map[string]exchange.Manual{"cn": {Agree: true}}, limits: limits{peer: 9 * time.Hour}, play: (*play).unanswered},
		{name: "nobody decides", manual: map[string]exchange.Manual{"cn": {Agree: true}}, limits: limits{person: 9 * time.Hour}, play: (*play).unanswered},
		{name: "nobody starts the transfer", manual: map[string]exchange.Manual{"cn": {Start: true}}, limits: limits{peer: 9 * time.Hour}, play: (*play).neverStarted},
		{name: "data that goes on", grows: true, play: func(p *play) { p.goesOn(catalog.FormatGrowing) }},
		{name: "data that goes on is suspended", grows: true, raced: true, play: func(p *play) { p.goesOnAfterPauses(catalog.FormatGrowing) }},
		{name: "data that goes on is ended", grows: true, raced: true, play: func(p *play) { p.endsWhatGoesOn(catalog.FormatGrowing) }},
		{name: "data that goes on is pushed", grows: true, play: func(p *play) { p.goesOn(catalog.FormatGrowingPush) }},
		{name: "data that goes on and is pushed is suspended", grows: true, raced: true, play: func(p *play) { p.goesOnAfterPauses(catalog.FormatGrowingPush) }},
		{name: "data that goes on and is pushed is ended", grows: true, raced: true, play: func(p *play) { p.endsWhatGoesOn(catalog.FormatGrowingPush) }},
		{name: "nobody resumes", limits: limits{person: 9 * time.Hour}, raced: true, play: (*play).neverResumed},
	}
}

const (
	forTwo = `{"permission":[{"action":"use","constraint":[{"leftOperand":"purpose","operator":"isAnyOf","rightOperand":["trade_logistics","research"]}]}]}`
	lent   = `{"permission":[{"action":"use","duty":[{"action":"delete","constraint":[{"leftOperand":"elapsedTime","operator":"lteq","rightOperand":"P2D"}]}]}]}`
)

func plainFacts() corridor.Facts {
	return corridor.Facts{"data_classes": []any{"non_personal"}, "subjects_in_file": 0, "access_mode": "copy", "deid": "none",
		"ai_role": "none", "ai_prohibited_use": false, "ai_output_published": false, "ai_risk": "min"}
}

func peopleFacts() corridor.Facts {
	f := plainFacts()
	maps.Copy(f, corridor.Facts{"data_classes": []any{"personal"}, "subjects_in_file": 500, "subjects_ytd": 500, "sensitive_subjects_in_file": 0, "sensitive_subjects_ytd": 0, "genome_subjects": 0,
		"subject_link": []any{"resident"}, "data_source": "domestic", "first_store": "CN", "local_copy": true, "consent": "transfer_explicit",
		"pattern": "recurring", "onward": "none", "legal_basis": "consent", "on_ftz_negative_list": false, "exporter_traits": []any{},
		"decision_effect": "none", "mechanism": "none", "filing": "none", "impact_assessment": true, "foreign_retention_h": nil, "recipient_protects": true, "destination_found_adequate": false})
	return f
}

// duties are those that the exporter's law wants done before data about
// people leaves.
func duties() []string {
	return []string{"contract_with_recipient", "pipia", "notice", "consent_if_consent_basis"}
}

func evidence(ids ...string) map[string]corridor.Evidence {
	out := map[string]corridor.Evidence{}
	for _, id := range ids {
		out[id] = corridor.Evidence{Ref: "file 7/2026", SHA256: corridor.Digest([]byte(id)), By: "L. Wang", On: corridor.DateOf(time.Now())}
	}
	return out
}

// play is a scene on its way.
type play struct {
	w     *world
	scene scene
}

// stopped is the panic of a play whose people have given up.
type stopped struct{ why string }

// persist lets people repeat something until they see that it has happened.
func (p *play) persist(s *site, what string, happened func(context.Context, *exchange.Service) (bool, error), do func(context.Context, *exchange.Service) error) {
	for try, until := 0, time.Now().Add(patience); ; try++ {
		l := s.up()
		done, err := happened(l.ctx, l.x)
		if err == nil && done {
			s.note("person: %s: it is so", what)
			return
		}
		if err == nil {
			err = do(l.ctx, l.x)
			s.note("person: %s: %s", what, outcome(err))
		}
		if time.Now().After(until) {
			panic(stopped{fmt.Sprintf("%s cannot %s: %v", s.name, what, err)})
		}
		if err != nil {
			time.Sleep(within(p.w.die.about("person", s.name, what, try), 200*time.Millisecond, 4*time.Second))
		}
	}
}

func outcome(err error) string {
	if err == nil {
		return "done"
	}
	return brief(err)
}

// negotiation waits for a state of a negotiation.
func (p *play) negotiation(s *site, pid, what string, done func(exchange.Negotiation) bool) exchange.Negotiation {
	return await(s, pid, what, func(ctx context.Context, x *exchange.Service) (exchange.Negotiation, error) {
		return x.AwaitNegotiation(ctx, pid, done)
	}, done)
}

func (p *play) transferOf(s *site, pid, what string, done func(exchange.Transfer) bool) exchange.Transfer {
	return await(s, pid, what, func(ctx context.Context, x *exchange.Service) (exchange.Transfer, error) {
		return x.AwaitTransfer(ctx, pid, done)
	}, done)
}

func await[T any](s *site, pid, what string, wait func(context.Context, *exchange.Service) (T, error), done func(T) bool) T {
	for until := time.Now().Add(patience); ; {
		l := s.up()
		ctx, cancel := context.WithDeadline(l.ctx, until)
		v, err := wait(ctx, l.x)
		cancel()
		if err == nil && done(v) {
			return v
		}
		if time.Now().After(until) {
			panic(stopped{fmt.Sprintf("%s waits in vain for %s of %s: %s", s.name, what, pid, show(v))})
		}
		time.Sleep(100 * time.Millisecond) // a read of a node that ends
	}
}

func show(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw[:min(len(raw), 1500)])
}

// ask lets the importer ask for the dataset.
func (p *play) ask(purpose string) string { return p.askAs(purpose, 0) }

// askAs begins one more negotiation than there were.
func (p *play) askAs(purpose string, before int) (pid string) {
	known := map[string]bool{}
	p.persist(p.w.kz, "ask for the dataset", func(ctx context.Context, x *exchange.Service) (bool, error) {
		list, _, err := x.Negotiations(ctx, exchange.Page{})
		if len(list) > before {
			for _, n := range list {
				known[n.PID] = true
				pid = n.PID
			}
		}
		return len(list) > before, err
	}, func(ctx context.Context, x *exchange.Service) error {
		_, err := x.Negotiate(ctx, exchange.Request{Provider: p.w.cn.who.DID, Dataset: dataset, Purpose: purpose})
		return err
	})
	return pid
}

// only waits for the negotiation that a peer began here.
func (p *play) only(s *site) (pid string) {
	p.persist(s, "see the negotiation", func(ctx context.Context, x *exchange.Service) (bool, error) {
		list, _, err := x.Negotiations(ctx, exchange.Page{})
		if len(list) > 0 {
			pid = list[0].PID
		}
		return len(list) > 0, err
	}, func(context.Context, *exchange.Service) error { return errNotYet })
	return pid
}

var errNotYet = fmt.Errorf("not yet")

func ended(n exchange.Negotiation) bool { return n.State.Final() }
func over(t exchange.Transfer) bool     { return t.State.Final() }

// agreed waits until the importer has the agreement, and gives its name.
func (p *play) agreed(pid string) string {
	n := p.negotiation(p.w.kz, pid, "an agreement", ended)
	if n.State != dsp.Finalized {
		panic(stopped{fmt.Sprintf("the negotiation is %s: %s %v", n.State, n.Code, n.Reason)})
	}
	return n.Agreement
}

func (p *play) refused(pid string) {
	n := p.negotiation(p.w.kz, pid, "a refusal", ended)
	if n.State != dsp.Terminated {
		panic(stopped{fmt.Sprintf("the negotiation is %s", n.State)})
	}
}

// transfer asks for the data of an agreement.
func (p *play) transfer(agreement, format string) (pid string) {
	p.persist(p.w.kz, "ask for the data", func(ctx context.Context, x *exchange.Service) (bool, error) {
		list, _, err := x.Transfers(ctx, exchange.Page{})
		for _, t := range list {
			if t.Agreement == agreement && t.PartOf == "" {
				pid = t.PID
			}
		}
		return pid != "", err
	}, func(ctx context.Context, x *exchange.Service) error {
		_, err := x.TransferIn(ctx, agreement, format)
		return err
	})
	return pid
}

// completed waits until both sides have said all. What has stopped, people on
// both sides take up again.
func (p *play) completed(pid string) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		for _, s := range []*site{p.w.cn, p.w.kz} {
			p.resume(s)
		}
		l := p.w.kz.up()
		ctx, cancel := context.WithTimeout(l.ctx, 20*time.Second)
		t, err := l.x.AwaitTransfer(ctx, pid, over)
		cancel()
		switch {
		case err != nil: // not yet, or the node has ended
			sleep(l.ctx, time.Second)
		case t.State == dsp.Completed:
			return
		default:
			panic(stopped{fmt.Sprintf("the transfer is %s: %s %v", t.State, t.Code, t.Reason)})
		}
	}
	panic(stopped{"the transfer does not come to its end"})
}

// resume lets a person take up the transfers that wait for one.
func (p *play) resume(s *site) {
	l := s.up()
	list, _, err := l.x.Transfers(l.ctx, exchange.Page{})
	if err != nil {
		return
	}
	for _, t := range list {
		if t.Waiting != nil && t.Waiting.On == "operator" {
			_, err := l.x.Resume(l.ctx, t.PID)
			s.note("person: resume what waits because %s: %s", t.Waiting.Why, outcome(err))
		}
	}
}

func (p *play) offer() string {
	var pid string
	p.persist(p.w.cn, "offer the dataset", func(ctx context.Context, x *exchange.Service) (bool, error) {
		list, _, err := x.Negotiations(ctx, exchange.Page{})
		if len(list) > 0 {
			pid = list[0].PID
		}
		return len(list) > 0, err
	}, func(ctx context.Context, x *exchange.Service) error {
		_, err := x.OfferTo(ctx, p.w.kz.who.DID, "", dataset)
		return err
	})
	return pid
}

// past says that a negotiation is where a person wanted it, or further.
func (p *play) act(s *site, pid, what string, past func(exchange.Negotiation) bool, do func(context.Context, *exchange.Service) error) {
	p.persist(s, what, func(ctx context.Context, x *exchange.Service) (bool, error) {
		n, err := x.Negotiation(ctx, pid)
		return err == nil && (n.State.Final() || past(n)), err
	}, do)
}

func (p *play) accept(pid string) {
	p.act(p.w.kz, pid, "accept the offer", func(n exchange.Negotiation) bool { return n.State != dsp.Offered || n.Pending != dsp.None },
		func(ctx context.Context, x *exchange.Service) error {
			_, err := x.Accept(ctx, pid, exchange.Acceptance{Purpose: "trade_logistics"})
			return err
		})
}

func (p *play) offered() {
	p.offer()
	pid := p.only(p.w.kz)
	p.accept(pid)
	p.agreed(pid)
}

func (p *play) countered() {
	mine := p.offer()
	pid := p.only(p.w.kz)
	more := &dsp.Policy{ID: dataset + ":offer", Permission: []dsp.Rule{{Action: "use"}}}
	p.act(p.w.kz, pid, "ask for other terms", func(n exchange.Negotiation) bool { return n.Countering || n.State != dsp.Offered },
		func(ctx context.Context, x *exchange.Service) error {
			_, err := x.CounterRequest(ctx, pid, exchange.Acceptance{Purpose: "trade_logistics", Terms: more})
			return err
		})
	p.negotiation(p.w.cn, mine, "a counter-request", func(n exchange.Negotiation) bool { return n.State.Final() || n.State == dsp.Requested })
	p.act(p.w.cn, mine, "offer the published terms again", func(n exchange.Negotiation) bool {
		return n.State != dsp.Requested || n.Pending != dsp.None
	}, func(ctx context.Context, x *exchange.Service) error {
		_, err := x.Offer(ctx, mine, nil)
		return err
	})
	p.negotiation(p.w.kz, pid, "the offer", func(n exchange.Negotiation) bool {
		return n.State.Final() || n.State == dsp.Offered && n.Pending == dsp.None && !n.Countering
	})
	p.accept(pid)
	p.agreed(pid)
}

func (p *play) byHand() {
	pid := p.ask("trade_logistics")
	theirs := p.only(p.w.cn)
	p.act(p.w.cn, theirs, "agree", func(n exchange.Negotiation) bool { return n.Pending != dsp.None || n.State != dsp.Requested },
		func(ctx context.Context, x *exchange.Service) error { _, err := x.Agree(ctx, theirs); return err })
	p.negotiation(p.w.kz, pid, "the agreement", func(n exchange.Negotiation) bool { return n.State.Final() || n.State == dsp.Agreed })
	p.act(p.w.kz, pid, "verify", func(n exchange.Negotiation) bool { return n.Pending != dsp.None || n.State != dsp.Agreed },
		func(ctx context.Context, x *exchange.Service) error { _, err := x.Verify(ctx, pid); return err })
	p.negotiation(p.w.cn, theirs, "the verification", func(n exchange.Negotiation) bool { return n.State.Final() || n.State == dsp.Verified })
	p.act(p.w.cn, theirs, "finalize", func(n exchange.Negotiation) bool { return n.Pending != dsp.None || n.State != dsp.Verified },
		func(ctx context.Context, x *exchange.Service) error { _, err := x.Finalize(ctx, theirs); return err })
	p.completed(p.transfer(p.agreed(pid), catalog.FormatPull))
}

func (p *play) approved() {
	pid := p.ask("trade_logistics")
	theirs := p.only(p.w.cn)
	p.act(p.w.cn, theirs, "approve", func(n exchange.Negotiation) bool { return n.Parked == "" },
		func(ctx context.Context, x *exchange.Service) error {
			_, err := x.Approve(ctx, theirs, exchange.Approval{By: "Provincial CAC", Reference: "2026-7", Evidence: evidence(duties()...)})
			return err
		})
	p.completed(p.transfer(p.agreed(pid), catalog.FormatPull))
}

func (p *play) rejected() {
	pid := p.ask("trade_logistics")
	theirs := p.only(p.w.cn)
	p.act(p.w.cn, theirs, "reject", func(exchange.Negotiation) bool { return false },
		func(ctx context.Context, x *exchange.Service) error {
			_, err := x.Reject(ctx, theirs, "L. Wang", "not in our interest")
			return err
		})
	p.refused(pid)
}

func (p *play) twice() {
	first := p.askAs("trade_logistics", 0)
	second := p.askAs("research", 1)
	for _, pid := range []string{first, second} {
		p.agreed(pid)
	}
}

// endNegotiation lets one side or both end a negotiation some time after its
// begin.
func (p *play) endNegotiation(who ...*site) {
	pid := p.ask("trade_logistics")
	for _, s := range who {
		mine := pid
		if s == p.w.cn {
			mine = p.only(s)
		}
		time.Sleep(within(p.w.die.about("end", s.name), time.Millisecond, 400*time.Millisecond))
		p.act(s, mine, "end it", func(exchange.Negotiation) bool { return false }, func(ctx context.Context, x *exchange.Service) error {
			_, err := x.Terminate(ctx, mine, "changed_mind", "not needed any more")
			return err
		})
	}
	p.negotiation(p.w.kz, pid, "the end", ended)
}

// unanswered waits until a node ends a negotiation on which nobody acts.
func (p *play) unanswered() {
	pid := p.ask("trade_logistics")
	p.expired(p.negotiation(p.w.kz, pid, "the end of the wait", ended).Code)
}

func (p *play) neverStarted() {
	pid := p.transfer(p.agreed(p.ask("trade_logistics")), catalog.FormatPull)
	p.expired(p.transferOf(p.w.kz, pid, "the end of the wait", over).Code)
}

// neverResumed suspends a transfer and leaves it. It may have been complete by
// then.
func (p *play) neverResumed() {
	pid := p.transfer(p.agreed(p.ask("trade_logistics")), catalog.FormatPull)
	p.persist(p.w.kz, "suspend", func(ctx context.Context, x *exchange.Service) (bool, error) {
		t, err := x.TransferByPID(ctx, pid)
		return err == nil && (t.State == dsp.Suspended || t.State.Final()), err
	}, func(ctx context.Context, x *exchange.Service) error {
		_, err := x.Suspend(ctx, pid, "a pause")
		return err
	})
	if t := p.transferOf(p.w.kz, pid, "the end of the wait", over); t.State == dsp.Terminated {
		p.expired(t.Code)
	}
}

func (p *play) expired(code string) {
	if code != "expired" {
		panic(stopped{fmt.Sprintf("it ended with the code %q", code)})
	}
}

// at waits until a side knows of the transfer, and for some time more.
func (p *play) at(s *site, pid string, least, most time.Duration) string {
	if s == p.w.cn {
		p.persist(s, "see the transfer", func(ctx context.Context, x *exchange.Service) (bool, error) {
			list, _, err := x.Transfers(ctx, exchange.Page{})
			if len(list) > 0 {
				pid = list[0].PID
			}
			return len(list) > 0, err
		}, func(context.Context, *exchange.Service) error { return errNotYet })
	}
	time.Sleep(within(p.w.die.about("act on the transfer", s.name), least, most))
	return pid
}

func (p *play) suspended(s *site, format string) {
	pid := p.transfer(p.agreed(p.ask("trade_logistics")), format)
	mine := p.at(s, pid, time.Millisecond, 4*time.Second)
	p.persist(s, "suspend", func(ctx context.Context, x *exchange.Service) (bool, error) {
		t, err := x.TransferByPID(ctx, mine)
		return err == nil && (t.State == dsp.Suspended || t.State.Final()), err
	}, func(ctx context.Context, x *exchange.Service) error {
		_, err := x.Suspend(ctx, mine, "a pause")
		return err
	})
	time.Sleep(within(p.w.die.about("pause", s.name), time.Millisecond, 20*time.Second))
	p.completed(pid)
}

func (p *play) endTransfer(s *site) {
	pid := p.transfer(p.agreed(p.ask("trade_logistics")), catalog.FormatPull)
	mine := p.at(s, pid, time.Millisecond, 4*time.Second)
	p.persist(s, "end the transfer", func(ctx context.Context, x *exchange.Service) (bool, error) {
		t, err := x.TransferByPID(ctx, mine)
		return err == nil && t.State.Final(), err
	}, func(ctx context.Context, x *exchange.Service) error {
		_, err := x.TerminateTransfer(ctx, mine, "not needed any more")
		return err
	})
	p.transferOf(p.w.kz, pid, "the end", over)
}

func (p *play) lent() {
	pid := p.transfer(p.agreed(p.ask("trade_logistics")), catalog.FormatPull)
	p.completed(pid)
	p.transferOf(p.w.kz, pid, "the end of the copy", func(t exchange.Transfer) bool { return t.Deleted != nil })
}
