package exchange

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"corridor/internal/plane"
	"corridor/internal/store"
	"corridor/internal/store/storetest"
)

// TestWhoseDataMovesIsStillKnownAfterTheDatabaseWasAway: else nobody would ask
// about their credentials any more.
func TestWhoseDataMovesIsStillKnownAfterTheDatabaseWasAway(t *testing.T) {
	db, err := store.Open(t.Context(), storetest.Place(t))
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{db: db, log: slog.New(slog.DiscardHandler), transfers: newTable("transfers", "pid", readTransfer, Transfer.clipped),
		reviews: newAlarm(time.Now), clocks: newAlarm(time.Now), toCut: newChores(),
		run:   runs{cancels: map[string]context.CancelFunc{"urn:uuid:moves": func() {}}},
		vouch: vouching{wake: make(chan struct{}, 1), by: map[string]vouched{"did:web:peer": {due: time.Now().Add(time.Hour)}}}}
	s.plane = plane.NewHandler(nil, plane.HandlerConfig{})
	db.Close()
	if wait, err := s.vouchingDue(t.Context()); err == nil || s.vouch.by["did:web:peer"].due.IsZero() {
		t.Errorf("the peer is asked about in %s, %v: %v", wait, s.vouch.by, err)
	}
	s.told("")
	if len(s.vouch.wake) != 1 {
		t.Error("after a gap nobody looks whose data moves")
	}
}
