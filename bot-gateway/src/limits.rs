//! Every bound of the gateway, in one place, with its unit in its name or type.

use std::time::Duration;

/// The largest body that a door takes, in bytes. A YooKassa notification has
/// about 2 KiB and a Telegram update rarely 16 KiB.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Requests that one door reads and stores at once: 64 × 1 MiB of memory at
/// most. Telegram opens 40 connections unless told otherwise.
pub const INTAKES_MAX: usize = 64;

/// How long a sender may take for a body.
pub const BODY_READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that may be open at once; more wait in the kernel's queue.
pub const CONNECTIONS_MAX: usize = 1024;

/// How long a connection may stay silent. Longer than any answer takes.
pub const CONNECTION_SILENCE_MAX: Duration = Duration::from_secs(30);

/// How long storing a body may take before the sender is told to come back.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// What `Retry-After` says when a body can't be stored, in seconds.
pub const RETRY_AFTER_S: u64 = 2;

/// How long a readiness check waits for each of the things it asks.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Connections to the database: a few for the doors beside the workers.
pub const DATABASE_CONNECTIONS_MAX: u32 = 8;

/// How long a statement waits for a connection, or for SQLite's writer lock.
pub const DATABASE_WAIT_MAX: Duration = Duration::from_secs(5);

/// How long PostgreSQL may work on one statement, in milliseconds.
pub const DATABASE_STATEMENT_MS_MAX: u32 = 10_000;

/// Rows of one door handled at once, each of another ordering key. Each door
/// has its own, so that a YooKassa that hangs, or forged notifications that it
/// has to be asked about, don't keep the bot from answering.
pub const ROWS_IN_WORK_MAX: usize = 16;

/// Rows of one door that may wait; its senders are told to come back when it
/// has more, and they do, for a day. 20 000 are hours of a busy bot, and of
/// notifications about 40 MB.
pub const ROWS_WAITING_MAX: i64 = 20_000;

/// How often the inbox is asked for retries that are due. New rows don't wait
/// for it: the doors wake the workers.
pub const INBOX_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The longest gap between two attempts; the gaps before it double from 1 s.
pub const RETRY_GAP_MAX: Duration = Duration::from_secs(60);

/// Failed attempts after which a retry is a warning: half a minute of trouble
/// is more than a restart.
pub const ATTEMPTS_QUIET_MAX: u32 = 5;

/// The longest wait that a remote service may ask of us.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Attempts to find a payment that YooKassa doesn't know: 0 s, 1 s, 3 s and
/// 7 s after its notification. A payment just created may answer 404.
pub const PAYMENT_UNKNOWN_ATTEMPTS_MAX: u32 = 4;

/// Attempts to tell a user of a payment that is recorded: about a minute.
pub const NOTICE_ATTEMPTS_MAX: u32 = 6;

/// How long rows that are done stay, for dedupe and questions. YooKassa
/// repeats for a day, Telegram too.
pub const DONE_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// How often old rows and old bodies are removed.
pub const PRUNE_INTERVAL: Duration = Duration::from_secs(3600);

/// Rows removed or emptied by one statement, so that it stays short.
pub const PRUNE_ROWS_MAX: i64 = 1000;

/// Such statements in a row: 100 000 rows an hour, about 28 a second, leave
/// faster than a bot's updates come.
pub const PRUNE_STATEMENTS_MAX: u32 = 100;

/// Days that bodies stay, unless GATEWAY_BODY_DAYS says otherwise.
pub const BODY_DAYS_DEFAULT: u32 = 90;

/// What GATEWAY_BODY_DAYS may say at most: ten years.
pub const BODY_DAYS_MAX: u32 = 3650;

/// Parked rows that are read at once to be listed.
pub const PARKED_PAGE_ROWS: i64 = 200;

/// Bytes of a reason that are kept with a row.
pub const REASON_BYTES_MAX: usize = 512;

/// How long a connection to a remote API may take to open.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long YooKassa may take to answer.
pub const YOOKASSA_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the Bot API may take to answer.
pub const TELEGRAM_TIMEOUT: Duration = Duration::from_secs(15);

/// The largest answer read from a remote API, in bytes.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// The deadline of every ledger call.
pub const LEDGER_DEADLINE: Duration = Duration::from_secs(5);

/// How old a message may be when its operation is charged. Whoever waited for
/// longer has asked again, or doesn't want it any more.
pub const CHARGE_AGE_MAX: Duration = Duration::from_secs(10 * 60);

/// How long answering a pre-checkout query may take; Telegram gives 10 s.
pub const PRE_CHECKOUT_TIMEOUT: Duration = Duration::from_secs(5);

/// When workers look after a pre-checkout query that its door didn't finish:
/// after the door's own attempt, so that it isn't answered twice.
pub const PRE_CHECKOUT_GRACE: Duration = Duration::from_secs(10);

/// How long rows in work get to finish when the gateway stops.
pub const STOP_GRACE: Duration = Duration::from_secs(10);

/// Assets shown in one message: far below Telegram's 4096 characters.
pub const ASSETS_SHOWN_MAX: usize = 30;
