//! The `[subscriptions.ID]` blocks.

use std::collections::{BTreeMap, BTreeSet};

use super::content::{self, Bought};
use super::context::Context;
use super::duration::DAY_US;
use super::limits::SUBSCRIPTIONS_MAX;
use super::model::{Offer, OnRepurchase, Period, Plan, Renewal, SecondSuccess};
use super::reader::{Node, Section};
use super::report::Report;
use super::{block, list, offer, period, refund};
use crate::limits::GRACE_US_MAX;
use crate::name::Name;

const KEYS: [&str; 11] = [
    "period",
    "contents",
    "bonuses",
    "renewal",
    "on_repurchase",
    "upgrades",
    "grace",
    "retries",
    "notify_before",
    "second_success",
    "refund",
];

const RENEWALS: [(&str, Renewal); 3] = [
    ("none", Renewal::None),
    ("saved_method", Renewal::SavedMethod),
    ("stars", Renewal::Stars),
];

const REPURCHASES: [(&str, OnRepurchase); 3] = [
    ("extend", OnRepurchase::Extend),
    ("queue", OnRepurchase::Queue),
    ("refuse", OnRepurchase::Refuse),
];

const SECOND_SUCCESSES: [(&str, SecondSuccess); 2] = [
    ("extend", SecondSuccess::Extend),
    ("refund", SecondSuccess::Refund),
];

/// The currency of Telegram's Stars.
const STARS: &str = "XTR";

/// The only period that Telegram renews by.
const STARS_PERIOD: Period = Period {
    months: 0,
    days: 30,
};

/// Reads what can be subscribed to.
pub(super) fn read_all(root: &Section<'_>, context: &mut Context<'_>) -> BTreeMap<String, Plan> {
    let key = "subscriptions";
    let entries = block::entries(root, key, SUBSCRIPTIONS_MAX, key, &mut context.report);
    let ids: BTreeSet<&str> = entries.iter().map(|(id, ..)| *id).collect();
    entries
        .iter()
        .filter_map(|(id, _, node)| Some(((*id).to_owned(), read(id, node, &ids, context)?)))
        .collect()
}

fn read(
    id: &str,
    node: &Node<'_>,
    ids: &BTreeSet<&str>,
    context: &mut Context<'_>,
) -> Option<Plan> {
    let section = node.section(&offer::keys_and(&KEYS), &mut context.report)?;
    let offer = offer::read(&section, context);
    let (contents, bonuses) = content::read(&section, Bought::EachPeriod, context);
    let upgrades = read_upgrades(&section, id, ids, context);
    let report = &mut context.report;
    let period = period::required(&section, "period", report);
    let renewal = read_renewal(&section, offer.as_ref(), period, report);
    let on_repurchase = section
        .optional("on_repurchase")
        .and_then(|node| node.choice(&REPURCHASES, report));
    let grace_us = read_grace(&section, period, report);
    let second_success = section
        .optional("second_success")
        .and_then(|node| node.choice(&SECOND_SUCCESSES, report));
    Some(Plan {
        offer: offer?,
        period: period?,
        contents,
        bonuses,
        renewal,
        on_repurchase: on_repurchase.unwrap_or(OnRepurchase::Extend),
        upgrades,
        grace_us: grace_us.unwrap_or(0),
        retries_us: list::durations(&section, "retries", report),
        notify_before_us: list::before(&section, "notify_before", report),
        second_success: second_success.unwrap_or(SecondSuccess::Extend),
        refund: refund::optional(&section, "refund", report),
    })
}

/// The grace, which is shorter than the shortest period.
fn read_grace(section: &Section<'_>, period: Option<Period>, report: &mut Report) -> Option<i64> {
    let node = section.optional("grace")?;
    let grace_us = node.duration(&(0..=GRACE_US_MAX), report)?;
    if period.is_some_and(|period| grace_us >= shortest_us(period)) {
        report.add(&node.place, "must be shorter than the period");
    }
    Some(grace_us)
}

/// How long the shortest period of a length is: of months, the one with February.
const fn shortest_us(period: Period) -> i64 {
    let days = (period.months as i64).saturating_mul(28);
    let days = days.saturating_add(period.days as i64);
    days.saturating_mul(DAY_US)
}

/// The other subscriptions that this one can be changed to.
fn read_upgrades(
    section: &Section<'_>,
    id: &str,
    ids: &BTreeSet<&str>,
    context: &mut Context<'_>,
) -> BTreeSet<Name> {
    let items = section
        .optional("upgrades")
        .and_then(|node| node.items(&(0..=SUBSCRIPTIONS_MAX), &mut context.report))
        .unwrap_or_default();
    context.unique(&items, |context, node| {
        let upgrade = node.string(&mut context.report)?;
        let report = &mut context.report;
        if upgrade == id {
            report.add(&node.place, "must be another subscription");
        } else if !ids.contains(upgrade) {
            let others = ids.iter().copied().filter(|other| *other != id);
            report.unknown(&node.place, "no such subscription", upgrade, others);
        }
        Some(upgrade.into())
    })
}

/// The renewal, and what has to be so for it.
fn read_renewal(
    section: &Section<'_>,
    offer: Option<&Offer>,
    period: Option<Period>,
    report: &mut Report,
) -> Renewal {
    let Some(node) = section.optional("renewal") else {
        refuse_without_renewal(section, report);
        return Renewal::None;
    };
    let renewal = node.choice(&RENEWALS, report);
    let priced_in = |fits: fn(&str) -> bool| {
        offer.is_none_or(|offer| {
            let mut currencies = offer.prices.keys();
            currencies.any(|currency| fits(currency))
        })
    };
    match renewal {
        Some(Renewal::None) => refuse_without_renewal(section, report),
        Some(Renewal::SavedMethod) if !priced_in(|currency| currency != STARS) => {
            report.add(&node.place, "needs a price in money");
        }
        Some(Renewal::Stars) => {
            if !priced_in(|currency| currency == STARS) {
                report.add(&node.place, format!("needs a price in {STARS}"));
            }
            if period.is_some_and(|period| period != STARS_PERIOD) {
                let message = "needs a period of \"30 days\", Telegram's only one";
                report.add(&node.place, message);
            }
        }
        Some(Renewal::SavedMethod) | None => {}
    }
    renewal.unwrap_or_default()
}

/// What is about renewals has no sense without them.
fn refuse_without_renewal(section: &Section<'_>, report: &mut Report) {
    for key in ["grace", "retries"] {
        if let Some(node) = section.optional(key) {
            report.add(&node.place, "only with a renewal");
        }
    }
}
