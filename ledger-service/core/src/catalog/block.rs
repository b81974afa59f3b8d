//! Blocks by id, such as `[packages.ID]`.

use super::reader::{Node, Section};
use super::report::{Place, Report};
use super::shape::IDENTIFIER;

/// Finds the blocks of a key, with the place to point at when the id is wrong.
/// `what` is how several of them are called.
pub(super) fn entries<'a>(
    section: &Section<'a>,
    key: &str,
    count_max: usize,
    what: &str,
    report: &mut Report,
) -> Vec<(&'a str, Place, Node<'a>)> {
    let node = section.optional(key);
    let Some(blocks) = node.and_then(|node| node.table(report)) else {
        return Vec::new();
    };
    if blocks.len() > count_max {
        let message = format!("must have {count_max} {what} or less");
        report.add(&blocks.place, message);
    }
    let entries = blocks.entries();
    for (id, place, _) in &entries {
        report.shape(id, &IDENTIFIER, place);
    }
    entries
}
