//! The harness of the end-to-end tests: real processes, real databases, real
//! gRPC and HTTP. Nothing here knows how the service works inside.
//!
//! - [`Database`] is a fresh, empty database on either [`Backend`];
//! - [`Ledger`] and [`Gateway`] are running programs, [`StandIns`] is the
//!   Python stand-in for YooKassa and Telegram;
//! - [`postgres::Cluster`] is a PostgreSQL server of one's own, to be killed;
//! - [`load`] writes a log of its own, which [`judge`] compares with the
//!   ledger's; [`Proxy`] is a wire that loses answers;
//! - [`eventually`] waits for a condition; no test sleeps instead.
//!
//! Everything listens on loopback, on a free port, and ends with its value. A
//! step that fails panics and says what was being done: a test has nothing
//! better to do with it.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test harness: a failed step is a failed test"
)]

pub mod billing;
pub mod client;
pub mod gateway;
pub mod http;
pub mod judge;
pub mod ledger;
pub mod load;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod sql;
pub mod stand_ins;
pub mod wait;

mod backend;

pub use backend::{Backend, Database};
pub use billing::Billing;
pub use gateway::Gateway;
pub use ledger::Ledger;
pub use proxy::Proxy;
pub use stand_ins::StandIns;
pub use wait::eventually;

use std::{
    env,
    path::{Path, PathBuf},
};

/// The root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    // Where the tests run, if cargo says so, may not be where they were built.
    let manifest = env::var_os("CARGO_MANIFEST_DIR");
    let manifest = manifest.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let manifest = Path::new(&manifest);
    manifest
        .parent()
        .expect("the package is inside the workspace")
        .to_owned()
}

/// A path inside the workspace, e.g. `docs/examples/payment.json`.
#[must_use]
pub fn in_workspace(path: &str) -> PathBuf {
    workspace().join(path)
}

/// A random id, for requests and names that must not have been there before.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "tests are where ids come from")]
pub fn fresh_id() -> uuid::Uuid {
    uuid::Uuid::new_v4()
}
