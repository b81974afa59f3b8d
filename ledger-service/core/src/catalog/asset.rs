//! The `[assets.ID]` blocks.

use super::context::Context;
use super::currency;
use super::limits::{ASSETS_MAX, EXPONENT_MAX};
use super::model::{Asset, AssetKind};
use super::reader::{Node, Section};
use super::report::{Place, Report};
use super::shape::{ASSET, CURRENCY};

const KINDS: [(&str, AssetKind); 4] = [
    ("money", AssetKind::Money),
    ("credits", AssetKind::Credits),
    ("allowance", AssetKind::Allowance),
    ("points", AssetKind::Points),
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
    let section = node.section(&["kind", "exponent"], report)?;
    let kind = section
        .required("kind", report)
        .and_then(|node| node.choice(&KINDS, report));
    if kind == Some(AssetKind::Money) && (ASSET.fits)(id) {
        report.shape(id, &CURRENCY, place);
    }
    let exponent = match section.optional("exponent") {
        Some(node) => {
            let exponent = node.integer(&(0..=EXPONENT_MAX), report);
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
        title: None,
        levels: Vec::new(),
        fair_use: None,
    })
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
