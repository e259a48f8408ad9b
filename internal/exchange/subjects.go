package exchange

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/counter"
	"corridor/internal/plane"
	"corridor/internal/store"
)

// A dataset may say which column names a person. The node then reads the
// source once, and keeps the hashes of the people: never a value.

// maxSensitive bounds the columns that mark a row as sensitive.
const maxSensitive = 64

// checkSubject refuses a declaration that could not be counted by.
func (s *Service) checkSubject(sub *catalog.Subject) error {
	if sub == nil {
		return nil
	}
	bad := func(where, msg, fix string) error {
		return &corridor.Error{Kind: corridor.Invalid, Where: where, Msg: msg, Fix: fix}
	}
	switch {
	case sub.Column == "":
		return bad("subject.column", "is missing", "name the column that identifies a person, or leave subject out")
	case len(sub.Sensitive) > maxSensitive:
		return bad("subject.sensitive", fmt.Sprintf("names more than %d columns", maxSensitive), "name those that make a row sensitive")
	case s.cfg.CountKeys == "":
		return bad("subject", "this node has no place for the keys of its counts", "publish without subject")
	}
	_, err := counter.ParseKind(sub.Kind)
	return err
}

// edition names what a dataset's people are counted from.
func edition(d catalog.Dataset) string {
	return counter.Edition(d.SHA256, d.Subject.Column, d.Subject.Kind, d.Subject.Sensitive)
}

func (s *Service) tempDir() string {
	if s.cfg.Temp != "" {
		return s.cfg.Temp
	}
	return filepath.Dir(s.db.Path())
}

// setsOf gives the people of a dataset by kind, under a year's key. They are
// made when the dataset is published; the first decision of another year makes
// them anew. A dataset without a subject has none.
func (s *Service) setsOf(ctx context.Context, d catalog.Dataset, year string) (map[string]counter.Set, error) {
	if d.Subject == nil {
		return nil, nil
	}
	sets, err := s.findSets(ctx, d, year)
	if err != nil || len(sets) > 0 {
		return sets, err
	}
	err = s.db.Alone(ctx, leasePeople, func(ctx context.Context) error { return s.countSets(ctx, d, year) })
	if err != nil {
		return nil, err
	}
	return s.findSets(ctx, d, year)
}

// countSets makes the sets of a dataset unless somebody just has. It runs
// under the lease of the people.
func (s *Service) countSets(ctx context.Context, d catalog.Dataset, year string) error {
	if sets, err := s.findSets(ctx, d, year); err != nil || len(sets) > 0 {
		return err
	}
	made, err := s.makeSets(ctx, d, year)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *store.Tx) error {
		if err := s.db.StillAlone(ctx, tx, leasePeople); err != nil {
			return err
		}
		for i := range made {
			if err := made[i].Put(ctx, tx); err != nil {
				return err
			}
		}
		return counter.Tidy(ctx, tx, d.ID, edition(d))
	})
}

func (s *Service) findSets(ctx context.Context, d catalog.Dataset, year string) (map[string]counter.Set, error) {
	out := map[string]counter.Set{}
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		for _, kind := range countedKinds() {
			set, found, err := counter.Find(ctx, tx, year, d.ID, edition(d), kind)
			if err != nil {
				return err
			}
			if found {
				out[kind] = set
			}
		}
		return nil
	})
	return out, err
}

// makeSets reads the source. It runs under the lease of the people.
func (s *Service) makeSets(ctx context.Context, d catalog.Dataset, year string) ([]counter.Set, error) {
	kind, err := counter.ParseKind(d.Subject.Kind)
	if err != nil {
		return nil, err
	}
	key, err := counter.Keys(s.cfg.CountKeys).Open(year)
	if err != nil {
		return nil, err
	}
	plan := plane.Plan{Format: d.Format}
	if len(d.Plan) > 0 {
		if err := json.Unmarshal(d.Plan, &plan); err != nil {
			return nil, corridor.E(corridor.Internal, "the plan of dataset %s: %w", d.ID, err)
		}
	}
	src, err := s.files.Source(d.Source, d.SHA256).Open(ctx)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	rows := newPeopleRows(s.tempDir(), len(d.Subject.Sensitive) > 0)
	defer rows.close()
	columns := append([]string{d.Subject.Column}, d.Subject.Sensitive...)
	if _, err := plane.EachRow(ctx, src, plan, columns, func() plane.RowFunc { return hashRow(counter.NewHasher(key, kind)) }, rows); err != nil {
		return nil, fmt.Errorf("subject: %w", err)
	}
	return rows.sets(ctx, s.db, counter.Set{Year: year, Dataset: d.ID, Edition: edition(d)})
}

// What hashRow says of a row, before the eight bytes of its hash.
const (
	rowNamed     = 1 // the column names somebody
	rowSensitive = 2
	rowSize      = 9
)

// hashRow makes of a row what is kept of it: the first value names the person,
// any other that is not empty makes the row sensitive.
func hashRow(h *counter.Hasher) plane.RowFunc {
	return func(dst []byte, values [][]byte) []byte {
		var flags byte
		hash, ok := h.Hash(values[0])
		if ok {
			flags = rowNamed
		}
		if slices.ContainsFunc(values[1:], func(v []byte) bool { return len(v) > 0 }) {
			flags |= rowSensitive
		}
		return binary.BigEndian.AppendUint64(append(dst, flags), hash)
	}
}

// peopleRows takes what hashRow wrote, row by row.
type peopleRows struct {
	all, sensitive           *counter.Sorter
	rows, loose              int64
	sensitiveRows, sensLoose int64
}

func newPeopleRows(dir string, sensitive bool) *peopleRows {
	p := &peopleRows{all: counter.NewSorter(dir)}
	if sensitive {
		p.sensitive = counter.NewSorter(dir)
	}
	return p
}

func (p *peopleRows) close() {
	p.all.Close()
	if p.sensitive != nil {
		p.sensitive.Close()
	}
}

// Write implements io.Writer. Pieces hold whole rows.
func (p *peopleRows) Write(b []byte) (int, error) {
	if len(b)%rowSize != 0 {
		return 0, corridor.E(corridor.Internal, "a row of counted people was cut")
	}
	for at := 0; at < len(b); at += rowSize {
		flags, hash := b[at], binary.BigEndian.Uint64(b[at+1:])
		sensitive := flags&rowSensitive != 0
		p.rows++
		if sensitive {
			p.sensitiveRows++
		}
		if flags&rowNamed == 0 {
			p.loose++
			if sensitive {
				p.sensLoose++
			}
			continue
		}
		if err := p.all.Add(hash); err != nil {
			return 0, err
		}
		if sensitive && p.sensitive != nil {
			if err := p.sensitive.Add(hash); err != nil {
				return 0, err
			}
		}
	}
	return len(b), nil
}

// sets stores what was read. If every row is sensitive, both kinds share one
// set.
func (p *peopleRows) sets(ctx context.Context, db *store.DB, base counter.Set) ([]counter.Set, error) {
	all := base
	all.Kind, all.Loose = kindPeople, p.loose
	if err := all.Store(ctx, db, p.all); err != nil {
		return nil, err
	}
	if p.sensitive == nil {
		return []counter.Set{all}, nil
	}
	some := all
	if p.sensitiveRows != p.rows {
		if err := some.Store(ctx, db, p.sensitive); err != nil {
			return nil, err
		}
	}
	some.Kind, some.Loose = kindSensitive, p.sensLoose
	return []counter.Set{all, some}, nil
}

// checkCounted holds what a column counts against what the operator states:
// facts that name fewer people than the file holds would be wrong.
func checkCounted(d catalog.Dataset, sets map[string]counter.Set) error {
	for _, kind := range countedKinds() {
		set, keyed := sets[kind]
		name := counted()[kind][0]
		file, stated := readSpan(d.Facts[name])
		if !keyed || !stated || file.open || set.Size <= file.most() {
			continue
		}
		return &corridor.Error{Kind: corridor.Invalid, Where: "facts." + name, Msg: fmt.Sprintf("states at most %d people, and the column %q names %d different ones", file.most(), d.Subject.Column, set.Size),
			Fix: fmt.Sprintf("state %s: %d, or name the column that identifies a person", name, set.Size)}
	}
	return nil
}
