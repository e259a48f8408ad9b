package law

import (
	"testing"

	"corridor"
)

func TestEveryCellIsTheVerdictOnItsPair(t *testing.T) {
	l := treatyLibrary(t)
	f := flow(t, `classes: [personal], people: 2000, purpose: hr`)
	m, err := l.Matrix(f, []string{"KZ", "RU"}, []string{"KZ", "CN"})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Rows) != 2 || len(m.Rows[0]) != 2 || !m.Rows[0][0].Home || m.Rows[0][0].Sides == nil {
		t.Fatalf("%+v", m.Rows)
	}
	f.Origin, f.Destination = "KZ", "CN"
	v, err := l.Decide(f)
	if err != nil {
		t.Fatal(err)
	}
	c := m.Rows[0][1]
	if c.Outcome != v.Outcome || c.From != "KZ" || c.To != "CN" || len(c.Sides) != 3 {
		t.Errorf("%+v, want %s", c, v.Outcome)
	}
	if c.Best != corridor.NeedsApproval || c.Worst != corridor.Deny {
		t.Errorf("China has no pack here: between %s and %s", c.Best, c.Worst)
	}
	if r := c.Sides[0].Reasons; len(r) != 1 || r[0].Rule != "kz.many" || r[0].Citations[0].Article != "8" {
		t.Errorf("%+v", r)
	}
	if _, err := l.Matrix(corridor.Flow{Date: f.Date, Facts: corridor.Facts{"clases": 1}}, nil, []string{"RU"}); fault(t, err).Fix != "did you mean classes?" {
		t.Error(err)
	}
}

func TestAUnionStandsForItsMembers(t *testing.T) {
	l := headed(t, "members: [XA, XB]\n")
	m, err := l.Matrix(flow(t, `classes: [secret]`), nil, []string{"CN"})
	if err != nil || len(m.From) != 1 || m.From[0] != "KZ" || m.Rows[0][0].Sides[0].Jurisdiction != "XA" {
		t.Fatalf("%+v %v", m, err)
	}
}

func TestNothingInPlaceIsAFirstStateOfEveryRecord(t *testing.T) {
	files := tree(testHead + rich)
	files["assumptions.yaml"].Data = []byte(expand(testAssumptions + "  nothing: {text: &T, facts: {copied: true, vehicles: {kz.contract: signed}}, records: none}\n"))
	l := mustLoad(t, files)
	f := flow(t, `classes: [personal], people: 2000, filings: {kz.notice: cleared}, purpose: other, first_store: KZ, hours: null`)
	f.Assume = "nothing"
	d := export(t, l, f)
	if d.Outcome != corridor.AllowWithObligations {
		t.Error(line(d))
	}
	want := []string{"copied = true", "vehicles.kz.contract = signed"}
	for _, w := range want {
		found := false
		for _, have := range d.Assumed {
			found = found || have == w
			if have == "vehicles.kz.contract = none" || have == "filings.kz.notice = none" {
				t.Errorf("what is given or assumed before is not assumed away: %q", have)
			}
		}
		if !found {
			t.Errorf("%q is missing in %q", w, d.Assumed)
		}
	}
}
