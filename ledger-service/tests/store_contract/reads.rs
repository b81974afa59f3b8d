//! Reading the log and what was written with it.

use ledger_core::{Name, Timestamp};
use ledger_service::store::{Append, StoredEvent, StoredRequest};

use crate::harness::{Place, append, at, done, key, on_both, payment, state};

fn positions(events: &[StoredEvent]) -> Vec<u64> {
    events.iter().map(|event| event.position).collect()
}

fn with_references() -> Append {
    let mut batch = append("x", 0, 8);
    batch.events[4].refers_to = Some(1);
    batch.events[5].refers_to = Some(3);
    batch.events[6].refers_to = Some(1);
    batch.events[7].refers_to = Some(7);
    batch
}

on_both! {
    async fn pages_of_the_log_follow_each_other(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        done(&mut *writer, &append("x", 0, 7)).await;
        assert_eq!(positions(&store.read_after("a", 0, 3).await.unwrap()), [1, 2, 3]);
        assert_eq!(positions(&store.read_after("a", 3, 3).await.unwrap()), [4, 5, 6]);
        assert_eq!(positions(&store.read_after("a", 6, 3).await.unwrap()), [7]);
        assert!(store.read_after("a", 7, 3).await.unwrap().is_empty());
        assert!(store.read_after("b", 0, 3).await.unwrap().is_empty());
        assert_eq!(positions(&writer.read_after(5, 9).await.unwrap()), [6, 7]);
    }

    async fn single_events_are_read_in_order(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        done(&mut *writer, &append("x", 0, 7)).await;
        let read = store.read_at("a", &[6, 2, 99, 2, 4]).await.unwrap();
        assert_eq!(positions(&read), [2, 4, 6]);
        assert!(store.read_at("a", &[]).await.unwrap().is_empty());
    }

    async fn references_come_along(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        done(&mut *writer, &with_references()).await;
        for (ranges, expected) in [
            (&[(1, 1)][..], &[1, 5, 7][..]),
            (&[(2, 2)], &[2, 3, 6]),
            (&[(1, 3), (7, 1)], &[1, 2, 3, 5, 6, 7, 8]),
            (&[(1, 2), (2, 2)], &[1, 2, 3, 5, 6, 7]),
            (&[(4, 1)], &[4]),
            (&[(90, 5)], &[]),
            (&[], &[]),
        ] {
            let read = writer.read_with_references(ranges).await.unwrap();
            assert_eq!(positions(&read), expected, "{ranges:?}");
        }
    }

    async fn the_last_catalog_is_found(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        let mut batch = append("x", 0, 6);
        batch.events[1].kind = 18;
        batch.events[4].kind = 18;
        done(&mut *writer, &batch).await;
        let catalog = store.last_catalog("a").await.unwrap().unwrap();
        assert_eq!((catalog.position, &catalog.body), (5, &batch.events[4].body));
        assert!(store.last_catalog("b").await.unwrap().is_none());
        let last = store.catalog("a", 2).await.unwrap();
        assert_eq!(last.as_ref(), Some(&catalog));
        let first = store.catalog("a", 1).await.unwrap().unwrap();
        assert!(first.position < catalog.position);
        for (book, version) in [("a", 0), ("a", 3), ("b", 1)] {
            assert!(store.catalog(book, version).await.unwrap().is_none());
        }
    }

    async fn a_time_finds_its_position(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        assert_eq!(store.position_at("a", Timestamp(i64::MAX)).await.unwrap(), 0);
        let mut batch = append("x", 0, 21);
        // Three at once.
        batch.events[9].recorded_at = at(12);
        batch.events[10].recorded_at = at(12);
        done(&mut *writer, &batch).await;
        for (time, position) in [
            (Timestamp(-5), 0),
            (Timestamp(999_999), 0),
            (at(1), 1),
            (at(9), 9),
            (at(11), 9),
            (at(12), 12),
            (at(12).plus_us(1), 12),
            (at(20), 20),
            (at(21), 21),
            (Timestamp(i64::MAX), 21),
        ] {
            assert_eq!(store.position_at("a", time).await.unwrap(), position, "{time:?}");
        }
        assert_eq!(store.position_at("nobody", at(5)).await.unwrap(), 0);
    }

    async fn requests_are_paged_by_their_key(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        let mut batch = append("x", 0, 5);
        // The same id in two accounts, and an order that is not the log's.
        batch.requests[3].key = key("y", 2);
        batch.requests[4].key = key("x", 0);
        done(&mut *writer, &batch).await;
        let mut other = store.writer("b").await.unwrap();
        done(&mut *other, &append("x", 0, 5)).await;
        let mut found: Vec<StoredRequest> = Vec::new();
        loop {
            let after = found.last().map(|request| request.key.clone());
            let page = store.requests_after("a", after.as_ref(), 2).await.unwrap();
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        let of = |n: usize| batch.requests[n].clone();
        assert_eq!(found, [of(4), of(0), of(1), of(3), of(2)]);
        assert_eq!(store.request("a", &key("y", 2)).await.unwrap(), Some(of(3)));
        assert_eq!(store.request("a", &key("y", 1)).await.unwrap(), None);
        assert_eq!(store.request("nobody", &key("x", 1)).await.unwrap(), None);
    }

    async fn accounts_are_paged_byte_by_byte(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        let mut batch = append("x", 0, 1);
        // As bytes, not as a language sorts them.
        let ids = ["@house", "B", "a", "tg:1", "tg:10", "tg:2", "é"];
        batch.accounts = ids.iter().rev().map(|id| state(id, 1)).collect();
        done(&mut *writer, &batch).await;
        let first = store.accounts_after("a", "", 3).await.unwrap();
        let rest = store.accounts_after("a", "a", 10).await.unwrap();
        let found: Vec<Name> = first.into_iter().chain(rest).map(|found| found.account).collect();
        assert_eq!(found, ids);
    }

    async fn ids_of_providers_are_listed_by_book(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        let mut batch = append("x", 0, 3);
        batch.external_ids = vec![(payment("late"), 3), (payment("early"), 1)];
        done(&mut *writer, &batch).await;
        let found = store.external_ids_of("a").await.unwrap();
        let ids: Vec<&str> = found.iter().map(|found| found.external_id.id.as_str()).collect();
        assert_eq!(ids, ["early", "late"]);
        assert!(store.external_ids_of("b").await.unwrap().is_empty());
    }

    async fn books_are_made_once(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("b").await.unwrap();
        done(&mut *writer, &append("x", 0, 2)).await;
        store.create_book("b").await.unwrap();
        store.create_book("B").await.unwrap();
        assert_eq!(store.books().await.unwrap(), ["B", "a", "b"]);
        assert_eq!(store.head("b").await.unwrap().unwrap().head.position, 2);
        assert!(store.head("c").await.unwrap().is_none());
    }
}
