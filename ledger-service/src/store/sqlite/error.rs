//! Which of our errors an error of SQLite is.

use sqlx::Error;

use crate::store::StoreError;

/// By the primary result code, never by the message.
pub(super) fn store_error(error: Error) -> StoreError {
    match &error {
        Error::Database(_) => match primary_code(&error) {
            // TOOBIG, CONSTRAINT, MISMATCH.
            Some(18..=20) => StoreError::Refused(error),
            // PERM, READONLY, IOERR, FULL, CANTOPEN, AUTH.
            Some(3 | 8 | 10 | 13 | 14 | 23) => StoreError::CannotWrite(error),
            // CORRUPT, SCHEMA that changed under us, NOTADB.
            Some(11 | 17 | 26) => StoreError::Damaged(error.to_string()),
            // BUSY, LOCKED, NOMEM, INTERRUPT, PROTOCOL (of WAL locks).
            Some(5 | 6 | 7 | 9 | 15) => StoreError::Busy(error),
            // ERROR: a statement that this schema does not have.
            _ => StoreError::Damaged(error.to_string()),
        },
        Error::PoolTimedOut => StoreError::Busy(error),
        Error::ColumnDecode { .. } | Error::Decode(_) | Error::ColumnIndexOutOfBounds { .. } => {
            StoreError::Damaged(error.to_string())
        }
        _ => StoreError::Lost(error),
    }
}

/// The low byte of SQLite's extended result code.
pub(super) fn primary_code(error: &Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<i32>().ok().map(|code| code & 0xff)
}
