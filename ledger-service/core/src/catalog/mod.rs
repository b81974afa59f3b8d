//! The billing catalog: what a bot's owner writes in TOML, read and checked.
//!
//! [`parse`] is the only way in, and it is pure: text and variables go in, a
//! [`Catalog`] or every [`Problem`] comes out. What it used of the environment
//! comes out too, so that a recorded text and its recorded overrides give the
//! same catalog for ever.
//!
//! One file per part: `document` reads the whole, the files named after them its
//! blocks, all of them through the
//! spanned values of `reader` and into the one list of `report`. A block whose
//! content is wrong is reported and read on with, so that one pass finds
//! everything; a catalog leaves this module only if nothing was reported.

mod amount;
mod asset;
mod auto_top_up;
mod block;
mod content;
mod context;
mod currency;
mod cycle;
mod decimal;
mod document;
mod duration;
mod grant;
mod limit;
mod limits;
mod list;
mod map;
mod model;
mod nearest;
mod notice;
mod offer;
mod operation;
mod origin;
mod package;
mod period;
mod problem;
mod promo;
mod rate;
mod reader;
mod recurring;
mod referral;
mod refund;
mod report;
mod sale;
mod shape;
mod share;
mod subscription;
mod text;
mod top_up;
mod variant;

use std::collections::BTreeMap;

use toml::de::DeTable;

pub use model::{
    Asset, AssetKind, Attribute, AttributeProblem, AutoTopUp, CalendarPeriod, Catalog, Chosen,
    Content, Counts, Grant, Language, Limit, Notices, Offer, OnRepurchase, Operation,
    OverrunPolicy, Package, PaymentRefundPolicy, Period, Plan, Price, PromoPolicy, Rate,
    RecurringGrant, ReferralParty, ReferralPolicy, ReferralReward, ReferralTrigger, Renewal,
    SecondSuccess, Text, TopUp, Variant,
};
pub use problem::{Problem, Problems};
pub use sale::Buyer;

use context::{Context, Purpose};
use limits::TEXT_BYTES_MAX;

/// What is said about an operation, by attribute.
pub type Attributes = BTreeMap<crate::name::Name, crate::name::Name>;

/// A catalog, and what the environment changed in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The catalog, valid as a whole, with the overrides applied.
    pub catalog: Catalog,
    /// The variables that the text names with `env = "NAME"` and that were
    /// present, with their values as given. [`parse`] of the same text with
    /// this map as the environment gives the same `Parsed`.
    pub overrides: BTreeMap<String, String>,
}

/// Reads a catalog.
///
/// Of `environment` only the variables are looked up that the text itself
/// names with `env = "NAME"` beside an amount. Their values are decimals in
/// *whole* units of the asset: `10` of an asset with exponent 2 is 1000 minor
/// units.
///
/// # Errors
///
/// Every problem of the text and of the named variables, in the order of lines.
/// If the text is not TOML, only that is reported.
pub fn parse(text: &str, environment: &BTreeMap<String, String>) -> Result<Parsed, Problems> {
    read(text, environment, Purpose::Apply)
}

/// Reads a catalog that was applied once, with the values that were recorded
/// with it. Rules that only advise against something do not count: a later
/// version of the ledger, with more of them, still reads every log.
///
/// # Errors
///
/// The text is none that any version has applied.
pub fn parse_applied(text: &str, overrides: &BTreeMap<String, String>) -> Result<Parsed, Problems> {
    read(text, overrides, Purpose::Replay)
}

fn read(
    text: &str,
    environment: &BTreeMap<String, String>,
    purpose: Purpose,
) -> Result<Parsed, Problems> {
    let mut context = Context::new(text, environment, purpose);
    if text.len() > TEXT_BYTES_MAX {
        context.report.too_long(TEXT_BYTES_MAX);
        return Err(context.report.into_problems());
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    if !context.report.syntax(text, &errors) {
        return Err(context.report.into_problems());
    }
    let catalog = document::read(root.get_ref(), &mut context);
    if context.report.is_empty() {
        Ok(Parsed {
            catalog,
            overrides: context.overrides,
        })
    } else {
        Err(context.report.into_problems())
    }
}

#[cfg(test)]
mod tests;
