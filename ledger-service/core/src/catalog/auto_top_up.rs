//! The `[auto_top_up.ASSET]` blocks.

use std::collections::BTreeMap;

use super::context::Context;
use super::limits::AMOUNT_MAX;
use super::map;
use super::model::{AutoTopUp, Package};
use super::reader::{Node, Section};
use super::report::Report;
use crate::name::Name;

/// The packages by id; nothing in place of one whose block is wrong.
type Packages = BTreeMap<String, Option<Package>>;

/// Reads what is bought when little is left of an asset.
pub(super) fn read_all(
    root: &Section<'_>,
    packages: &Packages,
    context: &mut Context<'_>,
) -> BTreeMap<Name, AutoTopUp> {
    let node = root.optional("auto_top_up");
    let Some(section) = node.and_then(|node| node.table(&mut context.report)) else {
        return BTreeMap::new();
    };
    let mut auto_top_ups = BTreeMap::new();
    for (id, place, node) in section.entries() {
        let asset = map::counted(id, &place, context).then_some(id);
        if let Some(auto_top_up) = read(asset, &node, packages, &mut context.report) {
            auto_top_ups.insert(id.into(), auto_top_up);
        }
    }
    auto_top_ups
}

/// Reads one block. An unknown asset leaves unsaid what hangs on it.
fn read(
    asset: Option<&str>,
    node: &Node<'_>,
    packages: &Packages,
    report: &mut Report,
) -> Option<AutoTopUp> {
    let section = node.section(&["threshold", "package", "monthly_cap"], report)?;
    let threshold = section
        .required("threshold", report)
        .and_then(|node| node.amount(&(1..=AMOUNT_MAX), report));
    let package = section
        .required("package", report)
        .and_then(|node| read_package(&node, asset, packages, report));
    let known = package.and_then(|id| packages.get(id)?.as_ref());
    let monthly_cap = read_monthly_cap(&section, known, report);
    Some(AutoTopUp {
        threshold: threshold?,
        package: package?.to_owned(),
        monthly_cap,
    })
}

/// The package, which has to give the asset: else the next decision would buy
/// it again.
fn read_package<'a>(
    node: &Node<'a>,
    asset: Option<&str>,
    packages: &Packages,
    report: &mut Report,
) -> Option<&'a str> {
    let id = node.string(report)?;
    let Some(package) = packages.get(id) else {
        let known = packages.keys().map(String::as_str);
        report.unknown(&node.place, "no such package", id, known);
        return None;
    };
    if let (Some(package), Some(asset)) = (package, asset)
        && package.grants().all(|grant| grant.asset != asset)
    {
        report.add(&node.place, format!("gives no {asset}"));
    }
    Some(id)
}

/// The most of each currency; at least one, and enough for the package once.
fn read_monthly_cap(
    section: &Section<'_>,
    package: Option<&Package>,
    report: &mut Report,
) -> BTreeMap<Name, i64> {
    let mut caps = BTreeMap::new();
    let node = section.required("monthly_cap", report);
    let Some(table) = node.and_then(|node| node.table(report)) else {
        return caps;
    };
    if table.len() == 0 {
        report.add(&table.place, "must have a currency");
    }
    for (currency, place, node) in table.entries() {
        let Some(cap) = node.amount(&(1..=AMOUNT_MAX), report) else {
            continue;
        };
        caps.insert(currency.into(), cap);
        let Some(prices) = package.map(|package| &package.offer.prices) else {
            continue;
        };
        match prices.get(currency) {
            None => {
                let known = prices.keys().map(Name::as_str);
                report.unknown(&place, "the package has no such price", currency, known);
            }
            Some(price) if cap < *price => {
                let message = format!("must be {price} or more, what the package costs");
                report.add(&node.place, message);
            }
            Some(_) => {}
        }
    }
    caps
}
