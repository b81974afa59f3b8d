//! What is sold for money: top-ups, packages and subscriptions.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{CborLen, Decode, Encode};

use super::{Grant, Text};
use crate::name::Name;

/// Limits of top-ups in one currency, in its minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUp {
    /// Amounts to offer.
    pub presets: Vec<i64>,
    /// The least that may be asked for.
    pub minimum: i64,
    /// The most that may be asked for.
    pub maximum: i64,
    /// What the money becomes; the money asset of the same name, one to one, if
    /// absent.
    pub rate: Option<Rate>,
    /// How the receipt calls it; 1 to 128 characters a language.
    pub receipt: Option<Text>,
}

/// What money becomes on a top-up: each whole `pay` of it gives `get`. What is
/// less than `pay` gives nothing, so amounts have to be multiples of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The asset that is credited.
    pub asset: Name,
    /// Minor units of the currency; above 0.
    pub pay: i64,
    /// Minor units of the asset; above 0.
    pub get: i64,
}

/// What is shown where something is sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// 1 to 32 characters a language, as Telegram's invoices have it.
    pub title: Text,
    /// 1 to 255 characters a language, as Telegram's invoices have it.
    pub description: Text,
    /// How the receipt calls it; 1 to 128 characters a language. The title if
    /// absent.
    pub receipt: Option<Text>,
    /// What it costs, in minor units by currency; at least one.
    pub prices: BTreeMap<Name, i64>,
    /// Lower is shown first; then by id.
    pub order: i64,
    /// Whether it is listed; it can be bought all the same.
    pub visible: bool,
    /// A mark such as `popular`, for whoever shows it.
    pub badge: Option<String>,
    /// The origins that may sell it; all if empty.
    pub origins: BTreeSet<Name>,
}

/// Something that can be bought once or several times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// How it is sold.
    pub offer: Offer,
    /// What the money buys; at least one.
    pub contents: Vec<Content>,
    /// What is given on top.
    pub bonuses: Vec<Grant>,
    /// How often one account may buy it; any number of times if absent.
    pub per_account: Option<i64>,
    /// What a refund does when it is spent; the catalog's policy if absent.
    pub refund: Option<PaymentRefundPolicy>,
}

/// A part of what money buys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The lot; its funding is bought.
    pub grant: Grant,
    /// Its share of the price, relative to the other parts; above 0.
    pub weight: i64,
    /// Of a subscription: whether what is left outlives the period.
    pub rollover: bool,
}

/// What a refund of a payment does when some of what it bought is spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(index_only)]
pub enum PaymentRefundPolicy {
    /// Refuses it.
    #[default]
    #[n(0)]
    RefuseIfSpent,
    /// Takes back what is left.
    #[n(1)]
    TakeWhatIsLeft,
    /// Takes back what is left, and the account owes the rest.
    #[n(2)]
    LeaveDeficit,
}

/// Something that can be subscribed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How it is sold: the prices are for one period.
    pub offer: Offer,
    /// How long one period is.
    pub period: Period,
    /// What each period gives.
    pub contents: Vec<Content>,
    /// What each period gives on top.
    pub bonuses: Vec<Grant>,
    /// How the next period is paid for.
    pub renewal: Renewal,
    /// What buying it again does while it runs.
    pub on_repurchase: OnRepurchase,
    /// The plans that it can be changed to while it runs, the unused days of it
    /// being credited.
    pub upgrades: BTreeSet<Name>,
    /// How long access outlives a period whose renewal has not been paid, in
    /// microseconds.
    pub grace_us: i64,
    /// When a failed renewal is tried again, in microseconds after the failure
    /// before it; not at all after the last.
    pub retries_us: Vec<i64>,
    /// How long before a renewal or an end the user is told, in microseconds,
    /// the longest first.
    pub notify_before_us: Vec<i64>,
    /// What a second successful payment for one period does.
    pub second_success: SecondSuccess,
    /// What a refund does when it is used; the catalog's policy if absent.
    pub refund: Option<PaymentRefundPolicy>,
}

/// A length of time on the calendar: months first, then days. A month from the
/// 31st ends on the last day of a shorter month, and the next one on the 31st
/// again: ends are counted from the first day of the subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Period {
    /// Whole months; 12 are a year.
    #[n(0)]
    pub months: u32,
    /// Whole days.
    #[n(1)]
    pub days: u32,
}

/// How the next period of a subscription is paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(index_only)]
pub enum Renewal {
    /// It is not: the subscription ends.
    #[default]
    #[n(0)]
    None,
    /// By a payment method that the provider has saved.
    #[n(1)]
    SavedMethod,
    /// By Telegram, in Stars.
    #[n(2)]
    Stars,
}

/// What buying a running subscription again does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum OnRepurchase {
    /// Makes it run one period longer.
    #[n(0)]
    Extend,
    /// Begins another one when it ends.
    #[n(1)]
    Queue,
    /// Nothing: it is refused.
    #[n(2)]
    Refuse,
}

/// What a second successful payment for one period of a subscription does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondSuccess {
    /// Pays for the period after it.
    Extend,
    /// Is to be refunded.
    Refund,
}

impl TopUp {
    /// What to offer to someone who lacks `shortfall` of what it becomes: at
    /// least the minimum, rounded up to what the rate takes, and to a preset if
    /// one is large enough; nothing if the maximum does not cover it.
    #[must_use]
    pub fn suggestion(&self, shortfall: i64) -> Option<i64> {
        let rate = self.rate.as_ref();
        let (pay, get) = rate.map_or((1, 1), |rate| (rate.pay, rate.get));
        let times = div_up(shortfall, get)?.max(div_up(self.minimum, pay)?);
        let needed = times.checked_mul(pay)?;
        let preset = self
            .presets
            .iter()
            .copied()
            .filter(|preset| *preset >= needed)
            .min();
        preset
            .or(Some(needed))
            .filter(|amount| *amount <= self.maximum)
    }
}

/// How many times a divisor above 0 fits, the last time perhaps in part.
fn div_up(amount: i64, divisor: i64) -> Option<i64> {
    let added = divisor.checked_sub(1)?;
    amount.max(0).checked_add(added)?.checked_div(divisor)
}

impl PaymentRefundPolicy {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the encoder's signature")]
    pub(crate) const fn is_default(&self) -> bool {
        matches!(self, Self::RefuseIfSpent)
    }
}
