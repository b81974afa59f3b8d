//! The `[packages.ID]` blocks.

use std::collections::BTreeMap;

use super::content::{self, Bought};
use super::context::Context;
use super::limits::{AMOUNT_MAX, PACKAGES_MAX};
use super::model::Package;
use super::reader::{Node, Section};
use super::{block, offer, refund};

const KEYS: [&str; 4] = ["contents", "bonuses", "per_account", "refund"];

/// Reads what can be bought, by id; nothing in place of one whose block is
/// wrong, so that it is known but tells nothing.
pub(super) fn read_all(
    root: &Section<'_>,
    context: &mut Context<'_>,
) -> BTreeMap<String, Option<Package>> {
    let key = "packages";
    let entries = block::entries(root, key, PACKAGES_MAX, key, &mut context.report);
    let mut packages = BTreeMap::new();
    for (id, _, node) in entries {
        let problems = context.report.len();
        let package = read(&node, context).filter(|_| context.report.len() == problems);
        packages.insert(id.to_owned(), package);
    }
    packages
}

fn read(node: &Node<'_>, context: &mut Context<'_>) -> Option<Package> {
    let section = node.section(&offer::keys_and(&KEYS), &mut context.report)?;
    let offer = offer::read(&section, context);
    let (contents, bonuses) = content::read(&section, Bought::Once, context);
    let per_account = section
        .optional("per_account")
        .and_then(|node| node.integer(&(1..=AMOUNT_MAX), &mut context.report));
    Some(Package {
        offer: offer?,
        contents,
        bonuses,
        per_account,
        refund: refund::optional(&section, "refund", &mut context.report),
    })
}
