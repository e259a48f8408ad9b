package exchange_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"corridor"
	"corridor/internal/store"
	"corridor/internal/store/storetest"
)

// TestANodeWithAnotherInboxDoesNotRun: it would say of files that the other
// nodes hold that they are gone.
func TestANodeWithAnotherInboxDoesNotRun(t *testing.T) {
	if !storetest.OnServer() {
		t.Skip("a file has one node")
	}
	first := newNode(t, "first", "KZ", "Ed25519").start()
	defer func() { first.stop() }()
	ctx := within(t, 20*time.Second)
	for marked := false; !marked; time.Sleep(10 * time.Millisecond) {
		_, err := os.Stat(filepath.Join(first.dir, "inbox", ".corridor-inbox"))
		if marked = err == nil; ctx.Err() != nil {
			t.Fatal("the first node marks no inbox")
		}
	}
	second := *first // the same keys and database, and a directory of its own
	second.dir = t.TempDir()
	var err error
	if second.db, err = store.Open(ctx, second.place, migrations()...); err != nil {
		t.Fatal(err)
	}
	defer second.db.Close()
	if _, err := second.wire(ctx); err != nil {
		t.Fatal(err)
	}
	if err := second.x.Run(ctx); corridor.KindOf(err) != corridor.Conflict || !strings.Contains(err.Error(), "not the one of the other nodes") {
		t.Errorf("got %v", err)
	}
}
