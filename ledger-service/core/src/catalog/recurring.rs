//! The `[recurring_grants.ID]` blocks.

use std::collections::BTreeMap;

use super::block;
use super::context::Context;
use super::duration::DAY_US;
use super::grant::{self, Manner};
use super::limits::RECURRING_MAX;
use super::model::{AssetKind, CalendarPeriod, RecurringGrant};
use super::reader::{Node, Section};
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
    let what = "recurring grants";
    let report = &mut context.report;
    let entries = block::entries(root, "recurring_grants", RECURRING_MAX, what, report);
    entries
        .iter()
        .filter_map(|(id, _, node)| Some(((*id).into(), read(node, context)?)))
        .collect()
}

/// Reads a grant; there is none if a variable says 0.
fn read(node: &Node<'_>, context: &mut Context<'_>) -> Option<RecurringGrant> {
    let known = grant::keys_and(&["period", "rollover"]);
    let section = node.section(&known, &mut context.report)?;
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
    if context.kind(&grant.asset) == Some(AssetKind::Badge) {
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
