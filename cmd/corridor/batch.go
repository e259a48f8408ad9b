package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"corridor"
	"corridor/internal/law"
)

// Sizes of a batch. A part is what a worker takes at a time.
const (
	maxBatchLine = 1 << 20
	maxBatchSkip = 64 << 20 // of a line that is too long; beyond it there is no line to come
	batchPart    = 256 << 10
	maxBadShown  = 20
)

// batchFlags are those of many flows at once.
type batchFlags struct {
	Batch string `placeholder:"FLOWS" help:"Decide many flows: a file with one JSON object a line; - reads standard input. See below."`
	Out   string `placeholder:"FILE" help:"With --batch: write the answers, one JSON object a line, to a new file."`
}

// batchJob decides the flows of a stream on all cores and keeps their order.
type batchJob struct {
	lib   *law.Library
	usual corridor.Flow
	lines bool // answers are wanted line by line
}

// part is some lines on their way through: read, decided, written, and then
// used again, so that memory does not grow with the file.
type part struct {
	first int // number of its first line
	data  []byte
	long  []int // lines that are too long, and are left empty in data
	out   []byte
	tally tally
	done  chan struct{}
}

// checked refuses flags that say nothing of many flows.
func (c checkCmd) checkedBatch() error {
	if c.Batch == "" {
		if c.Out != "" {
			return &corridor.Error{Kind: corridor.Invalid, Where: "--out", Msg: "belongs to --batch", Fix: "use --json, or --report FILE"}
		}
		return nil
	}
	for flag, given := range map[string]bool{"--facts": c.Facts != "", "--file": c.File != "", "--set": len(c.Set) > 0, "--purpose": c.Purpose != "",
		"--advise": c.Advise, "--report": len(c.Report) > 0, "--tasks": c.wantsTasks(), "--ask": c.Ask == "always"} {
		if given {
			return &corridor.Error{Kind: corridor.Invalid, Where: flag, Msg: "is about one flow; with --batch the facts of each flow stand in its line", Fix: "leave it out; --from, --to, --date and --assume fill what a line leaves out"}
		}
	}
	if c.Out != "" {
		return free(c.Out)
	}
	return nil
}

// batch decides the flows of a file.
func (c checkCmd) batch(a *app, lib *law.Library) error {
	usual := corridor.Flow{Origin: c.From, Destination: c.To, Assume: c.Assume, Date: corridor.DateOf(time.Now())}
	var err error
	if c.Date != "" {
		if usual.Date, err = corridor.ParseDate(c.Date); err != nil {
			return err
		}
	}
	if c.Assume != "" {
		if _, err := lib.Assume(usual, c.Assume); err != nil {
			return err
		}
	}
	in := a.stdin
	if c.Batch != "-" {
		f, err := os.Open(c.Batch)
		if err != nil {
			return corridor.Unreadable(err)
		}
		defer f.Close()
		in = f
	}
	job := batchJob{lib, usual, c.JSON || c.Out != ""}
	began := time.Now()
	var sum *tally
	switch {
	case c.Out != "":
		err = writeStream(c.Out, func(w io.Writer) (err error) { sum, err = job.run(a.ctx, in, w); return err })
	case c.JSON:
		sum, err = job.run(a.ctx, in, a.stdout)
	default:
		sum, err = job.run(a.ctx, in, io.Discard)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		err = sum.complain(a.stderr, c.Lang)
	} else {
		err = sum.print(a.stdout, c.Lang, time.Since(began))
	}
	if err == nil && sum.bad > 0 {
		err = exit(exitUsage)
	}
	return err
}

// writeStream makes a new file that is there whole or not at all.
func writeStream(path string, fill func(io.Writer) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".corridor-*")
	if err != nil {
		return corridor.Unwritable(path, err)
	}
	defer os.Remove(tmp.Name())
	w := bufio.NewWriterSize(tmp, batchPart)
	if err := fill(w); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err = errors.Join(w.Flush(), tmp.Sync(), tmp.Close()); err == nil {
		err = os.Link(tmp.Name(), path)
	}
	if err != nil {
		return corridor.E(corridor.Conflict, "%s cannot be written: %w", path, err)
	}
	return nil
}

// run reads, decides and writes at the same time.
func (b batchJob) run(ctx context.Context, in io.Reader, out io.Writer) (*tally, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := runtime.GOMAXPROCS(0)
	n := 3 * workers
	free, todo, order := make(chan *part, n), make(chan *part, n), make(chan *part, n)
	for range n {
		free <- &part{done: make(chan struct{}, 1)}
	}
	var failed error // of reading; it may be read when order is closed
	go func() {
		defer close(order)
		defer close(todo)
		failed = read(ctx, in, func() *part {
			select {
			case p := <-free:
				return p
			case <-ctx.Done():
				return nil
			}
		}, func(p *part) { todo <- p; order <- p })
	}()
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			w := newBatchWorker(b)
			for p := range todo {
				w.decide(p)
				p.done <- struct{}{}
			}
		})
	}
	sum := newTally()
	for {
		select {
		case p, more := <-order:
			if !more {
				working.Wait()
				return sum, failed
			}
			<-p.done
			sum.add(&p.tally)
			if _, err := out.Write(p.out); err != nil {
				return nil, corridor.E(corridor.Invalid, "the answers cannot be written: %w", err)
			}
			free <- p
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// read cuts a stream into parts of whole lines.
func read(ctx context.Context, in io.Reader, take func() *part, give func(*part)) error {
	r := bufio.NewReaderSize(in, 64<<10)
	for line := 1; ; {
		p := take()
		if p == nil {
			return ctx.Err()
		}
		p.first, p.data, p.long = line, p.data[:0], p.long[:0]
		for len(p.data) < batchPart {
			err := p.line(r, line)
			line++
			if errors.Is(err, io.EOF) {
				give(p)
				return nil
			}
			if err != nil {
				return corridor.E(corridor.Invalid, "line %d cannot be read: %w", line-1, err)
			}
		}
		give(p)
	}
}

// line adds one line to the part. Of one that is too long only the end of the
// line is kept.
func (p *part) line(r *bufio.Reader, number int) error {
	from, long, seen := len(p.data), false, 0
	for {
		piece, err := r.ReadSlice('\n')
		if seen += len(piece); seen > maxBatchSkip {
			return fmt.Errorf("it does not end within %d bytes; give one JSON object a line", maxBatchSkip)
		}
		if !long {
			p.data = append(p.data, piece...)
		}
		if !long && len(p.data)-from > maxBatchLine {
			p.data, p.long, long = p.data[:from], append(p.long, number), true
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if long {
			p.data = append(p.data, '\n')
		}
		return err
	}
}

// batchWorker decides parts; what it knows of flows that are alike it keeps.
type batchWorker struct {
	lines   bool
	flows   *law.Batch[*batchAnswer]
	texts   map[string]*batchAnswer // many flows that differ have the same answer
	touched []*batchAnswer          // counted in the part at hand
}

func newBatchWorker(b batchJob) *batchWorker {
	w := &batchWorker{lines: b.lines, texts: map[string]*batchAnswer{}}
	w.flows = law.NewBatch(b.lib, b.usual, w.answer)
	return w
}

// answer writes the answer to all flows that are alike.
func (w *batchWorker) answer(v corridor.Verdict, err error) *batchAnswer {
	a := newBatchAnswer(v, err)
	if err != nil {
		return a
	}
	if same := w.texts[string(a.text)]; same != nil {
		return same
	}
	if len(w.texts) == law.MaxBatchAnswers {
		clear(w.texts)
	}
	w.texts[string(a.text)] = a
	return a
}

func (w *batchWorker) decide(p *part) {
	p.out = p.out[:0]
	p.tally.reset()
	text, number, long := string(p.data), p.first, p.long
	for ; len(text) > 0; number++ {
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		if len(long) > 0 && long[0] == number {
			long = long[1:]
			w.put(p, number, newBatchAnswer(corridor.Verdict{}, &corridor.Error{Kind: corridor.Limited, Msg: "the line is longer than " + strconv.Itoa(maxBatchLine) + " bytes", Fix: "write one flow a line"}))
			continue
		}
		if blank(line) {
			continue
		}
		w.put(p, number, w.flows.Line(line))
	}
	for _, a := range w.touched {
		p.tally.count(a)
		a.n = 0
	}
	w.touched = w.touched[:0]
}

func blank(line string) bool { return len(line) < 8 && strings.TrimSpace(line) == "" }

// put writes one answer and counts it.
func (w *batchWorker) put(p *part, number int, a *batchAnswer) {
	if w.lines {
		p.out = append(p.out, `{"line":`...)
		p.out = strconv.AppendInt(p.out, int64(number), 10)
		p.out = append(p.out, ',')
		p.out = append(p.out, bytes.TrimPrefix(a.text, []byte("{"))...)
		p.out = append(p.out, '\n')
	}
	if a.bad != "" {
		p.tally.refuse(number, a.bad)
		return
	}
	if a.n++; a.n == 1 {
		w.touched = append(w.touched, a)
	}
}
