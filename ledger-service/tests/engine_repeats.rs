//! What a writer remembers and looks up of requests that were applied before,
//! and calls of which some items end otherwise than the rest.
#![cfg(test)]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ledger_core::{Rejection, Request, command::Target, event::HOUSE};
use ledger_proto::v1::{self, ledger_service_client::LedgerServiceClient};
use ledger_service::{
    engine::{Answer, Call, CallOptions, Engine, EngineError, ItemError},
    grpc,
    projections::Index,
};
use support::{
    ask::{
        BOOK, add, apply, ask, ask_with, balance, credit, done, each_in_one_batch, engine, id,
        in_one_batch, opened, read, refund, request, take, transfer,
    },
    database::Database,
    faulty::{Fault, Faults, FaultyStore, Kind, Outcome},
    log::sound,
    on_both,
};
use tokio_util::sync::CancellationToken;
use tonic_types::StatusExt as _;

on_both!(
    a_request_that_is_read_in_two_chunks_is_remembered_whole,
    a_request_that_comes_while_the_log_is_read_is_not_cut,
    a_repeat_within_seconds_costs_no_append,
    who_lost_twice_takes_the_lock_first,
    repeats_are_read_before_the_append,
    a_request_that_does_not_stand_where_it_should_stops_the_book,
    the_id_of_an_atomic_call_is_not_one_of_the_house,
    what_a_discarded_attempt_refused_is_no_answer,
    who_gives_up_on_a_lost_append_does_not_know,
    a_poisoned_item_fails_alone,
    an_item_that_is_too_late_fails_alone,
);

fn plain(requests: Vec<Request>) -> Call {
    Call {
        requests,
        options: CallOptions::default(),
    }
}

/// Point 4. Three events are read at a time, and each transfer is two: some are
/// cut. Remembered in part, they would be answered in part.
async fn a_request_that_is_read_in_two_chunks_is_remembered_whole(database: Database) {
    let one = opened(database.store().await).await;
    let two = engine(database.store().await);
    done(&one, request("tg:a", id("a"), credit("RUB", 100))).await;
    done(&one, request("tg:b", id("b"), credit("RUB", 100))).await;
    // From here on, the second engine follows the log.
    read(&two, "tg:a").await;
    let move_one = |number| {
        let request_id = id(&format!("move {number}"));
        request("tg:a", request_id, transfer("tg:b", "RUB", 1))
    };
    let mut firsts = Vec::new();
    for number in 0..6 {
        firsts.push(done(&one, move_one(number)).await);
    }
    read(&two, "tg:a").await;
    for (number, first) in firsts.into_iter().enumerate() {
        assert!(first.events.len() > 1);
        let again = done(&two, move_one(number)).await;
        assert!(again.replayed);
        assert_eq!(again.events, first.events);
        assert_eq!(again.seen_at, first.seen_at);
    }
    sound(one.store()).await;
}

/// Point 4. Two events are missing when the second engine looks, and three are
/// read at a time: the third would be the first of the two of a transfer that is
/// appended in between, and its repeat would be answered with that half.
async fn a_request_that_comes_while_the_log_is_read_is_not_cut(database: Database) {
    let one = opened(database.store().await).await;
    let (store, faults) = FaultyStore::around(database.store().await);
    let two = engine(store);
    done(&one, request("tg:a", id("a"), credit("RUB", 100))).await;
    read(&two, "tg:a").await;
    for name in ["first", "second"] {
        done(&one, request("tg:a", id(name), add("XP", 1))).await;
    }
    done(&one, request("tg:b", id("b"), credit("RUB", 100))).await;
    read(&two, "tg:a").await;
    for name in ["third", "fourth"] {
        done(&one, request("tg:a", id(name), add("XP", 1))).await;
    }
    let moving = || request("tg:a", id("move"), transfer("tg:b", "RUB", 1));
    let other = one.clone();
    let between = async move { drop(done(&other, moving()).await) };
    faults.once(Kind::ReadAfter, Fault::before(between));
    let again = done(&two, moving()).await;
    assert!(faults.are_spent() && again.replayed);
    assert_eq!(again.events, done(&one, moving()).await.events);
    assert!(again.events.len() > 1);
    sound(one.store()).await;
}

/// How often the writers call what.
fn counted(faults: &Faults, kind: Kind) -> Arc<AtomicU64> {
    let count: Arc<AtomicU64> = Arc::default();
    let seen = Arc::clone(&count);
    faults.always(Box::new(move |calling| {
        if calling.kind == kind {
            seen.fetch_add(1, Ordering::AcqRel);
        }
        None
    }));
    count
}

/// Point 3. Without the memory of what was answered lately, each quick retry
/// would be an append that the unique key refuses, and halve its batch.
async fn a_repeat_within_seconds_costs_no_append(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let one = opened(store).await;
    let own = request("tg:1", id("own"), add("XP", 1));
    done(&one, own.clone()).await;
    let appends = counted(&faults, Kind::Append);
    for _ in 0..3 {
        assert!(done(&one, own.clone()).await.replayed);
    }
    assert_eq!(appends.load(Ordering::Acquire), 0);
}

/// Point 1. Without the lock, an instance that is always a little slower than
/// another would decide the same batch again and again.
async fn who_lost_twice_takes_the_lock_first(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let one = opened(store).await;
    let two = engine(database.store().await);
    let locks = counted(&faults, Kind::Lock);
    for number in 0..2 {
        let two = two.clone();
        let other = request("tg:2", id(&format!("other {number}")), add("XP", 1));
        let write = async move { drop(done(&two, other).await) };
        faults.once(Kind::Append, Fault::before(write));
    }
    done(&one, request("tg:1", id("own"), add("XP", 1))).await;
    assert!(faults.are_spent());
    assert_eq!(locks.load(Ordering::Acquire), 1);
    sound(one.store()).await;
}

/// Read after the append, a repeat whose events cannot be read would make the
/// batch's outcome unknown: those who were first would be told that they were
/// not.
async fn repeats_are_read_before_the_append(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let engine = opened(store).await;
    let old = request("tg:1", id("old"), add("XP", 1));
    done(&engine, old.clone()).await;
    faults.once(Kind::ReadAt, Outcome::Lost);
    let requests = vec![request("tg:2", id("new"), add("XP", 1)), old];
    let answers = each_in_one_batch(&engine, &faults, requests).await;
    assert!(faults.are_spent());
    let replayed: Vec<bool> = answers
        .into_iter()
        .map(|answer| answer.unwrap().unwrap().replayed)
        .collect();
    assert_eq!(replayed, [false, true]);
    sound(engine.store()).await;
}

/// A row that points at another's events: answered with them, a caller would
/// be told of somebody else's money.
async fn a_request_that_does_not_stand_where_it_should_stops_the_book(database: Database) {
    let one = opened(database.store().await).await;
    let first = done(&one, request("tg:1", id("r"), add("XP", 1))).await;
    done(&one, request("tg:2", id("r"), add("XP", 2))).await;
    let sql = format!(
        "UPDATE requests SET position = {} WHERE account = 'tg:2'",
        first.events[0].event.position
    );
    database.execute(&sql).await;
    let two = engine(database.store().await);
    let answer = ask(&two, request("tg:2", id("r"), add("XP", 2))).await;
    assert!(matches!(answer, Err(EngineError::Stopped)), "{answer:?}");
}

/// An atomic call has a row of its own under the house's account, over events
/// that are not the house's.
async fn the_id_of_an_atomic_call_is_not_one_of_the_house(database: Database) {
    let one = opened(database.store().await).await;
    let call = Call {
        requests: vec![request("tg:1", id("item"), add("XP", 1))],
        options: CallOptions {
            atomic: Some(id("call")),
            ..CallOptions::default()
        },
    };
    let applied = one.call(BOOK, call).await.unwrap().remove(0).unwrap();
    let expected = Rejection::RequestIdReused {
        field: "command",
        event: applied.events[0].event.position,
    };
    for engine in [&one, &engine(database.store().await)] {
        let house = request(HOUSE, id("call"), apply("schema = 1"));
        let rejection = ask(engine, house).await.unwrap().unwrap_err();
        assert_eq!(rejection, expected);
    }
}

/// What was found out about one log is not true of the one that it was replaced
/// by in the middle of a batch: here by a backup from before the request, to
/// which somebody else has written since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_found_in_one_log_is_not_answered_in_another() {
    let database = Arc::new(Database::sqlite());
    let (store, faults) = FaultyStore::around(database.store().await);
    let one = opened(store).await;
    let base = done(&one, request("tg:0", id("base"), add("XP", 1))).await;
    let old = request("tg:1", id("old"), add("XP", 5));
    done(&one, old.clone()).await;
    let base = base.seen_at.0;
    let restore = format!(
        "DROP TRIGGER events_no_delete;
         DELETE FROM events WHERE position > {base};
         DELETE FROM requests WHERE position > {base};
         DELETE FROM accounts WHERE account IN ('tg:1');
         UPDATE logs SET (position, hash, recorded_at_us) =
             (SELECT position, hash, recorded_at_us FROM events WHERE position = {base});"
    );
    let restored = Arc::clone(&database);
    let two = engine(database.store().await);
    faults.once(
        Kind::Append,
        Fault::before(async move {
            restored.execute(&restore).await;
            done(&two, request("tg:2", id("other"), add("XP", 1))).await;
        }),
    );
    let requests = vec![request("tg:3", id("new"), add("XP", 1)), old];
    let answers = each_in_one_batch(&one, &faults, requests).await;
    assert!(faults.are_spent());
    for (answer, account) in answers.into_iter().zip(["tg:3", "tg:1"]) {
        let answer = answer.unwrap().unwrap();
        assert!(!answer.replayed, "{account}");
        assert!(!answer.events.is_empty(), "{account}");
        let is_own = |event: &ledger_core::Event| event.account == account;
        assert!(answer.events.iter().all(|recorded| is_own(&recorded.event)));
    }
    assert_eq!(balance(&one, "tg:1", "XP").await, 5);
    sound(one.store()).await;
}

/// Point 3. An atomic call is refused in an attempt that comes to nothing, and
/// there is no other attempt: the refusal was never compared with the head.
async fn what_a_discarded_attempt_refused_is_no_answer(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let one = opened(store).await;
    read(&one, "tg:1").await;
    let drain = || Call {
        requests: vec![request("tg:1", id("drain"), take("RUB", 100))],
        options: CallOptions {
            atomic: Some(id("call")),
            ..CallOptions::default()
        },
    };
    let down = Arc::clone(&faults);
    let mut fault = Fault::before(async move { down.set_down(true) });
    fault.outcome = Outcome::Lost;
    faults.once(Kind::Append, fault);
    let calls = vec![
        drain(),
        plain(vec![request("tg:2", id("other"), add("XP", 1))]),
    ];
    for answer in in_one_batch(&one, &faults, calls).await {
        assert!(
            matches!(answer, Err(EngineError::Unavailable)),
            "{answer:?}"
        );
    }
    faults.set_down(false);
    let two = engine(database.store().await);
    done(&two, request("tg:1", id("credit"), credit("RUB", 100))).await;
    one.call(BOOK, drain()).await.unwrap().remove(0).unwrap();
    sound(one.store()).await;
}

/// Point 6. The append was done and its answer lost; it is looked for, but
/// before it is found the deadline passes. `DeadlineExceeded` says that nothing
/// was written.
async fn who_gives_up_on_a_lost_append_does_not_know(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let one = opened(store).await;
    let two = engine(database.store().await);
    done(&one, request("tg:1", id("first"), add("XP", 1))).await;
    let deadline = Instant::now() + Duration::from_secs(2);
    faults.once(Kind::Append, Outcome::DoneAndLost);
    // The connection is back, the log is followed, and then it moves on.
    faults.once(
        Kind::ReadAt,
        Fault::before(async move {
            while Instant::now() < deadline {
                tokio::task::yield_now().await;
            }
            done(&two, request("tg:2", id("other"), add("XP", 1))).await;
        }),
    );
    let options = CallOptions {
        deadline: Some(deadline),
        ..CallOptions::default()
    };
    let request = || request("tg:1", id("r"), add("XP", 1));
    let answer = ask_with(&one, request(), options).await;
    assert!(faults.are_spent());
    assert!(
        matches!(answer, Err(EngineError::Unavailable)),
        "{answer:?}"
    );
    assert!(done(&one, request()).await.replayed, "it was applied");
    sound(one.store()).await;
}

/// Makes the store refuse what carries this note.
fn refuse_poison(faults: &Faults) {
    faults.always(Box::new(|calling| {
        let is_poison = |body: &[u8]| body.windows(6).any(|window| window == b"poison");
        let events = &calling.append?.events;
        let is_poisoned = events.iter().any(|event| is_poison(&event.body));
        is_poisoned.then(|| Outcome::Refused.into())
    }));
}

fn poisoned(account: &str, name: &str) -> Request {
    let mut request = request(account, id(name), add("XP", 1));
    request.annotations.external_id = Some("poison".into());
    request
}

/// Point 5, of the items of one call: the rest is applied, and its callers have
/// to be told.
async fn a_poisoned_item_fails_alone(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let engine = opened(store).await;
    refuse_poison(&faults);
    let items = || {
        (0..9)
            .map(|number| match number {
                4 => poisoned("tg:4", "4"),
                _ => request(
                    &format!("tg:{number}"),
                    id(&format!("{number}")),
                    add("XP", 1),
                ),
            })
            .collect()
    };
    for replayed in [false, true] {
        let results = engine.call(BOOK, plain(items())).await.unwrap();
        assert_eq!(results.len(), 9);
        for (number, result) in results.iter().enumerate() {
            match (number, result) {
                (4, Err(ItemError::Failed(EngineError::Refused))) => {}
                (4, other) => panic!("{other:?}"),
                (_, result) => assert_eq!(result.as_ref().unwrap().replayed, replayed),
            }
        }
    }
    // A call with nothing else in it fails as a whole.
    let all = plain(vec![poisoned("tg:1", "p 1"), poisoned("tg:2", "p 2")]);
    let result = engine.call(BOOK, all).await;
    assert!(matches!(result, Err(EngineError::Refused)), "{result:?}");
    sound(engine.store()).await;
}

/// Point 10. An item that has to wait for the next batch, which comes too late:
/// what was written before is answered.
async fn an_item_that_is_too_late_fails_alone(database: Database) {
    let (store, faults) = FaultyStore::around(database.store().await);
    let engine = opened(store).await;
    done(&engine, request("tg:1", id("credit"), credit("RUB", 100))).await;
    let deadline = Instant::now() + Duration::from_secs(2);
    faults.once(
        Kind::Append,
        Fault::after(async move {
            while Instant::now() < deadline {
                tokio::task::yield_now().await;
            }
        }),
    );
    let call = Call {
        requests: vec![
            request("tg:1", id("take"), take("RUB", 60)),
            request("tg:1", id("back"), refund(Target::Request(id("take")))),
        ],
        options: CallOptions {
            deadline: Some(deadline),
            ..CallOptions::default()
        },
    };
    let results: Vec<Result<Answer, ItemError>> = engine.call(BOOK, call).await.unwrap();
    let [taken, back] = &results[..] else {
        panic!("two results")
    };
    assert!(!taken.as_ref().unwrap().replayed);
    assert!(
        matches!(back, Err(ItemError::Failed(EngineError::DeadlineExceeded))),
        "{back:?}"
    );
    assert_eq!(balance(&engine, "tg:1", "RUB").await, 40);
    sound(engine.store()).await;
}

/// The same as a caller of the API sees it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poisoned_item_of_a_batch_charge_has_its_own_status() {
    let database = Database::sqlite();
    let (store, faults) = FaultyStore::around(database.store().await);
    let engine = opened(store).await;
    done(&engine, request("tg:1", id("credit"), credit("RUB", 100))).await;
    refuse_poison(&faults);
    let mut ledger = serve(&engine).await;
    let charge = |number: u8, note: &str| v1::ChargeRequest {
        account: format!("books/{BOOK}/accounts/tg:1"),
        request_id: format!("00000000-0000-7000-8000-0000000000{number:02}"),
        explicit_price: Some(v1::AssetAmount {
            asset: "RUB".to_owned(),
            amount: 10,
        }),
        annotations: Some(v1::Annotations {
            external_id: note.to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let message = v1::BatchChargeRequest {
        book: format!("books/{BOOK}"),
        requests: vec![charge(1, "fine"), charge(2, "poison"), charge(3, "fine")],
        ..Default::default()
    };
    let items = ledger
        .batch_charge(message)
        .await
        .unwrap()
        .into_inner()
        .items;
    let outcomes: Vec<String> = items
        .into_iter()
        .map(|item| match item.outcome.unwrap() {
            v1::batch_charge_item::Outcome::Response(_) => "done".to_owned(),
            v1::batch_charge_item::Outcome::Error(error) => {
                format!("{} {}", error.code, reason_of(&error))
            }
        })
        .collect();
    assert_eq!(outcomes, ["done", "13 DATA_REFUSED", "done"]);
    assert_eq!(balance(&engine, "tg:1", "RUB").await, 80);
}

fn reason_of(status: &tonic_types::Status) -> String {
    use prost::Message as _;
    let code = tonic::Code::from(status.code);
    let details = status.encode_to_vec().into();
    let status = tonic::Status::with_details(code, status.message.clone(), details);
    status.get_details_error_info().unwrap().reason
}

async fn serve(engine: &Engine) -> LedgerServiceClient<tonic::transport::Channel> {
    let shutdown = CancellationToken::new();
    let index = Index::spawn(engine.clone(), "this".to_owned(), shutdown.clone());
    let reporter = grpc::health::reporter().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(grpc::serve(
        listener,
        engine.clone(),
        index,
        reporter,
        shutdown,
    ));
    let channel = tonic::transport::Channel::from_shared(url).unwrap();
    LedgerServiceClient::new(channel.connect_lazy())
}
