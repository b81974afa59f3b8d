//! What both backends share: how their rows become our values. Columns are
//! taken by their place, as the statements beside each call list them.

use ledger_core::{Name, RequestId, Timestamp};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, ValueRef};

use super::statistics::joined;
use super::{
    AccountDay, DayCount, ExternalId, Figure, Head, IndexedEvent, NewEvent, Progress, RequestKey,
    Seen, StoreError, StoredAccount, StoredEvent, StoredExternalId, StoredRequest, TopAccount,
};

/// A row whose columns are integers of 64 bits, text and bytes.
pub(super) trait Columns {
    /// The integer in a column.
    fn int(&self, column: usize) -> Result<i64, StoreError>;
    /// The integer in a column that may be null.
    fn int_or_null(&self, column: usize) -> Result<Option<i64>, StoreError>;
    /// The text in a column.
    fn text(&self, column: usize) -> Result<Name, StoreError>;
    /// The text in a column that may be null.
    fn text_or_null(&self, column: usize) -> Result<Option<Name>, StoreError>;
    /// The bytes in a column.
    fn bytes(&self, column: usize) -> Result<&[u8], StoreError>;
    /// Whether a column is null.
    fn is_null(&self, column: usize) -> Result<bool, StoreError>;
}

macro_rules! columns {
    ($row:ty) => {
        impl Columns for $row {
            fn int(&self, column: usize) -> Result<i64, StoreError> {
                self.try_get(column).map_err(unreadable)
            }
            fn int_or_null(&self, column: usize) -> Result<Option<i64>, StoreError> {
                self.try_get(column).map_err(unreadable)
            }
            fn text(&self, column: usize) -> Result<Name, StoreError> {
                let text: &str = self.try_get(column).map_err(unreadable)?;
                Ok(text.into())
            }
            fn text_or_null(&self, column: usize) -> Result<Option<Name>, StoreError> {
                let text: Option<&str> = self.try_get(column).map_err(unreadable)?;
                Ok(text.map(Name::from))
            }
            fn bytes(&self, column: usize) -> Result<&[u8], StoreError> {
                self.try_get(column).map_err(unreadable)
            }
            fn is_null(&self, column: usize) -> Result<bool, StoreError> {
                Ok(self.try_get_raw(column).map_err(unreadable)?.is_null())
            }
        }
    };
}

columns!(PgRow);
columns!(SqliteRow);

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn unreadable(error: sqlx::Error) -> StoreError {
    StoreError::Damaged(error.to_string())
}

/// A number as the databases keep it. What they cannot keep, no log reaches.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A number that is never negative.
pub(super) fn unsigned(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| out_of_range(value))
}

fn narrow<T: TryFrom<i64>>(value: i64) -> Result<T, StoreError> {
    T::try_from(value).map_err(|_| out_of_range(value))
}

fn out_of_range(value: i64) -> StoreError {
    StoreError::Damaged(format!("a number is out of its range: {value}"))
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], StoreError> {
    bytes
        .try_into()
        .map_err(|_| StoreError::Damaged(format!("{} bytes where {N} belong", bytes.len())))
}

/// position, hash, recorded_at_us.
pub(super) fn head(row: &impl Columns, first: usize) -> Result<Head, StoreError> {
    Ok(Head {
        position: unsigned(row.int(first)?)?,
        hash: fixed::<32>(row.bytes(first + 1)?)?,
        recorded_at: Timestamp(row.int(first + 2)?),
    })
}

/// position, hash, recorded_at_us, clock.
pub(super) fn seen(row: &impl Columns) -> Result<Seen, StoreError> {
    Ok(Seen {
        head: head(row, 0)?,
        clock: Timestamp(row.int(3)?),
    })
}

/// position, body, hash.
pub(super) fn event(row: &impl Columns) -> Result<StoredEvent, StoreError> {
    Ok(StoredEvent {
        position: unsigned(row.int(0)?)?,
        body: row.bytes(1)?.to_vec(),
        hash: fixed::<32>(row.bytes(2)?)?,
    })
}

/// position, account, version, kind, refers_to, recorded_at_us, body, hash.
pub(super) fn event_with_copies(row: &impl Columns) -> Result<NewEvent, StoreError> {
    Ok(NewEvent {
        position: unsigned(row.int(0)?)?,
        account: row.text(1)?,
        version: unsigned(row.int(2)?)?,
        kind: narrow(row.int(3)?)?,
        refers_to: row.int_or_null(4)?.map(unsigned).transpose()?,
        recorded_at: Timestamp(row.int(5)?),
        body: row.bytes(6)?.to_vec(),
        hash: fixed::<32>(row.bytes(7)?)?,
    })
}

/// account, version, fold_version, state, due_at_us.
pub(super) fn account(row: &impl Columns, first: usize) -> Result<StoredAccount, StoreError> {
    Ok(StoredAccount {
        account: row.text(first)?,
        version: unsigned(row.int(first + 1)?)?,
        fold_version: narrow(row.int(first + 2)?)?,
        state: row.bytes(first + 3)?.to_vec(),
        due_at: row.int_or_null(first + 4)?.map(Timestamp),
    })
}

/// account, request_id, position, count, hash.
pub(super) fn request(row: &impl Columns, first: usize) -> Result<StoredRequest, StoreError> {
    Ok(StoredRequest {
        key: RequestKey {
            account: row.text(first)?,
            request_id: RequestId(fixed::<16>(row.bytes(first + 1)?)?),
        },
        position: unsigned(row.int(first + 2)?)?,
        count: narrow(row.int(first + 3)?)?,
        hash: fixed::<32>(row.bytes(first + 4)?)?,
    })
}

/// provider, merchant_account, kind, id, book, position.
pub(super) fn external_id(
    row: &impl Columns,
    first: usize,
) -> Result<StoredExternalId, StoreError> {
    Ok(StoredExternalId {
        external_id: ExternalId {
            provider: row.text(first)?,
            merchant_account: row.text(first + 1)?,
            kind: row.text(first + 2)?,
            id: row.text(first + 3)?,
        },
        book: row.text(first + 4)?.into(),
        position: unsigned(row.int(first + 5)?)?,
    })
}

/// account, position, kind, operation, operations_delta, recorded_at_us,
/// external_id.
pub(super) fn indexed_event(row: &impl Columns) -> Result<IndexedEvent, StoreError> {
    Ok(IndexedEvent {
        account: row.text(0)?,
        position: unsigned(row.int(1)?)?,
        kind: narrow(row.int(2)?)?,
        operation: row.text_or_null(3)?,
        operations_delta: row.int(4)?,
        recorded_at: Timestamp(row.int(5)?),
        external_id: row.text_or_null(6)?,
    })
}

/// position, counted.
pub(super) fn progress(row: &impl Columns) -> Result<Progress, StoreError> {
    Ok(Progress {
        indexed: unsigned(row.int(0)?)?,
        counted: unsigned(row.int(1)?)?,
    })
}

/// day, origin, metric, key, value.
pub(super) fn day_count(row: &impl Columns) -> Result<DayCount, StoreError> {
    Ok(DayCount {
        day: row.int(0)?,
        origin: row.text(1)?,
        metric: narrow(row.int(2)?)?,
        key: row.text(3)?,
        value: row.int(4)?,
    })
}

/// day, asset, account, origin, active, operations, spent.
pub(super) fn account_day(row: &impl Columns) -> Result<AccountDay, StoreError> {
    Ok(AccountDay {
        day: row.int(0)?,
        asset: row.text(1)?,
        account: row.text(2)?,
        origin: row.text(3)?,
        active: row.int(4)?,
        operations: row.int(5)?,
        spent: row.int(6)?,
    })
}

/// origin, metric, key, and the two parts of the sum.
pub(super) fn figure(row: &impl Columns) -> Result<Figure, StoreError> {
    Ok(Figure {
        origin: row.text_or_null(0)?,
        metric: narrow(row.int(1)?)?,
        key: row.text(2)?,
        value: joined(row.int(3)?, row.int(4)?),
    })
}

/// origin, count.
pub(super) fn active_accounts(row: &impl Columns) -> Result<(Option<Name>, i64), StoreError> {
    Ok((row.text_or_null(0)?, row.int(1)?))
}

/// account, operations, and the two parts of what was spent.
pub(super) fn top_account(row: &impl Columns) -> Result<TopAccount, StoreError> {
    Ok(TopAccount {
        account: row.text(0)?,
        operations: row.int(1)?,
        spent: joined(row.int(2)?, row.int(3)?),
    })
}

/// All rows, each read by `read`.
pub(super) fn all<R, T>(
    rows: &[R],
    read: impl Fn(&R) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    rows.iter().map(read).collect()
}

/// Heads that were read one after the other: the last, if all are the same.
pub(super) fn agreed(all_seen: &[Seen]) -> Option<Seen> {
    let last = all_seen.last()?;
    all_seen
        .iter()
        .all(|seen| seen.head == last.head)
        .then_some(*last)
}

/// Says `whole` unless the search of a position ended before it found one.
pub(super) fn searched(row: Option<&impl Columns>) -> Result<u64, StoreError> {
    let Some(row) = row else { return Ok(0) };
    let (low, high) = (row.int(0)?, row.int(1)?);
    if low == high {
        unsigned(low)
    } else {
        Err(StoreError::Damaged(format!(
            "there is no event between positions {low} and {high}"
        )))
    }
}

/// All positions of ranges, each once.
pub(super) fn positions(ranges: &[(u64, u32)]) -> Vec<i64> {
    let mut positions: Vec<i64> = ranges
        .iter()
        .flat_map(|&(first, count)| (0..u64::from(count)).map(move |offset| first + offset))
        .map(signed)
        .collect();
    positions.sort_unstable();
    positions.dedup();
    positions
}
