//! The `[promo]` block.

use super::context::Context;
use super::duration::SECOND_US;
use super::limits::{WINDOW_US_MAX, WRONG_TRIES_MAX};
use super::map;
use super::model::PromoPolicy;
use super::reader::Section;
use super::report::Report;

/// Reads what promo codes may give.
pub(super) fn read(root: &Section<'_>, context: &mut Context<'_>) -> PromoPolicy {
    let mut policy = PromoPolicy::default();
    let Some(section) = root
        .optional("promo")
        .and_then(|node| node.section(&["grant_max", "wrong_tries"], &mut context.report))
    else {
        return policy;
    };
    policy.grant_max = map::most_by_asset(&section, "grant_max", context);
    read_wrong_tries(&section, &mut policy, &mut context.report);
    policy
}

/// What is not said stays as it is.
fn read_wrong_tries(promo: &Section<'_>, policy: &mut PromoPolicy, report: &mut Report) {
    let Some(section) = promo
        .optional("wrong_tries")
        .and_then(|node| node.section(&["maximum", "window"], report))
    else {
        return;
    };
    let maximum = section
        .optional("maximum")
        .and_then(|node| node.integer(&(1..=WRONG_TRIES_MAX), report));
    let window_us = section
        .optional("window")
        .and_then(|node| node.duration(&(SECOND_US..=WINDOW_US_MAX), report));
    policy.wrong_tries_max = maximum.unwrap_or(policy.wrong_tries_max);
    policy.wrong_tries_window_us = window_us.unwrap_or(policy.wrong_tries_window_us);
}
