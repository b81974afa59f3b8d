//! Rebuilding: all or nothing, with nobody beside it.

use ledger_service::store::{
    AccountDay, Appended, Counted, DayCount, Derived, IndexedEvent, Mode, PositionRange, Progress,
    SchemaError, StoreError, StoredRequest,
};

use crate::harness::{Place, accounts, append, at, done, hash, head, key, on_both, payment, state};

fn row(account: &str, position: u64) -> IndexedEvent {
    IndexedEvent {
        account: account.into(),
        position,
        kind: 4,
        operation: Some("generate".into()),
        operations_delta: 1,
        recorded_at: at(position),
        external_id: Some("task-7".into()),
    }
}

fn counted(account: &str) -> Counted {
    Counted {
        days: vec![DayCount {
            day: 20_000,
            origin: "bot".into(),
            metric: 3,
            key: "generate".into(),
            value: 2,
        }],
        accounts: vec![AccountDay {
            day: 20_000,
            asset: "RUB".into(),
            account: account.into(),
            origin: "bot".into(),
            active: 2,
            operations: 2,
            spent: 2_000,
        }],
    }
}

fn made_anew() -> Derived {
    let request = |number| StoredRequest {
        key: key("x", number),
        position: number,
        count: 1,
        hash: hash(number),
    };
    Derived {
        requests: vec![request(1), request(2)],
        external_ids: vec![(payment("one"), 2)],
        accounts: vec![state("x", 2), state("y", 7)],
        index: vec![row("x", 1), row("x", 2)],
        counted: counted("x"),
    }
}

const ALL: PositionRange = PositionRange {
    from: 0,
    to: u64::MAX,
    newest_first: false,
    limit: 100,
};

on_both! {
    async fn everything_beside_the_events_of_one_book_is_replaced(place: Place) {
        let store = place.store().await;
        let mut other = store.writer("b").await.unwrap();
        let mut batch = append("z", 0, 1);
        batch.external_ids = vec![(payment("of b"), 1)];
        done(&mut *other, &batch).await;
        let mut writer = store.writer("a").await.unwrap();
        let mut batch = append("x", 0, 2);
        batch.requests[1].key = key("wrong", 9);
        batch.external_ids = vec![(payment("wrong"), 1)];
        batch.accounts = vec![state("wrong", 3)];
        done(&mut *writer, &batch).await;
        let lease = store.lease("index", "me").await.unwrap().unwrap();
        assert!(store.index_events("a", Progress::both(0), Progress::both(1), &[row("wrong", 1)], &counted("wrong"), lease).await.unwrap());
        store.end_leases("me").await.unwrap();

        let mut rebuild = store.rebuild("a").await.unwrap();
        assert_eq!(rebuild.head(), head(2));
        assert!(rebuild.accounts(&["wrong".into()]).await.unwrap().is_empty());
        rebuild.put(&Derived { accounts: vec![state("x", 1)], ..Derived::default() }).await.unwrap();
        rebuild.put(&made_anew()).await.unwrap();
        let ids = ["x".into(), "nobody".into()];
        assert_eq!(rebuild.accounts(&ids).await.unwrap(), [state("x", 2)]);
        rebuild.commit().await.unwrap();

        let made = made_anew();
        assert_eq!(store.requests_after("a", None, 9).await.unwrap(), made.requests);
        let claimed = store.external_ids_of("a").await.unwrap();
        assert_eq!(claimed.len(), 1);
        assert_eq!((&claimed[0].external_id, claimed[0].position), (&payment("one"), 2));
        assert_eq!(store.accounts_after("a", "", 9).await.unwrap(), made.accounts);
        assert_eq!(store.index_rows_after("a", "", 0, 9).await.unwrap(), made.index);
        assert_eq!(store.progress("a").await.unwrap(), Progress::both(2));
        let Counted { days, accounts } = made.counted;
        assert_eq!(store.day_counts_after("a", None, 9).await.unwrap(), days);
        assert_eq!(store.account_days_after("a", None, 9).await.unwrap(), accounts);
        // The events and the other book are as they were, and the log goes on.
        assert_eq!(store.read_after("a", 0, 9).await.unwrap().len(), 2);
        assert_eq!(store.accounts_after("b", "", 9).await.unwrap(), [state("z", 1)]);
        assert_eq!(store.requests_after("b", None, 9).await.unwrap().len(), 1);
        assert_eq!(store.external_ids_of("b").await.unwrap().len(), 1);
        done(&mut *writer, &append("x", 2, 1)).await;
    }

    async fn a_book_that_is_alone_is_replaced_too(place: Place) {
        let store = place.connect(Mode::Serve).await.unwrap();
        store.create_book("a").await.unwrap();
        let mut writer = store.writer("a").await.unwrap();
        done(&mut *writer, &append("wrong", 0, 2)).await;
        place.sql("DELETE FROM ledger.index_progress").await.unwrap();
        let mut rebuild = store.rebuild("a").await.unwrap();
        rebuild.put(&made_anew()).await.unwrap();
        rebuild.commit().await.unwrap();
        assert_eq!(store.accounts_after("a", "", 9).await.unwrap(), made_anew().accounts);
        assert_eq!(store.requests_after("a", None, 9).await.unwrap(), made_anew().requests);
        assert_eq!(store.indexed_position("a").await.unwrap(), 2);
    }

    async fn a_rebuild_that_is_dropped_has_not_happened(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        done(&mut *writer, &append("x", 0, 2)).await;
        let mut rebuild = store.rebuild("a").await.unwrap();
        rebuild.put(&made_anew()).await.unwrap();
        drop(rebuild);
        // The database may need a moment to notice.
        let appended = loop {
            match writer.append(&append("x", 2, 1)).await {
                Ok(appended) => break appended,
                Err(error) => assert!(matches!(error, StoreError::Busy(_)), "{error:?}"),
            }
        };
        assert!(matches!(appended, Appended::Done(_)), "{appended:?}");
        assert_eq!(store.accounts_after("a", "", 9).await.unwrap(), [state("x", 3)]);
        assert_eq!(store.requests_after("a", None, 9).await.unwrap().len(), 3);
        assert!(store.external_ids_of("a").await.unwrap().is_empty());
        assert!(store.indexed_positions("a", "x", ALL).await.unwrap().is_empty());
        assert_eq!(store.indexed_position("a").await.unwrap(), 0);
    }

    async fn nobody_writes_during_a_rebuild(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        done(&mut *writer, &append("x", 0, 2)).await;
        let rebuild = store.rebuild("a").await.unwrap();
        let error = writer.append(&append("x", 2, 1)).await.unwrap_err();
        assert!(matches!(error, StoreError::Busy(_)), "{error:?}");
        rebuild.commit().await.unwrap();
        assert_eq!(writer.load(&accounts(&["x"])).await.unwrap().seen.head, head(2));
        done(&mut *writer, &append("x", 2, 1)).await;
    }

    async fn a_closed_store_leaves_one_file(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        done(&mut *writer, &append("x", 0, 2)).await;
        assert_eq!(store.books().await.unwrap(), ["a", "b"]);
        store.close().await.unwrap();
        if !place.is_postgres() {
            for end in ["-wal", "-shm"] {
                let beside = format!("{}{end}", place.file().display());
                assert!(!std::path::Path::new(&beside).exists(), "{beside}");
            }
        }
        assert!(store.books().await.is_err(), "a closed store answers nothing");
        assert_eq!(place.number("SELECT count(*) FROM ledger.events").await, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_service_is_not_opened_for_rebuilding() {
    let place = Place::postgres().await;
    let store = place.store().await;
    store.lease("sweeper", "a service").await.unwrap().unwrap();
    let refused = place.connect(Mode::Write).await.err();
    assert!(matches!(refused, Some(SchemaError::Served)), "{refused:?}");
    let refused = store.rebuild("a").await.err();
    assert!(matches!(refused, Some(StoreError::Busy(_))), "{refused:?}");

    // It stops; another instance takes its place a moment later.
    store.end_leases("a service").await.unwrap();
    let (opened, taken) = tokio::join!(
        place.connect(Mode::Write),
        store.lease("sweeper", "another")
    );
    taken.unwrap().unwrap();
    let refused = opened.err();
    assert!(matches!(refused, Some(SchemaError::Served)), "{refused:?}");

    store.end_leases("another").await.unwrap();
    place.connect(Mode::Write).await.unwrap();
}
