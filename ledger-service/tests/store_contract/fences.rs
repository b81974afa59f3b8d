//! An append whose caller has given up on it: after `reconnect` and `lock` it
//! is in the log, or will never be.

use std::time::Duration;

use ledger_service::store::StoreError;
use sqlx::{Connection as _, SqliteConnection};

use crate::harness::{Place, append, done, head};

/// A commit that takes long goes on after its caller's time was up, on a
/// connection that nobody holds any more. Here another connection stands for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_the_lock_waits_for_a_write_that_still_runs() {
    let place = Place::sqlite();
    let store = place.store().await;
    let mut writer = store.writer("a").await.unwrap();
    let url = format!("sqlite://{}", place.file().display());
    let mut given_up = SqliteConnection::connect(&url).await.unwrap();
    let hash: String = head(1).hash.iter().map(|b| format!("{b:02x}")).collect();
    let sql = format!(
        "BEGIN IMMEDIATE;
         UPDATE logs SET position = 1, hash = x'{hash}', recorded_at_us = {} WHERE book = 'a'",
        head(1).recorded_at.0
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut given_up)
        .await
        .unwrap();
    writer.reconnect().await.unwrap();
    // The head as it was before would be no answer.
    let error = writer.lock().await.unwrap_err();
    assert!(matches!(error, StoreError::Busy(_)), "{error:?}");
    sqlx::raw_sql("COMMIT")
        .execute(&mut given_up)
        .await
        .unwrap();
    assert_eq!(writer.lock().await.unwrap().head, head(1));
    // It holds nobody up after that.
    let mut other = store.writer("b").await.unwrap();
    done(&mut *other, &append("x", 0, 1)).await;
    writer.unlock().await.unwrap();
}

/// The statement has come to the server, but has not got to the head's row yet:
/// the row's lock would not wait for it, and its comparison would still hold
/// when it gets there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_an_append_that_was_given_up_is_never_done_later() {
    let place = Place::postgres().await;
    let store = place.store().await;
    let mut writer = store.writer("a").await.unwrap();
    // The statement is prepared from here on: it is sent in one piece.
    done(&mut *writer, &append("x", 0, 1)).await;
    let pool = sqlx::PgPool::connect(&place.url).await.unwrap();
    let mut obstacle = pool.begin().await.unwrap();
    // Updates wait for this, locks of rows do not.
    sqlx::query("LOCK TABLE ledger.logs IN SHARE MODE")
        .execute(&mut *obstacle)
        .await
        .unwrap();
    let late = append("x", 1, 1);
    tokio::select! {
        result = writer.append(&late) => panic!("the append does not wait: {result:?}"),
        () = something_waits(&place) => {}
    }
    writer.reconnect().await.unwrap();
    assert_eq!(writer.lock().await.unwrap().head, head(1));
    writer.unlock().await.unwrap();
    obstacle.commit().await.unwrap();
    // Whatever waits for the table comes before this.
    let mut after = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE ledger.logs IN EXCLUSIVE MODE")
        .execute(&mut *after)
        .await
        .unwrap();
    after.commit().await.unwrap();
    assert_eq!(store.head("a").await.unwrap().unwrap().head, head(1));
    assert_eq!(place.rows().await, [1, 1, 0, 1]);
    done(&mut *writer, &late).await;
    assert_eq!(place.rows().await, [2, 2, 0, 1]);
}

/// Until a statement waits for a lock in this database.
async fn something_waits(place: &Place) {
    let waits = async {
        while place
            .number(
                "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .await
            == 0
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waits)
        .await
        .unwrap();
}

/// Only its own session: what another writer does is not its business.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_a_new_connection_ends_no_other_session() {
    let place = Place::postgres().await;
    let store = place.store().await;
    let mut one = store.writer("a").await.unwrap();
    let mut two = store.writer("a").await.unwrap();
    for _ in 0..3 {
        one.reconnect().await.unwrap();
    }
    done(&mut *two, &append("x", 0, 1)).await;
    done(&mut *one, &append("x", 1, 1)).await;
}
