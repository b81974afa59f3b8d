//! The `[operations.ID]` blocks.

use std::collections::BTreeMap;

use super::amount::{self, Bounds};
use super::context::Context;
use super::duration::SECOND_US;
use super::grant;
use super::limits::{
    HOLD_US_DEFAULT, HOLD_US_MAX, LABEL_CHARS_MAX, OPERATIONS_MAX, PRICES_MAX, QUANTITY_MAX,
    QUANTITY_MAX_DEFAULT,
};
use super::model::{AssetKind, Operation, OverrunPolicy, Price, Variant};
use super::origin;
use super::reader::{Node, Section};
use super::report::Report;
use super::shape::IDENTIFIER;
use super::{text, variant};

const KEYS: [&str; 7] = [
    "title",
    "attributes",
    "variants",
    "prices",
    "quantity_max",
    "grants",
    "hold",
];

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
    let attributes = variant::read_attributes(&section, &mut context.report);
    let read_prices = |section: &Section<'_>, context: &mut Context<'_>| {
        read_prices(section, quantity_max, context)
    };
    let variants = variant::read_variants(&section, attributes.as_ref(), context, read_prices);
    let prices = if may_lack_prices(&section, variants.as_deref()) {
        if let (Some(attributes), Some(variants)) = (&attributes, &variants) {
            variant::check_covered(&section.place, attributes, variants, &mut context.report);
        }
        Vec::new()
    } else {
        read_prices(&section, context)
    };
    Some(Operation {
        title: text::optional(&section, "title", LABEL_CHARS_MAX, &mut context.report),
        attributes: attributes.unwrap_or_default(),
        variants: variants.unwrap_or_default(),
        prices,
        quantity_max: quantity_max.unwrap_or_default(),
        grants: grant::read_of_operation(&section, quantity_max, context),
        hold_duration_us,
        overrun,
    })
}

/// Whether variants may make up for prices that are not given; those that are
/// wrong may, once they are mended.
fn may_lack_prices(section: &Section<'_>, variants: Option<&[Variant]>) -> bool {
    section.optional("prices").is_none()
        && section.optional("variants").is_some()
        && variants.is_none_or(|variants| !variants.is_empty())
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
    let mut prices: Vec<Price> = Vec::with_capacity(items.len());
    let mut free: Vec<Price> = Vec::new();
    for node in &items {
        let Some(price) = read_price(node, quantity_max, context) else {
            continue;
        };
        refuse_second(node, &price, &prices, &mut context.report);
        check_reached(node, &price, &free, context);
        if is_free(node, &price, context) {
            free.push(price.clone());
        }
        prices.push(price);
    }
    prices
}

/// An asset may be one alternative for each origin.
fn refuse_second(node: &Node<'_>, price: &Price, before: &[Price], report: &mut Report) {
    let meet = |other: &Price| {
        other.origins.is_empty()
            || price.origins.is_empty()
            || !other.origins.is_disjoint(&price.origins)
    };
    let is_second = before
        .iter()
        .any(|other| other.asset == price.asset && meet(other));
    if is_second && let Some(asset) = node.table(report).and_then(|table| table.optional("asset")) {
        let message = "priced twice; each asset may be one alternative";
        report.add(&asset.place, message);
    }
}

/// Whether everybody can pay it, as it is written. One that a variable may
/// replace is not: what the environment says makes no catalog wrong.
fn is_free(node: &Node<'_>, price: &Price, context: &mut Context<'_>) -> bool {
    let asset = context.assets.get(price.asset.as_str());
    let is_pass = asset
        .and_then(Option::as_ref)
        .is_none_or(|asset| asset.kind == AssetKind::Pass);
    let may_be_replaced = node
        .table(&mut context.report)
        .is_some_and(|table| table.optional("env").is_some());
    price.amount == 0 && !is_pass && !may_be_replaced
}

/// An alternative after one that everybody can pay is never taken.
fn check_reached(node: &Node<'_>, price: &Price, free: &[Price], context: &mut Context<'_>) {
    let covers = |other: &Price| {
        other.origins.is_empty()
            || (!price.origins.is_empty() && price.origins.is_subset(&other.origins))
    };
    if free.iter().any(covers) {
        let message = "is never reached: an alternative before it costs nothing";
        context.advise_against(&node.place, message);
    }
}

fn read_price(
    node: &Node<'_>,
    quantity_max: Option<i64>,
    context: &mut Context<'_>,
) -> Option<Price> {
    let known_keys = ["asset", "amount", "env", "origins"];
    let section = node.section(&known_keys, &mut context.report)?;
    let asset_node = section.required("asset", &mut context.report);
    let asset = asset_node.as_ref().and_then(|node| context.asset_of(node));
    let known = asset.as_ref().and_then(|(_, asset)| asset.as_ref());
    let kind = known.map(|asset| asset.kind);
    let amount = if kind == Some(AssetKind::Pass) {
        read_pass(&section, &mut context.report)
    } else {
        let bounds = Bounds {
            minimum: 0,
            quantity_max,
        };
        amount::read(&section, known, bounds, context)
    };
    if let Some(node) = asset_node.filter(|_| kind == Some(AssetKind::Badge)) {
        context.report.add(&node.place, "a badge pays for nothing");
    }
    let origins = origin::read(&section, context);
    let (asset, _) = asset?;
    Some(Price {
        asset,
        amount: amount?,
        origins,
    })
}

/// A pass has no amount: it has to be active.
fn read_pass(section: &Section<'_>, report: &mut Report) -> Option<i64> {
    if let Some(node) = section.optional("env") {
        report.add(&node.place, "a pass has no amount to replace");
    }
    match section.optional("amount") {
        Some(node) => node.integer(&(0..=0), report),
        None => Some(0),
    }
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
