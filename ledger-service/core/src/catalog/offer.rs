//! How something is sold: what packages and subscriptions have in common.

use super::context::Context;
use super::limits::{AMOUNT_MAX, DESCRIPTION_CHARS_MAX, RECEIPT_CHARS_MAX, TITLE_CHARS_MAX};
use super::model::Offer;
use super::reader::Section;
use super::shape::IDENTIFIER;
use super::{map, origin, text};

const KEYS: [&str; 8] = [
    "title",
    "description",
    "receipt",
    "prices",
    "order",
    "visible",
    "badge",
    "origins",
];

/// The keys of an offer, and `more`.
pub(super) fn keys_and(more: &[&'static str]) -> Vec<&'static str> {
    KEYS.iter().chain(more).copied().collect()
}

/// Reads how something is sold.
pub(super) fn read(section: &Section<'_>, context: &mut Context<'_>) -> Option<Offer> {
    let report = &mut context.report;
    let title = text::required(section, "title", TITLE_CHARS_MAX, report);
    let description = text::required(section, "description", DESCRIPTION_CHARS_MAX, report);
    let receipt = text::optional(section, "receipt", RECEIPT_CHARS_MAX, report);
    let prices = map::prices(section, report);
    let order = section
        .optional("order")
        .and_then(|node| node.integer(&(0..=AMOUNT_MAX), report));
    let visible = section
        .optional("visible")
        .and_then(|node| node.boolean(report));
    let badge = section
        .optional("badge")
        .and_then(|node| node.shaped(&IDENTIFIER, report));
    Some(Offer {
        title: title?,
        description: description?,
        receipt,
        prices,
        order: order.unwrap_or(0),
        visible: visible.unwrap_or(true),
        badge,
        origins: origin::read(section, context),
    })
}
