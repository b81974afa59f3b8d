//! What reads show is what the next decision begins with.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests stop on what they did not expect"
)]

mod driver;

use driver::{DAY, Ledger};
use ledger_core::{
    Command, Context,
    account::{Funding, Lot},
    catalog::Attributes,
    command::{Charge, Credit},
    decide::at_present,
    event::HOUSE,
};

/// Grants that merge with earlier ones, that end, and that are passes.
const CATALOG: &str = r#"
schema = 1
book = "shop"
assets.A = { kind = "allowance" }
assets.B = { kind = "allowance" }
assets.PASS = { kind = "pass" }
assets.STAR = { kind = "badge" }
grants_on_opening = [{ asset = "A", amount = 1 }, { asset = "STAR" }, { asset = "STAR" }]
recurring_grants.a = { asset = "A", amount = 2, period = "day", rollover = true, source = "WELCOME" }
recurring_grants.b = { asset = "B", amount = 3, period = "week" }
recurring_grants.c = { asset = "PASS", period = "month" }
operations.look.prices = [{ asset = "A", amount = 0 }]
"#;

fn present(ledger: &Ledger, id: &str) -> Vec<Lot> {
    let context = Context {
        book: &ledger.book,
        now: ledger.now,
        catalog: &ledger.catalog,
        catalog_version: ledger.catalog_version,
        next_position: ledger.next_position(),
    };
    at_present(id, &ledger.account(id), &context).lots.clone()
}

/// An operation that costs nothing and gives nothing.
fn look() -> Command {
    Command::Charge(Charge {
        operation: Some("look".into()),
        quantity: 1,
        explicit_price: None,
        max_price: None,
        attributes: Attributes::new(),
        confirmed: false,
    })
}

#[test]
fn reads_show_what_the_next_decision_finds() {
    let mut ledger = Ledger::new(CATALOG);
    for day in 0..70 {
        let shown = present(&ledger, "ann");
        if day % 3 == 0 {
            ledger.run("ann", look()).expect("it costs nothing");
            let mut found = ledger.account("ann").lots;
            if day == 0 {
                // A read knows no origin.
                found.iter_mut().for_each(|lot| lot.origin = None);
            }
            assert_eq!(shown, found, "day {day}");
        }
        ledger.now = ledger.now.plus_us(DAY);
    }
    assert_eq!(ledger.account("ann").totals("STAR").balance, 1);
}

#[test]
fn a_full_wallet_is_shown_nothing_that_it_would_not_get() {
    let mut ledger = Ledger::new(CATALOG);
    ledger.run("ann", look()).expect("it costs nothing");
    for number in 0.. {
        let credit = Credit {
            asset: "B".into(),
            amount: 1,
            funding: Funding::Granted,
            source: format!("S{number}").into(),
            priority: 0,
            lot_expire_time: None,
            scope: Vec::new(),
            cost_basis: None,
        };
        if ledger.run("ann", Command::Credit(credit)).is_err() {
            break;
        }
    }
    ledger.now = ledger.now.plus_us(40 * DAY);
    let shown = present(&ledger, "ann");
    ledger.run("ann", look()).expect("it costs nothing");
    assert_eq!(shown, ledger.account("ann").lots);
}

#[test]
fn the_books_own_accounts_get_nothing() {
    let ledger = Ledger::new(CATALOG);
    assert!(present(&ledger, HOUSE).is_empty());
    assert!(present(&ledger, "@other").is_empty());
    let members = CATALOG.replace(
        "book = \"shop\"",
        "book = \"shop\"\nopen_on_first_use = false",
    );
    let ledger = Ledger::new(&members);
    assert!(present(&ledger, "nobody").is_empty());
}
