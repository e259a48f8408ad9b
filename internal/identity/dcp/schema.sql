-- What this node holds: credentials that issuers delivered to it.
CREATE TABLE dcp_held (
    id       TEXT PRIMARY KEY,            -- SHA-256 of the JWT, hex
    cred     TEXT NOT NULL,               -- the credential's own id, or ''
    type     TEXT NOT NULL,
    issuer   TEXT NOT NULL,
    profile  TEXT NOT NULL,
    received BIGINT NOT NULL,             -- seconds since 1970
    until    BIGINT NOT NULL,             -- when it expires; 0: never
    jwt      TEXT NOT NULL
);
CREATE INDEX dcp_held_by_type ON dcp_held (type, issuer, received);

-- What this node asked for. Only what was asked for is taken in.
CREATE TABLE dcp_asked (
    pid    TEXT PRIMARY KEY,              -- holderPid
    issuer TEXT NOT NULL,
    types  TEXT NOT NULL,                 -- JSON list
    at     BIGINT NOT NULL,
    status TEXT NOT NULL,                 -- RECEIVED, ISSUED, REJECTED
    reason TEXT NOT NULL,
    place  TEXT NOT NULL                  -- address of the request's status at the issuer, or ''
);
CREATE INDEX dcp_asked_by_issuer ON dcp_asked (issuer);
CREATE INDEX dcp_asked_by_time ON dcp_asked (at);

-- What issuers offered. An offer is a word to the operator; nothing follows by itself.
CREATE TABLE dcp_offered (
    id     TEXT PRIMARY KEY,              -- SHA-256 of issuer and content, hex
    issuer TEXT NOT NULL,
    at     BIGINT NOT NULL,
    doc    TEXT NOT NULL                  -- the credential objects, JSON
);
CREATE INDEX dcp_offered_by_time ON dcp_offered (at);

-- Requests at this node as an issuer.
CREATE TABLE dcp_requests (
    id       TEXT PRIMARY KEY,            -- issuerPid
    holder   TEXT NOT NULL,
    pid      TEXT NOT NULL,               -- holderPid
    offers   TEXT NOT NULL,               -- ids, JSON list
    access   TEXT NOT NULL,               -- the access token for delivery, or ''
    status   TEXT NOT NULL,
    reason   TEXT NOT NULL,
    at       BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    due      BIGINT NOT NULL              -- when delivery is tried next, milliseconds since 1970; 0: done
);
CREATE INDEX dcp_requests_due ON dcp_requests (due);
CREATE INDEX dcp_requests_by_time ON dcp_requests (at);

-- What this node issued, each with its place in a status list.
CREATE TABLE dcp_issued (
    id      TEXT PRIMARY KEY,             -- of the credential, urn:uuid
    request TEXT NOT NULL,
    offer   TEXT NOT NULL,
    holder  TEXT NOT NULL,
    type    TEXT NOT NULL,
    profile TEXT NOT NULL,
    list    TEXT NOT NULL,                -- name of the status list
    place   BIGINT NOT NULL,              -- index in it
    at      BIGINT NOT NULL,
    until   BIGINT NOT NULL,
    revoked BIGINT NOT NULL,              -- when; 0: it stands
    reason  TEXT NOT NULL,
    jwt     TEXT NOT NULL
);
CREATE UNIQUE INDEX dcp_issued_place ON dcp_issued (list, place);
CREATE INDEX dcp_issued_by_request ON dcp_issued (request);
CREATE INDEX dcp_issued_by_time ON dcp_issued (at);
CREATE INDEX dcp_issued_by_holder ON dcp_issued (holder, at);
CREATE INDEX dcp_issued_revoked ON dcp_issued (list, revoked);

-- The status list that takes the next credentials of a profile, and how many it has.
CREATE TABLE dcp_lists (
    profile TEXT PRIMARY KEY,
    number  BIGINT NOT NULL,
    used    BIGINT NOT NULL
);
