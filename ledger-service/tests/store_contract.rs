//! The contract of `ledger_service::store`: one suite, on SQLite and on
//! PostgreSQL.
//!
//! `TEST_POSTGRES_URL` is the URL of a superuser on a running server, on which
//! each test makes a database of its own; `make test` sets it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at what it did not expect"
)]

#[path = "store_contract/append.rs"]
mod append;
#[path = "store_contract/background.rs"]
mod background;
#[path = "store_contract/fences.rs"]
mod fences;
#[path = "store_contract/guards.rs"]
mod guards;
#[path = "store_contract/harness.rs"]
mod harness;
#[path = "store_contract/lifecycle.rs"]
mod lifecycle;
#[path = "store_contract/load.rs"]
mod load;
#[path = "store_contract/postgres.rs"]
mod postgres;
#[path = "store_contract/reads.rs"]
mod reads;
#[path = "store_contract/rebuild.rs"]
mod rebuild;
#[path = "store_contract/statistics.rs"]
mod statistics;
