-- Whether data of a transfer has left or arrived: then it is a use of its
-- agreement, however it ended.
ALTER TABLE transfers ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
UPDATE transfers SET used = 1 WHERE doc LIKE '%"released":{%' OR doc LIKE '%"received":{%';
