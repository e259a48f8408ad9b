package exchange

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"corridor"
	"corridor/internal/catalog"
	"corridor/internal/plane"
	"corridor/internal/store"
)

// A dataset may grow. Its file is the first increment; more are added, each a
// file of the same form whose facts are those of the dataset, the numbers of
// people apart. Nothing that was added changes again.

// MaxIncrements bounds the increments of one dataset, and those that go under
// one agreement: all receipts about it must find room in one bundle.
const MaxIncrements = 1000

// Addition is what an operator adds to a dataset that grows.
type Addition struct {
	Source string         `json:"source"`           // path of the file
	Number int64          `json:"number,omitempty"` // that it is to get; absent: the next, unless the last is the very same file
	Facts  corridor.Facts `json:"facts,omitempty"`  // the numbers of people in it, where the dataset states them
}

// Added is an increment as it was added.
type Added struct {
	Dataset   string         `json:"dataset"`
	Number    int64          `json:"number"`
	Source    string         `json:"source"`
	SHA256    string         `json:"sha256"`
	Bytes     int64          `json:"bytes"`
	Facts     corridor.Facts `json:"facts,omitempty"`
	Published time.Time      `json:"published"`
}

// as is the dataset with the file and the numbers of an increment. Those of the
// first are no other's: what an increment does not state is not known of it.
func (i Added) as(d catalog.Dataset) catalog.Dataset {
	d.Source, d.SHA256, d.Bytes, d.Facts = i.Source, i.SHA256, i.Bytes, d.Facts.Clone()
	if i.Number > 1 {
		for _, name := range incrementNumbers() {
			delete(d.Facts, name)
		}
	}
	for name, v := range i.Facts {
		d.Facts[name] = v
	}
	return d
}

// counted is the dataset under the name by which the people of an increment are
// counted. No dataset has a slash in its own.
func (i Added) counted(d catalog.Dataset) catalog.Dataset { return countedAs(i.as(d), i.Number) }

func countedAs(d catalog.Dataset, number int64) catalog.Dataset {
	if number > 1 {
		d.ID = fmt.Sprintf("%s/%d", d.ID, number)
	}
	return d
}

// Append adds an increment to a dataset that grows. The consumers of transfers
// that go on are nudged, and ask for it.
func (s *Service) Append(ctx context.Context, id string, p Addition) (Added, error) {
	var out Added
	err := again(func() error {
		d, last, err := s.newest(ctx, id)
		if err != nil {
			return err
		}
		if out, err = s.addition(ctx, d, last, p); err != nil {
			return err
		}
		r, err := publicationReceipt(out.as(d))
		if err != nil {
			return err
		}
		r.body.Increment = &corridor.Increment{Number: out.Number, Bytes: out.Bytes}
		return s.commit(ctx, &step{receipts: []receipt{r}, after: []func(){func() { s.toNudge.add(id) }}, inside: func(ctx context.Context, tx *store.Tx) error { return out.put(ctx, tx) }})
	})
	return out, err
}

func (i Added) put(ctx context.Context, tx *store.Tx) error {
	doc, err := json.Marshal(i)
	if err != nil {
		return corridor.E(corridor.Internal, "increment: %w", err)
	}
	r, err := tx.Exec(ctx, `INSERT INTO increments (dataset, number, doc) VALUES (?, ?, ?) ON CONFLICT (dataset, number) DO NOTHING`, i.Dataset, i.Number, string(doc))
	if err != nil {
		return fmt.Errorf("write increment: %w", err)
	}
	n, err := r.RowsAffected()
	if err == nil && n == 0 { // somebody else has added one
		err = errChanged
	}
	return err
}

// newest reads a dataset that grows, and its last increment.
func (s *Service) newest(ctx context.Context, id string) (d catalog.Dataset, last Added, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		if d, err = catalog.Get(ctx, tx, id); err != nil {
			return err
		}
		last, err = readIncrement(tx.QueryRow(ctx, `SELECT doc FROM increments WHERE dataset = ? ORDER BY number DESC LIMIT 1`, id))
		return ignoreNone(err)
	})
	if err != nil {
		return d, last, err
	}
	if !d.Growing {
		return d, last, &corridor.Error{Kind: corridor.Conflict, Where: id, Msg: "this dataset does not grow", Fix: "publish it anew in place of the old one, or under another id as one that grows"}
	}
	if last.Number == 0 {
		last = first(d)
	}
	return d, last, nil
}

// Increments lists the increments of a dataset that grows, in their order. A page
// begins after a number.
func (s *Service) Increments(ctx context.Context, id string, p Page) (page []Added, next string, err error) {
	var after int64
	if p.After != "" {
		if after, err = strconv.ParseInt(p.After, 10, 64); err != nil || after < 1 {
			return nil, "", corridor.E(corridor.Invalid, "after: %q is not the number of an increment", clip(p.After))
		}
	}
	d, last, err := s.newest(ctx, id)
	if err != nil {
		return nil, "", err
	}
	if after == 0 {
		page, after = append(page, first(d)), 1
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT doc FROM increments WHERE dataset = ? AND number > ? ORDER BY number LIMIT ?`, id, after, p.limit()-len(page))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			i, err := readIncrement(rows)
			if err != nil {
				return err
			}
			page = append(page, i)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, "", fmt.Errorf("increments of %s: %w", id, err)
	}
	if n := len(page); n > 0 && page[n-1].Number < last.Number {
		next = strconv.FormatInt(page[n-1].Number, 10)
	}
	return page, next, nil
}

// datasetNow reads a dataset with the numbers of the increment that was added
// last, and its number; 0 if it does not grow.
func (s *Service) datasetNow(ctx context.Context, id string) (catalog.Dataset, int64, error) {
	d, err := s.dataset(ctx, id)
	if err != nil || !d.Growing {
		return d, 0, err
	}
	d, last, err := s.newest(ctx, id)
	return last.as(d), last.Number, err
}

func first(d catalog.Dataset) Added {
	return Added{Dataset: d.ID, Number: 1, Source: d.Source, SHA256: d.SHA256, Bytes: d.Bytes, Published: d.Published}
}

func readIncrement(row interface{ Scan(...any) error }) (i Added, err error) {
	var doc string
	if err = row.Scan(&doc); err == nil {
		err = unmarshal(doc, &i)
	}
	return i, err
}

// incrementOf reads one increment of a dataset. The error is NotFound if it has
// not been added.
func (s *Service) incrementOf(ctx context.Context, d catalog.Dataset, number int64) (Added, error) {
	if number == 1 {
		return first(d), nil
	}
	var i Added
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		i, err = readIncrement(tx.QueryRow(ctx, `SELECT doc FROM increments WHERE dataset = ? AND number = ?`, d.ID, number))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = noSuch("increment", fmt.Sprintf("%s %d", d.ID, number))
	}
	return i, err
}

// addition checks what is to be added and makes of it the next increment.
func (s *Service) addition(ctx context.Context, d catalog.Dataset, last Added, p Addition) (i Added, err error) {
	i = Added{Dataset: d.ID, Number: last.Number + 1, Facts: p.Facts, Published: s.now().UTC()}
	switch {
	case i.Number > MaxIncrements:
		return i, &corridor.Error{Kind: corridor.Limited, Where: d.ID, Msg: fmt.Sprintf("a dataset takes %d increments", MaxIncrements), Fix: "go on under another id, for which a new agreement is made"}
	case p.Number != 0 && p.Number != i.Number:
		return i, &corridor.Error{Kind: corridor.Conflict, Where: "number", Msg: fmt.Sprintf("the next increment of %s is number %d", d.ID, i.Number), Fix: "look whether yours has been added already"}
	}
	if err := checkNumbers(d, p.Facts); err != nil {
		return i, err
	}
	if i.Source, err = filepath.Abs(p.Source); err != nil {
		return i, corridor.E(corridor.Invalid, "source: %w", err)
	}
	if i.SHA256, i.Bytes, err = digestFile(ctx, i.Source); err != nil {
		return i, err
	}
	if i.SHA256 == last.SHA256 && p.Number == 0 {
		return i, &corridor.Error{Kind: corridor.Conflict, Where: "source", Msg: fmt.Sprintf("increment %d is this very file", last.Number), Fix: "if it is to be sent once more, give its number"}
	}
	set := i.counted(d)
	if err := s.checkFacts(withYear(set)); err != nil {
		return i, err
	}
	if err := s.checkDelivery(ctx, set); err != nil {
		return i, err
	}
	return i, s.sameColumns(ctx, d, set)
}

// withYear is a dataset whose stated numbers of the year are no less than those
// of an increment, as they are when the law is asked about it.
func withYear(d catalog.Dataset) *catalog.Dataset {
	d.Facts = d.Facts.Clone()
	total := map[string]span{}
	for kind, names := range counted() {
		if n, stated := readSpan(d.Facts[names[0]]); stated {
			total[kind] = span{low: n.low, high: n.most()}
		}
	}
	countPeople(d.Facts, total)
	return &d
}

// incrementNumbers names the facts that each increment has of its own.
func incrementNumbers() []string {
	return []string{"genome_subjects", "sensitive_subjects_in_file", "subjects_in_file"}
}

// checkNumbers: an increment states the numbers of people that its dataset
// states, and nothing else.
func checkNumbers(d catalog.Dataset, facts corridor.Facts) error {
	for name := range facts {
		if !slices.Contains(incrementNumbers(), name) {
			return &corridor.Error{Kind: corridor.Invalid, Where: "facts." + name, Msg: "an increment has the facts of its dataset, and numbers of people of its own", Fix: "publish what has other facts as another dataset"}
		}
	}
	for _, name := range incrementNumbers() {
		_, owed := d.Facts[name]
		if _, stated := facts[name]; owed != stated {
			return &corridor.Error{Kind: corridor.Invalid, Where: "facts." + name, Msg: "is to be stated for an increment if it is for the dataset, and only then", Why: "the law counts people by what leaves"}
		}
	}
	return nil
}

// sameColumns: what comes later has the columns of what was agreed on, whether
// stages are the dataset's or the agreement's. A column more would leave without
// any.
func (s *Service) sameColumns(ctx context.Context, d, increment catalog.Dataset) error {
	var columns [2][]string
	for i, set := range []catalog.Dataset{d, increment} {
		src, err := s.files.Source(set.Source, set.SHA256).Open(ctx)
		if err != nil {
			return err
		}
		columns[i], err = plane.Columns(ctx, src, d.Format)
		if err := errors.Join(err, src.Close()); err != nil {
			return err
		}
	}
	if !slices.Equal(columns[0], columns[1]) {
		return &corridor.Error{Kind: corridor.Invalid, Where: "source", Msg: fmt.Sprintf("has the columns %q where the first increment has %q", columns[1], columns[0]), Fix: "publish what has another form as another dataset"}
	}
	return nil
}

// checkGrowth: what is there under the name of a publication grows or does not,
// for good, and its first increment stays the same.
func (s *Service) checkGrowth(ctx context.Context, d catalog.Dataset) error {
	var old catalog.Dataset
	var more string
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		if old, err = catalog.Get(ctx, tx, d.ID); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT COALESCE((SELECT dataset FROM increments WHERE dataset = ? LIMIT 1), '')`, d.ID).Scan(&more)
	})
	switch {
	case corridor.KindOf(err) == corridor.NotFound:
		return nil
	case err != nil:
		return err
	case old.Growing != d.Growing:
		return &corridor.Error{Kind: corridor.Conflict, Where: "growing", Msg: "a dataset that grows does so for good, and no other begins to", Why: "agreements were made about it as it is", Fix: "publish it under another id"}
	case d.Growing && (old.SHA256 != d.SHA256 || old.Format != d.Format):
		return &corridor.Error{Kind: corridor.Conflict, Where: "source", Msg: "the first increment of a dataset that grows stays the same", Why: "it has been sent", Fix: "add the file to it, or publish it under another id"}
	case more == "":
		return nil
	}
	for _, name := range incrementNumbers() {
		_, was := old.Facts[name]
		if _, is := d.Facts[name]; is != was {
			return &corridor.Error{Kind: corridor.Conflict, Where: "facts." + name, Msg: "is stated for each increment of a dataset that grows, or for none", Why: "increments were added to it as it was", Fix: "publish it under another id"}
		}
	}
	return nil
}
