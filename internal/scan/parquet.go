package scan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// parquetSource turns the rows of a Parquet file into text, row group by row
// group, so that the same recognisers see them.
type parquetSource struct {
	name   string
	file   *parquet.File
	raw    io.ReaderAt
	size   int64
	leaves []leaf
	groups []parquet.RowGroup
	rows   parquet.Rows
	buf    []parquet.Row
	text   []byte
	tab    [256]uint16
	row    int64
	max    int
}

// leaf is one column of values, and how to write them as text.
type leaf struct {
	name  string
	write func(dst []byte, v parquet.Value) []byte
}

// sized is what Parquet needs from its input: the index is at the end.
type sized interface {
	io.ReaderAt
	io.Seeker
}

const fixParquet = "export the file again; it is damaged or was cut in transfer"

func newParquet(r io.Reader, name string, o Options) (src source, err error) {
	ra, ok := r.(sized)
	if !ok {
		return nil, invalid(name, "Parquet cannot be read from a stream: its index is at the end", "save it to a file and scan that")
	}
	if o.size == 0 {
		if o.size, err = ra.Seek(0, io.SeekEnd); err != nil {
			return nil, invalid(name, "Parquet cannot be read from a pipe: its index is at the end", "save it to a file and scan that")
		}
	}
	// The decoder is foreign code fed with foreign bytes: what it does not
	// foresee must end as a refusal, not as a crash.
	defer func() {
		if p := recover(); p != nil {
			src, err = nil, invalid(name, "is not readable as Parquet", fixParquet)
		}
	}()
	if err := checkFooter(ra, o.size); err != nil {
		return nil, invalid(name, err.Error(), fixParquet)
	}
	f, err := parquet.OpenFile(ra, o.size, &parquet.FileConfig{SkipPageIndex: true, SkipBloomFilters: true, ReadBufferSize: 64 << 10, ReadMode: parquet.ReadModeSync})
	if err != nil {
		return nil, invalid(name, "is not readable as Parquet: "+err.Error(), fixParquet)
	}
	s := &parquetSource{name: name, file: f, raw: ra, size: o.size, groups: f.RowGroups(), tab: charClass(), max: o.MaxField, buf: make([]parquet.Row, 64)}
	if err := s.schema(o.MaxColumns); err != nil {
		return nil, err
	}
	return s, nil
}

// checkFooter tells a file that was cut from one that is something else.
func checkFooter(r io.ReaderAt, size int64) error {
	var tail [8]byte
	if size < 12 {
		return errors.New("is too short for Parquet")
	}
	if _, err := r.ReadAt(tail[:], size-8); err != nil && err != io.EOF {
		return fmt.Errorf("cannot be read at its end: %w", err)
	}
	if string(tail[4:]) != "PAR1" {
		return errors.New("ends before the Parquet index: the file was cut short")
	}
	if n := int64(tail[0]) | int64(tail[1])<<8 | int64(tail[2])<<16 | int64(tail[3])<<24; n > size-12 || n > 64<<20 {
		return errors.New("has a Parquet index larger than the file or than 64 MiB")
	}
	return nil
}

func (s *parquetSource) columns() []string {
	names := make([]string, len(s.leaves))
	for i, l := range s.leaves {
		names[i] = l.name
	}
	return names
}

// schema lists the leaves and bounds what the file claims about itself.
func (s *parquetSource) schema(maxCols int) error {
	var walk func(c *parquet.Column, path []string)
	walk = func(c *parquet.Column, path []string) {
		if c.Leaf() {
			s.leaves = append(s.leaves, leaf{tidyName(strings.Join(path, ".")), writerFor(c)})
			return
		}
		for _, child := range c.Columns() {
			walk(child, append(path[:len(path):len(path)], child.Name()))
		}
	}
	walk(s.file.Root(), nil)
	if len(s.leaves) > maxCols {
		return invalid(s.name, fmt.Sprintf("%d columns, more than %d", len(s.leaves), maxCols), "scan it in parts")
	}
	for _, g := range s.file.Metadata().RowGroups {
		for _, c := range g.Columns {
			if m := c.MetaData; m.TotalCompressedSize < 0 || m.TotalCompressedSize > s.size || m.DataPageOffset < 0 || m.DataPageOffset > s.size || m.NumValues < 0 {
				return invalid(s.name, "the Parquet index names parts outside the file", fixParquet)
			}
		}
	}
	return nil
}

// next fills a batch with rows, as text.
func (s *parquetSource) next(b *batch) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = badRow(s.name, s.row+1, fixParquet, "a page cannot be decoded")
		}
	}()
	for len(b.data) < 128<<10 && len(b.rows) < 8192 {
		if s.rows == nil {
			if len(s.groups) == 0 {
				break
			}
			if err := s.checkPages(len(s.file.RowGroups()) - len(s.groups)); err != nil {
				return err
			}
			s.rows, s.groups = s.groups[0].Rows(), s.groups[1:]
		}
		n, err := s.rows.ReadRows(s.buf)
		for _, row := range s.buf[:n] {
			if err := s.add(b, row); err != nil {
				return err
			}
		}
		if err == io.EOF || err == nil && n == 0 {
			s.rows.Close()
			s.rows = nil
		} else if err != nil {
			return badRow(s.name, s.row+1, fixParquet, "a page cannot be decoded: %v", err)
		}
	}
	if len(b.rows) == 0 {
		return io.EOF
	}
	return nil
}

func (s *parquetSource) add(b *batch, row parquet.Row) error {
	s.row++
	for _, v := range row {
		col := v.Column()
		if col < 0 || col >= len(s.leaves) || v.IsNull() {
			continue
		}
		s.text = s.leaves[col].write(s.text[:0], v)
		if len(s.text) > s.max {
			return badRow(s.name, s.row, "leave the column out", "column %s: a value is longer than %d bytes", s.leaves[col].name, s.max)
		}
		b.add(col, s.text, &s.tab)
	}
	b.endRow(s.row)
	return nil
}

// digest hashes the whole file, since rows are not read in file order.
func (s *parquetSource) digest(ctx context.Context, d *digest) error {
	fresh := newDigest(io.NewSectionReader(s.raw, 0, s.size))
	*d = *fresh
	buf := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err := d.Read(buf)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
	}
}

// writerFor picks the text form of a column: days as 2006-01-02, moments as
// RFC 3339, decimals with their point.
func writerFor(c *parquet.Column) func([]byte, parquet.Value) []byte {
	lt := c.Type().LogicalType()
	switch c.Type().Kind() {
	case parquet.Boolean:
		return func(dst []byte, v parquet.Value) []byte { return strconv.AppendBool(dst, v.Boolean()) }
	case parquet.Int32, parquet.Int64:
		return intWriter(c, lt)
	case parquet.Float:
		return func(dst []byte, v parquet.Value) []byte {
			return strconv.AppendFloat(dst, float64(v.Float()), 'f', -1, 32)
		}
	case parquet.Double:
		return func(dst []byte, v parquet.Value) []byte { return strconv.AppendFloat(dst, v.Double(), 'f', -1, 64) }
	case parquet.ByteArray, parquet.FixedLenByteArray:
		if scale, ok := decimalScale(lt); ok {
			return func(dst []byte, v parquet.Value) []byte { return appendDecimal(dst, bigEndian(v.ByteArray()), scale) }
		}
		return appendBytes
	}
	return func(dst []byte, v parquet.Value) []byte { return append(dst, v.String()...) }
}

func intWriter(c *parquet.Column, lt *format.LogicalType) func([]byte, parquet.Value) []byte {
	get := func(v parquet.Value) int64 { return v.Int64() }
	if c.Type().Kind() == parquet.Int32 {
		get = func(v parquet.Value) int64 { return int64(v.Int32()) }
	}
	if scale, ok := decimalScale(lt); ok {
		return func(dst []byte, v parquet.Value) []byte { return appendDecimal(dst, big.NewInt(get(v)), scale) }
	}
	if lt != nil {
		switch t := lt.Value.(type) {
		case *format.DateType:
			return func(dst []byte, v parquet.Value) []byte {
				return time.Unix(get(v)*86400, 0).UTC().AppendFormat(dst, "2006-01-02")
			}
		case *format.TimestampType:
			unit := int64(time.Microsecond)
			if t.Unit.Value != nil {
				unit = max(1, int64(t.Unit.Value.Duration()))
			}
			perSecond := int64(time.Second) / unit
			return func(dst []byte, v parquet.Value) []byte {
				n := get(v)
				return time.Unix(n/perSecond, n%perSecond*unit).UTC().AppendFormat(dst, "2006-01-02T15:04:05Z")
			}
		}
	}
	return func(dst []byte, v parquet.Value) []byte { return strconv.AppendInt(dst, get(v), 10) }
}

func decimalScale(lt *format.LogicalType) (int, bool) {
	if lt == nil {
		return 0, false
	}
	d, ok := lt.Value.(*format.DecimalType)
	return int(scaleOf(d)), ok && d.Scale >= 0 && d.Scale <= 76
}

func scaleOf(d *format.DecimalType) int32 {
	if d == nil {
		return 0
	}
	return d.Scale
}

func bigEndian(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

func appendDecimal(dst []byte, n *big.Int, scale int) []byte {
	s := n.String()
	if strings.HasPrefix(s, "-") {
		dst, s = append(dst, '-'), s[1:]
	}
	if scale == 0 {
		return append(dst, s...)
	}
	for len(s) <= scale {
		s = "0" + s
	}
	dst = append(dst, s[:len(s)-scale]...)
	return append(append(dst, '.'), s[len(s)-scale:]...)
}

// appendBytes keeps text as it is and says of other bytes only that they are.
func appendBytes(dst []byte, v parquet.Value) []byte {
	b := v.ByteArray()
	if utf8.Valid(b) {
		return append(dst, b...)
	}
	return append(dst, binaryMark...)
}

// binaryMark stands for a value that is not text.
const binaryMark = "\x00binary"
