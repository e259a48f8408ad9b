//go:build bench

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"corridor"
	"corridor/internal/law"
	"corridor/internal/scan"
)

// mixture is different complete flows between all states with a pack.
func mixture(l *law.Library, n int) []corridor.Flow {
	r := rand.New(rand.NewPCG(1, 2))
	var states []string
	for _, s := range l.States() {
		if l.Country(s) == nil {
			states = append(states, s)
		}
	}
	classes := [][]any{{"personal"}, {"personal", "payment"}, {"personal", "health", "sensitive"}, {"non_personal"}, {"important"}, {"personal", "biometric"}}
	purposes := []string{"contract", "hr", "marketing", "trade_logistics", "research", "customs", "other"}
	out := make([]corridor.Flow, 0, n)
	for i := range n {
		f := flow()
		from := r.IntN(len(states))
		f.Origin, f.Destination = states[from], states[(from+1+r.IntN(len(states)-1))%len(states)]
		f.Facts["data_classes"], f.Facts["purpose"], f.Facts["subjects_ytd"] = classes[r.IntN(len(classes))], purposes[r.IntN(len(purposes))], 5000+i*997%2_000_000
		out = append(out, f)
	}
	return out
}

// perCall takes the mean of many calls at a time, since reading the clock
// costs as much as a short call.
func perCall(call func(i int)) quantiles {
	const rounds, together = 2000, 100
	took := make([]time.Duration, rounds)
	for range 2 { // the first round warms up
		for r := range took {
			at := time.Now()
			for i := range together {
				call(r*together + i)
			}
			took[r] = time.Since(at) / together
		}
	}
	return quantilesOf(took)
}

// decisions measures flows whose facts were read.
func (b *bench) decisions(l *law.Library) error {
	one, err := l.Prepare(flow())
	if err != nil {
		return err
	}
	var many []*law.Prepared
	for _, f := range mixture(l, 10_000) {
		p, err := l.Prepare(f)
		if err != nil {
			return err
		}
		many = append(many, p)
	}
	some := func(i int) *law.Prepared { return many[i%len(many)] }
	b.add("full decision, both sides and treaties, one flow repeated, one core", "p50 ≤ 2 µs", "%s", perCall(func(int) { one.Decide() }))
	b.add("- a mixture of 10,000 different flows", "p50 ≤ 2 µs", "%s", perCall(func(i int) { some(i).Decide() }))
	b.add("outcome only, one flow repeated, one core", "p50 ≤ 0.3 µs", "%s", perCall(func(int) { one.Outcome() }))
	b.add("- a mixture of 10,000 different flows", "p50 ≤ 0.3 µs", "%s", perCall(func(i int) { some(i).Outcome() }))
	return nil
}

// batch measures many flows from unread facts, in process and as a program.
func (b *bench) batch(l *law.Library) error {
	flows := mixture(l, 10_000)
	const rounds = 100
	var work sync.WaitGroup
	var rates []time.Duration
	batches := make([]*law.Batch[*corridor.Verdict], runtime.GOMAXPROCS(0))
	for i := range batches {
		batches[i] = law.NewBatch(l, corridor.Flow{}, func(v corridor.Verdict, _ error) *corridor.Verdict { return &v })
	}
	cold := time.Now()
	for _, f := range flows {
		batches[0].Decide(f)
	}
	first := time.Since(cold)
	for range 3 {
		at := time.Now()
		for _, batch := range batches {
			work.Go(func() {
				for range rounds {
					for _, f := range flows {
						batch.Decide(f)
					}
				}
			})
		}
		work.Wait()
		rates = append(rates, time.Since(at))
	}
	q := quantilesOf(rates)
	b.add("batch in process, from unread facts, a mixture of 10,000 different flows, all cores", "≥ 2,000,000 flows/s", "%.0f flows/s",
		float64(len(batches)*rounds*len(flows))/q.p50.Seconds())
	b.add("- the first time that each is seen, one core", "", "%.0f flows/s", float64(len(flows))/first.Seconds())
	return b.batchProgram(flows)
}

func (b *bench) batchProgram(flows []corridor.Flow) error {
	var text bytes.Buffer
	for i := range 1_000_000 {
		data, err := json.Marshal(flows[i%len(flows)])
		if err != nil {
			return err
		}
		text.Write(append(data, '\n'))
	}
	path := filepath.Join(b.dir, "flows.jsonl")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		return err
	}
	text = bytes.Buffer{}
	for _, args := range [][]string{nil, {"--json"}} {
		var took []time.Duration
		var peak int64
		for range 3 {
			cmd := exec.CommandContext(b.ctx, b.corridor, append([]string{"check", "--batch", path}, args...)...)
			t, p, err := watched(cmd)
			if err != nil {
				return err
			}
			took, peak = append(took, t), max(peak, p)
		}
		what := "`check --batch` of 1,000,000 lines, a mixture of 10,000 different flows, sums"
		if args != nil {
			what = "- an answer for every line"
		}
		b.add(what, "≥ 300,000 flows/s", "%.0f flows/s, %d MB", 1_000_000/quantilesOf(took).p50.Seconds(), peak>>20)
	}
	return nil
}

// questions measures what is asked where three facts are known.
func (b *bench) questions(l *law.Library) error {
	var list []*law.Prepared
	r := rand.New(rand.NewPCG(3, 4))
	var open []law.FactInfo // facts that take one of a few words
	for _, f := range l.Vocabulary() {
		if f.Type == "enum" && f.Derived == "" && f.Name != "purpose" {
			open = append(open, f)
		}
	}
	for _, f := range mixture(l, 400) {
		third := open[r.IntN(len(open))]
		f.Assume, f.Facts = "", corridor.Facts{"data_classes": map[string]any{"has": f.Facts["data_classes"]}, "purpose": f.Facts["purpose"],
			third.Name: third.Values[r.IntN(len(third.Values))]}
		p, err := l.Prepare(f)
		if err != nil {
			return err
		}
		list = append(list, p)
	}
	var fresh, again []time.Duration
	for _, p := range list {
		at := time.Now()
		v := p.Decide()
		took := time.Since(at)
		if v.Outcome != corridor.Undetermined {
			continue
		}
		fresh = append(fresh, took)
		at = time.Now()
		p.Decide()
		again = append(again, time.Since(at))
	}
	b.add("undetermined: the questions of a flow with three known facts, diagrams cached, 400 different flows, each for the first time", "p50 ≤ 50 µs", "%s", quantilesOf(fresh))
	b.add("- asked again", "", "%s", quantilesOf(again))
	return nil
}

// diagrams finds the largest diagram and the one that takes longest.
func (b *bench) diagrams(l *law.Library) error {
	var largest, longest string
	var size law.Size
	var slowest time.Duration
	n := 0
	err := l.EachDiagram(flow().Date, func(pack string, side corridor.Side, build func() (law.Size, error)) error {
		var took []time.Duration
		var s law.Size
		for range 5 {
			at := time.Now()
			var err error
			if s, err = build(); err != nil {
				return err
			}
			took = append(took, time.Since(at))
		}
		n++
		if s.Outcome > size.Outcome {
			size, largest = s, fmt.Sprintf("%s, %s", pack, side)
		}
		if q := quantilesOf(took).p50; q > slowest {
			slowest, longest = q, fmt.Sprintf("%s, %s", pack, side)
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("largest diagram of %d sides of packs, states of the pair as variables", n), "≤ 5,000 nodes", "%d nodes (%s), %d with every rule and duty", size.Outcome, largest, size.All)
	b.add("longest time to compile a side and build its diagrams", "≤ 20 ms", "median %s of 5 (%s)", brief(slowest), longest)
	return nil
}

// advice measures the ways out of a refusal for a file of twenty columns.
func (b *bench) advice(l *law.Library) error {
	f, err := b.people()
	if err != nil {
		return err
	}
	confirmed := f
	confirmed.Facts = f.Facts.Clone()
	if m, ok := f.Facts["data_classes"].(map[string]any); ok {
		confirmed.Facts["data_classes"] = m["has"]
	}
	secret := confirmed
	secret.Facts = confirmed.Facts.Clone()
	secret.Facts["data_classes"] = []any{"state_secret"}
	for _, c := range []struct {
		what   string
		flow   corridor.Flow
		limits law.Limits
		ways   bool
	}{
		{"advice for a refused flow with a file of 20 columns, after the scan, CN to RU, its classes confirmed by a person", confirmed, law.Limits{}, true},
		{"- the same with nothing but the scan: what was not seen may still be there", f, law.Limits{}, true},
		{"- no way at all: the provisions in the way are named", secret, law.Limits{Needed: []string{"state_secret"}}, false},
	} {
		if err := b.ways(l, c.what, c.flow, c.limits, c.ways); err != nil {
			return fmt.Errorf("%s: %w", c.what, err)
		}
	}
	return nil
}

// ways measures advice on one flow. A flow that was to have ways and has none
// is an error, and the other way round.
func (b *bench) ways(l *law.Library, what string, f corridor.Flow, limits law.Limits, some bool) error {
	var took []time.Duration
	var a law.Advice
	for range 21 {
		at := time.Now()
		var err error
		if a, err = l.Advise(f, limits); err != nil {
			return err
		}
		took = append(took, time.Since(at))
	}
	if a.Verdict.Outcome.Permits() || (len(a.Plans) > 0) != some || !some && len(a.Fixed) == 0 {
		return fmt.Errorf("%s, %d ways, %d provisions in the way for good", a.Verdict.Outcome, len(a.Plans), len(a.Fixed))
	}
	b.add(what, "≤ 200 ms", "%s (%s; %d ways)", quantilesOf(took), a.Verdict.Outcome, len(a.Plans))
	return nil
}

// people scans a file of twenty columns about people and adds what its
// exporter knows: above the line for sensitive data, nothing in place.
func (b *bench) people() (corridor.Flow, error) {
	head := "name,email,phone,birth_date,gender,address,city,postcode,country,passport_number,diagnosis,blood_type,iban,card_number,latitude,longitude,ip_address,employer,salary,note"
	var text strings.Builder
	text.WriteString(head + "\n")
	for i := range 2000 {
		fmt.Fprintf(&text, "Wang Fang %d,w%d@example.com,+7701%07d,19%02d-03-0%d,F,Abay Ave %d,Almaty,050%03d,KZ,N%08d,J45.%d,A+,KZ86125KZT500410%04d,4111111111111111,43.2%03d,76.9%03d,10.1.%d.%d,Steppe LLP,%d,ok\n",
			i, i, i, 50+i%50, 1+i%9, i, i%1000, i, i%10, i%10000, i%1000, i%1000, i/256, i%256, 1000+i)
	}
	path := filepath.Join(b.dir, "people.csv")
	f := corridor.Flow{Date: corridor.DateOf(time.Now()), Origin: "CN", Destination: "RU", Assume: "nothing_in_place"}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		return f, err
	}
	report, err := scan.File(b.ctx, path, scan.Options{Lang: "en", Today: f.Date})
	if err != nil {
		return f, err
	}
	f.Facts = report.Facts
	for name, v := range map[string]any{"purpose": "marketing", "subjects_ytd": 250000, "sensitive_subjects_ytd": 20000} {
		f.Facts[name] = v
	}
	return f, nil
}
