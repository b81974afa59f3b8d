//! Opening a store: what is refused, and that it was not touched.

use ledger_service::store::{Address, Mode, SchemaError, StoreError};

use crate::harness::{Place, append, done, head, on_both};

/// The error of opening a store; `SharedStore` cannot be shown.
async fn refusal(place: &Place, mode: Mode) -> SchemaError {
    match place.connect(mode).await {
        Ok(_) => panic!("{mode:?} was not refused"),
        Err(error) => error,
    }
}

on_both! {
    async fn a_store_is_found_again(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        done(&mut *writer, &append("x", 0, 2)).await;
        drop((writer, store));
        let store = place.connect(Mode::Write).await.unwrap();
        assert_eq!(store.head("a").await.unwrap().unwrap().head, head(2));
        let mut writer = store.writer("a").await.unwrap();
        done(&mut *writer, &append("x", 2, 1)).await;
    }

    async fn a_foreign_database_is_refused_untouched(place: Place) {
        place.sql("CREATE TABLE users (id integer); CREATE TABLE payments (id integer)").await.unwrap();
        let before = contents(&place).await;
        for mode in [Mode::Serve, Mode::Write, Mode::Read] {
            let error = refusal(&place, mode).await;
            assert!(matches!(error, SchemaError::Foreign { .. }), "{error:?}");
            let text = error.to_string();
            assert!(text.contains("payments, users"), "{text}");
            assert!(text.contains("LEDGER_DATABASE_URL"), "{text}");
        }
        assert_eq!(contents(&place).await, before);
    }

    async fn a_schema_with_an_unknown_migration_is_refused(place: Place) {
        drop(place.store().await);
        let table = if place.is_postgres() { "ledger.migrations" } else { "ledger_migrations" };
        let checksum = if place.is_postgres() { "'\\x00'" } else { "x'00'" };
        place.sql(&format!(
            "INSERT INTO {table} (version, description, success, checksum, execution_time)
             VALUES (9000, 'of the future', true, {checksum}, 0)"
        )).await.unwrap();
        for mode in [Mode::Serve, Mode::Read] {
            let error = refusal(&place, mode).await;
            assert!(matches!(error, SchemaError::Newer { .. }), "{error:?}");
            assert!(error.to_string().contains("9000"), "{error}");
        }
    }

    async fn a_schema_that_needs_a_newer_service_is_refused(place: Place) {
        drop(place.store().await);
        place.sql("UPDATE ledger.meta SET value = '99.0.0' WHERE key = 'oldest_service'").await.unwrap();
        let error = refusal(&place, Mode::Serve).await;
        assert!(matches!(error, SchemaError::Newer { .. }), "{error:?}");
        assert!(error.to_string().contains("99.0.0"), "{error}");
    }

    async fn a_schema_made_by_another_script_is_refused(place: Place) {
        drop(place.store().await);
        let (table, checksum) = if place.is_postgres() {
            ("ledger.migrations", "'\\x00'")
        } else {
            ("ledger_migrations", "x'00'")
        };
        place.sql(&format!("UPDATE {table} SET checksum = {checksum}")).await.unwrap();
        let error = refusal(&place, Mode::Serve).await;
        assert!(matches!(error, SchemaError::Diverged(_)), "{error:?}");
    }

    async fn reading_makes_nothing(place: Place) {
        let error = refusal(&place, Mode::Read).await;
        assert!(matches!(error, SchemaError::Missing), "{error:?}");
        assert!(contents(&place).await.is_empty());
    }

    async fn reading_goes_on_beside_the_service(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        done(&mut *writer, &append("x", 0, 2)).await;
        let reader = place.connect(Mode::Read).await.unwrap();
        assert_eq!(reader.head("a").await.unwrap().unwrap().head, head(2));
        done(&mut *writer, &append("x", 2, 1)).await;
        assert_eq!(reader.read_after("a", 0, 9).await.unwrap().len(), 3);
        let error = reader.set_due("a", "x", 3, None).await.unwrap_err();
        assert!(matches!(error, StoreError::CannotWrite(_)), "{error:?}");
    }

    async fn durability_is_read_from_the_database(place: Place) {
        let settings = place.store().await.settings().await.unwrap();
        let value = |name: &str| {
            let found = settings.iter().find(|setting| setting.0 == name);
            found.unwrap_or_else(|| panic!("{name} of {settings:?}")).1.clone()
        };
        if place.is_postgres() {
            assert!(value("server_version").split('.').next().unwrap().parse::<u32>().unwrap() >= 14);
            for name in ["fsync", "full_page_writes", "synchronous_commit"] {
                assert_eq!(value(name), "on");
            }
            assert!(!value("wal_sync_method").is_empty());
        } else {
            assert!(value("version").starts_with("3."));
            assert_eq!(value("journal_mode"), "wal");
            assert_eq!(value("synchronous"), "full");
        }
    }
}

/// What a database consists of, to be compared: names of tables on PostgreSQL,
/// files and their bytes on SQLite.
async fn contents(place: &Place) -> Vec<(String, Vec<u8>)> {
    if place.is_postgres() {
        let pool = sqlx::PgPool::connect(&place.url).await.unwrap();
        let names: Vec<String> = sqlx::query_scalar(
            "SELECT c.oid::regclass::text FROM pg_class c
             WHERE relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
             UNION ALL SELECT nspname::text FROM pg_namespace WHERE nspname = 'ledger' ORDER BY 1",
        )
        .fetch_all(&pool)
        .await
        .unwrap();
        pool.close().await;
        return names.into_iter().map(|name| (name, Vec::new())).collect();
    }
    let folder = place.file().parent().unwrap().to_owned();
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| (path.display().to_string(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn a_second_process_is_refused_on_sqlite() {
    let place = Place::sqlite();
    let store = place.store().await;
    for mode in [Mode::Serve, Mode::Write] {
        let error = refusal(&place, mode).await;
        assert!(matches!(error, SchemaError::InUse(_)), "{error:?}");
        assert!(
            error.to_string().contains("another ledger process"),
            "{error}"
        );
    }
    drop(store);
    place.connect(Mode::Serve).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_untouched() {
    let place = Place::sqlite();
    let text = "not a database, but somebody's notes, long enough for a header of SQLite".repeat(9);
    std::fs::write(place.file(), &text).unwrap();
    let error = refusal(&place, Mode::Serve).await;
    assert!(matches!(error, SchemaError::NotADatabase(_)), "{error:?}");
    assert_eq!(std::fs::read_to_string(place.file()).unwrap(), text);
    assert_eq!(contents(&place).await.len(), 1);
}

#[tokio::test]
async fn the_folder_of_a_file_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!(
        "sqlite+aiosqlite:///{}/var/lib/l.db",
        folder.path().display()
    );
    let address = Address::parse(&url).unwrap();
    drop(
        ledger_service::store::connect(&address, Mode::Serve)
            .await
            .unwrap(),
    );
    assert!(folder.path().join("var/lib/l.db").is_file());
}

#[test]
fn a_database_in_memory_is_refused() {
    for url in ["sqlite:///:memory:", "sqlite://", "sqlite::memory:"] {
        Address::parse(url).unwrap_err();
    }
}
