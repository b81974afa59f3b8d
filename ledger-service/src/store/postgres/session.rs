//! Sessions of the server: which one a connection has, and ending one that was
//! given up, so that what it was doing is done or will never be.

use sqlx::PgConnection;

use super::error::store_error;
use crate::store::StoreError;

/// How long the server may take to end a session, in milliseconds.
const END_TIME_MAX_MS: i64 = 2_000;

/// A session. Process ids are used again, so its beginning belongs to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    process_id: i32,
    began_at_us: i64,
}

/// The session of a connection.
pub(super) async fn of(connection: &mut PgConnection) -> Result<Session, StoreError> {
    let (process_id, began_at_us) = sqlx::query_as(
        "SELECT pid, (extract(epoch FROM backend_start) * 1000000)::bigint
         FROM pg_stat_activity WHERE pid = pg_backend_pid()",
    )
    .fetch_one(connection)
    .await
    .map_err(store_error)?;
    Ok(Session {
        process_id,
        began_at_us,
    })
}

/// Ends a session of the same role and waits until it is gone: its transaction
/// is then committed or rolled back, and what it had not read yet is never
/// read.
///
/// One that waits for a synchronous standby is left to wait: its transaction is
/// committed here, and ending the wait would show what no standby has.
///
/// # Errors
/// [`StoreError::Busy`] if it is not gone yet.
pub(super) async fn end(
    connection: &mut PgConnection,
    session: Session,
    book: &str,
) -> Result<(), StoreError> {
    let is_gone: Option<bool> = sqlx::query_scalar(
        "SELECT CASE WHEN wait_event = 'SyncRep' THEN false
                     ELSE pg_terminate_backend(pid, $3) END
         FROM pg_stat_activity
         WHERE pid = $1 AND (extract(epoch FROM backend_start) * 1000000)::bigint = $2",
    )
    .bind(session.process_id)
    .bind(session.began_at_us)
    .bind(END_TIME_MAX_MS)
    .fetch_optional(connection)
    .await
    .map_err(store_error)?;
    match is_gone {
        None => Ok(()),
        Some(true) => {
            tracing::debug!(book, "a session that was given up has been ended");
            Ok(())
        }
        Some(false) => Err(StoreError::Busy(sqlx::Error::Protocol(
            "a session that was given up is still at work".into(),
        ))),
    }
}
