//! What a catalog says, after it was read and checked.

mod asset;
mod choice;
mod growth;
mod offer;
mod operation;

use std::collections::{BTreeMap, BTreeSet};

use crate::name::Name;

pub use asset::{Asset, AssetKind, CalendarPeriod, Grant, RecurringGrant};
pub use choice::{AttributeProblem, Chosen};
pub use growth::{
    AutoTopUp, Notices, PromoPolicy, ReferralParty, ReferralPolicy, ReferralReward, ReferralTrigger,
};
pub use offer::{
    Content, Offer, OnRepurchase, Package, PaymentRefundPolicy, Period, Plan, Rate, Renewal,
    SecondSuccess, TopUp,
};
pub use operation::{Attribute, Counts, Limit, Operation, OverrunPolicy, Price, Variant};

/// Billing policy of one book. Made by [`parse`](super::parse); a value of
/// this type is valid as a whole: whatever it names is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// The book that it is for.
    pub book: String,
    /// IANA name of the zone in which the book cuts days and months.
    pub time_zone: String,
    /// Whether a mutation on an unknown account opens it.
    pub open_on_first_use: bool,
    /// The keys that metadata may have.
    pub metadata_keys: BTreeSet<String>,
    /// Every asset, by id.
    pub assets: BTreeMap<String, Asset>,
    /// What a source of lots is called for users, by source.
    pub sources: BTreeMap<String, Text>,
    /// What a reason of staff is called for users, by code.
    pub reasons: BTreeMap<String, Text>,
    /// What an account gets on its opening, in this order.
    pub grants_on_opening: Vec<Grant>,
    /// What every account gets each period, by id.
    pub recurring_grants: BTreeMap<Name, RecurringGrant>,
    /// Every operation, by id.
    pub operations: BTreeMap<String, Operation>,
    /// How much may be done in a window of time, by id. Their maxima add up to
    /// [`WINDOW_TIMES_MAX`](crate::limits::WINDOW_TIMES_MAX) or less.
    pub limits: BTreeMap<Name, Limit>,
    /// By asset: a price above this many minor units is charged only if the
    /// caller says that the user has confirmed it.
    pub confirm_above: BTreeMap<Name, i64>,
    /// Limits of top-ups, by the currency that is paid.
    pub top_ups: BTreeMap<String, TopUp>,
    /// What can be bought once, by id.
    pub packages: BTreeMap<String, Package>,
    /// What can be subscribed to, by id.
    pub subscriptions: BTreeMap<String, Plan>,
    /// What is bought when little is left, by the asset that is left.
    pub auto_top_ups: BTreeMap<Name, AutoTopUp>,
    /// What promo codes may give.
    pub promo: PromoPolicy,
    /// What inviting others gives; nothing if absent.
    pub referral: Option<ReferralPolicy>,
    /// What users are told before it is too late.
    pub notices: Notices,
    /// How long a lot that expired meanwhile lives on after a refund gave
    /// something back to it, in microseconds.
    pub refund_grace_us: i64,
    /// What a refund of a payment does when its lots are spent, unless the
    /// package or the plan says otherwise.
    pub payment_refund: PaymentRefundPolicy,
}

impl Catalog {
    /// The catalog of a book that has none yet: it allows nothing.
    #[must_use]
    pub fn none(book: &str) -> Self {
        Self {
            book: book.to_owned(),
            time_zone: "UTC".to_owned(),
            ..Self::default()
        }
    }
}

/// A text for users in every language of the product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Russian.
    pub ru: String,
    /// English.
    pub en: String,
}

/// A language of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Russian.
    Ru,
    /// English.
    En,
}

impl Text {
    /// The text in a language.
    #[must_use]
    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::Ru => &self.ru,
            Language::En => &self.en,
        }
    }
}
