// Program measure times Eclipse EDC, and Corridor beside it where both can do
// the same thing, and prints Markdown. conformance/edc/run measure starts it.
// It reports only: no number makes it fail.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"corridor/conformance/edc"
)

func main() {
	m := measuring{}
	flag.IntVar(&m.negotiations, "negotiations", 20, "negotiations of each row")
	flag.DurationVar(&m.load, "load", 4*time.Second, "how long catalogues are asked for")
	flag.BoolVar(&m.beside, "beside", false, "Corridor beside EDC only")
	flag.Parse()
	if err := m.run(); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

type measuring struct {
	negotiations int
	load         time.Duration
	beside       bool
	dir          string
}

const (
	offers = 10 // datasets of a catalogue
	warmUp = 12 * time.Second
)

func (m *measuring) run() (err error) {
	list, err := edc.Distributions()
	if err != nil {
		return err
	}
	if m.dir, err = os.MkdirTemp("", "edc-measure-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(m.dir)) }()
	fmt.Printf("%d cores, %s, one machine, loopback; EDC with Java 17, SerialGC and stores in memory; Corridor with SQLite on disk.\n\n", runtime.NumCPU(), time.Now().UTC().Format(time.DateOnly))
	fmt.Println("| what | measured |\n|---|---|")
	for _, d := range list {
		if m.beside {
			break
		}
		for _, poll := range []time.Duration{time.Second, 50 * time.Millisecond} {
			if err := m.between(d, poll); err != nil {
				return fmt.Errorf("EDC %s: %w", d.Version, err)
			}
		}
	}
	return m.corridor(list[0])
}

func row(what, format string, args ...any) {
	fmt.Printf("| %s | %s |\n", what, fmt.Sprintf(format, args...))
}

// between measures two EDCs with each other.
func (m *measuring) between(d edc.Distribution, poll time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	var peers []*edc.Peer
	for i := range 2 {
		p, err := edc.Start(ctx, d, edc.Options{Poll: poll, Log: filepath.Join(m.dir, fmt.Sprintf("%s-%s-%d.log", d.Version, poll, i))})
		if err != nil {
			return err
		}
		defer p.Stop()
		peers = append(peers, p)
	}
	provider, consumer := peers[0], peers[1]
	name := "EDC " + d.Version
	if poll == time.Second { // polling does not matter for these
		size, err := sizeOf(filepath.Join(d.Dir, "lib"))
		if err != nil {
			return err
		}
		rss, err := provider.RSS()
		if err != nil {
			return err
		}
		row(name+": jars on disk", "%.1f MB", float64(size)/1e6)
		row(name+": exec to ready, two runs", "%.2f s, %.2f s", provider.Ready.Seconds(), consumer.Ready.Seconds())
		row(name+": resident, idle", "%.0f MB", float64(rss)/1e6)
	}
	src := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")) }))
	defer src.Close()
	for i := range offers {
		if err := provider.Publish(ctx, fmt.Sprintf("asset-%d", i), src.URL, nil); err != nil {
			return err
		}
	}
	if poll != time.Second { // once
		if err := m.catalogue(ctx, name, provider.Protocol, consumer.ID); err != nil {
			return err
		}
		rss, err := provider.RSS()
		if err != nil {
			return err
		}
		row(name+": resident, after that", "%.0f MB", float64(rss)/1e6)
	}
	offer, err := consumer.Find(ctx, provider.ID, provider.Protocol, "asset-0")
	if err != nil {
		return err
	}
	took, lost, err := m.each(func() (bool, error) {
		n, err := consumer.Negotiate(ctx, provider.ID, provider.Protocol, offer)
		return n.State == "FINALIZED", err
	}, poll)
	if err != nil {
		return err
	}
	row(fmt.Sprintf("%s with EDC, polling every %d ms: request to FINALIZED, %d negotiations", name, poll.Milliseconds(), len(took)),
		"p50 %s, p99 %s%s", ms(quantile(took, 0.50)), ms(quantile(took, 0.99)), without(lost))
	return nil
}

// without says how many negotiations ended in another way than they should.
func without(lost int) string {
	if lost == 0 {
		return ""
	}
	return fmt.Sprintf("; %d more ended TERMINATED", lost)
}

// each times a thing several times: what came to its good end, and how many
// did not. Where a peer polls seldom, all begin within two of its rounds, at
// random moments; otherwise one after another.
func (m *measuring) each(do func() (good bool, err error), poll time.Duration) (took []time.Duration, lost int, err error) {
	var mu sync.Mutex
	var errs []error
	one := func() {
		began := time.Now()
		good, err := do()
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, err)
		if good {
			took = append(took, time.Since(began))
		} else {
			lost++
		}
	}
	var wg sync.WaitGroup
	for range m.negotiations {
		if poll < time.Second {
			one()
			continue
		}
		wg.Go(func() {
			time.Sleep(rand.N(2 * poll))
			one()
		})
	}
	wg.Wait()
	if len(took) == 0 && len(errs) > 0 {
		errs = append(errs, errors.New("no negotiation came to its end"))
	}
	return took, lost, errors.Join(errs...)
}

// catalogue asks a participant for its catalogue over the Dataspace Protocol,
// with the mock identity that both sides take here.
func (m *measuring) catalogue(ctx context.Context, name, base, as string) error {
	header := fmt.Sprintf(`{ "region":"eu","audience":%q,"clientId":%q}`, base, as)
	body := []byte(`{"@context":["https://w3id.org/dspace/2025/1/context.jsonld"],"@type":"CatalogRequestMessage"}`)
	const conns = 8
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: conns}}
	ask := func() (int, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/catalog/request", bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		req.Header.Set("Authorization", header)
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err == nil && (resp.StatusCode != http.StatusOK || bytes.Count(b, []byte(`"Dataset"`)) != offers) {
			err = fmt.Errorf("catalogue: %s: %.300s", resp.Status, b)
		}
		return len(b), err
	}
	run := func(length time.Duration) (took []time.Duration, size int, err error) {
		var mu sync.Mutex
		var errs []error
		var bytesOf atomic.Int64
		var wg sync.WaitGroup
		end := time.Now().Add(length)
		for range conns {
			wg.Go(func() {
				for time.Now().Before(end) {
					began := time.Now()
					n, err := ask()
					mu.Lock()
					took, errs = append(took, time.Since(began)), append(errs, err)
					mu.Unlock()
					bytesOf.Store(int64(n))
					if err != nil {
						return
					}
				}
			})
		}
		wg.Wait()
		return took, int(bytesOf.Load()), errors.Join(errs...)
	}
	if _, _, err := run(warmUp); err != nil { // a just-in-time compiler wants it
		return err
	}
	took, size, err := run(m.load)
	if err != nil {
		return err
	}
	row(fmt.Sprintf("%s: catalogue requests, %d datasets, %d connections, after %s of the same", name, offers, conns, warmUp),
		"%.0f /s, p50 %s, p99 %s, %d bytes", float64(len(took))/m.load.Seconds(), ms(quantile(took, 0.5)), ms(quantile(took, 0.99)), size)
	return nil
}

// corridor measures the same of Corridor, with the same identity, and a
// negotiation between the two.
func (m *measuring) corridor(d edc.Distribution) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	p, err := edc.Start(ctx, d, edc.Options{Poll: 50 * time.Millisecond, Log: filepath.Join(m.dir, "beside.log")})
	if err != nil {
		return err
	}
	defer p.Stop()
	n, err := edc.NewNode(ctx, filepath.Join(m.dir, "node"), "CN")
	if err != nil {
		return err
	}
	if err := n.Lists(ctx, p, "KZ"); err != nil {
		return err
	}
	began := time.Now()
	if err := n.Serve(ctx, true); err != nil {
		return err
	}
	defer n.Stop()
	ready := time.Since(began)
	rss, err := n.RSS()
	if err != nil {
		return err
	}
	row("Corridor: exec to the first answer", "%s", ms(ready))
	row("Corridor: resident, idle", "%.0f MB", float64(rss)/1e6)
	file := filepath.Join(m.dir, "shipments.csv")
	if err := os.WriteFile(file, []byte("awb,weight,port\nA1,100,Khorgos\n"), 0o600); err != nil {
		return err
	}
	facts := map[string]any{"data_classes": []any{"non_personal"}, "subjects_in_file": 0, "access_mode": "copy", "deid": "none",
		"ai_role": "none", "ai_prohibited_use": false, "ai_output_published": false, "ai_risk": "min"}
	for i := range offers {
		if err := n.Offers(ctx, fmt.Sprintf("asset-%d", i), file, facts, nil); err != nil {
			return err
		}
	}
	if err := m.catalogue(ctx, "Corridor, its law asked for each dataset", n.DSP, p.ID); err != nil {
		return err
	}
	if rss, err = n.RSS(); err != nil {
		return err
	}
	row("Corridor: resident, after that", "%.0f MB", float64(rss)/1e6)
	offer, err := p.Find(ctx, n.DID, n.DSP, "asset-0")
	if err != nil {
		return err
	}
	took, lost, err := m.each(func() (bool, error) {
		g, err := p.Negotiate(ctx, n.DID, n.DSP, offer)
		return g.State == "FINALIZED", err
	}, 50*time.Millisecond)
	if err != nil {
		return err
	}
	row(fmt.Sprintf("EDC %s (consumer, polling every 50 ms) with Corridor, both sides' law decided and receipts written: request to FINALIZED, %d negotiations", d.Version, len(took)),
		"p50 %s, p99 %s%s", ms(quantile(took, 0.50)), ms(quantile(took, 0.99)), without(lost))
	return nil
}

func ms(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
}

// quantile gives the smallest value that is not below a part q of all.
func quantile(all []time.Duration, q float64) time.Duration {
	s := slices.Clone(all)
	slices.Sort(s)
	i := int(q*float64(len(s))+0.999999) - 1
	return s[min(max(i, 0), len(s)-1)]
}

func sizeOf(dir string) (total int64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return 0, err
		}
		if strings.HasSuffix(e.Name(), ".jar") {
			total += info.Size()
		}
	}
	return total, nil
}
