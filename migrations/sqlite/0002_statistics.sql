-- Statistics: what events of each day add up to, built together with the index of
-- events, with a checkpoint of their own.
--
-- Days are numbers since 1970-01-01, cut in the time zone of the catalog that the
-- event was decided under. An origin is empty where time alone was at work.

-- Figures of a book. `metric` says what is counted, `key` of what: an operation, an
-- asset, a source, a currency. Numbers and keys are in projections/counting.rs.
CREATE TABLE statistics (
    book   TEXT    NOT NULL,
    day    INTEGER NOT NULL,
    origin TEXT    NOT NULL,
    metric INTEGER NOT NULL,
    key    TEXT    NOT NULL,
    value  INTEGER NOT NULL,
    PRIMARY KEY (book, day, origin, metric, key)
) STRICT, WITHOUT ROWID;

-- What an account did on a day: how many of its events were its owner's doing, how
-- many operations it paid for, and what it spent of the asset.
CREATE TABLE account_days (
    book       TEXT    NOT NULL,
    day        INTEGER NOT NULL,
    asset      TEXT    NOT NULL,
    account    TEXT    NOT NULL,
    origin     TEXT    NOT NULL,
    active     INTEGER NOT NULL,
    operations INTEGER NOT NULL,
    spent      INTEGER NOT NULL,
    PRIMARY KEY (book, day, asset, account, origin)
) STRICT, WITHOUT ROWID;

-- How far the log is counted: from the beginning, also in a book whose index is
-- ahead. Both go on together from where they meet.
ALTER TABLE index_progress ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;
