//! The append.

use std::time::Duration;

use ledger_service::store::{Appended, LogWriter, StoreError};

use crate::harness::{Place, accounts, append, done, event, head, key, on_both, payment, state};

/// Connects again. What was given up may still be at work on a busy machine: each
/// try waits for it.
async fn reconnect(writer: &mut dyn LogWriter) {
    for _ in 0..20 {
        match writer.reconnect().await {
            Err(StoreError::Busy(_)) => {}
            done => return done.unwrap(),
        }
    }
    panic!("what was given up is at work for ever");
}

on_both! {
    async fn an_append_moves_the_head(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        done(&mut *writer, &append("x", 0, 3)).await;
        let seen = store.head("a").await.unwrap().unwrap();
        assert_eq!(seen.head, head(3));
        assert_eq!(store.head("b").await.unwrap().unwrap().head, head(0));
        assert_eq!(place.rows().await, [3, 3, 0, 1]);
    }

    async fn an_append_says_when(place: Place) {
        let store = place.store().await;
        let before = store.head("a").await.unwrap().unwrap().clock;
        let mut writer = store.writer("a").await.unwrap();
        let appended = writer.append(&append("x", 0, 1)).await.unwrap();
        let after = store.head("a").await.unwrap().unwrap().clock;
        let Appended::Done(clock) = appended else { panic!("{appended:?}") };
        assert!(before <= clock && clock <= after, "{before:?} {clock:?} {after:?}");
        // Later than 2025.
        assert!(clock.0 > 1_735_689_600_000_000);
    }

    async fn what_was_appended_is_read_as_it_was(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        let mut first = append("x", 0, 2);
        first.events[1].refers_to = Some(1);
        first.events[1].kind = 255;
        first.events[1].body = (0..=255).collect();
        done(&mut *writer, &first).await;
        let read = store.read_columns_after("a", 0, 10).await.unwrap();
        assert_eq!(format!("{read:?}"), format!("{:?}", first.events));
        let read = store.read_after("a", 1, 10).await.unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].position, &read[0].body), (2, &first.events[1].body));
        assert_eq!(read, writer.read_after(1, 10).await.unwrap());
        let request = store.request("a", &key("x", 2)).await.unwrap().unwrap();
        assert_eq!(request, first.requests[1]);
    }

    async fn a_large_batch_is_written_whole(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        let mut batch = append("x", 0, 1_037);
        batch.accounts = (0..523).map(|n| state(&format!("x{n:04}"), 1)).collect();
        batch.external_ids = (0..77).map(|n| (payment(&n.to_string()), n + 1)).collect();
        done(&mut *writer, &batch).await;
        assert_eq!(place.rows().await, [1_037, 1_037, 77, 523]);
        let read = store.read_columns_after("a", 0, 2_000).await.unwrap();
        assert_eq!(format!("{read:?}"), format!("{:?}", batch.events));
    }

    async fn a_lost_swap_writes_nothing(place: Place) {
        let store = place.store().await;
        let mut winner = store.writer("a").await.unwrap();
        let mut loser = store.writer("a").await.unwrap();
        done(&mut *winner, &append("x", 0, 2)).await;
        let before = place.rows().await;
        let mut late = append("y", 0, 3);
        late.external_ids = vec![(payment("p"), 1)];
        late.accounts.push(state("x", 99));
        assert_eq!(loser.append(&late).await.unwrap(), Appended::Lost);
        // At the right position, but not after the right event.
        let mut other = append("y", 2, 1);
        other.believed.hash = [1; 32];
        assert_eq!(loser.append(&other).await.unwrap(), Appended::Lost);
        assert_eq!(place.rows().await, before);
        assert_eq!(store.head("a").await.unwrap().unwrap().head, head(2));
        let loaded = loser.load(&accounts(&["x", "y"])).await.unwrap();
        assert_eq!(loaded.accounts, [state("x", 2)]);
        // The same writer goes on at the head that it has now seen.
        done(&mut *loser, &append("y", 2, 1)).await;
    }

    async fn a_repeated_request_is_refused_and_nothing_is_written(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        done(&mut *writer, &append("x", 0, 2)).await;
        let before = place.rows().await;
        let mut repeat = append("x", 2, 2);
        repeat.requests[1].key = key("x", 1);
        repeat.external_ids = vec![(payment("p"), 3)];
        let error = writer.append(&repeat).await.unwrap_err();
        assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
        assert!(!error.outcome_unknown());
        assert_eq!(place.rows().await, before);
        assert_eq!(store.head("a").await.unwrap().unwrap().head, head(2));
        assert_eq!(writer.load(&accounts(&["x"])).await.unwrap().accounts, [state("x", 2)]);
        done(&mut *writer, &append("x", 2, 2)).await;
    }

    async fn an_id_may_be_used_by_each_account_and_book(place: Place) {
        let store = place.store().await;
        let mut a = store.writer("a").await.unwrap();
        let mut b = store.writer("b").await.unwrap();
        done(&mut *a, &append("x", 0, 1)).await;
        done(&mut *b, &append("x", 0, 1)).await;
        let mut other = append("y", 1, 1);
        other.requests[0].key = key("y", 1);
        done(&mut *a, &other).await;
        assert_eq!(place.rows().await, [3, 3, 0, 3]);
    }

    async fn an_id_of_a_provider_is_unique_over_all_books(place: Place) {
        let store = place.store().await;
        let mut a = store.writer("a").await.unwrap();
        let mut b = store.writer("b").await.unwrap();
        let mut first = append("x", 0, 1);
        first.external_ids = vec![(payment("p"), 1)];
        done(&mut *a, &first).await;
        let before = place.rows().await;
        let error = b.append(&first).await.unwrap_err();
        assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
        assert_eq!(place.rows().await, before);
        assert_eq!(store.head("b").await.unwrap().unwrap().head, head(0));
        // The same id in another shop is another id.
        first.external_ids[0].0.merchant_account = "other".into();
        done(&mut *b, &first).await;
    }

    async fn states_are_made_and_replaced(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        let mut first = append("x", 0, 1);
        first.accounts[0].due_at = Some(crate::harness::at(9));
        done(&mut *writer, &first).await;
        assert_eq!(writer.load(&accounts(&["x"])).await.unwrap().accounts, first.accounts);
        let mut second = append("x", 1, 1);
        second.accounts.push(state("y", 1));
        done(&mut *writer, &second).await;
        let mut found = writer.load(&accounts(&["x", "y"])).await.unwrap().accounts;
        found.sort_by(|a, b| a.account.cmp(&b.account));
        assert_eq!(found, second.accounts);
    }

    async fn a_dropped_append_leaves_nothing_half_done(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        let batch = append("x", 0, 500);
        let dropped = tokio::time::timeout(Duration::from_micros(300), writer.append(&batch)).await;
        if dropped.is_err() {
            let error = writer.load(&accounts(&["x"])).await.unwrap_err();
            assert!(matches!(error, StoreError::Lost(_)), "{error:?}");
            assert!(error.outcome_unknown());
            reconnect(&mut *writer).await;
        }
        // The lock waits for an append that is running anywhere.
        let seen = writer.lock().await.unwrap();
        writer.unlock().await.unwrap();
        let position = seen.head.position;
        assert!(position == 0 || position == 500, "{position}");
        let written = i64::try_from(position).unwrap();
        assert_eq!(place.rows().await, [written, written, 0, (position / 500).cast_signed()]);
        done(&mut *writer, &append("x", position, 1)).await;
    }

    async fn an_append_without_a_log_is_lost(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("nobody").await.unwrap();
        let lost = writer.append(&append("x", 0, 1)).await.unwrap();
        assert_eq!(lost, Appended::Lost);
        assert!(store.head("nobody").await.unwrap().is_none());
        let error = writer.load(&accounts(&["x"])).await.unwrap_err();
        assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
    }

    async fn an_append_over_existing_events_is_refused(place: Place) {
        let store = place.store().await;
        let mut writer = store.writer("a").await.unwrap();
        done(&mut *writer, &append("x", 0, 2)).await;
        // As if a damaged head were believed.
        let mut over = append("y", 1, 1);
        over.believed = head(2);
        over.head = head(3);
        over.events = vec![event("y", 2)];
        over.requests[0].key = key("y", 50);
        let error = writer.append(&over).await.unwrap_err();
        assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
        assert_eq!(store.head("a").await.unwrap().unwrap().head, head(2));
    }

    async fn two_writers_of_a_book_never_both_win(place: Place) {
        let store = place.store().await;
        let tasks = ["x", "y"].map(|account| {
            let store = std::sync::Arc::clone(&store);
            tokio::spawn(async move {
                let mut writer = store.writer("a").await.unwrap();
                let mut won = 0;
                for _ in 0..60 {
                    let seen = writer.load(&accounts(&[account])).await.unwrap().seen;
                    let next = append(account, seen.head.position, 2);
                    match writer.append(&next).await.unwrap() {
                        Appended::Done(_) => won += 1,
                        Appended::Lost => {}
                    }
                }
                won
            })
        });
        let mut won = 0;
        for task in tasks {
            won += task.await.unwrap();
        }
        let seen = store.head("a").await.unwrap().unwrap();
        assert_eq!(seen.head, head(won * 2));
        assert_eq!(place.rows().await[..2], [2 * won.cast_signed(), 2 * won.cast_signed()]);
        assert!(won >= 60, "{won}");
    }
}
