//! The `origins` that something is for.

use std::collections::BTreeSet;

use super::context::Context;
use super::limits::ORIGINS_MAX;
use super::reader::Section;
use super::shape::ORIGIN;
use crate::name::Name;

/// Reads the origins; none stand for all, so an empty list is refused.
pub(super) fn read(section: &Section<'_>, context: &mut Context<'_>) -> BTreeSet<Name> {
    let items = section
        .optional("origins")
        .and_then(|node| node.items(&(1..=ORIGINS_MAX), &mut context.report))
        .unwrap_or_default();
    context.unique(&items, |context, node| {
        node.shaped(&ORIGIN, &mut context.report).map(Name::from)
    })
}
