package law

import "slices"

// op is the kind of a formula's node.
type op uint8

const (
	opFalse op = iota
	opTrue
	opAtom
	opNot
	opAnd
	opOr
)

// formula is a condition after the walk over its CEL tree: a boolean
// combination of atoms. Named conditions are shared, so a formula is a DAG;
// size bounds it as a tree.
type formula struct {
	op   op
	atom int // index in the atom table
	kids []*formula
	size int // nodes as a tree
}

// atom tests one variable.
type atom struct {
	v int // index in Library.vars
	test
}

// maxFormula bounds a condition with all its named conditions written out.
const maxFormula = 4000

// maxFormulas bounds all conditions of one pack together.
const maxFormulas = 200_000

func (l *atomTable) constant(b bool) *formula {
	if b {
		return &formula{op: opTrue, size: 1}
	}
	return &formula{op: opFalse, size: 1}
}

func not(f *formula) *formula {
	switch f.op {
	case opNot:
		return f.kids[0]
	case opTrue:
		return &formula{op: opFalse, size: 1}
	case opFalse:
		return &formula{op: opTrue, size: 1}
	}
	return &formula{op: opNot, kids: []*formula{f}, size: f.size + 1}
}

// join makes an n-ary and/or, flattening operands of the same kind.
func join(o op, kids ...*formula) *formula {
	f := &formula{op: o, size: 1}
	for _, k := range kids {
		f.size += k.size
		if k.op == o {
			f.kids = append(f.kids, k.kids...)
			continue
		}
		f.kids = append(f.kids, k)
	}
	switch {
	case len(f.kids) == 1:
		return f.kids[0]
	case len(f.kids) == 0 && o == opAnd:
		return &formula{op: opTrue, size: 1}
	case len(f.kids) == 0:
		return &formula{op: opFalse, size: 1}
	}
	return f
}

// kleene evaluates f where each atom is surely true, surely false or open.
func (f *formula) kleene(atom func(i int) (yes, no bool)) (yes, no bool) {
	switch f.op {
	case opTrue:
		return true, false
	case opFalse:
		return false, true
	case opAtom:
		return atom(f.atom)
	case opNot:
		yes, no = f.kids[0].kleene(atom)
		return no, yes
	}
	stop := f.op == opOr
	all := true
	for _, k := range f.kids {
		yes, no = k.kleene(atom)
		if stop && yes || !stop && no {
			return stop, !stop
		}
		if stop && !no || !stop && !yes {
			all = false
		}
	}
	return all && !stop, all && stop
}

// atoms calls visit for every atom under f; shared parts are visited once.
func (f *formula) atoms(seen map[*formula]bool, visit func(i int)) {
	if seen[f] {
		return
	}
	seen[f] = true
	if f.op == opAtom {
		visit(f.atom)
	}
	for _, k := range f.kids {
		k.atoms(seen, visit)
	}
}

// atomTable holds the distinct atoms of one pack or of the axioms.
type atomTable struct {
	atoms []atom
	index map[atom]int
}

// maxAtoms bounds the distinct atoms of one pack.
const maxAtoms = 512

func newAtomTable() *atomTable { return &atomTable{index: map[atom]int{}} }

// tests says whether an atom of the table is about a variable.
func (l *atomTable) tests(v int) bool {
	return slices.ContainsFunc(l.atoms, func(a atom) bool { return a.v == v })
}

// add gives the formula of an atom, one per distinct atom.
func (l *atomTable) add(v int, t test) *formula {
	a := atom{v, t}
	i, ok := l.index[a]
	if !ok {
		i = len(l.atoms)
		l.atoms = append(l.atoms, a)
		l.index[a] = i
	}
	return &formula{op: opAtom, atom: i, size: 1}
}
