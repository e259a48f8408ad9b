-- What this node offers. doc holds the dataset as JSON; the columns beside it
-- are what a catalogue request may filter by.
CREATE TABLE datasets (
    id           TEXT COLLATE "C" PRIMARY KEY,
    title        TEXT COLLATE "C" NOT NULL,
    format       TEXT COLLATE "C" NOT NULL,
    doc          TEXT COLLATE "C" NOT NULL,
    published_at TEXT COLLATE "C" NOT NULL
);
