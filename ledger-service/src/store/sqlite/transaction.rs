//! Write transactions on the shared connection.

use sqlx::SqliteConnection;

use super::error::{primary_code, store_error};
use crate::store::StoreError;

/// What a transaction shall end with.
pub(super) enum End<T> {
    /// Its work stays.
    Commit(T),
    /// Nothing of it stays.
    Rollback(T),
}

/// Begins a transaction that may write: it takes the file's write lock at once.
pub(super) async fn begin(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    run(connection, "BEGIN IMMEDIATE")
        .await
        .map_err(store_error)
}

/// Ends a transaction as `work` says.
pub(super) async fn end<T>(
    connection: &mut SqliteConnection,
    work: Result<End<T>, StoreError>,
) -> Result<T, StoreError> {
    match work {
        Ok(End::Commit(value)) => commit(connection).await.map(|()| value),
        Ok(End::Rollback(value)) => rollback(connection).await.map(|()| value),
        Err(error) => {
            rollback(connection).await?;
            Err(error)
        }
    }
}

async fn commit(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let Err(error) = run(connection, "COMMIT").await else {
        return Ok(());
    };
    match store_error(error) {
        StoreError::Busy(error) => {
            rollback(connection).await?;
            Err(StoreError::Busy(error))
        }
        // What reached the disk of a commit that could not be written, only the
        // next opening of the file tells.
        StoreError::CannotWrite(error) => Err(StoreError::Lost(error)),
        error => Err(error),
    }
}

async fn rollback(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    match run(connection, "ROLLBACK").await {
        // A full disk has rolled back already: there is no transaction.
        Err(error) if primary_code(&error) == Some(1) => Ok(()),
        // It is still in the transaction: closing it rolls back.
        result => result.map_err(StoreError::Lost),
    }
}

async fn run(connection: &mut SqliteConnection, statement: &'static str) -> sqlx::Result<()> {
    sqlx::query(statement).execute(connection).await.map(drop)
}
