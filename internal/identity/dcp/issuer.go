package dcp

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"corridor"
	"corridor/internal/identity"
	"corridor/internal/store"
)

// IssuerConfig is what an Issuer needs.
type IssuerConfig struct {
	DID      string
	Base     string // address of the issuer service, without a slash at the end
	Lists    string // address below which status lists are served
	DB       *store.DB
	Signer   identity.Signer // of credentials: a key for assertions, P-256 or Ed25519
	Tokens   *identity.Tokens
	Resolver *identity.Resolver
	HTTP     *http.Client
	Rules    Laid
	Grants   Grants // nil: those of the rules
	Log      *slog.Logger
	Now      func() time.Time
	// Revoked is told that the operator takes a credential back, in the
	// transaction that does it. Nil: nobody is.
	Revoked func(ctx context.Context, tx *store.Tx, c IssuedCredential) error
}

// Issuer is the issuer service of an authority's node: it takes requests, signs
// what the authority grants, delivers it to the holder's credential service,
// and keeps the status lists (DCP 1.0, section 6).
type Issuer struct {
	cfg  IssuerConfig
	wake chan struct{}
}

// NewIssuer makes an issuer service.
func NewIssuer(cfg IssuerConfig) (*Issuer, error) {
	if cfg.DID == "" || cfg.Base == "" || cfg.Lists == "" || cfg.DB == nil || cfg.Signer == nil || cfg.Tokens == nil || cfg.Resolver == nil || cfg.HTTP == nil || cfg.Rules == nil {
		return nil, corridor.E(corridor.Internal, "an issuer service needs all but Grants, Log, Now and Revoked")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	i := &Issuer{cfg: cfg, wake: make(chan struct{}, 1)}
	cfg.DB.Hear(func(what string) {
		if what == "" || what == issueWord {
			i.rouse()
		}
	})
	return i, nil
}

// issueWord tells the other nodes on the database that there is something to
// deliver.
const issueWord = "credentials to issue"

func (i *Issuer) rouse() {
	select {
	case i.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Metadata says what this issuer issues (IssuerMetadata, section 6.7.1).
func (i *Issuer) Metadata() (any, error) {
	rules, err := i.cfg.Rules()
	if err != nil {
		return nil, err
	}
	m := metadata{header: newHeader(metadataType), Issuer: i.cfg.DID, Supported: []Object{}}
	for _, o := range rules.Issues {
		m.Supported = append(m.Supported, Object{Kind: objectType, ID: o.ID, Type: o.Type, Schema: o.Schema, Reason: "issuance", Binding: []string{"did:web"}, Profile: o.Profile})
	}
	return m, nil
}

// Request takes a CredentialRequestMessage of a holder and gives the address of
// its status. All that is asked for must be granted.
func (i *Issuer) Request(ctx context.Context, c identity.Caller, body []byte) (place string, err error) {
	var r request
	if err := decode(body, requestType, &r); err != nil {
		return "", err
	}
	switch {
	case r.HolderPID == "" || len(r.HolderPID) > maxText:
		return "", &corridor.Error{Kind: corridor.Invalid, Where: "holderPid", Msg: "is missing or too long"}
	case len(r.Credentials) == 0 || len(r.Credentials) > maxTypes:
		return "", &corridor.Error{Kind: corridor.Invalid, Where: "credentials", Msg: fmt.Sprintf("%d of them; from 1 to %d are taken", len(r.Credentials), maxTypes), Fix: "name ids of " + i.cfg.Base + "/metadata"}
	}
	rules, err := i.cfg.Rules()
	if err != nil {
		return "", err
	}
	ids := make([]string, len(r.Credentials))
	for n, ref := range r.Credentials {
		ids[n] = ref.ID
		if _, _, err := i.granted(ctx, rules, c.DID, ref.ID); err != nil {
			return "", err
		}
	}
	id := uuid()
	if err := i.note(ctx, id, c, r.HolderPID, ids); err != nil {
		return "", err
	}
	return i.cfg.Base + "/requests/" + id, nil
}

// granted finds what a holder is to have under an id.
func (i *Issuer) granted(ctx context.Context, rules *Rules, holder, id string) (Offer, map[string]any, error) {
	o, ok := rules.offer(id)
	if !ok {
		return o, nil, &corridor.Error{Kind: corridor.NotFound, Where: "credentials", Msg: fmt.Sprintf("%q is not issued here", clip(id)), Fix: "name ids of " + i.cfg.Base + "/metadata"}
	}
	var grants Grants = rules
	if i.cfg.Grants != nil {
		grants = i.cfg.Grants
	}
	claims, err := grants.Grant(ctx, holder, o)
	return o, claims, err
}

func (i *Issuer) note(ctx context.Context, id string, c identity.Caller, pid string, ids []string) error {
	list, err := encode(ids)
	if err != nil {
		return err
	}
	now := i.cfg.Now()
	err = i.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO dcp_requests (id, holder, pid, offers, access, status, reason, at, attempts, due) VALUES (?, ?, ?, ?, ?, ?, '', ?, 0, ?)`,
			id, c.DID, pid, string(list), c.AccessToken, Received, now.Unix(), now.UnixMilli())
		tx.AfterCommit(i.rouse)
		tx.Tell(issueWord)
		return err
	})
	if err != nil {
		return fmt.Errorf("noting a request: %w", err)
	}
	return nil
}

// credentialStatus is the CredentialStatus (section 6.8.1).
type credentialStatus struct {
	header
	IssuerPID string `json:"issuerPid"`
	HolderPID string `json:"holderPid"`
	Status    string `json:"status"`
}

// Status says how a request stands, to its holder alone. Whose request it is
// stays hidden: another's is as if there were none.
func (i *Issuer) Status(ctx context.Context, c identity.Caller, id string) (any, error) {
	s := credentialStatus{header: newHeader(statusType), IssuerPID: id}
	err := i.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT pid, status FROM dcp_requests WHERE id = ? AND holder = ?`, id, c.DID).Scan(&s.HolderPID, &s.Status)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, corridor.E(corridor.NotFound, "there is no request %q of yours", clip(id))
	}
	if err != nil {
		return nil, fmt.Errorf("requests: %w", err)
	}
	return s, nil
}

// IssuedCredential is one line of the issuer's book.
type IssuedCredential struct {
	ID      string  `json:"id"`
	Holder  string  `json:"holder"`
	Type    string  `json:"type"`
	Profile Profile `json:"profile"`
	At      int64   `json:"at"` // seconds since 1970
	Until   int64   `json:"until"`
	Revoked int64   `json:"revoked,omitempty"` // seconds since 1970
	Reason  string  `json:"reason,omitempty"`
}

// Issued lists the newest credentials that this node issued, at most 1024; of
// one holder if one is given.
func (i *Issuer) Issued(ctx context.Context, holder string) ([]IssuedCredential, error) {
	const columns = `SELECT id, holder, type, profile, at, until, revoked, reason FROM dcp_issued `
	text, args := columns+`ORDER BY at DESC, id LIMIT 1024`, []any(nil)
	if holder != "" {
		text, args = columns+`WHERE holder = ? ORDER BY at DESC, id LIMIT 1024`, []any{holder}
	}
	out := []IssuedCredential{}
	err := i.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		return each(ctx, tx, text, func(rows *sql.Rows) error {
			var c IssuedCredential
			err := rows.Scan(&c.ID, &c.Holder, &c.Type, &c.Profile, &c.At, &c.Until, &c.Revoked, &c.Reason)
			out = append(out, c)
			return err
		}, args...)
	})
	if err != nil {
		return nil, fmt.Errorf("credentials issued: %w", err)
	}
	return out, nil
}

// Revoke takes a credential back. Verifiers see it in the status list, at the
// latest when the list that they hold is five minutes old.
func (i *Issuer) Revoke(ctx context.Context, id, reason string) (IssuedCredential, error) {
	var c IssuedCredential
	err := i.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		done, err := tx.Exec(ctx, `UPDATE dcp_issued SET revoked = ?, reason = ? WHERE id = ? AND revoked = 0`, i.cfg.Now().Unix(), clip(reason), id)
		if err != nil {
			return err
		}
		err = tx.QueryRow(ctx, `SELECT id, holder, type, profile, at, until, revoked, reason FROM dcp_issued WHERE id = ?`, id).
			Scan(&c.ID, &c.Holder, &c.Type, &c.Profile, &c.At, &c.Until, &c.Revoked, &c.Reason)
		if err != nil || i.cfg.Revoked == nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 { // it was revoked before
			return err
		}
		return i.cfg.Revoked(ctx, tx, c)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return c, &corridor.Error{Kind: corridor.NotFound, Msg: fmt.Sprintf("no credential %q was issued here", clip(id)), Fix: "see corridor credentials issued"}
	}
	if err != nil {
		return c, fmt.Errorf("revoking: %w", err)
	}
	return c, nil
}

// List gives a status list, signed now.
func (i *Issuer) List(ctx context.Context, name string) (string, error) {
	profile, ok := listProfile(name)
	if !ok {
		return "", corridor.E(corridor.NotFound, "there is no such status list")
	}
	bits := make([]byte, listBits/8)
	known := false
	err := i.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		var n int
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM dcp_issued WHERE list = ? LIMIT 1) AS one`, name).Scan(&n); err != nil {
			return err
		}
		known = n > 0
		return each(ctx, tx, `SELECT place FROM dcp_issued WHERE list = ? AND revoked > 0`, func(rows *sql.Rows) error {
			var place uint64
			err := rows.Scan(&place)
			if err == nil && place < listBits {
				bits[place/8] |= 1 << (7 - place%8)
			}
			return err
		}, name)
	})
	if err != nil {
		return "", fmt.Errorf("status list: %w", err)
	}
	if !known {
		return "", corridor.E(corridor.NotFound, "there is no such status list")
	}
	return mintList(ctx, i.cfg.Signer, profile, i.cfg.DID, i.cfg.Lists+"/"+name, bits, i.cfg.Now())
}

func unmarshalList(raw string) ([]string, error) {
	var out []string
	if err := json.Unmarshal([]byte(raw), &out); err != nil {
		return nil, corridor.E(corridor.Internal, "list in the database: %w", err)
	}
	return out, nil
}
