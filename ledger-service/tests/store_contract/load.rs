//! What is read together with the head.

use ledger_service::store::{Appended, Wanted};

use crate::harness::{Place, accounts, append, done, head, key, on_both, payment, state};

on_both! {
    async fn all_that_is_wanted_comes_with_one_head(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        let mut batch = append("x", 0, 3);
        batch.external_ids = vec![(payment("p"), 2)];
        done(&mut *writer, &batch).await;
        let wanted = Wanted {
            accounts: vec!["x".into(), "y".into(), "x".into()],
            requests: vec![key("x", 2), key("x", 9), key("y", 2), key("x", 2)],
            external_ids: vec![payment("q"), payment("p"), payment("p")],
        };
        let loaded = writer.load(&wanted).await.unwrap();
        assert_eq!(loaded.seen.head, head(3));
        assert_eq!(loaded.accounts, [state("x", 3)]);
        assert_eq!(loaded.requests, [batch.requests[1].clone()]);
        assert_eq!(loaded.external_ids.len(), 1);
        let found = &loaded.external_ids[0];
        assert_eq!((&found.external_id, &*found.book, found.position), (&payment("p"), "a", 2));
    }

    async fn the_head_comes_even_if_nothing_is_found(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        let nothing = Wanted::default();
        let only_requests = Wanted { requests: vec![key("x", 1)], ..Wanted::default() };
        let only_ids = Wanted { external_ids: vec![payment("p")], ..Wanted::default() };
        for wanted in [nothing, accounts(&["x"]), only_requests, only_ids] {
            let loaded = writer.load(&wanted).await.unwrap();
            assert_eq!(loaded.seen.head, head(0));
            assert!(loaded.seen.clock.0 > 1_735_689_600_000_000);
            assert!(loaded.accounts.is_empty());
            assert!(loaded.requests.is_empty());
            assert!(loaded.external_ids.is_empty());
        }
    }

    async fn an_id_claimed_in_another_book_is_found(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("b").await.unwrap();
        let mut batch = append("x", 0, 1);
        batch.external_ids = vec![(payment("p"), 1)];
        done(&mut *writer, &batch).await;
        let mut other = store.writer("a").await.unwrap();
        let wanted = Wanted { external_ids: vec![payment("p")], ..accounts(&["x"]) };
        let loaded = other.load(&wanted).await.unwrap();
        assert_eq!(loaded.external_ids[0].book, "b");
        assert!(loaded.accounts.is_empty());
    }

    async fn thousands_are_loaded_at_once(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        let mut batch = append("x", 0, 1_000);
        batch.accounts = (0..1_000).map(|n| state(&format!("tg:{n}"), 1)).collect();
        done(&mut *writer, &batch).await;
        let wanted = Wanted {
            accounts: (0..2_000).map(|n| format!("tg:{n}").into()).collect(),
            requests: (500..2_500).map(|n| key("x", n)).collect(),
            external_ids: Vec::new(),
        };
        let loaded = writer.load(&wanted).await.unwrap();
        assert_eq!((loaded.accounts.len(), loaded.requests.len()), (1_000, 501));
    }

    /// Each append leaves a state of the version that the head has, so that a
    /// load which mixes two moments shows.
    async fn a_load_never_mixes_two_heads(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        let mut reader = store.writer("a").await.unwrap();
        done(&mut *writer, &append("x", 0, 1)).await;
        let appends = tokio::spawn(async move {
            for position in 1..200 {
                let appended = writer.append(&append("x", position, 1)).await.unwrap();
                assert!(matches!(appended, Appended::Done(_)));
            }
        });
        let mut loads = 0;
        while !appends.is_finished() {
            let wanted = Wanted { requests: (1..=200).map(|n| key("x", n)).collect(), ..accounts(&["x"]) };
            match reader.load(&wanted).await {
                Ok(loaded) => {
                    assert_eq!(loaded.accounts[0].version, loaded.seen.head.position);
                    assert_eq!(loaded.requests.len() as u64, loaded.seen.head.position);
                    loads += 1;
                }
                Err(error) => assert!(!error.outcome_unknown(), "{error:?}"),
            }
        }
        appends.await.unwrap();
        assert!(loads > 0);
    }
}
