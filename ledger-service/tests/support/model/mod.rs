//! The second opinion: a naive ledger, who asks at random, who judges, and who
//! makes a failure small.
//!
//! The naive ledger shares the core's *data* (requests, payloads, rejections:
//! the file format) and none of its decisions.

pub(crate) mod answers;
pub(crate) mod attempt;
pub(crate) mod checks;
pub(crate) mod counts;
pub(crate) mod explained;
pub(crate) mod generate;
pub(crate) mod intents;
pub(crate) mod judge;
pub(crate) mod ledger;
pub(crate) mod moving;
pub(crate) mod session;
pub(crate) mod shrink;
pub(crate) mod spending;
pub(crate) mod wallet;
