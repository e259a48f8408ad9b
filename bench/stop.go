//go:build bench

package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"corridor/internal/plane"
)

const (
	stopStreams = 200
	stopBegun   = 1 << 20 // bytes after which a stream counts as running
)

// stop measures a sovereign stop: an authority's order reaches an exporter of
// which 200 streams run as fast as the machine lets them, and what is counted
// is the time from the sending of the order to the last byte that the consumer
// reads of each stream.
func (b *bench) stop() error {
	cn, kz, err := b.governed()
	if err != nil {
		return err
	}
	defer cn.stop()
	defer kz.stop()
	length := 10 * b.size // of each stream, if it ran to its end
	b.say("publishing a file of %d GB", length/1_000_000_000)
	if err := b.offerHuge(cn, length); err != nil {
		return err
	}
	b.say("%d agreements and transfers", stopStreams)
	list, err := b.startMany(cn, kz)
	if err != nil {
		return err
	}
	order, err := b.signedOrder()
	if err != nil {
		return err
	}
	before, err := memory(cn.cmd.Process.Pid, "VmRSS")
	if err != nil {
		return err
	}
	taps, err := b.tap(cn, kz, list)
	if err != nil {
		return err
	}
	b.say("%d streams run", len(taps))
	time.Sleep(2 * time.Second)
	sent := time.Now()
	if err := give(cn, order); err != nil {
		return err
	}
	accepted := time.Since(sent)
	took, bytes, err := lastBytes(taps, sent, length)
	if err != nil {
		return err
	}
	peak, err := memory(cn.cmd.Process.Pid, "VmHWM")
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("sovereign stop: order sent to last byte read of each of %d running streams of %d GB, one exporter", len(took), length/1_000_000_000), "≤ 1 s", "%s, last %s; the order was accepted after %s",
		quantilesOf(took), brief(slices.Max(took)), brief(accepted))
	b.add("- of each stream had flowed until then", "", "%s on average; the exporter's memory grew by %s", mb(bytes/int64(len(took))), mb(peak-before))
	return b.suspended(cn, sent)
}

// governed is a pair whose countries' authorities have a compact. The importer
// does not fetch: this program does.
func (b *bench) governed() (cn, kz *node, err error) {
	defer func() {
		if err != nil {
			cn.stop()
			kz.stop()
		}
	}()
	if cn, err = b.newNode("CN", "SM2"); err != nil {
		return cn, kz, err
	}
	if kz, err = b.newNode("KZ", "Ed25519"); err != nil {
		return cn, kz, err
	}
	if err = kz.configure(`(?m)^manual: .*$`, "manual: [fetch]"); err != nil {
		return cn, kz, err
	}
	for _, n := range []*node{cn, kz} {
		if _, err = n.start(); err != nil {
			return cn, kz, err
		}
	}
	if err = errors.Join(cn.knows(kz), kz.knows(cn)); err != nil {
		return cn, kz, err
	}
	return cn, kz, b.compact(cn, kz)
}

func (b *bench) compact(cn, kz *node) error {
	at := func(name string) string { return filepath.Join(b.dir, name) }
	for _, step := range [][]string{
		{"authority", "init", "--dir", at("cnbody"), "--did", "did:web:authority.cn.example", "--jurisdiction", "CN", "--name", "CN", "--suite", "SM2"},
		{"authority", "init", "--dir", at("kzbody"), "--did", "did:web:authority.kz.example", "--jurisdiction", "KZ", "--name", "KZ"},
		{"authority", "compact", "draft", "--id", "bench", "--title", "bench", "--member", at("cnbody/entry.json"), "--member", at("kzbody/entry.json"), "--open", "1:CN>KZ=any", "--until", "2099-01-01", "--out", at("compact.json")},
	} {
		if _, err := cn.corridor(step...); err != nil {
			return err
		}
	}
	_, _ = cn.corridor("authority", "compact", "sign", at("compact.json"), "--dir", at("cnbody")) // says that a signature lacks
	if _, err := cn.corridor("authority", "compact", "sign", at("compact.json"), "--dir", at("kzbody")); err != nil {
		return err
	}
	for _, n := range []*node{cn, kz} {
		if _, err := n.corridor("compacts", "adopt", at("compact.json"), "--dir", n.dir); err != nil {
			return err
		}
	}
	return nil
}

// offerHuge publishes a file of zeros that takes no room on the disk.
func (b *bench) offerHuge(n *node, length int64) error {
	path := filepath.Join(b.dir, "huge.bin")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(path, length); err != nil {
		return err
	}
	return n.call(http.MethodPost, "/api/datasets", map[string]any{"id": "shipments", "title": "Shipments", "source": path, "format": "bin",
		"facts": map[string]any{"data_classes": []string{"non_personal"}, "subjects_in_file": 0, "access_mode": "copy", "deid": "none",
			"ai_role": "none", "ai_prohibited_use": false, "ai_output_published": false, "ai_risk": "min"}}, nil)
}

// startMany agrees on and starts the transfers, each under an agreement of its
// own.
func (b *bench) startMany(cn, kz *node) ([]process, error) {
	list := make([]process, stopStreams)
	var g errgroup.Group
	g.SetLimit(8)
	for i := range list {
		g.Go(func() (err error) {
			list[i], err = startOne(cn, kz)
			return err
		})
	}
	return list, g.Wait()
}

// startOne gives the exporter's record of a transfer that has been started.
func startOne(cn, kz *node) (process, error) {
	agreed, err := agree(cn, kz)
	if err != nil {
		return process{}, err
	}
	var p process
	if err := kz.call(http.MethodPost, "/api/transfers", map[string]string{"agreement": agreed.Agreement}, &p); err != nil {
		return p, err
	}
	if p, err = kz.reaches("transfers", p.PID, "STARTED"); err != nil {
		return p, err
	}
	p, err = cn.reaches("transfers", p.PeerPID, "STARTED")
	p.Agreement = agreed.Agreement
	return p, err
}

// signedOrder is an order about everything from and to China, signed but not
// yet given to anybody.
func (b *bench) signedOrder() ([]byte, error) {
	n := &node{b: b}
	body := filepath.Join(b.dir, "cnbody")
	if _, err := n.corridor("authority", "suspend", "--everything", "--reference", "1/2026", "--reason", "bench", "--dir", body); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(body, "public", "orders", "1.json"))
}

// tap is one stream as its consumer reads it.
type tap struct {
	bytes atomic.Int64
	last  atomic.Int64 // nanoseconds since 1970 of the last byte
	ended chan error
}

// tap opens the streams and returns when all of them run.
func (b *bench) tap(cn, kz *node, list []process) ([]*tap, error) {
	raw, err := os.ReadFile(filepath.Join(cn.dir, "keys", "stream.key"))
	if err != nil {
		return nil, err
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil {
		return nil, err
	}
	tokens, err := plane.NewTokens(secret)
	if err != nil {
		return nil, err
	}
	var running sync.WaitGroup
	taps := make([]*tap, len(list))
	for i, p := range list {
		token, err := tokens.Mint(plane.Claims{Transfer: p.PID, Agreement: p.Agreement, Audience: kz.did, Expires: time.Now().Add(time.Hour).Unix()})
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(b.ctx, http.MethodGet, "http://"+cn.addr+"/data/"+p.PID, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		taps[i] = &tap{ended: make(chan error, 1)}
		running.Add(1)
		go func() { taps[i].ended <- taps[i].drink(req, sync.OnceFunc(running.Done)) }()
	}
	running.Wait()
	for _, t := range taps {
		select {
		case err := <-t.ended:
			return nil, fmt.Errorf("a stream ended before the order: %w", err)
		default:
		}
	}
	return taps, nil
}

// drink reads a stream to its end.
func (t *tap) drink(req *http.Request, runs func()) error {
	defer runs()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000)) // for the message only
		return fmt.Errorf("the stream is refused: %d %s", resp.StatusCode, text)
	}
	for room := make([]byte, 64<<10); ; {
		n, err := resp.Body.Read(room)
		if n > 0 {
			t.last.Store(time.Now().UnixNano())
			if t.bytes.Add(int64(n)) >= stopBegun {
				runs()
			}
		}
		if err != nil {
			return err
		}
	}
}

// give hands an order to a node as anybody may.
func give(n *node, order []byte) error {
	resp, err := http.Post("http://"+n.addr+"/corridor/orders", "application/json", bytes.NewReader(order))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the order is not taken: %d %s", resp.StatusCode, text)
	}
	return err
}

// lastBytes waits for the ends of the streams. None may have come to its own.
func lastBytes(taps []*tap, sent time.Time, length int64) (took []time.Duration, sum int64, err error) {
	for _, t := range taps {
		select {
		case err := <-t.ended:
			if errors.Is(err, io.EOF) || t.bytes.Load() >= length {
				return nil, 0, errors.New("a stream came to its own end")
			}
		case <-time.After(time.Minute):
			return nil, 0, errors.New("a stream runs on a minute after the order")
		}
		took = append(took, time.Unix(0, t.last.Load()).Sub(sent))
		sum += t.bytes.Load()
	}
	return took, sum, nil
}

// suspended measures how long it takes until every transfer is suspended, with
// its receipt.
func (b *bench) suspended(cn *node, sent time.Time) error {
	for time.Since(sent) < time.Minute {
		var page struct {
			Items []process `json:"items"`
		}
		if err := cn.call(http.MethodGet, "/api/transfers?state=STARTED&limit=1", nil, &page); err != nil {
			return err
		}
		if len(page.Items) == 0 {
			b.add("- order sent to all agreements and transfers suspended, with receipts", "", "%s", brief(time.Since(sent)))
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("transfers are not suspended a minute after the order")
}
