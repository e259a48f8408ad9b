-- What was added to datasets that grow. The first increment of each is the
-- dataset itself.
CREATE TABLE increments (
    dataset TEXT COLLATE "C" NOT NULL,
    number  BIGINT NOT NULL,              -- from 2, without a gap
    doc     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (dataset, number)
);

-- The transfer of which a row is one increment; '' for all others.
ALTER TABLE transfers ADD COLUMN part_of TEXT COLLATE "C" NOT NULL DEFAULT '';
