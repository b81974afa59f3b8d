//! Statistics against a second count of the same events, whatever happened to their
//! checkpoint.
#![cfg(test)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use ledger_core::{Command, Event, Payload, command::Target};
use ledger_service::{
    engine::{Engine, log},
    projections::{Index, Metric},
    store::{Figure, SharedStore, StatisticsQuery},
};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use support::{
    ask::{
        BOOK, add, ask, capture, charge, credit, done, hold, id, opened, payment, refund, request,
        take,
    },
    database::Database,
    on_both,
};
use tokio_util::sync::CancellationToken;

on_both!(statistics_are_what_the_events_add_up_to);

/// Sums by origin (`*` for all), metric and key.
type Sums = BTreeMap<(String, u8, String), i64>;

const ALL_DAYS: StatisticsQuery = StatisticsQuery {
    first_day: i64::MIN,
    last_day: i64::MAX,
    origin: None,
    keys_max: 1_000,
    origins_max: 100,
    top_max: 100,
    top_asset: None,
};

async fn statistics_are_what_the_events_add_up_to(database: Database) {
    let engine = opened(database.store().await).await;
    let mut random = StdRng::seed_from_u64(7);
    let mut built = Built::start(&engine);
    for round in 0..6 {
        for number in 0..60 {
            something(&engine, &mut random, &format!("{round}.{number}")).await;
        }
        match round {
            // As after an upgrade: counted from the beginning, beside the index.
            2 => {
                built.stop().await;
                database
                    .execute(
                        "UPDATE index_progress SET counted = 0;
                         UPDATE statistics SET value = value + 1;
                         DELETE FROM account_days",
                    )
                    .await;
                built = Built::start(&engine);
            }
            // The index alone is emptied.
            4 => {
                built.stop().await;
                database
                    .execute("UPDATE index_progress SET position = 0; DELETE FROM account_events")
                    .await;
                built = Built::start(&engine);
            }
            _ => {}
        }
        built.check(&engine).await;
    }
    built.stop().await;
}

/// An index at work.
struct Built {
    index: Index,
    shutdown: CancellationToken,
}

impl Built {
    fn start(engine: &Engine) -> Self {
        let shutdown = CancellationToken::new();
        let index = Index::spawn(engine.clone(), "test".to_owned(), shutdown.clone());
        Self { index, shutdown }
    }

    async fn stop(&self) {
        self.shutdown.cancel();
        self.index.stopped().await;
    }

    /// What is stored is what a second count gives.
    async fn check(&self, engine: &Engine) {
        let events = events(engine.store()).await;
        let last = events.last().unwrap().position;
        let deadline = Instant::now() + Duration::from_secs(30);
        self.index
            .wait_for_statistics(BOOK, last, deadline)
            .await
            .unwrap();
        self.index.wait_for(BOOK, last, deadline).await.unwrap();
        let found = engine.store().statistics(BOOK, &ALL_DAYS).await.unwrap();
        assert_eq!(found.position, last);
        assert_eq!(found.period, found.all_time);
        assert_eq!(sums(&found.period), counted(&events));
        let of = |found: &[(Option<ledger_core::Name>, i64)]| -> BTreeMap<String, i64> {
            let named = found
                .iter()
                .map(|(origin, count)| (origin.as_deref().unwrap_or("*").to_owned(), *count));
            named.collect()
        };
        assert_eq!(of(&found.active), active(&events));
        let mut top: Vec<_> = found
            .top
            .iter()
            .map(|top| (top.account.to_string(), top.operations))
            .collect();
        top.sort();
        assert_eq!(top, operations(&events));
        let by_spent = StatisticsQuery {
            top_asset: Some("RUB".into()),
            ..ALL_DAYS
        };
        let found = engine.store().statistics(BOOK, &by_spent).await.unwrap();
        assert!(found.top.is_sorted_by(|one, next| one.spent >= next.spent));
        for top in &found.top {
            let snapshot = engine
                .read(BOOK, vec![top.account.clone()], None)
                .await
                .unwrap();
            assert_eq!(snapshot.accounts[0].totals("RUB").spent, top.spent);
        }
    }
}

async fn something(engine: &Engine, random: &mut StdRng, name: &str) {
    let account = format!("tg:{}", random.random_range(0..5));
    let amount = random.random_range(1..2_000);
    let held = format!("held {name}");
    let command = match random.random_range(0..9) {
        0 => credit("RUB", amount),
        1 => payment(name, amount),
        2 => take("RUB", amount),
        3 => add("CREDIT", 2),
        4 | 5 => charge("generate"),
        6 => charge("edit"),
        7 => hold("RUB", amount, 60_000_000),
        _ => hold("RUB", amount, 1_000),
    };
    let is_hold = matches!(command, Command::PlaceHold(_));
    let is_charge = matches!(command, Command::Charge(_));
    let mut asked = request(&account, id(&held), command);
    if random.random_bool(0.4) {
        asked.origin = "quiz".into();
    }
    let origin = asked.origin.clone();
    if ask(engine, asked).await.unwrap().is_err() {
        return;
    }
    let follow_up = match random.random_range(0..3) {
        0 if is_hold => capture(&held),
        1 if is_charge => refund(Target::Request(id(&held))),
        _ => return,
    };
    let mut asked = request(&account, id(&format!("then {name}")), follow_up);
    asked.origin = origin;
    // A hold may have ended by itself.
    let _ = ask(engine, asked).await.unwrap();
    done(
        engine,
        request("tg:9", id(&format!("also {name}")), add("XP", 1)),
    )
    .await;
}

async fn events(store: &SharedStore) -> Vec<Event> {
    let stored = store.read_after(BOOK, 0, 100_000).await.unwrap();
    stored
        .iter()
        .map(|row| log::decode(row).unwrap().event)
        .collect()
}

fn sums(figures: &[Figure]) -> Sums {
    let sum = |figure: &Figure| {
        let origin = figure.origin.as_deref().unwrap_or("*").to_owned();
        (
            (origin, figure.metric, figure.key.to_string()),
            figure.value,
        )
    };
    let sums: Sums = figures.iter().map(sum).collect();
    assert_eq!(sums.len(), figures.len());
    sums
}

/// The origin that an event counts for.
fn origin(event: &Event) -> String {
    let is_of_time = matches!(
        event.payload,
        Payload::LotExpired(_) | Payload::HoldExpired(_)
    );
    if is_of_time {
        String::new()
    } else {
        event.origin.to_string()
    }
}

/// A second count, from what events mean.
fn counted(events: &[Event]) -> Sums {
    let mut sums = Sums::new();
    for event in events.iter().filter(|event| event.account != "@house") {
        let mut add = |metric: Metric, key: &str, value: i64| {
            for origin in ["*".to_owned(), origin(event)] {
                let key = (origin, metric as u8, key.to_owned());
                *sums.entry(key).or_default() += value;
            }
        };
        let name = event.payload.operation().unwrap_or_default();
        let is_operation = event.payload.operations_delta() > 0;
        match &event.payload {
            Payload::AccountOpened => add(Metric::AccountsOpened, "", 1),
            Payload::Credited(credited) => {
                let lot = &credited.lot;
                if lot.funding == ledger_core::account::Funding::Purchased {
                    add(Metric::Bought, &lot.asset, lot.amount);
                } else {
                    add(Metric::Granted, &lot.asset, lot.amount);
                    add(Metric::GrantsBySource, &lot.source, 1);
                }
            }
            Payload::Debited(debited) => {
                add(Metric::Charged, name, 1);
                add(Metric::Spent, &debited.asset, debited.amount);
                if is_operation {
                    let way = format!("{:?}", debited.paid_with).to_lowercase();
                    add(Metric::ByPaidWith, &way, 1);
                    if way == "granted" {
                        add(Metric::FreeBySource, &debited.parts[0].source, 1);
                    }
                }
            }
            Payload::HoldPlaced(_) => add(Metric::HoldsPlaced, name, 1),
            Payload::HoldCaptured(captured) => {
                add(Metric::Spent, &captured.asset, captured.amount);
                if captured.is_final && !captured.late {
                    add(Metric::HoldsEnded, name, 1);
                }
                assert!(!is_operation, "these holds name no operation");
            }
            Payload::HoldReleased(_) => {
                add(Metric::HoldsReleased, name, 1);
                add(Metric::HoldsEnded, name, 1);
            }
            Payload::HoldExpired(_) => {
                add(Metric::HoldsExpired, name, 1);
                add(Metric::HoldsEnded, name, 1);
            }
            Payload::Refunded(refunded) => {
                add(Metric::Refunded, &refunded.asset, refunded.amount);
                if refunded.uncounted {
                    add(Metric::RefundedWhole, name, 1);
                }
            }
            Payload::LotExpired(expired) => {
                add(Metric::Expired, &expired.lot.asset, expired.lot.amount);
            }
            Payload::Adjusted(adjusted) => add(Metric::Adjusted, &adjusted.asset, adjusted.delta),
            Payload::PaymentSucceeded(payment) => {
                add(
                    Metric::Received,
                    &payment.amount.currency,
                    payment.amount.amount,
                );
                add(Metric::Payments, &payment.amount.currency, 1);
            }
            other => panic!("{other:?} is not asked for"),
        }
    }
    sums
}

fn active(events: &[Event]) -> BTreeMap<String, i64> {
    let mut accounts = BTreeMap::<String, BTreeSet<&str>>::new();
    for event in events {
        let is_active = matches!(
            event.payload,
            Payload::AccountOpened
                | Payload::Debited(_)
                | Payload::HoldPlaced(_)
                | Payload::HoldCaptured(_)
                | Payload::PaymentSucceeded(_)
        );
        if is_active && event.account != "@house" {
            for origin in ["*".to_owned(), origin(event)] {
                accounts.entry(origin).or_default().insert(&event.account);
            }
        }
    }
    let count = |(origin, accounts): (String, BTreeSet<&str>)| (origin, accounts.len() as i64);
    accounts.into_iter().map(count).collect()
}

fn operations(events: &[Event]) -> Vec<(String, i64)> {
    let mut counts = BTreeMap::<String, i64>::new();
    for event in events {
        *counts.entry(event.account.to_string()).or_default() += event.payload.operations_delta();
    }
    counts.retain(|_, count| *count > 0);
    counts.into_iter().collect()
}
