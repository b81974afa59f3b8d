//! Requests, read: what comes in as messages goes on as commands and questions
//! of the core's types. Only shape is checked here; whether something may be
//! done is the core's to say. A request that is wrong in many places is told
//! all of them.

mod annotations;
mod batch;
mod caller;
mod command;
mod fields;
mod filter;
mod mutation;
mod page;
mod payment;
mod read;
mod target_command;
#[cfg(test)]
mod tests;
mod text;

pub(super) use batch::{Batch, ParsedBatch, batch};
pub(super) use caller::Caller;
pub(super) use command::{
    adjust, apply_catalog, block_account, charge, close_account, credit, open_account, place_hold,
    transfer, unblock_account,
};
pub(super) use fields::Fields;
pub(super) use filter::EventQuery;
pub(super) use mutation::{Enveloped, ReadCommand, mutation};
pub(super) use page::{Page, PageFields, PageSizes};
pub(super) use payment::{
    cancel_subscription, create_payment, record_payment, record_refund, refund_payment,
    resume_subscription, start_subscription,
};
pub(super) use read::{AsOf, Order, Reading, order};
pub(super) use target_command::{capture_hold, extend_hold, refund, release_hold};
