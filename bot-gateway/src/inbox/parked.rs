//! The parked rows, for the person who looks at them.

use super::{Error, Inbox, Pool, RowState, count, on_pool};

/// A parked row without its body, which may hold personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// Its number.
    pub id: i64,
    /// Where it came in.
    pub door: String,
    /// What its sender calls it.
    pub source_key: String,
    /// When it came in, Unix milliseconds.
    pub received_at_ms: i64,
    /// Attempts that failed.
    pub attempts: u32,
    /// Why it is parked.
    pub reason: String,
    /// Whether there is a body to try again with.
    pub has_body: bool,
}

/// What became of the wish to have a parked row tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retried {
    /// It waits, as if it had just come in.
    Waits,
    /// It isn't parked.
    NotParked(RowState),
    /// It has no body: it came without one, or was parked for too long.
    NoBody,
    /// There is no row with this id.
    Unknown,
}

const LIST: &str = "SELECT id, door, source_key, received_at_ms, attempts, \
         COALESCE(last_error, ''), length(body) > 0 \
     FROM inbox WHERE state = 'parked' AND id > $1 ORDER BY id LIMIT $2";
/// The reason stays until the row is done, should somebody ask in between.
const RETRY: &str = "UPDATE inbox SET state = 'waiting', attempts = 0, next_attempt_at_ms = 0 \
     WHERE id = $1 AND state = 'parked' AND length(body) > 0";

type RawParked = (i64, String, String, i64, i64, String, bool);

impl Inbox {
    /// Up to `rows_max` parked rows behind the one called `after_id` (0 for
    /// the first), the oldest first.
    ///
    /// # Errors
    /// If the database isn't available.
    pub async fn parked(&self, after_id: i64, rows_max: i64) -> Result<Vec<Parked>, Error> {
        let rows: Vec<RawParked> = on_pool!(self, pool => sqlx::query_as(LIST)
            .bind(after_id)
            .bind(rows_max)
            .fetch_all(pool)
            .await)
        .map_err(Error::unavailable)?;
        Ok(rows.into_iter().map(parked).collect())
    }

    /// Has a parked row tried again, from its first attempt. A gateway that
    /// runs finds it by itself.
    ///
    /// # Errors
    /// If the database isn't available.
    pub async fn retry(&self, id: i64) -> Result<Retried, Error> {
        let changed = on_pool!(self, pool => sqlx::query(RETRY)
            .bind(id)
            .execute(pool)
            .await
            .map(|done| done.rows_affected()))
        .map_err(Error::unavailable)?;
        if changed > 0 {
            return Ok(Retried::Waits);
        }
        Ok(match self.find(id).await? {
            None => Retried::Unknown,
            Some(row) if row.state == "parked" => Retried::NoBody,
            Some(row) => Retried::NotParked(row),
        })
    }
}

fn parked(row: RawParked) -> Parked {
    let (id, door, source_key, received_at_ms, attempts, reason, has_body) = row;
    Parked {
        id,
        door,
        source_key,
        received_at_ms,
        attempts: count(attempts),
        reason,
        has_body,
    }
}
