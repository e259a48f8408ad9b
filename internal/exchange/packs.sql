-- What the last receipt of the rule packs in use said. One row.
CREATE TABLE packs_in_use (
    one    INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    doc    TEXT NOT NULL
);
