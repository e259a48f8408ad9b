package law

import (
	"slices"
	"strings"
	"testing"

	"corridor"
)

// TestADayFarAheadIsSaidToBeOne: what a pack knows is known on a day, and a
// flow long after it gets the law of now with a caveat.
func TestADayFarAheadIsSaidToBeOne(t *testing.T) {
	l := shipped(t)
	cn := l.byJurisdiction["CN"]
	for _, c := range []struct {
		day  corridor.Date
		want bool
	}{{cn.farAhead(), false}, {cn.farAhead() + 1, true}, {date(t, "2040-01-01"), true}} {
		f := crossing(t, "CN", "KZ", manyPeople)
		f.Date = c.day
		d, err := l.DecideSide(f, corridor.Export)
		if err != nil {
			t.Fatal(err)
		}
		said := slices.ContainsFunc(d.Notes, func(n string) bool {
			return strings.Contains(n, "pack cn knows the law as it was seen up to "+cn.known.String())
		})
		if said != c.want {
			t.Errorf("%s: %v", c.day, d.Notes)
		}
		for _, n := range d.Notes {
			if zh := NoteIn(n, "zh"); zh == n {
				t.Errorf("not said in Chinese: %s", n)
			}
		}
	}
}

func TestMistakesAreNamedTogether(t *testing.T) {
	l := shipped(t)
	f := crossing(t, "C1", "QQ", `data_clases: [personal], subjects_ytd: many, purpose: marketing`)
	_, err := l.Decide(f)
	if corridor.KindOf(err) != corridor.Invalid {
		t.Fatal(err)
	}
	for _, part := range []string{`"C1"`, `"QQ"`, "did you mean data_classes", "fact subjects_ytd"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s is not named in:\n%v", part, err)
		}
	}
}
