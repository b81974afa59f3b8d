//! Fresh databases, on SQLite and on the PostgreSQL server of `TEST_POSTGRES_URL`
//! (`postgres://postgres@127.0.0.1:PORT/postgres`), which `make test` starts and
//! sets.

use std::sync::atomic::{AtomicU32, Ordering};

use bot_gateway::inbox::DatabaseUrl;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A database of a test's own.
pub(crate) struct Database {
    pub(crate) url: String,
    _directory: Option<TempDir>,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!(
            "sqlite:///{}",
            directory.path().join("gateway.db").display()
        );
        Self {
            url,
            _directory: Some(directory),
        }
    }

    pub(crate) fn parsed(&self) -> DatabaseUrl {
        DatabaseUrl::parse(&self.url).unwrap()
    }

    /// Runs a statement of the test's own on it.
    pub(crate) async fn execute(&self, sql: &str) {
        match self.parsed() {
            DatabaseUrl::Sqlite(path) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new()
                    .filename(path)
                    .create_if_missing(true);
                let mut connection = sqlx::SqliteConnection::connect_with(&options)
                    .await
                    .unwrap();
                connection
                    .execute(AssertSqlSafe(sql.to_owned()))
                    .await
                    .unwrap();
                connection.close().await.unwrap();
            }
            DatabaseUrl::Postgres(_) => {
                let mut connection = PgConnection::connect(&self.url).await.unwrap();
                connection
                    .execute(AssertSqlSafe(sql.to_owned()))
                    .await
                    .unwrap();
                connection.close().await.unwrap();
            }
        }
    }
}

/// Runs a check on each backend.
pub(crate) async fn on_each(check: impl AsyncFn(&Database)) {
    check(&Database::sqlite()).await;
    // `make test` sets it.
    let server = std::env::var("TEST_POSTGRES_URL").unwrap();
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let name = format!("gateway_test_{}_{number}", std::process::id());
    let mut admin = PgConnection::connect(&server).await.unwrap();
    let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    admin.execute(AssertSqlSafe(drop.clone())).await.unwrap();
    admin
        .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .await
        .unwrap();
    let mut url = url::Url::parse(&server).unwrap();
    url.set_path(&name);
    check(&Database {
        url: url.to_string(),
        _directory: None,
    })
    .await;
    admin.execute(AssertSqlSafe(drop)).await.unwrap();
}
