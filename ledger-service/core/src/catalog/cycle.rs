//! Operations that give what pays for them: a source of money that never ends.

use std::collections::{BTreeMap, BTreeSet};

use super::context::Context;
use super::model::Operation;
use super::report::Place;
use crate::name::Name;

/// An asset that pays for something, and what that gives in return.
type Edges<'a> = BTreeMap<&'a Name, Vec<(&'a str, &'a Name)>>;

/// Refuses operations by which an asset that is spent comes back, directly or
/// through others: whoever goes round once too often has made money of nothing.
/// Where the amounts lose by it, it would still be a price nobody can read.
pub(super) fn refuse(
    operations: &BTreeMap<String, Operation>,
    places: &BTreeMap<String, Place>,
    context: &mut Context<'_>,
) {
    let edges = edges(operations);
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for start in edges.keys().copied() {
        let Some(path) = way_back(start, &edges) else {
            continue;
        };
        let Some((first, _)) = path.first() else {
            continue;
        };
        if path.iter().any(|(operation, _)| !told.insert(*operation)) {
            continue;
        }
        let steps: Vec<String> = path
            .iter()
            .map(|(operation, asset)| format!("{operation} gives {asset}"))
            .collect();
        if let Some(place) = places.get(*first) {
            let message = format!("{start} pays for what gives it again: {}", steps.join(", "));
            context.advise_against(place, message);
        }
    }
}

fn edges(operations: &BTreeMap<String, Operation>) -> Edges<'_> {
    let mut edges = Edges::new();
    for (id, operation) in operations {
        let variants = operation.variants.iter();
        let prices = variants.filter_map(|variant| variant.prices.as_deref());
        let all = prices.chain([operation.prices.as_slice()]).flatten();
        let costs: BTreeSet<&Name> = all
            .filter(|price| price.amount > 0)
            .map(|price| &price.asset)
            .collect();
        for asset in costs {
            let given = operation
                .grants
                .iter()
                .map(|grant| (id.as_str(), &grant.asset));
            edges.entry(asset).or_default().extend(given);
        }
    }
    edges
}

/// The operations by which `start` comes back to itself, the shortest way.
fn way_back<'a>(start: &'a Name, edges: &Edges<'a>) -> Option<Vec<(&'a str, &'a Name)>> {
    let mut reached: BTreeSet<&Name> = BTreeSet::new();
    let mut ways: Vec<Vec<(&str, &Name)>> = vec![Vec::new()];
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let end = way.last().map_or(start, |(_, asset)| *asset);
            for (operation, asset) in edges.get(end).into_iter().flatten() {
                let mut next = way.clone();
                next.push((*operation, *asset));
                if *asset == start {
                    return Some(next);
                }
                if reached.insert(asset) {
                    longer.push(next);
                }
            }
        }
        ways = longer;
    }
    None
}
