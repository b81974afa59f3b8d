//! Texts for users, in every language of the product.

use std::collections::BTreeMap;

use super::context::Context;
use super::limits::{LABEL_CHARS_MAX, LABELS_MAX};
use super::model::Text;
use super::reader::{Node, Section};
use super::report::Report;
use super::shape::Shape;

/// Reads a text of a key, if it is given.
pub(super) fn optional(
    section: &Section<'_>,
    key: &str,
    chars_max: usize,
    report: &mut Report,
) -> Option<Text> {
    let node = section.optional(key)?;
    read(&node, chars_max, report)
}

/// Reads a text of a key; it is a problem if it is not given.
pub(super) fn required(
    section: &Section<'_>,
    key: &str,
    chars_max: usize,
    report: &mut Report,
) -> Option<Text> {
    let node = section.required(key, report)?;
    read(&node, chars_max, report)
}

/// Reads a block of texts by code, such as `[sources.WELCOME]`.
pub(super) fn read_labels(
    root: &Section<'_>,
    key: &str,
    shape: &Shape,
    context: &mut Context<'_>,
) -> BTreeMap<String, Text> {
    let report = &mut context.report;
    let Some(labels) = root.optional(key).and_then(|node| node.table(report)) else {
        return BTreeMap::new();
    };
    if labels.len() > LABELS_MAX {
        report.add(&labels.place, format!("must have {LABELS_MAX} or less"));
    }
    let mut texts = BTreeMap::new();
    for (code, place, node) in labels.entries() {
        report.shape(code, shape, &place);
        if let Some(text) = read(&node, LABEL_CHARS_MAX, report) {
            texts.insert(code.to_owned(), text);
        }
    }
    texts
}

fn read(node: &Node<'_>, chars_max: usize, report: &mut Report) -> Option<Text> {
    let section = node.section(&["ru", "en"], report)?;
    let mut language = |key| {
        let node = section.required(key, report)?;
        let text = node.string(report)?;
        let length = text.chars().count();
        if !(1..=chars_max).contains(&length) {
            report.add(
                &node.place,
                format!("must be 1 to {chars_max} characters, not {length}"),
            );
            return None;
        }
        if text.chars().any(char::is_control) {
            report.add(&node.place, "must have no control characters");
            return None;
        }
        Some(text.to_owned())
    };
    let (ru, en) = (language("ru"), language("en"));
    Some(Text { ru: ru?, en: en? })
}
