//! Random commands over three accounts, with time moving.
//!
//! Goal: whatever is asked in whatever order, the books balance. Method: every
//! event goes through the auditor (`driver/auditor.rs`), which judges it by
//! what it says and not by the code; at the end of a sequence the whole log is
//! judged. How often each command was taken and refused is counted, so that
//! the generator cannot quietly stop reaching something.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests stop on what they did not expect"
)]

mod driver;
#[path = "properties/expected.rs"]
mod expected;
#[path = "properties/payments.rs"]
mod payments;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use driver::{Ledger, MINUTE, auditor};
use expected::{KINDS, REASONS};
use ledger_core::{
    Account, Command, Context, Event, Money, Name, Payload, Record, Request, Timestamp,
    account::{EvolveError, Funding},
    catalog::OverrunPolicy,
    command::{
        Adjust, ApplyCatalog, AssetAmount, BlockAccount, CaptureHold, Change, Charge, CloseAccount,
        Credit, ExtendHold, OpenAccount, PlaceHold, Refund, ReleaseHold, Sweep, Target, Transfer,
        UnblockAccount, encode,
    },
    decide::at_present,
    event::Reason,
    limits::STATE_BYTES_MAX,
    record::Subject,
};
use proptest::{
    prelude::{Just, Strategy, any, prop_oneof},
    sample::select,
    test_runner::{Config, TestRunner},
};

const CATALOG: &str = r#"
schema = 1
book = "b"
refund_grace = "1h"
assets.RUB = { kind = "money", exponent = 2 }
assets.C = { kind = "credits" }
assets.XP = { kind = "points" }
assets.PASS = { kind = "pass" }
[[grants_on_opening]]
asset = "C"
amount = 7
expires_after = "1h"
scope = ["draw"]
[operations.draw]
prices = [{ asset = "C", amount = 3 }, { asset = "RUB", amount = 101 }]
hold = { duration = "10m", overrun = "OVERDRAW_AVAILABLE" }
[operations.train]
prices = [{ asset = "RUB", amount = 33 }]
grants = [{ asset = "XP", amount = 2 }, { asset = "C", amount = 1, expires_after = "30m" }]
hold = { duration = "20m", overrun = "CAP" }
[operations.look]
prices = [{ asset = "RUB", amount = 0 }]
[top_up.RUB]
minimum = 10
maximum = 250
[packages.few]
title = { ru = "п", en = "p" }
description = { ru = "п", en = "p" }
prices = { RUB = 100 }
contents = [{ asset = "C", amount = 7 }]
[packages.owed]
title = { ru = "п", en = "p" }
description = { ru = "п", en = "p" }
prices = { RUB = 100 }
contents = [{ asset = "C", amount = 30, expires_after = "1h" }]
bonuses = [{ asset = "C", amount = 5 }]
refund = "leave_deficit"
[packages.mixed]
title = { ru = "п", en = "p" }
description = { ru = "п", en = "p" }
prices = { RUB = 101 }
contents = [{ asset = "C", amount = 9, weight = 2 }, { asset = "RUB", amount = 40, weight = 1 }]
bonuses = [{ asset = "XP", amount = 5 }]
refund = "take_what_is_left"
[subscriptions.daily]
title = { ru = "п", en = "p" }
description = { ru = "п", en = "p" }
prices = { RUB = 90 }
period = "1 day"
renewal = "saved_method"
contents = [{ asset = "C", amount = 9, weight = 2 }, { asset = "PASS", amount = 1, weight = 1 }]
grace = "2h"
[subscriptions.queued]
title = { ru = "п", en = "p" }
description = { ru = "п", en = "p" }
prices = { RUB = 90 }
period = "1 day"
contents = [{ asset = "C", amount = 9, rollover = true }]
bonuses = [{ asset = "C", amount = 2 }]
on_repurchase = "queue"
"#;

const ACCOUNTS: [&str; 3] = ["ann", "bob", "eve"];

/// What happens next. An index stands for one of the earlier charges or holds,
/// counted from the latest.
#[derive(Clone, Debug)]
enum Step {
    Wait(i64),
    Ask(usize, Box<Ask>),
    Payment(usize, payments::Ask),
    /// About an earlier charge or hold, of its own account.
    About {
        index: usize,
        by_request: bool,
        ask: About,
    },
}

#[derive(Clone, Debug)]
enum Ask {
    Plain(Command),
    Send {
        to: usize,
        asset: &'static str,
        amount: i64,
    },
    /// Set what is available; seen rightly, or not.
    SetTo {
        asset: &'static str,
        wanted: i64,
        off: i64,
    },
    /// Expires so many minutes from now.
    Expiring {
        minutes: i64,
        credit: Credit,
    },
}

#[derive(Clone, Debug)]
enum About {
    Extend(i64),
    Capture(Option<i64>, bool),
    Release,
    Refund(Option<i64>),
}

fn asset() -> impl Strategy<Value = &'static str> {
    select(vec!["RUB", "C"])
}

fn operation() -> impl Strategy<Value = Option<Name>> {
    let names = vec![Some("draw"), Some("train"), Some("look"), Some("fly"), None];
    select(names).prop_map(|name| name.map(Name::from))
}

fn price() -> impl Strategy<Value = Option<AssetAmount>> {
    let price = (asset(), 0..60_i64).prop_map(|(asset, amount)| AssetAmount {
        asset: asset.into(),
        amount,
    });
    proptest::option::of(price)
}

fn credit() -> impl Strategy<Value = Credit> {
    let basis = proptest::option::of(0..1000_i64);
    let scope = select(vec![vec![], vec![Name::from("draw")]]);
    (asset(), 1..200_i64, any::<bool>(), -1..2_i32, scope, basis).prop_map(
        |(asset, amount, bought, priority, scope, basis)| Credit {
            asset: asset.into(),
            amount,
            funding: if bought {
                Funding::Purchased
            } else {
                Funding::Granted
            },
            source: "CREDIT".into(),
            priority,
            lot_expire_time: None,
            scope,
            cost_basis: basis.filter(|_| bought).map(|amount| Money {
                currency: "RUB".into(),
                amount,
            }),
        },
    )
}

fn ask() -> impl Strategy<Value = Ask> {
    let order = || (operation(), 1..3_i64, price(), price());
    let charge = order().prop_map(|(operation, quantity, explicit_price, max)| {
        let max_price = max.filter(|max| max.amount > 40);
        Command::Charge(Charge {
            operation,
            quantity,
            explicit_price,
            max_price,
            attributes: BTreeMap::new(),
            confirmed: false,
        })
    });
    let policy = proptest::option::of(select(vec![
        OverrunPolicy::Reject,
        OverrunPolicy::Cap,
        OverrunPolicy::OverdrawAvailable,
    ]));
    let duration = proptest::option::of((1..40_i64).prop_map(|minutes| minutes * MINUTE));
    let hold = (order(), duration, policy).prop_map(
        |((operation, quantity, explicit_price, _), duration, overrun_policy)| {
            Command::PlaceHold(PlaceHold {
                operation,
                quantity,
                explicit_price,
                max_price: None,
                duration,
                overrun_policy,
                attributes: BTreeMap::new(),
                confirmed: false,
            })
        },
    );
    let by = (asset(), -60..60_i64).prop_map(|(asset, delta)| {
        Command::Adjust(Adjust {
            asset: asset.into(),
            change: Change::Delta(delta),
        })
    });
    let text = CATALOG.to_owned();
    let applied = ApplyCatalog {
        text,
        overrides: BTreeMap::new(),
        expected_version: None,
    };
    let rare = select(vec![
        Command::OpenAccount(OpenAccount {}),
        Command::CloseAccount(CloseAccount {}),
        Command::BlockAccount(BlockAccount {}),
        Command::UnblockAccount(UnblockAccount {}),
        Command::UnblockAccount(UnblockAccount {}),
        Command::UnblockAccount(UnblockAccount {}),
        Command::CloseAccount(CloseAccount {}),
        Command::Sweep(Sweep {}),
        Command::ApplyCatalog(applied),
    ]);
    prop_oneof![
        4 => credit().prop_map(|credit| Ask::Plain(Command::Credit(credit))),
        4 => (1..120_i64, credit()).prop_map(|(minutes, credit)| Ask::Expiring { minutes, credit }),
        5 => charge.prop_map(Ask::Plain),
        6 => hold.prop_map(Ask::Plain),
        2 => by.prop_map(Ask::Plain),
        2 => rare.prop_map(Ask::Plain),
        3 => (0..3_usize, asset(), 1..80_i64)
            .prop_map(|(to, asset, amount)| Ask::Send { to, asset, amount }),
        1 => (asset(), 0..100_i64, 0..2_i64).prop_map(|(asset, wanted, off)| Ask::SetTo { asset, wanted, off }),
    ]
}

fn about() -> impl Strategy<Value = About> {
    let amount = || proptest::option::of(1..120_i64);
    prop_oneof![
        1 => (-5..60_i64).prop_map(About::Extend),
        4 => (amount(), any::<bool>()).prop_map(|(amount, open)| About::Capture(amount, open)),
        2 => Just(About::Release),
        4 => amount().prop_map(About::Refund),
    ]
}

fn steps(length: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => (1..50_i64).prop_map(Step::Wait),
        1 => (100..300_i64).prop_map(Step::Wait),
        3 => (1_300..1_500_i64).prop_map(Step::Wait),
        60 => (0..3_usize, ask()).prop_map(|(account, ask)| Step::Ask(account, Box::new(ask))),
        50 => (0..3_usize, payments::ask())
            .prop_map(|(account, ask)| Step::Payment(account, ask)),
        50 => (0..6_usize, any::<bool>(), about())
            .prop_map(|(index, by_request, ask)| Step::About { index, by_request, ask }),
    ];
    proptest::collection::vec(step, 1..length)
}

/// The command of a step, and whose it is; nothing if it only waits.
fn request(ledger: &mut Ledger, step: &Step) -> Option<Request> {
    let (account, command) = match step {
        Step::Wait(minutes) => {
            ledger.now = ledger.now.plus_us(minutes * MINUTE);
            return None;
        }
        Step::Ask(account, ask) => {
            let id = ACCOUNTS[*account];
            let command = asked(ledger, id, ask);
            let house = matches!(command, Command::ApplyCatalog(_));
            (if house { "@house" } else { id }.into(), command)
        }
        Step::Payment(account, ask) => payments::asked(ledger, ACCOUNTS[*account], ask)?,
        Step::About {
            index,
            by_request,
            ask,
        } => {
            // Mostly what fits: a hold for what is about holds, else a charge.
            let about_hold = !matches!(ask, About::Refund(_));
            let fits = |event: &&Event| match Record::of(event).map(|record| record.subject) {
                Some(Subject::Hold(_)) => about_hold || event.position.is_multiple_of(8),
                Some(Subject::Charge(_)) => !about_hold || event.position.is_multiple_of(8),
                Some(Subject::Payment(_)) => event.position.is_multiple_of(8),
                None => false,
            };
            let targets: Vec<&Event> = ledger.events.iter().filter(fits).collect();
            let place = targets.len().checked_sub(1 + index)?;
            let event = targets.get(place)?;
            let target = if *by_request {
                Target::Request(event.request_id?)
            } else {
                Target::Position(event.position)
            };
            (event.account.clone(), about_target(ledger.now, target, ask))
        }
    };
    let mut request = ledger.request(&account, command);
    request.annotations.reason = Some(Reason {
        code: "TEST".into(),
        text: None,
    });
    Some(request)
}

fn asked(ledger: &Ledger, account: &str, ask: &Ask) -> Command {
    match ask {
        Ask::Plain(command) => command.clone(),
        Ask::Expiring { minutes, credit } => Command::Credit(Credit {
            lot_expire_time: Some(ledger.now.plus_us(minutes * MINUTE)),
            ..credit.clone()
        }),
        Ask::Send { to, asset, amount } => Command::Transfer(Transfer {
            destination_account: ACCOUNTS[*to].into(),
            asset: (*asset).into(),
            amount: *amount,
        }),
        Ask::SetTo { asset, wanted, off } => Command::Adjust(Adjust {
            asset: (*asset).into(),
            change: Change::SetTo {
                available: *wanted,
                expected: present(ledger, account).totals(asset).available() + off,
            },
        }),
    }
}

fn about_target(now: Timestamp, target: Target, ask: &About) -> Command {
    match *ask {
        About::Extend(minutes) => Command::ExtendHold(ExtendHold {
            hold: target,
            hold_expire_time: now.plus_us(minutes * MINUTE),
        }),
        About::Capture(amount, keep_open) => Command::CaptureHold(CaptureHold {
            hold: target,
            amount,
            keep_open,
        }),
        About::Release => Command::ReleaseHold(ReleaseHold { hold: target }),
        About::Refund(amount) => Command::Refund(Refund {
            charge: target,
            amount,
        }),
    }
}

fn context(ledger: &Ledger) -> Context<'_> {
    Context {
        book: &ledger.book,
        now: ledger.now,
        catalog: &ledger.catalog,
        catalog_version: ledger.catalog_version,
        next_position: ledger.next_position(),
    }
}

/// The account as reads show it.
fn present(ledger: &Ledger, id: &str) -> Account {
    at_present(id, &ledger.account(id), &context(ledger)).into_owned()
}

/// What a run reached: how often, by a name.
type Tally = BTreeMap<String, usize>;

/// Plays a sequence and judges the log that it made.
fn play(steps: &[Step], tally: &mut Tally) -> Ledger {
    let mut ledger = Ledger::new(CATALOG);
    for step in steps {
        let Some(request) = request(&mut ledger, step) else {
            continue;
        };
        let before = ledger.accounts.clone();
        let length = ledger.events.len();
        let outcome = match ledger.submit(&request) {
            Ok(events) => {
                for event in &events {
                    *tally
                        .entry(format!("{:?}", event.payload.kind()))
                        .or_default() += 1;
                }
                check_what_is_due(&ledger, &events);
                "taken"
            }
            Err(rejection) => {
                assert_eq!(ledger.accounts, before, "a refusal leaves no trace");
                assert_eq!(ledger.events.len(), length);
                *tally.entry(rejection.reason().to_owned()).or_default() += 1;
                "refused"
            }
        };
        let name = format!("{:?}", request.command);
        let name = name.split('(').next().unwrap_or_default();
        *tally.entry(format!("{name} {outcome}")).or_default() += 1;
    }
    auditor::audit_refunds(&ledger.events);
    payments::audit(&ledger);
    check_basis(&ledger);
    check_chain(&ledger);
    ledger.assert_replays();
    ledger
}

/// After a command was taken its account has nothing that is due, but what it
/// gave back itself to lots that had their grace.
fn check_what_is_due(ledger: &Ledger, events: &[Event]) {
    let Some(last) = events.last() else { return };
    let account = ledger.account(&last.account);
    let returned: BTreeSet<u64> = last.payload.parts().map(|part| part.id).collect();
    for lot in &account.lots {
        assert!(
            auditor::is_alive(lot, ledger.now) || returned.contains(&lot.id),
            "{lot:?} is due at {:?} after {last:#?}",
            ledger.now
        );
    }
    assert!(account.holds.iter().all(|hold| !hold.is_due(ledger.now)));
}

/// What was ever paid for is in a lot, or was charged and not refunded, or
/// expired, or was taken by a correction.
fn check_basis(ledger: &Ledger) {
    let (mut paid, mut gone) = (0, 0);
    for event in &ledger.events {
        let (incoming, outgoing) = auditor::moved(&event.payload);
        let incoming: i64 = incoming.iter().map(|part| part.basis).sum();
        let outgoing: i64 = outgoing.iter().map(|part| part.basis).sum();
        let settled = auditor::owing(&event.payload).1.iter();
        gone += settled.map(|debt| debt.basis).sum::<i64>();
        match event.payload {
            Payload::Credited(_) => paid += incoming,
            Payload::TransferSent(_) | Payload::TransferReceived(_) => {}
            _ => gone += outgoing - incoming,
        }
    }
    let left: i64 = ledger
        .accounts
        .values()
        .flat_map(auditor::basis_of)
        .map(|(_, sum)| sum)
        .sum();
    assert_eq!(paid, gone + left);
}

/// Positions without gaps, and each account's own chain.
fn check_chain(ledger: &Ledger) {
    let mut last: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (index, event) in (1..).zip(&ledger.events) {
        assert_eq!(event.position, index);
        let (version, position) = last
            .get(event.account.as_str())
            .copied()
            .unwrap_or_default();
        assert_eq!(
            (event.version, event.previous_position),
            (version + 1, position)
        );
        last.insert(&event.account, (event.version, event.position));
    }
}

fn run(cases: u32, length: usize, mut check: impl FnMut(Vec<Step>)) {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 4096,
        ..Config::default()
    };
    let check = RefCell::new(&mut check);
    // Every step of the shrinking panics; only what it ends with is told.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = TestRunner::new(config).run(&steps(length), |steps| {
        (check.borrow_mut())(steps);
        Ok(())
    });
    std::panic::set_hook(hook);
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_books_balance_whatever_is_asked() {
    let mut tally = Tally::new();
    run(14000, 90, |steps| {
        play(&steps, &mut tally);
    });
    let often = |name: &str| tally.get(name).copied().unwrap_or_default();
    assert_eq!(KINDS.len(), driver::KINDS);
    for name in KINDS {
        assert!(
            often(name) >= 50,
            "{name} came {} times only\n{tally:#?}",
            often(name)
        );
    }
    for name in REASONS {
        assert!(
            often(name) >= 50,
            "{name} came {} times only\n{tally:#?}",
            often(name)
        );
    }
}

#[test]
fn reads_show_what_the_sweeper_would_write() {
    run(2000, 40, |steps| {
        let mut ledger = play(&steps, &mut Tally::new());
        ledger.now = ledger.now.plus_us(45 * MINUTE);
        for id in ACCOUNTS {
            let shown = present(&ledger, id);
            if ledger.accounts.contains_key(id) {
                ledger
                    .run(id, Command::Sweep(Sweep {}))
                    .expect("a sweep is never refused");
                let swept = ledger.account(id);
                assert_eq!((shown.lots, shown.holds), (swept.lots, swept.holds));
                assert_eq!(shown.assets, swept.assets);
            } else {
                ledger
                    .run(id, Command::OpenAccount(OpenAccount {}))
                    .expect("it can be opened");
                let opened = ledger.account(id);
                assert_eq!((shown.lots, shown.assets), (opened.lots, opened.assets));
            }
        }
    });
}

#[test]
fn it_makes_no_difference_when_the_sweeper_comes() {
    run(4000, 40, |steps| {
        let early = play(&steps, &mut Tally::new());
        let mut late = early.clone();
        let mut early = early;
        for _ in 0..60 {
            early.now = early.now.plus_us(5 * MINUTE);
            sweep_all(&mut early);
        }
        late.now = early.now;
        sweep_all(&mut late);
        for id in ACCOUNTS {
            let (early, late) = (early.account(id), late.account(id));
            assert_eq!(
                (early.lots, early.holds, early.assets),
                (late.lots, late.holds, late.assets)
            );
        }
    });
}

fn sweep_all(ledger: &mut Ledger) {
    for id in ACCOUNTS {
        ledger
            .run(id, Command::Sweep(Sweep {}))
            .expect("a sweep is never refused");
    }
}

#[test]
fn a_state_is_no_larger_than_its_estimate() {
    run(1000, 60, |steps| {
        for (id, account) in play(&steps, &mut Tally::new()).accounts {
            let (bytes, estimate) = (encode(&account).len(), account.size_bytes());
            assert!(
                bytes <= estimate,
                "{id} has {bytes} bytes, estimated {estimate}"
            );
            assert!(bytes <= STATE_BYTES_MAX);
        }
    });
}

#[test]
fn an_event_out_of_place_is_an_error_and_never_a_panic() {
    run(60, 40, |steps| {
        let ledger = play(&steps, &mut Tally::new());
        for event in &ledger.events {
            for (id, account) in &ledger.accounts {
                let result = account.clone().evolve(event);
                assert!(result.is_err(), "{id} took {event:#?}");
            }
            // In the right place in the chain, but of another account's life.
            for account in ledger.accounts.values() {
                let forged = Event {
                    version: account.version + 1,
                    previous_position: account.position,
                    ..event.clone()
                };
                let mut changed = account.clone();
                match changed.evolve(&forged) {
                    Ok(()) => assert_eq!(changed.version, forged.version),
                    Err(error) => assert!(matches!(error, EvolveError::Missing { .. })),
                }
            }
        }
    });
}

#[test]
fn damaged_bytes_are_an_error_and_never_a_panic() {
    run(40, 20, |steps| {
        let ledger = play(&steps, &mut Tally::new());
        for event in ledger.events.iter().take(4) {
            let bytes = encode(event);
            for index in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[index] ^= 0x41;
                if let Ok(decoded) = Event::decode(&damaged) {
                    let mut account = Account::default();
                    let _ = account.evolve(&decoded);
                }
                assert!(Event::decode(&bytes[..index]).is_err(), "a cut event");
            }
            let longer = [bytes.as_slice(), &[0]].concat();
            assert!(Event::decode(&longer).is_err(), "an event with a tail");
        }
    });
}
