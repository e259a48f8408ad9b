-- A dataset in a variant of a language, such as zh-Hans, is found by the
-- language too. Those that were published before did not have that term.
UPDATE datasets SET terms = terms || (
    SELECT group_concat(char(10) || base, '') FROM (
        SELECT DISTINCT substr(t.term, 1, instr(t.term, '-') - 1) AS base FROM dataset_terms t
        WHERE t.n = datasets.n AND t.term LIKE 'language:%-%' AND t.term NOT LIKE 'language:x-%'
            AND NOT EXISTS (SELECT 1 FROM dataset_terms h WHERE h.n = t.n AND h.term = substr(t.term, 1, instr(t.term, '-') - 1))))
WHERE EXISTS (
    SELECT 1 FROM dataset_terms t
    WHERE t.n = datasets.n AND t.term LIKE 'language:%-%' AND t.term NOT LIKE 'language:x-%'
        AND NOT EXISTS (SELECT 1 FROM dataset_terms h WHERE h.n = t.n AND h.term = substr(t.term, 1, instr(t.term, '-') - 1)));

INSERT OR IGNORE INTO dataset_terms (term, n)
SELECT substr(term, 1, instr(term, '-') - 1), n FROM dataset_terms
WHERE term LIKE 'language:%-%' AND term NOT LIKE 'language:x-%';

UPDATE catalogue_version SET version = version + 1;
