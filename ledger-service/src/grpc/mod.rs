//! The gRPC edge: the only place that knows the API's messages.
//!
//! A request goes `layers → service → parse → engine → render`. A method only
//! names its steps: `parse` checks shape and makes core types, the engine
//! decides, `render` writes the answer from facts. `status` is the one
//! place that makes errors.

mod account_service;
mod catalog_service;
mod coalesce;
mod edge;
mod event_service;
mod explain_balance;
mod finance_service;
mod get_payment;
pub mod health;
mod layers;
mod ledger_service;
mod list_accounts;
mod list_events;
mod list_payments;
mod names;
mod parse;
mod past;
mod payment_service;
mod quote;
mod render;
mod server;
mod status;
mod subscribe;
mod subscriptions;
#[cfg(test)]
mod tests;
mod tokens;

pub use server::serve;
