-- The newest checkpoint that each peer's log has shown to continue the ones
-- before.
CREATE TABLE ledger_peer_logs (
	vkey       TEXT COLLATE "C" PRIMARY KEY,
	did        TEXT COLLATE "C" NOT NULL, -- whose log it is
	url        TEXT COLLATE "C" NOT NULL, -- where its tiles are; empty: not known
	size       BIGINT NOT NULL,
	checkpoint BYTEA   NOT NULL  -- with the log's signature and no other
);
CREATE INDEX ledger_peer_logs_did ON ledger_peer_logs (did);

-- Evidence that a log has signed two histories: kept for ever.
CREATE TABLE ledger_equivocations (
	vkey     TEXT COLLATE "C" PRIMARY KEY,
	did      TEXT COLLATE "C" NOT NULL,
	found    TEXT COLLATE "C" NOT NULL, -- RFC 3339, UTC
	lifted   TEXT COLLATE "C" NOT NULL, -- when an operator let the corridor go on; empty: not
	evidence BYTEA NOT NULL  -- verify.Equivocation
);
