package ledger

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"corridor"
	"corridor/internal/store"
)

// Signer signs receipts in the suite of the node. identity.Signer is one.
type Signer interface {
	Suite() string
	KeyID() string
	Sign(ctx context.Context, msg []byte) ([]byte, error)
}

// Secret is a value that a receipt binds without showing it. Its commitment
// stands in Receipt.Commitments[Name]; salt and value stay in the database
// until they are forgotten.
type Secret struct {
	Name  string
	Value []byte
	Salt  []byte // nil: 32 random bytes. Given when the same commitment stands elsewhere too
}

const (
	saltSize   = 32
	maxSalt    = 255
	timeLayout = "2006-01-02T15:04:05.000Z"
)

// Append adds a receipt to the log, in the transaction of the state change
// that it speaks of. Version, Time, Issuer and Prev are filled in when empty.
// The place of the receipt is known at once and final if the transaction
// commits. It signs under the only write lock: who knows Prev prepares the
// receipt before.
func (l *Log) Append(ctx context.Context, tx *store.Tx, r corridor.Receipt, signer Signer, secrets ...Secret) (corridor.ReceiptRef, error) {
	if err := l.Stopped(); err != nil {
		return corridor.ReceiptRef{}, err
	}
	if r.Prev == "" {
		var err error
		if r.Prev, err = previous(ctx, tx, r); err != nil {
			return corridor.ReceiptRef{}, err
		}
	}
	e, err := l.Prepare(ctx, r, signer, secrets...)
	if err != nil {
		return corridor.ReceiptRef{}, err
	}
	refs, err := l.Add(ctx, tx, e)
	if err != nil {
		return corridor.ReceiptRef{}, err
	}
	return refs[0], nil
}

// Entry is a signed receipt that has no place in the log yet.
type Entry struct {
	// Leaf is the digest by which the next receipt on the same matter names
	// this one: its Prev.
	Leaf string

	receipt corridor.Receipt
	hash    tlog.Hash
	text    []byte
	secrets []Secret
}

// Prepare signs a receipt that Add will put into the log. Version, Time and
// Issuer are filled in when empty. An empty Prev says that it is the first on
// its matter.
func (l *Log) Prepare(ctx context.Context, r corridor.Receipt, signer Signer, secrets ...Secret) (Entry, error) {
	if err := l.complete(&r); err != nil {
		return Entry{}, err
	}
	secrets, err := seal(&r, secrets)
	if err != nil {
		return Entry{}, err
	}
	text, err := signLeaf(ctx, r, signer)
	if err != nil {
		return Entry{}, err
	}
	hash := tlog.RecordHash(text)
	return Entry{Leaf: digestOf(hash), receipt: r, hash: hash, text: text, secrets: secrets}, nil
}

// Add puts prepared receipts into the log, one behind the other, in the
// transaction of the state change that they speak of, and gives their places.
func (l *Log) Add(ctx context.Context, tx *store.Tx, list ...Entry) ([]corridor.ReceiptRef, error) {
	if err := l.Stopped(); err != nil {
		return nil, err
	}
	var index int64
	if err := tx.QueryRow(ctx, `SELECT COALESCE(MAX(idx) + 1, 0) FROM ledger_entries`).Scan(&index); err != nil {
		return nil, err
	}
	refs := make([]corridor.ReceiptRef, 0, len(list))
	for part := range slices.Chunk(list, maxRows) {
		var args []any
		for i := range part {
			e := &part[i]
			r := &e.receipt
			args = append(args, index, e.hash[:], e.text, r.Dataset, r.Negotiation, r.Agreement, r.Transfer)
			refs = append(refs, corridor.ReceiptRef{Origin: l.cfg.Origin, Index: index, Leaf: e.Leaf})
			index++
		}
		if _, err := tx.Exec(ctx, entryRows+strings.Repeat(entryRow+", ", len(part)-1)+entryRow, args...); err != nil {
			return nil, err
		}
	}
	for i, e := range list {
		for _, s := range e.secrets {
			if _, err := tx.Exec(ctx, `INSERT INTO ledger_salts (idx, name, salt, value) VALUES (?, ?, ?, ?)`, refs[i].Index, s.Name, s.Salt, s.Value); err != nil {
				return nil, err
			}
		}
	}
	return refs, nil
}

const (
	maxRows   = 16 // of one statement
	entryRows = `INSERT INTO ledger_entries (idx, leaf, entry, dataset, negotiation, agreement, transfer) VALUES `
	entryRow  = `(?, ?, ?, ?, ?, ?, ?)`
)

func digestOf(h tlog.Hash) string { return "sha256:" + hex.EncodeToString(h[:]) }

// complete fills in what every receipt has.
func (l *Log) complete(r *corridor.Receipt) error {
	if r.Version == 0 {
		r.Version = 1
	}
	if r.Issuer == "" {
		r.Issuer = l.cfg.Issuer
	}
	if r.Time == "" {
		r.Time = l.cfg.Now().UTC().Format(timeLayout)
	}
	if r.Version != 1 || r.Type == "" || r.Issuer == "" {
		return corridor.E(corridor.Internal, "a receipt needs version 1, a type and an issuer")
	}
	if _, err := time.Parse(time.RFC3339, r.Time); err != nil || !strings.HasSuffix(r.Time, "Z") {
		return corridor.E(corridor.Internal, "receipt time %q is not RFC 3339 in UTC", r.Time)
	}
	return nil
}

// previous finds the last own receipt on the same matter.
func previous(ctx context.Context, tx *store.Tx, r corridor.Receipt) (string, error) {
	find := func(query, id string) (string, error) {
		var leaf []byte
		err := tx.QueryRow(ctx, query, id).Scan(&leaf)
		if errors.Is(err, sql.ErrNoRows) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		return digestOf(tlog.Hash(leaf)), nil
	}
	for _, by := range []struct{ query, id string }{
		{`SELECT leaf FROM ledger_entries WHERE transfer = ? AND transfer <> '' ORDER BY idx DESC LIMIT 1`, r.Transfer},
		{`SELECT leaf FROM ledger_entries WHERE agreement = ? AND agreement <> '' ORDER BY idx DESC LIMIT 1`, r.Agreement},
		{`SELECT leaf FROM ledger_entries WHERE negotiation = ? AND negotiation <> '' ORDER BY idx DESC LIMIT 1`, r.Negotiation},
	} {
		if by.id == "" {
			continue
		}
		if leaf, err := find(by.query, by.id); leaf != "" || err != nil {
			return leaf, err
		}
	}
	if r.Dataset == "" || r.Transfer != "" || r.Agreement != "" || r.Negotiation != "" {
		return "", nil
	}
	return find(`SELECT leaf FROM ledger_entries WHERE dataset = ? AND negotiation = '' AND agreement = '' AND dataset <> '' ORDER BY idx DESC LIMIT 1`, r.Dataset)
}

// seal puts the commitments of the secrets into the receipt.
func seal(r *corridor.Receipt, secrets []Secret) ([]Secret, error) {
	if len(secrets) == 0 {
		return nil, nil
	}
	r.Commitments = maps.Clone(r.Commitments)
	if r.Commitments == nil {
		r.Commitments = map[string]string{}
	}
	out := make([]Secret, len(secrets))
	for i, s := range secrets {
		if s.Name == "" || len(s.Salt) > maxSalt {
			return nil, corridor.E(corridor.Internal, "a secret needs a name and at most %d bytes of salt", maxSalt)
		}
		if s.Salt == nil {
			s.Salt = make([]byte, saltSize)
			rand.Read(s.Salt) // never fails: crypto/rand ends the process instead
		}
		if s.Value == nil {
			s.Value = []byte{}
		}
		c := corridor.Commit(s.Salt, s.Value)
		if have := r.Commitments[s.Name]; have != "" && have != c {
			return nil, corridor.E(corridor.Internal, "receipt commitment %q is not the one of its secret", s.Name)
		}
		r.Commitments[s.Name] = c
		out[i] = s
	}
	return out, nil
}

func signLeaf(ctx context.Context, r corridor.Receipt, signer Signer) ([]byte, error) {
	body, err := corridor.Canonical(r)
	if err != nil {
		return nil, err
	}
	sig, err := signer.Sign(ctx, body)
	if err != nil {
		return nil, corridor.E(corridor.Internal, "sign receipt: %w", err)
	}
	by, err := corridor.Canonical(corridor.Signature{Key: signer.KeyID(), Suite: signer.Suite(), Value: base64.RawURLEncoding.EncodeToString(sig)})
	if err != nil {
		return nil, err
	}
	// A corridor.Leaf: its members in canonical order.
	entry := slices.Concat([]byte(`{"receipt":`), body, []byte(`,"signature":`), by, []byte(`}`))
	if len(entry) > corridor.MaxReceipt {
		return nil, &corridor.Error{Kind: corridor.Limited, Msg: "the receipt is longer than a log entry can be", Why: "C2SP tlog-tiles: 65,535 bytes"}
	}
	return entry, nil
}

// Open shows the salt and value behind a commitment of a receipt.
func (l *Log) Open(ctx context.Context, index int64, name string) (salt, value []byte, err error) {
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		err := tx.QueryRow(ctx, `SELECT salt, value FROM ledger_salts WHERE idx = ? AND name = ?`, index, name).Scan(&salt, &value)
		if errors.Is(err, sql.ErrNoRows) {
			return corridor.E(corridor.Gone, "receipt %d has no secret %q, or it was forgotten", index, name)
		}
		return err
	})
	return salt, value, err
}

// Forget deletes the salts and values of a receipt: its commitments then say
// nothing any more. The receipt itself stays.
func (l *Log) Forget(ctx context.Context, tx *store.Tx, index int64) error {
	_, err := tx.Exec(ctx, `DELETE FROM ledger_salts WHERE idx = ?`, index)
	return err
}

// Receipt gives the exact bytes of an entry.
func (l *Log) Receipt(ctx context.Context, index int64) (entry []byte, err error) {
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		err := tx.QueryRow(ctx, `SELECT entry FROM ledger_entries WHERE idx = ?`, index).Scan(&entry)
		if errors.Is(err, sql.ErrNoRows) {
			return corridor.E(corridor.NotFound, "the log has no entry %d", index)
		}
		return err
	})
	return entry, err
}
