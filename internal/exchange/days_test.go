package exchange

import (
	"testing"
	"time"

	"corridor"
)

// A wait that ends before its day begins would be asked for again and again.
func TestADayBeginsWhereTheNodeIs(t *testing.T) {
	for _, w := range []struct{ zone, now, day, wait string }{
		{"UTC", "2026-12-31T23:00:00Z", "2027-01-01", "1h"},
		{"Asia/Tashkent", "2026-12-31T18:30:00Z", "2027-01-01", "30m"},
		{"Asia/Shanghai", "2026-12-31T15:00:00Z", "2027-01-01", "1h"},
		{"Europe/Moscow", "2026-12-31T20:00:00Z", "2027-01-01", "1h"},
		{"America/New_York", "2027-01-01T00:00:00Z", "2027-01-01", "5h"},
		{"Asia/Beirut", "2027-03-27T21:30:00Z", "2027-03-28", "30m"}, // begins at one o'clock: 00:00 does not exist
		{"Pacific/Apia", "2011-12-30T09:00:00Z", "2011-12-30", "1h"}, // never was: the day after has begun
		{"Asia/Tehran", "2026-03-22T20:00:00Z", "2026-03-23", "30m"},
		{"UTC", "2026-12-31T23:00:00Z", "2026-12-01", "0s"},
	} {
		zone, err := time.LoadLocation(w.zone)
		if err != nil {
			t.Fatal(err)
		}
		now, _ := time.Parse(time.RFC3339, w.now)
		want, _ := time.ParseDuration(w.wait)
		day, err := corridor.ParseDate(w.day)
		if err != nil {
			t.Fatal(err)
		}
		s := &Service{cfg: Config{Now: func() time.Time { return now.In(zone) }}}
		got := s.untilDay(day)
		if got != want {
			t.Errorf("%s: from %s to %s it is %s, want %s", w.zone, now.In(zone), day, got, want)
		}
		now = now.Add(got)
		if s.today() < day {
			t.Errorf("%s: after the wait it is only %s", w.zone, now.In(zone))
		}
	}
}
