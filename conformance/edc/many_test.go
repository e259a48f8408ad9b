package edc

import (
	"testing"
	"time"
)

// EDC may meet our answer before it has written down what it asked: many
// negotiations at once must all come to their end.
func TestManyNegotiationsOfEDC(t *testing.T) {
	each(t, "negotiates with Corridor many times", func(t *testing.T, d Distribution) {
		ctx := within(t, 2*time.Minute)
		consumer := start(t, d)
		n := node(t, "CN", consumer, "KZ")
		whole, _ := shipments(10)
		must(t, n.Offers(ctx, "shipments", written(t, whole), known(), nil))
		offer := got(consumer.Find(ctx, n.DID, n.DSP, "shipments"))(t)
		for i := range 30 {
			if ended := got(consumer.Negotiate(ctx, n.DID, n.DSP, offer))(t); ended.State != "FINALIZED" {
				t.Errorf("negotiation %d: %+v", i, ended)
			}
		}
	})
}
