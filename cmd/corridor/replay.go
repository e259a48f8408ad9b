package main

import (
	"context"
	"sync/atomic"
	"time"

	"corridor/internal/store"
)

// replayMigrations is the schema of the tokens that were used.
func replayMigrations() []store.Migration {
	return []store.Migration{{Room: "replay", Version: 1, SQL: `CREATE TABLE used_tokens (
    issuer  TEXT NOT NULL,
    jti     TEXT NOT NULL,
    expires BIGINT NOT NULL,              -- seconds since 1970; forgotten after
    PRIMARY KEY (issuer, jti)
);
CREATE INDEX used_tokens_by_time ON used_tokens (expires);
`}}
}

// replayStore keeps used tokens in the node's database, so that a token that
// was used before a restart is not good after it. It implements
// identity.ReplayStore.
type replayStore struct {
	db    *store.DB
	swept atomic.Int64 // when expired tokens were deleted last, seconds since 1970
}

// sweepEvery is how often expired tokens are deleted, in seconds.
const sweepEvery = 60

// Use implements identity.ReplayStore: durable before it answers.
func (r *replayStore) Use(ctx context.Context, issuer, jti string, exp time.Time) (fresh bool, err error) {
	err = r.db.Write(ctx, func(tx *store.Tx) error {
		fresh, err = r.in(ctx, tx, issuer, jti, exp)
		return err
	})
	return fresh, err
}

// in notes a use in the transaction of what it is used for.
func (r *replayStore) in(ctx context.Context, tx *store.Tx, issuer, jti string, exp time.Time) (bool, error) {
	now, last := time.Now(), r.swept.Load()
	if now.Unix()-last >= sweepEvery && r.swept.CompareAndSwap(last, now.Unix()) {
		if _, err := tx.Exec(ctx, `DELETE FROM used_tokens WHERE expires < ?`, now.Add(-time.Hour).Unix()); err != nil {
			return false, err
		}
	}
	result, err := tx.Exec(ctx, `INSERT INTO used_tokens (issuer, jti, expires) VALUES (?, ?, ?) ON CONFLICT (issuer, jti) DO NOTHING`, issuer, jti, exp.Unix())
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}
