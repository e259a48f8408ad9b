-- What the last receipt of the rule packs in use said. One row.
CREATE TABLE packs_in_use (
    one    BIGINT PRIMARY KEY,
    digest TEXT COLLATE "C" NOT NULL,
    doc    TEXT COLLATE "C" NOT NULL
);
