-- What the law asks of this side under each agreement that came into force:
-- doc is the list of its duties as the last decision names them.
CREATE TABLE duties (
    agreement TEXT COLLATE "C" PRIMARY KEY,
    doc       TEXT COLLATE "C" NOT NULL
);

-- The duties as dated tasks. Written in the transaction of what moves them: the
-- agreement, a transfer, a person's act, the day on which one is overdue.
CREATE TABLE tasks (
    id         TEXT COLLATE "C" PRIMARY KEY,
    agreement  TEXT COLLATE "C" NOT NULL,
    obligation TEXT COLLATE "C" NOT NULL,
    ref        TEXT COLLATE "C" NOT NULL, -- which event of several; '' for the task that stands for the duty
    state      TEXT COLLATE "C" NOT NULL,
    alarm      TEXT COLLATE "C" NOT NULL, -- YYYY-MM-DD: first day after the last one, while that is to come; or ''
    version    BIGINT NOT NULL,
    doc        TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX tasks_of_duty ON tasks (agreement, obligation, ref);
CREATE INDEX tasks_by_agreement ON tasks (agreement, id);
CREATE INDEX tasks_by_state ON tasks (state, id);
CREATE INDEX tasks_by_alarm ON tasks (alarm, id) WHERE alarm <> '';

-- Agreements of before this table get their tasks at the next start, when the
-- law is asked about them again.
UPDATE reviews SET law = '';
