//! The append.

use std::sync::{Arc, LazyLock};

use sqlx::{Arguments, SqliteConnection};

use super::accounts::put_accounts;
use super::clock;
use super::error::store_error;
use super::insert::Insert;
use super::transaction::{End, begin, end};
use crate::store::row::signed;
use crate::store::{Append, Appended, ExternalId, NewEvent, StoreError, StoredRequest};

static EVENTS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "events (book, position, account, version, kind, refers_to, recorded_at_us, body, hash)",
        9,
        "",
    )
});

static REQUESTS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "requests (request_id, book, account, position, count, hash)",
        6,
        "",
    )
});

static EXTERNAL_IDS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "external_ids (provider, merchant_account, kind, id, book, position)",
        6,
        "",
    )
});

/// Appends in a transaction of its own, which holds the file's write lock from
/// before the head is compared until the commit.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    book: &Arc<str>,
    append: &Append,
) -> Result<Appended, StoreError> {
    begin(connection).await?;
    let work = write(connection, book, append).await;
    end(connection, work).await
}

async fn write(
    connection: &mut SqliteConnection,
    book: &Arc<str>,
    append: &Append,
) -> Result<End<Appended>, StoreError> {
    if !move_head(connection, book, append).await? {
        return Ok(End::Rollback(Appended::Lost));
    }
    put_events(connection, book, &append.events).await?;
    put_requests(connection, book, &append.requests).await?;
    put_external_ids(connection, book, &append.external_ids).await?;
    put_accounts(connection, book, &append.accounts).await?;
    Ok(End::Commit(Appended::Done(clock())))
}

/// Whether the head was where the writer believed it.
async fn move_head(
    connection: &mut SqliteConnection,
    book: &Arc<str>,
    append: &Append,
) -> Result<bool, StoreError> {
    let moved = sqlx::query(
        "UPDATE logs SET position = ?, hash = ?, recorded_at_us = ?
         WHERE book = ? AND position = ? AND hash = ?
         RETURNING position",
    )
    .bind(signed(append.head.position))
    .bind(append.head.hash.to_vec())
    .bind(append.head.recorded_at.0)
    .bind(Arc::clone(book))
    .bind(signed(append.believed.position))
    .bind(append.believed.hash.to_vec())
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    Ok(!moved.is_empty())
}

async fn put_events(
    connection: &mut SqliteConnection,
    book: &Arc<str>,
    events: &[NewEvent],
) -> Result<(), StoreError> {
    EVENTS
        .run(connection, events, |row, event| {
            row.add(Arc::clone(book))?;
            row.add(signed(event.position))?;
            row.add(event.account.as_str())?;
            row.add(signed(event.version))?;
            row.add(i64::from(event.kind))?;
            row.add(event.refers_to.map(signed))?;
            row.add(event.recorded_at.0)?;
            row.add(event.body.as_slice())?;
            row.add(event.hash.as_slice())
        })
        .await
}

async fn put_requests(
    connection: &mut SqliteConnection,
    book: &Arc<str>,
    requests: &[StoredRequest],
) -> Result<(), StoreError> {
    REQUESTS
        .run(connection, requests, |row, request| {
            row.add(request.key.request_id.0.as_slice())?;
            row.add(Arc::clone(book))?;
            row.add(request.key.account.as_str())?;
            row.add(signed(request.position))?;
            row.add(i64::from(request.count))?;
            row.add(request.hash.as_slice())
        })
        .await
}

async fn put_external_ids(
    connection: &mut SqliteConnection,
    book: &Arc<str>,
    external_ids: &[(ExternalId, u64)],
) -> Result<(), StoreError> {
    EXTERNAL_IDS
        .run(connection, external_ids, |row, (external_id, position)| {
            row.add(external_id.provider.as_str())?;
            row.add(external_id.merchant_account.as_str())?;
            row.add(external_id.kind.as_str())?;
            row.add(external_id.id.as_str())?;
            row.add(Arc::clone(book))?;
            row.add(signed(*position))
        })
        .await
}
