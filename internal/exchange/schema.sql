-- Written by commit.go alone. doc holds the record as JSON; the columns beside
-- it are what is looked up, guarded or listed by.
CREATE TABLE negotiations (
    pid        TEXT PRIMARY KEY,          -- our own identifier of the process
    peer       TEXT NOT NULL,             -- DID
    peer_pid   TEXT NOT NULL,             -- the peer's identifier, '' until it told
    role       TEXT NOT NULL,             -- ours: provider or consumer
    state      TEXT NOT NULL,
    pending    TEXT NOT NULL,             -- name of our message that is on its way, or ''
    version    BIGINT NOT NULL,
    doc        TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE UNIQUE INDEX negotiations_by_peer ON negotiations (peer, role, peer_pid) WHERE peer_pid <> '';
CREATE INDEX negotiations_open ON negotiations (state, pid);

CREATE TABLE agreements (
    id         TEXT PRIMARY KEY,
    negotiation TEXT NOT NULL,
    peer       TEXT NOT NULL,
    role       TEXT NOT NULL,
    dataset    TEXT NOT NULL,
    state      TEXT NOT NULL,
    version    BIGINT NOT NULL,
    doc        TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE INDEX agreements_by_negotiation ON agreements (negotiation);

-- How many people the datasets agreed on in a year speak of, for the yearly
-- thresholds of the exporter's law. The same dataset is the same people.
CREATE TABLE people (
    year     TEXT NOT NULL,
    kind     TEXT NOT NULL,
    dataset  TEXT NOT NULL,
    subjects BIGINT NOT NULL,
    PRIMARY KEY (year, kind, dataset)
);

CREATE TABLE transfers (
    pid        TEXT PRIMARY KEY,
    peer       TEXT NOT NULL,
    peer_pid   TEXT NOT NULL,
    role       TEXT NOT NULL,
    agreement  TEXT NOT NULL,
    state      TEXT NOT NULL,
    pending    TEXT NOT NULL,             -- name of our message that is on its way, or ''
    version    BIGINT NOT NULL,
    doc        TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE UNIQUE INDEX transfers_by_peer ON transfers (peer, role, peer_pid) WHERE peer_pid <> '';
CREATE INDEX transfers_by_agreement ON transfers (agreement, pid);
CREATE INDEX transfers_open ON transfers (state, role, pid);

-- Messages that were taken, so that a repeat gets the same answer and has no
-- second effect.
CREATE TABLE taken (
    process TEXT NOT NULL,                -- our pid
    message TEXT NOT NULL,                -- the message's own name, or its digest
    version BIGINT NOT NULL,              -- of the process, after the message
    PRIMARY KEY (process, message)
);
