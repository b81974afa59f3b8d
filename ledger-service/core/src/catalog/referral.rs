//! The `[referral]` block.

use std::collections::BTreeMap;

use super::context::Context;
use super::grant::{self, Manner};
use super::limits::{ATTRIBUTION_US_MAX, DURATION_US_MAX, REWARD_TIMES_MAX, REWARDS_MAX};
use super::model::{
    AssetKind, Grant, ReferralParty, ReferralPolicy, ReferralReward, ReferralTrigger,
};
use super::reader::{Node, Section};
use super::{block, share};
use crate::name::Name;

const KEYS: [&str; 6] = ["on", "to", "share", "per_day", "total", "hold"];

const TRIGGERS: [(&str, ReferralTrigger); 4] = [
    ("opened", ReferralTrigger::Opened),
    ("first_operation", ReferralTrigger::FirstOperation),
    ("first_payment", ReferralTrigger::FirstPayment),
    ("each_payment", ReferralTrigger::EachPayment),
];

const PARTIES: [(&str, ReferralParty); 2] = [
    ("referrer", ReferralParty::Referrer),
    ("referred", ReferralParty::Referred),
];

const MANNER: Manner<'static> = Manner {
    source: "REFERRAL",
    quantity_max: Some(1),
    ends_by_itself: false,
};

/// Reads what inviting others gives.
pub(super) fn read(root: &Section<'_>, context: &mut Context<'_>) -> Option<ReferralPolicy> {
    let node = root.optional("referral")?;
    let section = node.section(&["attribution", "rewards"], &mut context.report)?;
    let attribution_us = section
        .optional("attribution")
        .and_then(|node| node.duration(&(0..=ATTRIBUTION_US_MAX), &mut context.report));
    Some(ReferralPolicy {
        attribution_us: attribution_us.unwrap_or(0),
        rewards: read_rewards(&section, context),
    })
}

fn read_rewards(
    section: &Section<'_>,
    context: &mut Context<'_>,
) -> BTreeMap<Name, ReferralReward> {
    let key = "rewards";
    let entries = block::entries(section, key, REWARDS_MAX, key, &mut context.report);
    entries
        .iter()
        .filter_map(|(id, _, node)| Some(((*id).into(), read_reward(node, context)?)))
        .collect()
}

/// Reads a reward; there is none if a variable says 0.
fn read_reward(node: &Node<'_>, context: &mut Context<'_>) -> Option<ReferralReward> {
    let section = node.section(&grant::keys_and(&KEYS), &mut context.report)?;
    let report = &mut context.report;
    let on = section
        .required("on", report)
        .and_then(|node| node.choice(&TRIGGERS, report));
    let to = section
        .required("to", report)
        .and_then(|node| node.choice(&PARTIES, report));
    let mut times = |key| {
        let node = section.optional(key)?;
        node.integer(&(1..=REWARD_TIMES_MAX), report)
    };
    let (per_day, total) = (times("per_day"), times("total"));
    let hold_us = section
        .optional("hold")
        .and_then(|node| node.duration(&(0..=DURATION_US_MAX), report));
    let (grant, share_bp) = read_what(&section, on, context)?;
    Some(ReferralReward {
        on: on?,
        to: to?,
        grant,
        share_bp,
        per_day,
        total,
        hold_us: hold_us.unwrap_or(0),
    })
}

/// Reads what is given: a fixed amount, or a share of what was paid.
fn read_what(
    section: &Section<'_>,
    on: Option<ReferralTrigger>,
    context: &mut Context<'_>,
) -> Option<(Grant, Option<i64>)> {
    let Some(node) = section.optional("share") else {
        return Some((grant::read(section, MANNER, context)?, None));
    };
    for key in ["amount", "env"] {
        if let Some(node) = section.optional(key) {
            let message = "a share is given instead of an amount";
            context.report.add(&node.place, message);
        }
    }
    if matches!(
        on,
        Some(ReferralTrigger::Opened | ReferralTrigger::FirstOperation)
    ) {
        let message = "only of first_payment or each_payment: nothing else has a price to share";
        context.report.add(&node.place, message);
    }
    let share_bp = share::read(&node, &mut context.report);
    let grant = grant::read_without_amount(section, MANNER, context);
    let kind = context.kind(&grant.asset);
    if kind.is_some_and(|kind| kind != AssetKind::Money)
        && let Some(node) = section.optional("asset")
    {
        let message = "must be an asset of kind money: it is a share of money";
        context.report.add(&node.place, message);
    }
    Some((grant, Some(share_bp?)))
}
