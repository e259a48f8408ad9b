-- Releases whose arrival the consumer has yet to confirm, and those that it did
-- not by their deadline. A release that is confirmed has no row.
CREATE TABLE arrivals (
    transfer TEXT PRIMARY KEY,
    state    TEXT NOT NULL,            -- awaited, or unconfirmed: that is in the log
    due      TEXT NOT NULL             -- RFC 3339, UTC, whole seconds
);
CREATE INDEX arrivals_by_due ON arrivals (state, due, transfer);
