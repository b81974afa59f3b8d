//! Opening a store: first looking, without touching anything, whether the
//! database is ours, safe and not newer than this program; then migrating.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use sqlx::SqlSafeStr;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use thiserror::Error;

use super::address::{Address, Place};
use super::{PostgresStore, SharedStore, SqliteStore, StoreError};
use crate::limits::LEASE_DURATION;

/// What a store is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// For the service.
    Serve,
    /// For a command that writes while no service runs, e.g. `rebuild`: refused
    /// while one does.
    Write,
    /// For a command that only reads, e.g. `verify`: takes no file lock and
    /// migrates nothing, so it may run beside the service.
    Read,
}

/// Why a store cannot be opened. Unless it says otherwise, nothing was touched.
#[derive(Debug, Error)]
pub enum SchemaError {
    /// Tables of another program and none of ours.
    #[error(
        "this database belongs to another program (it has tables {}); the ledger keeps its own: \
         set LEDGER_DATABASE_URL to {remedy}. Nothing was changed", .tables.join(", ")
    )]
    Foreign {
        /// Some of the tables.
        tables: Vec<String>,
        /// What to give the ledger instead.
        remedy: &'static str,
    },
    /// Not a database at all.
    #[error("{} is not a SQLite database; nothing was changed", .0.display())]
    NotADatabase(PathBuf),
    /// There is nothing to read yet.
    #[error("there is no ledger in this database yet: the service makes it at its first start")]
    Missing,
    /// A schema that an older program made, and this one may not migrate.
    #[error("the schema is older than this program: start the service once, it migrates it")]
    Older,
    /// A schema that a newer program made.
    #[error(
        "the schema is newer than this program ({program}): {reason}; run the newer version. \
         Nothing was changed"
    )]
    Newer {
        /// Our version.
        program: &'static str,
        /// How it shows.
        reason: String,
    },
    /// A migration is not what it was when it was applied, or was left halfway.
    #[error("the schema is not what its migrations make")]
    Diverged(#[source] MigrateError),
    /// A migration failed; what it had done was rolled back.
    #[error("the schema could not be migrated")]
    Migrate(#[source] MigrateError),
    /// PostgreSQL before 14.
    #[error("PostgreSQL {0} is too old: the ledger needs 14 or newer")]
    ServerTooOld(String),
    /// A server that forgets what it acknowledged.
    #[error(
        "the server runs with {setting} = off: after a power failure it would have lost \
         acknowledged payments. Set {setting} = on in postgresql.conf"
    )]
    Unsafe {
        /// The setting.
        setting: String,
    },
    /// Another process writes to this file.
    #[error(
        "another ledger process has {} open: one process serves a SQLite file (commands that \
         write go through the running service)", .0.display()
    )]
    InUse(PathBuf),
    /// A service runs on this database.
    #[error(
        "a ledger service is using this database: stop all of its instances first (one that was \
         killed counts for {} seconds more)", LEASE_DURATION.as_secs()
    )]
    Served,
    /// A directory or file cannot be made or opened.
    #[error("cannot open {}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database cannot be reached or asked.
    #[error("cannot open the database")]
    Store(#[from] StoreError),
}

/// Opens a store, in a way that fits what it is for.
///
/// # Errors
///
/// If the database cannot be reached, is not ours, not safe, in use, or does
/// not fit this program.
pub async fn connect(address: &Address, mode: Mode) -> Result<SharedStore, SchemaError> {
    Ok(match address.place() {
        Place::Postgres(url) => Arc::new(PostgresStore::connect(url, mode).await?),
        Place::Sqlite(path) => Arc::new(SqliteStore::connect(path, mode).await?),
    })
}

/// The version of this program.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// The migrations of a backend: number, name, script.
pub(super) type Scripts = &'static [(i64, &'static str, &'static str)];

/// The migrator of a backend, whose records are in `table`.
pub(super) fn migrator(scripts: Scripts, table: &'static str) -> Migrator {
    let migrations = scripts
        .iter()
        .map(|&(version, name, script)| {
            let sql = script.into_sql_str();
            Migration::new(version, name.into(), MigrationType::Simple, sql, false)
        })
        .collect();
    let mut migrator = Migrator::with_migrations(migrations);
    migrator.dangerous_set_table_name(table);
    migrator
}

/// What a failed migration means.
pub(super) fn migration_failed(error: MigrateError) -> SchemaError {
    match error {
        MigrateError::VersionMissing(version) => newer_migration(version),
        MigrateError::VersionMismatch(_) | MigrateError::Dirty(_) => SchemaError::Diverged(error),
        error => SchemaError::Migrate(error),
    }
}

/// What a database says of its schema.
#[derive(Debug)]
pub(super) struct Found {
    /// The numbers of the applied migrations and the checksums of their scripts.
    pub(super) applied: Vec<(i64, Vec<u8>)>,
    /// The oldest version of the service that may run on it.
    pub(super) oldest_service: Option<String>,
}

impl Found {
    /// Whether nothing is left to migrate; refuses what this program does not
    /// know, what needs a newer one, and what was made by another script.
    pub(super) fn is_complete(&self, migrator: &Migrator) -> Result<bool, SchemaError> {
        for (version, checksum) in &self.applied {
            match migrator.iter().find(|known| known.version == *version) {
                None => return Err(newer_migration(*version)),
                Some(known) if *known.checksum != **checksum => {
                    let error = MigrateError::VersionMismatch(*version);
                    return Err(SchemaError::Diverged(error));
                }
                Some(_) => {}
            }
        }
        match self.oldest_service.as_deref() {
            Some(oldest) if version_of(oldest) > version_of(PROGRAM) => Err(SchemaError::Newer {
                program: PROGRAM,
                reason: format!("it needs {oldest} or newer"),
            }),
            _ => Ok(self.applied.len() == migrator.iter().count()),
        }
    }
}

fn newer_migration(version: i64) -> SchemaError {
    SchemaError::Newer {
        program: PROGRAM,
        reason: format!("migration {version} is unknown here"),
    }
}

/// Something to compare; what is not a version is newer than all.
fn version_of(text: &str) -> [u64; 3] {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let mut parts = core.split('.').map(|part| part.parse().unwrap_or(u64::MAX));
    [(); 3].map(|()| parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::{Found, SchemaError, migrator, version_of};

    fn found(versions: &[i64], oldest: &str) -> Result<bool, SchemaError> {
        let migrator = migrator(&[(1, "one", "SELECT 1"), (2, "two", "SELECT 2")], "ours");
        let checksum = |version| {
            let known = migrator.iter().find(|known| known.version == version);
            known.map_or_else(Vec::new, |known| known.checksum.to_vec())
        };
        Found {
            applied: versions
                .iter()
                .map(|&version| (version, checksum(version)))
                .collect(),
            oldest_service: Some(oldest.to_owned()),
        }
        .is_complete(&migrator)
    }

    #[test]
    fn versions_are_compared_by_number() {
        assert!(version_of("0.10.0") > version_of("0.9.9"));
        assert!(version_of("1.0.0") > version_of("0.99.0"));
        assert_eq!(version_of("0.1.0-dev"), version_of("0.1.0"));
        assert!(version_of("garbage") > version_of("999.0.0"));
    }

    #[test]
    fn a_schema_is_complete_with_all_migrations() {
        assert!(found(&[1, 2], "0.0.1").unwrap());
        assert!(!found(&[1], "0.0.1").unwrap());
    }

    #[test]
    fn a_newer_schema_is_refused_by_migration_or_by_version() {
        for result in [found(&[1, 2, 3], "0.0.1"), found(&[1, 2], "999.0.0")] {
            assert!(
                matches!(result, Err(SchemaError::Newer { .. })),
                "{result:?}"
            );
        }
    }

    #[test]
    fn a_changed_script_is_refused() {
        let migrator = migrator(&[(1, "one", "SELECT 1")], "ours");
        let found = Found {
            applied: vec![(1, b"another".to_vec())],
            oldest_service: None,
        };
        let result = found.is_complete(&migrator);
        assert!(
            matches!(result, Err(SchemaError::Diverged(_))),
            "{result:?}"
        );
    }
}
