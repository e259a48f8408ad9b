// Package catalog keeps what this node offers: datasets, what is known about
// them, the policy under which they can be had, and the view of all that in
// the words of DCAT and the Dataspace Protocol. Filtering and paging happen in
// SQL. Whether a dataset may be shown to a given peer is not decided here: the
// exchange asks the law.
package catalog

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/store"
)

//go:embed schema.sql
var schema string

// Migrations lists the tables of this room.
var Migrations = []store.Migration{{Room: "catalog", Version: 1, SQL: schema}}

// FormatPull is the distribution in which a consumer fetches over HTTP.
const FormatPull = "HttpData-PULL"

// Limits of one dataset and of one page.
const (
	MaxDoc  = 256 << 10
	MaxPage = 100
)

// Dataset is something that this node can provide.
type Dataset struct {
	ID          string                       `json:"id"`
	Title       string                       `json:"title"`
	Description string                       `json:"description,omitempty"`
	Keywords    []string                     `json:"keywords,omitempty"`
	Source      string                       `json:"source"` // path of the file; never shown to peers
	Format      string                       `json:"format"` // csv, jsonl, parquet or another name
	Bytes       int64                        `json:"bytes"`
	SHA256      string                       `json:"sha256"`             // Digest of the source when it was published
	Facts       corridor.Facts               `json:"facts"`              // confirmed by the operator, for the data as it leaves
	Public      []string                     `json:"public"`             // names of the facts that the catalogue shows
	Plan        json.RawMessage              `json:"plan,omitempty"`     // plane.Plan: what is done to the bytes on the way
	Offer       dsp.Offer                    `json:"offer"`              // as listed: without target
	Evidence    map[string]corridor.Evidence `json:"evidence,omitempty"` // by obligation, for duties owed before the transfer
	Subject     *Subject                     `json:"subject,omitempty"`  // never shown to peers
	Published   time.Time                    `json:"published"`
}

// Subject says which column of a dataset names a person, so that the same
// person in several datasets is counted once in a year.
type Subject struct {
	Column    string   `json:"column"`
	Kind      string   `json:"kind"`                // what it holds and in which space, for example national_id:CN
	Sensitive []string `json:"sensitive,omitempty"` // a row with a value in one of these columns is sensitive
}

// PublicFacts is the part of the facts that the catalogue shows, for the law
// of the importer.
func (d Dataset) PublicFacts() corridor.Facts {
	out := make(corridor.Facts, len(d.Public))
	for _, name := range d.Public {
		if v, ok := d.Facts[name]; ok {
			out[name] = v
		}
	}
	return out
}

// Put writes a dataset in the caller's transaction: a new one, or a new
// edition of the one with the same id.
func Put(ctx context.Context, tx *store.Tx, d Dataset) error {
	doc, err := json.Marshal(d)
	if err != nil {
		return corridor.E(corridor.Invalid, "dataset %s: %w", d.ID, err)
	}
	if len(doc) > MaxDoc {
		return corridor.E(corridor.Limited, "the description of dataset %s is over the limit of %d bytes", d.ID, MaxDoc)
	}
	_, err = tx.Exec(ctx, `INSERT INTO datasets (id, title, format, doc, published_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET title = excluded.title, format = excluded.format, doc = excluded.doc, published_at = excluded.published_at`,
		d.ID, d.Title, d.Format, string(doc), dsp.FormatTime(d.Published))
	if err != nil {
		return fmt.Errorf("write dataset %s: %w", d.ID, err)
	}
	return nil
}

// Get reads one dataset.
func Get(ctx context.Context, tx *store.Tx, id string) (Dataset, error) {
	var doc string
	err := tx.QueryRow(ctx, `SELECT doc FROM datasets WHERE id = ?`, id).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return Dataset{}, corridor.E(corridor.NotFound, "there is no dataset %q here", clip(id))
	}
	if err != nil {
		return Dataset{}, fmt.Errorf("read dataset: %w", err)
	}
	return decode(doc)
}

// List reads a page of datasets in the order of their ids, those after the
// given id. Next is where the following page begins, or nothing.
func List(ctx context.Context, tx *store.Tx, f Filter, after string, limit int) (page []Dataset, next string, err error) {
	if limit <= 0 || limit > MaxPage {
		limit = MaxPage
	}
	where, args := f.sql()
	args = append([]any{after}, args...)
	rows, err := tx.Query(ctx, `SELECT doc FROM datasets WHERE id > ?`+where+fmt.Sprintf(` ORDER BY id LIMIT %d`, limit+1), args...)
	if err != nil {
		return nil, "", fmt.Errorf("list datasets: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var doc string
		if err := rows.Scan(&doc); err != nil {
			return nil, "", fmt.Errorf("list datasets: %w", err)
		}
		d, err := decode(doc)
		if err != nil {
			return nil, "", err
		}
		page = append(page, d)
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("list datasets: %w", err)
	}
	if len(page) > limit {
		page = page[:limit]
		next = page[limit-1].ID
	}
	return page, next, nil
}

func decode(doc string) (Dataset, error) {
	var d Dataset
	if err := json.Unmarshal([]byte(doc), &d); err != nil {
		return d, corridor.E(corridor.Internal, "a stored dataset cannot be read: %w", err)
	}
	return d, nil
}

// DCAT is the dataset as a peer sees it. Service is where to negotiate.
func (d Dataset) DCAT(service dsp.DataService) (dsp.Dataset, error) {
	facts, err := json.Marshal(d.PublicFacts())
	if err != nil {
		return dsp.Dataset{}, corridor.E(corridor.Internal, "facts of %s: %w", d.ID, err)
	}
	out := dsp.Dataset{
		ID: d.ID, Title: d.Title, Description: d.Description, Keyword: d.Keywords,
		HasPolicy:    []dsp.Offer{d.Offer},
		Distribution: []dsp.Distribution{{Format: FormatPull, AccessService: dsp.ServiceRef{ID: service.ID, Service: &service}}},
	}
	out.Facts = facts
	return out, nil
}

// Filter narrows a catalogue. The zero Filter lets everything through.
type Filter struct {
	ID     string
	Format string
	Title  string // a part of the title, in any letter case
}

// ParseFilter reads the filter of a catalogue request: comparisons in the
// form of an ODRL constraint, which all must hold. What is not understood is
// refused, as the protocol wants.
func ParseFilter(list []json.RawMessage) (Filter, error) {
	var f Filter
	for i, raw := range list {
		var c dsp.Constraint
		at := fmt.Sprintf("filter[%d]", i)
		if err := json.Unmarshal(raw, &c); err != nil {
			return f, refuse(at, "is not an object with leftOperand, operator and rightOperand")
		}
		if string(raw) == "{}" { // "no filter" of some peers
			continue
		}
		right, ok := c.Right()
		if !ok || len(right) != 1 || right[0] == "" {
			return f, refuse(at+".rightOperand", "is not one string")
		}
		into, op := f.field(c.LeftOperand)
		switch {
		case into == nil:
			return f, refuse(at+".leftOperand", fmt.Sprintf("%q cannot be filtered by", clip(c.LeftOperand)))
		case c.Operator != op:
			return f, refuse(at+".operator", fmt.Sprintf("%q does not go with %s: use %s", clip(string(c.Operator)), c.LeftOperand, op))
		case *into != "" && *into != right[0]:
			return f, refuse(at, "contradicts another filter on "+c.LeftOperand)
		}
		*into = right[0]
	}
	return f, nil
}

func (f *Filter) field(name string) (*string, dsp.Operator) {
	switch name {
	case "id", "@id":
		return &f.ID, dsp.Eq
	case "format":
		return &f.Format, dsp.Eq
	case "title":
		return &f.Title, dsp.HasPart
	}
	return nil, ""
}

func refuse(at, msg string) error {
	return &corridor.Error{Kind: corridor.Invalid, Where: at, Msg: msg, Why: "DSP 2025-1: an unsupported filter is refused",
		Fix: `use {"leftOperand": "id" or "format", "operator": "eq"} or {"leftOperand": "title", "operator": "hasPart"}`}
}

func (f Filter) sql() (string, []any) {
	var b strings.Builder
	var args []any
	add := func(clause, value string) {
		if value != "" {
			b.WriteString(clause)
			args = append(args, value)
		}
	}
	add(` AND id = ?`, f.ID)
	add(` AND format = ?`, f.Format)
	if f.Title != "" {
		add(` AND lower(title) LIKE ? ESCAPE '\'`, "%"+strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(f.Title))+"%")
	}
	return b.String(), args
}

func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
