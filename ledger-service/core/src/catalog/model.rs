//! What a catalog says, after it was read and checked.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{CborLen, Decode, Encode};

use crate::{account::Funding, name::Name};

/// Billing policy of one book. Made by [`parse`](super::parse); a value of
/// this type is valid as a whole: whatever it names is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// A text for users in every language of the product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Russian.
    pub ru: String,
    /// English.
    pub en: String,
}

/// A unit that balances are kept in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// What it is.
    pub kind: AssetKind,
    /// Minor units in a whole one, as a power of ten: 0 to 9.
    pub exponent: u8,
    /// What users call it.
    pub title: Option<Text>,
    /// Of points: the totals at which levels begin, ascending, the first 0;
    /// empty without levels.
    pub levels: Vec<i64>,
    /// Of a pass: how many operations one lot of it pays for; any number if
    /// absent.
    pub fair_use: Option<i64>,
}

/// What an asset is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssetKind {
    /// Real money; the asset's id is the currency's code.
    Money,
    /// Units that are bought.
    Credits,
    /// Units that are given.
    Allowance,
    /// Points that are earned, such as XP; they pay for nothing unless priced.
    Points,
    /// A time during which operations that it pays for cost nothing. A lot of
    /// it holds 1, and is used, not spent.
    Pass,
    /// A mark that an account has or has not: granted once, never spent.
    Badge,
}

/// Something given: on opening, or by an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The asset.
    pub asset: Name,
    /// How much, in minor units; above 0. 1 of a pass or a badge.
    pub amount: i64,
    /// The lot's source.
    pub source: Name,
    /// The lot's priority.
    pub priority: i32,
    /// How long the lot lives, in microseconds; never expires if absent. A pass
    /// that is bought or given always has it.
    pub expires_after_us: Option<i64>,
    /// The operations that the lot may pay for; all if empty.
    pub scope: BTreeSet<Name>,
    /// Whether the lot counts as given or bought.
    pub funding: Funding,
}

/// Something that every account gets each period of the calendar in the book's
/// zone, by the first decision of that period. Nothing is made up for periods
/// in which nothing was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecurringGrant {
    /// What is given. Without rollover its lot ends with the period, or after
    /// `expires_after_us` if that is sooner.
    pub grant: Grant,
    /// How often.
    pub period: CalendarPeriod,
    /// Whether what is left outlives the period.
    pub rollover: bool,
}

/// A period of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalendarPeriod {
    /// From midnight.
    Day,
    /// From Monday's midnight.
    Week,
    /// From the first day's midnight.
    Month,
}

/// Something a user pays for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What users call it.
    pub title: Option<Text>,
    /// What a call may or must say about it, by name.
    pub attributes: BTreeMap<Name, Attribute>,
    /// The alternatives where no variant says otherwise, in the order in which
    /// they are tried. Empty only if the variants leave no combination out.
    pub prices: Vec<Price>,
    /// What it costs with certain attributes. No combination fits two of those
    /// with prices; of those that are refused it may fit several, and they come
    /// first.
    pub variants: Vec<Variant>,
    /// How many of it one call may order; at least 1.
    pub quantity_max: i64,
    /// What the operation itself gives, per unit of quantity.
    pub grants: Vec<Grant>,
    /// How long its holds live, in microseconds.
    pub hold_duration_us: i64,
    /// What a capture above the hold does.
    pub overrun: OverrunPolicy,
}

/// Something that a call says about an operation: a model, a quality, a size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// What it may be; at least one.
    pub values: BTreeSet<Name>,
    /// What it is if the call does not say; required if absent.
    pub default: Option<Name>,
}

/// A combination of attributes, and what it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The values that it fits, by attribute; an attribute that is not named
    /// may be anything.
    pub when: BTreeMap<Name, BTreeSet<Name>>,
    /// The alternatives; nothing if the combination is refused.
    pub prices: Option<Vec<Price>>,
}

/// One alternative of a price, per unit of quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// The asset.
    pub asset: Name,
    /// How much, in minor units; 0 or more. 0 of a pass, which has to be active.
    pub amount: i64,
    /// The origins that it is for; all if empty.
    pub origins: BTreeSet<Name>,
}

/// How much may be done in a window of time that ends now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The operations that count together; all if empty.
    pub operations: BTreeSet<Name>,
    /// How many of them, by quantity; 0 switches the operations off.
    pub maximum: i64,
    /// The window's length, in microseconds.
    pub window_us: i64,
    /// What counts.
    pub counts: Counts,
}

/// What counts in a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Whatever was charged or held, also if it was released.
    Accepted,
    /// What was charged or is held: a hold that is released or expires gives its
    /// place back.
    Completed,
}

/// What a capture above the held amount does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(index_only)]
pub enum OverrunPolicy {
    /// Refuse it.
    #[default]
    #[n(0)]
    Reject,
    /// Capture what is held and forget the rest.
    #[n(1)]
    Cap,
    /// Take the rest from what is available, and report what is not covered.
    #[n(2)]
    OverdrawAvailable,
}

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRepurchase {
    /// Makes it run one period longer.
    Extend,
    /// Begins another one when it ends.
    Queue,
    /// Nothing: it is refused.
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

/// What is bought when less than a threshold is left, for those who have agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoTopUp {
    /// Less than this is left, in minor units of the asset.
    pub threshold: i64,
    /// The package.
    pub package: String,
    /// The most that may be paid so in a month of the calendar, in minor units
    /// by currency.
    pub monthly_cap: BTreeMap<Name, i64>,
}

/// What promo codes may give. Campaigns and codes are made by calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromoPolicy {
    /// The most that one use of a code may give, in minor units by asset; an
    /// asset that is not named cannot be given.
    pub grant_max: BTreeMap<Name, i64>,
    /// How many wrong codes an account may try in the window.
    pub wrong_tries_max: i64,
    /// The window's length, in microseconds.
    pub wrong_tries_window_us: i64,
}

/// What inviting others gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferralPolicy {
    /// How long after its opening an account may still say who invited it, in
    /// microseconds; 0 for only at its opening.
    pub attribution_us: i64,
    /// The rewards, by id.
    pub rewards: BTreeMap<Name, ReferralReward>,
}

/// A reward for an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferralReward {
    /// What it is given for.
    pub on: ReferralTrigger,
    /// Whether the one who invited gets it, or the one who was invited.
    pub to: ReferralParty,
    /// What is given; of a share, its `amount` is not used and is 0.
    pub grant: Grant,
    /// Of the money that was paid, so many hundredths of a percent instead of a
    /// fixed amount, rounded down, in the minor units of the asset, which is
    /// the money paid or has its exponent; 1 to 10 000.
    pub share_bp: Option<i64>,
    /// How many of it one account gets in a day of the calendar.
    pub per_day: Option<i64>,
    /// How many of it one account ever gets.
    pub total: Option<i64>,
    /// How long it waits before it can be spent, in microseconds.
    pub hold_us: i64,
}

/// What a reward is given for: something of the one who was invited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferralTrigger {
    /// The opening of the account.
    Opened,
    /// The first operation that was paid for, with whatever.
    FirstOperation,
    /// The first payment.
    FirstPayment,
    /// Each payment.
    EachPayment,
}

/// Who gets a reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferralParty {
    /// Who invited.
    Referrer,
    /// Who was invited.
    Referred,
}

/// What users are told before it is too late.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notices {
    /// How long before the end of a lot or a pass, in microseconds, the longest
    /// first.
    pub expiry_before_us: Vec<i64>,
    /// By asset: less than this many minor units is little.
    pub low_balance: BTreeMap<Name, i64>,
}

impl TopUp {
    /// What to offer to someone who lacks `shortfall`: at least the minimum,
    /// rounded up to a preset if one is large enough; nothing if the maximum
    /// does not cover it.
    #[must_use]
    pub fn suggestion(&self, shortfall: i64) -> Option<i64> {
        let needed = shortfall.max(self.minimum);
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
