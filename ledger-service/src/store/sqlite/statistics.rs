//! Statistics: adding to figures, and summing them up.

use std::sync::{Arc, LazyLock};

use sqlx::sqlite::{SqliteArguments, SqliteExecutor};
use sqlx::{Arguments, SqliteConnection, SqlitePool};

use super::error::store_error;
use super::index::progress;
use super::insert::Insert;
use crate::store::row::{self, figure, top_account};
use crate::store::statistics::OTHER_KEYS;
use crate::store::{
    AccountDay, Counted, DayCount, Figure, Statistics, StatisticsQuery, StoreError, TopAccount,
};

/// A sum beyond 64 bits stays at the bound: in SQLite it is no integer any more.
macro_rules! add {
    ($column:literal) => {
        concat!(
            $column,
            " = CASE WHEN typeof(",
            $column,
            " + excluded.",
            $column,
            ") = 'integer' THEN ",
            $column,
            " + excluded.",
            $column,
            " WHEN excluded.",
            $column,
            " > 0 THEN 9223372036854775807 ELSE -9223372036854775807 - 1 END"
        )
    };
}

static DAYS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "statistics (book, day, origin, metric, key, value)",
        6,
        concat!(
            "ON CONFLICT (book, day, origin, metric, key) DO UPDATE SET ",
            add!("value")
        ),
    )
});

static ACCOUNTS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "account_days (book, day, asset, account, origin, active, operations, spent)",
        8,
        concat!(
            "ON CONFLICT (book, day, asset, account, origin) DO UPDATE SET ",
            add!("active"),
            ", ",
            add!("operations"),
            ", ",
            add!("spent")
        ),
    )
});

/// Adds to figures.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    book: &Arc<str>,
    counted: &Counted,
) -> Result<(), StoreError> {
    DAYS.run(
        connection,
        &counted.days,
        |row: &mut SqliteArguments, count| {
            row.add(Arc::clone(book))?;
            row.add(count.day)?;
            row.add(count.origin.as_str())?;
            row.add(i64::from(count.metric))?;
            row.add(count.key.as_str())?;
            row.add(count.value)
        },
    )
    .await?;
    ACCOUNTS
        .run(
            connection,
            &counted.accounts,
            |row: &mut SqliteArguments, day| {
                row.add(Arc::clone(book))?;
                row.add(day.day)?;
                row.add(day.asset.as_str())?;
                row.add(day.account.as_str())?;
                row.add(day.origin.as_str())?;
                row.add(day.active)?;
                row.add(day.operations)?;
                row.add(day.spent)
            },
        )
        .await
}

/// Empties the figures of a book.
pub(super) async fn empty(connection: &mut SqliteConnection, book: &str) -> Result<(), StoreError> {
    for deletion in [
        "DELETE FROM statistics WHERE book = $1",
        "DELETE FROM account_days WHERE book = $1",
    ] {
        sqlx::query(deletion)
            .bind(book)
            .execute(&mut *connection)
            .await
            .map_err(store_error)?;
    }
    Ok(())
}

/// Up to `limit` figures after one, in the order of their keys.
pub(super) async fn days_after(
    on: impl SqliteExecutor<'_>,
    book: &str,
    after: Option<&DayCount>,
    limit: u32,
) -> Result<Vec<DayCount>, StoreError> {
    let rows = sqlx::query(
        "SELECT day, origin, metric, key, value FROM statistics
         WHERE book = $1 AND (day, origin, metric, key) > ($2, $3, $4, $5)
         ORDER BY day, origin, metric, key LIMIT $6",
    )
    .bind(book)
    .bind(after.map_or(i64::MIN, |after| after.day))
    .bind(after.map_or("", |after| after.origin.as_str()))
    .bind(after.map_or(0, |after| i64::from(after.metric)))
    .bind(after.map_or("", |after| after.key.as_str()))
    .bind(i64::from(limit))
    .fetch_all(on)
    .await
    .map_err(store_error)?;
    row::all(&rows, row::day_count)
}

/// Up to `limit` days of accounts after one, in the order of their keys.
pub(super) async fn account_days_after(
    on: impl SqliteExecutor<'_>,
    book: &str,
    after: Option<&AccountDay>,
    limit: u32,
) -> Result<Vec<AccountDay>, StoreError> {
    let rows = sqlx::query(
        "SELECT day, asset, account, origin, active, operations, spent FROM account_days
         WHERE book = $1 AND (day, asset, account, origin) > ($2, $3, $4, $5)
         ORDER BY day, asset, account, origin LIMIT $6",
    )
    .bind(book)
    .bind(after.map_or(i64::MIN, |after| after.day))
    .bind(after.map_or("", |after| after.asset.as_str()))
    .bind(after.map_or("", |after| after.account.as_str()))
    .bind(after.map_or("", |after| after.origin.as_str()))
    .bind(i64::from(limit))
    .fetch_all(on)
    .await
    .map_err(store_error)?;
    row::all(&rows, row::account_day)
}

/// Statistics of a book, all of one moment.
pub(super) async fn statistics(
    pool: &SqlitePool,
    book: &str,
    query: &StatisticsQuery,
) -> Result<Statistics, StoreError> {
    let mut reading = pool.begin().await.map_err(store_error)?;
    let whole = (i64::MIN, i64::MAX);
    let period = (query.first_day, query.last_day);
    let statistics = Statistics {
        position: progress(&mut *reading, book).await?.counted,
        all_time: figures(&mut reading, book, query, whole).await?,
        period: figures(&mut reading, book, query, period).await?,
        active: active(&mut reading, book, query).await?,
        top: top(&mut reading, book, query).await?,
    };
    // It only read: whatever ending says, nothing depends on it.
    let _ = reading.rollback().await;
    Ok(statistics)
}

async fn figures(
    connection: &mut SqliteConnection,
    book: &str,
    query: &StatisticsQuery,
    (first_day, last_day): (i64, i64),
) -> Result<Vec<Figure>, StoreError> {
    let over_all =
        "SELECT NULL, metric, CASE WHEN place <= $5 THEN key ELSE $6 END, sum(high), sum(low)
         FROM (
             SELECT metric, key, high, low, row_number() OVER (
                 PARTITION BY metric ORDER BY high DESC, low DESC, key
             ) AS place
             FROM (
                 SELECT metric, key, sum(value / 1000000000) AS high, sum(value % 1000000000) AS low
                 FROM statistics
                 WHERE book = $1 AND day BETWEEN $2 AND $3 AND ($4 IS NULL OR origin = $4)
                 GROUP BY metric, key
             )
         )
         GROUP BY 2, 3 ORDER BY 2, 3";
    let by_origin =
        "SELECT origin, metric, CASE WHEN place <= $5 THEN key ELSE $6 END, sum(high), sum(low)
         FROM (
             SELECT origin, metric, key, high, low, row_number() OVER (
                 PARTITION BY origin, metric ORDER BY high DESC, low DESC, key
             ) AS place
             FROM (
                 SELECT origin, metric, key, sum(value / 1000000000) AS high,
                        sum(value % 1000000000) AS low
                 FROM statistics
                 WHERE book = $1 AND day BETWEEN $2 AND $3 AND origin IN (
                     SELECT DISTINCT origin FROM statistics
                     WHERE book = $1 AND ($4 IS NULL OR origin = $4)
                     ORDER BY origin LIMIT $7
                 )
                 GROUP BY origin, metric, key
             )
         )
         GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";
    let mut found = Vec::new();
    for statement in [over_all, by_origin] {
        let rows = sqlx::query(statement)
            .bind(book)
            .bind(first_day)
            .bind(last_day)
            .bind(query.origin.as_deref())
            .bind(i64::from(query.keys_max))
            .bind(OTHER_KEYS)
            .bind(i64::from(query.origins_max))
            .fetch_all(&mut *connection)
            .await
            .map_err(store_error)?;
        found.extend(row::all(&rows, figure)?);
    }
    Ok(found)
}

async fn active(
    connection: &mut SqliteConnection,
    book: &str,
    query: &StatisticsQuery,
) -> Result<Vec<(Option<ledger_core::Name>, i64)>, StoreError> {
    let over_all = "SELECT NULL, count(DISTINCT account) FROM account_days
         WHERE book = $1 AND day BETWEEN $2 AND $3 AND active > 0
               AND ($4 IS NULL OR origin = $4)";
    let by_origin = "SELECT origin, count(DISTINCT account) FROM account_days
         WHERE book = $1 AND day BETWEEN $2 AND $3 AND active > 0
               AND ($4 IS NULL OR origin = $4)
         GROUP BY origin ORDER BY origin LIMIT $5";
    let mut found = Vec::new();
    for statement in [over_all, by_origin] {
        let rows = sqlx::query(statement)
            .bind(book)
            .bind(query.first_day)
            .bind(query.last_day)
            .bind(query.origin.as_deref())
            .bind(i64::from(query.origins_max))
            .fetch_all(&mut *connection)
            .await
            .map_err(store_error)?;
        found.extend(row::all(&rows, row::active_accounts)?);
    }
    Ok(found)
}

async fn top(
    connection: &mut SqliteConnection,
    book: &str,
    query: &StatisticsQuery,
) -> Result<Vec<TopAccount>, StoreError> {
    let by_operations = "SELECT account, sum(operations), 0, 0 FROM account_days
         WHERE book = $1 AND day BETWEEN $2 AND $3 AND ($4 IS NULL OR origin = $4)
         GROUP BY account HAVING sum(operations) > 0
         ORDER BY 2 DESC, account LIMIT $5";
    let by_spent = "SELECT account, sum(operations), sum(spent / 1000000000),
                sum(spent % 1000000000) FROM account_days
         WHERE book = $1 AND day BETWEEN $2 AND $3 AND ($4 IS NULL OR origin = $4) AND asset = $6
         GROUP BY account HAVING total(spent) > 0
         ORDER BY total(spent) DESC, account LIMIT $5";
    let statement = match query.top_asset {
        Some(_) => by_spent,
        None => by_operations,
    };
    let rows = sqlx::query(statement)
        .bind(book)
        .bind(query.first_day)
        .bind(query.last_day)
        .bind(query.origin.as_deref())
        .bind(i64::from(query.top_max))
        .bind(query.top_asset.as_deref())
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    row::all(&rows, top_account)
}
