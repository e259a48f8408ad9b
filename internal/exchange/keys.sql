-- What was last written down of this node's keys. One row.
CREATE TABLE keys_in_use (
    one BIGINT PRIMARY KEY,
    doc TEXT NOT NULL
);
