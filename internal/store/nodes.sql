-- A message belongs to a node; on a file there is one, without a name.
ALTER TABLE outbox ADD COLUMN owner TEXT NOT NULL DEFAULT '';
DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (owner, state, next_at, id);
