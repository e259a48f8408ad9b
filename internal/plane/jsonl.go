package plane

import (
	"bytes"
	"context"
	"fmt"

	"corridor"
)

// jsonlCodec reads one JSON object per line. The columns are the members of
// the first record. A later record may leave some out, but one that brings a
// member of another name is refused: nobody has looked at it, and no stage
// covers it.
type jsonlCodec struct {
	plan  Plan
	key   []byte
	names []string
}

func prepareJSONL(ctx context.Context, src Content, plan Plan, key []byte) (program, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	b, mark, err := beginning(src, 2*MaxRow)
	if err != nil {
		return nil, err
	}
	line, row := firstRecord(b[mark:])
	if line == nil {
		return nil, &corridor.Error{Kind: corridor.Invalid, Msg: "the file has no record", Fix: "publish a file with one JSON object per line"}
	}
	if len(line) > MaxRow {
		return nil, (&rowError{err: tooLong()}).at(row)
	}
	names, err := memberNames(line)
	if err != nil {
		return nil, (&rowError{err: err}).at(row)
	}
	cells, err := bind(plan, names, key)
	if err != nil {
		return nil, err
	}
	c := &jsonlCodec{plan: plan, key: key, names: names}
	return &textProgram{src: src, codec: c, body: int64(mark), names: kept(cells)}, nil
}

// firstRecord finds the first line that is not empty, and its number.
func firstRecord(b []byte) ([]byte, int64) {
	for row := int64(1); len(b) > 0; row++ {
		line, rest, _ := bytes.Cut(b, []byte{'\n'})
		if len(trimJSON(line)) > 0 {
			return line, row
		}
		b = rest
	}
	return nil, 0
}

func memberNames(line []byte) ([]string, error) {
	if badByte(line) >= 0 {
		return nil, badText()
	}
	var names []string
	var plain []byte
	have := map[string]bool{}
	err := eachMember(line, func(m member) (err error) {
		if plain, err = unquoteJSON(plain[:0], m.key); err != nil {
			return err
		}
		name := string(plain)
		switch {
		case have[name]:
			return memberTwice(name)
		case len(names) == MaxColumns:
			return corridor.E(corridor.Limited, "the record has more than %d members", MaxColumns)
		}
		have[name] = true
		names = append(names, name)
		return nil
	})
	return names, err
}

func memberTwice(name string) error {
	return &rowError{column: name, err: &corridor.Error{Kind: corridor.Invalid, Msg: "the record has this member twice"}}
}

func (c *jsonlCodec) split(b []byte) int { return bytes.LastIndexByte(b, '\n') + 1 }

func (c *jsonlCodec) worker() rowWorker {
	cells, err := bind(c.plan, c.names, c.key)
	w := &jsonlWorker{cells: cells, err: err, index: make(map[string]int, len(cells)), seen: make([]int64, len(cells))}
	for i := range cells {
		w.index[cells[i].name] = i
	}
	w.open = len(c.plan.Stages) == 0
	return w
}

// jsonlWorker transforms records. Members that stay are copied as they stand.
type jsonlWorker struct {
	cells   []cell
	index   map[string]int
	seen    []int64 // by column: the record that had it last
	record  int64
	open    bool // no stage: members that the first record lacks may pass
	err     error
	scratch [2][]byte
	key     []byte
	value   []byte
	result  []byte
}

func (w *jsonlWorker) transform(dst, in []byte) (out []byte, rows, lines int64, err error) {
	if w.err != nil {
		return dst, 0, 0, w.err
	}
	bad := badByte(in)
	for pos := 0; pos < len(in); {
		start, mark := pos, len(dst)
		end := bytes.IndexByte(in[pos:], '\n')
		if end < 0 {
			end = len(in) - pos
		}
		line := in[pos : pos+end]
		pos = min(pos+end+1, len(in))
		if len(trimJSON(line)) == 0 {
			lines++
			continue
		}
		switch {
		case bad >= start && bad < pos:
			err = badText()
		case len(line) > MaxRow:
			err = tooLong()
		default:
			dst, err = w.object(dst, line)
		}
		if err != nil {
			return dst[:mark], rows, lines, asRowError(err)
		}
		if in[pos-1] == '\n' {
			dst = append(dst, '\n')
		}
		rows++
		lines++
	}
	return dst, rows, lines, nil
}

func (w *jsonlWorker) object(dst, line []byte) ([]byte, error) {
	w.record++
	dst = append(dst, '{')
	first := true
	err := eachMember(line, func(m member) (err error) {
		name := m.key[1 : len(m.key)-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			if w.key, err = unquoteJSON(w.key[:0], m.key); err != nil {
				return err
			}
			name = w.key
		}
		i, ok := w.index[string(name)]
		switch {
		case !ok && !w.open:
			return &corridor.Error{Kind: corridor.Invalid, Msg: fmt.Sprintf("the member %q is not in the first record", clip(string(name))),
				Fix: "write members without a value as null in the first record"}
		case ok && w.seen[i] == w.record:
			return memberTwice(w.cells[i].name)
		case ok:
			w.seen[i] = w.record
			if w.cells[i].drop {
				return nil
			}
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(dst, m.key...), ':')
		if ok && len(w.cells[i].ops) > 0 {
			dst, err = w.change(dst, &w.cells[i], m.value)
			return err
		}
		dst = append(dst, m.value...)
		return nil
	})
	return append(dst, '}'), err
}

// change writes the transformed value: a number stays one if every operation
// keeps numbers, null stays null, all else becomes a string.
func (w *jsonlWorker) change(dst []byte, c *cell, raw []byte) ([]byte, error) {
	value, number := raw, false
	switch raw[0] {
	case 'n':
		return append(dst, raw...), nil
	case '{', '[':
		return dst, &rowError{column: c.name, err: &corridor.Error{Kind: corridor.Invalid, Msg: "the value is an object or an array, which a stage cannot transform",
			Fix: "drop the column, or publish it flat"}}
	case '"':
		var err error
		if w.value, err = unquoteJSON(w.value[:0], raw); err != nil {
			return dst, &rowError{column: c.name, err: err}
		}
		value = w.value
	case 't', 'f':
	default:
		number = true
	}
	var err error
	if w.result, err = c.apply(w.result[:0], value, &w.scratch); err != nil {
		return dst, err
	}
	if number && c.numeric && len(w.result) > 0 {
		return append(dst, w.result...), nil
	}
	return quoteJSON(dst, w.result), nil
}
