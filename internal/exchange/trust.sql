-- What authorities have signed, as this node has taken it in. doc is the
-- signed document.
CREATE TABLE compacts (
    id      TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
    digest  TEXT NOT NULL,
    doc     TEXT NOT NULL
);
CREATE TABLE orders (
    authority TEXT NOT NULL,              -- DID
    number    BIGINT NOT NULL,
    digest    TEXT NOT NULL,
    doc       TEXT NOT NULL,
    PRIMARY KEY (authority, number)
);
CREATE TABLE feeds (
    authority TEXT PRIMARY KEY,
    number    BIGINT NOT NULL,
    digest    TEXT NOT NULL,
    doc       TEXT NOT NULL
);

-- What is stopped here for another reason than an order.
CREATE TABLE stops (
    id  TEXT PRIMARY KEY,
    doc TEXT NOT NULL
);

-- What bore on corridors when agreements were last marked to be asked about,
-- and how often that has happened. One row.
CREATE TABLE trust_state (
    one     BIGINT PRIMARY KEY,
    tag     TEXT NOT NULL,
    version BIGINT NOT NULL
);

CREATE INDEX agreements_by_peer ON agreements (peer, id);
CREATE INDEX agreements_by_dataset ON agreements (dataset, id);
