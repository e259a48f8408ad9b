package law

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"corridor"
)

// maxPacks bounds the packs of one library.
const maxPacks = 300

// files is the raw text of a library.
type files struct {
	shared map[string][]byte // vocabulary.yaml and the like
	packs  []packFiles
	once   sync.Once
	digest string // of the shared files
}

type packFiles struct {
	dir               string
	pack, cases, kits []byte
}

var sharedFiles = []string{"vocabulary.yaml", "obligations.yaml", "assumptions.yaml", "calendars.json", actionsFile}

// Load compiles every pack of fsys. The error joins all that is wrong, each a
// *corridor.Error whose Where is file:line:column.
func Load(fsys fs.FS) (*Library, error) {
	l, errs := load(fsys)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return l, nil
}

func load(fsys fs.FS) (*Library, []error) {
	raw, err := readFiles(fsys)
	if err != nil {
		return nil, []error{err}
	}
	return build(raw, nil)
}

// build puts a library together. With an image the two parsers are spared;
// without one, or with one that records, everything is read anew.
func build(raw *files, img *image) (*Library, []error) {
	l := &Library{atlas: newAtlas(), byJurisdiction: map[string]*pack{}, records: map[string]*record{}}
	readers := l.readAll(raw, img)
	if errs := collect(readers); len(errs) > 0 {
		return nil, errs
	}
	if errs := l.assemble(raw, readers[len(sharedFiles):], img); len(errs) > 0 {
		return nil, errs
	}
	return l, nil
}

func collect(readers []*reader) []error {
	var errs []error
	for _, r := range readers {
		errs = append(errs, r.errs...)
	}
	return errs
}

func readFiles(fsys fs.FS) (*files, error) {
	raw := &files{shared: map[string][]byte{}}
	for i, name := range sharedFiles {
		data, err := readOne(fsys, name)
		switch {
		case err == nil:
			raw.shared[name] = data
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		case i < 2:
			e := corridor.E(corridor.Invalid, "the rule packs have no %s", name)
			e.Fix = "point to a directory laid out as in docs/pack-format.md"
			return nil, e
		}
	}
	dirs, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "rule packs: %w", err)
	}
	for _, d := range dirs {
		if !d.IsDir() {
			continue
		}
		data, err := readOne(fsys, path.Join(d.Name(), "pack.yaml"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		cases, err := readOne(fsys, path.Join(d.Name(), "cases.yaml"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		kits, err := readOne(fsys, path.Join(d.Name(), "kits.yaml"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		raw.packs = append(raw.packs, packFiles{d.Name(), data, cases, kits})
	}
	if len(raw.packs) > maxPacks {
		return nil, corridor.E(corridor.Limited, "more than %d rule packs", maxPacks)
	}
	return raw, nil
}

func readOne(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "rule packs: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "rule packs: %w", err)
	}
	return data, nil
}

// readAll decodes the shared files and every pack, as many at once as there
// are cores. The readers come in the order of sharedFiles, then of the packs.
func (l *Library) readAll(raw *files, img *image) []*reader {
	l.profiles, l.calendars = map[string]*profile{}, map[string]*calendar{}
	l.actions = &actions{table: newAtomTable()}
	decode := []func(*reader, *yaml.Node){
		func(r *reader, n *yaml.Node) { l.vocab = r.vocabulary(n) },
		func(r *reader, n *yaml.Node) { l.obligations = r.obligations(n) },
		func(r *reader, n *yaml.Node) { l.profiles = r.profiles(n) },
		func(r *reader, n *yaml.Node) { l.calendars = r.calendars(n) },
		func(r *reader, n *yaml.Node) { l.actions = r.actions(n) },
	}
	l.packs = make([]*pack, len(raw.packs))
	readers := make([]*reader, len(sharedFiles)+len(raw.packs))
	parallel(len(readers), func(i int) {
		// The packs come first: they take longest.
		if i < len(raw.packs) {
			r := &reader{file: path.Join(raw.packs[i].dir, "pack.yaml"), img: img}
			readers[len(sharedFiles)+i] = r
			l.packs[i] = r.readPack(raw, raw.packs[i], l.atlas)
			return
		}
		i -= len(raw.packs)
		r := &reader{file: sharedFiles[i], img: img}
		readers[i] = r
		if data, ok := raw.shared[r.file]; ok {
			if root := r.parse(data); root != nil {
				decode[i](r, root)
			}
		}
	})
	return readers
}

// parallel runs f(0..n-1) on the available cores.
func parallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	wg.Wait()
}

func (r *reader) readPack(raw *files, src packFiles, a *atlas) *pack {
	root := r.parse(src.pack)
	if root == nil {
		return nil
	}
	p := r.pack(root, a)
	if p.id != src.dir && p.id != "" {
		r.fail(root, "rename one of them", "pack %q lies in the directory %q", p.id, src.dir)
	}
	p.digest, p.cases, p.kits = digest(raw, src), src.cases, src.kits
	return p
}

// digest names the edition of a pack by everything that decides with it: the
// pack, and the files that all packs share, each by its own digest. Cases and
// kits decide nothing: a filled kit names the digest of its own file.
func digest(raw *files, src packFiles) string {
	return corridor.Digest([]byte("pack.yaml\x00" + corridor.Digest(src.pack) + "\x00" + raw.sharedDigest()))
}

// sharedDigest names the files that all packs share.
func (raw *files) sharedDigest() string {
	raw.once.Do(func() {
		var b []byte
		for _, name := range sharedFiles {
			b = append(b, name+"\x00"+corridor.Digest(raw.shared[name])+"\x00"...)
		}
		raw.digest = corridor.Digest(b)
	})
	return raw.digest
}

// mentioned lists every country code that a condition may name: two capital
// letters in quotes.
func (l *Library) mentioned(raw *files) []string {
	seen := map[string]bool{}
	scan := func(data []byte) {
		for i := 0; i+3 < len(data); i++ {
			if q := data[i]; q != '"' && q != '\'' || data[i+3] != '"' && data[i+3] != '\'' || !capital(data[i+1]) || !capital(data[i+2]) {
				continue
			}
			code := string(data[i+1 : i+3])
			if _, ok := l.atlas.number(code); ok {
				seen[code] = true
			}
		}
	}
	if !slices.ContainsFunc(l.vocab.facts, func(f *fact) bool { return f.Type == typeCountries }) {
		return nil
	}
	scan(raw.shared[sharedFiles[0]])
	for _, p := range raw.packs {
		scan(p.pack)
	}
	return keys(seen)
}

func capital(c byte) bool { return c >= 'A' && c <= 'Z' }

// assemble gives the variables their numbers, compiles all conditions and
// checks what only the whole can show.
func (l *Library) assemble(raw *files, readers []*reader, img *image) []error {
	l.vars = l.vocab.variables(l.atlas, l.mentioned(raw))
	for i, p := range l.packs {
		for _, c := range p.records {
			l.addRecord(readers[i], p, c)
		}
		l.obligations.addEvents(readers[i], p.id, p.events)
	}
	for i, p := range l.packs { // after every event, so that what is refused does not hang on the order of the packs
		l.obligations.declare(readers[i], p.id, p.duties)
		l.checkCalendars(readers[i], p.duties)
	}
	or := &reader{file: "obligations.yaml"}
	l.checkCalendars(or, l.obligations.shared)
	cel := &celTrees{img: img}
	if img == nil || img.record {
		if err := cel.open(l.vocab); err != nil {
			return []error{err}
		}
	}
	vr := &reader{file: sharedFiles[0]}
	l.compileAxioms(&scope{cel: cel, atlas: l.atlas, vocab: l.vocab, vars: l.vars, table: newAtomTable(), r: vr})
	ar := &reader{file: actionsFile}
	l.compileActions(&scope{cel: cel, atlas: l.atlas, vocab: l.vocab, vars: l.vars, table: l.actions.table, r: ar})
	parallel(len(l.packs), func(i int) {
		p := l.packs[i]
		s := &scope{cel: cel, atlas: l.atlas, vocab: l.vocab, vars: l.vars, table: p.table, pack: p, records: l.records,
			r: readers[i], named: map[string]*condition{}, open: map[string]bool{}}
		s.compilePack()
		p.check(readers[i], l)
	})
	l.checkAcross(readers)
	if errs := append(slices.Concat(vr.errs, ar.errs, or.errs), collect(readers)...); len(errs) > 0 {
		return errs
	}
	if err := l.finish(img == nil || img.record); err != nil {
		return unjoin(err)
	}
	return nil
}

func (l *Library) addRecord(r *reader, p *pack, c *record) {
	c.pack = p
	key := c.class + "/" + c.id
	if !strings.HasPrefix(c.id, p.id+".") && c.id != "" {
		r.failAt(c.place, "call it "+p.id+"."+c.id, "%s %q does not carry its pack's name", c.class, c.id)
		return
	}
	if l.records[key] != nil {
		r.failAt(c.place, "rename one of them", "%s %q is declared twice", c.class, c.id)
		return
	}
	l.records[key] = c
	l.recordList = append(l.recordList, c)
	c.v = len(l.vars)
	l.vars = append(l.vars, &variable{record: c, values: c.states, name: c.class + "s." + c.id})
}

func (s *scope) compilePack() {
	for _, n := range s.pack.conditions {
		s.named[n.name] = n
	}
	for _, n := range s.pack.conditions {
		s.resolve(n.name)
	}
	for _, u := range s.pack.rules {
		u.when = s.compile(u.src)
		for i := range u.results {
			if src := u.results[i].src; src != nil {
				u.results[i].when = s.compile(*src)
			} else {
				u.results[i].when = s.table.constant(true)
			}
		}
	}
	total := 0
	for _, u := range s.pack.rules {
		for _, f := range u.formulas() {
			if f != nil {
				total += f.size
			}
		}
	}
	if total > maxFormulas {
		s.r.failAt(s.pack.place, "split the pack", "the conditions with their named parts written out have %d nodes, over the limit of %d", total, maxFormulas)
	}
	if n := len(s.table.atoms); n > maxAtoms {
		s.r.failAt(s.pack.place, "split the pack", "%d different tests are over the limit of %d", n, maxAtoms)
	}
}
