//! What a writer keeps in memory: states of accounts, and which requests were
//! answered. Both may be dropped at any time.

use std::{num::NonZeroUsize, sync::Arc};

use ledger_core::{Account, Name, Timestamp, account::EvolveError, account::FOLD_VERSION};
use lru::LruCache;

use super::Recorded;
use crate::store::{Hash, RequestKey, StoredAccount, StoredRequest};

/// A state, and what the database has as its `due_at`.
#[derive(Clone, Debug, Default)]
pub(super) struct CachedAccount {
    pub(super) account: Arc<Account>,
    pub(super) due_at: Option<Timestamp>,
}

/// States of accounts at the head that the writer believes in.
pub(super) struct AccountCache {
    states: LruCache<Name, CachedAccount>,
    accounts_max: usize,
}

impl AccountCache {
    pub(super) fn new(accounts_max: usize) -> Self {
        Self {
            states: LruCache::new(bound(accounts_max)),
            accounts_max,
        }
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.states.contains(id)
    }

    /// A look that does not count as use.
    pub(super) fn peek(&self, id: &str) -> Option<&CachedAccount> {
        self.states.peek(id)
    }

    /// Marks as used, so that it stays.
    pub(super) fn touch(&mut self, id: &str) {
        self.states.promote(id);
    }

    /// Answers what was there before.
    pub(super) fn put(&mut self, id: &Name, cached: CachedAccount) -> Option<CachedAccount> {
        match self.states.get_mut(id) {
            Some(slot) => Some(std::mem::replace(slot, cached)),
            None => self.states.put(id.clone(), cached),
        }
    }

    pub(super) fn evict(&mut self, id: &str) {
        self.states.pop(id);
    }

    pub(super) fn clear(&mut self) {
        self.states.clear();
    }

    /// Makes room for the accounts of one batch, however many there are: none
    /// of them may push another out before it is decided.
    pub(super) fn reserve(&mut self, accounts: usize) {
        if accounts > self.states.cap().get() {
            self.states.resize(bound(accounts));
        } else if self.states.cap().get() > self.accounts_max && accounts <= self.accounts_max {
            self.states.resize(bound(self.accounts_max));
        }
    }

    /// Applies an event of another writer. One that the state has already is
    /// skipped; one that leaves a gap evicts the state.
    pub(super) fn follow(&mut self, recorded: &Recorded) -> Result<(), EvolveError> {
        let event = &recorded.event;
        let Some(cached) = self.states.peek_mut(event.account.as_str()) else {
            return Ok(());
        };
        let version = cached.account.version;
        if event.version <= version {
            return Ok(());
        }
        if event.version > version.saturating_add(1) {
            self.evict(&event.account);
            return Ok(());
        }
        Arc::make_mut(&mut cached.account).evolve(event)
    }
}

/// The state that a row holds; nothing if another fold made it, and then it
/// has to be folded anew.
pub(super) fn decode_state(row: &StoredAccount) -> Result<Option<Account>, String> {
    if row.fold_version != FOLD_VERSION {
        return Ok(None);
    }
    let account: Account = minicbor::decode(&row.state)
        .map_err(|error| format!("state of account {}: {error}", row.account))?;
    if account.version != row.version {
        return Err(format!(
            "state of account {} is of another version",
            row.account
        ));
    }
    Ok(Some(account))
}

/// The requests that were answered lately, so that a repeat within seconds
/// costs no failed append.
pub(super) struct Answered(LruCache<RequestKey, (u64, u32, Hash)>);

impl Answered {
    pub(super) fn new(requests_max: usize) -> Self {
        Self(LruCache::new(bound(requests_max)))
    }

    pub(super) fn find(&self, key: &RequestKey) -> Option<StoredRequest> {
        self.0
            .peek(key)
            .map(|&(position, count, hash)| StoredRequest {
                key: key.clone(),
                position,
                count,
                hash,
            })
    }

    pub(super) fn remember(&mut self, request: &StoredRequest) {
        self.0.put(
            request.key.clone(),
            (request.position, request.count, request.hash),
        );
    }

    pub(super) fn forget(&mut self, key: &RequestKey) {
        self.0.pop(key);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

fn bound(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger_core::{
        Event, Payload, RequestId,
        event::{Annotations, FORMAT},
    };

    fn opened(account: &str, version: u64) -> Recorded {
        let event = Event {
            format: FORMAT,
            book: "b".into(),
            position: version,
            account: account.into(),
            version,
            previous_position: version - 1,
            origin: "bot".into(),
            request_id: Some(RequestId([1; 16])),
            annotations: Annotations::default(),
            recorded_at: Timestamp(1),
            catalog_version: 1,
            request: None,
            call_id: None,
            call_hash: None,
            balances: Vec::new(),
            payload: Payload::AccountOpened,
        };
        Recorded {
            event,
            hash: [0; 32],
        }
    }

    /// Point 2: what a state has is skipped, what comes next is applied, and a
    /// state that has missed something is not kept.
    #[test]
    fn a_gap_evicts() {
        let mut cache = AccountCache::new(4);
        for id in ["tg:1", "tg:2"] {
            cache.put(&id.into(), CachedAccount::default());
        }
        let version = |cache: &AccountCache, id: &str| cache.peek(id).map(|c| c.account.version);
        cache.follow(&opened("tg:1", 1)).unwrap();
        assert_eq!(version(&cache, "tg:1"), Some(1));
        cache.follow(&opened("tg:1", 1)).unwrap();
        assert_eq!(version(&cache, "tg:1"), Some(1));
        cache.follow(&opened("tg:1", 3)).unwrap();
        assert_eq!(version(&cache, "tg:1"), None);
        assert_eq!(version(&cache, "tg:2"), Some(0));
        // What is not kept is nobody's business.
        cache.follow(&opened("tg:3", 7)).unwrap();
        assert_eq!(version(&cache, "tg:3"), None);
    }
}
