//! The whole document: its head, then its blocks in the order in which they
//! refer to each other.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::DeTable;

use super::context::Context;
use super::limits::{DURATION_US_MAX, METADATA_KEYS_MAX, REFUND_GRACE_US_DEFAULT};
use super::model::Catalog;
use super::reader::Section;
use super::report::Report;
use super::shape::{BOOK, IDENTIFIER, SOURCE, TIME_ZONE};
use super::{
    asset, auto_top_up, cycle, grant, limit, notice, operation, package, promo, recurring,
    referral, refund, subscription, text, top_up,
};

const KEYS: [&str; 22] = [
    "schema",
    "book",
    "time_zone",
    "open_on_first_use",
    "metadata_keys",
    "refund_grace",
    "assets",
    "grants_on_opening",
    "operations",
    "top_up",
    "sources",
    "reasons",
    "recurring_grants",
    "limits",
    "confirm_above",
    "packages",
    "payment_refund",
    "subscriptions",
    "auto_top_up",
    "promo",
    "referral",
    "notices",
];

/// The schema that this reader knows.
const SCHEMA: i64 = 1;

/// Reads the document. The catalog is to be used only if nothing was reported.
pub(super) fn read(root: &DeTable<'_>, context: &mut Context<'_>) -> Catalog {
    let root = Section::root(root);
    root.refuse_unknown(&KEYS, &mut context.report);
    check_schema(&root, &mut context.report);
    asset::read_all(&root, context);
    let operations = operation::entries(&root, context);
    let places = operations.iter();
    let places = places
        .map(|(id, node)| ((*id).to_owned(), node.place.clone()))
        .collect();
    let operations = operation::read_all(operations, context);
    cycle::refuse(&operations, &places, context);
    let packages = package::read_all(&root, context);
    Catalog {
        book: read_book(&root, &mut context.report),
        time_zone: read_time_zone(&root, &mut context.report),
        open_on_first_use: read_open_on_first_use(&root, &mut context.report),
        metadata_keys: read_metadata_keys(&root, context),
        refund_grace_us: read_refund_grace(&root, &mut context.report),
        grants_on_opening: grant::read_on_opening(&root, context),
        operations,
        top_ups: top_up::read_all(&root, context),
        sources: text::read_labels(&root, "sources", &SOURCE, context),
        reasons: text::read_labels(&root, "reasons", &SOURCE, context),
        recurring_grants: recurring::read_all(&root, context),
        limits: limit::read_all(&root, context),
        confirm_above: limit::read_confirm_above(&root, context),
        subscriptions: subscription::read_all(&root, context),
        auto_top_ups: auto_top_up::read_all(&root, &packages, context),
        promo: promo::read(&root, context),
        referral: referral::read(&root, context),
        notices: notice::read(&root, context),
        payment_refund: refund::optional(&root, "payment_refund", &mut context.report)
            .unwrap_or_default(),
        packages: of_sound(&packages),
        assets: of_sound(&context.assets),
    }
}

/// Those whose blocks are not wrong.
fn of_sound<T: Clone>(read: &BTreeMap<String, Option<T>>) -> BTreeMap<String, T> {
    read.iter()
        .filter_map(|(id, value)| Some((id.clone(), value.clone()?)))
        .collect()
}

fn check_schema(root: &Section<'_>, report: &mut Report) {
    let Some(node) = root.required("schema", report) else {
        return;
    };
    let Some(schema) = node.integer(&(i64::MIN..=i64::MAX), report) else {
        return;
    };
    if schema != SCHEMA {
        report.add(&node.place, format!("must be {SCHEMA}"));
    }
}

fn read_book(root: &Section<'_>, report: &mut Report) -> String {
    let node = root.required("book", report);
    node.and_then(|node| node.shaped(&BOOK, report))
        .unwrap_or_default()
}

fn read_time_zone(root: &Section<'_>, report: &mut Report) -> String {
    let node = root.optional("time_zone");
    node.and_then(|node| node.shaped(&TIME_ZONE, report))
        .unwrap_or_else(|| "Europe/Moscow".to_owned())
}

fn read_open_on_first_use(root: &Section<'_>, report: &mut Report) -> bool {
    root.optional("open_on_first_use")
        .and_then(|node| node.boolean(report))
        .unwrap_or(true)
}

fn read_refund_grace(root: &Section<'_>, report: &mut Report) -> i64 {
    let node = root.optional("refund_grace");
    node.and_then(|node| node.duration(&(0..=DURATION_US_MAX), report))
        .unwrap_or(REFUND_GRACE_US_DEFAULT)
}

fn read_metadata_keys(root: &Section<'_>, context: &mut Context<'_>) -> BTreeSet<String> {
    let node = root.optional("metadata_keys");
    let items = node
        .and_then(|node| node.items(&(0..=METADATA_KEYS_MAX), &mut context.report))
        .unwrap_or_default();
    context.unique(&items, |context, node| {
        node.shaped(&IDENTIFIER, &mut context.report)
    })
}
