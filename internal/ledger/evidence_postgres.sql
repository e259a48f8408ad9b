-- Evidence is kept for each two histories that a log has signed, not only for
-- the first two.
CREATE TABLE ledger_evidence (
	vkey     TEXT COLLATE "C" NOT NULL,
	pair     TEXT COLLATE "C" NOT NULL, -- which two histories
	did      TEXT COLLATE "C" NOT NULL,
	found    TEXT COLLATE "C" NOT NULL, -- RFC 3339, UTC
	lifted   TEXT COLLATE "C" NOT NULL, -- when an operator let the corridor go on; empty: not
	evidence BYTEA NOT NULL, -- verify.Equivocation
	PRIMARY KEY (vkey, pair)
);
INSERT INTO ledger_evidence (vkey, pair, did, found, lifted, evidence)
	SELECT vkey, 'the first', did, found, lifted, evidence FROM ledger_equivocations;
DROP TABLE ledger_equivocations;
