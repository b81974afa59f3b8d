//! The `[packages.ID]` blocks.

use std::collections::BTreeMap;

use super::context::Context;
use super::currency;
use super::grant::{self, Manner};
use super::limits::{
    AMOUNT_MAX, DESCRIPTION_CHARS_MAX, GRANTS_MAX, PACKAGES_MAX, RECEIPT_CHARS_MAX,
    TITLE_CHARS_MAX, WEIGHT_MAX,
};
use super::model::{AssetKind, Content, Grant, Offer, Package};
use super::reader::{Node, Section};
use super::report::Report;
use super::shape::{CURRENCY, IDENTIFIER};
use super::{origin, text};
use crate::account::Funding;
use crate::name::Name;

const KEYS: [&str; 11] = [
    "title",
    "description",
    "receipt",
    "prices",
    "order",
    "visible",
    "badge",
    "origins",
    "contents",
    "bonuses",
    "per_account",
];

/// Reads what can be bought.
pub(super) fn read_all(root: &Section<'_>, context: &mut Context<'_>) -> BTreeMap<String, Package> {
    let mut packages = BTreeMap::new();
    let node = root.optional("packages");
    let Some(section) = node.and_then(|node| node.table(&mut context.report)) else {
        return packages;
    };
    if section.len() > PACKAGES_MAX {
        let message = format!("must have {PACKAGES_MAX} packages or less");
        context.report.add(&section.place, message);
    }
    for (id, place, node) in section.entries() {
        context.report.shape(id, &IDENTIFIER, &place);
        if let Some(package) = read(&node, context) {
            packages.insert(id.to_owned(), package);
        }
    }
    packages
}

fn read(node: &Node<'_>, context: &mut Context<'_>) -> Option<Package> {
    let section = node.section(&KEYS, &mut context.report)?;
    let offer = read_offer(&section, context);
    let contents = read_contents(&section, context);
    let bonuses = read_bonuses(&section, context);
    let per_account = section
        .optional("per_account")
        .and_then(|node| node.integer(&(1..=AMOUNT_MAX), &mut context.report));
    Some(Package {
        offer: offer?,
        contents,
        bonuses,
        per_account,
    })
}

/// Reads how something is sold.
fn read_offer(section: &Section<'_>, context: &mut Context<'_>) -> Option<Offer> {
    let report = &mut context.report;
    let title = text::required(section, "title", TITLE_CHARS_MAX, report);
    let description = text::required(section, "description", DESCRIPTION_CHARS_MAX, report);
    let receipt = text::optional(section, "receipt", RECEIPT_CHARS_MAX, report);
    let prices = read_prices(section, report);
    let order = section
        .optional("order")
        .and_then(|node| node.integer(&(0..=AMOUNT_MAX), report));
    let visible = section
        .optional("visible")
        .and_then(|node| node.boolean(report));
    let badge = section
        .optional("badge")
        .and_then(|node| node.shaped(&IDENTIFIER, report));
    Some(Offer {
        title: title?,
        description: description?,
        receipt,
        prices,
        order: order.unwrap_or(0),
        visible: visible.unwrap_or(true),
        badge,
        origins: origin::read(section, context),
    })
}

/// What it costs in each currency. A currency need not be an asset: who pays in
/// Stars gets credits all the same.
fn read_prices(section: &Section<'_>, report: &mut Report) -> BTreeMap<Name, i64> {
    let mut prices = BTreeMap::new();
    let node = section.required("prices", report);
    let Some(table) = node.and_then(|node| node.table(report)) else {
        return prices;
    };
    for (code, place, node) in table.entries() {
        if report.shape(code, &CURRENCY, &place) && currency::exponent(code).is_none() {
            report.add(&place, "is no currency that is known");
        }
        if let Some(price) = node.amount(&(1..=AMOUNT_MAX), report) {
            prices.insert(code.into(), price);
        }
    }
    if table.len() == 0 {
        report.add(&table.place, "must have a price");
    }
    prices
}

/// What the money buys. Of several parts each has to say its weight: how the
/// price is divided decides what a refund takes back.
fn read_contents(section: &Section<'_>, context: &mut Context<'_>) -> Vec<Content> {
    let node = section.required("contents", &mut context.report);
    let items = node
        .and_then(|node| node.items(&(1..=GRANTS_MAX), &mut context.report))
        .unwrap_or_default();
    let several = items.len() > 1;
    let keys = grant::keys_and(&["weight"]);
    let mut contents = Vec::with_capacity(items.len());
    for item in items {
        let Some(section) = item.section(&keys, &mut context.report) else {
            continue;
        };
        if several && section.optional("weight").is_none() {
            let message = "is required of each of several parts";
            section.missing("weight", message, &mut context.report);
        }
        let weight = section
            .optional("weight")
            .and_then(|node| node.integer(&(1..=WEIGHT_MAX), &mut context.report));
        let manner = Manner {
            source: "PURCHASE",
            quantity_max: Some(1),
            ends_by_itself: false,
        };
        let Some(mut grant) = grant::read(&section, manner, context) else {
            continue;
        };
        grant.funding = Funding::Purchased;
        refuse_badge(&section, &grant, context);
        contents.push(Content {
            grant,
            weight: weight.unwrap_or(1),
        });
    }
    contents
}

fn refuse_badge(section: &Section<'_>, grant: &Grant, context: &mut Context<'_>) {
    let asset = context.assets.get(grant.asset.as_str());
    let kind = asset.and_then(|asset| asset.as_ref().map(|asset| asset.kind));
    if kind == Some(AssetKind::Badge) {
        context
            .report
            .add(&section.place, "a badge is earned, not bought");
    }
}

fn read_bonuses(section: &Section<'_>, context: &mut Context<'_>) -> Vec<Grant> {
    let manner = Manner {
        source: "BONUS",
        quantity_max: Some(1),
        ends_by_itself: false,
    };
    section
        .optional("bonuses")
        .map(|node| grant::read_list(&node, manner, context))
        .unwrap_or_default()
}
