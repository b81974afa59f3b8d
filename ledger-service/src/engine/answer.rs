//! What a request is answered with.

use std::sync::Arc;

use ledger_core::{Event, event::Balance};

use crate::store::Hash;

/// An event with its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The event. A dry run's has position 0.
    pub event: Event,
    /// Its hash; zeros for a dry run.
    pub hash: Hash,
}

/// The answer to one request, made of facts: the first answer and every repeat
/// are made from the same events.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The events that the request made; none if there was nothing to do.
    pub events: Vec<Arc<Recorded>>,
    /// The balances of the request's own account after it.
    pub balances: Vec<Balance>,
    /// The request had been applied before.
    pub replayed: bool,
    /// A position at which the answer holds, and the hash of its event: what a
    /// consistency token says.
    pub seen_at: (u64, Hash),
}
