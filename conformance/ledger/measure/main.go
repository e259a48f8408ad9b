// Program measure times tessera's POSIX log as bench times Corridor's: an
// entry from its submission to the published, signed checkpoint on the disk
// that holds it. It prints Markdown; conformance/ledger/run measure starts it.
// It reports only: no number makes it fail.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

// The quickest that it can be told: no checkpoint is wanted sooner than its
// POSIX driver gives one, a batch waits for no entry that is not on its way,
// and whoever waits looks every millisecond. Nothing looks for duplicates.
const (
	checkpoints = 100 * time.Millisecond // the least that the driver takes
	batchAge    = time.Millisecond       // a batch is closed sooner when every writer is in it
	look        = time.Millisecond
	entrySize   = 1024
	warmUp      = 5
)

func main() {
	tmp := flag.String("tmp", "", "`directory` for the logs; choose a real disk, not memory")
	longest := flag.Duration("longest", 20*time.Second, "how long a row may take; what is done by then counts")
	flag.Parse()
	if err := measure(*tmp, *longest); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

func measure(tmp string, longest time.Duration) error {
	fmt.Println("| what | measured |\n|---|---|")
	for _, c := range []struct{ writers, each int }{{1, 2000}, {16, 2000}, {256, 400}} { // as bench/ledger.go
		r, err := appends(tmp, c.writers, c.each, longest)
		if err != nil {
			return fmt.Errorf("%d writers: %w", c.writers, err)
		}
		name := fmt.Sprintf("%d writers", c.writers)
		if c.writers == 1 {
			name = "one writer"
		}
		fmt.Printf("| - tessera's POSIX log, %s, checkpoints every %s (its least), batches of %d or %s | p50 %s, p99 %s; %.0f entries/s of %d; in the tree, unsigned, after p50 %s |\n",
			name, checkpoints, c.writers, batchAge, ms(quantile(r.published, 0.50)), ms(quantile(r.published, 0.99)),
			float64(len(r.published))/r.wall.Seconds(), len(r.published), ms(quantile(r.integrated, 0.50)))
		n := float64(len(r.published)+warmUp) * 1024
		fmt.Printf("| - its disk for each entry of %d bytes | %.2f KiB, without partial tiles that are whole by now, which it removes in time, %.2f KiB |\n",
			entrySize, float64(r.disk.all)/n, float64(r.disk.all-r.disk.passed)/n)
	}
	return nil
}

// result is what came of a row: of each entry, how long it took into the tree
// and into a published checkpoint.
type result struct {
	integrated, published []time.Duration
	wall                  time.Duration
	disk                  usage
}

// appends lets writers append to a log of their own, each one entry after the
// other, until all have written what they should or the time is over.
func appends(tmp string, writers, each int, longest time.Duration) (r result, err error) {
	dir, err := os.MkdirTemp(tmp, "tessera-measure-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	log, shutdown, err := open(ctx, dir, writers)
	if err != nil {
		return r, err
	}
	for range warmUp {
		if _, _, err := log.one(ctx); err != nil {
			return r, err
		}
	}
	var mu sync.Mutex
	var errs []error
	var wg sync.WaitGroup
	began := time.Now()
	for range writers {
		wg.Go(func() {
			for i := 0; i < each && time.Since(began) < longest; i++ {
				integrated, published, err := log.one(ctx)
				mu.Lock()
				r.integrated, r.published, errs = append(r.integrated, integrated), append(r.published, published), append(errs, err)
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	r.wall = time.Since(began)
	if err := errors.Join(append(errs, shutdown(ctx))...); err != nil {
		return r, err
	}
	r.disk, err = usageOf(dir)
	return r, err
}

type log struct {
	appender *tessera.Appender
	awaiter  *tessera.PublicationAwaiter
}

func open(ctx context.Context, dir string, writers int) (*log, func(context.Context) error, error) {
	key, _, err := note.GenerateKey(rand.Reader, "log.example.org")
	if err != nil {
		return nil, nil, err
	}
	signer, err := note.NewSigner(key)
	if err != nil {
		return nil, nil, err
	}
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return nil, nil, err
	}
	options := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithCheckpointInterval(checkpoints).WithBatching(uint(writers), batchAge)
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return nil, nil, err
	}
	return &log{appender, tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, look)}, shutdown, nil
}

// one appends an entry and waits for the checkpoint that holds it.
func (l *log) one(ctx context.Context) (integrated, published time.Duration, err error) {
	data := make([]byte, entrySize)
	_, _ = rand.Read(data) // never fails
	at := time.Now()
	index := l.appender.Add(ctx, tessera.NewEntry(data))
	if _, err := index(); err != nil {
		return 0, 0, err
	}
	integrated = time.Since(at)
	_, _, err = l.awaiter.Await(ctx, index)
	return integrated, time.Since(at), err
}

// usage is what a log takes on the disk: all of it, and what is left of
// partial tiles and bundles of which the whole is there.
type usage struct{ all, passed int64 }

func usageOf(dir string) (u usage, err error) {
	err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var s syscall.Stat_t
		if err := syscall.Lstat(path, &s); err != nil {
			return err
		}
		const block = 512 // of Stat_t, whatever the file system has
		u.all += s.Blocks * block
		if whole, _, partial := strings.Cut(strings.TrimPrefix(path, dir), ".p/"); partial {
			if _, err := os.Stat(filepath.Join(dir, whole)); err == nil {
				u.passed += s.Blocks * block
			}
		}
		return nil
	})
	return u, err
}

func ms(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
}

// quantile gives the smallest value that is not below a part q of all.
func quantile(all []time.Duration, q float64) time.Duration {
	s := slices.Sorted(slices.Values(all))
	i := int(q*float64(len(s))+0.999999) - 1
	return s[min(max(i, 0), len(s)-1)]
}
