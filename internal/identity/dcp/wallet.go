package dcp

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed" // the schema of this room
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	josejson "github.com/go-jose/go-jose/v4/json"

	"corridor"
	"corridor/internal/identity"
	"corridor/internal/store"
)

//go:embed schema.sql
var schemaSQL string

//go:embed shown.sql
var shownSQL string

// Migrations is the schema of this room.
func Migrations() []store.Migration {
	return []store.Migration{{Room: "dcp", Version: 1, SQL: schemaSQL}, {Room: "dcp", Version: 2, SQL: shownSQL}}
}

// WalletConfig is what a Wallet needs.
type WalletConfig struct {
	DID      string
	DB       *store.DB
	Signer   identity.Signer // of presentations: a key for authentication, P-256 or Ed25519
	Tokens   *identity.Tokens
	Secret   []byte // of access tokens; at least 32 bytes
	Resolver *identity.Resolver
	Checker  *Checker
	HTTP     *http.Client
	Now      func() time.Time
	// Asked is told that the operator asks an issuer for credentials, in the
	// transaction that notes it. Nil: nobody is.
	Asked func(ctx context.Context, tx *store.Tx, a Asked) error
}

// Wallet is the node's credential service: it takes in the credentials that
// the node asked for, and presents them to those whom the node's tokens let ask
// (DCP 1.0, sections 5 and 6.5).
type Wallet struct {
	cfg    WalletConfig
	access *access
	scopes atomic.Pointer[kept] // of what is held: what our tokens let a peer ask for
}

type kept struct {
	scopes []string
	till   time.Time
}

// NewWallet makes a credential service.
func NewWallet(cfg WalletConfig) (*Wallet, error) {
	if cfg.DID == "" || cfg.DB == nil || cfg.Signer == nil || cfg.Tokens == nil || cfg.Resolver == nil || cfg.Checker == nil || cfg.HTTP == nil {
		return nil, corridor.E(corridor.Internal, "a credential service needs all but Now")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a, err := newAccess(cfg.DID, cfg.Secret, cfg.Now)
	if err != nil {
		return nil, err
	}
	w := &Wallet{cfg: cfg, access: a}
	cfg.DB.Hear(func(what string) {
		if what == "" || what == heldWord {
			w.scopes.Store(nil)
		}
	})
	return w, nil
}

// heldWord tells the other nodes on the database that something came in.
const heldWord = "credentials held"

// Issue makes the node's token for a peer: with an access token in it, where
// the node holds anything to present.
func (w *Wallet) Issue(ctx context.Context, audience string) (string, error) {
	scopes, err := w.presentable(ctx)
	if err != nil {
		return "", err
	}
	if len(scopes) == 0 {
		return w.cfg.Tokens.Issue(ctx, audience)
	}
	return w.IssueFor(ctx, audience, scopes)
}

// IssueFor makes a token that lets a peer ask for what the scopes name.
func (w *Wallet) IssueFor(ctx context.Context, audience string, scopes []string) (string, error) {
	for _, s := range scopes {
		if _, err := parseScope(s); err != nil {
			return "", err
		}
	}
	token, err := w.access.grant(audience, scopes)
	if err != nil {
		return "", err
	}
	return w.cfg.Tokens.IssueWith(ctx, audience, token)
}

// presentable gives the scopes of all that the node holds and that has not
// expired, looked up once a minute and when something comes in.
func (w *Wallet) presentable(ctx context.Context) ([]string, error) {
	now := w.cfg.Now()
	if k := w.scopes.Load(); k != nil && now.Before(k.till) {
		return k.scopes, nil
	}
	var scopes []string
	err := w.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT DISTINCT type FROM dcp_held WHERE until = 0 OR until > ? ORDER BY type LIMIT 64`, now.Unix())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var typ string
			if err := rows.Scan(&typ); err != nil {
				return err
			}
			scopes = append(scopes, scopeOf(typ))
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("credentials held: %w", err)
	}
	w.scopes.Store(&kept{scopes: scopes, till: now.Add(time.Minute)})
	return scopes, nil
}

// ErrNotOffered says that a query is in a language that this service does not
// speak: the status is 501 (DCP 1.0, section 5.4.1).
var ErrNotOffered = errors.New("presentation definitions are not supported: ask by scope")

// Query answers a PresentationQueryMessage of a verifier with the presentations
// that both its access token and its query cover, one for each profile.
func (w *Wallet) Query(ctx context.Context, c identity.Caller, body []byte) (any, error) {
	granted, err := w.access.scopes(c.DID, c.AccessToken)
	if err != nil {
		return nil, err
	}
	wanted, err := readQuery(body)
	if err != nil {
		return nil, err
	}
	held, err := w.held(ctx, func(c *Credential) bool {
		is := func(s scope) bool { return s.wants(c) }
		return slices.ContainsFunc(wanted, is) && slices.ContainsFunc(granted, is)
	})
	if err != nil {
		return nil, err
	}
	r := response{header: newHeader(responseType), Presentation: []josejson.RawMessage{}}
	for _, p := range []Profile{VC20, VC11} {
		var list []string
		for _, c := range held {
			if c.Profile == p {
				list = append(list, c.Raw)
			}
		}
		if len(list) == 0 {
			continue
		}
		vp, err := Present(ctx, w.cfg.Signer, p, w.cfg.DID, c.DID, list, w.cfg.Now())
		if err != nil {
			return nil, err
		}
		raw, err := encode(vp)
		if err != nil {
			return nil, err
		}
		r.Presentation = append(r.Presentation, raw)
	}
	return r, nil
}

// readQuery reads the scopes of a query.
func readQuery(body []byte) ([]scope, error) {
	var q query
	if err := decode(body, queryType, &q); err != nil {
		return nil, err
	}
	definition := bytes.TrimSpace(q.Definition)
	defined := len(definition) > 0 && !bytes.Equal(definition, []byte("null"))
	switch {
	case defined && len(q.Scope) > 0:
		return nil, &corridor.Error{Kind: corridor.Invalid, Msg: "both scope and presentationDefinition are given", Why: "DCP 1.0, section 5.4.1", Fix: "give one of them"}
	case defined && !bytes.Equal(definition, []byte("{}")):
		return nil, ErrNotOffered
	case len(q.Scope) == 0:
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: "scope", Msg: "is missing or empty", Why: "DCP 1.0, section 5.4.1", Fix: "ask for " + scopeOf("TYPE")}
	case len(q.Scope) > maxScopes:
		return nil, corridor.E(corridor.Limited, "more than %d scopes", maxScopes)
	}
	out := make([]scope, len(q.Scope))
	for i, s := range q.Scope {
		var err error
		if out[i], err = parseScope(s); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// held gives the credentials that are wanted and valid now, of each issuer and
// type the newest.
func (w *Wallet) held(ctx context.Context, want func(*Credential) bool) ([]*Credential, error) {
	var out []*Credential
	now := w.cfg.Now()
	seen := map[string]bool{}
	err := w.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT jwt FROM dcp_held ORDER BY received DESC, id LIMIT 4096`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var raw string
			if err := rows.Scan(&raw); err != nil {
				return err
			}
			c, err := ParseCredential(raw)
			if err != nil || c.Valid(now) != nil || !want(c) {
				continue
			}
			if key := c.Issuer + " " + c.kind() + " " + string(c.Profile); !seen[key] && len(out) < maxCredentials {
				seen[key] = true
				out = append(out, c)
			}
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("credentials held: %w", err)
	}
	return out, nil
}

// delivery is the CredentialMessage (section 6.5.1).
type delivery struct {
	header
	IssuerPID   string      `json:"issuerPid"`
	HolderPID   string      `json:"holderPid,omitempty"`
	Status      string      `json:"status"`
	Reason      string      `json:"rejectionReason,omitempty"`
	Credentials []container `json:"credentials,omitempty"`
}

// container is a CredentialContainer (section 6.5.2).
type container struct {
	Type    string `json:"credentialType"`
	Format  string `json:"format"`
	Payload string `json:"payload"`
}

func (d *delivery) check() error {
	switch {
	case d.IssuerPID == "" || len(d.IssuerPID) > maxText:
		return &corridor.Error{Kind: corridor.Invalid, Where: "issuerPid", Msg: "is missing or too long"}
	case d.HolderPID == "" || len(d.HolderPID) > maxText:
		return &corridor.Error{Kind: corridor.Invalid, Where: "holderPid", Msg: "is missing or too long", Fix: "name the request: nothing is taken in that was not asked for"}
	case d.Status != Issued && d.Status != Rejected:
		return &corridor.Error{Kind: corridor.Invalid, Where: "status", Msg: fmt.Sprintf("%q is neither ISSUED nor REJECTED", clip(d.Status))}
	case d.Status == Issued && len(d.Credentials) == 0:
		return &corridor.Error{Kind: corridor.Invalid, Where: "credentials", Msg: "are missing"}
	case len(d.Credentials) > maxCredentials:
		return corridor.E(corridor.Limited, "more than %d credentials", maxCredentials)
	}
	return nil
}

// Store takes in what an issuer delivers: what this node asked it for, signed
// by it, about this node. All of it or nothing.
func (w *Wallet) Store(ctx context.Context, c identity.Caller, body []byte) error {
	var d delivery
	if err := decode(body, storeType, &d); err != nil {
		return err
	}
	if err := d.check(); err != nil {
		return err
	}
	asked, err := w.asked(ctx, d.HolderPID)
	if err != nil {
		return err
	}
	if asked.Issuer != c.DID {
		return unasked(d.HolderPID)
	}
	var in []*Credential
	for i, k := range d.Credentials {
		cred, err := w.accept(ctx, c.DID, asked, k)
		if err != nil {
			return fmt.Errorf("credentials[%d]: %w", i, err)
		}
		in = append(in, cred)
	}
	err = w.cfg.DB.Write(ctx, func(tx *store.Tx) error { return w.take(ctx, tx, d, in) })
	if err != nil {
		return fmt.Errorf("taking credentials in: %w", err)
	}
	w.scopes.Store(nil)
	return nil
}

func (w *Wallet) take(ctx context.Context, tx *store.Tx, d delivery, in []*Credential) error {
	if _, err := tx.Exec(ctx, `UPDATE dcp_asked SET status = ?, reason = ? WHERE pid = ?`, d.Status, clip(d.Reason), d.HolderPID); err != nil {
		return err
	}
	for _, cred := range in {
		until := int64(0)
		if !cred.Until.IsZero() {
			until = cred.Until.Unix()
		}
		sum := sha256.Sum256([]byte(cred.Raw))
		if _, err := tx.Exec(ctx, `INSERT INTO dcp_held (id, cred, type, issuer, profile, received, until, jwt) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			hex.EncodeToString(sum[:]), cred.ID, cred.kind(), cred.Issuer, string(cred.Profile), w.cfg.Now().Unix(), until, cred.Raw); err != nil {
			return err
		}
	}
	now := w.cfg.Now().Unix()
	if _, err := tx.Exec(ctx, `DELETE FROM dcp_held WHERE until > 0 AND until < ?`, now); err != nil {
		return err
	}
	tx.Tell(heldWord)
	return nil
}

func unasked(pid string) error {
	return &corridor.Error{Kind: corridor.Forbidden, Where: "holderPid", Msg: fmt.Sprintf("nothing was asked of you under %q", clip(pid)), Fix: "deliver what was requested, under the holderPid of the request"}
}

// accept proves one delivered credential.
func (w *Wallet) accept(ctx context.Context, issuer string, asked Asked, k container) (*Credential, error) {
	if Profile(k.Format) != VC20 && Profile(k.Format) != VC11 {
		return nil, &corridor.Error{Kind: corridor.Invalid, Where: "format", Msg: fmt.Sprintf("%q is not spoken here", clip(k.Format)), Fix: "use " + string(VC20) + " or " + string(VC11)}
	}
	c, err := ParseCredential(k.Payload)
	switch {
	case err != nil:
		return nil, err
	case c.Profile != Profile(k.Format):
		return nil, corridor.E(corridor.Invalid, "the credential is of %s, its format says %s", c.Profile, clip(k.Format))
	case c.Issuer != issuer:
		return nil, corridor.E(corridor.Forbidden, "the credential is of another issuer, %q", clip(c.Issuer))
	case !contains(c.Types, k.Type) || !contains(asked.Types, k.Type):
		return nil, corridor.E(corridor.Forbidden, "a %q was not asked for", clip(k.Type))
	}
	return c, w.cfg.Checker.Credential(ctx, c, w.cfg.DID)
}

// offerMessage is the CredentialOfferMessage (section 6.6.1).
type offerMessage struct {
	header
	Issuer      string                `json:"issuer"`
	Credentials []josejson.RawMessage `json:"credentials"`
}

// maxOffers bounds the offers that are kept; the oldest leave.
const maxOffers = 256

// Offer notes what an issuer offers, for the operator to see.
func (w *Wallet) Offer(ctx context.Context, c identity.Caller, body []byte) error {
	var m offerMessage
	if err := decode(body, offerType, &m); err != nil {
		return err
	}
	if m.Issuer != c.DID {
		return &corridor.Error{Kind: corridor.Invalid, Where: "issuer", Msg: "is not who sends the offer"}
	}
	if len(m.Credentials) == 0 || len(m.Credentials) > maxCredentials {
		return &corridor.Error{Kind: corridor.Invalid, Where: "credentials", Msg: fmt.Sprintf("%d of them; from 1 to %d are taken", len(m.Credentials), maxCredentials)}
	}
	objects := make([]Object, len(m.Credentials))
	for i, raw := range m.Credentials {
		if err := strict(raw, &objects[i]); err != nil {
			return err
		}
		if o := objects[i]; o.ID == "" || len(o.ID) > maxText || (o.Kind != "") != (o.Type != "") {
			return &corridor.Error{Kind: corridor.Invalid, Where: fmt.Sprintf("credentials[%d]", i), Msg: "is neither a CredentialObject nor the id of one"}
		}
	}
	doc, err := encode(objects)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(append([]byte(c.DID+"\x00"), doc...))
	err = w.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO dcp_offered (id, issuer, at, doc) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at`, hex.EncodeToString(sum[:]), c.DID, w.cfg.Now().Unix(), string(doc)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM dcp_offered WHERE id NOT IN (SELECT id FROM dcp_offered ORDER BY at DESC, id LIMIT ?)`, maxOffers)
		return err
	})
	if err != nil {
		return fmt.Errorf("noting an offer: %w", err)
	}
	return nil
}

// Object is a CredentialObject (section 6.6.2): what an issuer can issue.
type Object struct {
	Kind     string          `json:"type,omitempty"` // CredentialObject; empty: only the id is given
	ID       string          `json:"id"`
	Type     string          `json:"credentialType,omitempty"`
	Schema   string          `json:"credentialSchema"`
	Reason   string          `json:"offerReason,omitempty"`
	Binding  []string        `json:"bindingMethods,omitempty"`
	Profile  Profile         `json:"profile,omitempty"`
	Issuance json.RawMessage `json:"issuancePolicy,omitempty"`
}
