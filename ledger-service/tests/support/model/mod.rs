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
pub(crate) mod marks;
pub(crate) mod moving;
pub(crate) mod offers;
pub(crate) mod paid;
pub(crate) mod paying;
pub(crate) mod paying_back;
pub(crate) mod payments;
pub(crate) mod periods;
pub(crate) mod plans;
pub(crate) mod policies;
pub(crate) mod pricing;
pub(crate) mod scripts;
pub(crate) mod seen;
pub(crate) mod session;
pub(crate) mod shrink;
pub(crate) mod spending;
pub(crate) mod stages;
pub(crate) mod subscribed;
pub(crate) mod subscribing;
pub(crate) mod subscriptions;
pub(crate) mod topping_up;
pub(crate) mod wallet;
pub(crate) mod windows;

use crate::support::ask::BOOK;

/// The books: what a provider's id stands for is unique over all of them.
pub(crate) const BOOKS: [&str; 2] = [BOOK, "test2"];

/// The catalog of the first.
pub(crate) const CATALOG: &str = include_str!("catalog.toml");

/// The first catalog of a book.
pub(crate) fn catalog_of(book: usize) -> String {
    let name = |book: &str| format!("book = \"{book}\"");
    CATALOG.replace(&name(BOOK), &name(BOOKS[book]))
}
