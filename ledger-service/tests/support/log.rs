//! A look at what is stored, and whether it holds together.

use std::collections::HashMap;

use ledger_core::{Account, Name, RequestId};
use ledger_service::{
    engine::{
        Recorded,
        log::{decode, event_hash},
    },
    store::{Head, SharedStore},
};

use super::ask::BOOK;

/// All events of the book, checked: no position is missing, none is there
/// twice, the chain of hashes holds, each account's events follow each other,
/// times grow, each applied request has one row, and stored states are what
/// the events make.
pub(crate) async fn sound(store: &SharedStore) -> Vec<Recorded> {
    sound_book(store, BOOK).await
}

/// The same of another book than the tests' own.
pub(crate) async fn sound_book(store: &SharedStore, book: &str) -> Vec<Recorded> {
    let mut events: Vec<Recorded> = Vec::new();
    let mut head = Head::default();
    loop {
        let rows = store.read_after(book, head.position, 1_000).await.unwrap();
        if rows.is_empty() {
            break;
        }
        for row in rows {
            assert_eq!(
                row.position,
                head.position + 1,
                "positions follow each other"
            );
            assert_eq!(
                row.hash,
                event_hash(&head.hash, &row.body),
                "the chain holds"
            );
            let recorded = decode(&row).unwrap();
            let recorded_at = recorded.event.recorded_at;
            assert!(
                recorded_at >= head.recorded_at,
                "time does not run backwards"
            );
            head = Head {
                position: row.position,
                hash: row.hash,
                recorded_at,
            };
            events.push(recorded);
        }
    }
    let stored = store.head(book).await.unwrap().unwrap().head;
    assert_eq!(stored, head, "the head is the last event");
    check_accounts(store, book, &events).await;
    check_requests(store, book, &events).await;
    events
}

async fn check_accounts(store: &SharedStore, book: &str, events: &[Recorded]) {
    let mut accounts: HashMap<&str, Account> = HashMap::new();
    for recorded in events {
        let account = accounts.entry(&recorded.event.account).or_default();
        account.evolve(&recorded.event).unwrap();
        assert_eq!(
            account.balances(),
            recorded.event.balances,
            "balances after the event"
        );
    }
    let mut stored = 0;
    let mut after = Name::default();
    loop {
        let rows = store.accounts_after(book, &after, 500).await.unwrap();
        let Some(last) = rows.last() else { break };
        after.clone_from(&last.account);
        stored += rows.len();
        for row in rows {
            let state: Account = minicbor::decode(&row.state).unwrap();
            state.check().unwrap();
            assert_eq!(
                Some(&state),
                accounts.get(row.account.as_str()),
                "{}",
                row.account
            );
            let is_in_time = match (row.due_at, state.next_due()) {
                (_, None) => true,
                (Some(stored), Some(next)) => stored <= next,
                (None, Some(_)) => false,
            };
            assert!(is_in_time, "{} would not be swept in time", row.account);
        }
    }
    assert_eq!(stored, accounts.len(), "a state for each account");
}

async fn check_requests(store: &SharedStore, book: &str, events: &[Recorded]) {
    let mut applied: HashMap<(Name, RequestId), u64> = HashMap::new();
    for recorded in events {
        let event = &recorded.event;
        let (Some(request_id), Some(_)) = (event.request_id, &event.request) else {
            continue;
        };
        let before = applied.insert((event.account.clone(), request_id), event.position);
        assert_eq!(before, None, "request {request_id} was applied once");
    }
    for recorded in events {
        let event = &recorded.event;
        if let Some(hash) = &event.call_hash {
            let key = ledger_service::store::RequestKey {
                account: ledger_core::event::HOUSE.into(),
                request_id: event.call_id.unwrap(),
            };
            let row = store.request(book, &key).await.unwrap().unwrap();
            assert_eq!((row.position, &row.hash[..]), (event.position, &hash[..]));
        }
    }
    for ((account, request_id), position) in applied {
        let key = ledger_service::store::RequestKey {
            account,
            request_id,
        };
        let row = store.request(book, &key).await.unwrap().unwrap();
        assert_eq!(row.position, position);
    }
}

/// The events that a request wrote.
pub(crate) fn of_request(events: &[Recorded], request_id: RequestId) -> Vec<&Recorded> {
    events
        .iter()
        .filter(|recorded| recorded.event.request_id == Some(request_id))
        .collect()
}
