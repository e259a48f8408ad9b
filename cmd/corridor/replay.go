package main

import (
	"context"
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
type replayStore struct{ db *store.DB }

// Use implements identity.ReplayStore: durable before it answers.
func (r *replayStore) Use(ctx context.Context, issuer, jti string, exp time.Time) (bool, error) {
	err := r.db.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM used_tokens WHERE expires < ?`, time.Now().Add(-time.Hour).Unix()); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO used_tokens (issuer, jti, expires) VALUES (?, ?, ?)`, issuer, jti, exp.Unix())
		return err
	})
	if store.IsUnique(err) {
		return false, nil
	}
	return err == nil, err
}
