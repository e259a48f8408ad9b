-- When the law is to be asked again about an agreement: on the day on which a
-- rule or a term that bears on it begins or ends. One row per open agreement.
CREATE TABLE reviews (
    agreement TEXT PRIMARY KEY,
    due       TEXT NOT NULL,              -- YYYY-MM-DD; '' while nothing is coming
    law       TEXT NOT NULL               -- digest of the packs that were asked last
);
CREATE INDEX reviews_by_due ON reviews (due, agreement) WHERE due <> '';
CREATE INDEX reviews_by_law ON reviews (law);
