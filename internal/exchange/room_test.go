package exchange

import (
	"fmt"
	"testing"

	"corridor"
)

func TestAPeerQuotesNoMoreThanHalfOfWhatAProofHolds(t *testing.T) {
	quotes := func(from, to int, name string) (list []corridor.Receipt) {
		for i := from; i < to; i++ {
			list = append(list, corridor.Receipt{Digests: map[string]string{name: fmt.Sprint(name, i)}})
		}
		return list
	}
	for _, c := range []struct {
		what  string
		kept  []corridor.Receipt
		shown []corridor.Receipt
		fits  bool
	}{
		{"half of the compacts", quotes(0, 49, corridor.DigestCompact), quotes(49, 50, corridor.DigestCompact), true},
		{"one more", quotes(0, 50, corridor.DigestCompact), quotes(50, 51, corridor.DigestCompact), false},
		{"the same again", quotes(0, 50, corridor.DigestCompact), quotes(0, 50, corridor.DigestCompact), true},
		{"one more, which is ours", quotes(0, 50, corridor.DigestCompact), quotes(1000, 1001, corridor.DigestCompact), true},
		{"half of the orders", quotes(0, 200, corridor.DigestOrder), quotes(200, 500, corridor.DigestOrder), true},
		{"one order more", quotes(0, 200, corridor.DigestOrder), quotes(200, 501, corridor.DigestOrder), false},
	} {
		theirs := map[string]corridor.Receipt{}
		for _, r := range c.shown {
			theirs[r.Digests[corridor.DigestCompact]+r.Digests[corridor.DigestOrder]] = r
		}
		err := roomFor(Agreement{Peer: "did:web:kz"}, theirs, c.kept, map[string]bool{corridor.DigestCompact + "1000": true})
		if (err == nil) != c.fits || err != nil && corridor.KindOf(err) != corridor.Limited {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}
