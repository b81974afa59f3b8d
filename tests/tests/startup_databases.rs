//! A database that isn't the service's own, or that a newer version made, is
//! refused at the start, and is afterwards as it was.
#![cfg(test)]

use e2e_tests::{
    Backend, Database, Ledger,
    client::{balance_of, balances, credit, fresh_account},
    ledger::{Options, rebuild, verify},
    on_both_backends,
    process::Finished,
    sql::{execute, file, files_beside},
};
use sqlx::{Connection as _, PgConnection, Row as _};
use std::{collections::BTreeMap, fs, time::Duration};

/// A refusal takes no time; a busy machine does.
const REFUSED_DEADLINE: Duration = Duration::from_secs(60);

/// Everything that is in a database: each file's bytes, or each table's rows.
async fn contents(database: &Database) -> BTreeMap<String, Vec<u8>> {
    if let Some(file) = file(&database.url) {
        let mut files = files_beside(&file);
        // SQLite makes these for whoever reads a file in WAL mode; there is
        // nothing of the database in them.
        files.retain(|name, content| {
            !(name.ends_with("-shm") || name.ends_with("-wal") && content.is_empty())
        });
        return files;
    }
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let relations = sqlx::query(
        "SELECT format('%I.%I', n.nspname, c.relname) AS name,
                c.relkind IN ('r', 'p') AS is_table
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let mut contents = BTreeMap::new();
    for relation in relations {
        let name: String = relation.get("name");
        let mut rows = Vec::new();
        if relation.get("is_table") {
            let rows_of = format!(
                "SELECT coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '') FROM {name} t"
            );
            let text: String = sqlx::query_scalar(sqlx::AssertSqlSafe(rows_of))
                .fetch_one(&mut connection)
                .await
                .unwrap();
            rows = text.into_bytes();
        }
        contents.insert(name, rows);
    }
    let schemas: Vec<String> =
        sqlx::query_scalar("SELECT nspname::text FROM pg_namespace ORDER BY 1")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    contents.insert("schemas".to_owned(), schemas.join(",").into_bytes());
    contents
}

async fn start_is_refused(database: &Database) -> Finished {
    let before = contents(database).await;
    let finished = Options::media_lab(&database.url)
        .program()
        .run(REFUSED_DEADLINE)
        .await;
    assert_eq!(finished.status.code(), Some(1), "{}", finished.output());
    assert!(!finished.stdout.contains("ready"), "{}", finished.output());
    assert!(contents(database).await == before, "it was touched");
    finished
}

/// Makes a ledger with an event of each kind of a first credit, and stops.
async fn made(database: &Database) -> String {
    let mut ledger = Ledger::start(&Options::media_lab(&database.url)).await;
    let account = fresh_account();
    ledger.ledger().credit(credit(&account, 700)).await.unwrap();
    assert!(ledger.terminate().await.success());
    account
}

on_both_backends! {
    async fn a_database_of_another_program_is_refused(backend: Backend) {
        let database = backend.database().await;
        execute(
            &database,
            "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
             CREATE TABLE payments (id INTEGER PRIMARY KEY, amount INTEGER);
             INSERT INTO users VALUES (1, 'ann');
             INSERT INTO payments VALUES (1, 49900);",
        )
        .await;
        let refused = start_is_refused(&database).await;
        for part in ["another program", "payments", "users", "LEDGER_DATABASE_URL"] {
            assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
        }
        let before = contents(&database).await;
        for finished in [verify(&database.url).await, rebuild(&database.url).await] {
            assert_eq!(finished.status.code(), Some(1), "{}", finished.output());
        }
        assert!(contents(&database).await == before, "a command touched it");
    }

    async fn a_schema_that_needs_a_newer_version_is_refused(backend: Backend) {
        let database = backend.database().await;
        let account = made(&database).await;
        execute(&database, "UPDATE {ledger}meta SET value = '99.0.0' WHERE key = 'oldest_service'").await;
        let refused = start_is_refused(&database).await;
        for part in ["newer than this program", "99.0.0"] {
            assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
        }
        let finished = rebuild(&database.url).await;
        assert_eq!(finished.status.code(), Some(1), "{}", finished.output());

        // With the version back, everything is there.
        execute(&database, "UPDATE {ledger}meta SET value = '0.1.0' WHERE key = 'oldest_service'").await;
        let ledger = Ledger::start(&Options::media_lab(&database.url)).await;
        assert_eq!(balance_of(&balances(&ledger, &account).await, "RUB"), 700);
    }

    async fn a_migration_that_is_unknown_or_changed_is_refused(backend: Backend) {
        let database = backend.database().await;
        made(&database).await;
        let table = match backend {
            Backend::Sqlite => "ledger_migrations",
            Backend::Postgres => "ledger.migrations",
        };
        let copy = format!(
            "INSERT INTO {table} (version, description, installed_on, success, checksum, execution_time)
             SELECT 9999, 'later', installed_on, success, checksum, execution_time FROM {table} LIMIT 1"
        );
        execute(&database, &copy).await;
        let refused = start_is_refused(&database).await;
        assert!(refused.stderr.contains("migration 9999 is unknown"), "{}", refused.stderr);

        let checksum = match backend {
            Backend::Sqlite => "x'00'",
            Backend::Postgres => "'\\x00'",
        };
        execute(&database, &format!("DELETE FROM {table} WHERE version = 9999; UPDATE {table} SET checksum = {checksum}")).await;
        let refused = start_is_refused(&database).await;
        assert!(refused.stderr.contains("not what its migrations make"), "{}", refused.stderr);
    }

    async fn there_is_nothing_to_verify_before_the_first_start(backend: Backend) {
        let database = backend.database().await;
        let before = contents(&database).await;
        let finished = verify(&database.url).await;
        assert_eq!(finished.status.code(), Some(1), "{}", finished.output());
        assert!(finished.stderr.contains("no ledger in this database yet"), "{}", finished.stderr);
        assert!(contents(&database).await == before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_database_is_refused() {
    let database = Backend::Sqlite.database().await;
    let path = file(&database.url).unwrap();
    fs::write(&path, "just a text that somebody keeps here\n".repeat(200)).unwrap();
    let refused = start_is_refused(&database).await;
    let part = "is not a SQLite database";
    assert!(refused.stderr.contains(part), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_a_sqlite_file_is_refused() {
    let database = Backend::Sqlite.database().await;
    let options = Options::media_lab(&database.url);
    let ledger = Ledger::start(&options).await;
    let account = fresh_account();
    ledger.ledger().credit(credit(&account, 5)).await.unwrap();
    let refused = options.program().run(REFUSED_DEADLINE).await;
    assert_eq!(refused.status.code(), Some(1), "{}", refused.output());
    let part = "another ledger process has";
    assert!(refused.stderr.contains(part), "{}", refused.stderr);
    let refused = rebuild(&database.url).await;
    assert!(refused.stderr.contains(part), "{}", refused.stderr);

    // The first one goes on, and may be verified meanwhile.
    ledger.ledger().credit(credit(&account, 5)).await.unwrap();
    assert_eq!(balance_of(&balances(&ledger, &account).await, "RUB"), 10);
    let verified = ledger.verify().await;
    assert!(verified.status.success(), "{}", verified.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_leaves_its_sqlite_file_free() {
    let database = Backend::Sqlite.database().await;
    let options = Options::media_lab(&database.url);
    let mut ledger = Ledger::start(&options).await;
    let account = fresh_account();
    ledger.ledger().credit(credit(&account, 5)).await.unwrap();
    ledger.kill9().await;
    let ledger = Ledger::start(&options).await;
    assert_eq!(balance_of(&balances(&ledger, &account).await, "RUB"), 5);
}
