//! Telegram: what updates say ([`update`]) and how the bot speaks ([`client`]).

pub mod client;
pub mod update;
