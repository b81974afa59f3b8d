//! The `[assets.ID]` blocks.

use super::context::Context;
use super::limits::{ASSETS_MAX, EXPONENT_MAX};
use super::model::{Asset, AssetKind};
use super::reader::{Node, Section};
use super::report::Report;
use super::shape::ASSET;

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
        context.assets.insert(id.to_owned(), read(&node, report));
    }
}

fn read(node: &Node<'_>, report: &mut Report) -> Option<Asset> {
    let section = node.section(&["kind", "exponent"], report)?;
    let kind = section
        .required("kind", report)
        .and_then(|node| node.choice(&KINDS, report));
    let exponent = match section.optional("exponent") {
        Some(node) => node.integer(&(0..=EXPONENT_MAX), report),
        None if kind == Some(AssetKind::Money) => {
            section.missing("exponent", "is required for money", report);
            None
        }
        None => Some(0),
    };
    Some(Asset {
        kind: kind?,
        exponent: u8::try_from(exponent?).ok()?,
    })
}
