-- Lists by state and the start of a node must not look at rows that they do
-- not want.
CREATE INDEX agreements_by_state ON agreements (state, id);
CREATE INDEX transfers_by_state ON transfers (state, pid);

-- Agreements of before there were reviews are asked about at the next start.
INSERT INTO reviews (agreement, due, law) SELECT id, '0000-00-00', '' FROM agreements
    WHERE state IN ('in_force', 'suspended') AND id NOT IN (SELECT agreement FROM reviews);
