//! Atomic calls in a draft: their events say that they are of one call, so
//! that the call's row can be made from them.

use ledger_core::Event;

use super::Draft;
use crate::store::{Hash, RequestKey, StoredRequest};

/// An atomic call whose items are being decided.
#[derive(Clone)]
pub(super) struct AtomicCall {
    key: RequestKey,
    hash: Hash,
    /// Where its events begin in the draft.
    first: usize,
}

impl AtomicCall {
    /// Marks the first event of an item, the event with this index in the draft.
    pub(super) fn mark(&self, event: &mut Event, index: usize) {
        event.call_id = Some(self.key.request_id);
        event.call_hash = (index == self.first).then(|| self.hash.to_vec().into());
    }
}

impl Draft<'_> {
    /// Begins an atomic call that was not applied before. A repeat of one that
    /// was is not marked: there is one row, and one run of events, for each id.
    pub(in crate::engine) fn begin_atomic(&mut self, key: RequestKey, hash: Hash) {
        let first = self.events.len();
        self.call = Some(AtomicCall { key, hash, first });
    }

    /// Ends the atomic call that was begun, and adds its row over its events;
    /// none if it made no events.
    pub(in crate::engine) fn close_atomic(&mut self) {
        let Some(AtomicCall { key, hash, first }) = self.call.take() else {
            return;
        };
        let count = self.events.len().saturating_sub(first);
        let Some(event) = self.events.get(first) else {
            return;
        };
        let position = event.position;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.requests.push(StoredRequest {
            key,
            position,
            count,
            hash,
        });
    }
}
