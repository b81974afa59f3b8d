//! How a request is decided: which events it makes, or why it is refused.
//!
//! Every decision goes the same way, and refuses in this order: the request's
//! own time; the account (closed, unknown, blocked); what it brings along
//! (metadata); then what the command itself needs. A decision that gets as far
//! as making its first own event does not fail any more.
//!
//! Before the command's own events come those that time or first use ask for:
//! an unknown account is opened with its grants, lots and holds that are due
//! are ended. They are part of the same decision, so a refusal leaves nothing.

mod account;
mod adjust;
mod catalog;
mod charge;
mod credit;
mod grant;
mod hold;
mod limit;
mod metadata;
mod payment;
mod prepare;
mod refund;
mod returns;
mod subscription;
mod transfer;
mod work;

pub use charge::{Offered, Order, Priced, offered, price};

use crate::{
    account::Account,
    catalog::Catalog,
    command::{Command, Request},
    event::{Event, Payload},
    primitives::Timestamp,
    record::Record,
    rejection::Rejection,
};
use work::Work;

/// What a decision depends on besides the accounts.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The book.
    pub book: &'a str,
    /// The time of the decision; not before any event of the log.
    pub now: Timestamp,
    /// The catalog in force.
    pub catalog: &'a Catalog,
    /// Its version.
    pub catalog_version: u64,
    /// The position that the first event of the decision will get.
    pub next_position: u64,
}

/// The accounts that a request is about.
#[derive(Clone, Copy, Debug)]
pub struct Accounts<'a> {
    /// The account that the request names.
    pub own: &'a Account,
    /// The one of [`Command::other_account`].
    pub other: Option<&'a Account>,
}

/// Which of the accounts an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// The one that the request names.
    Own,
    /// The other one.
    Other,
}

/// An event that a decision makes, without its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Whose event it is.
    pub party: Party,
    /// What happens.
    pub payload: Payload,
}

/// Decides a request. No events means that there is nothing to do.
///
/// `record` is what is known of the request's target, if it names one and it
/// is not among the account's open holds.
///
/// # Errors
/// The rejection; nothing has happened.
pub fn decide(
    accounts: Accounts<'_>,
    request: &Request,
    record: Option<&Record>,
    context: &Context<'_>,
) -> Result<Vec<Decided>, Rejection> {
    if let Some(expire_time) = request.expires_at
        && expire_time <= context.now
    {
        return Err(Rejection::RequestExpired {
            expire_time,
            now: context.now,
        });
    }
    let mut work = Work::new(accounts, request, context);
    account::admit(&mut work)?;
    metadata::check(&request.annotations.metadata, context.catalog)?;
    match &request.command {
        Command::OpenAccount(_) => account::open(work),
        Command::CloseAccount(_) => account::close(work),
        Command::BlockAccount(_) => account::block(work),
        Command::UnblockAccount(_) => account::unblock(work),
        Command::Credit(credit) => credit::credit(work, credit),
        Command::Charge(charge) => charge::charge(work, charge),
        Command::PlaceHold(place) => hold::place(work, place),
        Command::ExtendHold(extend) => hold::extend(work, extend, record),
        Command::CaptureHold(capture) => hold::capture(work, capture, record),
        Command::ReleaseHold(release) => hold::release(work, release, record),
        Command::Refund(refund) => refund::refund(work, refund, record),
        Command::Transfer(transfer) => transfer::transfer(work, transfer),
        Command::Adjust(adjust) => adjust::adjust(work, adjust),
        Command::CreatePayment(create) => payment::create(work, create),
        Command::RecordPayment(said) => {
            let record = work.followed(record);
            payment::record(work, said, record.as_ref())
        }
        Command::RefundPayment(refund) => {
            let record = work.followed(record);
            payment::refund(work, refund, record.as_ref())
        }
        Command::RecordRefund(said) => {
            let record = work.followed(record);
            payment::record_refund(work, said, record.as_ref())
        }
        Command::CancelSubscription(cancel) => subscription::cancel(work, cancel),
        Command::ResumeSubscription(resume) => subscription::resume(work, resume),
        Command::ApplyCatalog(apply) => catalog::apply(work, apply),
        Command::Sweep(_) => Ok(work.finish()),
    }
}

/// The account as it is at the context's time: opened, if the catalog opens
/// accounts on first use and it is not; without what is due. What reads show.
#[must_use]
pub fn at_present<'a>(
    id: &str,
    account: &'a Account,
    context: &Context<'_>,
) -> std::borrow::Cow<'a, Account> {
    prepare::at_present(id, account, context)
}

/// What [`at_present`] adds to an account, as events: not recorded, without a
/// position, each with the balances after it.
#[must_use]
pub fn pending(id: &str, account: &Account, context: &Context<'_>) -> Vec<Event> {
    prepare::pending(id, account, context)
}
