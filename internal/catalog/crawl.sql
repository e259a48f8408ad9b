-- Whose catalogues are read: the peers that the operator names, and the
-- catalogues that theirs nest.
CREATE TABLE crawl (
    source   TEXT PRIMARY KEY,           -- DID of the participant whose catalogue it is
    base     TEXT NOT NULL,              -- DSP address; empty: found anew each time, for peers of the operator
    through  TEXT NOT NULL,              -- DID of the catalogue that nests it; empty: the operator names it
    depth    BIGINT NOT NULL,            -- 0 for those that the operator names
    country  TEXT NOT NULL,              -- as the operator vouches for; empty: not known
    due      BIGINT NOT NULL,            -- when it is read next, milliseconds since 1970
    failures BIGINT NOT NULL,            -- one after the other
    round    BIGINT NOT NULL,            -- counts the readings that were begun
    wanted   BIGINT NOT NULL,            -- 1: somebody waits for the next reading to end
    page     BIGINT NOT NULL,            -- of the catalogue that nests it
    met      BIGINT NOT NULL,            -- the reading of that catalogue that saw it last
    checked  TEXT NOT NULL,              -- when the last complete reading ended; empty: never
    problem  TEXT NOT NULL               -- why the last reading failed
);
CREATE INDEX crawl_due ON crawl (due);
CREATE INDEX crawl_through ON crawl (through);

-- The pages of the last reading, so that the next one asks for changes only.
CREATE TABLE crawl_pages (
    source TEXT NOT NULL,
    page   BIGINT NOT NULL,              -- 0, 1, ...
    place  TEXT NOT NULL,                -- address of the page; empty: the first
    tag    TEXT NOT NULL,
    next   TEXT NOT NULL,
    PRIMARY KEY (source, page)
);

-- What was found there.
CREATE TABLE found (
    n         INTEGER PRIMARY KEY AUTOINCREMENT,
    source    TEXT NOT NULL,
    id        TEXT NOT NULL,
    page      BIGINT NOT NULL,
    round     BIGINT NOT NULL,           -- of the reading that saw it last
    title_key TEXT NOT NULL,
    terms     TEXT NOT NULL,
    doc       TEXT NOT NULL,
    UNIQUE (source, id)
);
CREATE INDEX found_on_page ON found (source, page);

CREATE TABLE found_terms (
    term TEXT NOT NULL,
    n    BIGINT NOT NULL,
    PRIMARY KEY (term, n)
) WITHOUT ROWID;
