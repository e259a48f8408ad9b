-- Copies that this node has received and deletes by itself: when their term
-- ends. One row per copy that is still there.
CREATE TABLE deletions (
    transfer TEXT COLLATE "C" PRIMARY KEY,
    due      TEXT COLLATE "C" NOT NULL             -- RFC 3339, UTC, whole seconds
);
CREATE INDEX deletions_by_due ON deletions (due, transfer);
