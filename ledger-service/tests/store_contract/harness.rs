//! A fresh store for each test, and data to put into it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use ledger_core::{RequestId, Timestamp};
use ledger_service::store::{
    Address, Append, Appended, ExternalId, Head, LogWriter, Mode, NewEvent, RequestKey,
    SchemaError, SharedStore, StoredAccount, StoredRequest, Wanted, connect,
};
use sqlx::{AssertSqlSafe, PgPool, SqlitePool};
use tempfile::TempDir;

/// Makes a test of each backend out of `async fn name(place: Place) { … }`.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($place:ident: Place) $body:block)*) => {
        $(mod $name {
            use super::*;

            async fn check($place: Place) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                check(Place::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                check(Place::postgres().await).await;
            }
        })*
    };
}
pub(crate) use on_both;

/// Where a store may be: nothing is there yet.
pub(crate) struct Place {
    /// Its URL.
    pub(crate) url: String,
    directory: Option<TempDir>,
}

impl Place {
    /// A file in a new directory.
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            url: format!("sqlite:///{}/ledger.db", directory.path().display()),
            directory: Some(directory),
        }
    }

    /// A new database; nothing if there is no server to test with.
    pub(crate) async fn postgres() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server =
            std::env::var("TEST_POSTGRES_URL").expect("`make test` sets TEST_POSTGRES_URL");
        // Random, like the name of a temporary directory.
        let unique = tempfile::Builder::new().prefix("").tempdir().unwrap();
        let unique = unique
            .path()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("contract_{}_{number}_{unique}", std::process::id());
        let pool = PgPool::connect(&server).await.unwrap();
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE \"{name}\"")))
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
        let mut url = url::Url::parse(&server).unwrap();
        url.set_path(&name);
        Self {
            url: url.into(),
            directory: None,
        }
    }

    /// Whether this is PostgreSQL.
    pub(crate) fn is_postgres(&self) -> bool {
        self.directory.is_none()
    }

    /// The SQLite file.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.as_ref().unwrap().path().join("ledger.db")
    }

    /// Opens a store here.
    pub(crate) async fn connect(&self, mode: Mode) -> Result<SharedStore, SchemaError> {
        connect(&Address::parse(&self.url).unwrap(), mode).await
    }

    /// A store with the empty books `a` and `b`.
    pub(crate) async fn store(&self) -> SharedStore {
        let store = self.connect(Mode::Serve).await.unwrap();
        store.create_book("a").await.unwrap();
        store.create_book("b").await.unwrap();
        store
    }

    /// SQL past the store. Write `ledger.` before tables: SQLite's has none.
    pub(crate) async fn sql(&self, sql: &str) -> Result<u64, sqlx::Error> {
        if self.is_postgres() {
            let pool = PgPool::connect(&self.url).await?;
            let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&pool).await;
            pool.close().await;
            done.map(|done| done.rows_affected())
        } else {
            let pool = self.sqlite_pool().await?;
            let sql = sql.replace("ledger.", "");
            let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&pool).await;
            pool.close().await;
            done.map(|done| done.rows_affected())
        }
    }

    /// One number by SQL past the store.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        if self.is_postgres() {
            let pool = PgPool::connect(&self.url).await.unwrap();
            let number = sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_one(&pool)
                .await;
            pool.close().await;
            number.unwrap()
        } else {
            let pool = self.sqlite_pool().await.unwrap();
            let sql = sql.replace("ledger.", "");
            let number = sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_one(&pool)
                .await;
            pool.close().await;
            number.unwrap()
        }
    }

    async fn sqlite_pool(&self) -> Result<SqlitePool, sqlx::Error> {
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(self.file())
            .create_if_missing(true);
        SqlitePool::connect_with(options).await
    }

    /// How many rows each table of the write path has.
    pub(crate) async fn rows(&self) -> [i64; 4] {
        let mut rows = [0; 4];
        let tables = ["events", "requests", "external_ids", "accounts"];
        for (count, table) in rows.iter_mut().zip(tables) {
            *count = self
                .number(&format!("SELECT count(*) FROM ledger.{table}"))
                .await;
        }
        rows
    }
}

/// A hash that says which position it belongs to.
pub(crate) fn hash(position: u64) -> [u8; 32] {
    let mut hash = [7; 32];
    hash[..8].copy_from_slice(&position.to_be_bytes());
    hash
}

/// The head at a position. One second passes from event to event.
pub(crate) fn head(position: u64) -> Head {
    if position == 0 {
        return Head::default();
    }
    Head {
        position,
        hash: hash(position),
        recorded_at: at(position),
    }
}

/// When an event is recorded.
pub(crate) fn at(position: u64) -> Timestamp {
    Timestamp(i64::try_from(position).unwrap() * 1_000_000)
}

/// The id of a request.
pub(crate) fn id(number: u64) -> RequestId {
    RequestId((u128::from(number) << 64).to_be_bytes())
}

/// A request of an account.
pub(crate) fn key(account: &str, number: u64) -> RequestKey {
    RequestKey {
        account: account.into(),
        request_id: id(number),
    }
}

/// An id of a provider.
pub(crate) fn payment(id: &str) -> ExternalId {
    ExternalId {
        provider: "yookassa".into(),
        merchant_account: "shop".into(),
        kind: "payment".into(),
        id: id.into(),
    }
}

/// A state of an account.
pub(crate) fn state(account: &str, version: u64) -> StoredAccount {
    StoredAccount {
        account: account.into(),
        version,
        fold_version: 3,
        state: format!("{account} at {version}").into_bytes(),
        due_at: None,
    }
}

/// An event of an account.
pub(crate) fn event(account: &str, position: u64) -> NewEvent {
    NewEvent {
        position,
        account: account.into(),
        version: position,
        kind: 4,
        refers_to: None,
        recorded_at: at(position),
        body: format!("event {position}").into_bytes(),
        hash: hash(position),
    }
}

/// `count` events after a position, each of another request of `account`.
pub(crate) fn append(account: &str, after: u64, count: u64) -> Append {
    let positions = after + 1..=after + count;
    Append {
        believed: head(after),
        head: head(after + count),
        events: positions
            .clone()
            .map(|position| event(account, position))
            .collect(),
        requests: positions
            .map(|position| StoredRequest {
                key: key(account, position),
                position,
                count: 1,
                hash: hash(position),
            })
            .collect(),
        external_ids: Vec::new(),
        accounts: vec![state(account, after + count)],
    }
}

/// Appends what must succeed.
pub(crate) async fn done(writer: &mut dyn LogWriter, append: &Append) {
    let appended = writer.append(append).await.unwrap();
    assert!(matches!(appended, Appended::Done(_)), "{appended:?}");
}

/// Asks for accounts.
pub(crate) fn accounts(ids: &[&str]) -> Wanted {
    Wanted {
        accounts: ids.iter().map(|&id| id.into()).collect(),
        ..Wanted::default()
    }
}
