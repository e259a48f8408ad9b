package law

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"slices"
	"sync"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"go.yaml.in/yaml/v4"
)

// An image is what two slow parsers made of the text of a library: the YAML
// tree of each file and the CEL tree of each condition. Loading from an image
// runs everything else anew: strict reading, the fragment, names, the compiled
// tables. What is in an image can therefore be no law that the strict reader
// would refuse; that it is the law of these very files is said by its key, a
// digest of them, and by who may write where the cache is kept.

// Cache keeps images. Get gives what was put under a key, or nil. Put may
// fail silently: the next load is slower, and as right.
type Cache interface {
	Get(key string) []byte
	Put(key string, image []byte)
}

// imageFormat changes with every change of the encoding below.
const imageFormat = "corridor-law-image/1"

// LoadCached is Load with a cache of images.
func LoadCached(fsys fs.FS, c Cache) (*Library, error) {
	raw, err := readFiles(fsys)
	if err != nil {
		return nil, err
	}
	key := raw.key()
	if img, ok := readImage(c.Get(key)); ok {
		if l, errs := build(raw, img); len(errs) == 0 {
			return l, nil
		}
	}
	rec := &image{record: true}
	l, errs := build(raw, rec)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if data, ok := rec.write(); ok {
		c.Put(key, data)
	}
	return l, nil
}

// key names the text of a library together with all that reads it.
func (raw *files) key() string {
	h := sha256.New()
	add := func(name string, data []byte) {
		sum := sha256.Sum256(data)
		h.Write([]byte(name + "\x00"))
		h.Write(sum[:])
	}
	add(imageFormat, []byte(Engine))
	for _, name := range keys(raw.shared) {
		add(name, raw.shared[name])
	}
	for _, p := range raw.packs {
		add(p.dir+"/pack.yaml", p.pack)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// image holds trees: those that were read, or those that are being recorded.
type image struct {
	record bool
	mu     sync.Mutex // of what is recorded
	roots  map[string]*yaml.Node
	exprs  map[string]ast.Expr

	files map[string]string // read: the encoded tree of each file
	conds map[string]string // read: the encoded tree of each condition
}

// root gives the recorded tree of a file.
func (m *image) root(file string) *yaml.Node {
	if m == nil || m.record {
		return nil
	}
	d := &imageReader{s: m.files[file]}
	n := d.nodes()
	if d.bad {
		return nil
	}
	return n
}

func (m *image) keepRoot(file string, n *yaml.Node) {
	if m == nil || !m.record {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.roots == nil {
		m.roots = map[string]*yaml.Node{}
	}
	m.roots[file] = n
}

// expr gives the recorded tree of a condition.
func (m *image) expr(text string) ast.Expr {
	if m == nil || m.record {
		return nil
	}
	d := &imageReader{s: m.conds[text]}
	e := d.expr(ast.NewExprFactory(), 0)
	if d.bad {
		return nil
	}
	return e
}

func (m *image) keepExpr(text string, e ast.Expr) {
	if m == nil || !m.record {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.exprs == nil {
		m.exprs = map[string]ast.Expr{}
	}
	m.exprs[text] = e
}

// write encodes what was recorded: a digest, then files, then conditions. It
// gives up on a tree that has no place in the fragment.
func (m *image) write() ([]byte, bool) {
	w := &imageWriter{}
	w.number(len(m.roots))
	for _, file := range keys(m.roots) {
		part := &imageWriter{}
		part.number(count(m.roots[file]))
		part.node(m.roots[file])
		w.text(file)
		w.text(string(part.b))
	}
	w.number(len(m.exprs))
	for _, text := range keys(m.exprs) {
		part := &imageWriter{}
		part.expr(m.exprs[text])
		w.bad = w.bad || part.bad
		w.text(text)
		w.text(string(part.b))
	}
	sum := sha256.Sum256(w.b)
	return slices.Concat(sum[:], w.b), !w.bad
}

// maxImage bounds an image that is read.
const maxImage = 64 << 20

// readImage checks the digest and finds the parts. The parts are read when
// they are asked for, so that they can be read side by side.
func readImage(data []byte) (*image, bool) {
	if len(data) < sha256.Size || len(data) > maxImage {
		return nil, false
	}
	if sum := sha256.Sum256(data[sha256.Size:]); string(sum[:]) != string(data[:sha256.Size]) {
		return nil, false
	}
	d := &imageReader{s: string(data[sha256.Size:])}
	m := &image{files: map[string]string{}, conds: map[string]string{}}
	for _, part := range []map[string]string{m.files, m.conds} {
		for range d.number() {
			name := d.text()
			part[name] = d.text()
			if d.bad {
				return nil, false
			}
		}
	}
	return m, d.s == ""
}

type imageWriter struct {
	b   []byte
	bad bool
}

func (w *imageWriter) number(n int)  { w.b = binary.AppendUvarint(w.b, uint64(n)) }
func (w *imageWriter) text(s string) { w.number(len(s)); w.b = append(w.b, s...) }

func count(n *yaml.Node) int {
	sum := 1
	for _, kid := range n.Content {
		sum += count(kid)
	}
	return sum
}

func (w *imageWriter) node(n *yaml.Node) {
	w.number(int(n.Kind))
	w.number(int(n.Style))
	w.text(n.Tag)
	w.text(n.Value)
	w.number(n.Line)
	w.number(n.Column)
	w.number(len(n.Content))
	for _, kid := range n.Content {
		w.node(kid)
	}
}

// The kinds of expression of the fragment.
const (
	exprIdent = iota
	exprSelect
	exprCall
	exprMember
	exprList
	exprTrue
	exprFalse
	exprInt
	exprString
)

func (w *imageWriter) expr(e ast.Expr) {
	all := func(list []ast.Expr) {
		w.number(len(list))
		for _, kid := range list {
			w.expr(kid)
		}
	}
	switch e.Kind() {
	case ast.IdentKind:
		w.number(exprIdent)
		w.text(e.AsIdent())
	case ast.SelectKind:
		w.bad = w.bad || e.AsSelect().IsTestOnly()
		w.number(exprSelect)
		w.text(e.AsSelect().FieldName())
		w.expr(e.AsSelect().Operand())
	case ast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			w.number(exprMember)
			w.text(call.FunctionName())
			w.expr(call.Target())
		} else {
			w.number(exprCall)
			w.text(call.FunctionName())
		}
		all(call.Args())
	case ast.ListKind:
		w.bad = w.bad || len(e.AsList().OptionalIndices()) > 0
		w.number(exprList)
		all(e.AsList().Elements())
	case ast.LiteralKind:
		w.literal(e.AsLiteral().Value())
	default:
		w.bad = true
	}
}

func (w *imageWriter) literal(v any) {
	switch v := v.(type) {
	case bool:
		w.number(map[bool]int{true: exprTrue, false: exprFalse}[v])
	case int64:
		w.number(exprInt)
		w.b = binary.AppendVarint(w.b, v)
	case string:
		w.number(exprString)
		w.text(v)
	default:
		w.bad = true
	}
}

// imageReader reads one part. Once bad, it gives nothing more.
type imageReader struct {
	s   string
	bad bool
}

func (d *imageReader) number() int {
	var n uint64
	for i := 0; i < len(d.s) && i < 5; i++ {
		n |= uint64(d.s[i]&0x7f) << (7 * i)
		if d.s[i] < 0x80 {
			d.s = d.s[i+1:]
			return int(n)
		}
	}
	d.bad, d.s = true, ""
	return 0
}

func (d *imageReader) signed() int64 {
	v, n := binary.Varint([]byte(d.s[:min(len(d.s), binary.MaxVarintLen64)]))
	if n <= 0 {
		d.bad, d.s = true, ""
		return 0
	}
	d.s = d.s[n:]
	return v
}

// text shares the memory of the image.
func (d *imageReader) text() string {
	n := d.number()
	if n > len(d.s) {
		d.bad, d.s = true, ""
		return ""
	}
	s := d.s[:n]
	d.s = d.s[n:]
	return s
}

// nodes reads a tree into one piece of memory.
func (d *imageReader) nodes() *yaml.Node {
	n := d.number()
	if n == 0 || n > len(d.s) { // a node takes several bytes
		d.bad = true
		return nil
	}
	slab, links := make([]yaml.Node, n), make([]*yaml.Node, n)
	var read func(depth int) *yaml.Node
	read = func(depth int) *yaml.Node {
		if len(slab) == 0 || depth > maxNesting+1 {
			d.bad = true
			return nil
		}
		at := &slab[0]
		slab = slab[1:]
		at.Kind, at.Style = yaml.Kind(d.number()), yaml.Style(d.number())
		at.Tag, at.Value = d.text(), d.text()
		at.Line, at.Column = d.number(), d.number()
		kids := d.number()
		if kids > len(links) {
			d.bad = true
			return nil
		}
		if kids > 0 {
			at.Content, links = links[:kids:kids], links[kids:]
		}
		for i := range at.Content {
			if at.Content[i] = read(depth + 1); d.bad {
				return nil
			}
		}
		return at
	}
	root := read(0)
	d.bad = d.bad || d.s != ""
	return root
}

func (d *imageReader) expr(f ast.ExprFactory, depth int) ast.Expr {
	if d.bad || d.s == "" || depth > maxCondDepth {
		d.bad = true
		return f.NewUnspecifiedExpr(0)
	}
	all := func() []ast.Expr {
		n := d.number()
		if n > len(d.s) {
			d.bad = true
			return nil
		}
		list := make([]ast.Expr, n)
		for i := range list {
			list[i] = d.expr(f, depth+1)
		}
		return list
	}
	switch kind := d.number(); kind {
	case exprIdent:
		return f.NewIdent(0, d.text())
	case exprSelect:
		name := d.text()
		return f.NewSelect(0, d.expr(f, depth+1), name)
	case exprCall:
		name := d.text()
		return f.NewCall(0, name, all()...)
	case exprMember:
		name := d.text()
		on := d.expr(f, depth+1)
		return f.NewMemberCall(0, name, on, all()...)
	case exprList:
		return f.NewList(0, all(), nil)
	case exprTrue, exprFalse:
		return f.NewLiteral(0, types.Bool(kind == exprTrue))
	case exprInt:
		return f.NewLiteral(0, types.Int(d.signed()))
	case exprString:
		return f.NewLiteral(0, types.String(d.text()))
	}
	d.bad = true
	return f.NewUnspecifiedExpr(0)
}
