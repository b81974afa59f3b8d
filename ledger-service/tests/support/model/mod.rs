//! The second opinion: a naive ledger, who asks at random, who judges, and who
//! makes a failure small.
//!
//! The naive ledger shares the core's *data* (requests, payloads, rejections:
//! the file format) and none of its decisions.

pub(crate) mod answers;
pub(crate) mod attempt;
pub(crate) mod generate;
pub(crate) mod intents;
pub(crate) mod judge;
pub(crate) mod ledger;
pub(crate) mod session;
pub(crate) mod shrink;
pub(crate) mod wallet;
