//! Amounts of any sign and size, straight into the core.
//!
//! The edge refuses what is not above 0 before it gets here; the core does not
//! rely on it. Whatever a number says, a command is refused or leaves an
//! account that adds up: the driver's auditor checks it after every event.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests stop on what they did not expect"
)]

mod driver;

use std::cell::RefCell;

use driver::{HOUR, Ledger};
use ledger_core::{
    Command, Money, Name, Payload,
    account::Funding,
    catalog::OverrunPolicy,
    command::{
        Adjust, AssetAmount, CaptureHold, Change, Charge, Credit, PlaceHold, RecordPayment, Refund,
        Target, Transfer,
    },
    event::ProviderId,
    limits::AMOUNT_MAX,
};
use proptest::{
    prelude::{Strategy, any, prop_oneof},
    sample::select,
    test_runner::{Config, TestRunner},
};

const CATALOG: &str = r#"
schema = 1
book = "b"
assets.RUB = { kind = "money", exponent = 2 }
assets.XP = { kind = "points" }
[operations.train]
prices = [{ asset = "RUB", amount = 33 }]
grants = [{ asset = "XP", amount = 2 }]
"#;

/// A command, given its number.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Credit,
    PaidCredit,
    ExplicitPrice,
    Quantity,
    Hold,
    HoldQuantity,
    HoldDuration,
    Capture { late: bool },
    Refund,
    Transfer,
    Delta,
    SetTo,
    Payment,
    Income,
}

const ASKS: [Ask; 15] = [
    Ask::Credit,
    Ask::PaidCredit,
    Ask::ExplicitPrice,
    Ask::Quantity,
    Ask::Hold,
    Ask::HoldQuantity,
    Ask::HoldDuration,
    Ask::Capture { late: false },
    Ask::Capture { late: true },
    Ask::Refund,
    Ask::Transfer,
    Ask::Delta,
    Ask::SetTo,
    Ask::Payment,
    Ask::Income,
];

fn rub() -> Name {
    "RUB".into()
}

fn money(amount: i64) -> Money {
    Money {
        currency: rub(),
        amount,
    }
}

fn credit(amount: i64, basis: Option<i64>) -> Command {
    Command::Credit(Credit {
        asset: rub(),
        amount,
        funding: Funding::Purchased,
        source: "TEST".into(),
        priority: 0,
        lot_expire_time: None,
        scope: Vec::new(),
        cost_basis: basis.map(money),
    })
}

fn charge(price: Option<i64>, quantity: i64) -> Command {
    Command::Charge(Charge {
        operation: Some("train".into()),
        quantity,
        explicit_price: price.map(price_of),
        max_price: None,
        attributes: std::collections::BTreeMap::new(),
        confirmed: false,
    })
}

fn price_of(amount: i64) -> AssetAmount {
    AssetAmount {
        asset: rub(),
        amount,
    }
}

fn hold(price: i64, quantity: i64, duration: Option<i64>, overrun: OverrunPolicy) -> Command {
    Command::PlaceHold(PlaceHold {
        operation: Some("train".into()),
        quantity,
        explicit_price: Some(price_of(price)),
        max_price: None,
        duration,
        overrun_policy: Some(overrun),
        attributes: std::collections::BTreeMap::new(),
        confirmed: false,
    })
}

fn payment(id: usize, amount: i64, income: Option<i64>) -> Command {
    Command::RecordPayment(RecordPayment {
        provider: "manual".into(),
        merchant_account: "shop".into(),
        provider_ids: vec![ProviderId {
            kind: "payment".into(),
            id: format!("p{id}").into(),
        }],
        amount: money(amount),
        income_amount: income.map(money),
        test: false,
        status: ledger_core::payment::PaymentStatus::Succeeded,
        payment: None,
        purpose: None,
        cancellation_reason: None,
    })
}

/// The last event of the account that is a charge, or that placed a hold.
fn latest(ledger: &Ledger, is_meant: fn(&Payload) -> bool) -> Target {
    let events = ledger.events.iter().rev();
    let found = events
        .filter(|event| is_meant(&event.payload))
        .map(|event| event.position)
        .next();
    Target::Position(found.unwrap_or(1))
}

/// The command; what it is about is made first.
fn command(ledger: &mut Ledger, ask: Ask, number: i64, overrun: OverrunPolicy) -> Command {
    let seen = ledger.account("ann").totals("RUB").available();
    match ask {
        Ask::Credit => credit(number, None),
        Ask::PaidCredit => credit(5, Some(number)),
        Ask::ExplicitPrice => charge(Some(number), 1),
        Ask::Quantity => charge(None, number),
        Ask::Hold => hold(number, 1, None, overrun),
        Ask::HoldQuantity => hold(3, number, None, overrun),
        Ask::HoldDuration => hold(3, 1, Some(number), overrun),
        Ask::Capture { late } => {
            // Refused if nothing is left to hold; then there is an older one.
            let _ = ledger.run("ann", hold(7, 1, None, overrun));
            if late {
                ledger.now = ledger.now.plus_us(HOUR);
            }
            let hold = latest(ledger, |payload| matches!(payload, Payload::HoldPlaced(_)));
            Command::CaptureHold(CaptureHold {
                hold,
                amount: Some(number),
                keep_open: number % 2 == 0,
            })
        }
        Ask::Refund => {
            let _ = ledger.run("ann", charge(Some(7), 1));
            let charge = latest(ledger, |payload| matches!(payload, Payload::Debited(_)));
            Command::Refund(Refund {
                charge,
                amount: Some(number),
            })
        }
        Ask::Transfer => Command::Transfer(Transfer {
            destination_account: "bob".into(),
            asset: rub(),
            amount: number,
        }),
        Ask::Delta => Command::Adjust(Adjust {
            asset: rub(),
            change: Change::Delta(number),
        }),
        Ask::SetTo => Command::Adjust(Adjust {
            asset: rub(),
            change: Change::SetTo {
                available: number,
                expected: seen,
            },
        }),
        Ask::Payment => payment(ledger.events.len(), number, None),
        Ask::Income => payment(ledger.events.len(), 5, Some(number)),
    }
}

/// The least that each may name; nothing where the sign means something else.
const fn least(ask: Ask) -> Option<i64> {
    match ask {
        Ask::Delta | Ask::HoldDuration => None,
        Ask::PaidCredit
        | Ask::ExplicitPrice
        | Ask::Hold
        | Ask::Capture { .. }
        | Ask::SetTo
        | Ask::Income => Some(0),
        Ask::Credit
        | Ask::Quantity
        | Ask::HoldQuantity
        | Ask::Refund
        | Ask::Transfer
        | Ask::Payment => Some(1),
    }
}

fn number() -> impl Strategy<Value = i64> {
    let edges = [
        i64::MIN,
        i64::MIN + 1,
        -AMOUNT_MAX - 1,
        -AMOUNT_MAX,
        AMOUNT_MAX,
        AMOUNT_MAX + 1,
        i64::MAX,
    ];
    prop_oneof![
        4 => -10..30_i64,
        1 => select(edges.to_vec()),
        1 => any::<i64>(),
    ]
}

fn policy() -> impl Strategy<Value = OverrunPolicy> {
    select(vec![
        OverrunPolicy::Reject,
        OverrunPolicy::Cap,
        OverrunPolicy::OverdrawAvailable,
    ])
}

#[test]
fn no_sign_breaks_an_account() {
    let step = (select(ASKS.to_vec()), number(), policy());
    let steps = proptest::collection::vec(step, 1..40);
    let config = Config {
        cases: 1_000,
        failure_persistence: None,
        ..Config::default()
    };
    let counts = RefCell::new((0, 0, 0));
    let played = TestRunner::new(config).run(&steps, |steps| {
        let mut ledger = Ledger::new(CATALOG);
        for id in ["ann", "bob"] {
            ledger.run(id, credit(100, Some(33))).expect("a credit");
        }
        for (ask, number, overrun) in steps {
            let command = command(&mut ledger, ask, number, overrun);
            let outcome = ledger.run("ann", command);
            let mut counts = counts.borrow_mut();
            let reason = outcome.as_ref().err().map(|rejection| rejection.reason());
            if least(ask).is_some_and(|least| number < least) {
                assert_eq!(reason, Some("AMOUNT_NOT_POSITIVE"), "{ask:?} {number}");
                counts.0 += 1;
            } else if least(ask).is_some() && number > AMOUNT_MAX {
                let above = ["AMOUNT_TOO_LARGE", "QUANTITY_TOO_LARGE"];
                assert!(reason.is_some_and(|reason| above.contains(&reason)));
                counts.1 += 1;
            } else if outcome.is_ok() {
                counts.2 += 1;
            }
        }
        ledger.assert_replays();
        Ok(())
    });
    played.unwrap_or_else(|error| panic!("{error}"));
    let (below, above, taken) = counts.into_inner();
    assert!(
        below > 1_000 && above > 100 && taken > 1_000,
        "{below} {above} {taken}"
    );
}
