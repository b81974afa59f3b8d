//! Inserts of many rows by few statements: of 256, 32, 4 and 1 rows, so that each
//! is prepared once and a batch of a thousand takes a dozen. Each statement is a
//! way to the thread that SQLite runs on and back.

use std::sync::Arc;

use sqlx::error::BoxDynError;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::error::store_error;
use crate::store::StoreError;

const ROWS: [usize; 4] = [256, 32, 4, 1];

/// An insert into a table, for any number of rows.
pub(super) struct Insert {
    columns: usize,
    texts: [(usize, Arc<str>); 4],
}

impl Insert {
    /// `INSERT INTO {into} VALUES (…), … {after}`, where `into` names a table
    /// and `columns` columns.
    pub(super) fn new(into: &'static str, columns: usize, after: &'static str) -> Self {
        let row = format!("({})", vec!["?"; columns].join(","));
        let text = |rows: usize| {
            let values = vec![row.as_str(); rows].join(",");
            (
                rows,
                Arc::from(format!("INSERT INTO {into} VALUES {values} {after}")),
            )
        };
        Self {
            columns,
            texts: ROWS.map(text),
        }
    }

    /// Inserts a row for each item; `bind` adds the values of one.
    pub(super) async fn run<T: Sync>(
        &self,
        connection: &mut SqliteConnection,
        mut items: &[T],
        bind: impl Fn(&mut SqliteArguments, &T) -> Result<(), BoxDynError> + Send + Sync,
    ) -> Result<(), StoreError> {
        for (rows, text) in &self.texts {
            while let Some((now, later)) = items.split_at_checked(*rows) {
                let arguments = self.arguments(now, &bind)?;
                sqlx::query_with(AssertSqlSafe(Arc::clone(text)), arguments)
                    .execute(&mut *connection)
                    .await
                    .map_err(store_error)?;
                items = later;
            }
        }
        Ok(())
    }

    fn arguments<T>(
        &self,
        items: &[T],
        bind: &impl Fn(&mut SqliteArguments, &T) -> Result<(), BoxDynError>,
    ) -> Result<SqliteArguments, StoreError> {
        let mut arguments = SqliteArguments::default();
        sqlx::Arguments::reserve(&mut arguments, items.len() * self.columns, 0);
        for item in items {
            bind(&mut arguments, item)
                .map_err(|error| StoreError::Refused(sqlx::Error::Encode(error)))?;
        }
        Ok(arguments)
    }
}
