-- A message belongs to a node, and goes over to another when that one dies.
ALTER TABLE outbox ADD COLUMN owner TEXT COLLATE "C" NOT NULL DEFAULT '';
DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (owner, state, next_at, id);

-- The nodes on this database. One that does not renew its row is dead.
CREATE TABLE store_nodes (
	id    TEXT COLLATE "C" PRIMARY KEY,
	until BIGINT NOT NULL -- milliseconds since 1970, by the clock of the server
);

-- What only one node does at a time. A lease of a node that is not there is
-- free.
CREATE TABLE store_leases (
	name   TEXT COLLATE "C" PRIMARY KEY,
	holder TEXT COLLATE "C" NOT NULL
);
