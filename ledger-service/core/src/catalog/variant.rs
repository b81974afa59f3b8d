//! The `attributes` and `variants` of an operation.

use std::collections::{BTreeMap, BTreeSet};

use super::context::Context;
use super::limits::{ATTRIBUTES_MAX, COMBINATIONS_MAX, VALUES_MAX, VARIANTS_MAX};
use super::model::{Attribute, Price, Variant};
use super::reader::{Node, Section};
use super::report::{Place, Report};
use super::shape::{IDENTIFIER, VALUE};
use crate::name::Name;

/// What a call may say about an operation, by attribute.
type Attributes = BTreeMap<Name, Attribute>;

/// Reads what a call may or must say. Nothing if some of it is wrong, so that
/// variants are not held against it.
pub(super) fn read_attributes(operation: &Section<'_>, report: &mut Report) -> Option<Attributes> {
    let problems = report.len();
    let mut attributes = Attributes::new();
    let Some(node) = operation.optional("attributes") else {
        return Some(attributes);
    };
    let section = node.table(report)?;
    if section.len() > ATTRIBUTES_MAX {
        let message = format!("must have {ATTRIBUTES_MAX} attributes or less");
        report.add(&section.place, message);
    }
    for (name, place, node) in section.entries() {
        report.shape(name, &IDENTIFIER, &place);
        if let Some(attribute) = read_attribute(&node, report) {
            attributes.insert(name.into(), attribute);
        }
    }
    let combinations = attributes.values().try_fold(1_usize, |product, attribute| {
        product.checked_mul(attribute.values.len())
    });
    if combinations.is_none_or(|combinations| combinations > COMBINATIONS_MAX) {
        let message = format!("must have {COMBINATIONS_MAX} combinations of values or less");
        report.add(&section.place, message);
    }
    (report.len() == problems).then_some(attributes)
}

fn read_attribute(node: &Node<'_>, report: &mut Report) -> Option<Attribute> {
    let section = node.section(&["values", "default"], report)?;
    let items = section
        .required("values", report)
        .and_then(|node| node.items(&(1..=VALUES_MAX), report))?;
    let mut values = BTreeSet::new();
    for item in &items {
        if let Some(value) = item.shaped(&VALUE, report)
            && !values.insert(Name::from(value))
        {
            report.add(&item.place, "given twice");
        }
    }
    let default = section.optional("default").and_then(|node| {
        let value = node.string(report)?;
        if values.contains(value) {
            return Some(value.into());
        }
        let known = values.iter().map(|known| known.as_str());
        report.unknown(&node.place, "is not one of the values", value, known);
        None
    });
    Some(Attribute { values, default })
}

/// Reads what certain combinations cost; nothing if some of it is wrong.
/// `read_prices` reads the prices of one.
pub(super) fn read_variants<'a>(
    operation: &Section<'a>,
    attributes: Option<&Attributes>,
    context: &mut Context<'_>,
    read_prices: impl Fn(&Section<'a>, &mut Context<'_>) -> Vec<Price>,
) -> Option<Vec<Variant>> {
    let problems = context.report.len();
    let items = operation
        .optional("variants")
        .and_then(|node| node.items(&(0..=VARIANTS_MAX), &mut context.report))
        .unwrap_or_default();
    let mut variants: Vec<(Place, Variant)> = Vec::with_capacity(items.len());
    for node in items {
        let known = ["when", "prices", "refused"];
        let Some(section) = node.section(&known, &mut context.report) else {
            continue;
        };
        let when = read_when(&section, attributes, &mut context.report);
        let prices = read_offer(&section, context, &read_prices);
        let Some(when) = when else { continue };
        let variant = Variant { when, prices };
        refuse_overlap(&node.place, &variant, &variants, &mut context.report);
        variants.push((node.place, variant));
    }
    let sound = attributes.is_some() && context.report.len() == problems;
    sound.then(|| variants.into_iter().map(|(_, variant)| variant).collect())
}

/// The prices, or nothing if the combination is refused.
fn read_offer<'a>(
    section: &Section<'a>,
    context: &mut Context<'_>,
    read_prices: impl Fn(&Section<'a>, &mut Context<'_>) -> Vec<Price>,
) -> Option<Vec<Price>> {
    let refused = section
        .optional("refused")
        .and_then(|node| node.boolean(&mut context.report))
        .unwrap_or(false);
    if !refused {
        return Some(read_prices(section, context));
    }
    if let Some(node) = section.optional("prices") {
        let message = "a combination that is refused has no prices";
        context.report.add(&node.place, message);
    }
    None
}

/// Reads what a variant fits; nothing if some of it is wrong, or if what it may
/// name is.
fn read_when(
    section: &Section<'_>,
    attributes: Option<&Attributes>,
    report: &mut Report,
) -> Option<BTreeMap<Name, BTreeSet<Name>>> {
    let table = section
        .required("when", report)
        .and_then(|node| node.table(report))?;
    let attributes = attributes?;
    let problems = report.len();
    let mut when = BTreeMap::new();
    for (name, place, node) in table.entries() {
        let Some(attribute) = attributes.get(name) else {
            let known = attributes.keys().map(|known| known.as_str());
            report.unknown(&place, "no such attribute", name, known);
            continue;
        };
        let one_or_many = match node.array_items() {
            Some(items) => {
                if items.is_empty() {
                    report.add(&node.place, "must have a value");
                }
                items
            }
            None => vec![node],
        };
        let mut values = BTreeSet::new();
        for node in one_or_many {
            let Some(value) = node.string(report) else {
                continue;
            };
            if !attribute.values.contains(value) {
                let known = attribute.values.iter().map(|known| known.as_str());
                report.unknown(&node.place, "is not one of the values", value, known);
            } else if !values.insert(value.into()) {
                report.add(&node.place, "given twice");
            }
        }
        when.insert(name.into(), values);
    }
    if table.len() == 0 {
        report.add(&table.place, "must name an attribute");
    }
    (report.len() == problems).then_some(when)
}

/// Two prices for one combination would leave open which of them holds.
fn refuse_overlap(
    place: &Place,
    variant: &Variant,
    before: &[(Place, Variant)],
    report: &mut Report,
) {
    let overlapping = before.iter().position(|(_, other)| {
        variant.prices.is_some() && other.prices.is_some() && overlaps(variant, other)
    });
    if let Some(index) = overlapping {
        let message = format!("fits a combination that variants[{index}] has a price for");
        report.add(place, message);
    }
}

/// Whether there is a combination that both fit.
fn overlaps(one: &Variant, other: &Variant) -> bool {
    one.when.iter().all(|(attribute, values)| {
        let others = other.when.get(attribute);
        others.is_none_or(|others| !values.is_disjoint(others))
    })
}

/// Without prices of the operation itself, every combination needs a variant.
pub(super) fn check_covered(
    place: &Place,
    attributes: &Attributes,
    variants: &[Variant],
    report: &mut Report,
) {
    let mut combinations: Vec<BTreeMap<Name, Name>> = vec![BTreeMap::new()];
    for (name, attribute) in attributes {
        combinations = combinations
            .iter()
            .flat_map(|combination| {
                attribute.values.iter().map(|value| {
                    let mut longer = combination.clone();
                    longer.insert(name.clone(), value.clone());
                    longer
                })
            })
            .take(COMBINATIONS_MAX)
            .collect();
    }
    let uncovered = combinations
        .iter()
        .find(|combination| !variants.iter().any(|variant| variant.fits(combination)));
    if let Some(combination) = uncovered {
        let said: Vec<String> = combination
            .iter()
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        let message = format!("has no price for {}", said.join(", "));
        report.add(place, message);
    }
}
