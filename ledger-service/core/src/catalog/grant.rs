//! Grants: the `[[grants_on_opening]]` blocks and the `grants` of operations.

use std::collections::BTreeSet;

use crate::account::Funding;

use super::amount::{self, Bounds};
use super::context::Context;
use super::duration::SECOND_US;
use super::limits::{DURATION_US_MAX, GRANTS_MAX, OPERATIONS_MAX, PRIORITY_MAX};
use super::map;
use super::model::{Asset, AssetKind, Grant};
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

/// Reads a list of grants.
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
    let (id, asset) = read_asset(section, context);
    let amount = read_amount(section, asset.as_ref(), manner, context);
    let grant = Grant {
        amount: amount.unwrap_or_default(),
        ..read_lot(section, id, asset.as_ref(), manner, context)
    };
    (grant.amount > 0).then_some(grant)
}

/// Reads a grant whose amount is found out when it is given; here it is 0.
pub(super) fn read_without_amount(
    section: &Section<'_>,
    manner: Manner<'_>,
    context: &mut Context<'_>,
) -> Grant {
    let (id, asset) = read_asset(section, context);
    read_lot(section, id, asset.as_ref(), manner, context)
}

/// The asset and what it is, as far as they are known.
fn read_asset(section: &Section<'_>, context: &mut Context<'_>) -> (Name, Option<Asset>) {
    section
        .required("asset", &mut context.report)
        .and_then(|node| context.asset_of(&node))
        .unwrap_or_default()
}

fn read_amount(
    section: &Section<'_>,
    asset: Option<&Asset>,
    manner: Manner<'_>,
    context: &mut Context<'_>,
) -> Option<i64> {
    if asset.is_some_and(|asset| !map::is_counted(asset.kind)) {
        return read_single(section, &mut context.report);
    }
    let bounds = Bounds {
        minimum: 1,
        quantity_max: manner.quantity_max,
    };
    amount::read(section, asset, bounds, context)
}

/// Reads all but the amount.
fn read_lot(
    section: &Section<'_>,
    id: Name,
    asset: Option<&Asset>,
    manner: Manner<'_>,
    context: &mut Context<'_>,
) -> Grant {
    let kind = asset.map(|asset| asset.kind);
    let expires_after_us = read_expires_after(section, &mut context.report);
    let ends = section.optional("expires_after").is_some() || manner.ends_by_itself;
    if kind == Some(AssetKind::Pass) && !ends {
        let message = "is required for a pass";
        section.missing("expires_after", message, &mut context.report);
    }
    if kind == Some(AssetKind::Badge)
        && let Some(node) = section.optional("scope")
    {
        let message = "a badge pays for nothing, so it has no scope";
        context.advise_against(&node.place, message);
    }
    Grant {
        asset: id,
        amount: 0,
        source: read_source(section, manner.source, &mut context.report),
        priority: read_priority(section, &mut context.report),
        expires_after_us,
        scope: read_scope(section, context),
        funding: Funding::Granted,
    }
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
