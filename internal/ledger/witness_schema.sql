CREATE TABLE witness_logs (
	origin     TEXT    PRIMARY KEY,
	size       INTEGER NOT NULL,
	root       BLOB    NOT NULL,
	checkpoint BLOB    NOT NULL -- signed note with our own cosignature
);
