-- The newest moment that this node is sure to have been there at, RFC 3339,
-- UTC. One row.
CREATE TABLE clock (
    one  BIGINT PRIMARY KEY,
    seen TEXT NOT NULL
);
