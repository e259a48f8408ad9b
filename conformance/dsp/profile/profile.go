package profile

import (
	"time"

	"corridor/internal/exchange"
)

// What the kit is called and what it is said to use data for.
const (
	KitID   = "TCK_PARTICIPANT"
	Purpose = "research"
)

// Adjust sets a node up for a kit: nothing happens without a decision, and a
// message is not repeated for longer than one test lasts, so that none reaches
// the next.
func Adjust(c *exchange.Config) {
	c.Manual = exchange.Manual{Agree: true, Verify: true, Finalize: true, Start: true, Fetch: true}
	c.Retry = 5 * time.Second
}
