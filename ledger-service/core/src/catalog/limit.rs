//! The `[limits.ID]` and `[confirm_above.ASSET]` blocks.

use std::collections::BTreeMap;

use super::amount::{self, Bounds};
use super::block;
use super::context::Context;
use super::duration::SECOND_US;
use super::limits::{LIMITS_MAX, OPERATIONS_MAX, WINDOW_US_MAX};
use super::model::{Counts, Limit};
use super::reader::{Node, Section};
use super::shape::VARIABLE;
use crate::limits::WINDOW_TIMES_MAX;
use crate::name::Name;

const COUNTS: [(&str, Counts); 2] = [
    ("accepted", Counts::Accepted),
    ("completed", Counts::Completed),
];

/// Reads how much may be done in windows of time.
pub(super) fn read_all(root: &Section<'_>, context: &mut Context<'_>) -> BTreeMap<Name, Limit> {
    let key = "limits";
    let entries = block::entries(root, key, LIMITS_MAX, key, &mut context.report);
    let limits: BTreeMap<Name, Limit> = entries
        .iter()
        .filter_map(|(id, _, node)| Some(((*id).into(), read(node, context)?)))
        .collect();
    let times = limits
        .values()
        .fold(0_i64, |sum, limit| sum.saturating_add(limit.maximum));
    if times > max() {
        let message = format!("the maxima add up to {times}; {WINDOW_TIMES_MAX} is the most");
        context.report.add(&root.place_of(key), message);
    }
    limits
}

fn max() -> i64 {
    i64::try_from(WINDOW_TIMES_MAX).unwrap_or(i64::MAX)
}

fn read(node: &Node<'_>, context: &mut Context<'_>) -> Option<Limit> {
    let known = ["operations", "maximum", "window", "counts"];
    let section = node.section(&known, &mut context.report)?;
    let operations = section
        .optional("operations")
        .and_then(|node| node.items(&(1..=OPERATIONS_MAX), &mut context.report))
        .unwrap_or_default();
    let operations = context.unique(&operations, Context::operation);
    let maximum = section
        .required("maximum", &mut context.report)
        .and_then(|node| read_maximum(&node, context));
    let window_us = section
        .required("window", &mut context.report)
        .and_then(|node| node.duration(&(SECOND_US..=WINDOW_US_MAX), &mut context.report));
    let counts = section
        .optional("counts")
        .and_then(|node| node.choice(&COUNTS, &mut context.report));
    Some(Limit {
        operations,
        maximum: maximum?,
        window_us: window_us?,
        counts: counts.unwrap_or(Counts::Accepted),
    })
}

/// A plain number, or `{ amount, env }`; the variable is a whole number.
fn read_maximum(node: &Node<'_>, context: &mut Context<'_>) -> Option<i64> {
    let range = 0..=max();
    if !node.is_table() {
        return node.integer(&range, &mut context.report);
    }
    let section = node.section(&["amount", "env"], &mut context.report)?;
    let written = section
        .required("amount", &mut context.report)
        .and_then(|node| node.integer(&range, &mut context.report));
    let Some(node) = section.optional("env") else {
        return written;
    };
    let name = node.shaped(&VARIABLE, &mut context.report)?;
    let Some(value) = context.variable(&name) else {
        return written;
    };
    match value.parse::<i64>() {
        Ok(number) if range.contains(&number) => Some(number),
        _ => {
            // Not the value: it may be a secret that was named by mistake.
            let message = format!("{name} must be a whole number, 0 to {WINDOW_TIMES_MAX}");
            context.report.add(&node.place, message);
            None
        }
    }
}

/// Reads above which price the user has to be asked.
pub(super) fn read_confirm_above(
    root: &Section<'_>,
    context: &mut Context<'_>,
) -> BTreeMap<Name, i64> {
    let mut thresholds = BTreeMap::new();
    let node = root.optional("confirm_above");
    let Some(section) = node.and_then(|node| node.table(&mut context.report)) else {
        return thresholds;
    };
    for (id, place, node) in section.entries() {
        let asset = context.asset(id, &place);
        let Some(threshold) = node.section(&["amount", "env"], &mut context.report) else {
            continue;
        };
        let bounds = Bounds {
            minimum: 0,
            quantity_max: Some(1),
        };
        if let Some(amount) = amount::read(&threshold, asset.as_ref(), bounds, context) {
            thresholds.insert(id.into(), amount);
        }
    }
    thresholds
}
