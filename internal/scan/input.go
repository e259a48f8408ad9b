package scan

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
	textunicode "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"corridor"
)

// sampleSize is how much of the beginning decides format and layout.
const sampleSize = 256 << 10

// input is an opened file: its rows, and what is known about the whole.
type input struct {
	name     string
	format   string
	encoding string
	layout   csvLayout
	src      source
	raw      *digest
	whole    *whole
	track    *track
	text     *bufio.Reader // of whole and track
	guessed  bool          // the encoding was guessed from the letters, not declared
}

// open finds out what r holds and prepares to read it.
func open(r io.Reader, name string, o Options) (*input, error) {
	in := &input{name: name, raw: newDigest(r)}
	br := bufio.NewReaderSize(in.raw, sampleSize)
	sample, err := br.Peek(sampleSize)
	whole := errors.Is(err, io.EOF)
	if err != nil && !whole {
		return nil, located(err, name)
	}
	if len(sample) == 0 {
		return nil, invalid(name, "the file is empty", "scan a file that has rows")
	}
	if o.Format == "" && in.special(br, sample) {
		return in, nil
	}
	if in.format, err = formatOf(sample, name, o); err != nil {
		return nil, err
	}
	if in.format == "parquet" {
		in.src, err = newParquet(r, name, o)
		return in, err
	}
	text, err := in.decode(br, sample, whole, o)
	if err != nil {
		return nil, err
	}
	tr := bufio.NewReaderSize(text, sampleSize)
	sample, err = tr.Peek(sampleSize)
	whole = errors.Is(err, io.EOF)
	if err != nil && !whole {
		return nil, located(err, name)
	}
	return in, in.openText(tr, sample, whole, o)
}

// special recognises files whose format says what they hold.
func (in *input) special(br *bufio.Reader, sample []byte) bool {
	if in.whole = wholeFormat(sample); in.whole != nil {
		in.format, in.text = in.whole.format, br
		return true
	}
	if in.track = trackFormat(sample); in.track != nil {
		in.format, in.text = in.track.format, br
		return true
	}
	return false
}

// report reads a special file to its end.
func (in *input) report(ctx context.Context, t *table) (*Report, error) {
	if in.track != nil {
		if err := in.track.read(ctx, in.name, in.text); err != nil {
			return nil, err
		}
		return in.track.report(t), nil
	}
	if err := in.whole.read(ctx, in.text); err != nil {
		return nil, err
	}
	return in.whole.report(t), nil
}

func (in *input) openText(tr *bufio.Reader, sample []byte, whole bool, o Options) error {
	if len(bytes.TrimSpace(sample)) == 0 && whole {
		return invalid(in.name, "the file has no rows", "scan a file that has rows")
	}
	if o.Format == "" && featureCollection(sample) {
		in.format, in.src = "geojson", newJSONL(newFeatures(tr, in.name), in.name, o)
		return nil
	}
	if o.Format == "" && in.format == "csv" {
		switch first := bytes.TrimLeft(sample, " \t\r\n"); {
		case len(first) > 0 && first[0] == '{':
			in.format = "jsonl"
		case jsonArray(first):
			return invalid(in.name, "is one JSON array, not one object per line", "convert it, for example with jq -c '.[]'")
		}
	}
	if in.format == "jsonl" {
		in.src = newJSONL(tr, in.name, o)
		return nil
	}
	l, skip, err := sniff(sample, whole, in.name, o)
	if err != nil {
		return err
	}
	if _, err := tr.Discard(skip); err != nil {
		return located(err, in.name)
	}
	in.layout = l
	src := newCSV(tr, in.name, l, o)
	src.row = l.row
	in.src = src
	return nil
}

func jsonArray(b []byte) bool {
	if len(b) == 0 || b[0] != '[' {
		return false
	}
	b = bytes.TrimLeft(b[1:], " \t\r\n")
	return len(b) > 0 && b[0] == '{'
}

// finish reads what is left, so that size and digest are of the whole file.
func (in *input) finish(ctx context.Context) error {
	if p, ok := in.src.(*parquetSource); ok {
		return p.digest(ctx, in.raw)
	}
	if _, err := io.Copy(io.Discard, in.raw); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	return nil
}

func (in *input) describe(rep *Report) {
	rep.Format, rep.Encoding = in.format, in.encoding
	rep.Bytes, rep.SHA256 = in.raw.n, in.raw.hex()
	rep.Header = true
	if c, ok := in.src.(*csvSource); ok {
		rep.Header, rep.Delimiter = in.layout.header, string(rune(in.layout.delim))
		if c.bare > 0 {
			rep.warn("bare_quotes", c.bare)
		}
		if in.layout.guessed {
			rep.warn("header_guessed", in.layout.header)
		}
	}
	if in.guessed {
		rep.warn("encoding_guessed", in.encoding)
	} else if in.encoding != "" && in.encoding != "utf-8" {
		rep.warn("decoded", in.encoding)
	}
}

// magics are beginnings of files that people mistake for tables.
var magics = []struct{ prefix, what, fix string }{
	{"PK\x03\x04", "an Excel workbook or a ZIP archive", "save the sheet as CSV in UTF-8, or unpack the archive"},
	{"\xd0\xcf\x11\xe0", "an old Excel or Office file", "save the sheet as CSV in UTF-8"},
	{"\x1f\x8b", "a gzip file", "unpack it: gunzip -c FILE | corridor scan -"},
	{"\x28\xb5\x2f\xfd", "a Zstandard file", "unpack it: zstd -dc FILE | corridor scan -"},
	{"%PDF", "a PDF document", "scan the table it was made from"},
	{"SQLite format 3\x00", "an SQLite database", "export the table as CSV"},
	{"Obj\x01", "an Avro file", "convert it to Parquet or JSON Lines"},
	{"ORC", "an ORC file", "convert it to Parquet"},
	{"\x7fELF", "a program", "scan a CSV, JSON Lines or Parquet file"},
	{"\x89PNG", "an image", "scan a CSV, JSON Lines or Parquet file"},
	{"\xff\xd8\xff", "an image", "scan a CSV, JSON Lines or Parquet file"},
}

func formatOf(sample []byte, name string, o Options) (string, error) {
	switch o.Format {
	case "parquet", "csv", "jsonl":
	case "":
		if bytes.HasPrefix(sample, []byte("PAR1")) {
			return "parquet", nil
		}
	default:
		return "", invalid(name, fmt.Sprintf("format %q is not known", o.Format), "use csv, jsonl or parquet")
	}
	if o.Format == "parquet" {
		return "parquet", nil
	}
	for _, m := range magics {
		if bytes.HasPrefix(sample, []byte(m.prefix)) && (m.prefix != "ORC" || bytes.IndexByte(sample, 0) >= 0) {
			return "", invalid(name, "is "+m.what+", not a table in text", m.fix)
		}
	}
	ext := strings.ToLower(filepath.Ext(name))
	switch {
	case o.Format != "":
		return o.Format, nil
	case ext == ".parquet":
		return "", invalid(name, "does not begin as Parquet does (PAR1)", "export it again, or rename it to what it is")
	case ext == ".jsonl", ext == ".ndjson":
		return "jsonl", nil
	}
	return "csv", nil
}

func invalid(where, msg, fix string) error {
	return &corridor.Error{Kind: corridor.Invalid, Where: where, Msg: msg, Fix: fix}
}

// decode turns the input into UTF-8 without a byte order mark.
func (in *input) decode(br *bufio.Reader, sample []byte, whole bool, o Options) (io.Reader, error) {
	in.encoding = strings.ToLower(o.Encoding)
	if in.encoding == "" {
		in.encoding, in.guessed = encodingOf(sample, whole)
	}
	var enc encoding.Encoding
	switch in.encoding {
	case "utf-8", "utf8":
		in.encoding = "utf-8"
		if bytes.HasPrefix(sample, []byte("\xef\xbb\xbf")) {
			_, err := br.Discard(3)
			return br, err
		}
		return br, nil
	case "utf-16le":
		enc = textunicode.UTF16(textunicode.LittleEndian, textunicode.UseBOM)
	case "utf-16be":
		enc = textunicode.UTF16(textunicode.BigEndian, textunicode.UseBOM)
	case "gb18030", "gbk", "gb2312":
		enc = simplifiedchinese.GB18030
	case "windows-1251", "cp1251":
		enc = charmap.Windows1251
	case "binary":
		return nil, invalid(in.name, "is a binary file", "scan a CSV, JSON Lines or Parquet file")
	case "unknown":
		return nil, invalid(in.name, "is not UTF-8, and its encoding cannot be told", "convert it to UTF-8, or name it with --encoding gb18030, windows-1251, utf-16le or utf-16be")
	default:
		return nil, invalid(in.name, fmt.Sprintf("encoding %q is not known", in.encoding), "use utf-8, utf-16le, utf-16be, gb18030 or windows-1251")
	}
	if strings.HasPrefix(in.encoding, "utf-16") && !hasUTF16Mark(sample) {
		order := textunicode.LittleEndian
		if in.encoding == "utf-16be" {
			order = textunicode.BigEndian
		}
		enc = textunicode.UTF16(order, textunicode.IgnoreBOM)
	}
	return transform.NewReader(br, enc.NewDecoder()), nil
}

func hasUTF16Mark(b []byte) bool {
	return bytes.HasPrefix(b, []byte{0xff, 0xfe}) || bytes.HasPrefix(b, []byte{0xfe, 0xff})
}

// encodingOf names the encoding of a sample; guessed if nothing declares it.
func encodingOf(sample []byte, whole bool) (name string, guessed bool) {
	switch {
	case bytes.HasPrefix(sample, []byte("\xef\xbb\xbf")):
		return "utf-8", false
	case bytes.HasPrefix(sample, []byte{0xff, 0xfe}):
		return "utf-16le", false
	case bytes.HasPrefix(sample, []byte{0xfe, 0xff}):
		return "utf-16be", false
	}
	if name := nulPattern(sample); name != "" {
		return name, name != "binary"
	}
	if !whole {
		sample = trimPartialRune(sample)
	}
	if utf8.Valid(sample) {
		if controls(sample) {
			return "binary", false
		}
		return "utf-8", false
	}
	return legacy(sample), true
}

// nulPattern tells UTF-16 without a mark from binary by where the NULs are.
// A few NULs are left for the parser, which can name the row.
func nulPattern(sample []byte) string {
	var at [2]int
	for i, c := range sample {
		if c == 0 {
			at[i&1]++
		}
	}
	half := len(sample) / 2
	switch {
	case at[0]+at[1] == 0 || half == 0:
		return ""
	case at[1]*5 > half*2 && at[0]*20 < half:
		return "utf-16le"
	case at[0]*5 > half*2 && at[1]*20 < half:
		return "utf-16be"
	case (at[0]+at[1])*50 > len(sample):
		return "binary"
	}
	return ""
}

func trimPartialRune(b []byte) []byte {
	for i := 1; i <= 3 && i <= len(b); i++ {
		if c := b[len(b)-i]; c >= 0xc0 {
			if !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}

// controls says whether a text has more control characters than text has.
func controls(sample []byte) bool {
	n := 0
	for _, c := range sample {
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != 0 {
			n++
		}
	}
	return n*20 > len(sample)
}

// legacy tells GB18030 from Windows-1251 by the letters that they would give:
// common Han characters are two bytes, the first in B0-D7; Russian lower-case
// letters are E0-FF, in runs of any length.
func legacy(sample []byte) string {
	var high, han, cyr, odd int
	for i := 0; i < len(sample); {
		if sample[i] < 0x80 {
			i++
			continue
		}
		j := i
		for j < len(sample) && sample[j] >= 0x80 {
			high++
			if sample[j] >= 0xc0 || sample[j] == 0xa8 || sample[j] == 0xb8 {
				cyr++
			}
			j++
		}
		if (j-i)%2 == 1 {
			odd++
		}
		for k := i; k+1 < j; k += 2 {
			if sample[k] >= 0xb0 && sample[k] <= 0xd7 && sample[k+1] >= 0xa1 {
				han += 2
			}
		}
		i = j
	}
	switch {
	case high == 0 || controls(sample):
		return "unknown"
	case han*10 > high*7 && odd*20 <= high:
		return "gb18030"
	case cyr*10 > high*9:
		return "windows-1251"
	}
	return "unknown"
}
