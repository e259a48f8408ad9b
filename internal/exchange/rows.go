package exchange

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/store"
)

// storedAgreement and storedTransfer carry what never leaves the database: the
// key of the pseudonyms, the token of a stream.
type storedAgreement struct {
	*Agreement
	Key []byte `json:"key,omitempty"`
}

type storedTransfer struct {
	*Transfer
	Address *dsp.DataAddress `json:"address,omitempty"`
	Dest    string           `json:"dest,omitempty"`
}

func (a *Agreement) stored() storedAgreement { return storedAgreement{a, a.key} }
func (t *Transfer) stored() storedTransfer   { return storedTransfer{t, t.address, t.dest} }

// newID makes an identifier that sorts by time: a version 7 UUID.
func newID() string {
	var b [16]byte
	rand.Read(b[6:]) // never fails (crypto/rand)
	ms := uint64(time.Now().UnixMilli())
	binary.BigEndian.PutUint32(b[:4], uint32(ms>>16))
	binary.BigEndian.PutUint16(b[4:6], uint16(ms))
	b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return "urn:uuid:" + h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func quoted(s string) json.RawMessage {
	raw, err := json.Marshal(s)
	if err != nil { // a string always marshals
		return nil
	}
	return raw
}

// unmarshal reads a stored record. Numbers stay exact: facts go on to the law.
func unmarshal(doc string, into any) error {
	if err := json.Unmarshal([]byte(doc), into); err != nil {
		return corridor.E(corridor.Internal, "a stored record cannot be read: %w", err)
	}
	return nil
}

func noSuch(what, id string) error {
	return corridor.E(corridor.NotFound, "there is no %s %q here", what, clip(id))
}

func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return s[:most] + "..."
}

func loadNegotiation(ctx context.Context, tx *store.Tx, where string, args ...any) (Negotiation, error) {
	var n Negotiation
	var doc string
	err := tx.QueryRow(ctx, `SELECT doc, version FROM negotiations WHERE `+where, args...).Scan(&doc, &n.version)
	if err != nil {
		return n, err
	}
	return n, unmarshal(doc, &n)
}

func loadTransfer(ctx context.Context, tx *store.Tx, where string, args ...any) (Transfer, error) {
	t := Transfer{}
	var doc string
	err := tx.QueryRow(ctx, `SELECT doc, version FROM transfers WHERE `+where, args...).Scan(&doc, &t.version)
	if err != nil {
		return t, err
	}
	s := storedTransfer{Transfer: &t}
	if err := unmarshal(doc, &s); err != nil {
		return t, err
	}
	t.address, t.dest = s.Address, s.Dest
	return t, nil
}

func loadAgreement(ctx context.Context, tx *store.Tx, id string) (Agreement, error) {
	a := Agreement{}
	var doc string
	err := tx.QueryRow(ctx, `SELECT doc, version FROM agreements WHERE id = ?`, id).Scan(&doc, &a.version)
	if err != nil {
		return a, err
	}
	s := storedAgreement{Agreement: &a}
	if err := unmarshal(doc, &s); err != nil {
		return a, err
	}
	a.key = s.Key
	return a, nil
}

// Negotiation reads one negotiation by our pid.
func (s *Service) Negotiation(ctx context.Context, pid string) (Negotiation, error) {
	var n Negotiation
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		n, err = loadNegotiation(ctx, tx, `pid = ?`, pid)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = noSuch("negotiation", pid)
	}
	return n, err
}

// Agreement reads one agreement.
func (s *Service) Agreement(ctx context.Context, id string) (Agreement, error) {
	var a Agreement
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		a, err = loadAgreement(ctx, tx, id)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = noSuch("agreement", id)
	}
	return a, err
}

// TransferByPID reads one transfer by our pid, with the bytes that have come
// so far.
func (s *Service) TransferByPID(ctx context.Context, pid string) (Transfer, error) {
	var t Transfer
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		t, err = loadTransfer(ctx, tx, `pid = ?`, pid)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = noSuch("transfer", pid)
	}
	if n, live := s.run.progress(pid); live && err == nil {
		t.Bytes = n
	}
	return t, err
}

// Page asks for a part of a list: what comes after an identifier, in one state
// or in all.
type Page struct {
	After string
	Limit int
	State string
}

// maxPage bounds a page.
const maxPage = 100

func (p Page) limit() int {
	if p.Limit <= 0 || p.Limit > maxPage {
		return maxPage
	}
	return p.Limit
}

// Negotiations lists negotiations, the oldest first, without the text of the
// decisions. Next is where the following page begins, or nothing.
func (s *Service) Negotiations(ctx context.Context, p Page) (page []Negotiation, next string, err error) {
	return listOf(ctx, s.db, "negotiations", "pid", p, func(doc string, version int64) (Negotiation, string, error) {
		n := Negotiation{version: version}
		err := unmarshal(doc, &n)
		n.Shown = nil
		for _, d := range []*SidedDecision{n.Own, n.Theirs} {
			if d != nil {
				*d = SidedDecision{Outcome: d.Outcome, Side: d.Side, Country: d.Country}
			}
		}
		return n, n.PID, err
	})
}

// Agreements lists agreements, the oldest first, without their text.
func (s *Service) Agreements(ctx context.Context, p Page) (page []Agreement, next string, err error) {
	return listOf(ctx, s.db, "agreements", "id", p, func(doc string, version int64) (Agreement, string, error) {
		a := Agreement{version: version}
		err := unmarshal(doc, &a)
		a.Signed = nil
		return a, a.ID, err
	})
}

// Transfers lists transfers, the oldest first.
func (s *Service) Transfers(ctx context.Context, p Page) (page []Transfer, next string, err error) {
	return listOf(ctx, s.db, "transfers", "pid", p, func(doc string, version int64) (Transfer, string, error) {
		t := Transfer{version: version}
		err := unmarshal(doc, &storedTransfer{Transfer: &t})
		return t, t.PID, err
	})
}

func listOf[T any](ctx context.Context, db *store.DB, table, key string, p Page, read func(doc string, version int64) (T, string, error)) (page []T, next string, err error) {
	where, args := key+` > ?`, []any{p.After}
	if p.State != "" {
		where, args = where+` AND state = ?`, append(args, p.State)
	}
	page = []T{}
	err = db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT doc, version FROM `+table+` WHERE `+where+` ORDER BY `+key+fmt.Sprintf(` LIMIT %d`, p.limit()+1), args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		last := ""
		for rows.Next() {
			var doc string
			var version int64
			if err := rows.Scan(&doc, &version); err != nil {
				return err
			}
			if len(page) == p.limit() {
				next = last
				break
			}
			v, id, err := read(doc, version)
			if err != nil {
				return err
			}
			page, last = append(page, v), id
		}
		return rows.Err()
	})
	if err != nil {
		return nil, "", fmt.Errorf("list %s: %w", table, err)
	}
	return page, next, nil
}

// wasTaken says whether a message was taken before. A message with a name of
// its own is known for ever; one without is known by its content, as long as
// the process has not moved since, because the same words may be said twice.
func wasTaken(ctx context.Context, tx *store.Tx, pid, message string, named bool, version int64) (bool, error) {
	var at int64
	err := tx.QueryRow(ctx, `SELECT version FROM taken WHERE process = ? AND message = ?`, pid, message).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for repeats: %w", err)
	}
	return named || at == version, nil
}

// nameOf gives the name of a message, or the digest of its bytes if the peer
// gives none.
func nameOf(m dsp.Message, ext dsp.Extensions) (name string, named bool, err error) {
	if len(ext.Message) > 0 {
		if err := json.Unmarshal(ext.Message, &name); err != nil || name == "" || len(name) > 200 {
			return "", false, &corridor.Error{Kind: corridor.Invalid, Where: "corridor:message", Msg: "is not a name", Fix: "give each message a new UUID, or none"}
		}
		return string(m.Type()) + " " + name, true, nil
	}
	if digest := ext.Received(); digest != "" {
		return digest, false, nil
	}
	body, err := dsp.Encode(m)
	if err != nil {
		return "", false, err
	}
	return corridor.Digest(body), false, nil
}
