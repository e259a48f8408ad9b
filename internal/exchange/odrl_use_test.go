package exchange

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"corridor"
	"corridor/internal/dsp"
)

func termsOf(t testing.TB, text string) terms {
	t.Helper()
	var p dsp.Policy
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	got, err := readTerms(p)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return got
}

func TestAPolicyAsksForFacts(t *testing.T) {
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	deletion := func(constraint string) string {
		return `{"@id":"x","permission":[{"action":"use","duty":[{"action":"delete","constraint":[` + constraint + `]}]}]}`
	}
	noOnward := `{"@id":"x","permission":[{"action":"use"}],"prohibition":[{"action":"distribute"}]}`
	outside := `{"@id":"x","permission":[{"action":"use"}],"prohibition":[{"action":"distribute","constraint":[` + is("spatial", "isNoneOf", []string{"KZ", "KG"}) + `]}]}`
	for _, c := range []struct {
		name, policy string
		facts        corridor.Facts
		where        string // of the refusal; empty: admitted
		fix          string
	}{
		{"the class of recipient", only(is("corridor:recipientType", "eq", "state_body")), corridor.Facts{"recipient_type": "state_body"}, "", ""},
		{"another class", only(is("corridor:recipientType", "isAnyOf", []string{"state_body", "intl_org"})), corridor.Facts{"recipient_type": "private"}, "corridor:recipientType", ""},
		{"a class that is not known", only(is("corridor:recipientType", "eq", "state_body")), corridor.Facts{}, "corridor:recipientType", "state recipient_type"},
		{"a class that is one of two, both admitted", only(is("corridor:recipientType", "isNoneOf", []string{"foreign_authority"})), corridor.Facts{"recipient_type": map[string]any{"one_of": []any{"private", "group_affiliate"}}}, "", ""},
		{"a class that is one of two, one of them not admitted", only(is("corridor:recipientType", "neq", "private")), corridor.Facts{"recipient_type": map[string]any{"one_of": []any{"private", "group_affiliate"}}}, "corridor:recipientType", "state recipient_type"},
		{"de-identified data", only(is("corridor:deidentification", "isAnyOf", []string{"pseudonymised", "anonymised"})), corridor.Facts{"deid": "pseudonymised"}, "", ""},
		{"data that is not", only(is("corridor:deidentification", "eq", "anonymised")), corridor.Facts{"deid": "none"}, "corridor:deidentification", ""},
		{"kept in the state", only(is("corridor:storagePlace", "eq", "KZ")), corridor.Facts{"storage_states": []any{"KZ"}}, "", ""},
		{"kept in the state and elsewhere", only(is("corridor:storagePlace", "eq", "KZ")), corridor.Facts{"storage_states": []any{"KZ", "DE"}}, "corridor:storagePlace", ""},
		{"kept in no forbidden state", only(is("corridor:storagePlace", "isNoneOf", []string{"DE", "FR"})), corridor.Facts{"storage_states": []any{"KZ"}}, "", ""},
		{"kept at least in a forbidden state", only(is("corridor:storagePlace", "isNoneOf", []string{"DE"})), corridor.Facts{"storage_states": map[string]any{"has": []any{"DE"}}}, "corridor:storagePlace", ""},
		{"kept nobody says where", only(is("corridor:storagePlace", "neq", "DE")), corridor.Facts{}, "corridor:storagePlace", "state storage_states"},
		{"kept nowhere is not an answer", only(is("corridor:storagePlace", "neq", "DE")), corridor.Facts{"storage_states": []any{}}, "corridor:storagePlace", "state storage_states"},

		{"not passed on", noOnward, corridor.Facts{"onward": "none"}, "", ""},
		{"passed on", noOnward, corridor.Facts{"onward": "same_state"}, "distribute", "onward"},
		{"passed on, perhaps", noOnward, corridor.Facts{}, "distribute", "onward"},
		{"passed on within the states", outside, corridor.Facts{"onward": "third_state", "onward_states": []any{"KG"}}, "", ""},
		{"passed on beyond them", outside, corridor.Facts{"onward": "third_state", "onward_states": []any{"KG", "DE"}}, "distribute", "onward"},
		{"passed on somewhere", outside, corridor.Facts{"onward": "third_state"}, "distribute", "onward_states"},
		{"passed on in its own state", outside, corridor.Facts{"onward": "same_state"}, "", ""},

		{"deleted in time", deletion(is("elapsedTime", "lteq", "P30D")), corridor.Facts{"foreign_retention_h": 720}, "", ""},
		{"deleted too late", deletion(is("elapsedTime", "lteq", "P30D")), corridor.Facts{"foreign_retention_h": 721}, "delete", ""},
		{"never deleted", deletion(is("elapsedTime", "lteq", "P30D")), corridor.Facts{"foreign_retention_h": nil}, "delete", ""},
		{"deleted some time", deletion(is("elapsedTime", "lteq", "P30D")), corridor.Facts{}, "delete", "state foreign_retention_h"},
		{"deleted before a day", deletion(is("dateTime", "lteq", "2026-11-30")), corridor.Facts{"foreign_retention_h": 24}, "", ""},
		{"deleted after it", deletion(is("dateTime", "lteq", "2026-11-30")), corridor.Facts{"foreign_retention_h": 24 * 7}, "delete", ""},
		{"the earlier of two", deletion(is("elapsedTime", "lteq", "P2W") + "," + is("elapsedTime", "lteq", "PT12H")), corridor.Facts{"foreign_retention_h": 13}, "delete", ""},

		{"one of two ways", only(`{"or":[` + is("corridor:deidentification", "eq", "anonymised") + `,` + is("spatial", "eq", "KZ") + `]}`), corridor.Facts{"deid": "none"}, "", ""},
		{"neither of two ways", only(`{"or":[` + is("corridor:deidentification", "eq", "anonymised") + `,` + is("spatial", "eq", "DE") + `]}`), corridor.Facts{"deid": "none"}, "or", ""},
		{"perhaps one of two ways", only(`{"or":[` + is("corridor:deidentification", "eq", "anonymised") + `,` + is("spatial", "eq", "DE") + `]}`), corridor.Facts{}, "or", ""},
		{"exactly one", only(`{"xone":[` + is("spatial", "eq", "KZ") + `,` + is("purpose", "eq", "marketing") + `]}`), nil, "", ""},
		{"both, where one is asked for", only(`{"xone":[` + is("spatial", "eq", "KZ") + `,` + is("purpose", "eq", "hr") + `]}`), nil, "xone", ""},
		{"a prohibited use", `{"@id":"x","permission":[{"action":"use"}],"prohibition":[{"action":"use","constraint":[` + is("purpose", "eq", "hr") + `,` + is("spatial", "eq", "KZ") + `]}]}`, nil, "prohibition[0]", ""},
		{"a use beside a prohibited one", `{"@id":"x","permission":[{"action":"use"}],"prohibition":[{"action":"use","constraint":[` + is("purpose", "eq", "hr") + `,` + is("spatial", "eq", "DE") + `]}]}`, nil, "", ""},
		{"a use that may be prohibited", `{"@id":"x","permission":[{"action":"use"}],"prohibition":[{"action":"use","constraint":[` + is("corridor:deidentification", "eq", "none") + `]}]}`, nil, "prohibition[0]", ""},
		{"the second permission", `{"@id":"x","permission":[{"action":"use","constraint":[` + is("purpose", "eq", "marketing") + `]},{"action":"use","constraint":[` + is("purpose", "eq", "hr") + `]}]}`, nil, "", ""},
		{"no permission of two", `{"@id":"x","permission":[{"action":"use","constraint":[` + is("purpose", "eq", "marketing") + `]},{"action":"use","constraint":[` + is("purpose", "eq", "research") + `]}]}`, nil, "permission", ""},
		{"a duty of the policy", `{"@id":"x","permission":[{"action":"use"}],"obligation":[{"action":"delete","constraint":[` + is("elapsedTime", "lteq", "P1D") + `]}]}`, corridor.Facts{"foreign_retention_h": 48}, "delete", ""},
	} {
		_, err := termsOf(t, c.policy).admit(use{purpose: "hr", recipient: corridor.Participant{DID: "did:web:kz.example", Jurisdiction: "KZ"}, facts: c.facts, at: noon})
		var e *corridor.Error
		if (c.where == "") != (err == nil) || err != nil && (!errors.As(err, &e) || e.Where != c.where || !strings.Contains(e.Fix, c.fix)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestWhatTheProfileDoesNotKnowIsRefusedByName(t *testing.T) {
	or := func(c string) string { return only(`{"or":[` + c + `]}`) }
	ban := func(rule string) string {
		return `{"@id":"x","permission":[{"action":"use"}],"prohibition":[` + rule + `]}`
	}
	duty := func(constraint string) string {
		return `{"@id":"x","permission":[{"action":"use","duty":[{"action":"delete","constraint":[` + constraint + `]}]}]}`
	}
	for name, c := range map[string]struct{ policy, word string }{
		"a sequence":                            {only(`{"andSequence":[` + is("purpose", "eq", "hr") + `]}`), "andSequence"},
		"a count as an alternative":             {or(is("count", "lteq", "3")), "count"},
		"a count in a prohibition":              {ban(`{"action":"use","constraint":[` + is("count", "gt", "3") + `]}`), "count"},
		"a class of recipient":                  {only(is("corridor:recipientType", "eq", "friend")), "friend"},
		"a state by its name":                   {only(is("corridor:storagePlace", "eq", "Kazakhstan")), "Kazakhstan"},
		"an order of de-identification":         {only(is("corridor:deidentification", "gteq", "pseudonymised")), "gteq"},
		"a prohibition of everything":           {ban(`{"action":"use"}`), "every use"},
		"a prohibition with a duty":             {ban(`{"action":"distribute","duty":[{"action":"inform"}]}`), "inform"},
		"a prohibition to distribute at times":  {ban(`{"action":"distribute","constraint":[` + is("dateTime", "lt", "2026-01-01") + `]}`), "dateTime"},
		"a prohibition to distribute by groups": {ban(`{"action":"distribute","constraint":[{"or":[` + is("spatial", "eq", "DE") + `]}]}`), "or"},
		"a month":                               {duty(is("elapsedTime", "lteq", "P1M")), "P1M"},
		"no time at all":                        {duty(is("elapsedTime", "lteq", "P")), "P"},
		"eleven years":                          {duty(is("elapsedTime", "lteq", "P4100D")), "P4100D"},
		"deletion not before":                   {duty(is("elapsedTime", "gteq", "P1D")), "elapsedTime"},
		"deletion some time":                    {duty(``), "delete without a time"},
		"a duty of the policy":                  {`{"@id":"x","permission":[{"action":"use"}],"obligation":[{"action":"inform"}]}`, "inform"},
		"nesting":                               {only(strings.Repeat(`{"and":[`, 12) + is("purpose", "eq", "hr") + strings.Repeat(`]}`, 12)), "nesting"},
	} {
		var p dsp.Policy
		if err := json.Unmarshal([]byte(c.policy), &p); err != nil {
			t.Fatal(name, err)
		}
		_, err := readTerms(p)
		if corridor.KindOf(err) != corridor.Invalid || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
	many := make([]dsp.Constraint, maxTermsNodes+1)
	for i := range many {
		many[i] = dsp.Compare("purpose", dsp.Eq, "hr")
	}
	if _, err := readTerms(dsp.Policy{ID: "x", Permission: []dsp.Rule{{Action: "use", Constraint: many}}}); corridor.KindOf(err) != corridor.Invalid {
		t.Errorf("too many constraints: %v", err)
	}
}

func TestTheFactsThatAPolicyPromises(t *testing.T) {
	for name, c := range map[string]struct {
		policy string
		want   corridor.Facts
	}{
		"nothing":                        {only(is("purpose", "eq", "hr")), corridor.Facts{}},
		"not to pass the data on":        {`{"@id":"x","permission":[{"action":"use"}],"prohibition":[{"action":"distribute"}]}`, corridor.Facts{"onward": "none"}},
		"some states are not all":        {`{"@id":"x","permission":[{"action":"use"}],"prohibition":[{"action":"distribute","constraint":[` + is("spatial", "neq", "KZ") + `]}]}`, corridor.Facts{}},
		"to keep it in a state":          {only(is("corridor:storagePlace", "eq", "KZ")), corridor.Facts{"storage_states": []any{"KZ"}}},
		"one of two states is not one":   {only(is("corridor:storagePlace", "isAnyOf", []string{"KZ", "UZ"})), corridor.Facts{}},
		"an alternative promises none":   {only(`{"or":[` + is("corridor:storagePlace", "eq", "KZ") + `]}`), corridor.Facts{}},
		"to delete it":                   {`{"@id":"x","permission":[{"action":"use","duty":[{"action":"delete","constraint":[` + is("elapsedTime", "lteq", "P2D") + `]}]}]}`, corridor.Facts{"foreign_retention_h": int64(48)}},
		"two permissions promise none":   {`{"@id":"x","permission":[{"action":"use","constraint":[` + is("corridor:storagePlace", "eq", "KZ") + `]},{"action":"use"}]}`, corridor.Facts{}},
		"what is excluded promises none": {only(is("corridor:onward", "neq", "third_state")), corridor.Facts{}},
	} {
		if diff := cmp.Diff(c.want, termsOf(t, c.policy).implies()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	stated := corridor.Facts{"onward": "same_state"}
	got := promised(stated, termsOf(t, `{"@id":"x","permission":[{"action":"use"}],"prohibition":[{"action":"distribute"}]}`))
	if got["onward"] != "same_state" {
		t.Errorf("what the importer states is taken back: %v", got)
	}
}

func TestTheTimeInWhichAPolicyAdmitsAUse(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	day := func(s string) time.Time {
		d, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for name, c := range map[string]struct{ policy, from, until string }{
		"open":                 {only(), "", ""},
		"until a day":          {only(is("dateTime", "lteq", "2026-12-31")), "", "2027-01-01T00:00:00Z"},
		"from an instant":      {only(is("dateTime", "gteq", "2026-11-01T08:00:00Z")), "2026-11-01T08:00:00Z", ""},
		"around a gap":         {only(is("dateTime", "neq", "2026-11-30")), "", "2026-11-30T00:00:00Z"},
		"one of two months":    {only(`{"or":[{"and":[` + is("dateTime", "gteq", "2026-11-01") + `,` + is("dateTime", "lt", "2026-12-01") + `]},{"and":[` + is("dateTime", "gteq", "2027-03-01") + `,` + is("dateTime", "lt", "2027-04-01") + `]}]}`), "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"},
		"two months that meet": {only(`{"or":[{"and":[` + is("dateTime", "gteq", "2026-11-01") + `,` + is("dateTime", "lt", "2026-12-01") + `]},{"and":[` + is("dateTime", "gteq", "2026-12-01") + `,` + is("dateTime", "lt", "2027-01-01") + `]}]}`), "2026-11-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		"until a prohibition":  {`{"@id":"x","permission":[{"action":"use"}],"prohibition":[{"action":"use","constraint":[` + is("dateTime", "gt", "2026-12-24") + `]}]}`, "", "2026-12-25T00:00:00Z"},
		"another way's time":   {only(`{"or":[` + is("spatial", "eq", "KZ") + `,` + is("dateTime", "lt", "2026-12-01") + `]}`), "", ""},
	} {
		terms := termsOf(t, c.policy)
		u := use{recipient: corridor.Participant{Jurisdiction: "KZ"}, at: at}
		i, err := terms.admit(u)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		from, until := terms.window(u, i)
		if c.from == "" != from.IsZero() || c.from != "" && !from.Equal(day(c.from)) || c.until == "" != until.IsZero() || c.until != "" && !until.Equal(day(c.until)) {
			t.Errorf("%s: from %s until %s", name, from, until)
		}
	}
}

// What is not known never admits what some answer would refuse, and what the
// catalogue hides is never admitted, whatever becomes known.
func TestAnUnknownFactNeverAdmits(t *testing.T) {
	facts := map[string][]any{
		"recipient_type": {"private", "state_body"}, "deid": {"none", "anonymised"}, "onward": {"none", "same_state", "third_state"},
		"storage_states": {[]any{"KZ"}, []any{"DE"}, []any{"DE", "KZ"}}, "foreign_retention_h": {1, 100, nil},
	}
	names := []string{"recipient_type", "deid", "onward", "storage_states", "onward_states", "foreign_retention_h"}
	atom := func(t *rapid.T) string {
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			return is("corridor:recipientType", rapid.SampledFrom([]string{"eq", "neq"}).Draw(t, "op"), "private")
		case 1:
			return is("corridor:deidentification", rapid.SampledFrom([]string{"eq", "neq"}).Draw(t, "op"), "anonymised")
		case 2:
			return is("corridor:storagePlace", rapid.SampledFrom([]string{"isAnyOf", "isNoneOf"}).Draw(t, "op"), []string{rapid.SampledFrom([]string{"KZ", "DE"}).Draw(t, "state")})
		case 3:
			return is("corridor:onward", rapid.SampledFrom([]string{"eq", "neq"}).Draw(t, "op"), "none")
		}
		return is("dateTime", rapid.SampledFrom([]string{"lt", "gteq"}).Draw(t, "op"), "2026-11-24")
	}
	var group func(t *rapid.T, depth int) string
	group = func(t *rapid.T, depth int) string {
		if depth == 0 || rapid.Bool().Draw(t, "leaf") {
			return atom(t)
		}
		var parts []string
		for range rapid.IntRange(1, 3).Draw(t, "n") {
			parts = append(parts, group(t, depth-1))
		}
		return fmt.Sprintf(`{%q:[%s]}`, rapid.SampledFrom([]string{"and", "or", "xone"}).Draw(t, "op"), strings.Join(parts, ","))
	}
	rapid.Check(t, func(t *rapid.T) {
		var rules []string
		for range rapid.IntRange(1, 2).Draw(t, "permissions") {
			duty := rapid.SampledFrom([]string{"", `,"duty":[{"action":"delete","constraint":[` + is("elapsedTime", "lteq", "P1D") + `]}]`}).Draw(t, "duty")
			rules = append(rules, `{"action":"use","constraint":[`+group(t, 2)+`]`+duty+`}`)
		}
		ban := rapid.SampledFrom([]string{"", `{"action":"distribute"}`, `{"action":"distribute","constraint":[` + is("spatial", "neq", "KZ") + `]}`, `{"action":"distribute","constraint":[` + is("spatial", "eq", "DE") + `]}`, `{"action":"use","constraint":[` + group(t, 1) + `]}`}).Draw(t, "ban")
		var p dsp.Policy
		if err := json.Unmarshal([]byte(`{"@id":"x","permission":[`+strings.Join(rules, ",")+`],"prohibition":[`+ban+`]}`), &p); err != nil {
			t.Fatal(err)
		}
		terms, err := readTerms(p)
		if err != nil {
			t.Fatal(err)
		}
		full, part := corridor.Facts{}, corridor.Facts{}
		facts["onward_states"] = []any{[]any{}} // where it goes follows what is said of it
		for _, name := range names {
			full[name] = rapid.SampledFrom(facts[name]).Draw(t, name)
			switch full["onward"] {
			case "same_state":
				facts["onward_states"] = []any{[]any{"KZ"}}
			case "third_state":
				facts["onward_states"] = []any{[]any{"DE"}, []any{"KZ", "DE"}, []any{"KG"}}
			}
			if rapid.Bool().Draw(t, "known "+name) {
				part[name] = full[name]
			}
		}
		u := use{purpose: "hr", recipient: corridor.Participant{Jurisdiction: "KZ"}, at: time.Date(2026, 11, rapid.IntRange(23, 25).Draw(t, "day"), 9, 0, 0, 0, time.UTC)}
		u.facts = full
		_, all := terms.admit(u)
		u.facts = part
		_, some := terms.admit(u)
		if some == nil && all != nil {
			t.Fatalf("admitted with %v, refused with %v: %v", part, full, all)
		}
		if never := terms.never(u); never != nil && all == nil {
			t.Fatalf("hidden with %v (%v), admitted with %v", part, never, full)
		}
	})
}

// The last bytes of a stream, or a clock that was put forward, may be past the
// end of the permission under which the data was asked for.
func TestACopyThatArrivesLateStillHasItsTerm(t *testing.T) {
	var p dsp.Policy
	text := `{"@id":"x","permission":[{"action":"use","constraint":[` + is("dateTime", "lteq", "2026-11-24") + `],"duty":[{"action":"delete","constraint":[` + is("elapsedTime", "lteq", "PT12H") + `]}]}]}`
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	late := time.Date(2026, 11, 25, 0, 0, 1, 0, time.UTC)
	due, err := (&Service{}).deleteBy(&Negotiation{Offer: dsp.Offer{Policy: p}}, late)
	if err != nil || !due.Equal(late.Add(12*time.Hour)) {
		t.Errorf("to be deleted by %v, %v", due, err)
	}
}

func TestTwoAgreementsShareNoFolder(t *testing.T) {
	if got := folderName("urn:uuid:0b1e"); got != "0b1e" {
		t.Errorf("of a UUID: %s", got)
	}
	long := strings.Repeat("a", 150)
	seen := map[string]string{}
	for _, id := range []string{"", "urn:uuid:", "..", "...", "a/b", "a:b", "a_b", "../a_b", "合同", "договор", long + "1", long + "2"} {
		name := folderName(id)
		if before, twice := seen[name]; twice || name == "" || strings.HasPrefix(name, ".") || strings.ContainsAny(name, `/\`) || len(name) > 200 {
			t.Errorf("%q and %q are both in %q", id, before, name)
		}
		seen[name] = id
	}
}

func TestTheLogClaimsOnlyTheDeletionOfTheFileItself(t *testing.T) {
	for name, c := range map[string]struct {
		make func(path, elsewhere string) error
		says string
	}{
		"the file":                   {func(path, _ string) error { return os.WriteFile(path, []byte("x"), 0o600) }, ""},
		"nothing":                    {func(string, string) error { return nil }, "not there any more"},
		"a link to where it went":    {func(path, elsewhere string) error { return os.Symlink(elsewhere, path) }, "where the file went is not known"},
		"a link that leads nowhere":  {func(path, _ string) error { return os.Symlink(path+"x", path) }, "where the file went is not known"},
		"a directory under its name": {func(path, _ string) error { return os.Mkdir(path, 0o700) }, "where the file went is not known"},
	} {
		dir := t.TempDir()
		path, elsewhere := filepath.Join(dir, "copy"), filepath.Join(dir, "elsewhere")
		if err := errors.Join(os.WriteFile(elsewhere, []byte("x"), 0o600), c.make(path, elsewhere)); err != nil {
			t.Fatal(err)
		}
		reason, err := removeCopy(path)
		if err != nil || !strings.Contains(reason, c.says) || c.says == "" && reason != "" {
			t.Errorf("%s: %q, %v", name, reason, err)
		}
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s: still there", name)
		}
		if _, err := os.Stat(elsewhere); err != nil {
			t.Errorf("%s: another file was deleted: %v", name, err)
		}
	}
}
