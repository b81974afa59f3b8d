//! Every reason for which the core refuses, and the order in which it does.
//!
//! [`ORDER`] is the published order of precedence. Each [`Case`] is a line that
//! gets one reason; those with `also` violate the next one too, and say with
//! which line only that one is left. Lines are in the language of
//! `scenarios/README.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests stop on what they did not expect"
)]

mod driver;
mod language;
#[path = "rejections/payment.rs"]
mod payment;
#[path = "rejections/policy.rs"]
mod policy;
#[path = "language/replay.rs"]
mod replay;

use std::collections::{BTreeMap, BTreeSet};

use driver::sources;
use language::command::TargetBy;
use replay::Replay;

/// Reasons that the core gives, in order of precedence.
const ORDER: [&str; 63] = [
    "REQUEST_EXPIRED",
    "ACCOUNT_CLOSED",
    "ACCOUNT_NOT_FOUND",
    "ACCOUNT_BLOCKED",
    "METADATA_KEY_NOT_ALLOWED",
    "METADATA_PERSONAL",
    "ACCOUNT_NOT_EMPTY",
    "ACCOUNT_NOT_BLOCKED",
    "TRANSFER_TO_SELF",
    "UNKNOWN_OPERATION",
    "QUANTITY_TOO_LARGE",
    "INVALID_ATTRIBUTE",
    "VARIANT_NOT_AVAILABLE",
    "UNKNOWN_ASSET",
    "UNKNOWN_CURRENCY",
    "UNKNOWN_PACKAGE",
    "PACKAGE_NOT_AVAILABLE",
    "PACKAGE_LIMIT_REACHED",
    "TOP_UP_NOT_OFFERED",
    "UNKNOWN_PLAN",
    "PLAN_NOT_AVAILABLE",
    "SUBSCRIPTION_RUNS",
    "TOO_MANY_SUBSCRIPTIONS",
    "SUBSCRIPTION_NOT_FOUND",
    "UPGRADE_NOT_OFFERED",
    "SUBSCRIPTION_NOT_RENEWED",
    "RENEWAL_ATTEMPT_OPEN",
    "AUTO_TOP_UP_NOT_OFFERED",
    "AUTO_TOP_UP_NOT_DUE",
    "AUTO_TOP_UP_OPEN",
    "AUTO_TOP_UP_CAP_REACHED",
    "PAYMENT_AMOUNT_DIFFERS",
    "ASSET_NOT_SPENDABLE",
    "AMOUNT_NOT_POSITIVE",
    "AMOUNT_TOO_LARGE",
    "LOT_EXPIRY_PAST",
    "BALANCE_MISMATCH",
    "HOLD_NOT_FOUND",
    "HOLD_ENDED",
    "HOLD_TOO_LONG",
    "HOLD_NOT_EXTENDED",
    "CAPTURE_EXCEEDS_HOLD",
    "CHARGE_NOT_FOUND",
    "REFUND_EXCEEDS_CHARGE",
    "PAYMENT_NOT_FOUND",
    "PAYMENT_ALREADY_RECORDED",
    "PAYMENT_NOT_SUCCEEDED",
    "REFUND_EXCEEDS_PAYMENT",
    "PAYMENT_SPENT",
    "TOO_MANY_REFUNDS",
    "REFUND_NOT_FOUND",
    "REFUND_ALREADY_RECORDED",
    "INVALID_CATALOG",
    "CATALOG_FOR_OTHER_BOOK",
    "CATALOG_CHANGED",
    "RATE_LIMITED",
    "NOT_SOLD_HERE",
    "PRICE_CHANGED",
    "CONFIRMATION_REQUIRED",
    "INSUFFICIENT_FUNDS",
    "BALANCE_TOO_LARGE",
    "BADGE_ALREADY_GRANTED",
    "WALLET_FULL",
];

/// Reasons that engine and edge give: they need the log or all accounts, not one.
const OF_ENGINE: [&str; 3] = ["REQUEST_ID_REUSED", "BATCH_ITEM_REFUSED", "ASSET_IN_USE"];

struct Case {
    catalog: &'static str,
    before: Vec<String>,
    line: &'static str,
    reason: &'static str,
    /// The reason that is left when the first violation is taken away, and the
    /// line that has only that.
    also: Option<(&'static str, &'static str)>,
}

fn case(before: &[&str], line: &'static str, reason: &'static str) -> Case {
    let before = before.iter().map(|line| (*line).to_owned()).collect();
    Case {
        catalog: "plain",
        before,
        line,
        reason,
        also: None,
    }
}

impl Case {
    fn also(mut self, line: &'static str, reason: &'static str) -> Self {
        self.also = Some((line, reason));
        self
    }

    fn under(mut self, catalog: &'static str) -> Self {
        self.catalog = catalog;
        self
    }

    fn with(mut self, more: Vec<String>) -> Self {
        self.before.extend(more);
        self
    }
}

/// As many lots as an account may have, less `spare`.
fn full_of_lots(account: &str, spare: usize) -> Vec<String> {
    (0..256 - spare)
        .map(|n| format!("credit {account} 1 FREE_OP source=S{n}"))
        .collect()
}

/// The largest balance there may be.
fn full_of(account: &str, asset: &str, funding: &str) -> Vec<String> {
    let line = format!("credit {account} 1_000_000_000_000_000 {asset} {funding}");
    vec![line; 1000]
}

/// What every command refuses first.
fn general() -> Vec<Case> {
    let closed = ["open ann", "close ann"];
    let blocked = ["open ann", "block ann reason=ABUSE"];
    vec![
        case(&closed, "charge ann look before=T", "REQUEST_EXPIRED")
            .also("charge ann look", "ACCOUNT_CLOSED"),
        case(&[], "charge ann look before=T", "REQUEST_EXPIRED")
            .also("charge ann look", "ACCOUNT_NOT_FOUND")
            .under("members"),
        // A closed account exists, and a blocked one can be closed.
        case(
            &["open ann", "block ann reason=ABUSE", "close ann"],
            "charge ann look",
            "ACCOUNT_CLOSED",
        ),
        case(&[], "charge ann look meta.colour=red", "ACCOUNT_NOT_FOUND").under("members"),
        case(&closed, "charge ann look meta.colour=red", "ACCOUNT_CLOSED"),
        case(
            &blocked,
            "charge ann look meta.colour=red",
            "ACCOUNT_BLOCKED",
        )
        .also(
            "credit ann 1 XP meta.colour=red",
            "METADATA_KEY_NOT_ALLOWED",
        ),
        case(&blocked, "charge ann fly", "ACCOUNT_BLOCKED")
            .also("credit ann 1 XP scope=fly", "UNKNOWN_OPERATION"),
        // `colour` comes before `note` and after `a`: the order of keys is not
        // the order of reasons.
        case(
            &[],
            "charge ann look meta.note=a@b.org meta.z=1",
            "METADATA_KEY_NOT_ALLOWED",
        )
        .also("charge ann look meta.note=a@b.org", "METADATA_PERSONAL"),
        case(
            &[],
            "charge ann look meta.note=a@b.org meta.colour=1",
            "METADATA_KEY_NOT_ALLOWED",
        ),
        case(&[], "charge ann fly meta.note=a@b.org", "METADATA_PERSONAL")
            .also("charge ann fly", "UNKNOWN_OPERATION"),
        case(
            &["credit ann 1 XP"],
            "close ann meta.note=a@b.org",
            "METADATA_PERSONAL",
        )
        .also("close ann", "ACCOUNT_NOT_EMPTY"),
        case(&[], "unblock ann meta.note=a@b.org", "METADATA_PERSONAL")
            .also("unblock ann", "ACCOUNT_NOT_BLOCKED"),
        case(&[], "apply broken", "INVALID_CATALOG"),
        case(&[], "apply other_book", "CATALOG_FOR_OTHER_BOOK"),
    ]
}

/// Credits, payments and corrections.
fn incoming() -> Vec<Case> {
    vec![
        case(&[], "credit ann 1 DUST scope=fly", "UNKNOWN_OPERATION")
            .also("credit ann 1 DUST", "UNKNOWN_ASSET"),
        case(
            &[],
            "credit ann 1_000_000_000_000_001 DUST",
            "UNKNOWN_ASSET",
        )
        .also("credit ann 1_000_000_000_000_001 XP", "AMOUNT_TOO_LARGE"),
        case(
            &[],
            "credit ann 1_000_000_000_000_001 XP expires=T",
            "AMOUNT_TOO_LARGE",
        )
        .also("credit ann 1 XP expires=T", "LOT_EXPIRY_PAST"),
        case(
            &[],
            "credit ann 1 XP expires=T bought paid=1_000_000_000_000_001:RUB",
            "AMOUNT_TOO_LARGE",
        )
        .also("credit ann 1 XP expires=T", "LOT_EXPIRY_PAST"),
        case(&[], "credit ann 1 XP expires=T", "LOT_EXPIRY_PAST")
            .also("credit ann 1 XP", "BALANCE_TOO_LARGE")
            .with(full_of("ann", "XP", "")),
        case(&[], "credit ann 1 XP source=NEW", "BALANCE_TOO_LARGE")
            .also("credit ann 1 CREDIT", "WALLET_FULL")
            .with(full_of("ann", "XP", ""))
            .with(full_of_lots("ann", 1)),
        case(&[], "pay ann 1_000_000_000_000_001 USD", "UNKNOWN_CURRENCY")
            .also("pay ann 1_000_000_000_000_001 RUB", "AMOUNT_TOO_LARGE"),
        case(&[], "pay ann 1_000_000_000_000_001 RUB", "AMOUNT_TOO_LARGE")
            .also("pay ann 1 RUB", "BALANCE_TOO_LARGE")
            .with(full_of("ann", "RUB", "")),
        case(
            &[],
            "adjust ann DUST by 1_000_000_000_000_001",
            "UNKNOWN_ASSET",
        )
        .also("adjust ann XP by 1_000_000_000_000_001", "AMOUNT_TOO_LARGE"),
        case(
            &[],
            "adjust ann XP to 1_000_000_000_000_001 seen 7",
            "AMOUNT_TOO_LARGE",
        )
        .also("adjust ann XP to 1 seen 7", "BALANCE_MISMATCH"),
        case(&[], "credit ann -5 DUST", "UNKNOWN_ASSET")
            .also("credit ann -5 XP", "AMOUNT_NOT_POSITIVE"),
        case(&[], "credit ann 0 XP expires=T", "AMOUNT_NOT_POSITIVE")
            .also("credit ann 1 XP expires=T", "LOT_EXPIRY_PAST"),
        case(
            &[],
            "credit ann 1 XP expires=T bought paid=-1:RUB",
            "AMOUNT_NOT_POSITIVE",
        )
        .also("credit ann 1 XP expires=T", "LOT_EXPIRY_PAST"),
        // The payment comes before what the merchant gets of it.
        case(
            &[],
            "pay ann 0 RUB income=1_000_000_000_000_001:RUB",
            "AMOUNT_NOT_POSITIVE",
        )
        .also(
            "pay ann 1 RUB income=1_000_000_000_000_001:RUB",
            "AMOUNT_TOO_LARGE",
        ),
        case(&[], "pay ann 1 RUB income=-1:RUB", "AMOUNT_NOT_POSITIVE"),
        case(&[], "adjust ann XP to -1 seen 7", "AMOUNT_NOT_POSITIVE")
            .also("adjust ann XP to 1 seen 7", "BALANCE_MISMATCH"),
        case(
            &["credit ann 5 XP", "hold ann price=5:XP"],
            "adjust ann XP to 1 seen 7",
            "BALANCE_MISMATCH",
        )
        .also("adjust ann XP by -1", "INSUFFICIENT_FUNDS"),
        case(&[], "adjust ann XP by 1", "BALANCE_TOO_LARGE")
            .also("adjust ann CREDIT by 1", "WALLET_FULL")
            .with(full_of("ann", "XP", ""))
            .with(full_of_lots("ann", 1)),
    ]
}

/// Charges and transfers.
fn outgoing() -> Vec<Case> {
    let closed = ["open bob", "block bob reason=ABUSE", "close bob"];
    let bought = "credit ann 5 CREDIT bought";
    vec![
        case(&[], "charge ann fly x1000001", "UNKNOWN_OPERATION")
            .also("charge ann draw x1000001", "QUANTITY_TOO_LARGE"),
        case(
            &[],
            "charge ann draw x11 price=1:DUST",
            "QUANTITY_TOO_LARGE",
        )
        .also("charge ann draw price=1:DUST", "UNKNOWN_ASSET"),
        case(&[], "hold ann draw x11 price=1:DUST", "QUANTITY_TOO_LARGE")
            .also("hold ann draw price=1:DUST", "UNKNOWN_ASSET"),
        case(
            &[],
            "charge ann price=1_000_000_000_000_001:DUST",
            "UNKNOWN_ASSET",
        )
        .also(
            "charge ann price=1_000_000_000_000_001:XP",
            "AMOUNT_TOO_LARGE",
        ),
        case(
            &[],
            "charge ann price=1_000_000_000_000_001:XP",
            "AMOUNT_TOO_LARGE",
        )
        .also("charge ann price=1:XP", "INSUFFICIENT_FUNDS"),
        case(
            &["credit ann 1 XP"],
            "hold ann price=1:XP max=1:RUB",
            "PRICE_CHANGED",
        )
        .also("hold ann price=2:XP", "INSUFFICIENT_FUNDS"),
        case(&[], "charge ann train max=1:RUB", "PRICE_CHANGED")
            .also("charge ann train", "BALANCE_TOO_LARGE")
            .with(full_of("ann", "XP", ""))
            .with(vec!["credit ann 5000 RUB".to_owned()]),
        case(&[], "charge ann train x2", "INSUFFICIENT_FUNDS")
            .also("charge ann train", "BALANCE_TOO_LARGE")
            .with(full_of("ann", "XP", ""))
            .with(vec!["credit ann 5000 RUB".to_owned()]),
        case(
            &["credit ann 5000 RUB"],
            "charge ann train",
            "BALANCE_TOO_LARGE",
        )
        .also("credit ann 1 CREDIT", "WALLET_FULL")
        .with(full_of("ann", "XP", ""))
        .with(full_of_lots("ann", 2)),
        case(&[], "charge ann price=-1:DUST", "UNKNOWN_ASSET")
            .also("charge ann price=-1:XP", "AMOUNT_NOT_POSITIVE"),
        case(&[], "hold ann price=-1:XP", "AMOUNT_NOT_POSITIVE")
            .also("hold ann price=1:XP", "INSUFFICIENT_FUNDS"),
        case(&[], "charge ann draw x0", "AMOUNT_NOT_POSITIVE")
            .also("charge ann draw price=1:XP", "INSUFFICIENT_FUNDS"),
        case(&[], "hold ann draw x-3", "AMOUNT_NOT_POSITIVE"),
        case(
            &["credit ann 5000 RUB"],
            "hold ann train x2",
            "INSUFFICIENT_FUNDS",
        )
        .also("hold ann train", "WALLET_FULL")
        .with(full_of_lots("ann", 1)),
        case(&[], "transfer ann to ann 1 DUST", "TRANSFER_TO_SELF")
            .also("transfer ann to bob 1 DUST", "UNKNOWN_ASSET"),
        case(
            &[],
            "transfer ann to bob 1_000_000_000_000_001 DUST",
            "UNKNOWN_ASSET",
        )
        .also(
            "transfer ann to bob 1_000_000_000_000_001 XP",
            "AMOUNT_TOO_LARGE",
        ),
        case(&[], "transfer ann to bob 0 XP", "AMOUNT_NOT_POSITIVE")
            .also("transfer ann to bob 1 XP", "ACCOUNT_NOT_FOUND"),
        // The recipient's own state comes after what the request itself says.
        case(
            &[],
            "transfer ann to bob 1_000_000_000_000_001 XP",
            "AMOUNT_TOO_LARGE",
        )
        .also("transfer ann to bob 1 XP", "ACCOUNT_NOT_FOUND"),
        case(&closed, "transfer ann to bob 1 XP", "ACCOUNT_CLOSED"),
        case(
            &["open bob", "block bob reason=ABUSE"],
            "transfer ann to bob 1 XP",
            "ACCOUNT_BLOCKED",
        )
        .also("transfer ann to eve 1 XP", "ACCOUNT_NOT_FOUND"),
        case(
            &["open eve", "block bob reason=ABUSE"],
            "transfer ann to bob 1 XP",
            "ACCOUNT_BLOCKED",
        )
        .also("transfer ann to eve 1 XP", "INSUFFICIENT_FUNDS"),
        case(
            &[bought],
            "transfer ann to bob 6 CREDIT",
            "INSUFFICIENT_FUNDS",
        )
        .also("transfer ann to bob 5 CREDIT", "BALANCE_TOO_LARGE")
        .with(full_of("bob", "CREDIT", "")),
        case(
            &[bought, "credit ann 5 XP bought"],
            "transfer ann to bob 5 XP",
            "BALANCE_TOO_LARGE",
        )
        .also("transfer ann to bob 5 CREDIT", "WALLET_FULL")
        .with(full_of("bob", "XP", ""))
        .with(full_of_lots("bob", 1)),
    ]
}

/// What refers to something earlier.
fn referring() -> Vec<Case> {
    let held = ["credit ann 5 CREDIT", "hold ann price=3:CREDIT as=h"];
    let released = [
        "credit ann 5 CREDIT",
        "hold ann price=3:CREDIT as=h",
        "release ann h",
    ];
    let credit = "credit ann 5 CREDIT";
    let capped = [credit, "hold ann price=3:CREDIT overrun=CAP as=h"];
    let overdrawn = [
        credit,
        "hold ann price=3:CREDIT overrun=OVERDRAW_AVAILABLE as=h",
    ];
    let overdrawn_late = [overdrawn[0], overdrawn[1], "wait 1h"];
    let spent_late = [
        "credit ann 5 CREDIT",
        "hold ann price=3:CREDIT as=h",
        "wait 1h",
        "charge ann price=5:CREDIT",
    ];
    vec![
        // Under every policy, open or not: what is asked for above the bound is
        // never written down as uncovered.
        case(
            &held,
            "capture ann ? 9_223_372_036_854_775_807",
            "AMOUNT_TOO_LARGE",
        )
        .also("capture ann ? 9", "HOLD_NOT_FOUND"),
        case(
            &capped,
            "capture ann h 9_223_372_036_854_775_807",
            "AMOUNT_TOO_LARGE",
        ),
        case(
            &overdrawn,
            "capture ann h 9_223_372_036_854_775_807",
            "AMOUNT_TOO_LARGE",
        ),
        case(
            &overdrawn_late,
            "capture ann h 1_000_000_000_000_001",
            "AMOUNT_TOO_LARGE",
        ),
        case(&held, "capture ann ? -1", "AMOUNT_NOT_POSITIVE")
            .also("capture ann ? 1", "HOLD_NOT_FOUND"),
        case(
            &held,
            "refund ann ? 1_000_000_000_000_001",
            "AMOUNT_TOO_LARGE",
        )
        .also("refund ann ? 1", "CHARGE_NOT_FOUND"),
        case(&held, "refund ann ? 0", "AMOUNT_NOT_POSITIVE"),
        case(&released, "extend ann ? until=T+40d", "HOLD_NOT_FOUND")
            .also("extend ann h until=T+40d", "HOLD_ENDED"),
        case(&released, "extend ann h until=T+40d", "HOLD_ENDED"),
        case(&released, "capture ann h 9", "HOLD_ENDED"),
        case(&released, "release ann h", "HOLD_ENDED").also("release ann ?", "HOLD_NOT_FOUND"),
        case(&held, "extend ann h until=T+40d", "HOLD_TOO_LONG")
            .also("extend ann h until=T", "HOLD_NOT_EXTENDED"),
        case(&held, "capture ann ? 9", "HOLD_NOT_FOUND")
            .also("capture ann h 9", "CAPTURE_EXCEEDS_HOLD"),
        case(&spent_late, "capture ann h 9", "CAPTURE_EXCEEDS_HOLD")
            .also("capture ann h", "INSUFFICIENT_FUNDS"),
        case(
            &["credit ann 5 CREDIT", "charge ann price=3:CREDIT as=c"],
            "refund ann ? 9",
            "CHARGE_NOT_FOUND",
        )
        .also("refund ann c 9", "REFUND_EXCEEDS_CHARGE"),
    ]
}

fn cases() -> Vec<Case> {
    [
        general(),
        incoming(),
        outgoing(),
        referring(),
        policy::cases(),
        payment::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The reasons in the source of the core.
fn reasons_there_are() -> BTreeSet<String> {
    sources::between("const fn class(&self)", "\n    }\n")
        .lines()
        .filter_map(|line| line.split_once("=> (\"")?.1.split_once('"'))
        .map(|(reason, _)| reason.to_owned())
        .collect()
}

fn reason_of(lines: &[String]) -> &str {
    let line = lines.first().expect("a line").strip_prefix("refused ");
    line.and_then(|line| line.split(' ').next()).unwrap_or("")
}

fn play(case: &Case) -> Replay {
    let mut replay = Replay::new(case.catalog, TargetBy::Position);
    for line in &case.before {
        let done = replay.line(line);
        assert_eq!(reason_of(&[done.join(" ")]), "", "{line}: {done:?}");
    }
    replay
}

fn check(case: &Case) {
    let mut replay = play(case);
    let events = replay.ledger.events.len();
    let accounts = replay.ledger.accounts.clone();
    assert_eq!(
        reason_of(&replay.line(case.line)),
        case.reason,
        "{}",
        case.line
    );
    if let Some((line, reason)) = case.also {
        assert_eq!(reason_of(&replay.line(line)), reason, "{line}");
    }
    assert_eq!(
        replay.ledger.events.len(),
        events,
        "a refusal leaves no event"
    );
    assert_eq!(
        replay.ledger.accounts, accounts,
        "a refusal leaves no trace"
    );
}

#[test]
fn every_case_gets_its_reason_and_leaves_no_trace() {
    cases().iter().for_each(check);
}

#[test]
fn every_reason_has_a_case() {
    let mut produced: BTreeSet<String> = OF_ENGINE.map(str::to_owned).into();
    for case in cases() {
        produced.insert(case.reason.to_owned());
        produced.extend(case.also.map(|(_, reason)| reason.to_owned()));
    }
    assert_eq!(produced, reasons_there_are());
}

#[test]
fn the_order_names_every_reason_once() {
    let mut known: BTreeSet<String> = ORDER.map(str::to_owned).into();
    assert_eq!(known.len(), ORDER.len(), "a reason twice in the order");
    known.extend(OF_ENGINE.map(str::to_owned));
    assert_eq!(known, reasons_there_are());
}

/// Where a case violates two reasons, the earlier one is given. The state of a
/// transfer's recipient is looked at after what the request itself says, and
/// has no place in the one order.
#[test]
fn the_earlier_of_two_reasons_is_given() {
    let place: BTreeMap<&str, usize> = ORDER
        .iter()
        .enumerate()
        .map(|(place, reason)| (*reason, place))
        .collect();
    let mut pairs = 0;
    for case in cases() {
        let Some((line, later)) = case.also else {
            continue;
        };
        let of_recipient = case.line.starts_with("transfer") && later.starts_with("ACCOUNT_");
        // These pairs only show both reasons; no request can violate both.
        let exclusive = [
            ("ACCOUNT_BLOCKED", "ACCOUNT_NOT_FOUND"),
            ("HOLD_ENDED", "HOLD_NOT_FOUND"),
            ("RENEWAL_ATTEMPT_OPEN", "SUBSCRIPTION_NOT_FOUND"),
        ];
        if of_recipient || exclusive.contains(&(case.reason, later)) {
            continue;
        }
        assert!(
            place[case.reason] < place[later],
            "{} before {line}",
            case.line
        );
        pairs += 1;
    }
    assert!(pairs >= 30, "only {pairs} pairs");
}
