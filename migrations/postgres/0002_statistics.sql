-- Statistics: what events of each day add up to, built together with the index of
-- events, with a checkpoint of their own.
--
-- Days are numbers since 1970-01-01, cut in the time zone of the catalog that the
-- event was decided under. An origin is empty where time alone was at work.

-- Figures of a book. `metric` says what is counted, `key` of what: an operation, an
-- asset, a source, a currency. Numbers and keys are in projections/counting.rs.
-- Those of today change with every chunk of events: room on their pages lets the
-- change be made in place (HOT).
CREATE TABLE ledger.statistics (
    day    bigint   NOT NULL,
    value  bigint   NOT NULL,
    metric smallint NOT NULL,
    book   text COLLATE "C" NOT NULL,
    origin text COLLATE "C" NOT NULL,
    key    text COLLATE "C" NOT NULL,
    PRIMARY KEY (book, day, origin, metric, key)
) WITH (fillfactor = 70);

-- What an account did on a day: how many of its events were its owner's doing, how
-- many operations it paid for, and what it spent of the asset.
CREATE TABLE ledger.account_days (
    day        bigint NOT NULL,
    active     bigint NOT NULL,
    operations bigint NOT NULL,
    spent      bigint NOT NULL,
    book       text COLLATE "C" NOT NULL,
    asset      text COLLATE "C" NOT NULL,
    account    text COLLATE "C" NOT NULL,
    origin     text COLLATE "C" NOT NULL,
    PRIMARY KEY (book, day, asset, account, origin)
) WITH (fillfactor = 70);

-- How far the log is counted: from the beginning, also in a book whose index is
-- ahead. Both go on together from where they meet.
ALTER TABLE ledger.index_progress ADD COLUMN counted bigint NOT NULL DEFAULT 0;
