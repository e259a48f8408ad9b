CREATE TABLE ledger_entries (
	idx         INTEGER PRIMARY KEY, -- place in the log, from 0
	leaf        BLOB    NOT NULL,    -- RFC 6962 leaf hash
	entry       BLOB    NOT NULL,    -- canonical JSON
	dataset     TEXT    NOT NULL,
	negotiation TEXT    NOT NULL,
	agreement   TEXT    NOT NULL,
	transfer    TEXT    NOT NULL
);
CREATE INDEX ledger_entries_dataset ON ledger_entries (dataset, idx) WHERE negotiation = '' AND agreement = '' AND dataset <> '';
CREATE INDEX ledger_entries_negotiation ON ledger_entries (negotiation, idx) WHERE negotiation <> '';
CREATE INDEX ledger_entries_agreement ON ledger_entries (agreement, idx) WHERE agreement <> '';
CREATE INDEX ledger_entries_transfer ON ledger_entries (transfer, idx) WHERE transfer <> '';

CREATE TABLE ledger_tiles (
	level  INTEGER NOT NULL,
	n      INTEGER NOT NULL,
	hashes BLOB    NOT NULL, -- 1 to 256 hashes of 32 bytes
	PRIMARY KEY (level, n)
);

CREATE TABLE ledger_head (
	id         INTEGER PRIMARY KEY CHECK (id = 1),
	size       INTEGER NOT NULL,
	checkpoint BLOB    NOT NULL -- signed note
);

CREATE TABLE ledger_salts (
	idx   INTEGER NOT NULL REFERENCES ledger_entries (idx),
	name  TEXT    NOT NULL,
	salt  BLOB    NOT NULL,
	value BLOB    NOT NULL,
	PRIMARY KEY (idx, name)
);

-- Checkpoints that at least one witness has cosigned.
CREATE TABLE ledger_checkpoints (
	size       INTEGER PRIMARY KEY,
	checkpoint BLOB    NOT NULL
);

CREATE TABLE ledger_cosignatures (
	size    INTEGER NOT NULL REFERENCES ledger_checkpoints (size),
	witness TEXT    NOT NULL, -- vkey
	line    TEXT    NOT NULL,
	PRIMARY KEY (size, witness)
);

-- What each witness is known to have seen.
CREATE TABLE ledger_witnesses (
	witness  TEXT    PRIMARY KEY, -- vkey
	size     INTEGER NOT NULL,
	conflict TEXT    NOT NULL,    -- why the log must not be signed any more; empty: nothing
	evidence BLOB    NOT NULL     -- a checkpoint signed by our own key, if the witness shows one
);

CREATE TABLE ledger_peer_receipts (
	origin      TEXT    NOT NULL,
	idx         INTEGER NOT NULL,
	leaf        TEXT    NOT NULL, -- "sha256:<hex>"
	entry       BLOB    NOT NULL,
	proof       BLOB    NOT NULL, -- tlog-proof text; empty until one is known
	vkey        TEXT    NOT NULL, -- of the log
	issuer      TEXT    NOT NULL,
	matter      TEXT    NOT NULL, -- own name of the matter, given by the caller
	agreement   TEXT    NOT NULL,
	PRIMARY KEY (origin, idx)
);
CREATE INDEX ledger_peer_receipts_matter ON ledger_peer_receipts (matter) WHERE matter <> '';
CREATE INDEX ledger_peer_receipts_agreement ON ledger_peer_receipts (agreement) WHERE agreement <> '';
