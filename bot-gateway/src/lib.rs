//! The bot gateway: turns Telegram updates and YooKassa notifications into
//! calls on the ledger.
//!
//! Two doors ([`doors`]) store what arrives in one durable inbox ([`inbox`])
//! and only then say 200. Workers ([`worker`]) take it from there, in order
//! per chat and per payment, and a row is done only after its effects. Every
//! effect is harmless twice, because a crash may repeat it.
//!
//! Decisions are pure and tested as tables: [`dialogue`] for the chat,
//! [`yookassa::check`] for payments, [`texts`] for what users read. SQL is in
//! [`inbox`] only, the ledger's messages in [`ledger`] only.

pub mod clock;
pub mod config;
pub mod dialogue;
pub mod doors;
pub mod http_client;
pub mod inbox;
pub mod ledger;
pub mod limits;
pub mod logging;
pub mod money;
pub mod operator;
pub mod server;
pub mod telegram;
pub mod texts;
pub mod worker;
pub mod yookassa;

/// An error's causes in one line, outermost first: what a log line shows.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}
