package exchange

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"corridor"
	"corridor/internal/dsp"
	"corridor/internal/store"
)

// storedAgreement and storedTransfer carry what never leaves the database: the
// key of the pseudonyms, the token of a stream.
//
// The text that is signed has a table of its own; the signatures stay here.
type storedAgreement struct {
	*Agreement
	Key        []byte          `json:"key,omitempty"`
	Signed     json.RawMessage `json:"signed,omitempty"` // of before that table
	Signatures json.RawMessage `json:"signatures,omitempty"`
	Stop       *behind         `json:"stop,omitempty"`
}

// storedNegotiation leaves the decisions to a table of their own.
type storedNegotiation struct {
	*Negotiation
	Own    *SidedDecision `json:"own,omitempty"`
	Theirs *SidedDecision `json:"theirs,omitempty"`
	Outbox int64          `json:"outbox,omitempty"`
	// Of approvals: what is asked for, and what those that came were given for.
	Requests []openRequest     `json:"requests,omitempty"`
	TakenFor map[string]string `json:"taken_for,omitempty"`
	GivenOn  map[string]string `json:"given_on,omitempty"`
}

type storedTransfer struct {
	*Transfer
	Address *dsp.DataAddress `json:"address,omitempty"`
	Dest    string           `json:"dest,omitempty"`
	Outbox  int64            `json:"outbox,omitempty"`
	Wanted  bool             `json:"wanted,omitempty"`
	Flowed  bool             `json:"flowed,omitempty"`
}

func (n *Negotiation) stored() storedNegotiation {
	return storedNegotiation{n, n.Own.brief(), n.Theirs.brief(), n.outbox, n.requests, n.takenFor, n.givenOn}
}

// brief is what a list shows of a decision.
func (d *SidedDecision) brief() *SidedDecision {
	if d == nil {
		return nil
	}
	return &SidedDecision{Outcome: d.Outcome, Side: d.Side, Country: d.Country, InsteadOf: d.InsteadOf}
}

func (a *Agreement) stored() storedAgreement {
	_, signatures := splitSigned(a.Signed)
	return storedAgreement{Agreement: a, Key: a.key, Signatures: signatures, Stop: a.stop}
}

// The members of a signed agreement, in canonical order.
const (
	openBody       = `{"body":`
	openSignatures = `,"signatures":`
)

// splitSigned gives the two members of what signedAgreement wrote. The name of
// the second stands nowhere in what follows it.
func splitSigned(signed json.RawMessage) (body, signatures json.RawMessage) {
	at := bytes.LastIndex(signed, []byte(openSignatures))
	if at < len(openBody) || !bytes.HasPrefix(signed, []byte(openBody)) || !bytes.HasSuffix(signed, []byte("}")) {
		return nil, nil
	}
	return signed[len(openBody):at], signed[at+len(openSignatures) : len(signed)-1]
}

// keepText writes the text of an agreement, once.
func (a *Agreement) keepText(ctx context.Context, tx *store.Tx) error {
	if a.textKept {
		return nil
	}
	body, _ := splitSigned(a.Signed)
	if body == nil {
		return corridor.E(corridor.Internal, "agreement %s has no text", a.ID)
	}
	_, err := tx.Exec(ctx, `INSERT INTO agreement_texts (agreement, body) VALUES (?, ?) ON CONFLICT (agreement) DO UPDATE SET body = excluded.body`, a.ID, string(body))
	if err != nil {
		return fmt.Errorf("write the text of agreement %s: %w", a.ID, err)
	}
	return nil
}
func (t *Transfer) stored() storedTransfer {
	return storedTransfer{t, t.address, t.dest, t.outbox, t.wanted, t.flowed}
}

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

func readNegotiation(ctx context.Context, tx *store.Tx, pid, doc string) (n Negotiation, err error) {
	beside := struct {
		*Negotiation
		Outbox   int64             `json:"outbox"`
		Requests []openRequest     `json:"requests"`
		TakenFor map[string]string `json:"taken_for"`
		GivenOn  map[string]string `json:"given_on"`
	}{Negotiation: &n}
	if err := unmarshal(doc, &beside); err != nil {
		return n, err
	}
	n.outbox, n.requests, n.takenFor, n.givenOn = beside.Outbox, beside.Requests, beside.TakenFor, beside.GivenOn
	rows, err := tx.Query(ctx, `SELECT side, doc FROM negotiation_decisions WHERE pid = ?`, pid)
	if err != nil {
		return n, err
	}
	defer rows.Close()
	for rows.Next() {
		var side, doc string
		d := &SidedDecision{}
		if err := rows.Scan(&side, &doc); err != nil {
			return n, err
		}
		if err := unmarshal(doc, d); err != nil {
			return n, err
		}
		if side == "own" {
			n.Own, n.keptOwn = d, d
		} else {
			n.Theirs, n.keptTheirs = d, d
		}
	}
	return n, rows.Err()
}

// keepDecisions writes the decisions that a step has made or heard.
func keepDecisions(ctx context.Context, tx *store.Tx, n *Negotiation) error {
	for _, d := range []struct {
		side string
		made *SidedDecision
		kept **SidedDecision
	}{{"own", n.Own, &n.keptOwn}, {"theirs", n.Theirs, &n.keptTheirs}} {
		if d.made == nil || d.made == *d.kept {
			continue
		}
		if err := put(ctx, tx, decisionRow, d.made, n.PID, d.side); err != nil {
			return err
		}
		*d.kept = d.made
	}
	return nil
}

const decisionRow = `INSERT INTO negotiation_decisions (doc, pid, side) VALUES (?, ?, ?) ON CONFLICT (pid, side) DO UPDATE SET doc = excluded.doc`

func readTransfer(_ context.Context, _ *store.Tx, _, doc string) (t Transfer, err error) {
	s := storedTransfer{Transfer: &t}
	err = unmarshal(doc, &s)
	t.address, t.dest, t.outbox, t.wanted, t.flowed = s.Address, s.Dest, s.Outbox, s.Wanted, s.Flowed
	return t, err
}

func readAgreement(ctx context.Context, tx *store.Tx, id, doc string) (a Agreement, err error) {
	s := storedAgreement{Agreement: &a}
	if err := unmarshal(doc, &s); err != nil {
		return a, err
	}
	a.key, a.stop = s.Key, s.Stop
	if len(s.Signatures) == 0 {
		a.Signed = s.Signed
		return a, nil
	}
	var body string
	if err := tx.QueryRow(ctx, `SELECT body FROM agreement_texts WHERE agreement = ?`, id).Scan(&body); err != nil {
		return a, fmt.Errorf("text of agreement %s: %w", id, err)
	}
	a.Signed, a.textKept = slices.Concat([]byte(openBody), []byte(body), []byte(openSignatures), s.Signatures, []byte("}")), true
	return a, nil
}

func (s *Service) loadNegotiation(ctx context.Context, tx *store.Tx, where string, args ...any) (n Negotiation, err error) {
	n, version, err := s.negotiations.find(ctx, tx, where, args...)
	n.version = version
	return n, err
}

func (s *Service) loadTransfer(ctx context.Context, tx *store.Tx, where string, args ...any) (t Transfer, err error) {
	t, version, err := s.transfers.find(ctx, tx, where, args...)
	t.version = version
	return t, err
}

func (s *Service) loadAgreement(ctx context.Context, tx *store.Tx, id string) (a Agreement, err error) {
	a, version, err := s.agreements.find(ctx, tx, `id = ?`, id)
	a.version = version
	return a, err
}

// Negotiation reads one negotiation by our pid.
func (s *Service) Negotiation(ctx context.Context, pid string) (Negotiation, error) {
	n, version, err := s.negotiations.newest(ctx, s.db, pid)
	n.version = version
	if errors.Is(err, sql.ErrNoRows) {
		err = noSuch("negotiation", pid)
	}
	return n, err
}

// Agreement reads one agreement.
func (s *Service) Agreement(ctx context.Context, id string) (Agreement, error) {
	a, version, err := s.agreements.newest(ctx, s.db, id)
	a.version = version
	if errors.Is(err, sql.ErrNoRows) {
		err = noSuch("agreement", id)
	}
	return a, err
}

// TransferByPID reads one transfer by our pid as it is shown: with the bytes
// that have come so far, and with witnesses that it waits for.
func (s *Service) TransferByPID(ctx context.Context, pid string) (Transfer, error) {
	t, err := s.transfer(ctx, pid)
	if n, live := s.run.progress(pid); live && err == nil {
		t.Bytes = n
	}
	s.showUnseen(&t)
	return t, err
}

// transfer reads one transfer by our pid as it is on record. Whatever is
// written again is read by it.
func (s *Service) transfer(ctx context.Context, pid string) (Transfer, error) {
	t, version, err := s.transfers.newest(ctx, s.db, pid)
	t.version = version
	if errors.Is(err, sql.ErrNoRows) {
		err = noSuch("transfer", pid)
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
	page, next, err = listOf(ctx, s.db, "negotiations", "pid", p, listedNegotiation)
	if err == nil {
		err = s.retriesOf(ctx, page, nil)
	}
	return page, next, err
}

func listedNegotiation(doc string, version int64) (Negotiation, string, error) {
	n := Negotiation{version: version}
	err := unmarshal(doc, &besideNegotiation{Negotiation: &n, Outbox: &n.outbox})
	n.Shown = nil
	n.Own, n.Theirs = n.Own.brief(), n.Theirs.brief()
	return n, n.PID, err
}

// besideNegotiation reads what stands beside a negotiation in its document.
type besideNegotiation struct {
	*Negotiation
	Outbox *int64 `json:"outbox"`
}

// Agreements lists agreements, the oldest first, without their text.
func (s *Service) Agreements(ctx context.Context, p Page) (page []Agreement, next string, err error) {
	return listOf(ctx, s.db, "agreements", "id", p, func(doc string, version int64) (Agreement, string, error) {
		a := Agreement{version: version}
		err := unmarshal(doc, &a)
		a.Signed, a.Validations = nil, nil
		return a, a.ID, err
	})
}

// Transfers lists transfers, the oldest first.
func (s *Service) Transfers(ctx context.Context, p Page) (page []Transfer, next string, err error) {
	page, next, err = listOf(ctx, s.db, "transfers", "pid", p, func(doc string, version int64) (Transfer, string, error) {
		t := Transfer{version: version}
		s := storedTransfer{Transfer: &t}
		err := unmarshal(doc, &s)
		t.wanted, t.outbox = s.Wanted, s.Outbox
		return t, t.PID, err
	})
	if err == nil {
		err = s.retriesOf(ctx, nil, page)
	}
	for i := range page {
		s.showUnseen(&page[i])
	}
	return page, next, err
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
