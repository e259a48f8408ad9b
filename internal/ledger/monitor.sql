-- The newest checkpoint that each peer's log has shown to continue the ones
-- before.
CREATE TABLE ledger_peer_logs (
	vkey       TEXT    PRIMARY KEY,
	did        TEXT    NOT NULL, -- whose log it is
	url        TEXT    NOT NULL, -- where its tiles are; empty: not known
	size       INTEGER NOT NULL,
	checkpoint BLOB    NOT NULL  -- with the log's signature and no other
);
CREATE INDEX ledger_peer_logs_did ON ledger_peer_logs (did);

-- Evidence that a log has signed two histories: kept for ever.
CREATE TABLE ledger_equivocations (
	vkey     TEXT PRIMARY KEY,
	did      TEXT NOT NULL,
	found    TEXT NOT NULL, -- RFC 3339, UTC
	lifted   TEXT NOT NULL, -- when an operator let the corridor go on; empty: not
	evidence BLOB NOT NULL  -- verify.Equivocation
);
