//! The `[recurring_grants.ID]` blocks.

use std::collections::BTreeMap;

use super::context::Context;
use super::duration::DAY_US;
use super::grant::{self, Manner};
use super::limits::RECURRING_MAX;
use super::model::{AssetKind, CalendarPeriod, RecurringGrant};
use super::reader::{Node, Section};
use super::shape::IDENTIFIER;
use crate::name::Name;

const PERIODS: [(&str, CalendarPeriod); 3] = [
    ("day", CalendarPeriod::Day),
    ("week", CalendarPeriod::Week),
    ("month", CalendarPeriod::Month),
];

/// How many lots of one grant may live at a time: each ends on a day of its own,
/// so they do not merge, and a wallet holds 256.
const LOTS_MAX: i64 = 64;

const fn shortest_us(period: CalendarPeriod) -> i64 {
    match period {
        CalendarPeriod::Day => DAY_US,
        CalendarPeriod::Week => 7 * DAY_US,
        CalendarPeriod::Month => 28 * DAY_US,
    }
}

/// Reads what every account gets each period.
pub(super) fn read_all(
    root: &Section<'_>,
    context: &mut Context<'_>,
) -> BTreeMap<Name, RecurringGrant> {
    let mut grants = BTreeMap::new();
    let node = root.optional("recurring_grants");
    let Some(section) = node.and_then(|node| node.table(&mut context.report)) else {
        return grants;
    };
    if section.len() > RECURRING_MAX {
        let message = format!("must have {RECURRING_MAX} recurring grants or less");
        context.report.add(&section.place, message);
    }
    for (id, place, node) in section.entries() {
        context.report.shape(id, &IDENTIFIER, &place);
        if let Some(grant) = read(&node, context) {
            grants.insert(id.into(), grant);
        }
    }
    grants
}

/// Reads a grant; there is none if a variable says 0.
fn read(node: &Node<'_>, context: &mut Context<'_>) -> Option<RecurringGrant> {
    let section = node.table(&mut context.report)?;
    section.refuse_unknown(
        &grant::keys_and(&["period", "rollover"]),
        &mut context.report,
    );
    let period = section
        .required("period", &mut context.report)
        .and_then(|node| node.choice(&PERIODS, &mut context.report));
    let rollover = section
        .optional("rollover")
        .and_then(|node| node.boolean(&mut context.report))
        .unwrap_or(false);
    let manner = Manner {
        source: "RECURRING",
        quantity_max: Some(1),
        ends_by_itself: !rollover,
    };
    let grant = grant::read(&section, manner, context)?;
    let asset = context.assets.get(grant.asset.as_str());
    let kind = asset.and_then(|asset| asset.as_ref().map(|asset| asset.kind));
    if kind == Some(AssetKind::Badge) {
        let message = "a badge is granted once, not each period";
        context.report.add(&section.place, message);
    }
    let lots = period
        .zip(grant.expires_after_us)
        .map_or(1, |(period, us)| {
            us.checked_div(shortest_us(period)).unwrap_or(i64::MAX)
        });
    if rollover && lots > LOTS_MAX {
        let message = format!("leaves up to {lots} lots in a wallet; {LOTS_MAX} is the most");
        context.advise_against(&section.place, message);
    }
    Some(RecurringGrant {
        grant,
        period: period?,
        rollover,
    })
}
