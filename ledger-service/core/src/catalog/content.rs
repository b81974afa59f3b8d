//! What money buys: the `contents` and `bonuses` of packages and subscriptions.

use super::context::Context;
use super::grant::{self, Manner};
use super::limits::{GRANTS_MAX, WEIGHT_MAX};
use super::model::{AssetKind, Content, Grant};
use super::reader::{Node, Section};
use super::report::Report;
use crate::account::Funding;

/// What is bought.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bought {
    /// Once and for all.
    Once,
    /// Each period anew: a pass lasts the period, and the rest ends with it
    /// unless it rolls over.
    EachPeriod,
}

/// Reads what the money buys and what is given on top.
pub(super) fn read(
    section: &Section<'_>,
    bought: Bought,
    context: &mut Context<'_>,
) -> (Vec<Content>, Vec<Grant>) {
    let node = section.required("contents", &mut context.report);
    let contents = node
        .map(|node| read_contents(&node, bought, context))
        .unwrap_or_default();
    let node = section.optional("bonuses");
    let bonuses = node
        .map(|node| grant::read_list(&node, manner("BONUS", false), context))
        .unwrap_or_default();
    if contents.len().saturating_add(bonuses.len()) > GRANTS_MAX {
        let message = format!("must have {GRANTS_MAX} contents and bonuses or less");
        context.advise_against(&section.place, message);
    }
    (contents, bonuses)
}

/// Reads the parts. A variable of 0 takes a part out; that of the last one
/// would leave something that is paid for and gives nothing.
fn read_contents(node: &Node<'_>, bought: Bought, context: &mut Context<'_>) -> Vec<Content> {
    let Some(items) = node.items(&(1..=GRANTS_MAX), &mut context.report) else {
        return Vec::new();
    };
    let problems = context.report.len();
    let several = items.len() > 1;
    let contents: Vec<Content> = items
        .iter()
        .filter_map(|node| read_content(node, bought, several, context))
        .collect();
    if contents.is_empty() && context.report.len() == problems {
        let message = "gives nothing: variables make every part 0";
        context.advise_against(&node.place, message);
    }
    contents
}

/// Of several parts each has to say its weight: how the price is divided
/// decides what a refund takes back.
fn read_content(
    node: &Node<'_>,
    bought: Bought,
    several: bool,
    context: &mut Context<'_>,
) -> Option<Content> {
    let own_keys: &[&str] = match bought {
        Bought::Once => &["weight"],
        Bought::EachPeriod => &["weight", "rollover"],
    };
    let section = node.section(&grant::keys_and(own_keys), &mut context.report)?;
    let weight = read_weight(&section, several, &mut context.report);
    let rollover = section
        .optional("rollover")
        .and_then(|node| node.boolean(&mut context.report))
        .unwrap_or(false);
    let ends_by_itself = bought == Bought::EachPeriod;
    let mut grant = grant::read(&section, manner("PURCHASE", ends_by_itself), context)?;
    grant.funding = Funding::Purchased;
    let kind = context.kind(&grant.asset);
    if kind == Some(AssetKind::Badge) {
        let message = "a badge is earned, not bought";
        context.report.add(&section.place, message);
    }
    if ends_by_itself {
        check_end(&section, kind, rollover, &mut context.report);
    }
    Some(Content {
        grant,
        weight,
        rollover,
    })
}

fn manner(source: &str, ends_by_itself: bool) -> Manner<'_> {
    Manner {
        source,
        quantity_max: Some(1),
        ends_by_itself,
    }
}

fn read_weight(section: &Section<'_>, several: bool, report: &mut Report) -> i64 {
    let node = section.optional("weight");
    if several && node.is_none() {
        section.missing("weight", "is required of each of several parts", report);
    }
    node.and_then(|node| node.integer(&(1..=WEIGHT_MAX), report))
        .unwrap_or(1)
}

/// An end that would not hold is refused, because whoever wrote it expects it.
fn check_end(section: &Section<'_>, kind: Option<AssetKind>, rollover: bool, report: &mut Report) {
    let is_pass = kind == Some(AssetKind::Pass);
    if is_pass
        && rollover
        && let Some(node) = section.optional("rollover")
    {
        report.add(
            &node.place,
            "a pass lasts the period and leaves nothing over",
        );
    }
    let Some(node) = section.optional("expires_after") else {
        return;
    };
    if is_pass {
        report.add(&node.place, "a pass of a subscription lasts the period");
    } else if !rollover {
        report.add(
            &node.place,
            "it ends with the period; only with rollover has it an end of its own",
        );
    }
}
