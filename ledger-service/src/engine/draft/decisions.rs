//! What a draft has come to: what is appended, and what it is answered with.

use std::sync::Arc;

use hashbrown::HashMap;
use ledger_core::{Name, Timestamp, account::FOLD_VERSION, command::encode};

use super::OverlayAccount;
use crate::{
    engine::{CatalogInForce, Recorded, cache::CachedAccount, due::due_bound},
    store::{Append, ExternalId, Head, NewEvent, StoredAccount, StoredRequest},
};

/// What an append makes true once it is done.
pub(in crate::engine) struct Outcome {
    pub(in crate::engine) head: Head,
    pub(in crate::engine) catalog: Arc<CatalogInForce>,
    pub(in crate::engine) states: Vec<(Name, CachedAccount)>,
}

/// The decisions of a batch, on top of one head.
pub(in crate::engine) struct Decisions {
    /// The head that they were made on.
    pub(in crate::engine) believed: Head,
    pub(super) now: Timestamp,
    pub(super) head: Head,
    pub(super) catalog: Arc<CatalogInForce>,
    pub(super) overlay: HashMap<Name, OverlayAccount>,
    pub(super) events: Vec<NewEvent>,
    pub(super) recorded: Vec<Arc<Recorded>>,
    pub(super) requests: Vec<StoredRequest>,
    pub(super) external_ids: Vec<(ExternalId, u64)>,
}

impl Decisions {
    /// Whether there is anything to append.
    pub(in crate::engine) const fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// When they were made.
    pub(in crate::engine) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Gives its events away, for answers.
    pub(in crate::engine) fn take_recorded(&mut self) -> Vec<Arc<Recorded>> {
        std::mem::take(&mut self.recorded)
    }

    /// The append, and what it will make true.
    pub(in crate::engine) fn into_append(self) -> (Append, Outcome) {
        let now = self.now;
        let mut accounts = Vec::with_capacity(self.overlay.len());
        let mut states = Vec::with_capacity(self.overlay.len());
        for (id, overlaid) in self.overlay {
            let due_at = due_bound(overlaid.due_at, overlaid.account.next_due(), now);
            let state = encode(&overlaid.account);
            debug_assert!(
                state.len() <= ledger_core::limits::STATE_BYTES_MAX,
                "the state of {id} has {} bytes",
                state.len()
            );
            accounts.push(StoredAccount {
                account: id.clone(),
                version: overlaid.account.version,
                fold_version: FOLD_VERSION,
                state,
                due_at,
            });
            let account = Arc::new(overlaid.account);
            states.push((id, CachedAccount { account, due_at }));
        }
        // In the order of keys: two instances then lock rows in one order, and
        // pages are touched in one sweep.
        accounts.sort_unstable_by(|a, b| a.account.cmp(&b.account));
        let append = Append {
            believed: self.believed,
            head: self.head,
            events: self.events,
            requests: self.requests,
            external_ids: self.external_ids,
            accounts,
        };
        let outcome = Outcome {
            head: self.head,
            catalog: self.catalog,
            states,
        };
        (append, outcome)
    }
}
