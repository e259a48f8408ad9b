package profile

import (
	"testing"
	"time"

	"corridor"
)

func TestTheKitsLawLimitsNothing(t *testing.T) {
	l, err := Law()
	if err != nil {
		t.Fatal(err)
	}
	flow := corridor.Flow{Date: corridor.DateOf(time.Now()), Origin: NodeCountry, Destination: KitCountry, Facts: corridor.Facts{"purpose": Purpose}}
	for _, side := range []corridor.Side{corridor.Export, corridor.Import} {
		if d, err := l.DecideSide(flow, side); err != nil || d.Outcome != corridor.Allow {
			t.Errorf("%s: %s %v %v", side, d.Outcome, d.Notes, err)
		}
	}
}
