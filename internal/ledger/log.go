// Package ledger keeps the receipts of a node as a transparency log: a Merkle
// tree in C2SP tlog-tiles form, in the same database and the same transaction
// as the state that the receipts speak of.
//
// A checkpoint is signed once per transaction, before its commit, and leaves
// the process only after it. So what has been shown to anyone is on disk, and
// a crash can not make the log sign a second history. The one way left to do
// that is a restored backup: witnesses know the larger size, say so on first
// contact, and the log then refuses to grow.
//
// On a database that several nodes share, each transaction that appends goes
// on from the edge that the last one left, whichever node that was: the store
// lets them write one after the other. A node keeps in mind what it has seen
// of the log, and refuses a database that has fallen behind it.
package ledger

import (
	"context"
	"database/sql"
	_ "embed" // the schema of this room
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"corridor"
	"corridor/internal/store"
	"corridor/verify"
)

//go:embed schema.sql
var schema string

//go:embed schema_postgres.sql
var schemaPostgres string

//go:embed monitor.sql
var monitorSchema string

//go:embed monitor_postgres.sql
var monitorPostgres string

//go:embed evidence.sql
var evidenceSchema string

//go:embed evidence_postgres.sql
var evidencePostgres string

//go:embed parts.sql
var partsSchema string

//go:embed parts_postgres.sql
var partsPostgres string

// Migrations is the schema of the log.
var Migrations = []store.Migration{
	{Room: "ledger", Version: 1, SQL: schema, Postgres: schemaPostgres},
	{Room: "ledger", Version: 2, SQL: monitorSchema, Postgres: monitorPostgres},
	{Room: "ledger", Version: 3, SQL: evidenceSchema, Postgres: evidencePostgres},
	{Room: "ledger", Version: 4, SQL: partsSchema, Postgres: partsPostgres},
}

// Config is what a log needs.
type Config struct {
	// Origin names the log for ever. It must be the name of Signer.
	Origin string
	// Signer signs checkpoints: an Ed25519 note signer. VKey is its public
	// half, as others configure it.
	Signer note.Signer
	VKey   string
	// Issuer is the DID of the receipts that name none.
	Issuer string
	// Policy is the witness policy in tlog-policy form. Witnesses with a URL
	// are asked for cosignatures. Empty: no witness.
	Policy []byte
	// Client talks to witnesses. Nil: a client of its own, which follows no
	// redirects.
	Client *http.Client
	// Authorise lets a reader see entries, from the first to before the last
	// index. Nil: nobody sees entries.
	Authorise func(r *http.Request, first, last int64) error
	// Reconcile keeps the log from signing until Reconcile has compared it with
	// the witnesses of Policy. Without a policy that needs witnesses it is
	// without effect.
	Reconcile bool
	// Document gives the DID document of a peer as canonical JSON, for evidence
	// against its log. Nil: the evidence names the log's key only.
	Document func(ctx context.Context, did string) ([]byte, error)
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	// Logger hears of witnesses that fail. Nil: silent.
	Logger *slog.Logger
}

// Log is the log of one node. It is safe for concurrent use.
type Log struct {
	cfg      Config
	db       *store.DB
	verifier note.Verifier
	policy   *verify.Policy

	edge *tree // owned by the writer of db: the edge of its last commit

	catching sync.Mutex  // one goroutine reads what other nodes wrote
	behind   atomic.Bool // other nodes have written

	mu      sync.Mutex // guards what follows
	head    head
	changed chan struct{} // closed and replaced when head or cosigned changes
	// cosigned is the largest size for which the policy is satisfied.
	cosigned  int64
	witnessed time.Time // the newest of the times of cosignatures
	stop      error     // a witness knows another history
	waits     error     // it has not yet been compared with the witnesses

	witnessing bool
}

// head is the newest durable checkpoint.
type head struct {
	checkpoint verify.Checkpoint
	note       []byte
}

// Open reads the log of db, checks that its signed checkpoint is the one of
// its tree, and makes the first checkpoint of a new log.
func Open(ctx context.Context, db *store.DB, cfg Config) (*Log, error) {
	l := &Log{cfg: cfg, db: db, changed: make(chan struct{})}
	if err := l.configure(); err != nil {
		return nil, err
	}
	if err := db.Read(ctx, func(tx *store.Tx) error { return l.load(ctx, tx) }); err != nil {
		return nil, fmt.Errorf("open the log %s: %w", cfg.Origin, err)
	}
	if l.head.note == nil {
		if err := db.Write(ctx, func(tx *store.Tx) error { return l.begin(ctx, tx) }); err != nil {
			return nil, err
		}
		if err := db.Read(ctx, func(tx *store.Tx) error { return l.load(ctx, tx) }); err != nil {
			return nil, err
		}
	}
	if cfg.Reconcile && l.policy.Quorum != "none" {
		l.waits = l.unreconciled(l.names())
	}
	db.BeforeCommit(func(tx *store.Tx) error { return l.fold(context.Background(), tx) })
	db.Hear(func(what string) {
		if what == logChanged || what == "" {
			l.behind.Store(true)
			go l.catchUp(context.Background())
		}
	})
	return l, nil
}

func (l *Log) configure() error {
	c := &l.cfg
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Client == nil {
		c.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	v, err := verify.LogVerifier(c.VKey)
	if err != nil {
		return err
	}
	if c.Signer == nil || c.Signer.Name() != c.Origin || v.Name() != c.Origin || v.KeyHash() != c.Signer.KeyHash() {
		return corridor.E(corridor.Invalid, "the log %q, its signer and its vkey %q do not belong together", c.Origin, c.VKey)
	}
	l.verifier = v
	if len(c.Policy) == 0 {
		c.Policy = []byte("quorum none\n")
	}
	l.policy, err = verify.ParsePolicy(c.Policy)
	if err != nil {
		return err
	}
	if len(l.policy.Logs) > 0 && !l.inPolicy() {
		return &corridor.Error{Kind: corridor.Invalid, Msg: "the witness policy does not trust this node's own log", Where: c.Origin,
			Fix: "add the line: log " + c.VKey}
	}
	return l.fits()
}

// fits refuses a policy whose cosignatures are more than a checkpoint can
// carry: nobody could read it.
func (l *Log) fits() error {
	room := verify.MaxCheckpoint - len(l.verifier.Name()) - 1<<10 // the log's own text and signature
	for _, w := range l.policy.Witnesses {
		if w.URL != "" {
			room -= w.MaxLine()
		}
	}
	if room < 0 {
		return &corridor.Error{Kind: corridor.Invalid, Where: l.cfg.Origin, Msg: fmt.Sprintf("the cosignatures of all %d witnesses are longer than a checkpoint may be, %d bytes", len(l.policy.Witnesses), verify.MaxCheckpoint),
			Fix: "ask fewer witnesses: those without an address in the policy are not asked"}
	}
	return nil
}

func (l *Log) inPolicy() bool {
	for _, p := range l.policy.Logs {
		if p.VKey == l.cfg.VKey {
			return true
		}
	}
	return false
}

// load reads what the last commit left and checks that it fits together.
func (l *Log) load(ctx context.Context, tx *store.Tx) error {
	var size, entries int64
	var signed []byte
	if err := tx.QueryRow(ctx, `SELECT COALESCE(MAX(idx) + 1, 0) FROM ledger_entries`).Scan(&entries); err != nil {
		return err
	}
	err := tx.QueryRow(ctx, `SELECT size, checkpoint FROM ledger_head WHERE id = 1`).Scan(&size, &signed)
	if errors.Is(err, sql.ErrNoRows) && entries == 0 {
		l.edge = &tree{tiles: map[int][]byte{}}
		return nil
	}
	if err != nil {
		return err
	}
	damaged := func(format string, args ...any) error {
		return &corridor.Error{Kind: corridor.Internal, Msg: "the log is damaged: " + fmt.Sprintf(format, args...), Where: l.cfg.Origin,
			Fix: "restore the last backup; the witnesses will say what is missing"}
	}
	c, _, err := verify.OpenCheckpoint(signed, l.verifier)
	if err != nil {
		return &corridor.Error{Kind: corridor.Invalid, Msg: "the stored checkpoint is not of this log and key", Where: l.cfg.Origin,
			Fix: "use the key and origin that the log was made with; a new key needs a new log", Err: err}
	}
	if c.Size != size || size != entries {
		return damaged("the checkpoint is for %d entries, the table says %d, and there are %d", c.Size, size, entries)
	}
	l.edge, err = loadTree(size, func(level int, n int64) ([]byte, error) { return readTile(ctx, tx, level, n) })
	if err != nil {
		return damaged("%v", err)
	}
	if root, err := l.edge.root(); err != nil || root != c.Root {
		return damaged("its tiles give another root than its checkpoint")
	}
	if err := checkLast(ctx, tx, size); err != nil {
		return damaged("%v", err)
	}
	l.head = head{checkpoint: c, note: signed}
	return l.loadWitnesses(ctx, tx)
}

// checkLast compares the newest entry with its place in the tree.
func checkLast(ctx context.Context, tx *store.Tx, size int64) error {
	if size == 0 {
		return nil
	}
	var entry []byte
	if err := tx.QueryRow(ctx, `SELECT entry FROM ledger_entries WHERE idx = ?`, size-1).Scan(&entry); err != nil {
		return err
	}
	data, err := readTile(ctx, tx, 0, (size-1)/tileWidth)
	if err != nil {
		return err
	}
	at := (size - 1) % tileWidth * tlog.HashSize
	if int64(len(data)) < at+tlog.HashSize || tlog.RecordHash(entry) != tlog.Hash(data[at:at+tlog.HashSize]) {
		return fmt.Errorf("entry %d is not the one in its tile", size-1)
	}
	return nil
}

func readTile(ctx context.Context, tx *store.Tx, level int, n int64) ([]byte, error) {
	var data []byte
	err := tx.QueryRow(ctx, `SELECT hashes FROM ledger_tiles WHERE level = ? AND n = ?`, level, n).Scan(&data)
	if err != nil {
		return nil, fmt.Errorf("tile %d/%d: %w", level, n, err)
	}
	return data, nil
}

// begin signs the empty tree, unless another node has begun meanwhile.
func (l *Log) begin(ctx context.Context, tx *store.Tx) error {
	var begun int
	if err := tx.QueryRow(ctx, `SELECT COUNT(*) FROM ledger_head WHERE id = 1`).Scan(&begun); err != nil || begun > 0 {
		return err
	}
	return l.sign(ctx, tx, l.edge)
}

// fold is the hook of every commit: it puts the entries that the transaction
// added into the tree and signs one checkpoint over all of them.
func (l *Log) fold(ctx context.Context, tx *store.Tx) error {
	edge, err := l.lastEdge(ctx, tx)
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `SELECT leaf FROM ledger_entries WHERE idx >= ? ORDER BY idx`, edge.size)
	if err != nil {
		return err
	}
	defer rows.Close()
	next := edge.clone()
	changed := map[tileID][]byte{}
	for rows.Next() {
		var leaf []byte
		if err := rows.Scan(&leaf); err != nil {
			return err
		}
		next.append(tlog.Hash(leaf), changed)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || len(changed) == 0 {
		return err
	}
	for id, data := range changed {
		if _, err := tx.Exec(ctx, `INSERT INTO ledger_tiles (level, n, hashes) VALUES (?, ?, ?)
			ON CONFLICT (level, n) DO UPDATE SET hashes = excluded.hashes`, id.level, id.n, data); err != nil {
			return err
		}
	}
	return l.sign(ctx, tx, next)
}

// sign makes the checkpoint of an edge part of the transaction. It becomes
// visible when the commit is durable, and never if the commit fails.
func (l *Log) sign(ctx context.Context, tx *store.Tx, edge *tree) error {
	root, err := edge.root()
	if err != nil {
		return err
	}
	c := verify.Checkpoint{Origin: l.cfg.Origin, Size: edge.size, Root: root}
	signed, err := note.Sign(&note.Note{Text: c.String()}, l.cfg.Signer)
	if err != nil {
		return fmt.Errorf("sign checkpoint: %w", err)
	}
	if _, err := tx.Exec(ctx, `INSERT INTO ledger_head (id, size, checkpoint) VALUES (1, ?, ?)
		ON CONFLICT (id) DO UPDATE SET size = excluded.size, checkpoint = excluded.checkpoint`, edge.size, signed); err != nil {
		return err
	}
	tx.Tell(logChanged)
	tx.AfterCommit(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.edge = edge
		if edge.size >= l.head.checkpoint.Size { // another node may have gone on already
			l.head = head{checkpoint: c, note: signed}
		}
		l.announce()
	})
	return nil
}

// announce wakes all who wait for a change. l.mu is held.
func (l *Log) announce() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Origin is the name of the log.
func (l *Log) Origin() string { return l.cfg.Origin }

// VKey is the verifier key of the log.
func (l *Log) VKey() string { return l.cfg.VKey }

// Ref is the log as an agreement names it.
func (l *Log) Ref() corridor.LogRef {
	return corridor.LogRef{Origin: l.cfg.Origin, VKey: l.cfg.VKey}
}

// Size is the number of durable entries.
func (l *Log) Size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head.checkpoint.Size
}

// Checkpoint is the newest durable checkpoint, as a signed note.
func (l *Log) Checkpoint() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head.note
}
