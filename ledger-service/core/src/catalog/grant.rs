//! Grants: the `[[grants_on_opening]]` blocks and the `grants` of operations.

use std::collections::BTreeSet;

use crate::account::Funding;

use super::amount::{self, Bounds};
use super::context::Context;
use super::duration::SECOND_US;
use super::limits::{DURATION_US_MAX, GRANTS_MAX, OPERATIONS_MAX, PRIORITY_MAX};
use super::model::{AssetKind, Grant};
use super::reader::{Node, Section};
use super::report::Report;
use super::shape::SOURCE;
use crate::name::Name;

const KEYS: [&str; 7] = [
    "asset",
    "amount",
    "env",
    "source",
    "priority",
    "expires_after",
    "scope",
];

/// Reads the grants on opening; each is given once.
pub(super) fn read_on_opening(root: &Section<'_>, context: &mut Context<'_>) -> Vec<Grant> {
    let node = root.optional("grants_on_opening");
    let manner = Manner {
        source: "WELCOME",
        quantity_max: Some(1),
        ends_by_itself: false,
    };
    node.map(|node| read_list(&node, manner, context))
        .unwrap_or_default()
}

/// Reads the grants of one operation; each is given per unit of quantity.
pub(super) fn read_of_operation(
    operation: &Section<'_>,
    quantity_max: Option<i64>,
    context: &mut Context<'_>,
) -> Vec<Grant> {
    let node = operation.optional("grants");
    let manner = Manner {
        source: "OPERATION",
        quantity_max,
        ends_by_itself: false,
    };
    node.map(|node| read_list(&node, manner, context))
        .unwrap_or_default()
}

/// How a grant comes about.
#[derive(Clone, Copy)]
pub(super) struct Manner<'s> {
    /// The source of its lot, if it does not say.
    pub(super) source: &'s str,
    /// How many times it may be given at once; unknown if what says it is wrong.
    pub(super) quantity_max: Option<i64>,
    /// Something else ends it, so a pass needs no end of its own.
    pub(super) ends_by_itself: bool,
}

/// The keys of a grant, and `more`.
pub(super) fn keys_and(more: &[&'static str]) -> Vec<&'static str> {
    KEYS.iter().chain(more).copied().collect()
}

pub(super) fn read_list(
    node: &Node<'_>,
    manner: Manner<'_>,
    context: &mut Context<'_>,
) -> Vec<Grant> {
    let items = node
        .items(&(0..=GRANTS_MAX), &mut context.report)
        .unwrap_or_default();
    items
        .iter()
        .filter_map(|node| {
            let section = node.section(&KEYS, &mut context.report)?;
            read(&section, manner, context)
        })
        .collect()
}

/// Reads a grant; there is none if a variable says 0.
pub(super) fn read(
    section: &Section<'_>,
    manner: Manner<'_>,
    context: &mut Context<'_>,
) -> Option<Grant> {
    let asset = section
        .required("asset", &mut context.report)
        .and_then(|node| context.asset_of(&node));
    let known = asset.as_ref().and_then(|(_, asset)| asset.as_ref());
    let kind = known.map(|asset| asset.kind);
    let amount = if matches!(kind, Some(AssetKind::Pass | AssetKind::Badge)) {
        read_single(section, &mut context.report)
    } else {
        let bounds = Bounds {
            minimum: 1,
            quantity_max: manner.quantity_max,
        };
        amount::read(section, known, bounds, context)
    };
    let expires_after_us = read_expires_after(section, &mut context.report);
    if kind == Some(AssetKind::Pass) && expires_after_us.is_none() && !manner.ends_by_itself {
        section.missing(
            "expires_after",
            "is required for a pass",
            &mut context.report,
        );
    }
    let grant = Grant {
        asset: asset.map(|(id, _)| id).unwrap_or_default(),
        amount: amount.unwrap_or_default(),
        source: read_source(section, manner.source, &mut context.report),
        priority: read_priority(section, &mut context.report),
        expires_after_us,
        scope: read_scope(section, context),
        funding: Funding::Granted,
    };
    (grant.amount > 0).then_some(grant)
}

/// There is one of a pass or a badge, said or not.
fn read_single(section: &Section<'_>, report: &mut Report) -> Option<i64> {
    if let Some(node) = section.optional("env") {
        report.add(&node.place, "a pass or a badge is always 1");
    }
    match section.optional("amount") {
        Some(node) => node.integer(&(1..=1), report),
        None => Some(1),
    }
}

fn read_source(section: &Section<'_>, default: &str, report: &mut Report) -> Name {
    let node = section.optional("source");
    node.and_then(|node| node.shaped(&SOURCE, report))
        .map_or_else(|| default.into(), Name::from)
}

fn read_priority(section: &Section<'_>, report: &mut Report) -> i32 {
    let range = i64::from(-PRIORITY_MAX)..=i64::from(PRIORITY_MAX);
    let priority = section
        .optional("priority")
        .and_then(|node| node.integer(&range, report));
    priority
        .and_then(|priority| i32::try_from(priority).ok())
        .unwrap_or(0)
}

fn read_expires_after(section: &Section<'_>, report: &mut Report) -> Option<i64> {
    section
        .optional("expires_after")?
        .duration(&(SECOND_US..=DURATION_US_MAX), report)
}

/// An empty scope is refused: it reads like "for nothing" and would mean "for
/// everything".
fn read_scope(section: &Section<'_>, context: &mut Context<'_>) -> BTreeSet<Name> {
    let node = section.optional("scope");
    let items = node
        .and_then(|node| node.items(&(1..=OPERATIONS_MAX), &mut context.report))
        .unwrap_or_default();
    context.unique(&items, Context::operation)
}
