//! Every bound of the service, in one place. Names end with their unit.

use std::time::Duration;

/// How many jobs may wait for a book's writer: at 40 000 a second, a fifth of
/// a second of work. More are refused at once.
pub const QUEUE_JOBS_MAX: usize = 8_192;

/// How many commands the writer takes into one batch at the most before it stops
/// taking more jobs; see `engine/ahead.rs` for when it takes fewer. A BatchCharge
/// of 1000 counts as 1000.
pub const BATCH_COMMANDS_MAX: usize = 4_096;

/// How many commands a batch that is decided ahead takes, however little is under
/// way: for less, it is not worth an append of its own.
pub const BATCH_COMMANDS_MIN: usize = 64;

/// From how many answers on a batch is answered beside the next append: below, the
/// way to another task takes longer than the answers.
pub const ANSWERS_APART_MIN: usize = 32;

/// How old may be what was decided while the append before it was running. One
/// that took longer makes it be decided anew.
pub const AHEAD_AGE_MAX: Duration = Duration::from_secs(1);

/// How many items a batch call may have.
pub const BATCH_CALL_ITEMS_MAX: usize = 1_000;

/// How many states of accounts a book's writer keeps: at 1 KiB each, 50 MiB.
pub const CACHED_ACCOUNTS_MAX: usize = 50_000;

/// How many answered requests a book's writer remembers: about 100 bytes each.
pub const ANSWERED_REQUESTS_MAX: usize = 100_000;

/// How many books one process serves at a time.
pub const BOOKS_MAX: usize = 1_000;

/// How many events are read in one go when catching up with the log.
pub const CATCH_UP_EVENTS: u32 = 2_000;

/// How often a batch is tried when the database says it is busy.
pub const BUSY_ATTEMPTS_MAX: u32 = 5;

/// How long an append may run before its connection is closed.
pub const APPEND_TIME_MAX: Duration = Duration::from_secs(10);

/// How long any other statement of a writer may run.
pub const STATEMENT_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a writer waits for the database to come back before it answers
/// `UNAVAILABLE` to those who wait.
pub const RECONNECT_TIME_MAX: Duration = Duration::from_secs(3);

/// How far the instance's clock, the database's and the head's time may be
/// apart.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(2);

/// How old a look at the database's clock may be when a decision uses it.
pub const CLOCK_SAMPLE_AGE_MAX: Duration = Duration::from_secs(5);

/// How long the instance's clock has to be steady, after it was set or the host
/// was suspended, before it is believed again.
pub const CLOCK_STEADY_TIME: Duration = Duration::from_secs(10);

/// After losing the head to another instance, how many batches take the head's
/// lock first.
pub const LOCKED_BATCHES: u32 = 16;

/// How many connections reads outside of the writers may use.
pub const READ_CONNECTIONS_MAX: u32 = 4;

/// How long a lease on background work lasts without renewal.
pub const LEASE_DURATION: Duration = Duration::from_secs(10);

/// How often a lease is renewed.
pub const LEASE_RENEWAL_INTERVAL: Duration = Duration::from_secs(2);

/// How many due accounts the sweeper takes in one go.
pub const SWEEP_ACCOUNTS: u32 = 500;

/// How many events the index takes in one go.
pub const INDEX_EVENTS: u32 = 2_000;

/// Up to this lag, the index lets charges go first.
pub const INDEX_LAG_EVENTS_MAX: u64 = 5_000_000;

/// How many events a read by account follows back from the head before it
/// waits for the index.
pub const CHAIN_EVENTS_MAX: u64 = 1_000;

/// How many items a page of a list has if the caller does not say.
pub const PAGE_SIZE_DEFAULT: usize = 100;

/// How many items a page of a list has at the most.
pub const PAGE_SIZE_MAX: usize = 1_000;

/// How many events an explanation tells if the caller does not say.
pub const EXPLAINED_EVENTS_DEFAULT: usize = 50;

/// How many events an explanation tells at the most.
pub const EXPLAINED_EVENTS_MAX: usize = 500;

/// How many days a period of statistics has at the most.
pub const STATISTICS_DAYS_MAX: i64 = 366;

/// How many keys each figure of statistics has at the most, besides one for the rest.
pub const STATISTICS_KEYS_MAX: u32 = 1_000;

/// How many origins statistics tell apart at the most.
pub const STATISTICS_ORIGINS_MAX: u32 = 100;

/// How many accounts that did most are told if the caller does not say.
pub const TOP_ACCOUNTS_DEFAULT: u32 = 10;

/// How many accounts that did most are told at the most.
pub const TOP_ACCOUNTS_MAX: u32 = 100;

/// How many events a page of a filtered list looks at.
pub const PAGE_SCANNED_EVENTS_MAX: u32 = 20_000;

/// How many events one message of catching up a subscriber reads.
pub const SUBSCRIBE_EVENTS: u32 = 500;

/// How long a subscriber hears nothing before a heartbeat.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(10);

/// How often a subscriber looks for events of other instances.
pub const SUBSCRIBE_POLL_INTERVAL: Duration = Duration::from_millis(200);

/// How many subscribers one process serves.
pub const SUBSCRIBERS_MAX: usize = 256;

/// How large a request message may be: a BatchCharge of 1000 items with 4 KB of
/// metadata each. (An item may have twice as much; such batches are sent in
/// parts.)
pub const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How large a response message may be.
pub const RESPONSE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How many requests one connection may have in work.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 4_096;

/// How long a request may take if the caller sets no deadline.
pub const DEADLINE_DEFAULT: Duration = Duration::from_secs(30);

/// How long a graceful stop waits for requests in work.
pub const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);
