//! From the events of an answer to the lines that scenarios expect.

use ledger_core::Timestamp;
use ledger_proto::v1::{self, event::Payload};

use crate::{
    language::{render::time, teller::listed},
    payment_events,
    request::Answered,
};

/// The lines of an answer to one of the account `own`.
pub(crate) fn lines(own: &str, answered: &Answered) -> Vec<String> {
    let lines = answered
        .events
        .iter()
        .map(|event| (id(&event.account), line(event, answered.refundable)));
    listed(own, lines)
}

/// The position of the event that a label stands for.
pub(crate) fn main(answered: &Answered) -> Option<u64> {
    let is_main = |event: &&v1::Event| match &event.payload {
        Some(
            Payload::Debited(_)
            | Payload::HoldPlaced(_)
            | Payload::HoldCaptured(_)
            | Payload::PaymentCreated(_),
        ) => true,
        Some(Payload::PaymentSucceeded(paid)) => paid.payment.is_empty(),
        _ => false,
    };
    let mut events = answered.events.iter();
    let found = events.find(is_main).or(answered.events.first());
    found.map(position)
}

/// The position of the event that started a subscription.
pub(crate) fn started(answered: &Answered) -> Option<u64> {
    let is_start =
        |event: &&v1::Event| matches!(event.payload, Some(Payload::SubscriptionStarted(_)));
    answered.events.iter().find(is_start).map(position)
}

fn position(event: &v1::Event) -> u64 {
    u64::try_from(event.position).unwrap()
}

/// The last part of a name.
pub(crate) fn id(name: &str) -> &str {
    name.rsplit('/').next().unwrap()
}

pub(crate) fn timestamp(at: &prost_types::Timestamp) -> Timestamp {
    Timestamp(at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000)
}

/// `T+1d2h` of a time that has to be there.
pub(crate) fn at(time_said: Option<&prost_types::Timestamp>) -> String {
    time(timestamp(time_said.unwrap()))
}

/// `1000 RUB`.
pub(crate) fn amount(said: Option<&v1::AssetAmount>) -> String {
    let said = said.unwrap();
    format!("{} {}", said.amount, said.asset)
}

fn line(event: &v1::Event, refundable: Option<i64>) -> String {
    let payload = event.payload.as_ref().unwrap();
    match payload {
        Payload::AccountOpened(_) => "AccountOpened".to_owned(),
        Payload::AccountClosed(_) => "AccountClosed".to_owned(),
        Payload::AccountBlocked(_) => {
            let reason = event.reason.as_ref().map_or("", |reason| &reason.code);
            format!("AccountBlocked {reason}")
        }
        Payload::AccountUnblocked(_) => "AccountUnblocked".to_owned(),
        Payload::CatalogApplied(it) => format!("CatalogApplied version {}", it.catalog_version),
        Payload::Credited(it) => credited(it),
        Payload::Debited(it) => format!(
            "Debited {}{}, {}{}{}",
            amount(it.price.as_ref()),
            ordered(&it.operation, it.quantity, &it.attributes),
            paid_with(it.paid_with),
            list(", taking ", &it.takes, "of"),
            pass(it.pass_lot),
        ),
        Payload::HoldPlaced(it) => format!(
            "HoldPlaced {}{} until {}, {}{}{}",
            amount(it.price.as_ref()),
            ordered(&it.operation, it.quantity, &it.attributes),
            at(it.expire_time.as_ref()),
            it.overrun_policy()
                .as_str_name()
                .trim_start_matches("OVERRUN_POLICY_"),
            list(", taking ", &it.takes, "of"),
            pass(it.pass_lot),
        ),
        Payload::HoldExtended(it) => format!("HoldExtended until {}", at(it.expire_time.as_ref())),
        Payload::HoldCaptured(it) => captured(it),
        Payload::HoldReleased(it) => {
            ended("HoldReleased", it.amount.as_ref(), &it.returns, &it.settled)
        }
        Payload::HoldExpired(it) => {
            ended("HoldExpired", it.amount.as_ref(), &it.returns, &it.settled)
        }
        Payload::Refunded(it) => format!(
            "Refunded {}, {} left{}{}",
            amount(it.amount.as_ref()),
            refundable.unwrap_or_default(),
            list(", back ", &it.returns, "to"),
            payment_events::debts(", settling ", &it.settled),
        ),
        Payload::LotExpired(it) => {
            let paid = paid(it.cost_basis.as_ref());
            format!(
                "LotExpired {} of #{}{paid}",
                amount(it.amount.as_ref()),
                it.lot
            )
        }
        Payload::Adjusted(it) => {
            let delta = it.delta.as_ref().unwrap();
            let added = it.added.as_ref();
            let added = added.map_or_else(String::new, |lot| format!(", adding to #{}", lot.lot));
            format!(
                "Adjusted {:+} {}{}{added}{}",
                delta.amount,
                delta.asset,
                list(", taking ", &it.takes, "of"),
                level(it.level_change.as_ref()),
            )
        }
        Payload::TransferSent(it) => format!(
            "TransferSent {} to {}{}",
            amount(it.amount.as_ref()),
            id(&it.destination_account),
            list(", taking ", &it.takes, "of"),
        ),
        Payload::TransferReceived(it) => {
            let lots: Vec<String> = it.lots.iter().map(new_lot).collect();
            format!(
                "TransferReceived {} from {}: {}",
                amount(it.amount.as_ref()),
                id(&it.source_account),
                lots.join(", ")
            )
        }
        other => payment_events::line(other),
    }
}

fn credited(it: &v1::Credited) -> String {
    let credited = it.amount.as_ref().unwrap();
    let lot = new_lot(&v1::LotTake {
        lot: it.lot,
        amount: credited.amount,
        asset: credited.asset.clone(),
        cost_basis: it.cost_basis.clone(),
        funding: it.funding,
        source: it.source.clone(),
        expire_time: it.expire_time,
        priority: it.priority,
        scope: it.scope.clone(),
    });
    let by = if it.payment.is_empty() {
        ""
    } else {
        " by payment"
    };
    let each = match it.recurring_grant.as_str() {
        "" => String::new(),
        grant => format!(" each period of {grant}"),
    };
    let level = level(it.level_change.as_ref());
    let settled = payment_events::debts(", settling ", &it.settled);
    format!("Credited {lot}{by}{each}{level}{settled}")
}

fn captured(it: &v1::HoldCaptured) -> String {
    let operation = ordered(&it.operation, 1, &Default::default());
    let end = if it.r#final {
        "final"
    } else {
        "keeping the rest"
    };
    let late = if it.late { ", late" } else { "" };
    let uncovered = match it.uncovered_amount {
        0 => String::new(),
        amount => format!(", uncovered {amount}"),
    };
    format!(
        "HoldCaptured {}{operation}, {end}{late}, {}{}{}{}{}{uncovered}",
        amount(it.amount.as_ref()),
        paid_with(it.paid_with),
        pass(it.pass_lot),
        list(", taking ", &it.takes, "of"),
        list(", back ", &it.returns, "to"),
        payment_events::debts(", settling ", &it.settled),
    )
}

fn ended(
    what: &str,
    held: Option<&v1::AssetAmount>,
    returns: &[v1::LotTake],
    settled: &[v1::Debt],
) -> String {
    let back = list(", back ", returns, "to");
    let settled = payment_events::debts(", settling ", settled);
    format!("{what} {}{back}{settled}", amount(held))
}

/// ` for draw x2 with model=a quality=high`.
fn ordered(
    operation: &str,
    quantity: i64,
    attributes: &std::collections::BTreeMap<String, String>,
) -> String {
    let mut text = String::new();
    if !operation.is_empty() {
        text += &format!(" for {operation}");
    }
    if quantity != 1 {
        text += &format!(" x{quantity}");
    }
    if !attributes.is_empty() {
        text += " with";
    }
    for (name, value) in attributes {
        text += &format!(" {name}={value}");
    }
    text
}

fn paid_with(number: i32) -> &'static str {
    match v1::PaidWith::try_from(number).unwrap() {
        v1::PaidWith::Unspecified => "unspecified",
        v1::PaidWith::Granted => "granted",
        v1::PaidWith::Purchased => "purchased",
        v1::PaidWith::Mixed => "mixed",
        v1::PaidWith::Nothing => "for nothing",
        v1::PaidWith::Pass => "by pass",
    }
}

fn pass(lot: i64) -> String {
    match lot {
        0 => String::new(),
        lot => format!(" #{lot}"),
    }
}

fn level(change: Option<&v1::LevelChange>) -> String {
    match change {
        Some(level) if level.leveled_up || level.old_level != level.new_level => {
            format!(", level {} to {}", level.old_level, level.new_level)
        }
        Some(level) => format!(", level {}", level.new_level),
        None => String::new(),
    }
}

fn new_lot(lot: &v1::LotTake) -> String {
    let funding = match lot.funding() {
        v1::Funding::Unspecified => "unspecified",
        v1::Funding::Granted => "granted",
        v1::Funding::Purchased => "bought",
    };
    let mut text = format!(
        "{} {} to #{}, {funding}, {}",
        lot.amount, lot.asset, lot.lot, lot.source
    );
    if lot.priority != 0 {
        text += &format!(", priority {}", lot.priority);
    }
    if lot.expire_time.is_some() {
        text += &format!(", expires {}", at(lot.expire_time.as_ref()));
    }
    if !lot.scope.is_empty() {
        text += &format!(", only for {}", lot.scope.join(" and "));
    }
    text + &paid(lot.cost_basis.as_ref())
}

/// ` (paid 1000 RUB)`.
pub(crate) fn paid(basis: Option<&v1::Money>) -> String {
    basis.map_or_else(String::new, |basis| {
        format!(" (paid {} {})", basis.amount, basis.currency)
    })
}

fn list(lead: &str, parts: &[v1::LotTake], preposition: &str) -> String {
    if parts.is_empty() {
        return String::new();
    }
    let part = |lot: &v1::LotTake| {
        let paid = paid(lot.cost_basis.as_ref());
        format!("{} {preposition} #{}{paid}", lot.amount, lot.lot)
    };
    let parts: Vec<String> = parts.iter().map(part).collect();
    format!("{lead}{}", parts.join(", "))
}
