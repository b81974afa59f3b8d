//! The best of many accounts, in a bounded place.

use std::{cmp::Reverse, collections::BinaryHeap};

use ledger_core::{Account, Name};
use minicbor::{Decode, Encode};

/// An account of a list, as it is now.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) written: Account,
    pub(super) present: Account,
}

/// Where a page begins: after this account.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Cursor {
    /// What it is ordered by; 0 in the order of ids.
    #[n(0)]
    pub(super) key: i64,
    /// Its id.
    #[n(1)]
    pub(super) account: Name,
}

/// The place of an account in a list: the largest key first, then by id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place(Reverse<i64>, Name);

/// What an account is ordered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rank {
    pub(super) key: i64,
    pub(super) account: Name,
}

impl Rank {
    pub(super) fn is_after(&self, cursor: &Cursor) -> bool {
        let own = (Reverse(self.key), self.account.as_str());
        own > (Reverse(cursor.key), cursor.account.as_str())
    }
}

/// The best so many of those offered: a heap whose top is the worst of them.
pub(super) struct Best {
    size: usize,
    heap: BinaryHeap<Ranked>,
}

struct Ranked(Place, Box<Found>);

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl Eq for Ranked {}
impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl Best {
    pub(super) fn new(size: usize) -> Self {
        Self {
            size,
            heap: BinaryHeap::with_capacity(size + 1),
        }
    }

    pub(super) fn offer(&mut self, rank: Rank, found: Found) {
        self.heap.push(Ranked(
            Place(Reverse(rank.key), rank.account),
            Box::new(found),
        ));
        if self.heap.len() > self.size {
            self.heap.pop();
        }
    }

    pub(super) fn into_sorted(self) -> Vec<(Rank, Found)> {
        let sorted = self.heap.into_sorted_vec().into_iter();
        sorted
            .map(|Ranked(Place(Reverse(key), account), found)| (Rank { key, account }, *found))
            .collect()
    }
}
