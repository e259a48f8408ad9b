package exchange

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/dsp"
)

// The ODRL Test Suite (SolidLabResearch/ODRL-Test-Suite, imec, MIT) has 68
// cases: a policy, a request, a state of the world, and the report that an
// evaluator should give. Here are those that have a meaning in this protocol,
// by their numbers, written in the form of DSP 2025-1: a rule's assignee is a
// constraint on the recipient, a party collection is the list of its members,
// and the action of the request, use or read, is the one thing that a dataset
// is obtained for here: use.
//
// The others are refused or cannot be written, and the list of them says why;
// none is passed over in silence.

type suiteCase struct {
	number    int
	policy    string
	recipient string
	at        string
	admitted  bool
}

const (
	then   = "2024-02-12T11:20:10.999Z"
	past   = "2017-02-12T11:20:10.999Z"
	future = "2025-02-12T11:20:10.999Z"
)

func only(constraints ...string) string {
	return `{"@id":"x","permission":[{"action":"use","constraint":[` + strings.Join(constraints, ",") + `]}]}`
}

func is(left, op string, right any) string {
	raw, err := json.Marshal(map[string]any{"leftOperand": left, "operator": op, "rightOperand": right})
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// office is the big policy of cases 62 to 64: from nine to five on the
// weekdays of 2024.
func office() string {
	var days []string
	for d := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() == 2024; d = d.AddDate(0, 0, 1) {
		if d.Weekday() != time.Saturday && d.Weekday() != time.Sunday {
			days = append(days, `{"and":[`+is("dateTime", "gt", d.Add(9*time.Hour).Format(time.RFC3339))+`,`+is("dateTime", "lt", d.Add(17*time.Hour).Format(time.RFC3339))+`]}`)
		}
	}
	return only(is("recipient", "eq", "alice"), `{"or":[`+strings.Join(days, ",")+`]}`)
}

func suite() []suiteCase {
	alice, both := is("recipient", "eq", "alice"), is("recipient", "isAnyOf", []string{"alice"})
	forbidden := func(constraints ...string) string {
		return `{"@id":"x","permission":[{"action":"use"}],"prohibition":[{"action":"use","constraint":[` + strings.Join(constraints, ",") + `]}]}`
	}
	year := `{"and":[` + is("dateTime", "gt", "2024-01-01T00:00:00Z") + `,` + is("dateTime", "lt", "2024-12-31T23:59:59Z") + `]}`
	list := []suiteCase{
		{7, only(), "alice", then, true}, {8, only(), "bob", then, true},
		{15, only(alice), "alice", then, true}, {16, only(alice), "bob", then, false},
		{18, forbidden(is("recipient", "eq", "bob")), "alice", then, true}, {19, forbidden(is("recipient", "eq", "bob")), "bob", then, false},
		{21, only(alice), "alice", then, true}, {25, only(alice), "bob", then, false}, {26, only(alice), "alice", then, true},
		{51, only(both), "alice", then, true}, {52, only(both), "bob", then, false},
		{48, only(alice, year), "alice", then, true}, {49, only(alice, year), "alice", past, false}, {50, only(alice, year), "alice", future, false},
		{62, office(), "alice", then, true}, {63, office(), "alice", "2024-02-12T05:20:10.999Z", false}, {64, office(), "alice", past, false},
	}
	for i, c := range []struct {
		op  string
		now [3]string
		out [3]bool
	}{
		{"eq", [3]string{then, past, future}, [3]bool{true, false, false}},
		{"neq", [3]string{then, past, future}, [3]bool{false, true, true}},
		{"lt", [3]string{future, past, future}, [3]bool{false, true, false}}, // case 36 asks of the future, as 38 does
		{"lteq", [3]string{then, past, future}, [3]bool{true, true, false}},
		{"gt", [3]string{then, past, future}, [3]bool{false, false, true}},
		{"gteq", [3]string{then, past, future}, [3]bool{true, false, true}},
	} {
		for k := range c.now {
			list = append(list, suiteCase{30 + 3*i + k, only(alice, is("dateTime", c.op, then)), "alice", c.now[k], c.out[k]})
		}
	}
	return list
}

func TestThePublicODRLTestSuite(t *testing.T) {
	done := map[int]bool{}
	for _, c := range suite() {
		if done[c.number] {
			t.Errorf("case %03d stands here twice", c.number)
		}
		done[c.number] = true
		var p dsp.Policy
		if err := json.Unmarshal([]byte(c.policy), &p); err != nil {
			t.Fatal(err)
		}
		terms, err := readTerms(p)
		if err != nil {
			t.Errorf("case %03d: %v", c.number, err)
			continue
		}
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = terms.admit(use{recipient: corridor.Participant{DID: c.recipient}, at: at}); (err == nil) != c.admitted {
			t.Errorf("case %03d: admitted %v, and the suite expects %v: %v", c.number, err == nil, c.admitted, err)
		}
	}
	// Refused by name, as the profile demands.
	for what, c := range map[string]struct {
		cases  []int
		policy string
		word   string
	}{
		"a policy that only prohibits permits nothing": {[]int{11, 12, 13, 14, 20}, `{"@id":"x","prohibition":[{"action":"use"}]}`, "no permission"},
		"a duty to compensate":                         {[]int{59, 60, 61, 65, 66, 67, 68}, `{"@id":"x","permission":[{"action":"use","duty":[{"action":"compensate"}]}]}`, "compensate"},
	} {
		var p dsp.Policy
		if err := json.Unmarshal([]byte(c.policy), &p); err != nil {
			t.Fatal(err)
		}
		if _, err := readTerms(p); corridor.KindOf(err) != corridor.Invalid || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: %v", what, err)
		}
		for _, n := range c.cases {
			done[n] = true
		}
	}
	// Not written in this protocol.
	for why, cases := range map[string][]int{
		"a rule without an action is no rule in DSP 2025-1":                               {1, 2, 3, 4, 5, 6},
		"nothing is asked for here but use: there is no request to write or to sell":      {9, 10, 17, 22, 24, 27, 29},
		"the target stands on the policy, and what is asked for is the dataset it is for": {23, 28, 53, 54, 55, 56, 57, 58},
	} {
		for _, n := range cases {
			if done[n] {
				t.Errorf("case %03d is counted twice: %s", n, why)
			}
			done[n] = true
		}
	}
	for n := 1; n <= 68; n++ {
		if !done[n] {
			t.Errorf("case %03d is not accounted for", n)
		}
	}
	t.Logf("%d of 68 cases apply", len(suite()))
}
