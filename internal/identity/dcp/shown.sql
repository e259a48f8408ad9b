-- What callers have shown when they were let in. Streams rest on it after the
-- call is over, on whatever node they run.
CREATE TABLE dcp_shown (
    holder TEXT PRIMARY KEY,              -- DID
    jwts   TEXT NOT NULL,                 -- the credentials that met the demands, JSON list
    at     BIGINT NOT NULL                -- seconds since 1970
);
