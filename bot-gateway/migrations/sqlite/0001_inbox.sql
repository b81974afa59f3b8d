-- The durable inbox: what came through a door, until its effects are done.
-- Times are Unix milliseconds. The twin for PostgreSQL has the same columns.
CREATE TABLE inbox (
    -- Rows of one ordering key are taken in this order.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    door TEXT NOT NULL CHECK (door IN ('yookassa', 'telegram')),
    -- What the sender calls the thing, so that a repeat is known as one.
    source_key TEXT NOT NULL,
    -- Empty where the sender is authenticated; else SHA-256 of the body, so
    -- that a forged notification can't take the place of the real one.
    content_key TEXT NOT NULL,
    -- Rows with equal keys are handled one after another.
    ordering_key TEXT NOT NULL,
    -- Emptied when it is too old and the row doesn't wait.
    body BLOB NOT NULL,
    received_at_ms INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'parked')),
    -- Attempts that failed so far.
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at_ms INTEGER NOT NULL,
    last_error TEXT,
    UNIQUE (door, source_key, content_key)
);

CREATE INDEX inbox_waiting ON inbox (door, ordering_key, id) WHERE state = 'waiting';
CREATE INDEX inbox_done ON inbox (received_at_ms) WHERE state = 'done';
CREATE INDEX inbox_parked ON inbox (received_at_ms) WHERE state = 'parked';
