package ledger

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"database/sql"
	_ "embed" // the schema of a witness
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"filippo.io/mldsa"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"corridor"
	"corridor/internal/store"
	"corridor/verify"
)

//go:embed witness_schema.sql
var witnessSchema string

// WitnessMigrations is the schema of a witness.
var WitnessMigrations = []store.Migration{{Room: "witness", Version: 1, SQL: witnessSchema}}

// WitnessConfig is what a witness needs.
type WitnessConfig struct {
	Name   string           // such as witness.example.kz
	Keys   []crypto.Signer  // ed25519.PrivateKey or *mldsa.PrivateKey (ML-DSA-44): each cosigns
	Logs   []string         // vkeys of the logs that are cosigned; several may share an origin
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: silent
}

// maxSubmission bounds one request: 63 hashes and a checkpoint.
const maxSubmission = verify.MaxCheckpoint + 8<<10

// Witness cosigns checkpoints of other people's logs, as long as each
// continues the one before (C2SP tlog-witness, tlog-cosignature). It never
// sees an entry.
type Witness struct {
	db     *store.DB
	vkeys  []string
	cosign []note.Signer              // by vkey
	logs   map[string][]note.Verifier // by origin
	now    func() time.Time
	log    *slog.Logger
}

// NewWitness makes a witness on db, whose schema is WitnessMigrations.
func NewWitness(db *store.DB, cfg WitnessConfig) (*Witness, error) {
	w := &Witness{db: db, logs: map[string][]note.Verifier{}, now: cfg.Now, log: cfg.Logger}
	if w.now == nil {
		w.now = time.Now
	}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	if len(cfg.Keys) == 0 {
		return nil, corridor.E(corridor.Invalid, "a witness needs a key")
	}
	for _, vkey := range cfg.Logs {
		v, err := verify.LogVerifier(vkey)
		if err != nil {
			return nil, err
		}
		w.logs[v.Name()] = append(w.logs[v.Name()], v)
	}
	for _, key := range cfg.Keys {
		if err := w.hold(cfg.Name, key); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// hold lets the witness cosign with a key.
func (w *Witness) hold(name string, key crypto.Signer) error {
	vkey, ok := witnessVKey(name, key)
	if !ok {
		return corridor.E(corridor.Invalid, "a key of a witness is of Ed25519 or ML-DSA-44, not %T", key)
	}
	v, err := verify.WitnessVerifier(vkey)
	if err != nil {
		return &corridor.Error{Kind: corridor.Invalid, Msg: fmt.Sprintf("%q cannot be the name of a witness", name), Fix: "use a host name, without spaces and plus signs", Err: err}
	}
	c := &cosigner{Verifier: v, now: w.now, key: key}
	for origin := range w.logs {
		if _, err := c.message(1, verify.Checkpoint{Origin: origin}.String()); err != nil {
			return err
		}
	}
	w.vkeys = append(w.vkeys, vkey)
	w.cosign = append(w.cosign, c)
	return nil
}

// witnessVKey is the verifier key of a witness under one key.
func witnessVKey(name string, key crypto.Signer) (vkey string, ok bool) {
	switch k := key.(type) {
	case ed25519.PrivateKey:
		if len(k) == ed25519.PrivateKeySize {
			return verify.WitnessVKey(name, k.Public().(ed25519.PublicKey)), true
		}
	case *mldsa.PrivateKey:
		if k != nil && k.PublicKey().Parameters() == mldsa.MLDSA44() {
			return verify.WitnessVKeyMLDSA(name, k.PublicKey()), true
		}
	}
	return "", false
}

// VKeys are the verifier keys of the witness, for policies: one for each key.
func (w *Witness) VKeys() []string { return w.vkeys }

// cosigner makes cosignatures (C2SP tlog-cosignature, Format).
type cosigner struct {
	note.Verifier
	key crypto.Signer
	now func() time.Time
}

// Sign implements note.Signer.
func (c *cosigner) Sign(text []byte) ([]byte, error) {
	t := c.now().Unix()
	msg, err := c.message(t, string(text))
	if err != nil {
		return nil, err
	}
	sig, err := c.key.Sign(nil, msg, crypto.Hash(0)) // both suites sign the message itself; ML-DSA with an empty context
	if err != nil {
		return nil, err
	}
	return append(binary.BigEndian.AppendUint64(nil, uint64(t)), sig...), nil
}

// message is what the key signs for a checkpoint text.
func (c *cosigner) message(unix int64, text string) ([]byte, error) {
	if _, ok := c.key.(ed25519.PrivateKey); ok {
		return verify.CosignedMessage(unix, text), nil
	}
	tree, err := verify.ParseCheckpoint(text)
	if err != nil {
		return nil, err
	}
	return verify.CosignedTree(c.Name(), unix, tree)
}

// Handler serves /add-checkpoint for logs and /<sha256 of origin>/checkpoint
// for monitors.
func (w *Witness) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", w.addCheckpoint)
	mux.HandleFunc("GET /{id}/checkpoint", w.serveCheckpoint)
	return mux
}

// refusal is an answer of the protocol other than success.
type refusal struct {
	status int
	text   string
	size   int64 // for 409
}

func (r *refusal) Error() string { return r.text }

func (w *Witness) addCheckpoint(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxSubmission))
	if err != nil {
		http.Error(rw, "the request is too long or was cut", http.StatusBadRequest)
		return
	}
	line, err := w.Add(r.Context(), body)
	var no *refusal
	switch {
	case err == nil:
		write(rw, plain, "no-store", line)
	case errors.As(err, &no) && no.status == http.StatusConflict:
		rw.Header().Set("Content-Type", sizeType)
		rw.WriteHeader(no.status)
		fmt.Fprintf(rw, "%d\n", no.size)
	case errors.As(err, &no):
		http.Error(rw, no.text, no.status)
	default:
		w.log.ErrorContext(r.Context(), "add-checkpoint", "err", err)
		http.Error(rw, "the witness cannot answer now", http.StatusServiceUnavailable)
	}
}

// submission is a parsed request.
type submission struct {
	old    int64
	proof  tlog.TreeProof
	signed []byte
}

func parseSubmission(body []byte) (submission, error) {
	var s submission
	head, signed, ok := bytes.Cut(body, []byte("\n\n"))
	if !ok {
		return s, errors.New("no empty line before the checkpoint")
	}
	lines := strings.Split(string(head), "\n")
	old, ok := strings.CutPrefix(lines[0], "old ")
	if !ok {
		return s, errors.New("no old size line")
	}
	if s.old, ok = parseIndex(old); !ok {
		return s, errors.New("the old size is not a decimal number")
	}
	if len(lines)-1 > 63 {
		return s, errors.New("more than 63 proof lines")
	}
	for _, l := range lines[1:] {
		b, err := base64.StdEncoding.Strict().DecodeString(l)
		if err != nil || len(b) != tlog.HashSize {
			return s, errors.New("a proof line is not a hash")
		}
		s.proof = append(s.proof, tlog.Hash(b))
	}
	s.signed = signed
	return s, nil
}

// Add checks one request and gives the lines of the cosignatures.
func (w *Witness) Add(ctx context.Context, body []byte) ([]byte, error) {
	s, err := parseSubmission(body)
	if err != nil {
		return nil, &refusal{status: http.StatusBadRequest, text: err.Error()}
	}
	c, n, err := w.open(s.signed)
	if err != nil {
		return nil, err
	}
	if s.old > c.Size {
		return nil, &refusal{status: http.StatusBadRequest, text: "the old size is larger than the checkpoint's"}
	}
	var line []byte
	err = w.db.Write(ctx, func(tx *store.Tx) error { // check and record are one transaction
		line, err = w.advance(ctx, tx, s, c, n)
		return err
	})
	return line, err
}

// open checks that a log that we know has signed the checkpoint.
func (w *Witness) open(signed []byte) (verify.Checkpoint, *note.Note, error) {
	none := verify.Checkpoint{}
	text, _, ok := strings.Cut(string(signed), "\n\n")
	origin, _, _ := strings.Cut(text, "\n")
	if !ok {
		return none, nil, &refusal{status: http.StatusBadRequest, text: "not a signed note"}
	}
	if _, err := verify.ParseCheckpoint(text + "\n"); err != nil {
		return none, nil, &refusal{status: http.StatusBadRequest, text: "not a checkpoint"}
	}
	keys := w.logs[origin]
	if len(keys) == 0 {
		return none, nil, &refusal{status: http.StatusNotFound, text: "this witness does not know that log"}
	}
	for _, key := range keys {
		c, n, err := verify.OpenCheckpoint(signed, key)
		if err == nil {
			return c, n, nil
		}
		if noted := (*note.UnverifiedNoteError)(nil); !errors.As(err, &noted) && !isSignatureError(err) {
			return none, nil, &refusal{status: http.StatusBadRequest, text: "not a signed note"}
		}
	}
	return none, nil, &refusal{status: http.StatusForbidden, text: "no key of that log that this witness trusts has signed"}
}

func isSignatureError(err error) bool {
	var invalid *note.InvalidSignatureError
	return errors.As(err, &invalid)
}

// advance compares with what was cosigned last, records the new checkpoint
// and signs it. The signature is returned only after the commit.
func (w *Witness) advance(ctx context.Context, tx *store.Tx, s submission, c verify.Checkpoint, n *note.Note) ([]byte, error) {
	var size int64
	var root []byte
	err := tx.QueryRow(ctx, `SELECT size, root FROM witness_logs WHERE origin = ?`, c.Origin).Scan(&size, &root)
	known := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	if s.old != size {
		return nil, &refusal{status: http.StatusConflict, text: "the old size is not the one cosigned last", size: size}
	}
	if err := consistent(s, c, known, root); err != nil {
		w.log.WarnContext(ctx, "inconsistent checkpoint refused", "origin", c.Origin, "old", size, "new", c.Size, "checkpoint", string(s.signed))
		return nil, &refusal{status: http.StatusUnprocessableEntity, text: err.Error()}
	}
	signed, err := note.Sign(&note.Note{Text: n.Text, Sigs: n.Sigs}, w.cosign...)
	if err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, `INSERT INTO witness_logs (origin, size, root, checkpoint) VALUES (?, ?, ?, ?)
		ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, checkpoint = excluded.checkpoint`,
		c.Origin, c.Size, c.Root[:], signed); err != nil {
		return nil, err
	}
	return lastLines(signed, len(w.cosign)), nil
}

func consistent(s submission, c verify.Checkpoint, known bool, root []byte) error {
	switch {
	case s.old == 0 && len(s.proof) > 0, s.old == c.Size && len(s.proof) > 0:
		return errors.New("no proof is needed here, and none may be sent")
	case c.Size == 0 && c.Root != emptyRoot():
		return errors.New("an empty tree has another root")
	case known && s.old == c.Size && !bytes.Equal(root, c.Root[:]):
		return errors.New("another tree of that size was cosigned before")
	case s.old == 0 || s.old == c.Size:
		return nil
	}
	if err := tlog.CheckTree(s.proof, c.Size, c.Root, s.old, tlog.Hash(root)); err != nil {
		return errors.New("the proof does not show that the tree continues the one cosigned before")
	}
	return nil
}

func emptyRoot() tlog.Hash {
	h, _ := tlog.TreeHash(0, nil) // has no error for 0
	return h
}

// lastLines gives the last n lines: note.Sign writes new signatures behind those
// that were there.
func lastLines(text []byte, n int) []byte {
	lines := slices.Collect(bytes.Lines(text))
	return bytes.Join(lines[len(lines)-n:], nil)
}

func (w *Witness) serveCheckpoint(rw http.ResponseWriter, r *http.Request) {
	origin := ""
	for o := range w.logs {
		if verify.OriginID(o) == r.PathValue("id") {
			origin = o
		}
	}
	var signed []byte
	err := w.db.Read(r.Context(), func(tx *store.Tx) error {
		return tx.QueryRow(r.Context(), `SELECT checkpoint FROM witness_logs WHERE origin = ?`, origin).Scan(&signed)
	})
	if errors.Is(err, sql.ErrNoRows) {
		http.Error(rw, "no checkpoint of that log was cosigned", http.StatusNotFound)
		return
	}
	if err != nil {
		w.log.ErrorContext(r.Context(), "serve checkpoint", "err", err)
		http.Error(rw, "the witness cannot answer now", http.StatusServiceUnavailable)
		return
	}
	write(rw, plain, "no-cache", signed)
}
