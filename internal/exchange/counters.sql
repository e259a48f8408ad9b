-- The people counted so far, by dataset, go over to the tables of the room
-- counter as people of whom no column tells who they are.
INSERT INTO people_counted (year, seq, kind, dataset, set_id, size, loose, on_day)
    SELECT year, ROW_NUMBER() OVER (PARTITION BY year ORDER BY kind, dataset), kind, dataset, '', 0, subjects, year || '-01-01' FROM people WHERE subjects > 0;
DROP TABLE people;
