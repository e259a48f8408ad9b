-- A dataset in a variant of a language, such as zh-Hans, is found by the
-- language too. Those that were published before did not have that term.
UPDATE datasets SET terms = datasets.terms || added.lines
FROM (
    SELECT n, string_agg(DISTINCT E'\n' || split_part(term, '-', 1), '') AS lines FROM dataset_terms t
    WHERE term LIKE 'language:%-%' AND term NOT LIKE 'language:x-%'
        AND NOT EXISTS (SELECT 1 FROM dataset_terms h WHERE h.n = t.n AND h.term = split_part(t.term, '-', 1))
    GROUP BY n) added
WHERE datasets.n = added.n;

INSERT INTO dataset_terms (term, n)
SELECT DISTINCT split_part(term, '-', 1), n FROM dataset_terms
WHERE term LIKE 'language:%-%' AND term NOT LIKE 'language:x-%'
ON CONFLICT DO NOTHING;

UPDATE catalogue_version SET version = version + 1;
