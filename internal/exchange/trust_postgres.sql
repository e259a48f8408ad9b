-- What authorities have signed, as this node has taken it in. doc is the
-- signed document.
CREATE TABLE compacts (
    id      TEXT COLLATE "C" PRIMARY KEY,
    version BIGINT NOT NULL,
    digest  TEXT COLLATE "C" NOT NULL,
    doc     TEXT COLLATE "C" NOT NULL
);
CREATE TABLE orders (
    authority TEXT COLLATE "C" NOT NULL,              -- DID
    number    BIGINT NOT NULL,
    digest    TEXT COLLATE "C" NOT NULL,
    doc       TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (authority, number)
);
CREATE TABLE feeds (
    authority TEXT COLLATE "C" PRIMARY KEY,
    number    BIGINT NOT NULL,
    digest    TEXT COLLATE "C" NOT NULL,
    doc       TEXT COLLATE "C" NOT NULL
);

-- What is stopped here for another reason than an order.
CREATE TABLE stops (
    id  TEXT COLLATE "C" PRIMARY KEY,
    doc TEXT COLLATE "C" NOT NULL
);

-- What bore on corridors when agreements were last marked to be asked about,
-- and how often that has happened. One row.
CREATE TABLE trust_state (
    one     BIGINT PRIMARY KEY,
    tag     TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL
);

CREATE INDEX agreements_by_peer ON agreements (peer, id);
CREATE INDEX agreements_by_dataset ON agreements (dataset, id);
