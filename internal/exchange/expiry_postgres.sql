-- When a process that is not finished is looked at because its wait is over,
-- RFC 3339, UTC, whole seconds; '' where the outbox sees to it, or none waits.
ALTER TABLE negotiations ADD COLUMN due TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE transfers ADD COLUMN due TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX negotiations_by_due ON negotiations (due, pid) WHERE due <> '';
CREATE INDEX transfers_by_due ON transfers (due, pid) WHERE due <> '';

-- What waits since before there were dates gets one at the next start.
UPDATE negotiations SET due = '0000-00-00' WHERE state NOT IN ('FINALIZED', 'TERMINATED');
UPDATE transfers SET due = '0000-00-00' WHERE state NOT IN ('COMPLETED', 'TERMINATED');
