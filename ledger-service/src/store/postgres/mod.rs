//! The store on PostgreSQL: everything in the schema `ledger`.
//!
//! Shape: each writer has a connection of its own and appends by one statement;
//! reads and background work share a small pool. Positions become visible in
//! their order, because each append waits for the row of the log's head: who
//! reads after a position misses nothing.

mod accounts;
mod append;
mod connection;
mod error;
mod index;
mod load;
mod log;
mod partitions;
mod rebuild;
mod schema;
mod serving;
mod session;
mod statistics;
mod store;
mod uuid;
mod writer;

use std::sync::Arc;

use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{Connection, PgConnection};
use url::Url;

use self::partitions::Partitions;
use self::schema::Contents;
use super::row::unsigned;
use super::{Mode, SchemaError};

/// A store in a PostgreSQL database.
#[derive(Debug)]
pub struct PostgresStore {
    pool: PgPool,
    writing: PgConnectOptions,
    partitions: Arc<Partitions>,
}

impl PostgresStore {
    /// Connects; makes or migrates the schema unless `mode` only reads.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached or is not safe, or if the database is
    /// not ours or was made by a newer program.
    pub async fn connect(url: &Url, mode: Mode) -> Result<Self, SchemaError> {
        let store = Self {
            pool: connection::pool(url, mode)?,
            writing: connection::writing(url)?,
            partitions: Arc::default(),
        };
        let mut connection = connection::open(&connection::migrating(url)?).await?;
        store.prepare(&mut connection, mode).await?;
        // Nothing depends on how this connection ends.
        let _ = connection.close().await;
        Ok(store)
    }

    async fn prepare(&self, connection: &mut PgConnection, mode: Mode) -> Result<(), SchemaError> {
        let writes = mode != Mode::Read;
        schema::check_server(connection, writes).await?;
        match schema::look(connection).await? {
            Contents::Complete => {}
            Contents::Nothing if !writes => return Err(SchemaError::Missing),
            Contents::Older if !writes => return Err(SchemaError::Older),
            Contents::Nothing | Contents::Older => schema::migrate(connection).await?,
        }
        if mode == Mode::Write {
            serving::refuse_served(connection).await?;
        }
        if writes {
            let position = unsigned(schema::last_position(connection).await?)?;
            self.partitions.ensure(connection, position).await?;
        }
        Ok(())
    }
}
