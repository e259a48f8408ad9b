-- The people of a dataset's edition as far as a column names them: one row for
-- each year and kind. Rows of two kinds may share one set. Nothing here says
-- anything about a person without the year's key, which is not in this file.
CREATE TABLE people_sets (
    year    TEXT COLLATE "C" NOT NULL,
    dataset TEXT COLLATE "C" NOT NULL,
    edition TEXT COLLATE "C" NOT NULL, -- of source and declaration
    kind    TEXT COLLATE "C" NOT NULL, -- whom the year counts: people, sensitive_people
    set_id  TEXT COLLATE "C" NOT NULL,
    size    BIGINT NOT NULL, -- different hashes
    loose   BIGINT NOT NULL, -- rows in which the column names nobody
    sketch  BYTEA, -- NULL for a set of one block
    PRIMARY KEY (year, dataset, edition, kind)
);
CREATE INDEX people_sets_by_id ON people_sets (set_id);

-- The hashes of a set, ascending, in blocks. first and last are the bounds of
-- a block, with the top bit turned so that signed numbers sort alike.
CREATE TABLE people_blocks (
    set_id  TEXT COLLATE "C" NOT NULL,
    first   BIGINT NOT NULL,
    last    BIGINT NOT NULL,
    data    BYTEA NOT NULL,
    PRIMARY KEY (set_id, first)
);

-- What has been let go in a year. Rows are only added: a count that is too
-- high only makes the law stricter.
CREATE TABLE people_counted (
    year    TEXT COLLATE "C" NOT NULL,
    seq     BIGINT NOT NULL,
    kind    TEXT COLLATE "C" NOT NULL,
    dataset TEXT COLLATE "C" NOT NULL,
    set_id  TEXT COLLATE "C" NOT NULL, -- '' if no column names the people
    size    BIGINT NOT NULL, -- different hashes that the row adds to the union
    loose   BIGINT NOT NULL, -- people counted as different from all others
    on_day  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (year, seq)
);
CREATE INDEX people_counted_by_dataset ON people_counted (year, kind, dataset);
