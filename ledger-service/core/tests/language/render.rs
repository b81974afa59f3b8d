//! From events, refusals and accounts to the lines that scenarios expect.

use ledger_core::{
    Account, Event, Payload, Rejection, Timestamp,
    account::{Funding, Lot},
    catalog::{Attributes, OverrunPolicy},
    event::{HoldCaptured, HoldEnded, LevelChange, PaidWith, Refunded},
};

use super::{
    clock::{DAY, HOUR, MINUTE, SECOND, START},
    payment,
};

/// `T+1d2h`. Scenarios are told in whole seconds: what a log adds to them (each
/// event has a time of its own) is cut off.
pub(crate) fn time(at: Timestamp) -> String {
    let mut rest = at.us_since(START);
    let mut text = if rest < 0 {
        "T-".to_owned()
    } else {
        "T+".to_owned()
    };
    rest = rest.abs();
    for (unit, name) in [(DAY, 'd'), (HOUR, 'h'), (MINUTE, 'm'), (SECOND, 's')] {
        if rest >= unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    if text.len() == 2 {
        "T".to_owned()
    } else {
        text
    }
}

/// An event, one line.
pub(crate) fn event(event: &Event) -> String {
    match &event.payload {
        Payload::AccountOpened => "AccountOpened".to_owned(),
        Payload::AccountClosed => "AccountClosed".to_owned(),
        Payload::AccountBlocked => {
            let reason = event
                .annotations
                .reason
                .as_ref()
                .map_or("", |reason| &reason.code);
            format!("AccountBlocked {reason}")
        }
        Payload::AccountUnblocked => "AccountUnblocked".to_owned(),
        Payload::Credited(it) => {
            let by = if it.payment.is_some() {
                " by payment"
            } else {
                ""
            };
            let each = it.recurring.as_ref().map_or_else(String::new, |period| {
                format!(" each period of {}", period.grant)
            });
            let level = level(it.levels);
            let settled = payment::settling(&it.settled);
            format!("Credited {}{by}{each}{level}{settled}", new_lot(&it.lot))
        }
        Payload::Debited(it) => {
            let order = ordered(it.operation.as_deref(), it.quantity, &it.attributes);
            let taken = list(", taking ", &it.parts, "of") + &pass(it.pass);
            format!(
                "Debited {} {}{order}, {}{taken}",
                it.amount,
                it.asset,
                paid_with(it.paid_with)
            )
        }
        Payload::HoldPlaced(it) => {
            let order = ordered(it.operation.as_deref(), it.quantity, &it.attributes);
            let until = time(it.expires_at);
            let taken = list(", taking ", &it.parts, "of") + &pass(it.pass);
            let policy = overrun(it.overrun);
            format!(
                "HoldPlaced {} {}{order} until {until}, {policy}{taken}",
                it.amount, it.asset
            )
        }
        Payload::Refunded(it) => refunded(it),
        Payload::HoldExtended(it) => format!("HoldExtended until {}", time(it.expires_at)),
        Payload::HoldCaptured(it) => captured(it),
        Payload::HoldReleased(it) => format!("HoldReleased {}", ended(it)),
        Payload::HoldExpired(it) => format!("HoldExpired {}", ended(it)),
        Payload::LotExpired(it) => {
            format!(
                "LotExpired {} {}",
                it.lot.amount,
                part(&it.lot, "of", Some(&it.lot.asset))
            )
        }
        Payload::Adjusted(it) => {
            let taken = list(", taking ", &it.parts, "of");
            let added = it.lot.as_ref().map_or_else(String::new, |lot| {
                assert_eq!(
                    (lot.funding, lot.source.as_str()),
                    (Funding::Granted, "ADJUSTMENT")
                );
                format!(", adding to #{}", lot.id)
            });
            let level = level(it.levels);
            format!("Adjusted {:+} {}{taken}{added}{level}", it.delta, it.asset)
        }
        Payload::TransferSent(it) => {
            let taken = list(", taking ", &it.parts, "of");
            format!(
                "TransferSent {} {} to {}{taken}",
                it.amount, it.asset, it.destination
            )
        }
        Payload::TransferReceived(it) => {
            let lots: Vec<String> = it.parts.iter().map(new_lot).collect();
            let lots = lots.join(", ");
            format!(
                "TransferReceived {} {} from {}: {lots}",
                it.amount, it.asset, it.source
            )
        }
        Payload::CatalogApplied(it) => format!("CatalogApplied version {}", it.catalog_version),
        other => payment::event(other).expect("an event of a payment"),
    }
}

/// ` for draw x2 with model=a quality=high`.
fn ordered(operation: Option<&str>, quantity: i64, attributes: &Attributes) -> String {
    let said: String = attributes
        .iter()
        .map(|(name, value)| format!(" {name}={value}"))
        .collect();
    let with = if said.is_empty() { "" } else { " with" };
    format!("{}{with}{said}", order(operation, quantity))
}

fn pass(pass: Option<u64>) -> String {
    pass.map_or_else(String::new, |lot| format!(" #{lot}"))
}

fn level(levels: Option<LevelChange>) -> String {
    match levels {
        Some(level) if level.before != level.after => {
            format!(", level {} to {}", level.before, level.after)
        }
        Some(level) => format!(", level {}", level.after),
        None => String::new(),
    }
}

fn refunded(it: &Refunded) -> String {
    let back = back(&it.parts, &it.graced);
    let undone = if it.uncounted { ", undone" } else { "" };
    format!(
        "Refunded {} {}{undone}, {} left{back}{}",
        it.amount,
        it.asset,
        it.refundable,
        payment::settling(&it.settled)
    )
}

fn captured(it: &HoldCaptured) -> String {
    let mut text = format!("HoldCaptured {} {}", it.amount, it.asset);
    text.push_str(&order(it.operation.as_deref(), 1));
    text.push_str(if it.is_final {
        ", final"
    } else {
        ", keeping the rest"
    });
    for (says, what) in [(it.late, ", late"), (it.counted, ", done")] {
        if says {
            text.push_str(what);
        }
    }
    text.push_str(&format!(", {}{}", paid_with(it.paid_with), pass(it.pass)));
    text.push_str(&list(", taking ", &it.held_parts, "of"));
    text.push_str(&list(", taking free ", &it.free_parts, "of"));
    text.push_str(&back(&it.released, &it.graced));
    text.push_str(&payment::settling(&it.settled));
    if it.uncovered > 0 {
        text.push_str(&format!(", uncovered {}", it.uncovered));
    }
    text
}

fn ended(it: &HoldEnded) -> String {
    let settled = payment::settling(&it.settled);
    let back = back(&it.parts, &it.graced);
    format!("{} {}{back}{settled}", it.amount, it.asset)
}

fn paid_with(paid_with: PaidWith) -> &'static str {
    match paid_with {
        PaidWith::Granted => "granted",
        PaidWith::Purchased => "purchased",
        PaidWith::Mixed => "mixed",
        PaidWith::Nothing => "for nothing",
        PaidWith::Pass => "by pass",
    }
}

const fn overrun(policy: OverrunPolicy) -> &'static str {
    match policy {
        OverrunPolicy::Reject => "REJECT",
        OverrunPolicy::Cap => "CAP",
        OverrunPolicy::OverdrawAvailable => "OVERDRAW_AVAILABLE",
    }
}

fn order(operation: Option<&str>, quantity: i64) -> String {
    let operation = operation.map_or_else(String::new, |name| format!(" for {name}"));
    let quantity = if quantity == 1 {
        String::new()
    } else {
        format!(" x{quantity}")
    };
    format!("{operation}{quantity}")
}

/// `1000 RUB to #2, bought, PAYMENT (paid 1000 RUB)`.
fn new_lot(lot: &Lot) -> String {
    let funding = match lot.funding {
        Funding::Granted => "granted",
        Funding::Purchased => "bought",
    };
    let mut text = format!(
        "{} {} to #{}, {funding}, {}",
        lot.amount, lot.asset, lot.id, lot.source
    );
    if lot.priority != 0 {
        text.push_str(&format!(", priority {}", lot.priority));
    }
    if let Some(origin) = &lot.origin {
        text.push_str(&format!(", earned in {origin}"));
    }
    if let Some(at) = lot.expires_at {
        text.push_str(&format!(", expires {}", time(at)));
    }
    if !lot.scope.is_empty() {
        text.push_str(&format!(", only for {}", lot.scope.join(" and ")));
    }
    text.push_str(&paid(lot));
    text
}

fn paid(lot: &Lot) -> String {
    match &lot.currency {
        Some(currency) => format!(" (paid {} {currency})", lot.basis),
        None => String::new(),
    }
}

/// `1000 of #2 (paid 1000 RUB)`.
pub(crate) fn part(part: &Lot, preposition: &str, asset: Option<&str>) -> String {
    match asset {
        Some(asset) => format!("{asset} {preposition} #{}{}", part.id, paid(part)),
        None => format!("{} {preposition} #{}{}", part.amount, part.id, paid(part)),
    }
}

fn list(intro: &str, parts: &[Lot], preposition: &str) -> String {
    if parts.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = parts.iter().map(|it| part(it, preposition, None)).collect();
    format!("{intro}{}", parts.join(", "))
}

fn back(parts: &[Lot], graced: &[u64]) -> String {
    if parts.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = parts
        .iter()
        .map(|it| {
            let grace = match it.expires_at.filter(|_| graced.contains(&it.id)) {
                Some(at) => format!(" with grace until {}", time(at)),
                None => String::new(),
            };
            format!("{}{grace}", part(it, "to", None))
        })
        .collect();
    format!(", back {}", parts.join(", "))
}

/// A refusal: its reason, and of the numbers those that a caller acts on.
pub(crate) fn rejection(rejection: &Rejection) -> String {
    let details = match rejection {
        Rejection::InsufficientFunds {
            asset,
            required,
            available,
            shortfall,
            top_up,
            package,
        } => {
            let top_up = top_up.as_ref().map_or_else(String::new, |money| {
                let currency = if money.currency == *asset {
                    String::new()
                } else {
                    format!(" {}", money.currency)
                };
                format!(" top_up={}{currency}", money.amount)
            });
            let package = package
                .as_ref()
                .map_or_else(String::new, |id| format!(" package={id}"));
            format!(
                " asset={asset} required={required} available={available} shortfall={shortfall}{top_up}{package}"
            )
        }
        Rejection::RateLimited {
            limit,
            used,
            maximum,
            next_free_at,
            ..
        } => {
            let free = next_free_at.map_or_else(String::new, |at| format!(" free={}", time(at)));
            format!(" limit={limit} used={used} maximum={maximum}{free}")
        }
        Rejection::ConfirmationRequired { asset, amount, .. } => {
            format!(" asset={asset} amount={amount}")
        }
        Rejection::InvalidAttribute {
            attribute, allowed, ..
        } => format!(" attribute={attribute} allowed={}", allowed.join(",")),
        Rejection::NotSoldHere { origin, .. } => format!(" origin={origin}"),
        Rejection::BadgeAlreadyGranted { asset } => format!(" asset={asset}"),
        Rejection::PriceChanged { asset, amount, .. } => format!(" asset={asset} amount={amount}"),
        Rejection::RefundExceedsCharge {
            amount, refundable, ..
        } => {
            format!(" amount={amount} refundable={refundable}")
        }
        Rejection::CaptureExceedsHold { amount, held, .. } => {
            format!(" amount={amount} held={held}")
        }
        Rejection::BalanceMismatch {
            expected,
            available,
            ..
        } => {
            format!(" expected={expected} available={available}")
        }
        Rejection::HoldEnded { end, .. } => format!(" end={}", format!("{end:?}").to_uppercase()),
        Rejection::AccountBlocked { account, code } => format!(" account={account} code={code}"),
        Rejection::AccountClosed { account } | Rejection::AccountNotFound { account } => {
            format!(" account={account}")
        }
        Rejection::AccountNotEmpty { asset, .. } | Rejection::UnknownAsset { asset } => {
            format!(" asset={asset}")
        }
        Rejection::HoldNotExtended { expire_time, .. } => {
            format!(" expire_time={}", time(*expire_time))
        }
        Rejection::HoldTooLong {
            maximum_expire_time,
        } => {
            format!(" maximum_expire_time={}", time(*maximum_expire_time))
        }
        other => payment::refusal(other),
    };
    format!("refused {}{details}", rejection.reason())
}

/// `balance ann: 2 FREE_OP, 1000 RUB (200 held)`.
pub(crate) fn balance(id: &str, account: &Account) -> String {
    let assets: Vec<String> = account
        .assets
        .iter()
        .filter(|(_, totals)| (totals.balance, totals.held, totals.deficit) != (0, 0, 0))
        .map(|(asset, totals)| {
            let of = |word: &str, amount: i64| match amount {
                0 => String::new(),
                amount => format!(" ({amount} {word})"),
            };
            let (held, owed) = (of("held", totals.held), of("owed", totals.deficit));
            format!("{} {asset}{held}{owed}", totals.balance)
        })
        .collect();
    format!("balance {id}: {}", or_nothing(&assets))
}

/// `lots ann: 2 FREE_OP of #1, 1000 RUB of #2 (paid 1000 RUB)`: what can be
/// spent, in the order in which it is.
pub(crate) fn lots(id: &str, account: &Account) -> String {
    let lots: Vec<String> = account
        .lots
        .iter()
        .map(|lot| {
            let until = lot
                .expires_at
                .map_or_else(String::new, |at| format!(" until {}", time(at)));
            format!(
                "{} {}{until}",
                lot.amount,
                part(lot, "of", Some(&lot.asset))
            )
        })
        .collect();
    format!("lots {id}: {}", or_nothing(&lots))
}

/// `done ann: 2 draw, 1 train`.
pub(crate) fn done(id: &str, account: &Account) -> String {
    let counts: Vec<String> = account
        .operations
        .iter()
        .filter(|(_, count)| **count != 0)
        .map(|(operation, count)| format!("{count} {operation}"))
        .collect();
    format!("done {id}: {}", or_nothing(&counts))
}

/// `totals ann RUB: spent 1000, bought 2000, granted 0, refunded 0`.
pub(crate) fn totals(id: &str, asset: &str, account: &Account) -> String {
    let totals = account.totals(asset);
    format!(
        "totals {id} {asset}: spent {}, bought {}, granted {}, refunded {}",
        totals.spent, totals.bought, totals.granted, totals.refunded
    )
}

fn or_nothing(items: &[String]) -> String {
    if items.is_empty() {
        "nothing".to_owned()
    } else {
        items.join(", ")
    }
}
