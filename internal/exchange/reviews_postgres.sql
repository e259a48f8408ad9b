-- When the law is to be asked again about an agreement: on the day on which a
-- rule or a term that bears on it begins or ends. One row per open agreement.
CREATE TABLE reviews (
    agreement TEXT COLLATE "C" PRIMARY KEY,
    due       TEXT COLLATE "C" NOT NULL, -- YYYY-MM-DD; '' while nothing is coming
    law       TEXT COLLATE "C" NOT NULL -- digest of the packs that were asked last
);
CREATE INDEX reviews_by_due ON reviews (due, agreement) WHERE due <> '';
CREATE INDEX reviews_by_law ON reviews (law);
