//! The `[operations.ID]` blocks.

use std::collections::{BTreeMap, BTreeSet};

use super::amount::{self, Bounds};
use super::context::Context;
use super::duration::SECOND_US;
use super::grant;
use super::limits::{
    HOLD_US_DEFAULT, HOLD_US_MAX, OPERATIONS_MAX, PRICES_MAX, QUANTITY_MAX, QUANTITY_MAX_DEFAULT,
};
use super::model::{Operation, OverrunPolicy, Price};
use super::reader::{Node, Section};
use super::report::Report;
use super::shape::IDENTIFIER;
use crate::name::Name;

const KEYS: [&str; 4] = ["prices", "quantity_max", "grants", "hold"];

const OVERRUNS: [(&str, OverrunPolicy); 3] = [
    ("REJECT", OverrunPolicy::Reject),
    ("CAP", OverrunPolicy::Cap),
    ("OVERDRAW_AVAILABLE", OverrunPolicy::OverdrawAvailable),
];

/// Finds the operations and makes their ids known, before anything refers to
/// them.
pub(super) fn entries<'a>(
    root: &Section<'a>,
    context: &mut Context<'_>,
) -> Vec<(&'a str, Node<'a>)> {
    let report = &mut context.report;
    let Some(operations) = root
        .optional("operations")
        .and_then(|node| node.table(report))
    else {
        return Vec::new();
    };
    if operations.len() > OPERATIONS_MAX {
        report.add(
            &operations.place,
            format!("must have {OPERATIONS_MAX} operations or less"),
        );
    }
    let mut entries = Vec::with_capacity(operations.len());
    for (id, place, node) in operations.entries() {
        report.shape(id, &IDENTIFIER, &place);
        context.operations.insert(id.to_owned());
        entries.push((id, node));
    }
    entries
}

/// Reads the operations.
pub(super) fn read_all(
    entries: Vec<(&str, Node<'_>)>,
    context: &mut Context<'_>,
) -> BTreeMap<String, Operation> {
    let read = |(id, node): (&str, Node<'_>)| Some((id.to_owned(), read(&node, context)?));
    entries.into_iter().filter_map(read).collect()
}

fn read(node: &Node<'_>, context: &mut Context<'_>) -> Option<Operation> {
    let section = node.section(&KEYS, &mut context.report)?;
    let quantity_max = read_quantity_max(&section, &mut context.report);
    let (hold_duration_us, overrun) = read_hold(&section, &mut context.report);
    Some(Operation {
        title: None,
        attributes: BTreeMap::new(),
        variants: Vec::new(),
        prices: read_prices(&section, quantity_max, context),
        quantity_max: quantity_max.unwrap_or_default(),
        grants: grant::read_of_operation(&section, quantity_max, context),
        hold_duration_us,
        overrun,
    })
}

/// Nothing if what is given is wrong.
fn read_quantity_max(section: &Section<'_>, report: &mut Report) -> Option<i64> {
    match section.optional("quantity_max") {
        Some(node) => node.integer(&(1..=QUANTITY_MAX), report),
        None => Some(QUANTITY_MAX_DEFAULT),
    }
}

fn read_prices(
    section: &Section<'_>,
    quantity_max: Option<i64>,
    context: &mut Context<'_>,
) -> Vec<Price> {
    let node = section.required("prices", &mut context.report);
    let items = node
        .and_then(|node| node.items(&(1..=PRICES_MAX), &mut context.report))
        .unwrap_or_default();
    let mut priced = BTreeSet::new();
    items
        .iter()
        .filter_map(|node| read_price(node, quantity_max, &mut priced, context))
        .collect()
}

fn read_price(
    node: &Node<'_>,
    quantity_max: Option<i64>,
    priced: &mut BTreeSet<Name>,
    context: &mut Context<'_>,
) -> Option<Price> {
    let section = node.section(&["asset", "amount", "env"], &mut context.report)?;
    let asset_node = section.required("asset", &mut context.report);
    let asset = asset_node.as_ref().and_then(|node| context.asset_of(node));
    let known = asset.as_ref().and_then(|(_, asset)| asset.as_ref());
    let amount = amount::read(
        &section,
        known,
        Bounds {
            minimum: 0,
            quantity_max,
        },
        context,
    );
    let (asset, _) = asset?;
    if let Some(node) = asset_node.filter(|_| !priced.insert(asset.clone())) {
        context.report.add(
            &node.place,
            "priced twice; each asset may be one alternative",
        );
    }
    Some(Price {
        asset,
        amount: amount?,
        origins: BTreeSet::new(),
    })
}

fn read_hold(operation: &Section<'_>, report: &mut Report) -> (i64, OverrunPolicy) {
    let hold = operation
        .optional("hold")
        .and_then(|node| node.section(&["duration", "overrun"], report));
    let get = |key| hold.as_ref().and_then(|hold| hold.optional(key));
    let duration_us =
        get("duration").and_then(|node| node.duration(&(SECOND_US..=HOLD_US_MAX), report));
    let overrun = get("overrun").and_then(|node| node.choice(&OVERRUNS, report));
    (
        duration_us.unwrap_or(HOLD_US_DEFAULT),
        overrun.unwrap_or_default(),
    )
}
