-- Written by commit.go alone. doc holds the record as JSON; the columns beside
-- it are what is looked up, guarded or listed by.
CREATE TABLE negotiations (
    pid        TEXT COLLATE "C" PRIMARY KEY, -- our own identifier of the process
    peer       TEXT COLLATE "C" NOT NULL, -- DID
    peer_pid   TEXT COLLATE "C" NOT NULL, -- the peer's identifier, '' until it told
    role       TEXT COLLATE "C" NOT NULL, -- ours: provider or consumer
    state      TEXT COLLATE "C" NOT NULL,
    pending    TEXT COLLATE "C" NOT NULL, -- name of our message that is on its way, or ''
    version    BIGINT NOT NULL,
    doc        TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX negotiations_by_peer ON negotiations (peer, role, peer_pid) WHERE peer_pid <> '';
CREATE INDEX negotiations_open ON negotiations (state, pid);

CREATE TABLE agreements (
    id         TEXT COLLATE "C" PRIMARY KEY,
    negotiation TEXT COLLATE "C" NOT NULL,
    peer       TEXT COLLATE "C" NOT NULL,
    role       TEXT COLLATE "C" NOT NULL,
    dataset    TEXT COLLATE "C" NOT NULL,
    state      TEXT COLLATE "C" NOT NULL,
    version    BIGINT NOT NULL,
    doc        TEXT COLLATE "C" NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL
);
CREATE INDEX agreements_by_negotiation ON agreements (negotiation);

-- How many people the datasets agreed on in a year speak of, for the yearly
-- thresholds of the exporter's law. The same dataset is the same people.
CREATE TABLE people (
    year     TEXT COLLATE "C" NOT NULL,
    kind     TEXT COLLATE "C" NOT NULL,
    dataset  TEXT COLLATE "C" NOT NULL,
    subjects BIGINT NOT NULL,
    PRIMARY KEY (year, kind, dataset)
);

CREATE TABLE transfers (
    pid        TEXT COLLATE "C" PRIMARY KEY,
    peer       TEXT COLLATE "C" NOT NULL,
    peer_pid   TEXT COLLATE "C" NOT NULL,
    role       TEXT COLLATE "C" NOT NULL,
    agreement  TEXT COLLATE "C" NOT NULL,
    state      TEXT COLLATE "C" NOT NULL,
    pending    TEXT COLLATE "C" NOT NULL, -- name of our message that is on its way, or ''
    version    BIGINT NOT NULL,
    doc        TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX transfers_by_peer ON transfers (peer, role, peer_pid) WHERE peer_pid <> '';
CREATE INDEX transfers_by_agreement ON transfers (agreement, pid);
CREATE INDEX transfers_open ON transfers (state, role, pid);

-- Messages that were taken, so that a repeat gets the same answer and has no
-- second effect.
CREATE TABLE taken (
    process TEXT COLLATE "C" NOT NULL, -- our pid
    message TEXT COLLATE "C" NOT NULL, -- the message's own name, or its digest
    version BIGINT NOT NULL, -- of the process, after the message
    PRIMARY KEY (process, message)
);
