//! The `[assets.ID]` blocks.

use super::context::Context;
use super::currency;
use super::limits::{
    AMOUNT_MAX, ASSETS_MAX, EXPONENT_MAX, FAIR_USE_MAX, LABEL_CHARS_MAX, LEVELS_MAX,
};
use super::model::{Asset, AssetKind};
use super::reader::{Node, Section};
use super::report::{Place, Report};
use super::shape::{ASSET, CURRENCY};
use super::text;

const KINDS: [(&str, AssetKind); 6] = [
    ("money", AssetKind::Money),
    ("credits", AssetKind::Credits),
    ("allowance", AssetKind::Allowance),
    ("points", AssetKind::Points),
    ("pass", AssetKind::Pass),
    ("badge", AssetKind::Badge),
];

/// Reads every asset into the context.
pub(super) fn read_all(root: &Section<'_>, context: &mut Context<'_>) {
    let report = &mut context.report;
    let Some(assets) = root.optional("assets").and_then(|node| node.table(report)) else {
        return;
    };
    if assets.len() > ASSETS_MAX {
        report.add(
            &assets.place,
            format!("must have {ASSETS_MAX} assets or less"),
        );
    }
    for (id, place, node) in assets.entries() {
        report.shape(id, &ASSET, &place);
        let asset = read(id, &place, &node, report);
        context.assets.insert(id.to_owned(), asset);
    }
}

fn read(id: &str, place: &Place, node: &Node<'_>, report: &mut Report) -> Option<Asset> {
    let known = ["kind", "exponent", "title", "levels", "fair_use"];
    let section = node.section(&known, report)?;
    let kind = section
        .required("kind", report)
        .and_then(|node| node.choice(&KINDS, report));
    if kind == Some(AssetKind::Money) && (ASSET.fits)(id) {
        report.shape(id, &CURRENCY, place);
    }
    let exponent = match section.optional("exponent") {
        Some(node) => {
            let single = matches!(kind, Some(AssetKind::Pass | AssetKind::Badge));
            let exponent = node.integer(&(0..=if single { 0 } else { EXPONENT_MAX }), report);
            if kind == Some(AssetKind::Money) {
                check_decimals(id, exponent?, &node.place, report);
            }
            exponent
        }
        None if kind == Some(AssetKind::Money) => {
            section.missing("exponent", "is required for money", report);
            None
        }
        None => Some(0),
    };
    Some(Asset {
        kind: kind?,
        exponent: u8::try_from(exponent?).ok()?,
        title: text::optional(&section, "title", LABEL_CHARS_MAX, report),
        levels: read_levels(&section, kind, report),
        fair_use: read_fair_use(&section, kind, report),
    })
}

fn read_levels(section: &Section<'_>, kind: Option<AssetKind>, report: &mut Report) -> Vec<i64> {
    let Some(node) = section.optional("levels") else {
        return Vec::new();
    };
    if kind != Some(AssetKind::Points) {
        report.add(&node.place, "only points have levels");
    }
    let items = node.items(&(1..=LEVELS_MAX), report).unwrap_or_default();
    let mut levels: Vec<i64> = Vec::with_capacity(items.len());
    for item in items {
        let Some(threshold) = item.amount(&(0..=AMOUNT_MAX), report) else {
            continue;
        };
        match levels.last() {
            None if threshold != 0 => report.add(&item.place, "the first level begins at 0"),
            Some(last) if *last >= threshold => {
                report.add(&item.place, "must be more than the level before it");
            }
            _ => {}
        }
        levels.push(threshold);
    }
    levels
}

fn read_fair_use(
    section: &Section<'_>,
    kind: Option<AssetKind>,
    report: &mut Report,
) -> Option<i64> {
    let node = section.optional("fair_use")?;
    if kind != Some(AssetKind::Pass) {
        report.add(&node.place, "only a pass has a fair use");
    }
    node.integer(&(1..=FAIR_USE_MAX), report)
}

/// Payments of a currency come in its own minor units: a book that counted in
/// others would credit a hundred times too much.
fn check_decimals(currency: &str, exponent: i64, place: &Place, report: &mut Report) {
    if let Some(decimals) = currency::exponent(currency)
        && exponent != i64::from(decimals)
    {
        let message = format!("must be {decimals}: payments in {currency} come in such units");
        report.add(place, message);
    }
}
