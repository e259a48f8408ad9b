package verify

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"corridor"
)

// What arrived was released: a bundle without the receipt of the release cannot
// say that nothing was.
func TestABundleWithoutTheReleaseDoesNotSayThatNothingWasReleased(t *testing.T) {
	a := newAwaited(t)
	a.file = func(f *File) {
		f.Witnessed = nil
		f.Receipts = slices.DeleteFunc(f.Receipts, func(r FileReceipt) bool {
			return bytes.Contains(r.Leaf, []byte(corridor.ReceiptTransferReleased)) || bytes.Contains(r.Leaf, []byte(corridor.ReceiptTransferAcknowledged))
		})
		f.About.By = "did:web:kz.example"
	}
	rep := Bundle(a.bytes(t), Options{})
	for _, c := range rep.Checks {
		if strings.HasSuffix(c.ID, ".liveness") && c.OK && !c.Note {
			t.Errorf("%s: %s", c.What, c.Detail)
		}
	}
}
