package exchange

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"corridor"
	"corridor/internal/ledger"
	"corridor/internal/store"
)

// Most acts of an administrator leave a receipt of their own kind: what was
// published, approved, ended, adopted. This file writes the receipts of the
// others: what was changed in the files of the node's directory, and acts that
// change no negotiation, agreement, transfer or corridor.

//go:embed admin.sql
var adminSchema string // the same text serves both databases

// The acts that a receipt of an administrator names as its state.
const (
	ActSettings            = "settings.changed"     // files of the node's directory
	ActFeedTaken           = "feed.taken"           // an authority's feed, brought by hand, without a new order
	ActCredentialRequested = "credential.requested" // of an issuer
	ActCredentialRevoked   = "credential.revoked"   // that this node issued
)

// Who acts. Receipts name no persons: the management API has one token, and
// files have whoever may write them.
const (
	byToken = "by the holder of the management token"
	byFiles = "in the node's directory"
)

// AdminAct is one thing that an administrator has done through the management
// API.
type AdminAct struct {
	Act     string
	About   string            // in words, without secrets and personal data
	Peer    string            // DID, if it is about one
	Digests map[string]string // of what it is about
}

// NoteAdmin writes the receipt of an act, in the act's own transaction.
func (s *Service) NoteAdmin(ctx context.Context, tx *store.Tx, a AdminAct) error {
	_, err := s.append(ctx, tx, &step{receipts: []receipt{adminReceipt(a)}})
	return err
}

func adminReceipt(a AdminAct) receipt {
	return receipt{body: corridor.Receipt{Type: corridor.ReceiptAdmin, State: a.Act, Peer: a.Peer, Reason: short(byToken, []string{a.About}), Digests: a.Digests}}
}

// Settings are what the administrator decides in the files of the node's
// directory: the configuration, the peers, the rules on credentials.
type Settings struct {
	// Key names the secret key of the digests of hidden settings. Under another
	// key they say nothing about what has changed.
	Key  string
	List []Setting
}

// Setting is one of them. Its digest tells whether it has changed; it is kept
// in the database and stands in no receipt.
type Setting struct {
	Name   string // for people, as in "peer did:web:gateway.example.kz"
	Digest string
	Hidden bool   // what it says may be guessed, or is secret: the digest was made with a key
	Value  []byte // what a receipt binds by a salted commitment; nil: nothing
}

// settingsSeen is what was last written down.
type settingsSeen struct {
	Key    string            `json:"key"`
	Open   map[string]string `json:"open"`
	Hidden map[string]string `json:"hidden"`
}

// SettingsSeen says what a look at the settings has found.
type SettingsSeen struct {
	Settings int      `json:"settings"`
	Changes  []string `json:"changes"` // of which a receipt was written
}

// LookAtSettings writes a receipt of what has changed in the node's directory
// since the last look. Files have no transactions: a change may take effect a
// moment before its receipt, and one that a crash separates from it is found at
// the next start.
func (s *Service) LookAtSettings(ctx context.Context) (SettingsSeen, error) {
	seen := SettingsSeen{Changes: []string{}}
	if s.cfg.Settings == nil {
		return seen, nil
	}
	now, err := s.cfg.Settings()
	if err != nil {
		return seen, err
	}
	seen.Settings = len(now.List)
	err = s.db.Write(ctx, func(tx *store.Tx) error {
		seen.Changes, err = s.noteSettings(ctx, tx, now)
		return err
	})
	if err != nil {
		return seen, fmt.Errorf("receipt of the settings: %w", err)
	}
	return seen, nil
}

// noteSettings compares with what was written down, and writes what is new. At
// a node's first start that is all of it, told by the peers alone.
func (s *Service) noteSettings(ctx context.Context, tx *store.Tx, now Settings) ([]string, error) {
	var text string
	err := tx.QueryRow(ctx, `SELECT doc FROM settings_in_use WHERE one = 1`).Scan(&text)
	first := errors.Is(err, sql.ErrNoRows)
	if err != nil && !first {
		return []string{}, err
	}
	before := settingsSeen{Key: now.Key}
	if !first {
		if err := unmarshal(text, &before); err != nil {
			return []string{}, err
		}
	}
	changes, bound := now.changes(before, first)
	doc, err := corridor.Canonical(now.seen())
	if err != nil || string(doc) == text {
		return []string{}, err
	}
	if len(changes) > 0 {
		r := corridor.Receipt{Type: corridor.ReceiptAdmin, State: ActSettings, Reason: short(byFiles, []string{strings.Join(changes, "; ")})}
		if _, err := s.append(ctx, tx, &step{receipts: []receipt{{body: r, secrets: bound}}}); err != nil {
			return []string{}, err
		}
	}
	_, err = tx.Exec(ctx, `INSERT INTO settings_in_use (one, doc) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET doc = excluded.doc`, string(doc))
	return append([]string{}, changes...), err
}

func (s Settings) seen() settingsSeen {
	out := settingsSeen{Key: s.Key, Open: map[string]string{}, Hidden: map[string]string{}}
	for _, x := range s.List {
		if x.Hidden {
			out.Hidden[x.Name] = x.Digest
		} else {
			out.Open[x.Name] = x.Digest
		}
	}
	return out
}

// maxBound is how many changed settings one receipt binds. The words of a
// receipt end somewhere too: who adds a thousand peers at once has the list.
const maxBound = 32

// changes says in words what is new, and gives what the receipt binds of it.
func (s Settings) changes(before settingsSeen, first bool) (out []string, bound []ledger.Secret) {
	told := func(what string, x Setting) {
		out = append(out, x.Name+" "+what)
		if x.Value != nil && len(bound) < maxBound {
			bound = append(bound, ledger.Secret{Name: x.Name, Value: x.Value})
		}
	}
	there := map[string]bool{}
	otherKey := before.Key != s.Key
	if otherKey {
		out = append(out, "the secret of the data plane changed; other settings cannot be compared with those before it")
	}
	for _, x := range s.List {
		there[x.Name] = true
		old, known := before.Open[x.Name]
		if x.Hidden {
			old, known = before.Hidden[x.Name]
		}
		switch {
		case x.Hidden && (otherKey || first) || known && old == x.Digest:
		case known:
			told("changed", x)
		default:
			told("added", x)
		}
	}
	for _, list := range []map[string]string{before.Open, before.Hidden} {
		for _, name := range slices.Sorted(maps.Keys(list)) {
			if !there[name] {
				out = append(out, name+" removed")
			}
		}
	}
	return out, bound
}

// SettingsChanged lets the node look at its directory again.
func (s *Service) SettingsChanged() {
	select {
	case s.settings <- struct{}{}:
	default:
	}
}

// runSettings looks at the directory at the start and whenever something has
// noticed that a file is another. A file that cannot be read is looked at again
// until it can.
func (s *Service) runSettings(ctx context.Context) error {
	if s.cfg.Settings == nil {
		return nil
	}
	return s.runTimer(ctx, "a change in the node's directory could not be written down; it is tried again", s.settings, func(ctx context.Context) (time.Duration, error) {
		_, err := s.LookAtSettings(ctx)
		return -1, err
	})
}
