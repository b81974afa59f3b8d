//! The append: one statement.

use sqlx::PgConnection;
use sqlx::postgres::PgBindIterExt;

use super::error::store_error;
use super::uuid::PgUuid;
use crate::store::row::{Columns, signed};
use crate::store::{Append, Appended, StoreError};
use ledger_core::Timestamp;

/// Moves the head from where the writer believes it to be, and adds the rest
/// beside it. Every part takes its rows from `head`: if the swap is lost, `head`
/// is empty, and so is all that each part inserts, although PostgreSQL runs the
/// parts whether they are referred to or not.
///
/// Who waits here for another append's row lock sees the moved head after it
/// (READ COMMITTED evaluates the condition again), and loses.
const APPEND: &str = r#"
WITH head AS (
    UPDATE ledger.logs SET position = $4, hash = $5, recorded_at_us = $6
    WHERE book = $1 AND position = $2 AND hash = $3
    RETURNING book, position
), new_events AS (
    INSERT INTO ledger.events
        (book, position, account, version, kind, refers_to, recorded_at_us, body, hash)
    SELECT head.book, e.*
    FROM head CROSS JOIN unnest(
        $7::bigint[], $8::text[], $9::bigint[], $10::smallint[], $11::bigint[], $12::bigint[],
        $13::bytea[], $14::bytea[]
    ) AS e
), new_requests AS (
    INSERT INTO ledger.requests (book, request_id, account, position, count, hash)
    SELECT head.book, r.*
    FROM head CROSS JOIN unnest(
        $15::uuid[], $16::text[], $17::bigint[], $18::integer[], $19::bytea[]
    ) AS r
), new_external_ids AS (
    INSERT INTO ledger.external_ids
        (book, provider, merchant_account, kind, id, position)
    SELECT head.book, x.*
    FROM head CROSS JOIN unnest(
        $20::text[], $21::text[], $22::text[], $23::text[], $24::bigint[]
    ) AS x
), new_states AS (
    INSERT INTO ledger.accounts AS old
        (book, account, version, fold_version, state, due_at_us)
    SELECT head.book, a.*
    FROM head CROSS JOIN unnest(
        $25::text[], $26::bigint[], $27::integer[], $28::bytea[], $29::bigint[]
    ) AS a
    ON CONFLICT (book, account) DO UPDATE SET
        version = excluded.version, fold_version = excluded.fold_version,
        state = excluded.state, due_at_us = excluded.due_at_us
)
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint FROM head
"#;

/// Appends, in the transaction that the connection is in, or in one of its own.
///
/// All rows are fetched, though there is one at the most: only then has the
/// server said that the statement, and with it its transaction, has ended well.
pub(super) async fn append(
    connection: &mut PgConnection,
    book: &str,
    append: &Append,
) -> Result<Appended, StoreError> {
    let (events, requests) = (&append.events, &append.requests);
    let (ids, states) = (&append.external_ids, &append.accounts);
    let heads = sqlx::query(APPEND)
        .bind(book)
        .bind(signed(append.believed.position))
        .bind(&append.believed.hash[..])
        .bind(signed(append.head.position))
        .bind(&append.head.hash[..])
        .bind(append.head.recorded_at.0)
        .bind(
            events
                .iter()
                .map(|event| signed(event.position))
                .bind_iter(),
        )
        .bind(
            events
                .iter()
                .map(|event| event.account.as_str())
                .bind_iter(),
        )
        .bind(events.iter().map(|event| signed(event.version)).bind_iter())
        .bind(events.iter().map(|event| i16::from(event.kind)).bind_iter())
        .bind(
            events
                .iter()
                .map(|event| event.refers_to.map(signed))
                .bind_iter(),
        )
        .bind(events.iter().map(|event| event.recorded_at.0).bind_iter())
        .bind(events.iter().map(|event| event.body.as_slice()).bind_iter())
        .bind(events.iter().map(|event| event.hash.as_slice()).bind_iter())
        .bind(
            requests
                .iter()
                .map(|request| PgUuid(request.key.request_id))
                .bind_iter(),
        )
        .bind(
            requests
                .iter()
                .map(|request| request.key.account.as_str())
                .bind_iter(),
        )
        .bind(
            requests
                .iter()
                .map(|request| signed(request.position))
                .bind_iter(),
        )
        .bind(
            requests
                .iter()
                .map(|request| request.count.cast_signed())
                .bind_iter(),
        )
        .bind(
            requests
                .iter()
                .map(|request| request.hash.as_slice())
                .bind_iter(),
        )
        .bind(ids.iter().map(|(id, _)| id.provider.as_str()).bind_iter())
        .bind(
            ids.iter()
                .map(|(id, _)| id.merchant_account.as_str())
                .bind_iter(),
        )
        .bind(ids.iter().map(|(id, _)| id.kind.as_str()).bind_iter())
        .bind(ids.iter().map(|(id, _)| id.id.as_str()).bind_iter())
        .bind(
            ids.iter()
                .map(|(_, position)| signed(*position))
                .bind_iter(),
        )
        .bind(
            states
                .iter()
                .map(|state| state.account.as_str())
                .bind_iter(),
        )
        .bind(states.iter().map(|state| signed(state.version)).bind_iter())
        .bind(
            states
                .iter()
                .map(|state| state.fold_version.cast_signed())
                .bind_iter(),
        )
        .bind(
            states
                .iter()
                .map(|state| state.state.as_slice())
                .bind_iter(),
        )
        .bind(
            states
                .iter()
                .map(|state| state.due_at.map(|due_at| due_at.0))
                .bind_iter(),
        )
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    match heads.first() {
        Some(row) => Ok(Appended::Done(Timestamp(row.int(0)?))),
        None => Ok(Appended::Lost),
    }
}
