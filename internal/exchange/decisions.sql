-- The signed decisions of a negotiation, each written once. The document of
-- the negotiation, which is written at every step, holds only what a list
-- shows of them; one of before this table holds them itself.
CREATE TABLE negotiation_decisions (
    pid  TEXT NOT NULL,
    side TEXT NOT NULL,                   -- own or theirs
    doc  TEXT NOT NULL,
    PRIMARY KEY (pid, side)
);
