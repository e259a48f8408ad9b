-- Evidence is kept for each two histories that a log has signed, not only for
-- the first two.
CREATE TABLE ledger_evidence (
	vkey     TEXT NOT NULL,
	pair     TEXT NOT NULL, -- which two histories
	did      TEXT NOT NULL,
	found    TEXT NOT NULL, -- RFC 3339, UTC
	lifted   TEXT NOT NULL, -- when an operator let the corridor go on; empty: not
	evidence BLOB NOT NULL, -- verify.Equivocation
	PRIMARY KEY (vkey, pair)
);
INSERT INTO ledger_evidence (vkey, pair, did, found, lifted, evidence)
	SELECT vkey, 'the first', did, found, lifted, evidence FROM ledger_equivocations;
DROP TABLE ledger_equivocations;
