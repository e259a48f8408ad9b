package scan

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"corridor"
)

// table takes batches of rows and counts. It belongs to one goroutine.
type table struct {
	name     string
	opts     Options
	env      *env
	lex      *lexicon
	cols     []*column
	groups   []*group
	assigned bool
	rows     int64
}

func newTable(name string, o Options) *table {
	return &table{name: name, opts: o, env: newEnvOf(o.tables, o.Today, o.ExactLimit), lex: o.tables.lex}
}

func (t *table) addColumns(names []string) {
	if len(t.cols)+len(names) > 256 {
		t.env.colBits, t.env.colExact, t.env.idBits = 11, 512, 12 // so that many columns stay cheap
	}
	for _, n := range names {
		c := newColumn(n, t.env)
		c.hints = t.lex.hints(n)
		t.cols = append(t.cols, c)
		if t.assigned {
			t.join(c)
		}
	}
}

// join puts a column that appears late into a group, by its header alone.
func (t *table) join(c *column) {
	c.part, c.weight = t.partOf(c)
	if c.part == noPart && c.weight == ordinary {
		return
	}
	party := t.lex.partyOf(c.name)
	i := slices.IndexFunc(t.groups, func(g *group) bool { return g.party == party })
	if i < 0 {
		i = len(t.groups)
		t.groups = append(t.groups, newGroup(party, t.env))
	}
	c.role = t.groups[i]
	c.role.cols = append(c.role.cols, c)
	c.role.keyed = c.role.keyed || c.part == namePart || c.part == idPart
}

// consume counts a batch.
func (t *table) consume(b *batch) error {
	t.addColumns(b.names)
	if !t.assigned {
		t.assign(t.sample(b))
		t.assigned = true
	}
	measured := make(chan error, 1)
	go func(sets []*distinct) { measured <- t.measure(b, sets) }(t.turn())
	if b.width > 0 && b.width == len(t.cols) && !t.opts.byRow {
		t.columnByColumn(b)
	} else {
		t.rowByRow(b)
	}
	t.rows += int64(len(b.rows))
	return <-measured
}

// rowByRow sends the values to the recognisers in the order of the file.
func (t *table) rowByRow(b *batch) {
	i := uint32(0)
	for r := range b.rows {
		row := &b.rows[r]
		for ; i < row.end; i++ {
			c := t.cols[b.cells[i].col]
			v := b.value(&b.cells[i])
			id, null := t.cell(c, v, b.cells[i].mask)
			if null {
				continue
			}
			if row.no != c.lastRow {
				c.lastRow = row.no
				c.rowsSeen++
			}
			if c.role != nil {
				c.role.take(c, c.role.key(c, v, id))
			}
		}
		t.endRow()
	}
}

// columnByColumn does the same where all rows have the same columns, one
// column after another: what a column counts stays near, and its values take
// the same turns. No column knows of another; people, whom several columns of
// a row tell apart, are put together row by row afterwards.
func (t *table) columnByColumn(b *batch) {
	var watched []*column
	for i, c := range t.cols {
		if c.role != nil {
			watched = append(watched, c)
			c.noted = slices.Grow(c.noted[:0], len(b.rows))[:len(b.rows)]
		}
		for r := range b.rows {
			cell := &b.cells[r*b.width+i]
			v := b.value(cell)
			id, null := t.cell(c, v, cell.mask)
			if !null {
				c.rowsSeen++
			}
			if c.role == nil {
				continue
			}
			if c.noted[r] = (noted{}); !null {
				c.noted[r] = noted{c.role.key(c, v, id), true}
			}
		}
	}
	if len(watched) == 0 {
		return
	}
	for r := range b.rows {
		for _, c := range watched {
			if n := c.noted[r]; n.seen {
				c.role.take(c, n.key)
			}
		}
		t.endRow()
	}
}

// noted is what a value of one row tells of its person.
type noted struct {
	key  uint64
	seen bool
}

// endRow closes the row of every person that it named.
func (t *table) endRow() {
	for _, g := range t.groups {
		if g.touched {
			g.endRow()
		}
	}
}

// turn hands over the people of the rows before.
func (t *table) turn() (sets []*distinct) {
	for _, c := range t.cols {
		sets = append(sets, c.people)
	}
	for _, g := range t.groups {
		sets = append(sets, &g.names, &g.births, &g.delicate)
	}
	for _, d := range sets {
		d.turn()
	}
	return sets
}

// measure takes lengths and counts different values while the recognisers
// look at the same rows, and adds the people of the rows before. It finds what
// is not UTF-8; recognisers bear any bytes.
func (t *table) measure(b *batch, sets []*distinct) error {
	for _, d := range sets {
		d.drain()
	}
	if b.width > 0 && b.width == len(t.cols) && !t.opts.byRow {
		return t.measureColumns(b)
	}
	i := uint32(0)
	for r := range b.rows {
		for ; i < b.rows[r].end; i++ {
			cell := &b.cells[i]
			v := b.value(cell)
			if cell.mask&isHigh != 0 && !utf8.Valid(v) {
				return t.notUTF8(b.rows[r].no, cell)
			}
			t.cols[cell.col].measureText(v, cell.mask)
		}
	}
	return nil
}

// measureColumns is measure one column after another.
func (t *table) measureColumns(b *batch) error {
	valid := true
	for i, c := range t.cols {
		for r := range b.rows {
			cell := &b.cells[r*b.width+i]
			v := b.value(cell)
			if cell.mask&isHigh != 0 && !utf8.Valid(v) {
				valid = false
				break
			}
			c.measureText(v, cell.mask)
		}
	}
	for r := 0; !valid; r++ { // the first in the order of the file is told
		for i := range t.cols {
			if cell := &b.cells[r*b.width+i]; !utf8.Valid(b.value(cell)) {
				return t.notUTF8(b.rows[r].no, cell)
			}
		}
	}
	return nil
}

func (t *table) notUTF8(row int64, cell *cell) error {
	return badRow(t.name, row, "convert the file to UTF-8, or name its encoding with --encoding", "column %d (%s) is not UTF-8", cell.col+1, t.cols[cell.col].name)
}

// cell shows one value to the recognisers of its column.
func (t *table) cell(c *column, v []byte, mask uint16) (id uint64, null bool) {
	if mask&isControl != 0 && string(v) == binaryMark {
		c.binary = true
	}
	return c.look(v, mask)
}

// sampleCells is how much of the first batch decides the roles of columns.
const sampleCells = 200_000

// sample classifies the first rows apart, to see what the columns are.
func (t *table) sample(b *batch) []*column {
	e := *t.env
	e.pool = &pool{left: poolSlots}
	out := make([]*column, len(t.cols))
	for i, c := range t.cols {
		out[i] = newColumn(c.name, &e)
		out[i].hints = c.hints
	}
	whole := 0 // cells beyond the last row belong to one that could not be read
	if n := len(b.rows); n > 0 {
		whole = int(b.rows[n-1].end)
	}
	for i := range b.cells[:min(whole, sampleCells)] {
		c := &b.cells[i]
		out[c.col].add(b.value(c), c.mask)
	}
	return out
}

// report puts the counts into words.
func (t *table) report() *Report {
	for _, d := range t.turn() {
		d.drain()
	}
	rep := &Report{File: t.name, Rows: t.rows, Columns: []Column{}, Facts: corridor.Facts{}, Warnings: []string{}, lang: t.opts.Lang}
	all := make([][]found, len(t.cols))
	for i, c := range t.cols {
		all[i] = t.lex.findings(c)
	}
	t.acrossColumns(all)
	classes := map[string]float64{}
	for i, c := range t.cols {
		rep.Columns = append(rep.Columns, t.describe(c, all[i], classes))
	}
	t.count(rep, all, classes)
	rep.Extent = t.extent(all)
	rep.Facts = t.facts(rep, classes)
	t.warn(rep, all)
	return rep
}

func (t *table) describe(c *column, fs []found, classes map[string]float64) Column {
	out := Column{Name: c.name, Type: c.typeName(), Values: c.values, Nulls: max(c.nulls, t.rows-c.rowsSeen), Distinct: c.distinct.count(),
		DistinctExact: c.distinct.exact(), MinLength: c.minLen, MaxLength: c.maxLen, Shape: c.shape, Classes: []Finding{}}
	if c.values == 0 {
		out.MinLength = 0
	}
	out.Distinct = min(out.Distinct, c.values)
	out.Unknown = len(fs) == 0 && t.mayName(c, out)
	for _, f := range fs {
		reason := f.why.in(t.opts.Lang)
		confidence := math.Round(f.confidence*1000) / 1000
		if f.kind.classes == "" {
			out.Classes = append(out.Classes, Finding{"", f.kind.id, confidence, reason})
		}
		for class := range classesOf(f.kind) {
			out.Classes = append(out.Classes, Finding{class, f.kind.id, confidence, reason})
			classes[class] = max(classes[class], confidence)
		}
	}
	return out
}

// fewWords is how many different texts a list of categories has at most.
const fewWords = 24

// mayName says whether a column in which nothing was recognised holds texts
// that differ from row to row: they may name people in a language or in a way
// that no rule knows. Numbers, dates, codes, a few words that come again and
// again, and columns whose header says that they name things do not.
func (t *table) mayName(c *column, col Column) bool {
	if col.Type != "text" || c.wordy*2 < c.values || slices.Contains(t.lex.headers.find(headerWords(c.name)), notPeople) {
		return false
	}
	return col.Distinct*2 > c.values || col.Distinct > fewWords
}

// classesOf lists the classes of a kind.
func classesOf(k *kind) func(func(string) bool) {
	if k.classes == "" {
		return func(func(string) bool) {}
	}
	return strings.SplitSeq(k.classes, ",")
}

// acrossColumns raises what only several columns together show: a latitude
// beside a longitude, and positions of a person over time.
func (t *table) acrossColumns(all [][]found) {
	t.acrossBodies(all)
	var lat, lon []int
	person, moment := false, false
	for i, c := range t.cols {
		moment = moment || c.datetimes > 0
		for k := range all[i] {
			switch f := &all[i][k]; {
			case f.kind.id == "latitude":
				lat = append(lat, i)
			case f.kind.id == "longitude":
				lon = append(lon, i)
			case f.kind.part != noPart && f.confidence >= t.opts.Threshold && aboutPeople(f.kind):
				person = true
			}
		}
	}
	if len(lat) == 0 || len(lon) == 0 {
		return
	}
	for _, i := range append(lat, lon...) {
		c := t.cols[i]
		if c.ints+c.decimals != c.values || c.decimals == 0 {
			continue
		}
		c.precise(metresPerDegree * math.Pow10(-c.fraction))
		for k := range all[i] {
			if f := &all[i][k]; f.kind.id == "latitude" || f.kind.id == "longitude" {
				f.confidence, f.why = 0.93, phrase{"pair", nil}
			}
		}
		if person && moment {
			all[i] = append(all[i], found{t.lex.kind("location_track"), 0.7, phrase{"track", nil}})
		}
	}
}

// acrossBodies raises what a person or a variant in the same row makes sure:
// genotypes beside rs numbers, vectors and pictures beside people.
func (t *table) acrossBodies(all [][]found) {
	person, variants := false, false
	for i, c := range t.cols {
		variants = variants || c.share(c.traits.variants) > 0.5
		person = person || slices.ContainsFunc(all[i], func(f found) bool {
			return f.confidence >= t.opts.Threshold && (f.kind.part == namePart || f.kind.part == idPart || f.kind.part == refPart)
		})
	}
	raise := func(i int, id string, confidence float64, key string) {
		f := found{t.lex.kind(id), confidence, phrase{key, nil}}
		if k := slices.IndexFunc(all[i], func(f found) bool { return f.kind.id == id }); k < 0 {
			all[i] = append(all[i], f)
		} else if all[i][k].confidence < confidence {
			all[i][k] = f
		}
	}
	for i, c := range t.cols {
		switch {
		case variants && c.share(c.traits.genotypes) > 0.5:
			raise(i, "genetic", 0.93, "genotypes")
		case person && c.share(c.traits.usual) > 0.8:
			raise(i, "biometric", 0.65, "vectors")
		case person && c.share(c.traits.images) > 0.5:
			raise(i, "photo", 0.65, "pictures")
		}
	}
}

// count fills the numbers of people.
func (t *table) count(rep *Report, all [][]found, classes map[string]float64) {
	if classes["personal"] < t.opts.Threshold {
		rep.Subjects.Basis = say(t.opts.Lang, "basis_none")
		return
	}
	t.adopt(all)
	var total Count
	var cols []string
	basis := ""
	keyed := slices.ContainsFunc(t.groups, func(g *group) bool { return g.keyed })
	for _, g := range t.groups {
		if keyed && !g.keyed {
			continue
		}
		p := t.people(g)
		total.Min = max(total.Min, p.low)
		total.Max += p.high
		total.Estimate += p.guess
		cols = append(cols, p.cols...)
		if basis == "" || p.basis != "rows" {
			basis = p.basis
		}
	}
	if total.Max == 0 { // personal data that no row-wise role explains
		total = Count{Min: min(1, t.rows), Max: t.rows, Estimate: t.rows}
		basis = "rows"
	}
	total.Open = t.hidden(all)
	total.Exact = total.Min == total.Max && !total.Open
	total.Columns = cols
	total.Basis = say(t.opts.Lang, "basis_"+basis)
	if len(t.groups) > 1 {
		total.Basis += say(t.opts.Lang, "basis_groups")
	}
	rep.Subjects = total
	t.countSensitive(rep, classes)
}

// adopt gives columns that only later rows showed to be about people to the
// main group. Every row then counts, since the group's own rows were not
// watched for them.
func (t *table) adopt(all [][]found) {
	for i, c := range t.cols {
		late := slices.ContainsFunc(all[i], func(f found) bool {
			return f.kind.part != noPart && f.confidence >= t.opts.Threshold && aboutPeople(f.kind)
		})
		if c.role != nil || !late {
			continue
		}
		if len(t.groups) == 0 {
			t.groups = append(t.groups, newGroup("", t.env))
		}
		g := t.groups[0]
		if k := slices.IndexFunc(t.groups, func(g *group) bool { return g.keyed }); k >= 0 {
			g = t.groups[k]
		}
		pass, _ := t.identity(c)
		g.cols = append(g.cols, c)
		g.keyed = g.keyed || pass > 0
		g.rows = t.rows
	}
}

func aboutPeople(k *kind) bool { return strings.Contains(k.classes, "personal") }

// hidden says whether texts hold identifiers of people nobody can count.
func (t *table) hidden(all [][]found) bool {
	for i := range all {
		for _, f := range all[i] {
			if f.why.key == "inside" && f.confidence >= t.opts.Threshold {
				return true
			}
		}
	}
	return false
}

func (t *table) countSensitive(rep *Report, classes map[string]float64) {
	strongest := ordinary
	for class, confidence := range classes {
		if confidence >= t.opts.Threshold {
			strongest = max(strongest, weightOf(class))
		}
	}
	if strongest == ordinary {
		return
	}
	var c Count
	for _, g := range t.groups {
		low, _ := g.delicate.bounds()
		if g.delicateRows > 0 {
			low = max(low, 1)
		}
		c.Min = max(c.Min, low)
		c.Estimate += max(g.delicate.count(), t.unkeyed(g))
		c.Max += g.wideRows
	}
	c.Max = min(c.Max, rep.Subjects.Max)
	if c.Max == 0 || rep.Subjects.Open {
		c.Max, c.Open = rep.Subjects.Max, rep.Subjects.Open
	}
	c.Min = min(c.Min, c.Max)
	c.Estimate = max(c.Min, min(c.Estimate, c.Max))
	c.Exact = c.Min == c.Max && !c.Open
	c.Basis = say(t.opts.Lang, "basis_sensitive")
	rep.Sensitive = c
}

// unkeyed guesses a person per row where nothing tells rows apart.
func (t *table) unkeyed(g *group) int64 {
	if g.delicate.count() == 0 {
		return g.delicateRows
	}
	return 0
}

// facts proposes what the counts prove. Names are those of the vocabulary.
func (t *table) facts(rep *Report, classes map[string]float64) corridor.Facts {
	out := corridor.Facts{}
	var has []any
	for _, class := range dataClasses {
		if classes[class] >= t.opts.Threshold {
			has = append(has, class)
		}
	}
	if len(has) == 0 {
		return out
	}
	out["data_classes"] = map[string]any{"has": has}
	if classes["personal"] < t.opts.Threshold {
		return out
	}
	out["subjects_in_file"] = rep.Subjects.fact()
	if rep.Sensitive.Max > 0 {
		out["sensitive_subjects_in_file"] = rep.Sensitive.fact()
	}
	if classes["genetic"] >= t.opts.Threshold && !rep.Subjects.Open {
		out["genome_subjects"] = map[string]any{"min": int64(0), "max": rep.Subjects.Max}
	}
	return out
}

// dataClasses are the members of the vocabulary that a scan can propose.
var dataClasses = [...]string{"personal", "sensitive", "biometric", "genetic", "health", "payment", "financial", "telecom_subscriber", "geospatial", "child",
	"location_track", "belief", "criminal_record", "credential", "vehicle", "state_secret", "insurance_record", "aml_kyc"}

// fact writes a count as the vocabulary does.
func (c Count) fact() any {
	switch {
	case c.Open:
		return map[string]any{"min": c.Min}
	case c.Exact:
		return c.Min
	}
	return map[string]any{"min": c.Min, "max": c.Max}
}

func (t *table) warn(rep *Report, all [][]found) {
	if t.rows == 0 {
		rep.warn("no_rows")
	}
	if rep.Subjects.Open {
		rep.warn("hidden")
	}
	for i, c := range t.cols {
		if c.values > 0 && c.maxLen > 200 && len(all[i]) == 0 && c.typeName() == "text" {
			rep.warn("long_text", c.name)
		}
		if c.binary && c.values > 0 {
			rep.warn("binary_column", c.name)
		}
	}
}

// warn adds a warning in the report's language.
func (r *Report) warn(key string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(say(r.lang, key), args...))
}
