//! Which of our errors an error of PostgreSQL is.

use sqlx::Error;

use crate::store::StoreError;

/// By SQLSTATE, never by the message.
pub(super) fn store_error(error: Error) -> StoreError {
    match &error {
        Error::Database(database) => {
            let code = database.code().unwrap_or_default().into_owned();
            by_sqlstate(&code, error)
        }
        Error::PoolTimedOut => StoreError::Busy(error),
        Error::Encode(_) => StoreError::Refused(error),
        Error::ColumnDecode { .. } | Error::Decode(_) | Error::ColumnIndexOutOfBounds { .. } => {
            StoreError::Damaged(error.to_string())
        }
        _ => StoreError::Lost(error),
    }
}

fn by_sqlstate(code: &str, error: Error) -> StoreError {
    let class = code.get(..2).unwrap_or_default();
    match (class, code) {
        // Data, integrity (also that of our triggers), program limits.
        ("22" | "23" | "54", _) => StoreError::Refused(error),
        // No more disk, a file that cannot be written, a server or role that
        // may only read.
        (_, "53100" | "25006" | "42501") | ("58", _) => StoreError::CannotWrite(error),
        // A connection that fails; a server that ends, restarts or ends the
        // session, e.g. one that idled in a transaction (25P03) or that was in
        // one for too long (25P04).
        ("08", _) | (_, "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" | "25P04") => {
            StoreError::Lost(error)
        }
        // A prepared statement that is gone, or whose result has another shape
        // since a migration: a new connection prepares it anew.
        (_, "26000" | "0A000") => StoreError::Lost(error),
        // Tables and columns that are not there; pages that cannot be read.
        ("42" | "3F", _) | (_, "XX001" | "XX002") => StoreError::Damaged(error.to_string()),
        // Locks, deadlocks, resources, cancelled statements and whatever else
        // ended the statement without ending the connection.
        _ => StoreError::Busy(error),
    }
}
