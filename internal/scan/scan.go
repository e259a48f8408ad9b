// Package scan looks into a file and says what kinds of data it holds: a type
// and a set of recognised identifiers for every column, how many people it is
// about, and the facts of the shared vocabulary that follow.
//
// A scan proves presence, never absence: it proposes that a file has personal
// data, and stays silent where it found nothing. Values are looked at in
// passing and never kept: counts, masked shapes and keyed 64-bit hashes are
// all that survives a row, and the hashes die with the scan.
//
// The file is streamed once, in blocks: one goroutine reads, hashes and parses,
// another classifies, a third measures and counts different values. Where all
// rows have the same columns, a block is gone through column by column. Memory
// does not grow with the file.
package scan

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"time"

	"corridor"
)

// Options steer a scan. The zero value is right for most files.
type Options struct {
	Format    string        // csv, jsonl or parquet; empty: look at the content
	Delimiter byte          // of CSV; 0: find out
	Header    string        // "yes", "no", or empty: find out
	Encoding  string        // utf-8, utf-16le, utf-16be, gb18030 or windows-1251; empty: find out
	Lang      string        // of reasons and warnings: en (default), zh or ru
	Today     corridor.Date // for ages; zero: the day of the scan
	Threshold float64       // confidence from which a class is proposed as a fact; 0: 0.6

	MaxField   int   // bytes of one value; 0: 1 MiB
	MaxRecord  int   // bytes of one row or line; 0: 8 MiB
	MaxColumns int   // 0: 4096
	ExactLimit int   // people counted exactly before estimating; 0: 1,000,000
	blockSize  int   // bytes read at once; tests make it small
	size       int64 // of the source, where it is known and Parquet needs it
	byRow      bool  // tests compare the ways to go through a batch
	tables     *tables
}

// Report is what a scan found.
type Report struct {
	File      string         `json:"file"`
	Format    string         `json:"format"`
	Encoding  string         `json:"encoding,omitempty"`
	Delimiter string         `json:"delimiter,omitempty"`
	Header    bool           `json:"header"`
	Rows      int64          `json:"rows"`
	Bytes     int64          `json:"bytes"`
	SHA256    string         `json:"sha256"`
	Columns   []Column       `json:"columns"`
	Subjects  Count          `json:"subjects"`
	Sensitive Count          `json:"sensitive_subjects"`
	Extent    *Extent        `json:"extent,omitempty"`
	Facts     corridor.Facts `json:"facts"`
	Warnings  []string       `json:"warnings"`

	lang string
}

// Column is one column of a table, or one path of JSON or Parquet.
type Column struct {
	Name          string    `json:"name"`
	Type          string    `json:"type"` // int, decimal, bool, date, datetime, text, binary or empty
	Values        int64     `json:"values"`
	Nulls         int64     `json:"nulls"`
	Distinct      int64     `json:"distinct"`
	DistinctExact bool      `json:"distinct_exact"`
	MinLength     int       `json:"min_length"` // in characters
	MaxLength     int       `json:"max_length"`
	Shape         string    `json:"shape,omitempty"` // of one value, masked: 9 a digit, a and A letters, 字 a Han character
	Classes       []Finding `json:"classes"`
	Unknown       bool      `json:"unknown,omitempty"` // text in which nothing was recognised, and that may name people
}

// Finding is one class of data in a column, and why.
type Finding struct {
	Class      string  `json:"class"`      // a member of the vocabulary's data_classes; empty: recognised, and no class of its own
	Identifier string  `json:"identifier"` // what was recognised, for example cn_resident_id
	Confidence float64 `json:"confidence"` // 0 to 1
	Reason     string  `json:"reason"`
}

// Count is a number of people as an interval that holds under the stated basis.
type Count struct {
	Min      int64    `json:"min"`
	Max      int64    `json:"max"`
	Estimate int64    `json:"estimate"`
	Exact    bool     `json:"exact"`
	Open     bool     `json:"open,omitempty"` // there may be more than Max: texts name people too
	Basis    string   `json:"basis"`
	Columns  []string `json:"columns,omitempty"`
}

// File scans the file at path.
func File(ctx context.Context, path string, o Options) (*Report, error) {
	f, err := openRegular(ctx, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		o.size = info.Size()
	}
	return read(ctx, f, path, o)
}

func openRegular(ctx context.Context, path string) (*os.File, error) {
	f, err := opened(ctx, path)
	if e := stopped(err, path); e != nil {
		return nil, e
	}
	if err == nil {
		info, statErr := f.Stat()
		if statErr == nil && !info.IsDir() {
			return f, nil
		}
		f.Close()
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: "is a directory", Fix: "name one file in it", Err: quiet(statErr)}
	}
	e := &corridor.Error{Kind: corridor.Invalid, Where: path, Msg: "cannot be opened", Err: err, Fix: "check the path and the permissions"}
	if errors.Is(err, fs.ErrNotExist) {
		e.Msg, e.Err, e.Fix = "no such file", nil, "check the path"
	}
	return nil, e
}

// quiet drops a nil inside an interface.
func quiet(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("stat: %w", err)
}

// Reader scans a stream. format may be empty to find out from the content.
// Parquet keeps its index at the end: r must then also be an io.ReaderAt and
// an io.Seeker, as files and bytes.Reader are.
func Reader(ctx context.Context, r io.Reader, format string, o Options) (*Report, error) {
	if format != "" {
		o.Format = format
	}
	return read(ctx, r, "input", o)
}

func read(ctx context.Context, r io.Reader, name string, o Options) (*Report, error) {
	o = o.withDefaults()
	if mayWait(r) {
		r = &stoppable{ctx: ctx, r: r}
	}
	in, err := open(r, name, o)
	if err != nil {
		return nil, err
	}
	t := newTable(in.name, o)
	var rep *Report
	if in.src == nil {
		rep, err = in.report(ctx, t)
	} else {
		t.addColumns(in.src.columns())
		err = pump(ctx, in.src, t.consume)
	}
	if err != nil {
		return nil, located(err, name)
	}
	if err := in.finish(ctx); err != nil {
		return nil, located(err, name)
	}
	if rep == nil {
		rep = t.report()
	}
	in.describe(rep)
	return rep, nil
}

func (o Options) withDefaults() Options {
	set := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	set(&o.MaxField, 1<<20)
	set(&o.MaxRecord, 8<<20)
	set(&o.MaxColumns, 4096)
	set(&o.ExactLimit, 1_000_000)
	set(&o.blockSize, 256<<10)
	if o.tables == nil {
		o.tables = newTables()
	}
	if o.Threshold <= 0 {
		o.Threshold = 0.6
	}
	if o.Today == 0 {
		o.Today = corridor.DateOf(time.Now())
	}
	return o
}

// located makes sure that an error names the file it is about.
func located(err error, name string) error {
	var e *corridor.Error
	if errors.As(err, &e) {
		if e.Where == "" {
			e.Where = name
		}
		return err
	}
	if e := stopped(err, name); e != nil {
		return e
	}
	return &corridor.Error{Kind: corridor.Unavailable, Where: name, Msg: "cannot be read", Err: err}
}

// digest passes bytes through while counting and hashing them.
type digest struct {
	r   io.Reader
	sum hash.Hash
	n   int64
}

func newDigest(r io.Reader) *digest { return &digest{r: r, sum: sha256.New()} }

func (d *digest) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	d.sum.Write(p[:n])
	d.n += int64(n)
	return n, err
}

func (d *digest) hex() string { return hex.EncodeToString(d.sum.Sum(nil)) }
