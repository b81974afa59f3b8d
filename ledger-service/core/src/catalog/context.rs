//! What the parts of a catalog share while it is read.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Asset, AssetKind};
use super::reader::Node;
use super::report::{Place, Report};
use crate::name::Name;

/// What a catalog is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be applied, or checked.
    Apply,
    /// Because it was applied once.
    Replay,
}

/// The problems so far, the environment, and the names that may be referred to.
pub(super) struct Context<'e> {
    /// What is wrong so far.
    pub(super) report: Report,
    /// The assets by id; nothing in place of one whose block is wrong, so that
    /// it is known but tells nothing.
    pub(super) assets: BTreeMap<String, Option<Asset>>,
    /// The ids of operations.
    pub(super) operations: BTreeSet<String>,
    /// The variables that were named and present, with their values.
    pub(super) overrides: BTreeMap<String, String>,
    environment: &'e BTreeMap<String, String>,
    purpose: Purpose,
}

impl<'e> Context<'e> {
    /// The beginning.
    pub(super) fn new(
        text: &str,
        environment: &'e BTreeMap<String, String>,
        purpose: Purpose,
    ) -> Self {
        Self {
            report: Report::new(text),
            assets: BTreeMap::new(),
            operations: BTreeSet::new(),
            overrides: BTreeMap::new(),
            environment,
            purpose,
        }
    }

    /// Says what makes a catalog unwise, though it can be carried out. Every rule
    /// that is added after catalogs were applied has to come this way: what is in
    /// a log stays readable for ever.
    pub(super) fn advise_against(&mut self, place: &Place, message: impl Into<String>) {
        if self.purpose == Purpose::Apply {
            self.report.add(place, message);
        }
    }

    /// The value of a variable that the text names; remembers that it was used.
    pub(super) fn variable(&mut self, name: &str) -> Option<&'e str> {
        let value = self.environment.get(name)?;
        self.overrides.insert(name.to_owned(), value.clone());
        Some(value)
    }

    /// The asset that a value names; it is a problem if there is none. What the
    /// asset is may be unknown, if its own block is wrong.
    pub(super) fn asset_of(&mut self, node: &Node<'_>) -> Option<(Name, Option<Asset>)> {
        let id = node.string(&mut self.report)?;
        let known = self.assets.contains_key(id);
        let asset = self.asset(id, &node.place);
        known.then(|| (id.into(), asset))
    }

    /// The asset with an id that stands at a place; it is a problem if there is
    /// none.
    pub(super) fn asset(&mut self, id: &str, place: &Place) -> Option<Asset> {
        let asset = self.assets.get(id).cloned();
        if asset.is_none() {
            let known = self.assets.keys().map(String::as_str);
            self.report.unknown(place, "no such asset", id, known);
        }
        asset?
    }

    /// What an asset is; nothing if there is none or its block is wrong.
    pub(super) fn kind(&self, id: &str) -> Option<AssetKind> {
        let asset = self.assets.get(id)?.as_ref()?;
        Some(asset.kind)
    }

    /// The operation that a value names; it is a problem if there is none.
    pub(super) fn operation(&mut self, node: &Node<'_>) -> Option<Name> {
        let id = node.string(&mut self.report)?;
        if self.operations.contains(id) {
            return Some(id.into());
        }
        let known = self.operations.iter().map(String::as_str);
        self.report
            .unknown(&node.place, "no such operation", id, known);
        None
    }

    /// Reads items that may not repeat; it is a problem if one does.
    pub(super) fn unique<T: Ord>(
        &mut self,
        items: &[Node<'_>],
        read: impl Fn(&mut Self, &Node<'_>) -> Option<T>,
    ) -> BTreeSet<T> {
        let mut seen = BTreeSet::new();
        for node in items {
            let Some(item) = read(self, node) else {
                continue;
            };
            if !seen.insert(item) {
                self.report.add(&node.place, "given twice");
            }
        }
        seen
    }
}
