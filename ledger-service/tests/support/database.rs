//! A database for one test.

use std::sync::atomic::{AtomicU32, Ordering};

use ledger_service::store::{Address, Mode, SharedStore, connect};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A database for one test, empty at first.
pub(crate) struct Database {
    url: String,
    place: Place,
}

enum Place {
    /// One process serves a SQLite file, so all engines share one store.
    Sqlite {
        directory: TempDir,
        store: OnceCell<SharedStore>,
    },
    /// Each engine has a store, and connections, of its own.
    Postgres { server: String, name: String },
}

impl Database {
    /// A new SQLite file.
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:///{}", directory.path().join("ledger.db").display());
        Self {
            url,
            place: Place::Sqlite {
                directory,
                store: OnceCell::new(),
            },
        }
    }

    /// A new database on the server of `TEST_POSTGRES_URL`, which `make test`
    /// starts and sets.
    pub(crate) async fn postgres() -> Self {
        let server =
            std::env::var("TEST_POSTGRES_URL").expect("`make test` sets TEST_POSTGRES_URL");
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("engine_{}_{number}", std::process::id());
        let mut connection = PgConnection::connect(&server).await.unwrap();
        run(&mut connection, format!("DROP DATABASE IF EXISTS {name}")).await;
        run(
            &mut connection,
            format!("CREATE DATABASE {name} TEMPLATE template0"),
        )
        .await;
        connection.close().await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        let url = format!("{base}/{name}");
        Self {
            url,
            place: Place::Postgres { server, name },
        }
    }

    pub(crate) const fn is_postgres(&self) -> bool {
        matches!(self.place, Place::Postgres { .. })
    }

    /// A store as another instance of the service would have it.
    pub(crate) async fn store(&self) -> SharedStore {
        match &self.place {
            Place::Sqlite { store, .. } => store.get_or_init(|| open(&self.url)).await.clone(),
            Place::Postgres { .. } => open(&self.url).await,
        }
    }

    /// Runs SQL that is written for both backends, past the service. Tables of
    /// PostgreSQL are in the schema `ledger`, which is in the search path here.
    pub(crate) async fn execute(&self, sql: &str) {
        match &self.place {
            Place::Sqlite { directory, .. } => {
                let file = directory.path().join("ledger.db");
                let url = format!("sqlite://{}", file.display());
                let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
                let sql = AssertSqlSafe(sql.to_owned());
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
            Place::Postgres { .. } => {
                let mut connection = PgConnection::connect(&self.url).await.unwrap();
                run(&mut connection, "SET search_path = ledger".to_owned()).await;
                run(&mut connection, sql.to_owned()).await;
                connection.close().await.unwrap();
            }
        }
    }

    /// Ends every connection to this database and lets nobody in.
    /// PostgreSQL only.
    pub(crate) async fn shut(&self) {
        let Place::Postgres { server, name } = &self.place else {
            panic!("not PostgreSQL")
        };
        let mut connection = PgConnection::connect(server).await.unwrap();
        run(
            &mut connection,
            format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"),
        )
        .await;
        let end = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        );
        run(&mut connection, end).await;
        connection.close().await.unwrap();
    }

    /// Lets connections in again.
    pub(crate) async fn reopen(&self) {
        let Place::Postgres { server, name } = &self.place else {
            panic!("not PostgreSQL")
        };
        let mut connection = PgConnection::connect(server).await.unwrap();
        run(
            &mut connection,
            format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"),
        )
        .await;
        connection.close().await.unwrap();
    }

    /// Drops the database of a large test.
    pub(crate) async fn remove(self) {
        if let Place::Postgres { server, name } = &self.place {
            let mut connection = PgConnection::connect(server).await.unwrap();
            run(
                &mut connection,
                format!("DROP DATABASE {name} WITH (FORCE)"),
            )
            .await;
        }
    }
}

async fn open(url: &str) -> SharedStore {
    let address = Address::parse(url).unwrap();
    connect(&address, Mode::Serve).await.unwrap()
}

async fn run(connection: &mut PgConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .unwrap();
}
