-- Datasets in the order of their first publication, so that pages go on where
-- the last one ended while others are published and withdrawn. Those of the
-- first schema are moved by Upgrade: their words are computed, not queried.
ALTER TABLE datasets RENAME TO datasets_of_schema_1;

CREATE TABLE datasets (
    n            INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT NOT NULL UNIQUE,
    edition      BIGINT NOT NULL,            -- counts the publications of this id
    withdrawn    BIGINT NOT NULL DEFAULT 0,  -- 1: in no catalogue; agreements of before go on
    title_key    TEXT NOT NULL,              -- the titles, folded
    lawful       TEXT NOT NULL,              -- digest of all that the law's answer for a country depends on
    terms        TEXT NOT NULL,              -- what stands in dataset_terms, one to a line
    doc          TEXT NOT NULL,              -- the dataset as JSON
    published_at TEXT NOT NULL
);

CREATE INDEX datasets_listed ON datasets (withdrawn, n);

-- What a dataset is found by: words ("w:data"), and values that a filter may
-- name ("format:csv", "country:KZ").
CREATE TABLE dataset_terms (
    term TEXT NOT NULL,
    n    BIGINT NOT NULL,
    PRIMARY KEY (term, n)
) WITHOUT ROWID;

-- Counts the changes of the catalogue: what was answered under another
-- version is answered anew.
CREATE TABLE catalogue_version (
    one     BIGINT PRIMARY KEY CHECK (one = 1),
    version BIGINT NOT NULL
);
INSERT INTO catalogue_version (one, version) VALUES (1, 1);
