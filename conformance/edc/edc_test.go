package edc

import (
	"slices"
	"testing"
	"time"
)

// The harness itself is proven first: two EDCs, with the calls that the other
// tests make.
func TestTwoOfThem(t *testing.T) {
	each(t, "with EDC", func(t *testing.T, d Distribution) {
		ctx := within(t, 2*time.Minute)
		provider, consumer := start(t, d), start(t, d)
		data := content(5000)
		must(t, provider.Publish(ctx, "ports", source(t, data), nil))

		offer := got(consumer.Find(ctx, provider.ID, provider.Protocol, "ports"))(t)
		if !slices.Contains(offer.Formats, "HttpData-PULL") || !slices.Contains(offer.Formats, "HttpData-PUSH") {
			t.Fatalf("formats: %v", offer.Formats)
		}
		n := got(consumer.Negotiate(ctx, provider.ID, provider.Protocol, offer))(t)
		if n.State != "FINALIZED" || n.Agreement == "" {
			t.Fatalf("negotiation: %+v", n)
		}

		t.Run("pull, suspend, resume, terminate", func(t *testing.T) {
			begun := newStarts(t)
			tr := got(consumer.Transfer(ctx, provider.ID, provider.Protocol, n.Agreement, "", begun.URL))(t)
			got(consumer.AwaitTransfer(ctx, tr.ID, "STARTED"))(t)
			at := begun.await(t, ctx)
			status, b := pull(t, ctx, at)
			if status != 200 {
				t.Fatalf("pull: %d %s", status, b)
			}
			same(t, "pull", b, data)

			must(t, consumer.Suspend(ctx, tr.ID, "for a while"))
			got(consumer.AwaitTransfer(ctx, tr.ID, "SUSPENDED"))(t)
			eventually(t, ctx, "the suspended address is closed", func() bool { s, _ := pull(t, ctx, at); return s != 200 })
			must(t, consumer.Resume(ctx, tr.ID))
			got(consumer.AwaitTransfer(ctx, tr.ID, "STARTED"))(t)
			at = begun.await(t, ctx)
			if status, b = pull(t, ctx, at); status != 200 {
				t.Fatalf("pull after resume: %d %s", status, b)
			}
			same(t, "pull after resume", b, data)
			must(t, consumer.Terminate(ctx, tr.ID, "enough"))
			got(consumer.AwaitTransfer(ctx, tr.ID, "TERMINATED"))(t)
			eventually(t, ctx, "the terminated address is closed", func() bool { s, _ := pull(t, ctx, at); return s != 200 })
		})
		t.Run("push", func(t *testing.T) {
			to := newSink(t)
			tr := got(consumer.Transfer(ctx, provider.ID, provider.Protocol, n.Agreement, to.URL, ""))(t)
			same(t, "push", to.await(t, ctx), data)
			got(consumer.AwaitTransfer(ctx, tr.ID, "COMPLETED"))(t)
		})
		t.Run("refused negotiation", func(t *testing.T) {
			other := offer
			other.Policy = obj{}
			for k, v := range offer.Policy {
				other.Policy[k] = v
			}
			other.Policy["prohibition"] = []any{obj{"action": "use"}}
			n := got(consumer.Negotiate(ctx, provider.ID, provider.Protocol, other))(t)
			if n.State != "TERMINATED" {
				t.Fatalf("an offer that was not made: %+v", n)
			}
		})
	})
}
