CREATE TABLE outbox (
	id           INTEGER PRIMARY KEY AUTOINCREMENT,
	kind         TEXT    NOT NULL,
	target       TEXT    NOT NULL,
	body         BLOB    NOT NULL,
	headers      TEXT    NOT NULL, -- JSON object
	ordering_key TEXT    NOT NULL, -- empty: no order
	state        TEXT    NOT NULL, -- ready, waiting (behind an earlier one of its key), failed
	attempts     INTEGER NOT NULL,
	max_attempts INTEGER NOT NULL, -- 0: until the deadline
	next_at      INTEGER NOT NULL, -- milliseconds since 1970
	deadline     INTEGER NOT NULL, -- milliseconds since 1970; 0: none
	last_error   TEXT    NOT NULL
);
CREATE INDEX outbox_due ON outbox (state, next_at, id);
CREATE INDEX outbox_order ON outbox (ordering_key, state, id);
