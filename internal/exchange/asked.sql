-- Peers whose issuers are to be asked whether what they have shown stands. A
-- row stays until the answer has taken effect, and while it is a refusal.
CREATE TABLE asked (
    peer  TEXT PRIMARY KEY,               -- DID
    since BIGINT NOT NULL                 -- counts the questions: an answer to an earlier one does not end a later one
);

-- Agreements of before there were questions may be suspended for one.
INSERT INTO asked (peer, since) SELECT DISTINCT peer, 1 FROM agreements WHERE state = 'suspended';
