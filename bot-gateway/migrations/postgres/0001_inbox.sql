-- The durable inbox: what came through a door, until its effects are done.
-- Times are Unix milliseconds. The twin for SQLite has the same columns.
-- Runs with `gateway` as the only schema of the search path.
CREATE TABLE inbox (
    -- Rows of one ordering key are taken in this order.
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    door TEXT NOT NULL CHECK (door IN ('yookassa', 'telegram')),
    -- What the sender calls the thing, so that a repeat is known as one.
    source_key TEXT NOT NULL,
    -- Empty where the sender is authenticated; else SHA-256 of the body, so
    -- that a forged notification can't take the place of the real one.
    content_key TEXT NOT NULL,
    -- Rows with equal keys are handled one after another.
    ordering_key TEXT NOT NULL,
    -- Emptied when it is too old and the row doesn't wait.
    body BYTEA NOT NULL,
    received_at_ms BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'parked')),
    -- Attempts that failed so far.
    attempts BIGINT NOT NULL DEFAULT 0,
    next_attempt_at_ms BIGINT NOT NULL,
    last_error TEXT,
    UNIQUE (door, source_key, content_key)
);

CREATE INDEX inbox_waiting ON inbox (door, ordering_key, id) WHERE state = 'waiting';
CREATE INDEX inbox_done ON inbox (received_at_ms) WHERE state = 'done';
CREATE INDEX inbox_parked ON inbox (received_at_ms) WHERE state = 'parked';
