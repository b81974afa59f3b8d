//! Events are never changed: the database itself refuses it.

use crate::harness::{Place, append, done, on_both};

/// Runs a statement past the store, which must be refused with a clear word.
async fn refused(place: &Place, sql: &str) {
    let store = place.store().await;
    let mut writer = store.writer("a").await.unwrap();
    done(&mut *writer, &append("x", 0, 2)).await;
    let before = store.read_columns_after("a", 0, 10).await.unwrap();
    let error = place.sql(sql).await.unwrap_err();
    let message = error.as_database_error().unwrap().message().to_owned();
    assert!(message.contains("events are never changed"), "{message}");
    let after = store.read_columns_after("a", 0, 10).await.unwrap();
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
}

on_both! {
    async fn update_is_refused(place: Place) {
        refused(&place, "UPDATE ledger.events SET version = 9 WHERE position = 1").await;
    }

    async fn delete_is_refused(place: Place) {
        refused(&place, "DELETE FROM ledger.events WHERE position = 2").await;
    }

    async fn delete_of_all_is_refused(place: Place) {
        refused(&place, "DELETE FROM ledger.events").await;
    }

    async fn overwriting_is_refused(place: Place) {
        let columns = "(book, position, account, version, kind, recorded_at_us, body, hash)";
        let values = "SELECT book, position, 'thief', version, kind, recorded_at_us, body, hash
                      FROM ledger.events WHERE position = 1";
        let sql = if place.is_postgres() {
            format!("INSERT INTO ledger.events {columns} {values}
                     ON CONFLICT (book, position) DO UPDATE SET account = excluded.account")
        } else {
            format!("INSERT OR REPLACE INTO events {columns} {values}")
        };
        refused(&place, &sql).await;
    }
}

#[tokio::test]
async fn upsert_is_refused_on_sqlite() {
    let sql = "INSERT INTO events
               SELECT * FROM events WHERE position = 1
               ON CONFLICT (book, position) DO UPDATE SET account = 'thief'";
    refused(&Place::sqlite(), sql).await;
}

#[tokio::test]
async fn truncate_is_refused_on_postgres() {
    for table in ["events", "events_000000", "events_000001"] {
        let place = Place::postgres().await;
        refused(&place, &format!("TRUNCATE ledger.{table}")).await;
    }
}

#[tokio::test]
async fn a_partition_by_itself_is_guarded_on_postgres() {
    for sql in [
        "UPDATE ledger.events_000000 SET version = 9",
        "DELETE FROM ledger.events_000000",
    ] {
        refused(&Place::postgres().await, sql).await;
    }
}

#[tokio::test]
async fn a_replica_session_is_guarded_on_postgres() {
    for sql in [
        "SET session_replication_role = replica; DELETE FROM ledger.events",
        "SET session_replication_role = replica; UPDATE ledger.events_000000 SET version = 9",
        "SET session_replication_role = replica; TRUNCATE ledger.events",
        "SET session_replication_role = replica; TRUNCATE ledger.events_000000",
    ] {
        refused(&Place::postgres().await, sql).await;
    }
}
