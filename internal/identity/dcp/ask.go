package dcp

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"corridor"
	"corridor/internal/store"
)

// Asked is a request of this node to an issuer.
type Asked struct {
	PID    string   `json:"pid"` // holderPid
	Issuer string   `json:"issuer"`
	Types  []string `json:"types"`
	At     int64    `json:"at"`     // seconds since 1970
	Status string   `json:"status"` // RECEIVED, ISSUED or REJECTED
	Reason string   `json:"reason,omitempty"`
	Place  string   `json:"place,omitempty"` // address of its status at the issuer
}

// Held is a credential that this node holds.
type Held struct {
	ID       string          `json:"id"` // of the credential itself, if it has one
	Type     string          `json:"type"`
	Issuer   string          `json:"issuer"`
	Profile  Profile         `json:"profile"`
	Received int64           `json:"received"`        // seconds since 1970
	Until    int64           `json:"until,omitempty"` // seconds since 1970
	Subject  json.RawMessage `json:"credentialSubject"`
}

// Offered is what an issuer offered to this node.
type Offered struct {
	Issuer      string   `json:"issuer"`
	At          int64    `json:"at"`
	Credentials []Object `json:"credentials"`
}

// Ask requests credentials of types from an issuer, in a profile or, if that is
// empty, in the first that the issuer names for each type. The issuer delivers
// them later. The request is durable before it is sent, so that a delivery that
// comes at once is known.
func (w *Wallet) Ask(ctx context.Context, issuer string, types []string, profile Profile) (Asked, error) {
	if len(types) == 0 || len(types) > maxTypes {
		return Asked{}, &corridor.Error{Kind: corridor.Invalid, Where: "types", Msg: "name the types of credential", Fix: "such as MembershipCredential"}
	}
	base, err := w.issuerService(ctx, issuer)
	if err != nil {
		return Asked{}, err
	}
	m, err := w.metadata(ctx, issuer, base)
	if err != nil {
		return Asked{}, err
	}
	r := request{header: newHeader(requestType), HolderPID: "urn:uuid:" + uuid()}
	for _, typ := range types {
		o, err := m.find(typ, profile)
		if err != nil {
			return Asked{}, err
		}
		r.Credentials = append(r.Credentials, reference{ID: o.ID})
	}
	a := Asked{PID: r.HolderPID, Issuer: issuer, Types: types, At: w.cfg.Now().Unix(), Status: Received}
	if err := w.expect(ctx, a, w.cfg.Asked); err != nil {
		return Asked{}, err
	}
	a.Place, err = w.sendRequest(ctx, issuer, base, r)
	if err != nil {
		return Asked{}, errors.Join(err, w.setAsked(ctx, a.PID, Rejected, plainly(err), ""))
	}
	return a, w.setAsked(ctx, a.PID, "", "", a.Place)
}

// Expect notes a request that is made, or was made by other means: what comes
// under its pid from its issuer is taken in.
func (w *Wallet) Expect(ctx context.Context, a Asked) error { return w.expect(ctx, a, nil) }

func (w *Wallet) expect(ctx context.Context, a Asked, told func(context.Context, *store.Tx, Asked) error) error {
	types, err := encode(a.Types)
	if err != nil {
		return err
	}
	err = w.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO dcp_asked (pid, issuer, types, at, status, reason, place) VALUES (?, ?, ?, ?, ?, '', '')`, a.PID, a.Issuer, string(types), w.cfg.Now().Unix(), Received)
		if err == nil && told != nil {
			err = told(ctx, tx, a)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("noting a request: %w", err)
	}
	return nil
}

// setAsked changes what is known of a request. A delivery that was quicker than
// the answer to the request stands.
func (w *Wallet) setAsked(ctx context.Context, pid, status, reason, place string) error {
	err := w.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		if status != "" {
			if _, err := tx.Exec(ctx, `UPDATE dcp_asked SET status = ?, reason = ? WHERE pid = ? AND status = ?`, status, reason, pid, Received); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `UPDATE dcp_asked SET place = ? WHERE pid = ?`, place, pid)
		return err
	})
	if err != nil {
		return fmt.Errorf("noting a request: %w", err)
	}
	return nil
}

func (w *Wallet) issuerService(ctx context.Context, issuer string) (string, error) {
	doc, err := w.cfg.Resolver.Resolve(ctx, issuer)
	if err != nil {
		return "", err
	}
	base, ok := doc.Endpoint(IssuerService)
	if !ok {
		return "", &corridor.Error{Kind: corridor.Invalid, Where: clip(issuer), Msg: "its DID document announces no " + IssuerService, Fix: "check that it is an issuer"}
	}
	return strings.TrimRight(base, "/"), nil
}

// metadata is the IssuerMetadata (section 6.7.1).
type metadata struct {
	header
	Issuer    string   `json:"issuer"`
	Supported []Object `json:"credentialsSupported"`
}

func (w *Wallet) metadata(ctx context.Context, issuer, base string) (*metadata, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	token, err := w.cfg.Tokens.Issue(ctx, issuer)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/metadata", nil)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "%q is not an address", clip(base))
	}
	req.Header.Set("Authorization", "Bearer "+token)
	_, raw, err := send(w.cfg.HTTP, req)
	if err != nil {
		return nil, err
	}
	var m metadata
	if err := decode(raw, metadataType, &m); err != nil {
		return nil, err
	}
	if m.Issuer != issuer {
		return nil, corridor.E(corridor.Forbidden, "the metadata at %s is of another issuer, %q", clip(base), clip(m.Issuer))
	}
	return &m, nil
}

// find picks what the issuer offers of a type.
func (m *metadata) find(typ string, p Profile) (Object, error) {
	var types []string
	for _, o := range m.Supported {
		if o.Type == typ && (o.Profile == p || p == "" && (o.Profile == VC20 || o.Profile == VC11)) {
			return o, nil
		}
		types = append(types, clip(o.Type)+" ("+clip(string(o.Profile))+")")
	}
	return Object{}, &corridor.Error{Kind: corridor.NotFound, Where: clip(m.Issuer), Msg: fmt.Sprintf("does not issue %q in a profile that is wanted", typ), Fix: "it issues " + clip(strings.Join(types, ", "))}
}

// request is the CredentialRequestMessage (section 6.4.1).
type request struct {
	header
	HolderPID   string      `json:"holderPid"`
	Credentials []reference `json:"credentials"`
}

type reference struct {
	ID string `json:"id"`
}

func (w *Wallet) sendRequest(ctx context.Context, issuer, base string, r request) (place string, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	body, err := encode(r)
	if err != nil {
		return "", err
	}
	token, err := w.cfg.Tokens.Issue(ctx, issuer)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/credentials", bytes.NewReader(body))
	if err != nil {
		return "", corridor.E(corridor.Invalid, "%q is not an address", clip(base))
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, _, err := send(w.cfg.HTTP, req)
	if err != nil {
		return "", err
	}
	at, err := req.URL.Parse(resp.Header.Get("Location"))
	if err != nil || resp.Header.Get("Location") == "" {
		return "", nil // the status cannot be asked for; the delivery comes all the same
	}
	return clipAt(at), nil
}

// clipAt drops an address that is too long to keep.
func clipAt(u *url.URL) string {
	if s := u.String(); len(s) <= 2048 {
		return s
	}
	return ""
}

// asked finds a request by its pid; a pid that is unknown is refused.
func (w *Wallet) asked(ctx context.Context, pid string) (Asked, error) {
	var a Asked
	err := w.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		var types string
		err := tx.QueryRow(ctx, `SELECT pid, issuer, types, at, status, reason, place FROM dcp_asked WHERE pid = ?`, pid).Scan(&a.PID, &a.Issuer, &types, &a.At, &a.Status, &a.Reason, &a.Place)
		if err != nil {
			return err
		}
		return json.Unmarshal([]byte(types), &a.Types)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return a, unasked(pid)
	}
	if err != nil {
		return a, fmt.Errorf("requests: %w", err)
	}
	return a, nil
}

// HasAsked says whether this node has asked an issuer for anything.
func (w *Wallet) HasAsked(ctx context.Context, issuer string) (found bool, err error) {
	err = w.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		var n int
		if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM dcp_asked WHERE issuer = ? LIMIT 1) AS one`, issuer).Scan(&n); err != nil {
			return err
		}
		found = n > 0
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("requests: %w", err)
	}
	return found, nil
}

// Contents is what a wallet holds, newest first, each list of at most 256.
type Contents struct {
	Held    []Held    `json:"held"`
	Asked   []Asked   `json:"asked"`
	Offered []Offered `json:"offered"`
}

// Contents lists what the node holds, asked for, and was offered.
func (w *Wallet) Contents(ctx context.Context) (Contents, error) {
	out := Contents{Held: []Held{}, Asked: []Asked{}, Offered: []Offered{}}
	err := w.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		for _, list := range []func(context.Context, *store.Tx) error{out.readHeld, out.readAsked, out.readOffered} {
			if err := list(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return out, fmt.Errorf("credentials: %w", err)
	}
	return out, nil
}

func (o *Contents) readHeld(ctx context.Context, tx *store.Tx) error {
	return each(ctx, tx, `SELECT jwt, received FROM dcp_held ORDER BY received DESC, id LIMIT 256`, func(rows *sql.Rows) error {
		var raw string
		var h Held
		if err := rows.Scan(&raw, &h.Received); err != nil {
			return err
		}
		c, err := ParseCredential(raw)
		if err != nil {
			return err
		}
		h.ID, h.Type, h.Issuer, h.Profile, h.Subject = c.ID, c.kind(), c.Issuer, c.Profile, c.Subject
		if !c.Until.IsZero() {
			h.Until = c.Until.Unix()
		}
		o.Held = append(o.Held, h)
		return nil
	})
}

func (o *Contents) readAsked(ctx context.Context, tx *store.Tx) error {
	return each(ctx, tx, `SELECT pid, issuer, types, at, status, reason, place FROM dcp_asked ORDER BY at DESC, pid LIMIT 256`, func(rows *sql.Rows) error {
		var a Asked
		var types string
		if err := rows.Scan(&a.PID, &a.Issuer, &types, &a.At, &a.Status, &a.Reason, &a.Place); err != nil {
			return err
		}
		o.Asked = append(o.Asked, a)
		return json.Unmarshal([]byte(types), &o.Asked[len(o.Asked)-1].Types)
	})
}

func (o *Contents) readOffered(ctx context.Context, tx *store.Tx) error {
	return each(ctx, tx, `SELECT issuer, at, doc FROM dcp_offered ORDER BY at DESC, id LIMIT 256`, func(rows *sql.Rows) error {
		var f Offered
		var doc string
		if err := rows.Scan(&f.Issuer, &f.At, &doc); err != nil {
			return err
		}
		o.Offered = append(o.Offered, f)
		return json.Unmarshal([]byte(doc), &o.Offered[len(o.Offered)-1].Credentials)
	})
}

// each runs a query and gives every row.
func each(ctx context.Context, tx *store.Tx, query string, row func(*sql.Rows) error, args ...any) error {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
