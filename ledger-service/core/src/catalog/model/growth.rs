//! What brings users and keeps them: automatic top-ups, promo codes,
//! invitations and notices.

use std::collections::BTreeMap;

use super::Grant;
use crate::catalog::limits::{WRONG_TRIES_DEFAULT, WRONG_TRIES_WINDOW_US_DEFAULT};
use crate::name::Name;

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

impl Default for PromoPolicy {
    /// Codes that give nothing, and few tries to find one.
    fn default() -> Self {
        Self {
            grant_max: BTreeMap::new(),
            wrong_tries_max: WRONG_TRIES_DEFAULT,
            wrong_tries_window_us: WRONG_TRIES_WINDOW_US_DEFAULT,
        }
    }
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
