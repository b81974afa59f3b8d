//! Events of payments and subscriptions, one line each.

use ledger_core::Timestamp;
use ledger_proto::v1::{self, event::Payload};

use crate::{
    answer::{amount, at, paid},
    language::{clock::START, render::time},
};

pub(crate) fn line(payload: &Payload) -> String {
    match payload {
        Payload::PaymentCreated(it) => {
            let gives: Vec<String> = it.gives.iter().map(planned).collect();
            let gives = gives.join(", ");
            format!(
                "PaymentCreated {} giving {gives}",
                money(it.amount.as_ref())
            )
        }
        Payload::PaymentStatusRecorded(it) => {
            let ids = it.provider_ids.iter();
            let ids: String = ids.map(|id| format!(" {}:{}", id.kind, id.id)).collect();
            let status = it.status().as_str_name();
            format!(
                "PaymentStatusRecorded {}{ids}",
                camel(status, "PAYMENT_STATUS_")
            )
        }
        Payload::PaymentSucceeded(it) => {
            let test = if it.test { " in test mode" } else { "" };
            let paid = money(it.amount.as_ref());
            format!("PaymentSucceeded {paid} by {}{test}", it.provider)
        }
        Payload::PaymentCanceled(it) => format!("PaymentCanceled{}", because(&it.reason)),
        Payload::PaymentFeeRecorded(it) => {
            format!(
                "PaymentFeeRecorded leaving {}",
                money(it.income_amount.as_ref())
            )
        }
        Payload::PaymentRefundStarted(it) => format!(
            "PaymentRefundStarted {}{}{}",
            money(it.amount.as_ref()),
            taking(", reserving ", &it.takes),
            debts(", missing ", &it.missing),
        ),
        Payload::PaymentRefunded(it) => {
            let outside = match (it.outside, it.document_number.as_str()) {
                (false, _) => String::new(),
                (true, "") => " outside".to_owned(),
                (true, number) => format!(" outside by {number}"),
            };
            let gives: Vec<String> = it.gives.iter().map(planned).collect();
            format!(
                "PaymentRefunded {}{outside}{}{}{}",
                money(it.amount.as_ref()),
                taking(", taking ", &it.takes),
                debts(", owing ", &it.debts),
                joined(", leaving ", &gives),
            )
        }
        Payload::PaymentRefundFailed(it) => format!(
            "PaymentRefundFailed{}{}{}",
            because(&it.reason),
            taking(", back ", &it.returns),
            debts(", settling ", &it.settled),
        ),
        Payload::PaymentAnomaly(it) => {
            let kind = camel(it.kind().as_str_name(), "PAYMENT_ANOMALY_KIND_");
            format!("PaymentAnomaly {kind} {}", money(it.amount.as_ref()))
        }
        other => subscription(other),
    }
}

fn subscription(payload: &Payload) -> String {
    match payload {
        Payload::SubscriptionStarted(it) => format!(
            "SubscriptionStarted {} until {} for {}",
            it.plan,
            at(it.end_time.as_ref()),
            money(it.amount.as_ref()),
        ),
        Payload::SubscriptionRenewed(it) => {
            let how = match (it.begins, it.queued) {
                (true, _) => " and begins",
                (false, true) => " and waits",
                (false, false) => "",
            };
            let (from, until) = (at(it.start_time.as_ref()), at(it.end_time.as_ref()));
            let ended = taking(", ending ", &it.ended);
            let resumed = if it.resumes { " and is resumed" } else { "" };
            format!("SubscriptionRenewed from {from} until {until}{how}{resumed}{ended}")
        }
        Payload::SubscriptionPastDue(it) => {
            let passes: String = it.passes.iter().map(|id| format!(" #{id}")).collect();
            let until = at(it.grace_end_time.as_ref());
            format!("SubscriptionPastDue until {until}, keeping{passes}")
        }
        Payload::SubscriptionCanceled(_) => "SubscriptionCanceled".to_owned(),
        Payload::SubscriptionResumed(_) => "SubscriptionResumed".to_owned(),
        Payload::SubscriptionEnded(it) => {
            let reason = camel(it.reason().as_str_name(), "SUBSCRIPTION_END_REASON_");
            format!(
                "SubscriptionEnded {reason}{}",
                taking(", ending ", &it.ended)
            )
        }
        Payload::SubscriptionRescheduled(it) => {
            let periods = it.periods.iter().map(|period| {
                let (from, until) = (at(period.start_time.as_ref()), at(period.end_time.as_ref()));
                format!("from {from} until {until}")
            });
            let periods: Vec<String> = periods.collect();
            format!("SubscriptionRescheduled {}", periods.join(", "))
        }
        other => panic!("no line tells of {other:?}"),
    }
}

fn money(said: Option<&v1::Money>) -> String {
    let said = said.unwrap();
    format!("{} {}", said.amount, said.currency)
}

fn because(reason: &str) -> String {
    match reason {
        "" => String::new(),
        reason => format!(" because {reason}"),
    }
}

/// `AmountDiffers` of `PREFIX_AMOUNT_DIFFERS`.
fn camel(name: &str, prefix: &str) -> String {
    let words = name.trim_start_matches(prefix).split('_');
    words
        .map(|word| format!("{}{}", &word[..1], word[1..].to_lowercase()))
        .collect()
}

fn planned(lot: &v1::PlannedLot) -> String {
    let paid = paid(lot.cost_basis.as_ref());
    let ends = match &lot.expires_after {
        Some(after) => {
            let us = after.seconds * 1_000_000 + i64::from(after.nanos) / 1_000;
            let end = time(Timestamp(START.0 + us));
            format!(" for {}", end.trim_start_matches("T+"))
        }
        None if lot.with_period => " each period".to_owned(),
        None => String::new(),
    };
    format!("{} {}{paid}{ends}", amount(lot.amount.as_ref()), lot.source)
}

/// Of several assets, so each part says its own.
fn taking(lead: &str, parts: &[v1::LotTake]) -> String {
    let part = |lot: &v1::LotTake| {
        let paid = paid(lot.cost_basis.as_ref());
        format!("{} {} of #{}{paid}", lot.amount, lot.asset, lot.lot)
    };
    joined(lead, &parts.iter().map(part).collect::<Vec<_>>())
}

pub(crate) fn debts(lead: &str, debts: &[v1::Debt]) -> String {
    let debt = |debt: &v1::Debt| format!("{} of #{}", amount(debt.amount.as_ref()), debt.lot);
    joined(lead, &debts.iter().map(debt).collect::<Vec<_>>())
}

fn joined(lead: &str, words: &[String]) -> String {
    if words.is_empty() {
        return String::new();
    }
    format!("{lead}{}", words.join(", "))
}
