//go:build bench

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/dsp"
	"corridor/internal/identity"
	"corridor/internal/store"
)

// catalogConnections is how many requests are under way at any moment.
const catalogConnections = 16

// catalog measures how a node answers peers who ask what there is.
func (b *bench) catalog() error {
	cn, kz, err := b.pair()
	if err != nil {
		return err
	}
	defer cn.stop()
	defer kz.stop()
	if err := b.publishTen(cn); err != nil {
		return err
	}
	asker, err := newAsker(b.ctx, kz, cn)
	if err != nil {
		return err
	}
	if err := b.catalogRate(cn, asker); err != nil {
		return err
	}
	return b.catalogLarge(cn, asker)
}

// publishTen offers ten datasets, each with facts and conditions of its own.
func (b *bench) publishTen(n *node) error {
	source := filepath.Join(b.dir, "ten.csv")
	if err := os.WriteFile(source, []byte("a,b\n1,2\n"), 0o600); err != nil {
		return err
	}
	var list []map[string]any
	for i := range 10 {
		list = append(list, map[string]any{"id": fmt.Sprintf("set-%d", i), "title": fmt.Sprintf("Shipments %d", i), "source": source, "format": "csv",
			"facts":  map[string]any{"data_classes": []string{"non_personal"}, "subjects_in_file": 0, "subjects_ytd": i},
			"policy": map[string]any{"permission": []any{map[string]any{"action": "use", "constraint": []any{map[string]any{"leftOperand": "count", "operator": "lteq", "rightOperand": strconv.Itoa(5 + i)}}}}}})
	}
	return n.call(http.MethodPost, "/api/datasets/batch", map[string]any{"datasets": list}, nil)
}

// asker is a peer that asks for a catalogue, with a new token each time.
type asker struct {
	ctx    context.Context
	to     *node
	tokens *identity.Tokens
}

func newAsker(ctx context.Context, from, to *node) (*asker, error) {
	keys, err := identity.OpenKeys(filepath.Join(from.dir, "keys"), from.did, "Ed25519")
	if err != nil {
		return nil, err
	}
	tokens, err := identity.NewTokens(from.did, keys.Token, nil)
	return &asker{ctx, to, tokens}, err
}

// request writes a whole HTTP request.
func (a *asker) request(filter string) ([]byte, error) {
	token, err := a.tokens.Issue(a.ctx, a.to.did)
	if err != nil {
		return nil, err
	}
	body := `{"@context":["` + dsp.ContextURL + `"],"@type":"CatalogRequestMessage"` + filter + `}`
	return fmt.Appendf(nil, "POST /dsp/2025-1/catalog/request HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		a.to.addr, token, len(body), body), nil
}

// wire is one connection that is kept.
type wire struct {
	c net.Conn
	r *bufio.Reader
}

func (a *asker) dial() (*wire, error) {
	c, err := net.Dial("tcp", a.to.addr)
	if err != nil {
		return nil, err
	}
	return &wire{c, bufio.NewReaderSize(c, 64<<10)}, nil
}

// ask sends a request and reads the answer to its end. It parses no more than
// it must: the client runs beside the node that it measures.
func (w *wire) ask(request []byte) (body []byte, err error) {
	if _, err := w.c.Write(request); err != nil {
		return nil, err
	}
	length := -1
	status := ""
	for {
		line, err := w.r.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		text := strings.TrimRight(string(line), "\r\n")
		if status == "" {
			status = text
		}
		if text == "" {
			break
		}
		if n, ok := strings.CutPrefix(text, "Content-Length: "); ok {
			if length, err = strconv.Atoi(n); err != nil {
				return nil, err
			}
		}
	}
	body = make([]byte, max(length, 0))
	if _, err := io.ReadFull(w.r, body); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(status, "HTTP/1.1 200") || length < 0 {
		return nil, fmt.Errorf("%s: %s", status, body)
	}
	return body, nil
}

// catalogRate asks as fast as the connections carry. The tokens are made
// beforehand, in lots whose life has not begun to run out.
func (b *bench) catalogRate(cn *node, a *asker) error {
	span := 10 * time.Second
	if b.quick {
		span = 3 * time.Second
	}
	lots := make([][][]byte, catalogConnections)
	g, _ := errgroup.WithContext(b.ctx)
	for i := range lots {
		g.Go(func() error {
			for range int(span.Seconds()) * 10_000 / catalogConnections {
				r, err := a.request("")
				if err != nil {
					return err
				}
				lots[i] = append(lots[i], r)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	before, err := processor(cn.cmd.Process.Pid)
	if err != nil {
		return err
	}
	r, err := a.storm(lots, span)
	if err != nil {
		return err
	}
	after, err := processor(cn.cmd.Process.Pid)
	if err != nil {
		return err
	}
	rss, err := memory(cn.cmd.Process.Pid, "VmRSS")
	q := quantilesOf(r.took)
	b.add(fmt.Sprintf("catalogue request, 10 datasets with policies, authenticated, %d connections, for %s", catalogConnections, brief(r.wall)), "≥ 5,000/s, p99 ≤ 10 ms",
		"%.0f/s, %s", float64(len(r.took))/r.wall.Seconds(), q)
	b.add("- processor time of the node for one; memory after these", "", "%s; %s RSS", brief((after-before)/time.Duration(len(r.took))), mb(rss))
	return err
}

// storm sends each lot over a connection of its own until the time is over.
func (a *asker) storm(lots [][][]byte, span time.Duration) (rated, error) {
	var mu sync.Mutex
	var r rated
	g, _ := errgroup.WithContext(a.ctx)
	began := time.Now()
	for _, lot := range lots {
		g.Go(func() error {
			w, err := a.dial()
			if err != nil {
				return err
			}
			defer w.c.Close()
			took := make([]time.Duration, 0, len(lot))
			for _, request := range lot {
				at := time.Now()
				if at.Sub(began) > span {
					break
				}
				body, err := w.ask(request)
				if err != nil {
					return err
				}
				took = append(took, time.Since(at))
				if n := bytes.Count(body, []byte(`"@type":"Dataset"`)); n != 10 {
					return fmt.Errorf("%d datasets in the answer", n)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			r.took = append(r.took, took...)
			return nil
		})
	}
	err := g.Wait()
	r.wall = time.Since(began)
	return r, err
}

// catalogLarge asks a catalogue of a million for first pages, each with a
// filter that was not asked before.
func (b *bench) catalogLarge(cn *node, a *asker) error {
	n := 1_000_000
	if b.quick {
		n = 100_000
	}
	cn.stop()
	began := time.Now()
	if err := b.fill(cn, n); err != nil {
		return err
	}
	b.add(fmt.Sprintf("%d datasets written and indexed", n), "", "%s", brief(time.Since(began)))
	if _, err := cn.start(); err != nil {
		return err
	}
	w, err := a.dial()
	if err != nil {
		return err
	}
	defer w.c.Close()
	for _, ask := range []struct{ what, name, op, value string }{
		{"a word that one in 977 has", "text", "hasPart", "lot %d"},
		{"two Russian words", "text", "hasPart", "перевозка %d таможни"},
		{"a Chinese phrase and a number", "text", "hasPart", "海关数据 %d"},
		{"a format, asked again and again", "format", "eq", "parquet"},
		{"a part of the title, without index", "title", "hasPart", "lot %d"},
	} {
		var took []time.Duration
		rows := 0
		for i := range 200 {
			value := strings.ReplaceAll(ask.value, "%d", strconv.Itoa(i))
			request, err := a.request(fmt.Sprintf(`,"filter":[{"leftOperand":%q,"operator":%q,"rightOperand":%q}]`, ask.name, ask.op, value))
			if err != nil {
				return err
			}
			at := time.Now()
			body, err := w.ask(request)
			if err != nil {
				return err
			}
			took = append(took, time.Since(at))
			rows += bytes.Count(body, []byte(`"@type":"Dataset"`))
		}
		b.add(fmt.Sprintf("first page of %d datasets by %s, authenticated", n, ask.what), "p50 ≤ 10 ms", "%s, %d datasets a page", quantilesOf(took), rows/200)
	}
	rss, err := memory(cn.cmd.Process.Pid, "VmRSS")
	b.add("- memory of the node after these", "", "%s RSS", mb(rss))
	return err
}

// fill writes datasets into the database of a node that is stopped. They have
// no receipts: what is measured is the catalogue.
func (b *bench) fill(n *node, count int) error {
	db, err := store.Open(b.ctx, filepath.Join(n.dir, "node.db"), catalog.Migrations...)
	if err != nil {
		return err
	}
	defer db.Close()
	const lot = 10_000
	for at := 0; at < count; at += lot {
		var list []catalog.Dataset
		for i := at; i < at+lot; i++ {
			list = append(list, synthetic(i))
		}
		if err := db.Write(b.ctx, func(tx *store.Tx) error { return catalog.Put(b.ctx, tx, list...) }); err != nil {
			return err
		}
		if (at/lot)%10 == 9 {
			b.say("%d datasets", at+lot)
		}
	}
	return nil
}

// synthetic is a dataset in three languages, alike to others in every word.
func synthetic(i int) catalog.Dataset {
	ru := []string{"перевозки", "таможня", "данные", "грузы", "порты", "железная", "дорога", "статистика", "экспорт", "импорт"}
	zh := []string{"海关", "数据", "港口", "货物", "铁路", "出口", "进口", "统计", "跨境", "运输"}
	id := fmt.Sprintf("dataset-%07d", i)
	return catalog.Dataset{ID: id, Title: fmt.Sprintf("Shipments of %d by rail, lot %d", i%5000, i%977), Format: []string{"csv", "jsonl", "parquet"}[i%3],
		Source: "/data/" + id, SHA256: corridor.Digest([]byte(id)), Published: time.Now().UTC(),
		Facts: corridor.Facts{"data_classes": []any{"non_personal"}, "subjects_in_file": 0, "subjects_ytd": i % 100}, Public: []string{"data_classes", "subjects_in_file"},
		Metadata: &catalog.Metadata{Title: map[string]string{"ru": fmt.Sprintf("%s %s %s %d", ru[i%10], ru[i/10%10], ru[i/100%10], i%977), "zh": zh[i%10] + zh[i/10%10] + zh[i/100%10]}, Spatial: []string{"KZ"}},
		Offer:    dsp.Offer{Policy: dsp.Policy{ID: id + ":offer", Permission: []dsp.Rule{{Action: "use"}}}}}
}
