package law

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"corridor"
	"corridor/test/racing"
)

// neighbour is the pack of Kazakhstan written for Russia.
func neighbour(pack string) string {
	return strings.NewReplacer("pack: kz", "pack: ru", "jurisdiction: KZ", "jurisdiction: RU", "kz.", "ru.", "kz_", "ru_").Replace(pack)
}

// beside is a library of two packs: Kazakhstan's and Russia's.
func beside(kz, ru string) fstest.MapFS {
	fsys := tree(kz)
	fsys["ru/pack.yaml"] = &fstest.MapFile{Data: []byte(expand(ru))}
	return fsys
}

// TestAPackCannotReachIntoAnother lists the ways in which one pack could take
// part in the law of another: each is refused where it is written.
func TestAPackCannotReachIntoAnother(t *testing.T) {
	head := neighbour(testHead)
	ok := neighbour(rich)
	put := func(old, new string) string {
		if !strings.Contains(head, old) {
			t.Fatalf("the fixture lacks %q", old)
		}
		return strings.Replace(head, old, new, 1) + ok
	}
	duty := "{id: %s, owner: exporter, when: before, %sevidence: &T, text: &T}"
	for name, c := range map[string]struct{ ru, kz, want string }{
		"to claim its state as a member":                         {put("title: &T\nversion", "members: [KZ]\ntitle: &T\nversion"), "", "packs kz and ru both claim KZ"},
		"to claim its state as the jurisdiction":                 {put("jurisdiction: RU", "jurisdiction: KZ"), "", "packs kz and ru both claim KZ"},
		"to take its name":                                       {put("pack: ru", "pack: kz"), "", `pack "kz" lies in the directory "ru"`},
		"to take a name that begins the other's":                 {put("pack: ru", "pack: kz.own"), "", `pack "kz.own" has a dot in its name`},
		"to declare one of its records":                          {put("  ru.contract:", "  kz.contract: {states: [none, signed], question: &T}\n  ru.contract:"), "", `vehicle "kz.contract" does not carry its pack's name; call it ru.kz.contract`},
		"to declare a record that it may need some day":          {put("  ru.contract:", "  kz.later: {states: [none, signed], question: &T}\n  ru.contract:"), "", `call it ru.kz.later`},
		"to test one of its records":                             {head + strings.Replace(ok, `'"secret" in classes'`, `'vehicle("kz.contract").state == "signed"'`, 1), "", `vehicle "kz.contract" belongs to pack kz, which alone may test it`},
		"to be asked about by it":                                {head + ok, strings.Replace(rich, `'"secret" in classes'`, `'filing("ru.notice").state == "cleared"'`, 1), `filing "ru.notice" belongs to pack ru, which alone may test it`},
		"to give it an obligation":                               {put("silence:", "obligations: ["+fmt.Sprintf(duty, "ours", "")+"]\nsilence:"), strings.Replace(rich, "obligations: [hide]", "obligations: [ours]", 1), `names obligation "ours", which only pack ru may name`},
		"to give it an obligation by another name":               {put("silence:", "obligations: ["+fmt.Sprintf(duty, "ours", "aliases: [theirs], ")+"]\nsilence:"), strings.Replace(rich, "obligations: [hide]", "obligations: [theirs]", 1), `names obligation "theirs", which only pack ru may name`},
		"to declare a shared obligation anew":                    {put("silence:", "obligations: ["+fmt.Sprintf(duty, "tell", "")+"]\nsilence:"), "", `obligation "tell" is declared twice`},
		"to declare a shared obligation as an alias":             {put("silence:", "obligations: ["+fmt.Sprintf(duty, "ours", "aliases: [keep_it], ")+"]\nsilence:"), "", `obligation "keep_it" is declared twice`},
		"to declare a shared event anew":                         {put("silence:", "events: {effect: &T}\nsilence:"), "", `event "effect" is declared twice`},
		"to start its clocks":                                    {put("silence:", "events: {our_day: &T}\nsilence:"), "obligations: [" + fmt.Sprintf(duty, "late", "deadline: {days: 1, unit: days, from: our_day}, ") + "]\n" + rich, `the deadline of late runs from event "our_day", which belongs to pack ru`},
		"to lift its rules":                                      {head + strings.Replace(ok, "unless: [ru.not-genetic]", "unless: [kz.not-genetic]", 1), "", `unknown exemption "kz.not-genetic"`},
		"to have its rules lifted":                               {head + ok, strings.Replace(rich, "unless: [kz.not-genetic]", "unless: [ru.not-genetic]", 1), `unknown exemption "ru.not-genetic"`},
		"to declare rules under its name":                        {head + strings.Replace(ok, "- id: ru.secret", "- id: kz.secret", 1), "", `rule "kz.secret" does not carry its pack's name`},
		"to use its conditions":                                  {strings.Replace(head, "  sensitive:", "  own:", 1) + ok, "", `unknown condition "sensitive"`},
		"to use its lists":                                       {strings.Replace(head, "  friends:", "  foes:", 1) + ok, "", `unknown list "friends"`},
		"to speak for treaties beside its state":                 {put("jurisdiction: RU", "layer: treaty\njurisdiction: RU"), "", "a pack of treaties belongs to no jurisdiction"},
		"to put a rule on the side of the treaties":              {head + strings.Replace(ok, "side: both", "side: treaty", 1), "", "ru.secret stands on a side that this pack does not have"},
		"to bring a vocabulary, a profile or an obligation file": {head + ok + "vocabulary: {facts: []}\n", "", `unknown key "vocabulary" in the pack`},
	} {
		t.Run(name, func(t *testing.T) {
			kz := testHead + rich
			if c.kz != "" {
				kz = testHead + c.kz
			}
			_, err := Load(beside(kz, c.ru))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if _, err := Load(beside(testHead+rich, head+ok)); err != nil {
		t.Errorf("the neighbour as it is was refused: %v", err)
	}
}

// drawNeighbour writes a pack for Russia with whatever it may declare by
// itself, some of which bends names towards the other pack.
func drawNeighbour(t *rapid.T) string {
	p := drawPack(t)
	text := neighbour(p.yaml(p.inOrder()))
	some := func(name, old, new string) {
		if rapid.Bool().Draw(t, name) {
			text = strings.Replace(text, old, new, 1)
		}
	}
	some("records", "vehicles:\n", "vehicles:\n  ru.kz.contract: {states: [signed, none], shorthand: {standard_contract: none}, question: &T}\n")
	some("shorthand", "shorthand: {standard_contract: signed}", "shorthand: {standard_contract: none, treaty: filed}")
	some("standstill", "working_days: 5", "working_days: 1")
	some("states", "kz.contract: {states: [none, signed, filed]", "kz.contract: {states: [signed, none, filed]")
	some("members", "title: &T\nversion", "members: [AM, CN]\ntitle: &T\nversion")
	some("duties", "silence:", "events: {dawn: &T}\nobligations:\n  - {id: tell_nobody, owner: both, when: after, aliases: [told], deadline: {days: 1, unit: hours, from: dawn}, stage: drop, evidence: &T, text: &T}\nsilence:")
	some("countries", "codes: [RU, CN]", "codes: [AM, KG, 'TJ', \"UZ\"]")
	some("onward", "conditions:\n", "conditions:\n  far: {when: 'onward.within([\"KZ\", \"TJ\"]) || \"UZ\" in onward'}\n  deep: {when: '!use(\"far\")'}\n")
	return text
}

// answerOf is what one jurisdiction decides, besides notes; ok is false for
// facts that no world can have.
func answerOf(t *rapid.T, l *Library, f corridor.Flow, side corridor.Side) (d corridor.Decision, ok bool) {
	d, err := l.decideSide(f, side, l.byJurisdiction[f.Origin], (*prepared).plain)
	if err != nil && !strings.Contains(err.Error(), "cannot all be true") {
		t.Fatalf("%s side of %+v: %v", side, f, err)
	}
	d.Notes = nil
	return d, err == nil
}

func TestNoPackChangesTheAnswerOfAnother(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPack(t)
		kz := p.yaml(p.inOrder())
		with := func(ru string) *Library {
			l, err := Load(beside(kz, ru))
			if err != nil {
				t.Fatalf("%v\n%s", err, ru)
			}
			return l
		}
		before, after := with(drawNeighbour(t)), with(drawNeighbour(t))
		alone, err := Load(tree(kz))
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			facts := drawKnown(t).facts()
			if rapid.Bool().Draw(t, "shorthand") {
				facts["mechanism"] = rapid.SampledFrom([]string{"none", "standard_contract"}).Draw(t, "mechanism")
				delete(facts, "vehicles.kz.contract") // said once
			}
			if rapid.Bool().Draw(t, "onward known") {
				facts["onward"] = map[string]any{"has": []any{"UZ"}, "lacks": []any{"TJ"}}
			}
			f := corridor.Flow{Date: 739_677, Facts: facts, Origin: "KZ", Destination: rapid.SampledFrom([]string{"RU", "AM"}).Draw(t, "peer")}
			side := corridor.Export
			if rapid.Bool().Draw(t, "import") {
				f.Origin, f.Destination, side = f.Destination, "KZ", corridor.Import
				if _, short := facts["mechanism"]; !short {
					delete(facts, "vehicles.kz.contract")
					facts["vehicles"] = map[string]any{"kz.contract": "signed"}
				}
			}
			want, ok := answerOf(t, before, f, side)
			if got, same := answerOf(t, after, f, side); same != ok || !reflect.DeepEqual(got, want) {
				t.Fatalf("another pack of Russia changes the answer of Kazakhstan for %+v:\n%+v\n%+v", f, want, got)
			}
			if f.Origin == "KZ" {
				if got, same := answerOf(t, alone, f, side); same != ok || !reflect.DeepEqual(got, want) {
					t.Fatalf("a pack of Russia changes the answer of Kazakhstan for %+v:\n%+v\n%+v", f, got, want)
				}
			}
		}
	})
}

// TestTreatiesOnlyRestrict replaces the treaties by others: what either state
// decides by itself stays, and the whole is never looser than that.
func TestTreatiesOnlyRestrict(t *testing.T) {
	const frame = `
pack: treaty
layer: treaty
title: &T
version: "1"
instruments: {vclt: {title: &T, in_force: {from: 1980-01-01}}}
vehicles: {treaty.seal: {states: [none, given], shorthand: {treaty: given}, question: &T}}
silence: {treaty: {outcome: allow, cite: [{instrument: vclt, article: "34"}], source: &S, text: &T}}
rules:
`
	rapid.Check(t, func(t *rapid.T) {
		p := drawPack(t)
		national := tree(p.yaml(p.inOrder()))
		without, err := Load(national)
		if err != nil {
			t.Fatal(err)
		}
		treaties := frame
		for i := range rapid.IntRange(1, 3).Draw(t, "rules") {
			treaties += fmt.Sprintf("  - {id: treaty.r%d, side: treaty, when: '%s', results: [{outcome: %s, obligations: [tell]}], cite: [{instrument: vclt, article: a}], source: &S, in_force: {from: 2000-01-01}, text: &T}\n",
				i, strings.ReplaceAll(drawCond(t, 1).text, "kz.contract", "treaty.seal"), drawOutcome(t))
		}
		treaties = strings.ReplaceAll(treaties, `"signed", "filed"`, `"given"`)
		national["treaty/pack.yaml"] = &fstest.MapFile{Data: []byte(expand(treaties))}
		with, err := Load(national)
		if err != nil {
			t.Fatalf("%v\n%s", err, treaties)
		}
		for range 5 {
			f := corridor.Flow{Date: 739_677, Origin: "KZ", Destination: "AM", Facts: drawKnown(t).facts()}
			alone, ok := answerOf(t, without, f, corridor.Export)
			if got, same := answerOf(t, with, f, corridor.Export); same != ok || !reflect.DeepEqual(got, alone) {
				t.Fatalf("a treaty changes what the state decides by itself:\n%+v\n%+v", alone, got)
			}
			if !ok {
				continue
			}
			whole, err := with.DecideSide(f, corridor.Export)
			if err != nil {
				t.Fatal(err)
			}
			best, worst := whole.Span()
			b, w := alone.Span()
			if best > b || worst > w {
				t.Fatalf("a treaty loosens %s..%s to %s..%s", w, b, worst, best)
			}
			owed := map[string]bool{}
			for _, o := range whole.Duties {
				owed[o.ID] = true
			}
			for _, o := range alone.Duties {
				if !owed[o.ID] {
					t.Fatalf("a treaty takes away the duty %s", o.ID)
				}
			}
		}
	})
}

// TestHostilePacksAreRefusedBeforeTheyCost feeds what would take very long or
// very much to understand. The limits are on what is written, so that a
// refusal costs no more than reading; memory is measured in allocated bytes.
func TestHostilePacksAreRefusedBeforeTheyCost(t *testing.T) {
	if racing.On {
		t.Skip("starts no goroutine: nothing for the race detector")
	}
	many := func(n int, f func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(f(i))
		}
		return b.String()
	}
	chain := func(uses int) string { // every condition uses the one before it many times over
		s := "  c0: {when: 'copied && people >= 1 && hours == 1'}\n"
		for i := 1; i < 30; i++ {
			s += fmt.Sprintf("  c%d: {when: '%s'}\n", i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf(`!use("c%d") || `, i-1), uses), " || "))
		}
		return s
	}
	flat := "  c0: {when: '" + strings.TrimSuffix(strings.Repeat("copied || ", 390), " || ") + "'}\n" + // flattened again wherever it is used
		"  c1: {when: '" + strings.TrimSuffix(strings.Repeat(`use("c0") || `, 10), " || ") + "'}\n" +
		many(200, func(i int) string {
			return fmt.Sprintf("  d%d: {when: '%s'}\n", i, strings.TrimSuffix(strings.Repeat(`use("c1") || `, 300), " || "))
		})
	at := func(old, new string) string { return strings.Replace(testHead, old, new, 1) + oneRule(nil) }
	for name, c := range map[string]struct{ pack, want string }{
		"a billion laughs":            {"a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b]\n", "an anchor (&a)"},
		"an alias to itself":          {"a: &a [*a]", ""},
		"a giant file":                {strings.Repeat("# nothing\n", 200_000), "over the limit"},
		"a million open lists":        {strings.Repeat("[", maxFile-1), "YAML:"},
		"a million open mappings":     {strings.Repeat("{a: ", maxFile/4-1), "YAML:"},
		"lists in lists":              {strings.Repeat("- ", 9000) + "x", "nested deeper than 24 levels"},
		"a hundred thousand keys":     {many(100_000, func(i int) string { return fmt.Sprintf("k%d: 1\n", i) }), "more than 10000 entries"},
		"ten thousand unknown keys":   {many(9_000, func(i int) string { return fmt.Sprintf("k%d: 1\n", i) }), "more errors follow"},
		"a list of many names":        {at("[none, signed, filed]", "["+many(120_000, func(i int) string { return fmt.Sprintf("s%d,", i) })+"]"), "more than 300 names"},
		"many exemptions on one rule": {testHead + oneRule(map[string]string{"unless": "[" + many(100_000, func(i int) string { return fmt.Sprintf("kz.x%d,", i) }) + "]"}), "more than 300 names"},
		"rules that name nothing known": {testHead + "rules:\n" + many(390, func(i int) string {
			return strings.TrimPrefix(oneRule(map[string]string{"id": fmt.Sprintf("kz.r%d", i), "unless": "[" + many(280, func(j int) string { return fmt.Sprintf("e%d,", j) }) + "]"}), "rules:\n")
		}), "more errors follow"},
		"conditions that double":                {at("conditions:\n", "conditions:\n"+chain(2)), "more than 4000 nodes"},
		"conditions that multiply":              {at("conditions:\n", "conditions:\n"+chain(200)), "more than 4000 nodes"},
		"conditions that flatten":               {at("conditions:\n", "conditions:\n"+flat), "more than 4000 nodes"},
		"more rules than a law has":             {testHead + "rules:\n" + many(401, func(i int) string { return fmt.Sprintf("  - {id: kz.r%d}\n", i) }), ""},
		"more records than a law has":           {at("vehicles:\n", "vehicles:\n"+many(101, func(i int) string { return fmt.Sprintf("  kz.v%d: {states: [a, b], question: &T}\n", i) })), "over the limit of 100"},
		"more conditions":                       {at("conditions:\n", "conditions:\n"+many(401, func(i int) string { return fmt.Sprintf("  c%d: {when: 'copied'}\n", i) })), "over the limit of 400"},
		"a condition in brackets":               {testHead + oneRule(map[string]string{"when": "'" + strings.Repeat("(", 2000) + "copied" + strings.Repeat(")", 2000) + "'"}), "condition"},
		"a long condition":                      {testHead + oneRule(map[string]string{"when": "'" + strings.Repeat("copied || ", 50_000) + "copied'"}), "longer than 8000 bytes"},
		"an outcome that needs a giant diagram": {giant(), "diagram nodes"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Load(manyFacts(tree(c.pack)))
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %.300v, want %q", err, c.want)
			}
			if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 700 {
				t.Errorf("%d MiB were allocated on the way", used)
			}
		})
	}
}

// giant is a rule without structure: three tests of arbitrary facts in each of
// many alternatives. It is small to write and large as a diagram in any order.
func giant() string {
	x := uint32(1)
	next := func() string {
		x = x*1664525 + 1013904223
		return fmt.Sprintf("%sb%d", []string{"", "!"}[x>>30&1], x>>16%60)
	}
	var parts []string
	for range 150 {
		parts = append(parts, fmt.Sprintf("(%s && %s && %s)", next(), next(), next()))
	}
	return testHead + oneRule(map[string]string{"when": "'" + strings.Join(parts, " || ") + "'"})
}

// manyFacts is a vocabulary with sixty more yes/no facts.
func manyFacts(fsys fstest.MapFS) fstest.MapFS {
	more := ""
	for i := range 60 {
		more += fmt.Sprintf("  - {name: b%d, type: bool, question: &Q}\n", i)
	}
	fsys["vocabulary.yaml"] = &fstest.MapFile{Data: []byte(expand(strings.Replace(testVocabulary, "facts:\n", "facts:\n"+more, 1)))}
	return fsys
}
