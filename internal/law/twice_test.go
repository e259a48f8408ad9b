package law_test

import (
	"strings"
	"testing"

	"corridor"
)

// TestARecordThatIsSaidTwiceMustAgree: a record may be written in two ways, as
// filings: {x: state} and as filings.x. Which of them the engine reads last
// must never decide whether a banned transfer goes ahead.
func TestARecordThatIsSaidTwiceMustAgree(t *testing.T) {
	l := library(t)
	for name, c := range map[string]struct {
		facts corridor.Facts
		want  string
	}{
		"banned and cleared":  {corridor.Facts{"filings": map[string]any{"ru.rkn_notice": "banned"}, "filings.ru.rkn_notice": "cleared"}, "not the same"},
		"cleared and banned":  {corridor.Facts{"filings": map[string]any{"ru.rkn_notice": "cleared"}, "filings.ru.rkn_notice": "banned"}, "not the same"},
		"dotted twice":        {corridor.Facts{"filings.ru.rkn_notice": "banned", "filings.ru.rkn_notice.state": "cleared"}, "not the same"},
		"two days":            {corridor.Facts{"filings": map[string]any{"ru.rkn_notice": map[string]any{"state": "filed", "filed_on": "2026-11-20"}}, "filings.ru.rkn_notice.filed_on": "2026-01-20"}, "two days"},
		"the same twice":      {corridor.Facts{"filings": map[string]any{"ru.rkn_notice": "banned"}, "filings.ru.rkn_notice": "banned"}, "deny"},
		"narrowed by another": {corridor.Facts{"filings": map[string]any{"ru.rkn_notice": map[string]any{"state": map[string]any{"one_of": []any{"banned", "cleared"}}}}, "filings.ru.rkn_notice.state": "banned"}, "deny"},
	} {
		c.facts["data_classes"] = []any{"personal"}
		d, err := l.DecideSide(corridor.Flow{Date: day(t, "2026-11-26"), Origin: "RU", Destination: "CN", Assume: "shared_case_defaults", Facts: c.facts}, corridor.Export)
		if got := d.Outcome.String(); err != nil && !strings.Contains(err.Error(), c.want) || err == nil && got != c.want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, c.want)
		}
	}
}
