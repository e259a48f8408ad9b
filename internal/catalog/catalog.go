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

//go:embed schema_postgres.sql
var schemaPostgres string

//go:embed schema2.sql
var schema2 string

//go:embed schema2_postgres.sql
var schema2Postgres string

//go:embed crawl.sql
var crawlSchema string

//go:embed crawl_postgres.sql
var crawlPostgres string

//go:embed languages.sql
var languagesSchema string

//go:embed languages_postgres.sql
var languagesPostgres string

// Migrations lists the tables of this room. Upgrade goes with version 2.
var Migrations = []store.Migration{{Room: "catalog", Version: 1, SQL: schema, Postgres: schemaPostgres},
	{Room: "catalog", Version: 2, SQL: schema2, Postgres: schema2Postgres}, {Room: "catalog", Version: 3, SQL: crawlSchema, Postgres: crawlPostgres},
	{Room: "catalog", Version: 4, SQL: languagesSchema, Postgres: languagesPostgres}}

// The distributions of every dataset: a consumer fetches over HTTP, or the
// provider pushes to an HTTP address of the consumer's.
const (
	FormatPull = "HttpData-PULL"
	FormatPush = "HttpData-PUSH"
	// The distributions of a dataset that grows: the transfer goes on, and each
	// increment is fetched or pushed.
	FormatGrowing     = "HttpData-PULL-NonFinite"
	FormatGrowingPush = "HttpData-PUSH-NonFinite"
)

// Limits of one dataset, of one page, and of one publication of several.
const (
	MaxDoc  = 256 << 10
	MaxPage = 100
	MaxPut  = 1000
)

// Dataset is something that this node can provide.
type Dataset struct {
	ID          string                       `json:"id"`
	Title       string                       `json:"title"`
	Description string                       `json:"description,omitempty"`
	Keywords    []string                     `json:"keywords,omitempty"`
	Metadata    *Metadata                    `json:"metadata,omitempty"`
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
	Manual      []string                     `json:"manual,omitempty"`   // steps that wait for a person; never shown to peers
	Growing     bool                         `json:"growing,omitempty"`  // Source is its first increment; more are added
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

// Put writes datasets in the caller's transaction: new ones, or new editions
// of those with the same id.
func Put(ctx context.Context, tx *store.Tx, list ...Dataset) error {
	var diff termDiff
	seen := make(map[string]bool, len(list))
	for _, d := range list {
		if seen[d.ID] { // what it is found by now must be there before it changes
			if err := own.reindex(ctx, tx, &diff); err != nil {
				return err
			}
			diff, seen = termDiff{}, map[string]bool{}
		}
		seen[d.ID] = true
		if err := put(ctx, tx, d, &diff); err != nil {
			return err
		}
	}
	if err := own.reindex(ctx, tx, &diff); err != nil {
		return err
	}
	return changed(ctx, tx)
}

func put(ctx context.Context, tx *store.Tx, d Dataset, diff *termDiff) error {
	doc, err := json.Marshal(d)
	if err != nil {
		return corridor.E(corridor.Invalid, "dataset %s: %w", d.ID, err)
	}
	if len(doc) > MaxDoc {
		return corridor.E(corridor.Limited, "the description of dataset %s is over the limit of %d bytes", d.ID, MaxDoc)
	}
	lawful, err := d.lawful()
	if err != nil {
		return err
	}
	_, old, err := standing(ctx, tx, d.ID)
	if err != nil {
		return err
	}
	terms := d.terms()
	var n int64
	err = tx.QueryRow(ctx, `INSERT INTO datasets (id, edition, title_key, lawful, terms, doc, published_at) VALUES (?, 1, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET edition = datasets.edition + 1, withdrawn = 0, title_key = excluded.title_key, lawful = excluded.lawful,
			terms = excluded.terms, doc = excluded.doc, published_at = excluded.published_at
		RETURNING n`, d.ID, d.titleKey(), lawful, strings.Join(terms, "\n"), string(doc), dsp.FormatTime(d.Published)).Scan(&n)
	if err != nil {
		return fmt.Errorf("write dataset %s: %w", d.ID, err)
	}
	diff.row(n, old, terms)
	return nil
}

// standing gives the number of a dataset and the terms that it is found by
// now: zero and none if it is not there.
func standing(ctx context.Context, tx *store.Tx, id string) (n int64, terms []string, err error) {
	var text string
	var withdrawn int64
	err = tx.QueryRow(ctx, `SELECT n, withdrawn, terms FROM datasets WHERE id = ?`, id).Scan(&n, &withdrawn, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read dataset: %w", err)
	}
	if withdrawn == 0 && text != "" {
		terms = strings.Split(text, "\n")
	}
	return n, terms, nil
}

// Withdraw takes a dataset out of the catalogue. It stays known to the
// agreements that are about it.
func Withdraw(ctx context.Context, tx *store.Tx, id string) error {
	n, terms, err := standing(ctx, tx, id)
	if err != nil {
		return err
	}
	res, err := tx.Exec(ctx, `UPDATE datasets SET withdrawn = 1, edition = edition + 1 WHERE id = ? AND withdrawn = 0`, id)
	if err != nil {
		return fmt.Errorf("withdraw dataset %s: %w", id, err)
	}
	if hit, err := res.RowsAffected(); err != nil || hit == 0 {
		return noDataset(id)
	}
	var diff termDiff
	diff.row(n, terms, nil)
	if err := own.reindex(ctx, tx, &diff); err != nil {
		return err
	}
	return changed(ctx, tx)
}

func noDataset(id string) error {
	return corridor.E(corridor.NotFound, "there is no dataset %q here", clip(id))
}

// Get reads one dataset, also one that is withdrawn.
func Get(ctx context.Context, tx *store.Tx, id string) (Dataset, error) {
	var doc string
	err := tx.QueryRow(ctx, `SELECT doc FROM datasets WHERE id = ?`, id).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return Dataset{}, noDataset(id)
	}
	if err != nil {
		return Dataset{}, fmt.Errorf("read dataset: %w", err)
	}
	return decode(doc)
}

// Listed reads one dataset of the catalogue.
func Listed(ctx context.Context, tx *store.Tx, id string) (Entry, error) {
	var e Entry
	err := tx.QueryRow(ctx, `SELECT n, id, edition, lawful, doc FROM datasets WHERE id = ? AND withdrawn = 0`, id).Scan(&e.n, &e.ID, &e.Edition, &e.Lawful, &e.doc)
	if errors.Is(err, sql.ErrNoRows) {
		return e, noDataset(id)
	}
	if err != nil {
		return e, fmt.Errorf("read dataset: %w", err)
	}
	return e, nil
}

// Edition gives how often a listed dataset has changed, without reading it.
func Edition(ctx context.Context, tx *store.Tx, id string) (int64, error) {
	var edition int64
	err := tx.QueryRow(ctx, `SELECT edition FROM datasets WHERE id = ? AND withdrawn = 0`, id).Scan(&edition)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, noDataset(id)
	}
	if err != nil {
		return 0, fmt.Errorf("read dataset: %w", err)
	}
	return edition, nil
}

// Version counts the changes of the catalogue. As long as it stands still,
// so do all answers that depend on the catalogue alone.
func Version(ctx context.Context, tx *store.Tx) (int64, error) {
	var v int64
	if err := tx.QueryRow(ctx, `SELECT version FROM catalogue_version WHERE one = 1`).Scan(&v); err != nil {
		return 0, fmt.Errorf("version of the catalogue: %w", err)
	}
	return v, nil
}

func changed(ctx context.Context, tx *store.Tx) error {
	if _, err := tx.Exec(ctx, `UPDATE catalogue_version SET version = version + 1 WHERE one = 1`); err != nil {
		return fmt.Errorf("version of the catalogue: %w", err)
	}
	return nil
}

// Upgrade moves the datasets of the first schema, some at a time. It may stop
// at any point and be called again.
func Upgrade(ctx context.Context, db *store.DB) error {
	for more := true; more; {
		err := db.Write(ctx, func(tx *store.Tx) (err error) {
			more, err = upgradeSome(ctx, tx)
			return err
		})
		if err != nil {
			return fmt.Errorf("move the datasets of an earlier version: %w", err)
		}
	}
	return nil
}

func upgradeSome(ctx context.Context, tx *store.Tx) (more bool, err error) {
	rows, err := tx.Query(ctx, `SELECT doc FROM datasets_of_schema_1 ORDER BY published_at, id LIMIT 100`)
	if err != nil {
		return false, err
	}
	list, err := collect(rows, func(scan func(...any) error) (d Dataset, err error) {
		var doc string
		if err = scan(&doc); err == nil {
			d, err = decode(doc)
		}
		return d, err
	})
	if err != nil || len(list) == 0 {
		return false, err
	}
	for _, d := range list {
		if _, err := tx.Exec(ctx, `DELETE FROM datasets_of_schema_1 WHERE id = ?`, d.ID); err != nil {
			return false, err
		}
	}
	return true, Put(ctx, tx, list...)
}

func decode(doc string) (Dataset, error) {
	var d Dataset
	if err := json.Unmarshal([]byte(doc), &d); err != nil {
		return d, corridor.E(corridor.Internal, "a stored dataset cannot be read: %w", err)
	}
	return d, nil
}

// Formats lists the distributions of a dataset.
func (d Dataset) Formats() []string {
	if d.Growing {
		return []string{FormatGrowing, FormatGrowingPush}
	}
	return []string{FormatPull, FormatPush}
}

// DCAT is the dataset as a peer sees it. Service is where to negotiate.
func (d Dataset) DCAT(service dsp.DataService) (dsp.Dataset, error) {
	facts, err := json.Marshal(d.PublicFacts())
	if err != nil {
		return dsp.Dataset{}, corridor.E(corridor.Internal, "facts of %s: %w", d.ID, err)
	}
	out := dsp.Dataset{
		ID: d.ID, Title: d.Title, Description: d.Description, Keyword: d.Keywords,
		HasPolicy: []dsp.Offer{d.Offer},
		DCAT:      d.dcat(),
	}
	for _, format := range d.Formats() {
		out.Distribution = append(out.Distribution, dsp.Distribution{Format: format, AccessService: dsp.ServiceRef{ID: service.ID, Service: &service}})
	}
	out.Facts = facts
	return out, nil
}

func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
