-- The ledger's schema on PostgreSQL: the same names as on SQLite, all in the
-- schema `ledger`, which exists when this runs (the migrations' table is in it).
--
-- Times are microseconds since 1970, hashes 32 bytes. Text is compared byte by
-- byte, as on SQLite: COLLATE "C" is also the fastest, and no upgrade of the
-- system's locales can damage an index.

-- The oldest version of the service that may run on this schema, and whatever
-- else is true of the whole database.
CREATE TABLE ledger.meta (
    key   text COLLATE "C" NOT NULL PRIMARY KEY,
    value text COLLATE "C" NOT NULL
);

INSERT INTO ledger.meta (key, value) VALUES ('oldest_service', '0.1.0');

-- The head of each book's log. A row changes with every batch: room on its
-- page lets the change be made in place (HOT).
CREATE TABLE ledger.logs (
    book           text COLLATE "C" NOT NULL PRIMARY KEY,
    position       bigint  NOT NULL,
    hash           bytea   NOT NULL CHECK (length(hash) = 32),
    recorded_at_us bigint  NOT NULL,
    format         integer NOT NULL DEFAULT 1
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

-- The logs. `body` is what counts; the columns beside it are copies. There is
-- no default partition: ledger.ensure_event_partitions makes what is needed,
-- ahead of the writers.
CREATE TABLE ledger.events (
    position       bigint   NOT NULL,
    version        bigint   NOT NULL,
    refers_to      bigint,
    recorded_at_us bigint   NOT NULL,
    kind           smallint NOT NULL,
    book           text COLLATE "C" NOT NULL,
    account        text COLLATE "C" NOT NULL,
    body           bytea    NOT NULL,
    hash           bytea    NOT NULL,
    PRIMARY KEY (book, position)
) PARTITION BY RANGE (position);

-- Bodies under 2 kB are stored as they are whatever is said here; the few
-- larger ones are not worth a compression in the commit path.
ALTER TABLE ledger.events ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE ledger.events ALTER COLUMN hash SET STORAGE PLAIN;

CREATE INDEX events_refers_to ON ledger.events (book, refers_to) WHERE refers_to IS NOT NULL;
-- 18 is CatalogApplied.
CREATE INDEX events_catalog ON ledger.events (book, position) WHERE kind = 18;

-- 23001 is restrict_violation: of the class of errors that say "this data is
-- refused", so that no client tries again.
CREATE FUNCTION ledger.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'events are never changed: % on %.% is refused',
        TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = '23001';
END
$$;

CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON ledger.events
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON ledger.events
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
-- Also where a session says session_replication_role = replica.
ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER no_change;
ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER no_truncate;

-- Makes partitions of 16 777 216 positions until one holds `up_to`. Answers the
-- first position that none holds.
--
-- It runs with the rights of the schema's owner, so that the role of the service
-- needs no more than INSERT and SELECT on events; what it can do is bounded.
-- Concurrent calls wait for each other. A partition is made beside the table
-- and then attached, which lets reads and appends go on meanwhile.
CREATE FUNCTION ledger.ensure_event_partitions(up_to bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    width CONSTANT bigint := 16777216;
    missing bigint;
    name text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('ledger.ensure_event_partitions', 0));
    SELECT count(*) * width INTO missing
    FROM pg_inherits WHERE inhparent = 'ledger.events'::regclass;
    IF up_to - missing >= 64 * width THEN
        RAISE EXCEPTION 'position % is more than 64 partitions ahead of those that exist', up_to
            USING ERRCODE = '22023';
    END IF;
    WHILE missing <= up_to LOOP
        name := 'events_' || lpad((missing / width)::text, 6, '0');
        EXECUTE format('CREATE TABLE ledger.%I (LIKE ledger.events INCLUDING ALL)', name);
        EXECUTE format(
            'CREATE TRIGGER no_truncate BEFORE TRUNCATE ON ledger.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', name);
        EXECUTE format(
            'ALTER TABLE ledger.events ATTACH PARTITION ledger.%I FOR VALUES FROM (%s) TO (%s)',
            name, missing, missing + width);
        -- The row trigger came with the attachment.
        EXECUTE format('ALTER TABLE ledger.%I ENABLE ALWAYS TRIGGER no_change', name);
        EXECUTE format('ALTER TABLE ledger.%I ENABLE ALWAYS TRIGGER no_truncate', name);
        missing := missing + width;
    END LOOP;
    RETURN missing;
END
$$;

REVOKE ALL ON FUNCTION ledger.ensure_event_partitions(bigint) FROM PUBLIC;

-- Which requests were applied. The key begins with the id, because ids that
-- are ordered by time make inserts land together.
CREATE TABLE ledger.requests (
    request_id uuid    NOT NULL,
    position   bigint  NOT NULL,
    count      integer NOT NULL,
    book       text COLLATE "C" NOT NULL,
    account    text COLLATE "C" NOT NULL,
    hash       bytea   NOT NULL,
    PRIMARY KEY (request_id, book, account)
);

-- The last state of each account. Room on each page lets states be replaced in
-- place (HOT), without touching the indexes.
CREATE TABLE ledger.accounts (
    version      bigint  NOT NULL,
    due_at_us    bigint,
    fold_version integer NOT NULL,
    book         text COLLATE "C" NOT NULL,
    account      text COLLATE "C" NOT NULL,
    state        bytea   NOT NULL,
    PRIMARY KEY (book, account)
) WITH (fillfactor = 70);

-- States change too often to be worth a compression.
ALTER TABLE ledger.accounts ALTER COLUMN state SET STORAGE EXTERNAL;

CREATE INDEX accounts_due ON ledger.accounts (book, due_at_us) WHERE due_at_us IS NOT NULL;

-- The ids that providers gave, unique over all books.
CREATE TABLE ledger.external_ids (
    provider         text COLLATE "C" NOT NULL,
    merchant_account text COLLATE "C" NOT NULL,
    kind             text COLLATE "C" NOT NULL,
    id               text COLLATE "C" NOT NULL,
    book             text COLLATE "C" NOT NULL,
    position         bigint NOT NULL,
    PRIMARY KEY (provider, merchant_account, kind, id)
);

-- Projections: caught up in the background, rebuilt at will.
CREATE TABLE ledger.index_progress (
    book     text COLLATE "C" NOT NULL PRIMARY KEY,
    position bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE ledger.account_events (
    position         bigint   NOT NULL,
    operations_delta bigint   NOT NULL,
    recorded_at_us   bigint   NOT NULL,
    kind             smallint NOT NULL,
    book             text COLLATE "C" NOT NULL,
    account          text COLLATE "C" NOT NULL,
    operation        text COLLATE "C",
    external_id      text COLLATE "C",
    PRIMARY KEY (book, account, position)
);

-- The caller's own ids of things: not unique.
CREATE INDEX account_events_external_id ON ledger.account_events (book, external_id, position)
    WHERE external_id IS NOT NULL;

-- Who leads background work. No two leases ever have the same number, so that
-- a number alone says which lease is meant.
CREATE SEQUENCE ledger.lease_numbers;

CREATE TABLE ledger.leases (
    name          text COLLATE "C" NOT NULL PRIMARY KEY,
    holder        text COLLATE "C" NOT NULL,
    number        bigint NOT NULL UNIQUE,
    expires_at_us bigint NOT NULL
) WITH (fillfactor = 50);

SELECT ledger.ensure_event_partitions(0);
