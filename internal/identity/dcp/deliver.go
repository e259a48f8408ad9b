package dcp

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"corridor"
	"corridor/internal/store"
)

// Deliveries are tried at once, then after pauses that double, for a day.
const (
	firstPause  = time.Second
	longPause   = 10 * time.Minute
	giveUpAfter = 24 * time.Hour
)

// due is a request that waits for its delivery.
type due struct {
	id, holder, pid, access string
	offers                  []string
	at                      time.Time
	attempts                int
}

// Run delivers until ctx ends. It sleeps while nothing is due: a request wakes
// it, and one timer stands for the next retry.
func (i *Issuer) Run(ctx context.Context) error {
	for {
		next, err := i.deliverDue(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			i.cfg.Log.ErrorContext(ctx, "credentials to deliver cannot be read", "error", err)
			next = i.cfg.Now().Add(longPause / 10)
		}
		if !i.sleep(ctx, next) {
			return nil
		}
	}
}

// sleep waits for a request, or until next unless that is zero. False: ctx has
// ended.
func (i *Issuer) sleep(ctx context.Context, next time.Time) bool {
	var due <-chan time.Time
	if !next.IsZero() {
		t := time.NewTimer(max(next.Sub(i.cfg.Now()), 0))
		defer t.Stop()
		due = t.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-i.wake:
	case <-due:
	}
	return true
}

// deliverDue delivers all that is due and says when the next is; zero: none is.
func (i *Issuer) deliverDue(ctx context.Context) (time.Time, error) {
	for {
		d, next, err := i.nextDue(ctx)
		if err != nil || d == nil {
			return next, err
		}
		if err := i.finish(ctx, *d, i.deliver(ctx, *d)); err != nil {
			return time.Time{}, err
		}
	}
}

// nextDue gives the request that is due first, or when one will be.
func (i *Issuer) nextDue(ctx context.Context) (*due, time.Time, error) {
	var d due
	var offers string
	var at, when int64
	err := i.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT id, holder, pid, access, offers, at, attempts, due FROM dcp_requests WHERE due > 0 ORDER BY due LIMIT 1`).
			Scan(&d.id, &d.holder, &d.pid, &d.access, &offers, &at, &d.attempts, &when)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("requests: %w", err)
	}
	if t := time.UnixMilli(when); t.After(i.cfg.Now()) {
		return nil, t, nil
	}
	d.at = time.Unix(at, 0)
	d.offers, err = unmarshalList(offers)
	return &d, time.Time{}, err
}

// deliver signs what a request asks for, unless an earlier attempt has, and
// sends it. What is no longer granted is not delivered.
func (i *Issuer) deliver(ctx context.Context, d due) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	made, err := i.made(ctx, d)
	if err != nil {
		return i.decline(ctx, d, err)
	}
	m := delivery{header: newHeader(storeType), IssuerPID: d.id, HolderPID: d.pid, Status: Issued, Credentials: made}
	return i.send(ctx, d, m)
}

// decline tells the holder that there is nothing, and why.
func (i *Issuer) decline(ctx context.Context, d due, why error) error {
	if k := corridor.KindOf(why); k != corridor.Forbidden && k != corridor.NotFound {
		return why
	}
	err := i.send(ctx, d, delivery{header: newHeader(storeType), IssuerPID: d.id, HolderPID: d.pid, Status: Rejected, Reason: plainly(why)})
	return errors.Join(final{why}, err)
}

// final marks what no further attempt can mend.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

func (i *Issuer) send(ctx context.Context, d due, m delivery) error {
	doc, err := i.cfg.Resolver.Resolve(ctx, d.holder)
	if err != nil {
		return err
	}
	base, ok := doc.Endpoint(CredentialService)
	if !ok {
		return corridor.E(corridor.Unavailable, "the DID document of %s announces no %s", clip(d.holder), CredentialService)
	}
	_, err = post(ctx, i.cfg.HTTP, i.cfg.Tokens, d.holder, d.access, strings.TrimRight(base, "/")+"/credentials", m)
	return err
}

// finish records how a delivery went.
func (i *Issuer) finish(ctx context.Context, d due, failed error) error {
	now := i.cfg.Now()
	status, reason, next := Issued, "", int64(0)
	var over final
	switch {
	case failed == nil:
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(failed, &over):
		status, reason = Rejected, plainly(over.error)
	case now.Sub(d.at) > giveUpAfter:
		status, reason = Rejected, "it could not be delivered: "+plainly(failed)
	default:
		status, reason = Received, plainly(failed)
		next = now.Add(min(firstPause<<min(d.attempts, 16), longPause)).UnixMilli()
	}
	i.cfg.Log.InfoContext(ctx, "credentials for a holder", "request", d.id, "holder", d.holder, "status", status, "attempt", d.attempts+1, "error", failed)
	err := i.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE dcp_requests SET status = ?, reason = ?, attempts = attempts + 1, due = ? WHERE id = ?`, status, clip(reason), next, d.id)
		return err
	})
	if err != nil {
		return fmt.Errorf("noting a delivery: %w", err)
	}
	return nil
}

// made gives the credentials of a request: those that an earlier attempt
// signed, or new ones, which are in the book before they leave.
func (i *Issuer) made(ctx context.Context, d due) ([]container, error) {
	var out []container
	err := i.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		return each(ctx, tx, `SELECT type, profile, jwt FROM dcp_issued WHERE request = ? AND revoked = 0 ORDER BY place`, func(rows *sql.Rows) error {
			var c container
			err := rows.Scan(&c.Type, &c.Format, &c.Payload)
			out = append(out, c)
			return err
		}, d.id)
	})
	if err != nil {
		return nil, fmt.Errorf("credentials issued: %w", err)
	}
	if len(out) == len(d.offers) {
		return out, nil
	}
	out = out[:0]
	rules, err := i.cfg.Rules()
	if err != nil {
		return nil, err
	}
	err = i.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		for _, id := range d.offers {
			o, claims, err := i.granted(ctx, rules, d.holder, id)
			if err != nil {
				return err
			}
			c, err := i.issue(ctx, tx, d, o, claims)
			if err != nil {
				return err
			}
			out = append(out, c)
		}
		return nil
	})
	return out, err
}

// issue signs one credential and enters it in the book, at a place of a status
// list that nobody can guess from the order of issuing.
func (i *Issuer) issue(ctx context.Context, tx *store.Tx, d due, o Offer, claims map[string]any) (container, error) {
	list, place, err := freePlace(ctx, tx, o.Profile)
	if err != nil {
		return container{}, err
	}
	from := i.cfg.Now()
	draft := Draft{Profile: o.Profile, ID: "urn:uuid:" + uuid(), Type: o.Type, Issuer: i.cfg.DID, Holder: d.holder, Claims: claims, From: from, Until: from.Add(time.Duration(o.Days) * 24 * time.Hour), Schema: o.Schema,
		Status: &StatusEntry{Type: entryType(o.Profile), Purpose: "revocation", List: i.cfg.Lists + "/" + list, Index: place}}
	jwt, err := Mint(ctx, i.cfg.Signer, draft)
	if err != nil {
		return container{}, err
	}
	_, err = tx.Exec(ctx, `INSERT INTO dcp_issued (id, request, offer, holder, type, profile, list, place, at, until, revoked, reason, jwt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', ?)`,
		draft.ID, d.id, o.ID, d.holder, o.Type, string(o.Profile), list, int64(place), from.Unix(), draft.Until.Unix(), jwt)
	return container{Type: o.Type, Format: string(o.Profile), Payload: jwt}, err
}

// perList is how many credentials one list takes: half its places, so that a
// free one is found by drawing.
const perList = listBits / 2

func freePlace(ctx context.Context, tx *store.Tx, p Profile) (list string, place uint64, err error) {
	var number, used int64
	err = tx.QueryRow(ctx, `SELECT number, used FROM dcp_lists WHERE profile = ?`, string(p)).Scan(&number, &used)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", 0, err
	}
	if used >= perList {
		number, used = number+1, 0
	}
	if _, err := tx.Exec(ctx, `INSERT INTO dcp_lists (profile, number, used) VALUES (?, ?, ?) ON CONFLICT (profile) DO UPDATE SET number = excluded.number, used = excluded.used`, string(p), number, used+1); err != nil {
		return "", 0, err
	}
	list = listName(p, number)
	for range 256 {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails
		place = binary.BigEndian.Uint64(b[:]) % listBits
		var taken int
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM dcp_issued WHERE list = ? AND place = ?`, list, int64(place)).Scan(&taken); err != nil {
			return "", 0, err
		}
		if taken == 0 {
			return list, place, nil
		}
	}
	return "", 0, corridor.E(corridor.Internal, "no free place in the status list %s", list)
}

func listName(p Profile, n int64) string {
	if p == VC11 {
		return "sl2021-" + strconv.FormatInt(n, 10)
	}
	return "bssl-" + strconv.FormatInt(n, 10)
}

// listProfile reads the profile from the name of a list.
func listProfile(name string) (Profile, bool) {
	for prefix, p := range map[string]Profile{"bssl-": VC20, "sl2021-": VC11} {
		if n, ok := strings.CutPrefix(name, prefix); ok {
			if v, err := strconv.ParseUint(n, 10, 32); err == nil && strconv.FormatUint(v, 10) == n {
				return p, true
			}
		}
	}
	return "", false
}
