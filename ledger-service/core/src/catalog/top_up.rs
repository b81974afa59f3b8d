//! The `[top_up.ASSET]` blocks.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::context::Context;
use super::limits::{
    AMOUNT_MAX, PRESETS_MAX, RECEIPT_CHARS_MAX, TOP_UP_MAXIMUM_WHOLE, TOP_UP_MINIMUM_WHOLE,
};
use super::model::{Asset, AssetKind, TopUp};
use super::reader::{Node, Section};
use super::report::{Place, Report};
use super::{rate, text};

const KEYS: [&str; 5] = ["presets", "minimum", "maximum", "rate", "receipt"];

/// Reads the limits of every asset that may be topped up.
pub(super) fn read_all(root: &Section<'_>, context: &mut Context<'_>) -> BTreeMap<String, TopUp> {
    let node = root.optional("top_up");
    let Some(section) = node.and_then(|node| node.table(&mut context.report)) else {
        return BTreeMap::new();
    };
    let mut top_ups = BTreeMap::new();
    for (id, place, node) in section.entries() {
        let asset = find_money(id, &place, context);
        if let Some(top_up) = read(&node, asset.as_ref(), context) {
            top_ups.insert(id.to_owned(), top_up);
        }
    }
    top_ups
}

/// The money that is topped up; it is a problem if there is none or it is none.
fn find_money(id: &str, place: &Place, context: &mut Context<'_>) -> Option<Asset> {
    let asset = context.asset(id, place)?;
    if asset.kind != AssetKind::Money {
        context.report.add(place, "must be an asset of kind money");
    }
    Some(asset)
}

/// Reads one block. An unknown asset leaves what hangs on the defaults unsaid.
fn read(node: &Node<'_>, asset: Option<&Asset>, context: &mut Context<'_>) -> Option<TopUp> {
    let section = node.section(&KEYS, &mut context.report)?;
    let rate = rate::optional(&section, context);
    let report = &mut context.report;
    let minimum = read_bound(&section, "minimum", TOP_UP_MINIMUM_WHOLE, asset, report);
    let maximum = read_bound(&section, "maximum", TOP_UP_MAXIMUM_WHOLE, asset, report);
    let range = minimum.unwrap_or(1)..=maximum.unwrap_or(AMOUNT_MAX);
    if range.is_empty() {
        refuse_crossed(&section, &range, report);
    }
    // Against bounds that are wrong together, every preset would be wrong too.
    let range = if range.is_empty() {
        1..=AMOUNT_MAX
    } else {
        range
    };
    rate::check(&section, rate.as_ref(), maximum, report);
    let step = rate.as_ref().map(|rate| rate.pay);
    let presets = read_presets(&section, &range, step, report);
    Some(TopUp {
        presets,
        minimum: minimum?,
        maximum: maximum?,
        rate,
        receipt: text::optional(&section, "receipt", RECEIPT_CHARS_MAX, report),
    })
}

/// Points at the bound that is given; at the maximum, if both are.
fn refuse_crossed(section: &Section<'_>, range: &RangeInclusive<i64>, report: &mut Report) {
    let given = section
        .optional("maximum")
        .or_else(|| section.optional("minimum"));
    let place = given.map_or_else(|| section.place.clone(), |node| node.place);
    report.add(
        &place,
        format!(
            "the minimum ({}) is above the maximum ({})",
            range.start(),
            range.end()
        ),
    );
}

/// A bound in minor units, by default so many whole ones. Nothing if it is
/// wrong, or if the default is not known.
fn read_bound(
    section: &Section<'_>,
    key: &str,
    default_whole: i64,
    asset: Option<&Asset>,
    report: &mut Report,
) -> Option<i64> {
    match section.optional(key) {
        Some(node) => node.amount(&(1..=AMOUNT_MAX), report),
        None => 10_i64
            .checked_pow(u32::from(asset?.exponent))?
            .checked_mul(default_whole),
    }
}

/// Of a rate, `step` is what it takes at once: what is left over would be paid
/// for nothing.
fn read_presets(
    section: &Section<'_>,
    range: &RangeInclusive<i64>,
    step: Option<i64>,
    report: &mut Report,
) -> Vec<i64> {
    let node = section.optional("presets");
    let items = node
        .and_then(|node| node.items(&(0..=PRESETS_MAX), report))
        .unwrap_or_default();
    let mut presets = Vec::with_capacity(items.len());
    for node in items {
        let Some(preset) = node.amount(range, report) else {
            continue;
        };
        if presets.last().is_some_and(|last| *last >= preset) {
            report.add(&node.place, "must be more than the preset before it");
        }
        if let Some(step) = step
            && preset.checked_rem(step) != Some(0)
        {
            let message = format!("must be a multiple of {step}, what the rate takes");
            report.add(&node.place, message);
        }
        presets.push(preset);
    }
    presets
}
