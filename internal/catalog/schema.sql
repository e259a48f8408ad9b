-- What this node offers. doc holds the dataset as JSON; the columns beside it
-- are what a catalogue request may filter by.
CREATE TABLE datasets (
    id           TEXT PRIMARY KEY,
    title        TEXT NOT NULL,
    format       TEXT NOT NULL,
    doc          TEXT NOT NULL,
    published_at TEXT NOT NULL
);
