//! Comparing statistics with what the events add up to.

use sha2::{Digest as _, Sha256};

use super::Findings;
use crate::store::{AccountDay, Counted, DayCount, SharedStore, StoreError};

/// How many rows are read at once.
const CHUNK_ROWS: u32 = 2_000;

/// The sum over figures of the hash of the key times the value. It is the same
/// whether a figure is one row or many, in whatever order, and two sets of figures
/// with the same sum are equal but for a chance of 2⁻¹²⁸.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures(u128);

impl Figures {
    /// Adds figures.
    pub(super) fn add(&mut self, counted: &Counted) {
        counted.days.iter().for_each(|count| self.add_count(count));
        counted.accounts.iter().for_each(|day| self.add_day(day));
    }

    fn add_count(&mut self, count: &DayCount) {
        let texts = [count.origin.as_str(), count.key.as_str()];
        self.add_value((count.day, count.metric), texts.as_slice(), count.value);
    }

    fn add_day(&mut self, day: &AccountDay) {
        let texts = [
            day.asset.as_str(),
            day.account.as_str(),
            day.origin.as_str(),
        ];
        let values = [day.active, day.operations, day.spent];
        for (column, value) in (0..).zip(values) {
            self.add_value((day.day, column), texts.as_slice(), value);
        }
    }

    /// Texts come with their lengths and number, so that no two keys are the same.
    fn add_value(&mut self, (day, number): (i64, u8), texts: &[&str], value: i64) {
        let mut hasher = Sha256::new();
        hasher.update(day.to_be_bytes());
        hasher.update([number]);
        for text in texts {
            hasher.update(text.len().to_be_bytes());
            hasher.update(text);
        }
        let digest: [u8; 32] = hasher.finalize().into();
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        let weight = i128::from(value).cast_unsigned();
        let weighted = u128::from_be_bytes(half).wrapping_mul(weight);
        self.0 = self.0.wrapping_add(weighted);
    }
}

/// The figures, which stand at `counted` when nobody counts meanwhile. When someone
/// does, they are left to the next time.
pub(super) async fn statistics(
    store: &SharedStore,
    book: &str,
    counted: u64,
    expected: &Figures,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let mut stored = Figures::default();
    let mut after = None;
    loop {
        let days = store
            .day_counts_after(book, after.as_ref(), CHUNK_ROWS)
            .await?;
        let Some(last) = days.last() else { break };
        after = Some(last.clone());
        days.iter().for_each(|count| stored.add_count(count));
    }
    let mut after = None;
    loop {
        let days = store
            .account_days_after(book, after.as_ref(), CHUNK_ROWS)
            .await?;
        let Some(last) = days.last() else { break };
        after = Some(last.clone());
        days.iter().for_each(|day| stored.add_day(day));
    }
    let has_moved = store.progress(book).await?.counted != counted;
    if stored != *expected && !has_moved {
        findings.add(format!(
            "statistics up to event {counted} are not what the events add up to; run \
             `ledger-service rebuild`"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{AccountDay, Counted, DayCount, Figures};

    fn sum(days: &[(i64, &str, u8, &str, i64)], accounts: &[(&str, [i64; 3])]) -> Figures {
        let day = |(day, origin, metric, key, value): &(i64, &str, u8, &str, i64)| DayCount {
            day: *day,
            origin: (*origin).into(),
            metric: *metric,
            key: (*key).into(),
            value: *value,
        };
        let account = |(account, [active, operations, spent]): &(&str, [i64; 3])| AccountDay {
            day: 1,
            asset: "RUB".into(),
            account: (*account).into(),
            origin: "bot".into(),
            active: *active,
            operations: *operations,
            spent: *spent,
        };
        let mut sum = Figures::default();
        sum.add(&Counted {
            days: days.iter().map(day).collect(),
            accounts: accounts.iter().map(account).collect(),
        });
        sum
    }

    #[test]
    fn rows_add_up_and_every_column_counts() {
        let whole = sum(&[(1, "a", 2, "k", 5)], &[("x", [1, 2, -3])]);
        let parts = sum(
            &[(1, "a", 2, "k", 7), (1, "a", 2, "k", -2)],
            &[("x", [0, 2, 0]), ("x", [1, 0, -3])],
        );
        assert_eq!(whole, parts);
        let others = [
            sum(&[(2, "a", 2, "k", 5)], &[("x", [1, 2, -3])]),
            sum(&[(1, "b", 2, "k", 5)], &[("x", [1, 2, -3])]),
            sum(&[(1, "a", 3, "k", 5)], &[("x", [1, 2, -3])]),
            sum(&[(1, "ak", 2, "", 5)], &[("x", [1, 2, -3])]),
            sum(&[(1, "a", 2, "k", 6)], &[("x", [1, 2, -3])]),
            sum(&[(1, "a", 2, "k", 5)], &[("y", [1, 2, -3])]),
            sum(&[(1, "a", 2, "k", 5)], &[("x", [2, 1, -3])]),
            sum(&[(1, "a", 2, "k", 5)], &[]),
            sum(&[], &[("x", [1, 2, -3])]),
        ];
        assert!(others.iter().all(|other| *other != whole));
    }
}
