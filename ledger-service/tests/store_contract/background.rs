//! Background work: due accounts, the index, leases.

use ledger_service::store::{Counted, IndexedEvent, Lease, PositionRange, Progress};

use crate::harness::{Place, accounts, append, at, done, on_both, state};

fn row(account: &str, position: u64) -> IndexedEvent {
    IndexedEvent {
        account: account.into(),
        position,
        kind: 4,
        operation: Some("generate".into()),
        operations_delta: 1,
        recorded_at: at(position),
        external_id: None,
    }
}

const ALL: PositionRange = PositionRange {
    from: 0,
    to: u64::MAX,
    newest_first: false,
    limit: 100,
};

on_both! {
    async fn due_accounts_are_found(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        let mut batch = append("x", 0, 1);
        batch.accounts = ["never", "later", "now", "before"].map(|id| state(id, 1)).into();
        batch.accounts[1].due_at = Some(at(30));
        batch.accounts[2].due_at = Some(at(20));
        batch.accounts[3].due_at = Some(at(10));
        done(&mut *writer, &batch).await;
        assert_eq!(store.due_accounts("a", at(20), 10).await.unwrap(), ["before", "now"]);
        assert_eq!(store.due_accounts("a", at(20), 1).await.unwrap(), ["before"]);
        assert!(store.due_accounts("a", at(9), 10).await.unwrap().is_empty());
        assert!(store.due_accounts("b", at(90), 10).await.unwrap().is_empty());
    }

    async fn a_due_time_is_corrected_at_its_version_only(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        let mut batch = append("x", 0, 2);
        batch.accounts[0].due_at = Some(at(10));
        done(&mut *writer, &batch).await;
        store.set_due("a", "x", 1, None).await.unwrap();
        assert_eq!(store.due_accounts("a", at(10), 10).await.unwrap(), ["x"]);
        store.set_due("a", "x", 2, Some(at(15))).await.unwrap();
        assert!(store.due_accounts("a", at(10), 10).await.unwrap().is_empty());
        assert_eq!(store.due_accounts("a", at(15), 10).await.unwrap(), ["x"]);
        store.set_due("a", "x", 2, None).await.unwrap();
        assert_eq!(writer.load(&accounts(&["x"])).await.unwrap().accounts[0].due_at, None);
    }

    async fn a_lease_has_one_holder(place: Place) {
        let store = place.store().await;
        let first = store.lease("work", "me").await.unwrap().unwrap();
        assert_eq!(store.lease("work", "me").await.unwrap(), Some(first));
        assert_eq!(store.lease("work", "you").await.unwrap(), None);
        let other = store.lease("other work", "you").await.unwrap().unwrap();
        assert_ne!(first, other);
        place.sql("UPDATE ledger.leases SET expires_at_us = 0 WHERE name = 'work'").await.unwrap();
        let second = store.lease("work", "you").await.unwrap().unwrap();
        assert!(second.number > first.number && second != other);
        assert_eq!(store.lease("work", "me").await.unwrap(), None);
    }

    async fn the_index_moves_from_where_it_is(place: Place) {
        let store = place.store().await;
        let lease = store.lease("index", "me").await.unwrap().unwrap();
        assert_eq!(store.indexed_position("a").await.unwrap(), 0);
        let rows: Vec<_> = (1..=100).map(|n| row("x", n)).collect();
        assert!(store.index_events("a", Progress::both(0), Progress::both(100), &rows, &Counted::default(), lease).await.unwrap());
        assert_eq!(store.indexed_position("a").await.unwrap(), 100);
        // A second projector that believes to be where the first was.
        assert!(!store.index_events("a", Progress::both(0), Progress::both(50), &[row("y", 50)], &Counted::default(), lease).await.unwrap());
        assert_eq!(store.indexed_position("a").await.unwrap(), 100);
        assert!(store.indexed_positions("a", "y", ALL).await.unwrap().is_empty());
        assert!(store.index_events("a", Progress::both(100), Progress::both(110), &[], &Counted::default(), lease).await.unwrap());
        assert_eq!(store.indexed_position("a").await.unwrap(), 110);
        assert_eq!(store.indexed_position("b").await.unwrap(), 0);
    }

    async fn a_lost_lease_adds_nothing_to_the_index(place: Place) {
        let store = place.store().await;
        let mine = store.lease("index", "me").await.unwrap().unwrap();
        // Another lease with another number is none to index with, either.
        store.lease("sweep", "me").await.unwrap().unwrap();
        place.sql("UPDATE ledger.leases SET expires_at_us = 0 WHERE name = 'index'").await.unwrap();
        let yours = store.lease("index", "you").await.unwrap().unwrap();
        assert!(!store.index_events("a", Progress::both(0), Progress::both(1), &[row("x", 1)], &Counted::default(), mine).await.unwrap());
        let unknown = Lease { number: 999 };
        assert!(!store.index_events("a", Progress::both(0), Progress::both(1), &[row("x", 1)], &Counted::default(), unknown).await.unwrap());
        assert_eq!(store.indexed_position("a").await.unwrap(), 0);
        assert!(store.indexed_positions("a", "x", ALL).await.unwrap().is_empty());
        assert!(store.index_events("a", Progress::both(0), Progress::both(1), &[row("x", 1)], &Counted::default(), yours).await.unwrap());
    }

    async fn indexed_positions_are_paged_both_ways(place: Place) {
        let store = place.store().await;
        let lease = store.lease("index", "me").await.unwrap().unwrap();
        let mut rows: Vec<_> = (1..=9).map(|n| row("x", n)).collect();
        rows[2].account = "y".into();
        for n in [1, 4, 7] {
            rows[n].external_id = Some("task-7".into());
        }
        assert!(store.index_events("a", Progress::both(0), Progress::both(9), &rows, &Counted::default(), lease).await.unwrap());
        let range = PositionRange { from: 2, to: 8, newest_first: false, limit: 3 };
        let newest = PositionRange { newest_first: true, ..range };
        assert_eq!(store.indexed_positions("a", "x", range).await.unwrap(), [2, 4, 5]);
        assert_eq!(store.indexed_positions("a", "x", newest).await.unwrap(), [8, 7, 6]);
        let by_id = |range| store.indexed_positions_by_external_id("a", "task-7", range);
        assert_eq!(by_id(ALL).await.unwrap(), [2, 5, 8]);
        assert_eq!(by_id(PositionRange { limit: 2, ..newest }).await.unwrap(), [8, 5]);
        assert!(store.indexed_positions("b", "x", ALL).await.unwrap().is_empty());
    }

    async fn index_rows_are_read_as_they_were(place: Place) {
        let store = place.store().await;
        let lease = store.lease("index", "me").await.unwrap().unwrap();
        let mut rows = vec![row("x", 3), row("x", 1), row("a", 2), row("y", 4)];
        rows[0].external_id = Some("task".into());
        rows[0].operations_delta = -2;
        rows[3].operation = None;
        assert!(store.index_events("a", Progress::both(0), Progress::both(4), &rows, &Counted::default(), lease).await.unwrap());
        // Once more, as after a restore of the checkpoint: nothing doubles.
        place.sql("UPDATE ledger.index_progress SET position = 0").await.unwrap();
        assert!(store.index_events("a", Progress { indexed: 0, counted: 4 }, Progress::both(4), &rows, &Counted::default(), lease).await.unwrap());
        let of = |n: usize| rows[n].clone();
        let read = store.index_rows_after("a", "", 0, 10).await.unwrap();
        assert_eq!(read, [of(2), of(1), of(0), of(3)]);
        let read = store.index_rows_after("a", "x", 1, 1).await.unwrap();
        assert_eq!(read, [of(0)]);
    }

    async fn operations_are_counted(place: Place) {
        let store = place.store().await;
        let lease = store.lease("index", "me").await.unwrap().unwrap();
        let mut rows: Vec<_> = (1..=6).map(|n| row("x", n)).collect();
        rows[1].operation = Some("edit".into());
        rows[1].operations_delta = 5;
        rows[2].operation = None;
        rows[3].operations_delta = -1;
        rows[5].account = "y".into();
        assert!(store.index_events("a", Progress::both(0), Progress::both(6), &rows, &Counted::default(), lease).await.unwrap());
        let count = |position| store.count_operations_since("a", "x", position);
        assert_eq!(count(0).await.unwrap(), [("edit".to_owned(), 5), ("generate".to_owned(), 1)]);
        assert_eq!(count(4).await.unwrap(), [("generate".to_owned(), 1)]);
        assert!(count(5).await.unwrap().is_empty());
    }
}
