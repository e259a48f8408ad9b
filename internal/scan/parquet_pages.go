package scan

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/format"
)

// The decoder takes the memory that the header of a page claims before it has
// read one byte of the page: a damaged file of 4 KB made it take 2 GB. So the
// headers of a row group are read here first, and what they claim is bounded
// by the file and by these limits.
const (
	maxPage       = 128 << 20 // bytes, decompressed
	maxPageValues = 1 << 24
	maxHeaderText = 1 << 20 // the least and the greatest value of a page
	maxNesting    = 8       // of structures in a header
)

var errHeader = errors.New("its header is damaged")

// checkPages reads the headers of all pages of a row group.
func (s *parquetSource) checkPages(group int) error {
	for i, c := range s.file.Metadata().RowGroups[group].Columns {
		if err := checkChunk(s.raw, &c.MetaData); err != nil {
			name := fmt.Sprint(i + 1)
			if i < len(s.leaves) {
				name = s.leaves[i].name
			}
			return badRow(s.name, s.row+1, fixParquet, "column %s: a page cannot be decoded: %v", name, err)
		}
	}
	return nil
}

// checkChunk walks from page to page of one column.
func checkChunk(r io.ReaderAt, m *format.ColumnMetaData) error {
	at := m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		at = m.DictionaryPageOffset
	}
	if at < 0 {
		return errHeader
	}
	section := io.NewSectionReader(r, at, m.TotalCompressedSize)
	in := bufio.NewReaderSize(section, 512)
	for pos := int64(0); pos < m.TotalCompressedSize; {
		if _, err := section.Seek(pos, io.SeekStart); err != nil {
			return fmt.Errorf("seek: %w", err)
		}
		in.Reset(section)
		h := pageHeader{in: in}
		if err := h.read(); err != nil {
			return err
		}
		left := m.TotalCompressedSize - pos - h.n
		switch {
		case h.packed < 0 || h.packed > left:
			return fmt.Errorf("its header claims %d bytes where %d are left", h.packed, left)
		case h.size < 0 || h.size > maxPage:
			return fmt.Errorf("its header claims %d bytes decompressed, and at most %d MiB are read", h.size, maxPage>>20)
		}
		pos += h.n + h.packed
	}
	return nil
}

// pageHeader reads what matters of a page's header, which is a structure of
// Thrift's compact protocol, and counts its bytes.
type pageHeader struct {
	in           *bufio.Reader
	n            int64
	size, packed int64
}

// The types of the compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftStruct = 12
)

func (h *pageHeader) read() error {
	return h.structure(0, func(id int64, kind byte) (bool, error) {
		switch id {
		case 2:
			return true, h.number(kind, &h.size)
		case 3:
			return true, h.number(kind, &h.packed)
		case 5, 7, 8: // what kind of page it is
			if kind != thriftStruct {
				return true, errHeader
			}
			return true, h.structure(1, h.kindOfPage)
		}
		return false, nil
	})
}

// kindOfPage takes the number of values from the part of a header that says
// of what kind its page is.
func (h *pageHeader) kindOfPage(id int64, kind byte) (bool, error) {
	if id != 1 {
		return false, nil
	}
	var n int64
	if err := h.number(kind, &n); err != nil {
		return true, err
	}
	if n < 0 || n > maxPageValues {
		return true, fmt.Errorf("its header claims %d values, and at most %d are read", n, maxPageValues)
	}
	return true, nil
}

// number reads a field that has to be a number of 32 bits.
func (h *pageHeader) number(kind byte, into *int64) error {
	if kind != thriftI32 {
		return errHeader
	}
	return h.integer(into)
}

// structure reads fields up to the end of a structure; take says whether it
// has read the field.
func (h *pageHeader) structure(depth int, take func(id int64, kind byte) (bool, error)) error {
	if depth > maxNesting {
		return errHeader
	}
	id := int64(0)
	for {
		b, err := h.octet()
		if err != nil {
			return err
		}
		if b == 0 {
			return nil
		}
		if delta := int64(b >> 4); delta != 0 {
			id += delta
		} else if err := h.integer(&id); err != nil {
			return err
		}
		kind := b & 15
		taken, err := take(id, kind)
		if err == nil && !taken {
			err = h.skip(kind, depth)
		}
		if err != nil {
			return err
		}
	}
}

// skip passes over a field. Lists and maps do not occur in headers of pages.
func (h *pageHeader) skip(kind byte, depth int) error {
	var n int64
	switch {
	case kind == thriftTrue || kind == thriftFalse:
		return nil
	case kind == thriftByte:
		n = 1
	case kind >= thriftI16 && kind <= thriftI64:
		return h.integer(&n)
	case kind == thriftDouble:
		n = 8
	case kind == thriftBinary:
		u, err := h.varint()
		if err != nil || u > maxHeaderText {
			return errHeader
		}
		n = int64(u)
	case kind == thriftStruct:
		return h.structure(depth+1, func(int64, byte) (bool, error) { return false, nil })
	default:
		return errHeader
	}
	h.n += n
	if _, err := h.in.Discard(int(n)); err != nil {
		return errHeader
	}
	return nil
}

func (h *pageHeader) octet() (byte, error) {
	b, err := h.in.ReadByte()
	if err != nil {
		return 0, errHeader
	}
	h.n++
	return b, nil
}

// varint reads seven bits of every byte, ten bytes at most.
func (h *pageHeader) varint() (u uint64, err error) {
	for shift := 0; shift < 70; shift += 7 {
		b, err := h.octet()
		if err != nil {
			return 0, err
		}
		if u |= uint64(b&127) << shift; b < 128 {
			return u, nil
		}
	}
	return 0, errHeader
}

// integer reads a number with its sign in the lowest bit.
func (h *pageHeader) integer(into *int64) error {
	u, err := h.varint()
	*into = int64(u>>1) ^ -int64(u&1)
	return err
}
