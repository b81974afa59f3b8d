//! Compares the client's own log of a [`crate::load`] with what the ledger has.

use crate::{
    Ledger,
    billing::BOOK,
    client::{events, head},
    eventually,
    load::{Act, Entry, Outcome, is_in_doubt},
};
use ledger_proto::v1::{Balance, BatchGetBalancesRequest, Event, MutationResult, event::Payload};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};
use tonic::Status;

/// How long a repeat may wait for its answer.
const REPEAT_DEADLINE: Duration = Duration::from_secs(30);
/// How many acknowledged requests are repeated.
const REPEATS_MAX: usize = 300;

/// What the judge counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verdict {
    /// Requests that were acknowledged, at once or when they were repeated.
    pub acknowledged: usize,
    /// Requests that were refused.
    pub refused: usize,
    /// Requests whose first attempt, or several, had no definite answer.
    pub in_doubt: usize,
    /// Of these, the ones that had been applied.
    pub applied_in_doubt: usize,
}

/// Judges: every acknowledged request is in the log exactly once with the
/// acknowledged content, every other one once or not at all, its repeat is
/// answered rightly, and balances are what the events say. The load has ended;
/// the instances run.
///
/// # Panics
/// If anything of that is not so.
pub async fn judge(mut journal: HashMap<String, Entry>, instances: &[&Ledger]) -> Verdict {
    let mut verdict = Verdict::default();
    for (index, entry) in journal.values_mut().enumerate() {
        verdict.in_doubt += usize::from(entry.doubts > 0);
        if matches!(entry.outcome, Outcome::Unknown) {
            let ledger = instances[index % instances.len()];
            verdict.applied_in_doubt += usize::from(repeat_unknown(entry, ledger).await);
        }
    }
    let log = events(instances[0], None).await;
    check_order(&log);
    for ledger in instances {
        assert_eq!(head(ledger).await, position(log.last()), "the heads differ");
    }

    let mut by_request: HashMap<&str, Vec<&Event>> = HashMap::new();
    for event in log.iter().filter(|event| !is_of_house(event)) {
        by_request
            .entry(event.request_id.as_str())
            .or_default()
            .push(event);
    }
    for request_id in by_request.keys() {
        assert!(
            journal.contains_key(*request_id),
            "nobody sent {request_id}"
        );
    }
    for (request_id, entry) in &journal {
        let found = by_request
            .get(request_id.as_str())
            .map_or(&[][..], Vec::as_slice);
        match &entry.outcome {
            Outcome::Acknowledged(result) => {
                verdict.acknowledged += 1;
                let acknowledged: Vec<&Event> = result.events.iter().collect();
                assert_eq!(found, acknowledged, "{entry:?}");
                assert_eq!(count_of(&entry.act, found), 1, "applied once: {entry:?}");
            }
            Outcome::Refused(_) => {
                verdict.refused += 1;
                // A refusal says nothing of an attempt before it that may have
                // been on its way still.
                let may_be_there = usize::from(entry.doubts > 0);
                let count = count_of(&entry.act, found);
                assert!(count <= may_be_there, "refused and applied: {entry:?}");
            }
            Outcome::Unknown => panic!("it was repeated: {entry:?}"),
        }
    }
    repeat_acknowledged(&journal, instances).await;
    check_balances(&log, instances).await;
    verdict
}

fn position(event: Option<&Event>) -> i64 {
    event.map_or(0, |event| event.position)
}

fn is_of_house(event: &Event) -> bool {
    event.account.ends_with("/accounts/@house")
}

/// Repeats a request until it has a definite answer, which must fit the log as
/// it was; answers whether it had been applied.
async fn repeat_unknown(entry: &mut Entry, ledger: &Ledger) -> bool {
    let before = head(ledger).await;
    match repeat(&entry.act, ledger).await {
        Ok(result) => {
            let first = position(result.events.first());
            assert!(first > 0, "an applied request has events: {entry:?}");
            assert_eq!(
                result.replayed,
                first <= before,
                "replayed if and only if it was there at {before}: {result:?}"
            );
            let applied = result.replayed;
            entry.outcome = Outcome::Acknowledged(Box::new(result));
            applied
        }
        Err(status) => {
            // Nothing is on its way any more: what is refused now is not there.
            entry.doubts = 0;
            entry.outcome = Outcome::Refused(crate::client::reason(&status));
            false
        }
    }
}

async fn repeat(act: &Act, ledger: &Ledger) -> Result<MutationResult, Status> {
    eventually("a repeat is answered", REPEAT_DEADLINE, async || match act
        .send(ledger.ledger(), REPEAT_DEADLINE)
        .await
    {
        Err(status) if is_in_doubt(&status) => None,
        answer => Some(answer),
    })
    .await
}

/// Repeats get the first answer, whatever has happened since.
async fn repeat_acknowledged(journal: &HashMap<String, Entry>, instances: &[&Ledger]) {
    for (index, entry) in journal.values().take(REPEATS_MAX).enumerate() {
        if let Outcome::Acknowledged(first) = &entry.outcome {
            let ledger = instances[index % instances.len()];
            let expected = MutationResult {
                replayed: true,
                ..(**first).clone()
            };
            let answer = repeat(&entry.act, ledger).await;
            assert_eq!(answer.ok(), Some(expected), "{:?}", entry.act);
        }
    }
}

/// Positions of the log and versions of each account go 1, 2, 3 …, each event
/// names its account's one before, and time never runs backwards.
fn check_order(log: &[Event]) {
    let mut last: HashMap<&str, &Event> = HashMap::new();
    for (event, expected) in log.iter().zip(1..) {
        assert_eq!(event.position, expected, "a position is missing or double");
        let before = last.insert(&event.account, event);
        let version = before.map_or(0, |before| before.version) + 1;
        assert_eq!(event.version, version, "a version of {}", event.account);
        assert_eq!(event.previous_position, position(before), "{event:?}");
    }
    let times = log.iter().filter_map(|event| event.record_time);
    let times: Vec<_> = times.map(|time| (time.seconds, time.nanos)).collect();
    assert!(times.is_sorted(), "time runs backwards");
    assert_eq!(times.len(), log.len());
}

/// How often a request was carried out.
fn count_of(act: &Act, events: &[&Event]) -> usize {
    let is_own = |event: &&&Event| match (act, &event.payload) {
        (Act::Credit(_), Some(Payload::Credited(credited))) => credited.source != "WELCOME",
        (Act::Charge(_), Some(Payload::Debited(_)))
        | (Act::Hold(_), Some(Payload::HoldPlaced(_)))
        | (Act::Capture(_), Some(Payload::HoldCaptured(_)))
        | (Act::Release(_), Some(Payload::HoldReleased(_)))
        | (Act::Refund(_), Some(Payload::Refunded(_)))
        | (Act::Transfer(_), Some(Payload::TransferSent(_))) => true,
        _ => false,
    };
    events.iter().filter(is_own).count()
}

/// Balance and held part, by asset.
type Totals = BTreeMap<String, (i64, i64)>;

/// Adds what an event says about balances, worked out here anew.
fn add_up(totals: &mut Totals, payload: &Payload) {
    let mut add = |amount: &Option<ledger_proto::v1::AssetAmount>, balance: i64, held: i64| {
        let amount = amount.as_ref().expect("an event says how much of what");
        let total = totals.entry(amount.asset.clone()).or_default();
        total.0 += balance * amount.amount;
        total.1 += held * amount.amount;
    };
    match payload {
        Payload::Credited(credited) => add(&credited.amount, 1, 0),
        Payload::Debited(debited) => add(&debited.price, -1, 0),
        Payload::Refunded(refunded) => add(&refunded.amount, 1, 0),
        Payload::HoldPlaced(placed) => add(&placed.price, 0, 1),
        Payload::HoldReleased(released) => add(&released.amount, 0, -1),
        Payload::TransferSent(sent) => add(&sent.amount, -1, 0),
        Payload::TransferReceived(received) => add(&received.amount, 1, 0),
        Payload::HoldCaptured(captured) => {
            add(&captured.amount, -1, -1);
            let mut released = captured.amount.clone();
            if let Some(released) = &mut released {
                released.amount = captured.released_amount;
            }
            add(&released, 0, -1);
        }
        Payload::AccountOpened(_) => {}
        other => panic!("the load makes no such event: {other:?}"),
    }
}

/// Balances are what the events add up to: in the events, and as each instance
/// answers them.
async fn check_balances(log: &[Event], instances: &[&Ledger]) {
    let mut expected: BTreeMap<String, Totals> = BTreeMap::new();
    for event in log.iter().filter(|event| !is_of_house(event)) {
        let totals = expected.entry(event.account.clone()).or_default();
        add_up(
            totals,
            event.payload.as_ref().expect("an event says what happened"),
        );
        assert_eq!(totals_of(&event.balances), *totals, "{event:?}");
    }
    for ledger in instances {
        let request = BatchGetBalancesRequest {
            book: BOOK.to_owned(),
            accounts: expected.keys().cloned().collect(),
            ..Default::default()
        };
        let response = ledger.accounts().batch_get_balances(request).await;
        let response = response.unwrap_or_else(|status| panic!("BatchGetBalances: {status:?}"));
        let balances = response.into_inner().balances;
        assert_eq!(balances.len(), expected.len());
        for (found, (account, totals)) in balances.iter().zip(&expected) {
            assert_eq!(
                (&found.account, &totals_of(&found.balances)),
                (account, totals)
            );
        }
    }
}

fn totals_of(balances: &[Balance]) -> Totals {
    for balance in balances {
        assert!(balance.available >= 0, "below zero: {balance:?}");
        assert_eq!(balance.available, balance.balance - balance.held);
    }
    let totals = balances.iter().map(|balance| {
        let amounts = (balance.balance, balance.held);
        (balance.asset.clone(), amounts)
    });
    totals.collect()
}
