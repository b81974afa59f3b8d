//! What only several processes on one database can do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ledger_service::store::{Appended, Mode, SharedStore, StoreError};

use crate::harness::{Place, accounts, append, done, event, head, key, state};

/// A store on PostgreSQL and its place.
async fn store() -> (Place, SharedStore) {
    let place = Place::postgres().await;
    let store = place.store().await;
    (place, store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_with_the_lock_never_lose() {
    let (place, store) = store().await;
    let tasks = ["x", "y", "z"].map(|account| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut writer = store.writer("a").await.unwrap();
            for _ in 0..40 {
                let seen = writer.lock().await.unwrap();
                let loaded = writer.load(&accounts(&[account])).await.unwrap();
                assert_eq!(loaded.seen.head, seen.head);
                done(&mut *writer, &append(account, seen.head.position, 1)).await;
            }
        })
    });
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(store.head("a").await.unwrap().unwrap().head, head(120));
    assert_eq!(place.rows().await, [120, 120, 0, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lock_is_given_back_by_unlock_and_by_every_end_of_an_append() {
    let (_place, store) = store().await;
    let mut one = store.writer("a").await.unwrap();
    let mut two = store.writer("a").await.unwrap();
    one.lock().await.unwrap();
    one.unlock().await.unwrap();
    done(&mut *two, &append("x", 0, 1)).await;
    // Lost under the lock.
    one.lock().await.unwrap();
    assert_eq!(
        one.append(&append("x", 0, 1)).await.unwrap(),
        Appended::Lost
    );
    done(&mut *two, &append("x", 1, 1)).await;
    // Refused under the lock.
    one.lock().await.unwrap();
    let mut repeat = append("x", 2, 1);
    repeat.requests[0].key = key("x", 1);
    let error = one.append(&repeat).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
    done(&mut *two, &append("x", 2, 1)).await;
    // Done under the lock.
    one.lock().await.unwrap();
    done(&mut *one, &append("x", 3, 1)).await;
    done(&mut *two, &append("x", 4, 1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_lock_makes_others_busy_and_then_its_frozen_holder_is_ended() {
    let (place, store) = store().await;
    let mut frozen = store.writer("a").await.unwrap();
    let mut other = store.writer("a").await.unwrap();
    frozen.lock().await.unwrap();
    let begun = Instant::now();
    // The server ends the holder after two seconds without a statement; who
    // waits is told after as long that the database is busy, or gets through.
    let seen = loop {
        match other.lock().await {
            Ok(seen) => break seen,
            Err(error) => assert!(matches!(error, StoreError::Busy(_)), "{error:?}"),
        }
        assert!(begun.elapsed() < Duration::from_secs(10));
    };
    assert!(
        begun.elapsed() > Duration::from_millis(1_500),
        "{:?}",
        begun.elapsed()
    );
    done(&mut *other, &append("x", seen.head.position, 1)).await;
    // The frozen one wakes up: nothing of what it meant to write is written.
    let error = frozen.append(&append("y", 0, 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Lost(_)), "{error:?}");
    let error = frozen.load(&accounts(&["y"])).await.unwrap_err();
    assert!(matches!(error, StoreError::Lost(_)), "{error:?}");
    frozen.reconnect().await.unwrap();
    assert_eq!(frozen.lock().await.unwrap().head, head(1));
    done(&mut *frozen, &append("y", 1, 1)).await;
    assert_eq!(place.rows().await, [2, 2, 0, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_the_server_ends_is_lost() {
    let (place, store) = store().await;
    let mut writer = store.writer("a").await.unwrap();
    place
        .sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE application_name = 'ledger-writer' AND datname = current_database()",
        )
        .await
        .unwrap();
    let error = writer.append(&append("x", 0, 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Lost(_)), "{error:?}");
    writer.reconnect().await.unwrap();
    done(&mut *writer, &append("x", 0, 1)).await;
}

/// A book whose log stands just before the end of a partition.
async fn book_before_a_boundary(place: &Place, store: &SharedStore, position: u64) {
    store.create_book("far").await.unwrap();
    let hash: String = head(position)
        .hash
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    place
        .sql(&format!(
            "UPDATE ledger.logs SET position = {position}, hash = '\\x{hash}',
                    recorded_at_us = {} WHERE book = 'far'",
            head(position).recorded_at.0
        ))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_may_cross_into_the_next_partition() {
    let (place, store) = store().await;
    // Of the third: the first two are made at start-up.
    let last = 3 * 16_777_216 - 1;
    book_before_a_boundary(&place, &store, last - 2).await;
    let mut writer = store.writer("far").await.unwrap();
    done(&mut *writer, &append("x", last - 2, 5)).await;
    let read = store.read_after("far", last - 2, 10).await.unwrap();
    let positions: Vec<u64> = read.iter().map(|event| event.position).collect();
    assert_eq!(positions, [last - 1, last, last + 1, last + 2, last + 3]);
    assert_eq!(
        place
            .number("SELECT count(*) FROM ledger.events_000002")
            .await,
        2
    );
    assert_eq!(
        place
            .number("SELECT count(*) FROM ledger.events_000003")
            .await,
        3
    );
    // What was made on the way is guarded like the rest, and in the indexes.
    for sql in [
        "DELETE FROM ledger.events_000003",
        "TRUNCATE ledger.events_000003",
    ] {
        let error = place
            .sql(&format!("SET session_replication_role = replica; {sql}"))
            .await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("events are never changed"), "{error}");
    }
    let read = writer.read_with_references(&[(last, 2)]).await.unwrap();
    assert_eq!(read.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_is_made_under_the_lock_too() {
    let (place, store) = store().await;
    let last = 4 * 16_777_216 - 1;
    book_before_a_boundary(&place, &store, last).await;
    let mut writer = store.writer("far").await.unwrap();
    let seen = writer.lock().await.unwrap();
    done(&mut *writer, &append("x", seen.head.position, 1)).await;
    assert_eq!(
        store.head("far").await.unwrap().unwrap().head,
        head(last + 1)
    );
}

/// While there is half a partition left: what prevents it is in the log then,
/// long before appends end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_partition_is_made_ahead_and_may_fail() {
    let (place, store) = store().await;
    let partitions = || {
        place.number("SELECT count(*) FROM pg_inherits WHERE inhparent = 'ledger.events'::regclass")
    };
    assert_eq!(partitions().await, 2);
    let width = 16_777_216;
    book_before_a_boundary(&place, &store, width + width / 2 - 2).await;
    let mut writer = store.writer("far").await.unwrap();
    done(&mut *writer, &append("x", width + width / 2 - 2, 1)).await;
    assert_eq!(partitions().await, 2, "half of one is left");
    let rename =
        |from: &str, to: &str| format!("ALTER FUNCTION ledger.{from}(bigint) RENAME TO {to}");
    let name = "ensure_event_partitions";
    place.sql(&rename(name, "gone")).await.unwrap();
    done(&mut *writer, &append("x", width + width / 2 - 1, 1)).await;
    assert_eq!(partitions().await, 2);
    place.sql(&rename("gone", name)).await.unwrap();
    // Tried again some way further on.
    let further = width + width / 2 + width / 16;
    book_before_a_boundary(&place, &store, further).await;
    done(&mut *writer, &append("x", further, 1)).await;
    assert_eq!(partitions().await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_are_made_while_others_append_and_read() {
    let (place, store) = store().await;
    // A reader in a transaction, which an exclusive lock would wait for.
    let pool = sqlx::PgPool::connect(&place.url).await.unwrap();
    let mut reading = pool.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM ledger.events")
        .execute(&mut *reading)
        .await
        .unwrap();
    let makers: Vec<_> = (0..4)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move {
                sqlx::query_scalar::<_, i64>("SELECT ledger.ensure_event_partitions(100000000)")
                    .fetch_one(&pool)
                    .await
                    .unwrap()
            })
        })
        .collect();
    let mut writer = store.writer("a").await.unwrap();
    done(&mut *writer, &append("x", 0, 1)).await;
    for maker in makers {
        assert_eq!(maker.await.unwrap(), 6 * 16_777_216);
    }
    reading.rollback().await.unwrap();
    assert_eq!(
        place
            .number("SELECT ledger.ensure_event_partitions(0)")
            .await,
        6 * 16_777_216
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_start_at_once_wait_for_each_other() {
    let place = Place::postgres().await;
    let place = Arc::new(place);
    let starts = [(); 4].map(|()| {
        let place = Arc::clone(&place);
        tokio::spawn(async move { place.connect(Mode::Serve).await.map(drop) })
    });
    for start in starts {
        start.await.unwrap().unwrap();
    }
    assert_eq!(
        place.number("SELECT count(*) FROM ledger.migrations").await,
        2
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_schema_may_stand_beside_tables_that_came_later() {
    let (place, store) = store().await;
    place
        .sql("CREATE TABLE public.users (id integer)")
        .await
        .unwrap();
    drop(store);
    place.connect(Mode::Serve).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_that_a_database_refuses_is_refused_alone() {
    let (place, store) = store().await;
    let mut writer = store.writer("a").await.unwrap();
    let mut batch = append("x", 0, 2);
    batch.events[1] = event("x\0y", 2);
    batch.accounts.push(state("y", 1));
    let error = writer.append(&batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
    assert_eq!(place.rows().await, [0; 4]);
    done(&mut *writer, &append("x", 0, 2)).await;
}

/// Point 7. A peer that vanished without a word holds the head's row until the
/// server asks whether it lives: after four seconds, not after the two hours that
/// are the system's default. The kernel tells when it will ask next.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_soon_asks_whether_a_silent_writer_lives() {
    let (place, store) = store().await;
    let mut writer = store.writer("a").await.unwrap();
    writer.lock().await.unwrap();
    writer.unlock().await.unwrap();
    let client_port = place
        .number(
            "SELECT client_port::bigint FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'ledger-writer'",
        )
        .await;
    let begun = Instant::now();
    let ticks = loop {
        match keepalive_ticks(client_port) {
            Some(ticks) => break ticks,
            // The last bytes may not be acknowledged yet.
            None => tokio::task::yield_now().await,
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "no keep-alive");
    };
    assert!(ticks <= 400, "asked in {ticks} hundredths of a second");
}

/// In how many hundredths of a second the socket whose peer has this port sends
/// its next keep-alive; nothing while another timer of it runs. See proc_net_tcp
/// in the kernel's documentation.
#[cfg(target_os = "linux")]
fn keepalive_ticks(peer_port: i64) -> Option<u64> {
    const KEEP_ALIVE: &str = "02";
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_ascii_whitespace();
        let (_, port) = columns.nth(2)?.rsplit_once(':')?;
        let (timer, ticks) = columns.nth(2)?.split_once(':')?;
        let is_peer = i64::from_str_radix(port, 16) == Ok(peer_port);
        (is_peer && timer == KEEP_ALIVE).then(|| u64::from_str_radix(ticks, 16).unwrap())
    })
}
