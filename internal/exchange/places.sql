-- How nodes on one database know that they use the same directory: the mark in
-- it is this one.
CREATE TABLE places (
    name TEXT PRIMARY KEY,
    mark TEXT NOT NULL
);
