//! The pure ledger: what events are, what an account is, and how a command is
//! decided.
//!
//! Shape: [`decide()`] takes an account, a request and a [`Context`], and gives
//! the events that the request makes, or a [`Rejection`]; [`Account::evolve`]
//! applies an event to an account. Time, positions and the catalog are
//! arguments: this crate has no clock, no randomness and no I/O, so a decision
//! can be made again with the same result.
//!
//! Amounts are `i64` minor units. Float arithmetic and arithmetic that could
//! overflow unseen do not pass the lints of this crate.
#![forbid(
    clippy::float_arithmetic,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap
)]

pub mod account;
pub mod calendar;
pub mod catalog;
pub mod command;
pub mod decide;
pub mod event;
pub mod explain;
pub mod limits;
mod name;
mod name_map;
pub mod payment;
mod primitives;
pub mod record;
pub mod rejection;

pub use account::Account;
pub use command::{Command, Request};
pub use decide::{Accounts, Context, Decided, Party, decide};
pub use event::{Event, Payload};
pub use name::Name;
pub use name_map::NameMap;
pub use primitives::{Money, RequestId, Timestamp};
pub use record::Record;
pub use rejection::Rejection;
