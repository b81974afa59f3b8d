//! An `amount`, and the `env` beside it that makes it overridable.

use super::context::Context;
use super::decimal;
use super::limits::{AMOUNT_MAX, TOTAL_MAX};
use super::model::Asset;
use super::reader::{Node, Section};
use super::report::{Place, Report};
use super::shape::VARIABLE;

/// What an amount must be.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// The least that the text may say; a variable may always say 0.
    pub(super) minimum: i64,
    /// How many times the amount may be taken at once; unknown if what says it
    /// is wrong itself.
    pub(super) quantity_max: Option<i64>,
}

/// The amount in minor units: what the variable says if there is one, else what
/// the text says. Both are checked. An asset that is known but wrong leaves the
/// variable unread.
pub(super) fn read(
    section: &Section<'_>,
    asset: Option<&Asset>,
    bounds: Bounds,
    context: &mut Context<'_>,
) -> Option<i64> {
    let written = read_written(section, bounds, &mut context.report);
    let overriding = section
        .optional("env")
        .and_then(|node| read_variable(&node, asset, bounds, context));
    overriding.or(written)
}

fn read_written(section: &Section<'_>, bounds: Bounds, report: &mut Report) -> Option<i64> {
    let node = section.required("amount", report)?;
    let amount = node.amount(&(bounds.minimum..=AMOUNT_MAX), report)?;
    check_total(amount, "", bounds, &node.place, report);
    Some(amount)
}

/// The message names the variable but not its value, which may be a secret that
/// was named by mistake.
fn read_variable(
    node: &Node<'_>,
    asset: Option<&Asset>,
    bounds: Bounds,
    context: &mut Context<'_>,
) -> Option<i64> {
    let name = node.shaped(&VARIABLE, &mut context.report)?;
    let value = context.variable(&name)?;
    let amount = match decimal::parse(value, asset?.exponent) {
        Ok(amount) => amount,
        Err(error) => {
            context.report.add(&node.place, format!("{name} {error}"));
            return None;
        }
    };
    if amount > AMOUNT_MAX {
        context.report.add(
            &node.place,
            format!("{name} must be {AMOUNT_MAX} minor units or less"),
        );
        return None;
    }
    check_total(
        amount,
        &format!("{name} "),
        bounds,
        &node.place,
        &mut context.report,
    );
    Some(amount)
}

fn check_total(amount: i64, prefix: &str, bounds: Bounds, place: &Place, report: &mut Report) {
    let Some(quantity_max) = bounds.quantity_max else {
        return;
    };
    if amount
        .checked_mul(quantity_max)
        .is_none_or(|total| total > TOTAL_MAX)
    {
        report.add(
            place,
            format!("{prefix}times quantity_max ({quantity_max}) must be {TOTAL_MAX} or less"),
        );
    }
}
