package exchange

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// slowly answers a question with its number after a second.
func slowly(asked *int) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		*asked++
		n := *asked
		select {
		case <-time.After(time.Second):
			return n, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func TestThoseWhoAskAtOnceShareTheAnswerToAQuestionThatWasPutAfterTheyCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a shared[int]
		asked := 0
		got := make([]int, 5)
		for i := range got { // at 0.0, 0.3, 0.6, 0.9 and 1.2 seconds
			go func() {
				time.Sleep(time.Duration(i) * 300 * time.Millisecond)
				n, err := a.ask(t.Context(), "dataset", slowly(&asked))
				if err != nil {
					t.Error(err)
				}
				got[i] = n
			}()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if want := [5]int{1, 2, 2, 2, 3}; [5]int(got) != want {
			t.Errorf("answers to questions %v, want %v", got, want)
		}
		if asked != 3 || len(a.lines) != 0 {
			t.Errorf("asked %d times, %d lines are left", asked, len(a.lines))
		}
	})
}

func TestWhoeverPutsAQuestionAndGoesAwayLeavesItToTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a shared[int]
		asked := 0
		impatient, leave := context.WithTimeout(t.Context(), 1500*time.Millisecond) // into the second question
		defer leave()
		errs := make([]error, 3)
		for i, ctx := range []context.Context{t.Context(), impatient, t.Context()} {
			go func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				_, errs[i] = a.ask(ctx, "dataset", slowly(&asked))
			}()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if errs[0] != nil || !errors.Is(errs[1], context.DeadlineExceeded) || errs[2] != nil {
			t.Error(errs)
		}
		if asked != 3 || len(a.lines) != 0 {
			t.Errorf("asked %d times, %d lines are left", asked, len(a.lines))
		}
	})
}

func TestAFailureIsTheAnswerOfAllWhoAsked(t *testing.T) {
	var a shared[int]
	broken := errors.New("the peer does not answer")
	for range 2 {
		if _, err := a.ask(t.Context(), "dataset", func(context.Context) (int, error) { return 0, broken }); !errors.Is(err, broken) {
			t.Error(err)
		}
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = a.ask(t.Context(), "dataset", func(context.Context) (int, error) { panic("a bug") })
	}()
	if n, err := a.ask(t.Context(), "dataset", func(context.Context) (int, error) { return 7, nil }); n != 7 || err != nil {
		t.Error("after a panic:", n, err)
	}
}
