//! A state stays bounded, whatever is asked: at most 256 parts, at most 16 KiB,
//! and never more than its own estimate says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests stop on what they did not expect"
)]

mod driver;

use std::collections::BTreeMap;

use driver::{DAY, Ledger, MINUTE};
use ledger_core::{
    Account, Command, Money, Name, NameMap, Rejection, RequestId, Timestamp,
    account::{AssetTotals, Funding, Hold, Lot, Status},
    catalog::OverrunPolicy,
    command::{
        AssetAmount, CaptureHold, Charge, Credit, PlaceHold, Refund, ReleaseHold, Target, encode,
    },
    event::{Debt, Payload, PaymentRefunded, ProviderIds, Reason, Refunded},
    limits::{AMOUNT_MAX, GRACED_LOTS_MAX, PARTS_MAX, STATE_BYTES_MAX},
    payment::RefundVia,
};

const CATALOG: &str = r#"
schema = 1
book = "b"
assets.C = { kind = "credits" }
assets.XP = { kind = "points" }
[operations.look]
prices = [{ asset = "C", amount = 0 }]
[operations.play]
quantity_max = 1
prices = [{ asset = "C", amount = 1 }]
grants = [
    { asset = "XP", amount = 1, expires_after = "30d" },
    { asset = "XP", amount = 1, expires_after = "31d" },
    { asset = "XP", amount = 1, expires_after = "32d" },
]
"#;

fn credit(amount: i64, expires_at: Option<Timestamp>) -> Credit {
    Credit {
        asset: "C".into(),
        amount,
        funding: Funding::Granted,
        source: "CREDIT".into(),
        priority: 0,
        lot_expire_time: expires_at,
        scope: Vec::new(),
        cost_basis: None,
    }
}

fn hold(operation: &str) -> Command {
    Command::PlaceHold(PlaceHold {
        operation: Some(operation.into()),
        quantity: 1,
        explicit_price: None,
        max_price: None,
        duration: Some(30 * DAY),
        overrun_policy: None,
        attributes: BTreeMap::new(),
        confirmed: false,
    })
}

fn charge(operation: &str) -> Command {
    Command::Charge(Charge {
        operation: Some(operation.into()),
        quantity: 1,
        explicit_price: None,
        max_price: None,
        attributes: BTreeMap::new(),
        confirmed: false,
    })
}

/// Asks until it is refused, at most so often.
fn repeat(
    ledger: &mut Ledger,
    times: usize,
    mut ask: impl FnMut(&mut Ledger) -> Result<(), Rejection>,
) -> usize {
    (0..times).take_while(|_| ask(ledger).is_ok()).count()
}

fn assert_bounded(ledger: &Ledger) {
    let account = ledger.account("ann");
    let bytes = encode(&account).len();
    let holds = account.holds.len();
    assert!(
        account.lots.len() + holds <= PARTS_MAX,
        "{} lots, {holds} holds",
        account.lots.len()
    );
    assert!(bytes <= STATE_BYTES_MAX, "{bytes} bytes");
}

#[test]
fn holds_of_nothing_are_bounded() {
    let mut ledger = Ledger::new(CATALOG);
    let taken = repeat(&mut ledger, 400, |ledger| {
        ledger.run("ann", hold("look")).map(drop)
    });
    assert!((128..=PARTS_MAX).contains(&taken), "{taken} holds");
    assert_bounded(&ledger);
}

#[test]
fn holds_that_were_captured_whole_and_kept_open_are_bounded() {
    let mut ledger = Ledger::new(CATALOG);
    ledger
        .run("ann", Command::Credit(credit(1000, None)))
        .expect("a credit");
    repeat(&mut ledger, 400, |ledger| {
        let placed = ledger.run("ann", hold("play"))?;
        let target = Target::Position(placed.last().expect("the hold").position);
        let capture = CaptureHold {
            hold: target,
            amount: None,
            keep_open: true,
        };
        ledger.run("ann", Command::CaptureHold(capture)).map(drop)
    });
    assert_bounded(&ledger);
}

#[test]
fn lots_with_long_scopes_are_bounded() {
    let operations: Vec<String> = (0..16)
        .map(|n| format!("{}{n:02}", "o".repeat(61)))
        .collect();
    let blocks: Vec<String> = operations
        .iter()
        .map(|name| format!("[operations.{name}]\nprices = [{{ asset = 'C', amount = 1 }}]\n"))
        .collect();
    let mut ledger = Ledger::new(&format!("{CATALOG}{}", blocks.concat()));
    for n in 0..400 {
        let refused = ledger.run(
            "ann",
            Command::Credit(Credit {
                scope: operations.iter().map(Name::from).collect(),
                source: format!("{}{n:03}", "S".repeat(60)).into(),
                ..credit(1, None)
            }),
        );
        if refused.is_err() {
            break;
        }
    }
    assert_bounded(&ledger);
}

/// What captures give may not be refused, so it has to merge or to be counted
/// when the hold is placed.
#[test]
fn what_captures_give_is_bounded() {
    let mut ledger = Ledger::new(CATALOG);
    ledger
        .run("ann", Command::Credit(credit(1000, None)))
        .expect("a credit");
    let mut holds = Vec::new();
    repeat(&mut ledger, 200, |ledger| {
        holds.push(
            ledger
                .run("ann", hold("play"))?
                .last()
                .expect("the hold")
                .position,
        );
        Ok(())
    });
    for hold in holds {
        ledger.now = ledger.now.plus_us(MINUTE);
        let hold = Target::Position(hold);
        let capture = CaptureHold {
            hold,
            amount: None,
            keep_open: false,
        };
        ledger
            .run("ann", Command::CaptureHold(capture))
            .expect("a capture is taken");
        assert_bounded(&ledger);
    }
}

/// What a charge gives is no reason to refuse it: a full wallet takes it into
/// what is there.
#[test]
fn what_charges_give_is_bounded_and_refuses_nothing() {
    let mut ledger = Ledger::new(CATALOG);
    let play = Command::Charge(Charge {
        operation: Some("play".into()),
        quantity: 1,
        explicit_price: None,
        max_price: None,
        attributes: BTreeMap::new(),
        confirmed: false,
    });
    let bought = Command::Credit(credit(10, None));
    ledger.run("ann", bought).expect("a credit");
    ledger.run("ann", play.clone()).expect("the first charge");
    let full = repeat(&mut ledger, 400, |ledger| {
        let n = i64::try_from(ledger.events.len()).expect("few");
        let expires_at = ledger.now.plus_us(60 * DAY + n);
        let credit = Command::Credit(credit(10, Some(expires_at)));
        ledger.run("ann", credit).map(drop)
    });
    assert!((100..=PARTS_MAX).contains(&full), "{full} lots");
    for round in 1..=50 {
        ledger.now = ledger.now.plus_us(MINUTE);
        ledger.run("ann", play.clone()).expect("a charge is taken");
        assert_eq!(ledger.account("ann").totals("XP").balance, 3 * (round + 1));
        assert_bounded(&ledger);
    }
}

/// Refunds may not be refused either, and bring back lots that are gone.
#[test]
fn what_refunds_bring_back_is_bounded() {
    let mut ledger = Ledger::new(CATALOG);
    let mut charges = Vec::new();
    for round in 0..3 {
        for n in 0..150 {
            let expires_at = ledger.now.plus_us(DAY + n * MINUTE + round);
            ledger
                .run("ann", Command::Credit(credit(1, Some(expires_at))))
                .expect("a credit");
        }
        let charge = Command::Charge(Charge {
            operation: None,
            quantity: 1,
            explicit_price: Some(AssetAmount {
                asset: "C".into(),
                amount: 150,
            }),
            max_price: None,
            attributes: BTreeMap::new(),
            confirmed: false,
        });
        let charged = ledger.run("ann", charge).expect("a charge");
        charges.push(charged.last().expect("the charge").position);
    }
    for charge in charges {
        let refund = Refund {
            charge: Target::Position(charge),
            amount: None,
        };
        // Taken or refused: bounded it has to be.
        let _ = ledger.run("ann", Command::Refund(refund));
        assert_bounded(&ledger);
    }
}

#[test]
fn a_full_wallet_can_still_be_emptied() {
    let mut ledger = Ledger::new(CATALOG);
    ledger
        .run("ann", Command::Credit(credit(5, None)))
        .expect("a credit");
    let placed = ledger.run("ann", hold("play")).expect("a hold");
    let target = Target::Position(placed.last().expect("the hold").position);
    let full = repeat(&mut ledger, 400, |ledger| {
        let expires_at = ledger
            .now
            .plus_us(DAY + i64::try_from(ledger.events.len()).expect("few"));
        ledger
            .run("ann", Command::Credit(credit(1, Some(expires_at))))
            .map(drop)
    });
    assert!((100..PARTS_MAX).contains(&full), "{full} lots");
    let release = Command::ReleaseHold(ReleaseHold { hold: target });
    ledger.run("ann", release).expect("a release is taken");
    assert_bounded(&ledger);
}

fn largest_lot(id: u64) -> Lot {
    Lot {
        id,
        asset: "A".repeat(31).into(),
        amount: AMOUNT_MAX,
        funding: Funding::Purchased,
        source: "S".repeat(63).into(),
        priority: -1000,
        expires_at: Some(driver::START),
        scope: (0..16)
            .map(|n| format!("{}{n:02}", "o".repeat(61)).into())
            .collect(),
        basis: AMOUNT_MAX,
        currency: Some("RUB".into()),
        created_at: driver::START,
        ..Lot::default()
    }
}

fn largest_hold(position: u64) -> Hold {
    Hold {
        position,
        request_id: Some(RequestId([0xff; 16])),
        operation: Some("o".repeat(63).into()),
        quantity: 1_000_000,
        asset: "A".repeat(31).into(),
        parts: Vec::new(),
        captured: AMOUNT_MAX,
        overrun: OverrunPolicy::OverdrawAvailable,
        expires_at: driver::START,
        placed_at: driver::START,
        ..Hold::default()
    }
}

/// An account that knows of as many graces as it can, and of nothing else.
fn with_graces() -> Account {
    let count = u64::try_from(GRACED_LOTS_MAX).expect("few");
    let ids: Vec<u64> = (1_000_000..).take(GRACED_LOTS_MAX).collect();
    let mut ledger = Ledger::new(CATALOG);
    ledger
        .run("ann", Command::Credit(credit(1, None)))
        .expect("a credit");
    let mut event = ledger.events.last().expect("an event").clone();
    event.payload = Payload::Refunded(Refunded {
        charge: 1,
        operation: None,
        asset: "C".into(),
        amount: i64::try_from(count).expect("few"),
        refundable: 0,
        parts: ids
            .iter()
            .map(|id| Lot {
                amount: 1,
                ..largest_lot(*id)
            })
            .collect(),
        graced: ids,
        uncounted: false,
        ..Refunded::default()
    });
    (event.version, event.previous_position) = (1, 0);
    let mut account = Account::default();
    account.evolve(&event).expect("it applies");
    Account {
        lots: Vec::new(),
        assets: NameMap::default(),
        ..account
    }
}

/// The estimate decides who is refused, so it must not be below the truth, in
/// any part.
#[test]
fn the_estimate_is_an_upper_one() {
    let empty = Account::default();
    let a_few = |range: std::ops::Range<u64>| range.map(|n| 1_000_000 + n);
    let wide = i64::from(i32::MAX) * 1000;
    let totals = AssetTotals {
        balance: wide,
        held: wide,
        spent: wide,
        bought: wide,
        granted: wide,
        refunded: wide,
        deficit: wide,
    };
    let names = |length: usize| {
        (0..40).map(move |n| Name::from(format!("{}{n:02}", "n".repeat(length - 2))))
    };
    let cases = [
        (
            "lots",
            Account {
                lots: a_few(0..40).map(largest_lot).collect(),
                ..empty.clone()
            },
        ),
        (
            "holds",
            Account {
                holds: a_few(0..40).map(largest_hold).collect(),
                ..empty.clone()
            },
        ),
        (
            "assets",
            Account {
                assets: names(31).map(|id| (id, totals)).collect(),
                ..empty.clone()
            },
        ),
        (
            "operations",
            Account {
                operations: names(63).map(|id| (id, 1000)).collect(),
                ..empty.clone()
            },
        ),
        (
            "paid",
            Account {
                paid: names(3).map(|id| (id, wide)).collect(),
                ..empty
            },
        ),
        (
            "the rest",
            Account {
                version: 1 << 40,
                position: 1 << 40,
                status: Status::Open,
                block: Some(Reason {
                    code: "C".repeat(63).into(),
                    text: Some("t".repeat(512)),
                }),
                opened_at: driver::START,
                origin: "o".repeat(63).into(),
                last_activity_at: driver::START,
                lots_created: 1 << 20,
                ..with_graces()
            },
        ),
    ];
    let low: BTreeMap<&str, (usize, usize)> = cases
        .iter()
        .map(|(name, account)| (*name, (encode(account).len(), account.size_bytes())))
        .filter(|(_, (bytes, estimate))| bytes > estimate)
        .collect();
    assert!(
        low.is_empty(),
        "(bytes, estimate) where the estimate is too low: {low:?}"
    );
}

#[test]
fn a_balance_does_not_pass_its_bound_by_what_operations_give() {
    let catalog = CATALOG.replace(
        "{ asset = \"XP\", amount = 1, expires_after = \"30d\" }",
        "{ asset = \"XP\", amount = 1000000000000000 }",
    );
    let mut ledger = Ledger::new(&catalog);
    let basis = Some(Money {
        currency: "RUB".into(),
        amount: 1,
    });
    let bought = Credit {
        funding: Funding::Purchased,
        cost_basis: basis,
        ..credit(5000, None)
    };
    ledger
        .run("ann", Command::Credit(bought))
        .expect("a credit");
    let play = Command::Charge(Charge {
        operation: Some("play".into()),
        quantity: 1,
        explicit_price: None,
        max_price: None,
        attributes: BTreeMap::new(),
        confirmed: false,
    });
    let done = repeat(&mut ledger, 1100, |ledger| {
        ledger.run("ann", play.clone()).map(drop)
    });
    assert!(done < 1000, "{done} times");
    let refused = ledger.run("ann", play).expect_err("it is refused");
    assert_eq!(refused.reason(), "BALANCE_TOO_LARGE");
}

/// All that one account can be made to keep, at once: lots to the bound, limits
/// with long names, attributes, and holds that remember both.
#[test]
fn windows_and_attributes_are_bounded_with_the_rest() {
    let long = |prefix: &str, number: usize| format!("{prefix}{number:02}{}", "x".repeat(60));
    let limits: String = (0..16)
        .map(|n| {
            format!(
                "[limits.{}]\nmaximum = 31\nwindow = '31d'\ncounts = 'completed'\n",
                long("l", n)
            )
        })
        .collect();
    let attributes: String = (0..8)
        .map(|n| {
            let value = "v".repeat(63);
            format!(
                "attributes.{} = {{ values = ['{value}'], default = '{value}' }}\n",
                long("a", n)
            )
        })
        .collect();
    let catalog = format!(
        "{CATALOG}[operations.busy]\n{attributes}prices = [{{ asset = 'C', amount = 0 }}]\n{limits}"
    );
    for lots in [0, 40, 120, 160, 200, 230, 250, 400] {
        let mut ledger = Ledger::new(&catalog);
        repeat(&mut ledger, lots, |ledger| {
            let later = ledger.now.plus_us(DAY * 40);
            let mut credit = credit(1, Some(later));
            credit.source = format!("{}{}", "S".repeat(50), ledger.next_position()).into();
            ledger.run("ann", Command::Credit(credit)).map(drop)
        });
        for round in 0..40 {
            ledger.now = ledger.now.plus_us(driver::HOUR * 17);
            let command = if round % 2 == 0 {
                hold("busy")
            } else {
                charge("busy")
            };
            let _ = ledger.run("ann", command);
            assert_bounded(&ledger);
        }
    }
}

/// Where debts are added up, those of one lot still are: what comes back to it
/// pays them.
#[test]
fn a_debt_of_a_lot_is_added_to_that_of_the_same_lot() {
    let mut account = Account::default();
    let mut ledger = Ledger::new(CATALOG);
    ledger
        .run("ann", Command::Credit(credit(1, None)))
        .expect("a credit");
    let first = ledger.events.last().expect("an event");
    let lots: Vec<u64> = (1..=16).chain([7, 99]).collect();
    for (index, lot) in lots.into_iter().enumerate() {
        let debts = vec![Debt {
            lot,
            asset: "C".into(),
            amount: 10,
            basis: 0,
        }];
        let refunded = PaymentRefunded {
            payment: 1,
            refund: None,
            amount: Money {
                currency: "RUB".into(),
                amount: 10,
            },
            via: RefundVia::Provider,
            provider_ids: ProviderIds::default(),
            document_number: None,
            reserved: Vec::new(),
            parts: Vec::new(),
            debts,
            test: false,
        };
        let mut event = first.clone();
        event.payload = Payload::PaymentRefunded(refunded);
        event.position = u64::try_from(index).expect("few") + 1;
        (event.version, event.previous_position) = (event.position, account.position);
        account.evolve(&event).expect("it applies");
    }
    account.check().expect("sums");
    let owed = |lot| account.owed_of(lot, &[]);
    assert_eq!((owed(7), owed(1), owed(2), owed(99)), (20, 20, 10, 0));
}
