-- The text of an agreement that both sides sign, written once. The document of
-- the agreement, which is written again when it is signed and when its state
-- moves, holds the signatures; one of before this table holds both.
CREATE TABLE agreement_texts (
    agreement TEXT PRIMARY KEY,
    body      TEXT NOT NULL               -- canonical JSON
);
