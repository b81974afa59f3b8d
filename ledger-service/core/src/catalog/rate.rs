//! The `rate` of a top-up: what money becomes.

use super::context::Context;
use super::limits::AMOUNT_MAX;
use super::map;
use super::model::Rate;
use super::reader::{Node, Section};
use super::report::Report;
use crate::name::Name;

/// Reads the rate, if there is one.
pub(super) fn optional(top_up: &Section<'_>, context: &mut Context<'_>) -> Option<Rate> {
    let node = top_up.optional("rate")?;
    let section = node.section(&["asset", "pay", "get"], &mut context.report)?;
    let asset = section.required("asset", &mut context.report);
    let asset = asset.and_then(|node| read_asset(&node, context));
    let mut amount = |key| {
        let node = section.required(key, &mut context.report)?;
        node.amount(&(1..=AMOUNT_MAX), &mut context.report)
    };
    let (pay, get) = (amount("pay"), amount("get"));
    Some(Rate {
        asset: asset?,
        pay: pay?,
        get: get?,
    })
}

fn read_asset(node: &Node<'_>, context: &mut Context<'_>) -> Option<Name> {
    let id = node.string(&mut context.report)?;
    map::counted(id, &node.place, context).then(|| id.into())
}

/// Refuses a maximum that gives more than one credit may be.
pub(super) fn check(
    top_up: &Section<'_>,
    rate: Option<&Rate>,
    maximum: Option<i64>,
    report: &mut Report,
) {
    let (Some(rate), Some(maximum)) = (rate, maximum) else {
        return;
    };
    let times = maximum.checked_div(rate.pay).unwrap_or(0);
    let given = times.checked_mul(rate.get);
    if given.is_none_or(|given| given > AMOUNT_MAX) {
        let message = format!("gives more than {AMOUNT_MAX} for the maximum ({maximum})");
        report.add(&top_up.place_of("rate"), message);
    }
}
