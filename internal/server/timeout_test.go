package server

import (
	"testing"
	"time"

	"corridor/internal/exchange"
)

// A file of any size is published within one request: its digest is computed
// first.
func TestOnlyRequestsThatReadFilesMayTakeLong(t *testing.T) {
	long := map[string]bool{"POST /api/datasets": true, "POST /api/datasets/batch": true, "POST /api/datasets/{id}/increments": true}
	s := &server{x: &exchange.Service{}}
	for _, rt := range s.routes() {
		want := callTimeout
		switch {
		case long[rt.pattern]:
			want = time.Hour
			delete(long, rt.pattern)
		case rt.kind == admin:
			want += maxWait
		}
		if got := rt.timeout(); got != want {
			t.Errorf("%s may take %s, not %s", rt.pattern, got, want)
		}
	}
	if len(long) != 0 {
		t.Errorf("there is no %v", long)
	}
}
