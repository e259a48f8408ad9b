package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"corridor"
	"corridor/internal/store"
	"corridor/verify"
)

// A peer's log is watched: each checkpoint of it that comes here, with a
// receipt, from its own address or from a witness, must continue the newest one
// known. Two that exclude each other are evidence that needs nobody's word.

const (
	monitorEvery   = time.Hour // how often every log is asked, and every witness about it
	monitorTimeout = 15 * time.Second
	maxTile        = tileWidth * tlog.HashSize
)

// PeerLog is the log of a peer.
type PeerLog struct {
	DID string
	Ref corridor.LogRef
	URL string // where its tiles are; empty: not known
}

// See compares a signed checkpoint of a peer's log with the newest one known,
// and keeps the newer. The error is a *Fork if the two exclude each other: it
// is kept by then. That a larger tree continues the known one is read from
// the log's own tiles; as long as they are not to be had, the known one stays.
//
// Where an operator has lifted the stop for two histories, both are known, and
// the log may go on with either of them, once: from then on it has that one.
func (l *Log) See(ctx context.Context, peer PeerLog, signed []byte) error {
	v, err := verify.LogVerifier(peer.Ref.VKey)
	if err != nil {
		return err
	}
	c, _, err := verify.OpenCheckpoint(signed, v)
	if err != nil {
		return err
	}
	signed = verify.LogSignatureOnly(signed, c.Origin)
	known, have, err := l.known(ctx, peer, v)
	if err != nil {
		return err
	}
	shown, had := parted{c, signed}, parted{known, have}
	if have == nil {
		return l.keepPeer(ctx, peer, c, signed)
	}
	if had.same(shown) {
		return nil
	}
	lifted, err := l.lifted(ctx, peer)
	if err != nil || shown.among(lifted) {
		return err
	}
	if l.goesOn(ctx, peer, had, shown, lifted) {
		return l.takeTurn(ctx, peer, had, shown)
	}
	evidence, err := l.exclude(ctx, peer, had, shown)
	if err != nil {
		return err
	}
	if evidence == nil {
		_, newer := inOrder(had, shown)
		return l.keepPeer(ctx, peer, newer.c, newer.note)
	}
	return l.forked(ctx, peer, *evidence)
}

// exclude is the evidence that two checkpoints are not of one history, or nil.
func (l *Log) exclude(ctx context.Context, peer PeerLog, a, b parted) (*verify.Equivocation, error) {
	older, newer := inOrder(a, b)
	switch {
	case older.same(newer), older.c.Size == 0: // every tree continues the empty one
		return nil, nil
	case older.c.Size == newer.c.Size:
		return &verify.Equivocation{A: string(older.note), B: string(newer.note)}, nil
	}
	return l.continues(ctx, peer, older, newer)
}

// parted is one of two checkpoints of a log.
type parted struct {
	c    verify.Checkpoint
	note []byte
}

func (p parted) same(q parted) bool { return p.c.Size == q.c.Size && p.c.Root == q.c.Root }

func inOrder(a, b parted) (older, newer parted) {
	if b.c.Size < a.c.Size {
		return b, a
	}
	return a, b
}

// known is the newest checkpoint of a peer's log, if there is one.
func (l *Log) known(ctx context.Context, peer PeerLog, v note.Verifier) (c verify.Checkpoint, signed []byte, err error) {
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		err := tx.QueryRow(ctx, `SELECT checkpoint FROM ledger_peer_logs WHERE vkey = ?`, peer.Ref.VKey).Scan(&signed)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err == nil {
			c, _, err = verify.OpenCheckpoint(signed, v)
		}
		return err
	})
	if err != nil {
		return c, nil, fmt.Errorf("the known checkpoint of %s: %w", peer.Ref.Origin, err)
	}
	return c, signed, nil
}

// takeTurn writes the newest checkpoint of a log that goes on with the other
// of two histories. It may be smaller than the known one.
func (l *Log) takeTurn(ctx context.Context, peer PeerLog, known, next parted) error {
	return l.db.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE ledger_peer_logs SET size = ?, checkpoint = ? WHERE vkey = ? AND checkpoint = ?`, next.c.Size, next.note, peer.Ref.VKey, known.note)
		return err
	})
}

// keepPeer writes the newest checkpoint of a log. One that another goroutine
// has written meanwhile, and that is newer, stays.
func (l *Log) keepPeer(ctx context.Context, peer PeerLog, c verify.Checkpoint, signed []byte) error {
	return l.db.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO ledger_peer_logs (vkey, did, url, size, checkpoint) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (vkey) DO UPDATE SET did = excluded.did, url = excluded.url, size = excluded.size, checkpoint = excluded.checkpoint
			WHERE ledger_peer_logs.size <= excluded.size`, peer.Ref.VKey, peer.DID, peer.URL, c.Size, signed)
		return err
	})
}

// continues asks the log whether its newer tree continues the older one, by
// the tiles of the newer, each checked against its root. If it does not, that
// is evidence.
func (l *Log) continues(ctx context.Context, peer PeerLog, older, newer parted) (*verify.Equivocation, error) {
	if peer.URL == "" {
		return nil, corridor.E(corridor.Unavailable, "it is not known where the tiles of %s are", peer.Ref.Origin)
	}
	ctx, cancel := context.WithTimeout(ctx, monitorTimeout)
	defer cancel()
	tiles := tlog.TileHashReader(tlog.Tree{N: newer.c.Size, Hash: newer.c.Root}, remoteTiles{ctx, l.cfg.Client, peer.URL})
	prefix, err := tlog.TreeHash(older.c.Size, tiles)
	if err == nil && prefix == older.c.Root {
		return nil, nil
	}
	var proof tlog.TreeProof
	if err == nil {
		proof, err = tlog.ProveTree(newer.c.Size, older.c.Size, tiles)
	}
	if err != nil {
		return nil, corridor.E(corridor.Unavailable, "the log %s does not show that %d entries continue %d: %w", peer.Ref.Origin, newer.c.Size, older.c.Size, err)
	}
	return &verify.Equivocation{A: string(older.note), B: string(newer.note), Prefix: prefix.String(), Proof: verify.Hashes(proof)}, nil
}

// CheckPlaces looks whether a peer has shown another receipt before in the
// place of one of these. The error is a *Fork where both have proofs.
func (l *Log) CheckPlaces(ctx context.Context, list []PeerReceipt) error {
	for _, p := range list {
		var leaf string
		var entry, proof []byte
		err := l.db.Read(ctx, func(tx *store.Tx) error {
			return tx.QueryRow(ctx, `SELECT leaf, entry, proof FROM ledger_peer_receipts WHERE origin = ? AND idx = ?`, p.Log.Origin, p.Index).Scan(&leaf, &entry, &proof)
		})
		switch {
		case errors.Is(err, sql.ErrNoRows) || err == nil && leaf == corridor.LeafHash(p.Entry):
			continue
		case err != nil:
			return fmt.Errorf("the receipt at %d of %s: %w", p.Index, p.Log.Origin, err)
		}
		if err := l.twoEntries(ctx, p, entry, proof); err != nil {
			return err
		}
	}
	return nil
}

// PeerCheckpoint is the newest checkpoint known of a peer's log, as a receipt
// shows it; empty if none is.
func (l *Log) PeerCheckpoint(ctx context.Context, tx *store.Tx, did string) (string, error) {
	var signed []byte
	err := tx.QueryRow(ctx, `SELECT checkpoint FROM ledger_peer_logs WHERE did = ? LIMIT 1`, did).Scan(&signed)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("checkpoint of %s: %w", did, err)
	}
	return string(signed), nil
}

// RunMonitor asks, once an hour and at the start, every known log for its
// checkpoint, and every witness for the one that it has cosigned of it. found
// hears of each fork. It ends with ctx.
func (l *Log) RunMonitor(ctx context.Context, found func(context.Context, *Fork)) error {
	for {
		if err := l.Compare(ctx, found); err != nil && ctx.Err() == nil {
			l.cfg.Logger.WarnContext(ctx, "the logs of peers could not be compared", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(monitorEvery):
		}
	}
}

// Compare does it once. What cannot be reached is passed over: it is asked
// again.
func (l *Log) Compare(ctx context.Context, found func(context.Context, *Fork)) error {
	logs, err := l.peerLogs(ctx)
	if err != nil {
		return err
	}
	for _, p := range logs {
		places := []string{}
		if p.URL != "" {
			places = append(places, p.URL+"/checkpoint")
		}
		for _, w := range l.policy.Witnesses {
			if w.URL != "" {
				places = append(places, strings.TrimSuffix(w.URL, "/")+"/"+verify.OriginID(p.Ref.Origin)+"/checkpoint")
			}
		}
		for _, place := range places {
			signed, err := fetch(ctx, l.cfg.Client, place, verify.MaxCheckpoint)
			if err == nil {
				err = l.See(ctx, p, signed)
			}
			var f *Fork
			switch {
			case errors.As(err, &f):
				found(ctx, f)
			case err != nil:
				l.cfg.Logger.InfoContext(ctx, "a checkpoint could not be compared", "log", p.Ref.Origin, "from", place, "err", err)
			}
		}
	}
	return ctx.Err()
}

func (l *Log) peerLogs(ctx context.Context) (list []PeerLog, err error) {
	const most = 10_000
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, `SELECT vkey, did, url FROM ledger_peer_logs WHERE vkey > '' ORDER BY vkey LIMIT ?`, most)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var p PeerLog
			if err := rows.Scan(&p.Ref.VKey, &p.DID, &p.URL); err != nil {
				return err
			}
			p.Ref.Origin, _, _ = strings.Cut(p.Ref.VKey, "+")
			list = append(list, p)
		}
		return rows.Err()
	})
	return list, err
}

// remoteTiles reads the tiles of a log over HTTP (C2SP tlog-tiles).
type remoteTiles struct {
	ctx    context.Context
	client *http.Client
	url    string
}

func (remoteTiles) Height() int { return tileHeight }

func (r remoteTiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(list))
	for i, t := range list {
		data, err := fetch(r.ctx, r.client, r.url+"/"+tilePathOf(t), maxTile)
		if err != nil {
			return nil, err
		}
		if len(data) != t.W*tlog.HashSize {
			return nil, corridor.E(corridor.Invalid, "%s holds %d bytes, wanted %d", tilePathOf(t), len(data), t.W*tlog.HashSize)
		}
		out[i] = data
	}
	return out, nil
}

func (remoteTiles) SaveTiles([]tlog.Tile, [][]byte) {}

// tilePathOf is the path of a tile; that of x/mod names the height too.
func tilePathOf(t tlog.Tile) string {
	return "tile/" + strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/", t.H))
}

// fetch reads one small answer.
func fetch(ctx context.Context, client *http.Client, url string, most int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, monitorTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "%w", err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, corridor.E(corridor.Unavailable, "%w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, corridor.E(corridor.Unavailable, "%s answers %d", url, resp.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err == nil && int64(len(data)) > most {
		err = corridor.E(corridor.Limited, "%s answers with more than %d bytes", url, most)
	}
	return data, err
}
