package law

import (
	"strings"
	"testing"
	"testing/fstest"

	"corridor"
)

// rule is a pack of one rule with parts exchanged: "key" replaces the line of
// that key, an empty value drops it.
func oneRule(change map[string]string) string {
	parts := []struct{ key, value string }{{"id", "kz.r"}, {"kind", ""}, {"side", "export"}, {"when", `'true'`}, {"unless", ""},
		{"results", "[{outcome: deny}]"}, {"obligations", ""}, {"cite", `[{instrument: pdl, article: "1"}]`}, {"source", "&S"},
		{"in_force", "{from: 2020-01-01}"}, {"text", "&T"}}
	var b strings.Builder
	b.WriteString("rules:\n  -\n")
	for _, p := range parts {
		if v, ok := change[p.key]; ok {
			p.value = v
		}
		if p.value != "" {
			b.WriteString("    " + p.key + ": " + p.value + "\n")
		}
	}
	return b.String()
}

func TestBadRulesAreExplained(t *testing.T) {
	for name, c := range map[string]struct {
		change map[string]string
		want   string
	}{
		"unknown fact":                    {map[string]string{"when": `'peple > 3'`}, `unknown fact "peple"; did you mean people?`},
		"unknown member":                  {map[string]string{"when": `'"helth" in classes'`}, `"helth" is not a member of classes; did you mean health?`},
		"unknown enum value":              {map[string]string{"when": `'purpose == "contrac"'`}, `"contrac" is not a value of purpose; did you mean contract?`},
		"unknown country":                 {map[string]string{"when": `'destination == "kz"'`}, `"kz" is not a value of destination; did you mean KZ?`},
		"unknown country by name":         {map[string]string{"when": `'destination == "Kazakstan"'`}, `did you mean KZ (Kazakhstan)?`},
		"unknown vehicle":                 {map[string]string{"when": `'vehicle("kz.contrat").state == "signed"'`}, `unknown vehicle "kz.contrat" in pack kz; did you mean kz.contract?`},
		"unknown vehicle state":           {map[string]string{"when": `'vehicle("kz.contract").state == "singed"'`}, `did you mean signed?`},
		"unknown record field":            {map[string]string{"when": `'vehicle("kz.contract").date == "x"'`}, `has no field "date"`},
		"unknown list":                    {map[string]string{"when": `'destination in list("frends")'`}, `unknown list "frends"; did you mean friends?`},
		"unknown condition":               {map[string]string{"when": `'use("sensitve")'`}, `unknown condition "sensitve"; did you mean sensitive?`},
		"list of another type":            {map[string]string{"when": `'purpose in list("friends")'`}, "list() holds countries"},
		"number compared with text":       {map[string]string{"when": `'people > "3"'`}, "people is a number and cannot be compared with this"},
		"number out of range":             {map[string]string{"when": `'people > 1000001'`}, "outside the range"},
		"text ordered":                    {map[string]string{"when": `'purpose > "hr"'`}, "has no order"},
		"date compared with number":       {map[string]string{"when": `'collected > 5'`}, "is a date and cannot be compared"},
		"bad date":                        {map[string]string{"when": `'collected > date("2026-02-30")'`}, "is not a date"},
		"bool compared with text":         {map[string]string{"when": `'copied == "yes"'`}, "a yes/no fact cannot be compared"},
		"number as condition":             {map[string]string{"when": `'people'`}, "is of type int, not a condition by itself"},
		"set compared":                    {map[string]string{"when": `'classes == "personal"'`}, "is a set and cannot be compared"},
		"none for what is never none":     {map[string]string{"when": `'people == none'`}, "is never none"},
		"none ordered":                    {map[string]string{"when": `'hours > none'`}, "none has no order"},
		"two facts compared":              {map[string]string{"when": `'people > hours'`}, "two facts are never compared"},
		"origin against destination":      {map[string]string{"when": `'origin == destination'`}, "two facts are never compared"},
		"constant on the left":            {map[string]string{"when": `'3 < people'`}, "must begin with a fact"},
		"arithmetic":                      {map[string]string{"when": `'people + 1 > 3'`}, "only a fact or a record's state can be compared"},
		"a conditional":                   {map[string]string{"when": `'copied ? true : false'`}, "the operator ?: is outside the fragment"},
		"a comprehension":                 {map[string]string{"when": `'classes.exists(c, c == "personal")'`}, "the function exists() is outside the fragment"},
		"a size":                          {map[string]string{"when": `'size(classes) > 1'`}, "only a fact or a record's state can be compared"},
		"an index":                        {map[string]string{"when": `'classes[0] == "personal"'`}, "only a fact"},
		"a map":                           {map[string]string{"when": `'{"a": 1}'`}, "outside the fragment"},
		"a bare constant":                 {map[string]string{"when": `'3'`}, "a constant is not a condition"},
		"a bare state":                    {map[string]string{"when": `'vehicle("kz.contract").state'`}, "not a condition by itself"},
		"a field of a fact":               {map[string]string{"when": `'people.state == "x"'`}, "only vehicle, filing and assessment have fields"},
		"a number in a set":               {map[string]string{"when": `'3 in classes'`}, "is text in quotes"},
		"membership in no set":            {map[string]string{"when": `'"a" in purpose'`}, "not a set"},
		"membership in a list of words":   {map[string]string{"when": `'"a" in ["a"]'`}, "this is not a set fact"},
		"in on a number":                  {map[string]string{"when": `'people in [1, 2]'`}, "in does not work on people"},
		"in without a list":               {map[string]string{"when": `'purpose in "hr"'`}, "must be a list of constants"},
		"in with numbers":                 {map[string]string{"when": `'purpose in [1]'`}, "must be a text constant"},
		"in with nothing":                 {map[string]string{"when": `'purpose in []'`}, "an empty list"},
		"overlaps on a word":              {map[string]string{"when": `'purpose.overlaps(["hr"])'`}, "not a set"},
		"overlaps with two arguments":     {map[string]string{"when": `'classes.overlaps(["open"], ["open"])'`}, "is asked of a set, with one list"},
		"use of something else":           {map[string]string{"when": `'use(purpose)'`}, "must be a text constant"},
		"vehicle with two arguments":      {map[string]string{"when": `'vehicle("a", "b").state == "x"'`}, "takes one text constant"},
		"an empty condition":              {map[string]string{"when": `'  '`}, "an empty condition"},
		"broken syntax":                   {map[string]string{"when": `'people >'`}, "Syntax error"},
		"a number too large for CEL":      {map[string]string{"when": `'people > 99999999999999999999'`}, "condition:"},
		"an unquoted condition":           {map[string]string{"when": `true`}, "must be text"},
		"a long condition":                {map[string]string{"when": `'copied` + strings.Repeat(" || copied", 500) + `'`}, "over the limit of 4096"},
		"a deep condition":                {map[string]string{"when": `'` + strings.Repeat("!(", 200) + "copied" + strings.Repeat(")", 200) + `'`}, "condition:"},
		"unknown obligation":              {map[string]string{"results": "[{outcome: deny, obligations: [tel]}]"}, `unknown obligation "tel"; did you mean tell?`},
		"unknown exemption":               {map[string]string{"unless": "[kz.x]"}, `kz.r names the unknown exemption "kz.x"`},
		"unless on itself":                {map[string]string{"unless": "[kz.r]"}, "which is a rule"},
		"missing citation":                {map[string]string{"cite": ""}, `a rule has no "cite"`},
		"empty citation":                  {map[string]string{"cite": "[]"}, "no citation"},
		"unknown instrument":              {map[string]string{"cite": `[{instrument: pld, article: "1"}]`}, `kz.r cites the unknown instrument "pld"; did you mean old, pdl?`},
		"number for an article":           {map[string]string{"cite": `[{instrument: pdl, article: 1}]`}, "article must be text"},
		"instrument not yet in force":     {map[string]string{"in_force": "{from: 2012-01-01}"}, "is in force from 2012-01-01, but pdl only from 2013-01-01"},
		"instrument no longer in force":   {map[string]string{"cite": `[{instrument: old, article: "1"}]`}, "outlives old, which ended 2019-12-31"},
		"dates reversed":                  {map[string]string{"in_force": "{from: 2022-01-01, to: 2021-01-01}"}, "ends 2021-01-01 before it begins 2022-01-01"},
		"no such day":                     {map[string]string{"in_force": "{from: 2022-02-30}"}, "must be a date"},
		"missing language":                {map[string]string{"text": "{en: a, zh: b}"}, `text has no "ru"`},
		"empty language":                  {map[string]string{"text": `{en: a, zh: b, ru: " "}`}, "text is empty in ru"},
		"memory that opens":               {map[string]string{"results": "[{outcome: allow}]", "source": "{status: memory, on: 2026-01-01, ref: m}"}, "opens, and its source is memory"},
		"unknown source status":           {map[string]string{"source": "{status: sure, on: 2026-01-01, ref: m}"}, `status cannot be "sure"`},
		"last result with a condition":    {map[string]string{"results": "[{when: 'copied', outcome: deny}]"}, "the last result of kz.r has a condition"},
		"unreachable result":              {map[string]string{"results": "[{outcome: deny}, {outcome: allow}]"}, "can never be reached"},
		"no results":                      {map[string]string{"results": ""}, "rule kz.r has no results"},
		"undetermined as a result":        {map[string]string{"results": "[{outcome: undetermined}]"}, "is not an outcome that a rule may yield"},
		"obligations beside results":      {map[string]string{"obligations": "[tell]"}, "has obligations beside its results"},
		"a duty with results":             {map[string]string{"kind": "duty"}, "takes no results"},
		"a duty without obligations":      {map[string]string{"kind": "duty", "results": ""}, "has no obligations"},
		"unknown kind":                    {map[string]string{"kind": "dooty"}, `kind cannot be "dooty"; use one of rule, exemption, duty`},
		"unknown side":                    {map[string]string{"side": "exprt"}, `did you mean export?`},
		"an id without its pack":          {map[string]string{"id": "r"}, "does not name its pack"},
		"an id of another pack":           {map[string]string{"id": "cn.r"}, "does not carry its pack's name"},
		"an id that is no name":           {map[string]string{"id": "'kz. r'"}, "is not a name"},
		"the flow's date in a condition":  {map[string]string{"when": `'date > date("2026-01-01")'`}, "a condition may not test it"},
		"unknown key":                     {map[string]string{"text": "&T\n    cites: []"}, `unknown key "cites" in a rule; did you mean cite?`},
		"repeated key":                    {map[string]string{"text": "&T\n    side: import"}, `key "side" occurs twice in a rule (first in line`},
		"anchor":                          {map[string]string{"side": "&x export"}, "an anchor (&x)"},
		"tag":                             {map[string]string{"side": "!!str export"}, "an explicit tag"},
		"results that are no list":        {map[string]string{"results": "deny"}, "results must be a list"},
		"a result that is no mapping":     {map[string]string{"results": "[deny]"}, "a result must be a mapping"},
		"the same obligation twice":       {map[string]string{"results": "[{outcome: deny, obligations: [tell, tell]}]"}, `"tell" occurs twice`},
		"too many results":                {map[string]string{"results": "[" + strings.Repeat("{when: 'copied', outcome: deny}, ", 17) + "{outcome: deny}]"}, "more than 16 results"},
		"within on countries is accepted": {map[string]string{"when": `'onward.within(["KZ"]) && "RUS" in onward'`}, `"RUS" is not a member of onward`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(tree(testHead + oneRule(c.change)))
			if err == nil {
				t.Fatal("it was accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want %q", err, c.want)
			}
			if e := fault(t, err); !strings.HasPrefix(e.Where, "kz/pack.yaml:") || e.Kind != corridor.Invalid {
				t.Errorf("where is %q, kind %s", e.Where, e.Kind)
			}
		})
	}
}

func TestGoodConditionsAreAccepted(t *testing.T) {
	for _, when := range []string{`true`, `false || copied`, `copied == false`, `copied != true`, `hours == none || hours > 3`, `hours != none`,
		`people >= 5 && people <= 9 && people != 7`, `collected < date("2026-01-01")`, `purpose in ["hr", "contract"]`, `purpose != "hr"`,
		`destination in ["KZ", "RU"] || origin == "KZ"`, `destination in list("friends")`, `classes.within(["personal", "open"])`,
		`onward.overlaps(["KZ"]) || onward.within(["RU", "CN"]) || "IR" in onward`, `assessment("kz.assessment").state == "done"`,
		`filing("kz.notice").state in ["filed"] && !use("sensitive")`} {
		if _, err := Load(tree(testHead + oneRule(map[string]string{"when": "'" + when + "'"}))); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
}

func TestErrorsPointAtLineAndColumn(t *testing.T) {
	pack := testHead + oneRule(map[string]string{"when": "|\n      copied &&\n      peple > 3"})
	_, err := Load(tree(pack))
	want := 0
	for i, l := range strings.Split(pack, "\n") {
		if strings.Contains(l, "peple") {
			want = i + 1
		}
	}
	if e := fault(t, err); e.Where != "kz/pack.yaml:"+itoa(want)+":1" {
		t.Errorf("%s, want line %d", e.Where, want)
	}
	_, err = Load(tree(testHead + oneRule(map[string]string{"when": `'copied && peple > 3'`})))
	if e := fault(t, err); !strings.HasSuffix(e.Where, ":22") {
		t.Errorf("the column of the fact inside the condition: %s", e.Where)
	}
	two := oneRule(map[string]string{"when": `'peple > 3 || colected == 3'`, "side": "outward"})
	_, err = Load(tree(testHead + two))
	if n := strings.Count(err.Error(), "\n"); n != 0 {
		t.Errorf("only what can be understood is reported: %v", err)
	}
	_, err = Load(tree(testHead + oneRule(map[string]string{"when": `'peple > 3 || colected == 3'`})))
	if n := strings.Count(err.Error(), "\n"); n != 1 {
		t.Errorf("both facts at once: %v", err)
	}
}

func TestBadPacksAreExplained(t *testing.T) {
	ok := oneRule(nil)
	change := func(from, to string) string {
		if !strings.Contains(testHead, from) {
			t.Fatalf("no %q", from)
		}
		return strings.Replace(testHead, from, to, 1) + ok
	}
	circle := `
conditions:
  a: {when: 'use("b")'}
  b: {when: 'use("a")'}
`
	exemption := func(id, unless, source string) string {
		return "  - {id: " + id + ", kind: exemption, side: export, when: 'copied', unless: [" + unless + "], cite: [{instrument: pdl, article: a}], source: " + source + ", in_force: {from: 2020-01-01}, text: &T}\n"
	}
	memory := "{status: memory, on: 2026-01-01, ref: m}"
	for name, c := range map[string]struct{ pack, want string }{
		"the wrong directory":                {change("pack: kz", "pack: ru"), `pack "ru" lies in the directory "kz"`},
		"the wrong jurisdiction":             {change("jurisdiction: KZ", "jurisdiction: kz"), `did you mean KZ?`},
		"silence from memory that opens":     {change("{outcome: allow, cite: [{instrument: pdl, article: \"16\"}], source: &S", "{outcome: allow, cite: [{instrument: pdl, article: \"16\"}], source: "+memory), "silence on export opens, and its source is memory"},
		"silence on one side only":           {change("  import:", "  imprt:"), `silence has no "import"`},
		"a duty of its own that others have": {change("silence:", "obligations:\n  - {id: keep_it, owner: both, when: after, evidence: &T, text: &T}\nsilence:"), `obligation "keep_it" is declared twice`},
		"treaties of a jurisdiction":         {change("pack: kz", "layer: treaty\npack: kz"), "belongs to no jurisdiction"},
		"a pack of no jurisdiction":          {change("jurisdiction: KZ\n", ""), `the pack has no "jurisdiction"`},
		"a rule of treaties in a state":      {testHead + oneRule(map[string]string{"side": "treaty"}), "stands on a side that this pack does not have"},
		"silence of treaties in a state":     {change("  import: {outcome", "  treaty: {outcome: deny, cite: [{instrument: pdl, article: a}], source: &S, text: &T}\n  import: {outcome"), "which is not a side of this pack"},
		"a deadline from an unknown event":   {change("silence:", "obligations:\n  - {id: lamp, owner: both, when: after, deadline: {days: 1, unit: days, from: efect}, evidence: &T, text: &T}\nsilence:"), "did you mean effect?"},
		"an event declared twice":            {change("silence:", "events: {effect: &T}\nsilence:"), `event "effect" is declared twice`},
		"a member that is no state":          {change("title: &T\nversion", "members: [QQ]\ntitle: &T\nversion"), `member "QQ" is not a country code`},
		"a member twice":                     {change("title: &T\nversion", "members: [RU, RU]\ntitle: &T\nversion"), `member "RU" occurs twice`},
		"a member that is the pack's own":    {change("title: &T\nversion", "members: [KZ]\ntitle: &T\nversion"), `both claim KZ`},
		"a list of unknown codes":            {change("codes: [CN]", "codes: [QQ]"), `"QQ" is not a country code`},
		"a list that repeats a code":         {change("codes: [RU, CN]", "codes: [RU, RU]"), `"RU" occurs twice`},
		"editions that overlap":              {change("from: 2026-01-01, codes", "from: 2025-06-01, codes"), "before the one above it ends"},
		"a record with one state":            {change("[none, done]", "[none]"), "needs 2 to 32 states"},
		"shorthand to no state":              {change("standard_contract: signed", "standard_contract: sined"), `names the unknown state "sined"`},
		"a standstill with no calendar":      {change("calendar: KZ", "calendar: KX"), `unknown calendar "KX"`},
		"a standstill to no state":           {change("then: cleared", "then: clear"), `names the unknown state "clear"`},
		"a standstill of no days":            {change("working_days: 5", "working_days: 0"), "1 to 365 working days"},
		"a standstill on a vehicle":          {change("kz.contract: {", "kz.contract: {standstill: {}, "), `unknown key "standstill" in a vehicle`},
		"conditions in a circle":             {strings.Replace(testHead, "\nconditions:\n  sensitive: {when: 'classes.overlaps([\"health\", \"genetic\"])', text: &T, cite: [{instrument: pdl, article: \"1\"}]}\n", circle, 1) + ok, "refers to itself"},
		"a condition declared twice":         {change("silence:", "  sensitive: {when: 'true'}\nsilence:"), `key "sensitive" occurs twice`},
		"a rule declared twice":              {testHead + ok + strings.TrimPrefix(ok, "rules:\n"), `rule "kz.r" is declared twice`},
		"exemptions in a circle":             {testHead + ok + exemption("kz.a", "kz.b", "&S") + exemption("kz.b", "kz.a", "&S"), "lift each other"},
		"an exemption from memory":           {testHead + oneRule(map[string]string{"unless": "[kz.a]"}) + exemption("kz.a", "", memory), "exemption kz.a opens (it lifts kz.r), and its source is memory"},
		"an exemption of the other side":     {testHead + oneRule(map[string]string{"unless": "[kz.a]"}) + strings.Replace(exemption("kz.a", "", "&S"), "export", "import", 1), "look at different sides"},
		"a document after the pack":          {testHead + ok + "---\na: b\n", "a second YAML document"},
		"broken YAML":                        {testHead + ok + "\t- x", "YAML:"},
		"an empty file":                      {"", "empty"},
		"a comment only":                     {"# nothing", "empty"},
		"a list for a pack":                  {"[]", "must be a mapping"},
		"nesting without end":                {strings.Repeat("[", 40) + strings.Repeat("]", 40), "nested deeper than 24 levels"},
		"nesting without end or close":       {strings.Repeat("[", 100_000), "YAML:"},
		"a file over the limit":              {testHead + ok + strings.Repeat("#", maxFile), "over the limit"},
		"a key that is a list":               {"[a]: b", "must be a word"},
		"a merge key":                        {"<<: {a: b}", "a merge key"},
		"an alias":                           {"pack: *x", "YAML:"},
		"conditions that explode when used":  {strings.Replace(testHead, "silence:", doubling(13)+"silence:", 1) + oneRule(map[string]string{"when": `'use("c13")'`}), "more than 4000 nodes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(tree(c.pack))
			if err == nil {
				t.Fatal("it was accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want %q", err, c.want)
			}
		})
	}
	// An exemption from memory that only restricts is accepted.
	if _, err := Load(tree(testHead + oneRule(map[string]string{"unless": "[kz.a]"}) + exemption("kz.a", "kz.b", "&S") + exemption("kz.b", "", memory))); err != nil {
		t.Error(err)
	}
}

// doubling is n named conditions, each the one before twice.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString("  c0: {when: 'copied'}\n")
	for i := 1; i <= n; i++ {
		c := itoa(i - 1)
		b.WriteString("  c" + itoa(i) + `: {when: 'use("c` + c + `") && !use("c` + c + `")'}` + "\n")
	}
	return b.String()
}

func TestBadSharedFilesAreExplained(t *testing.T) {
	const f = "vocabulary.yaml"
	for name, c := range map[string]struct{ file, from, to, want string }{
		"no question":                    {f, "type: int, min: 0, max: 1000000, question: &Q", "type: int", `fact "people" has no question`},
		"unknown type":                   {f, "type: date", "type: datum", `type cannot be "datum"`},
		"an enum without values":         {f, "type: enum, values: [contract, hr, other], weights: {other: 5}", "type: enum", "has no values"},
		"a bool with values":             {f, "name: copied, type: bool,", "name: copied, type: bool, values: [a],", "takes no values"},
		"a bool with a range":            {f, "name: copied, type: bool,", "name: copied, type: bool, min: 1,", "takes no min or max"},
		"an optional set":                {f, "type: set,", "type: set, optional: true,", "a set cannot be optional"},
		"an optional enum with none":     {f, "type: enum, values: [contract,", "type: enum, optional: true, values: [none,", "also has a member none"},
		"a range without values":         {f, "min: 0, max: 1000000", "min: 5, max: 4", "has no value between"},
		"a derived number":               {f, "name: at_home, type: bool", "name: at_home, type: int", "a derived fact is a bool"},
		"a derived fact without its raw": {f, "name: first_store, type: country", "name: first_shop, type: country", `derived from "first_store"`},
		"unknown derivation":             {f, "derived: first_store_is_origin", "derived: first_store_is_home", "did you mean first_store_is_origin"},
		"a fact declared twice":          {f, "name: hours", "name: people", "declared twice"},
		"a fact with a reserved name":    {f, "name: hours", "name: none", "a word of the condition language"},
		"a fact that is no identifier":   {f, "name: hours", "name: Hours", "cannot name a fact"},
		"origin that is no country":      {f, "name: hours, type: int, min: 0, max: 1000, optional: true", "name: origin, type: bool", "must be a country"},
		"a weight out of range":          {f, "{other: 5}", "{other: -5}", "out of range"},
		"an axiom declared twice":        {f, "id: open_excludes_personal", "id: health_is_personal", "declared twice"},
		"an axiom that cannot close":     {f, `'"open" in classes && "personal" in classes'`, `'"open" in classes && "personal" in classes', close: true`, "cannot close an input"},
		"an axiom over a vehicle":        {f, `"open" in classes &&`, `vehicle("kz.contract").state == "x" &&`, "vocabulary facts only"},
		"an axiom over a list":           {f, `"open" in classes &&`, `origin in list("friends") &&`, "vocabulary facts only"},
		"an axiom over a condition":      {f, `"open" in classes &&`, `use("x") &&`, "may not use a named condition"},
		"axioms that contradict":         {f, `'"open" in classes && "personal" in classes'`, `'true'`, "the axioms contradict each other"},
		"an obligation declared twice":   {"obligations.yaml", "id: hide", "id: keep_it", "declared twice"},
		"a deadline out of range":        {"obligations.yaml", "days: 10", "days: -1", "out of range"},
		"an unknown stage":               {"obligations.yaml", "stage: mask", "stage: masc", "did you mean mask?"},
		"a profile with another key":     {"assumptions.yaml", "first_store: origin", "last_store: origin", "unknown key"},
		"a profile with a fraction":      {"assumptions.yaml", "people: 5", "people: 5.5", "not a whole number"},
		"a calendar without rest":        {"calendars.json", "[5, 6]", "[7]", "is not a weekday"},
		"a calendar of rest":             {"calendars.json", "[5, 6]", "[0,1,2,3,4,5,6]", "every day is a rest day"},
		"a calendar of no year":          {"calendars.json", `"2026"`, `"next"`, "is not a year"},
		"a holiday of another year":      {"calendars.json", `"off": ["2026-03-09"]`, `"off": ["2027-03-09"]`, "off of 2026 names a day of 2027"},
		"a holiday named twice":          {"calendars.json", `"off": ["2026-03-09"]`, `"off": ["2026-03-09", "2026-03-09"]`, "off names 2026-03-09 twice"},
		"an estimate of a working day":   {"calendars.json", `"estimated_dates": []`, `"estimated_dates": ["2026-03-10"]`, "2026-03-10 is estimated, but not off"},
		"a day off that is made up for":  {"calendars.json", `["2026-03-14"]`, `["2026-03-09"]`, "2026-03-09 is off and made up for at once"},
		"a half day that is no date":     {"calendars.json", `"half_days": []`, `"half_days": ["noon"]`, "noon"},
		"working days of no calendar":    {"obligations.yaml", ", calendar: KZ}", "}", `names the unknown calendar ""`},
		"working days of nowhere":        {"obligations.yaml", "calendar: KZ", "calendar: KX", `names the unknown calendar "KX"`},
		"a calendar that nobody counts":  {"obligations.yaml", "unit: working_days", "unit: months", "names a calendar and counts months"},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := tree(testHead + oneRule(nil))
			text := string(fsys[c.file].Data)
			if !strings.Contains(text, expand(c.from)) {
				t.Fatalf("no %q", c.from)
			}
			fsys[c.file] = &fstest.MapFile{Data: []byte(strings.Replace(text, expand(c.from), expand(c.to), 1))}
			_, err := Load(fsys)
			if err == nil {
				t.Fatal("it was accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want %q", err, c.want)
			}
		})
	}
}

func TestADirectoryWithoutPacksIsExplained(t *testing.T) {
	if _, err := Load(fstest.MapFS{}); err == nil || !strings.Contains(err.Error(), "no vocabulary.yaml") {
		t.Error(err)
	}
	fsys := tree(testHead + oneRule(nil))
	fsys["notes/readme.txt"] = &fstest.MapFile{Data: []byte("x")}
	if l := mustLoad(t, fsys); len(l.Packs()) != 1 {
		t.Error("a directory without pack.yaml is no pack")
	}
	delete(fsys, "assumptions.yaml")
	mustLoad(t, fsys)
	fsys["ru/pack.yaml"] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(expand(testHead+oneRule(nil)), "kz", "ru"))}
	if _, err := Load(fsys); err == nil || !strings.Contains(err.Error(), "packs kz and ru both claim KZ") {
		t.Error(err)
	}
}

func TestDigestsNameWhatDecides(t *testing.T) {
	fsys := tree(testHead + oneRule(nil))
	before := mustLoad(t, fsys).Packs()[0].Digest
	fsys["kz/cases.yaml"] = &fstest.MapFile{Data: []byte("[]")}
	if mustLoad(t, fsys).Packs()[0].Digest != before {
		t.Error("cases decide nothing")
	}
	fsys["obligations.yaml"].Data = append(fsys["obligations.yaml"].Data, "# more\n"...)
	if mustLoad(t, fsys).Packs()[0].Digest == before {
		t.Error("another edition of the obligations has the same digest")
	}
}

func TestTheLibraryDescribesItself(t *testing.T) {
	l := richLibrary(t)
	p := l.Packs()[0]
	if p.ID != "kz" || p.Rules != 7 || p.Status[corridor.Memory] != 1 || p.Status[corridor.Secondary] != 1 || len(p.Sides) != 2 || len(p.Digest) != 71 {
		t.Errorf("%+v", p)
	}
	if o, ok := l.Obligation("keep_it"); !ok || o.ID != "keep" || o.Deadline.String() != "10 working days after effect (KZ)" {
		t.Errorf("%+v", o)
	}
	if _, ok := l.Obligation("nothing"); ok {
		t.Error("an unknown obligation is found")
	}
	if v := l.Vocabulary(); len(v) != 11 || v[4].Name != "hours" || !v[4].Optional {
		t.Errorf("%+v", v)
	}
	if ps := l.Profiles(); len(ps) != 2 || ps[1].Name != "usual" {
		t.Errorf("%+v", ps)
	}
	if err := l.Country("Kazakhstan"); fault(t, err).Fix != "did you mean KZ (Kazakhstan)?" {
		t.Error(err)
	}
	d, err := l.Pack("KZ")
	if err != nil || len(d.Rules) != 7 || len(d.Silence) != 2 || len(d.Instruments) != 2 || d.Rules[1].Results[0].When == "" {
		t.Errorf("%+v %v", d, err)
	}
	if _, err := l.Pack("kx"); fault(t, err).Fix != "did you mean kz?" {
		t.Error(err)
	}
}
