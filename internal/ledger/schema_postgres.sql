CREATE TABLE ledger_entries (
	idx         BIGINT PRIMARY KEY, -- place in the log, from 0
	leaf        BYTEA NOT NULL, -- RFC 6962 leaf hash
	entry       BYTEA NOT NULL, -- canonical JSON
	dataset     TEXT COLLATE "C" NOT NULL,
	negotiation TEXT COLLATE "C" NOT NULL,
	agreement   TEXT COLLATE "C" NOT NULL,
	transfer    TEXT COLLATE "C" NOT NULL
);
CREATE INDEX ledger_entries_dataset ON ledger_entries (dataset, idx) WHERE negotiation = '' AND agreement = '' AND dataset <> '';
CREATE INDEX ledger_entries_negotiation ON ledger_entries (negotiation, idx) WHERE negotiation <> '';
CREATE INDEX ledger_entries_agreement ON ledger_entries (agreement, idx) WHERE agreement <> '';
CREATE INDEX ledger_entries_transfer ON ledger_entries (transfer, idx) WHERE transfer <> '';

CREATE TABLE ledger_tiles (
	level  BIGINT NOT NULL,
	n      BIGINT NOT NULL,
	hashes BYTEA NOT NULL, -- 1 to 256 hashes of 32 bytes
	PRIMARY KEY (level, n)
);

CREATE TABLE ledger_head (
	id         BIGINT PRIMARY KEY CHECK (id = 1),
	size       BIGINT NOT NULL,
	checkpoint BYTEA NOT NULL -- signed note
);

CREATE TABLE ledger_salts (
	idx   BIGINT NOT NULL REFERENCES ledger_entries (idx),
	name  TEXT COLLATE "C" NOT NULL,
	salt  BYTEA NOT NULL,
	value BYTEA NOT NULL,
	PRIMARY KEY (idx, name)
);

-- Checkpoints that at least one witness has cosigned.
CREATE TABLE ledger_checkpoints (
	size       BIGINT PRIMARY KEY,
	checkpoint BYTEA NOT NULL
);

CREATE TABLE ledger_cosignatures (
	size    BIGINT NOT NULL REFERENCES ledger_checkpoints (size),
	witness TEXT COLLATE "C" NOT NULL, -- vkey
	line    TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (size, witness)
);

-- What each witness is known to have seen.
CREATE TABLE ledger_witnesses (
	witness  TEXT COLLATE "C" PRIMARY KEY, -- vkey
	size     BIGINT NOT NULL,
	conflict TEXT COLLATE "C" NOT NULL, -- why the log must not be signed any more; empty: nothing
	evidence BYTEA NOT NULL -- a checkpoint signed by our own key, if the witness shows one
);

CREATE TABLE ledger_peer_receipts (
	origin      TEXT COLLATE "C" NOT NULL,
	idx         BIGINT NOT NULL,
	leaf        TEXT COLLATE "C" NOT NULL, -- "sha256:<hex>"
	entry       BYTEA NOT NULL,
	proof       BYTEA NOT NULL, -- tlog-proof text; empty until one is known
	vkey        TEXT COLLATE "C" NOT NULL, -- of the log
	issuer      TEXT COLLATE "C" NOT NULL,
	matter      TEXT COLLATE "C" NOT NULL, -- own name of the matter, given by the caller
	agreement   TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (origin, idx)
);
CREATE INDEX ledger_peer_receipts_matter ON ledger_peer_receipts (matter) WHERE matter <> '';
CREATE INDEX ledger_peer_receipts_agreement ON ledger_peer_receipts (agreement) WHERE agreement <> '';
