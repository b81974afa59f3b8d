//! Amounts by asset and by currency, such as `{ RUB = 14900, XTR = 75 }`.

use std::collections::BTreeMap;

use super::context::Context;
use super::currency;
use super::limits::AMOUNT_MAX;
use super::model::AssetKind;
use super::reader::Section;
use super::report::{Place, Report};
use super::shape::CURRENCY;
use crate::name::Name;

/// Whether an asset is one of which an account has more or less: a pass or a
/// badge it has or has not.
pub(super) fn is_counted(kind: AssetKind) -> bool {
    !matches!(kind, AssetKind::Pass | AssetKind::Badge)
}

/// Says so if what is named at a place is no asset, or one that is not counted;
/// gives whether it is one.
pub(super) fn counted(id: &str, place: &Place, context: &mut Context<'_>) -> bool {
    let problems = context.report.len();
    let kind = context.asset(id, place).map(|asset| asset.kind);
    if kind.is_some_and(|kind| !is_counted(kind)) {
        let message = "must be an asset of which there is more or less, not a pass or a badge";
        context.report.add(place, message);
    }
    context.report.len() == problems
}

/// Reads amounts of counted assets; none if the key is not given.
pub(super) fn by_asset(
    section: &Section<'_>,
    key: &str,
    context: &mut Context<'_>,
) -> BTreeMap<Name, i64> {
    read(section, key, context, |id, place, context| {
        counted(id, place, context);
        AMOUNT_MAX
    })
}

/// Reads the most of each asset that something may give: of a pass or a badge
/// that is 1. Nothing if the key is not given.
pub(super) fn most_by_asset(
    section: &Section<'_>,
    key: &str,
    context: &mut Context<'_>,
) -> BTreeMap<Name, i64> {
    read(section, key, context, |id, place, context| {
        let kind = context.asset(id, place).map(|asset| asset.kind);
        if kind.is_none_or(is_counted) {
            AMOUNT_MAX
        } else {
            1
        }
    })
}

/// Reads what something costs in each currency; at least one. A currency need
/// not be an asset: who pays in Stars gets credits all the same.
pub(super) fn prices(section: &Section<'_>, report: &mut Report) -> BTreeMap<Name, i64> {
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

/// Reads amounts by key; `amount_max` checks the key and bounds its amount.
fn read(
    section: &Section<'_>,
    key: &str,
    context: &mut Context<'_>,
    amount_max: impl Fn(&str, &Place, &mut Context<'_>) -> i64,
) -> BTreeMap<Name, i64> {
    let node = section.optional(key);
    let Some(table) = node.and_then(|node| node.table(&mut context.report)) else {
        return BTreeMap::new();
    };
    let mut amounts = BTreeMap::new();
    for (id, place, node) in table.entries() {
        let most = amount_max(id, &place, context);
        if let Some(amount) = node.amount(&(1..=most), &mut context.report) {
            amounts.insert(id.into(), amount);
        }
    }
    amounts
}
