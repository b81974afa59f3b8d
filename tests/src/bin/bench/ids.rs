//! Request ids and accounts of the load: cheap to make, because the load shares
//! the cores with the service.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};
use uuid::{Builder, Uuid};

/// Makes request ids that no other run makes.
#[derive(Debug)]
pub(crate) struct Ids {
    /// Random, one for each run.
    run: u64,
    made: AtomicU64,
}

impl Ids {
    /// For one run.
    pub(crate) fn new() -> Self {
        let (run, _) = e2e_tests::fresh_id().as_u64_pair();
        Self {
            run,
            made: AtomicU64::new(0),
        }
    }

    /// The next number: for whatever has to differ from call to call.
    pub(crate) fn next(&self) -> u64 {
        self.made.fetch_add(1, Ordering::Relaxed)
    }

    /// An id that is ordered by time, as clients are told to make them: a UUIDv7
    /// whose tail is a counter and the run's number.
    #[expect(clippy::disallowed_methods, reason = "a load is where ids come from")]
    pub(crate) fn ordered(&self) -> Uuid {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let ms = u64::try_from(since.as_millis()).unwrap_or_default();
        let [_, _, _, c3, c4, c5, c6, c7] = self.next().to_be_bytes();
        let [r0, r1, r2, r3, ..] = self.run.to_be_bytes();
        // The version and variant overwrite 4 bits of the first byte and 2 of
        // the third: there the run's bits may go.
        Builder::from_unix_timestamp_millis(ms, &[r0, c3, r1, c4, c5, c6, c7, r2, r3, r1])
            .into_uuid()
    }

    /// A random id: a UUIDv4.
    pub(crate) fn random(&self) -> Uuid {
        let number = self.next();
        let high = scramble(self.run ^ scramble(number));
        let low = scramble(high ^ number);
        Builder::from_random_bytes(Uuid::from_u64_pair(high, low).into_bytes()).into_uuid()
    }
}

/// Accounts, picked as if at random.
#[derive(Debug)]
pub(crate) struct Accounts {
    names: Vec<String>,
}

impl Accounts {
    /// `count` accounts whose ids begin with `prefix`.
    pub(crate) fn new(prefix: &str, count: usize) -> Self {
        let book = e2e_tests::billing::BOOK;
        let name = |number| format!("{book}/accounts/{prefix}:{number:06}");
        Self {
            names: (0..count).map(name).collect(),
        }
    }

    /// All of them.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The one that belongs to a number.
    pub(crate) fn pick(&self, number: u64) -> String {
        let count = u64::try_from(self.names.len()).unwrap_or(u64::MAX);
        let index = usize::try_from(scramble(number) % count).unwrap_or_default();
        self.names[index].clone()
    }
}

/// Turns consecutive numbers into ones that look random (the finaliser of
/// `SplitMix64`); different numbers stay different.
const fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::Ids;
    use std::collections::HashSet;

    #[test]
    fn ids_are_unique_and_of_their_kind() {
        let ids = Ids::new();
        let mut seen = HashSet::new();
        for _ in 0..100_000 {
            let (ordered, random) = (ids.ordered(), ids.random());
            assert_eq!(
                (ordered.get_version_num(), random.get_version_num()),
                (7, 4)
            );
            assert!(seen.insert(ordered) && seen.insert(random));
        }
    }
}
