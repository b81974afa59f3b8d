//! Bounds of a catalog. Each keeps a sum somewhere within `i64`, a page within
//! a screen, or an event within its size.

use super::duration::DAY_US;

/// Bytes of the text; it is stored whole in an event.
pub(super) const TEXT_BYTES_MAX: usize = 256 * 1024;

/// Assets in a catalog.
pub(super) const ASSETS_MAX: usize = 64;
/// Operations in a catalog.
pub(super) const OPERATIONS_MAX: usize = 256;
/// Keys that metadata may have.
pub(super) const METADATA_KEYS_MAX: usize = 64;
/// Grants on opening, grants of one operation, and what is bought and given on
/// top at once.
pub(super) const GRANTS_MAX: usize = 16;
/// Alternatives of one price.
pub(super) const PRICES_MAX: usize = 8;
/// Presets of one top-up: six rows of two buttons.
pub(super) const PRESETS_MAX: usize = 12;

/// Digits after the point of a whole unit.
pub(super) const EXPONENT_MAX: i64 = 9;
/// One amount in minor units.
pub(super) const AMOUNT_MAX: i64 = 10_i64.pow(15);
/// One amount times `quantity_max`, in minor units: 92 of them fit in `i64`.
pub(super) const TOTAL_MAX: i64 = 10_i64.pow(17);
/// How many of an operation one call may order at most.
pub(super) const QUANTITY_MAX: i64 = 1_000_000;
/// The same, if the operation does not say.
pub(super) const QUANTITY_MAX_DEFAULT: i64 = 1000;
/// How far a lot's priority may be from 0.
pub(super) const PRIORITY_MAX: i32 = 1000;

/// The longest duration: ten years. 3650 d = 3.2 × 10^17 µs, within `i64`.
pub(super) const DURATION_US_MAX: i64 = 3650 * DAY_US;
/// The longest hold.
pub(super) const HOLD_US_MAX: i64 = 30 * DAY_US;
/// A hold's duration, if the operation does not say: 15 minutes.
pub(super) const HOLD_US_DEFAULT: i64 = 15 * 60 * 1_000_000;
/// The grace of refunds, if the catalog does not say.
pub(super) const REFUND_GRACE_US_DEFAULT: i64 = 7 * DAY_US;

/// The longest window in which something is counted.
pub(super) const WINDOW_US_MAX: i64 = 31 * DAY_US;
/// How many wrong promo codes an account may try in a window at most.
pub(super) const WRONG_TRIES_MAX: i64 = 50;
/// How many wrong promo codes an account may try, if the catalog does not say.
pub(super) const WRONG_TRIES_DEFAULT: i64 = 5;
/// In which time, if the catalog does not say.
pub(super) const WRONG_TRIES_WINDOW_US_DEFAULT: i64 = 3600 * 1_000_000;

/// The least top-up, in whole units, if the catalog does not say.
pub(super) const TOP_UP_MINIMUM_WHOLE: i64 = 50;
/// The largest top-up, in whole units, if the catalog does not say. With the
/// largest exponent it is 10^14 minor units, within [`AMOUNT_MAX`].
pub(super) const TOP_UP_MAXIMUM_WHOLE: i64 = 100_000;

/// Attributes of an operation.
pub(super) const ATTRIBUTES_MAX: usize = 8;
/// Values of an attribute.
pub(super) const VALUES_MAX: usize = 64;
/// Combinations of values of an operation: what has to be looked through to see
/// whether each has a price.
pub(super) const COMBINATIONS_MAX: usize = 1024;
/// Variants of an operation.
pub(super) const VARIANTS_MAX: usize = 256;
/// Origins that something is for.
pub(super) const ORIGINS_MAX: usize = 16;
/// Limits over windows of time.
pub(super) const LIMITS_MAX: usize = 16;
/// Recurring grants.
pub(super) const RECURRING_MAX: usize = 16;
/// Levels of points.
pub(super) const LEVELS_MAX: usize = 100;
/// The most uses that a pass may have.
pub(super) const FAIR_USE_MAX: i64 = 1_000_000;
/// Packages.
pub(super) const PACKAGES_MAX: usize = 64;
/// The shares that the parts of a package have in its price.
pub(super) const WEIGHT_MAX: i64 = 1_000_000;
/// Texts of sources or of reasons.
pub(super) const LABELS_MAX: usize = 64;

/// Characters of the name of an asset, an operation, a source or a reason.
pub(super) const LABEL_CHARS_MAX: usize = 64;
/// Characters of a title: Telegram's limit of an invoice.
pub(super) const TITLE_CHARS_MAX: usize = 32;
/// Characters of a description: Telegram's limit of an invoice.
pub(super) const DESCRIPTION_CHARS_MAX: usize = 255;
/// Characters of a line of a receipt: the limit of the payment provider.
pub(super) const RECEIPT_CHARS_MAX: usize = 128;

/// Subscriptions.
pub(super) const SUBSCRIPTIONS_MAX: usize = 64;
/// Years of a subscription's period.
pub(super) const PERIOD_YEARS_MAX: u32 = 10;
/// Durations of one list: retries, or how long before something.
pub(super) const DURATIONS_MAX: usize = 8;
/// Rewards for invitations.
pub(super) const REWARDS_MAX: usize = 16;
/// How many of a reward one account may get, in a day or ever.
pub(super) const REWARD_TIMES_MAX: i64 = 1_000_000;
/// How long after its opening an account may say who invited it.
pub(super) const ATTRIBUTION_US_MAX: i64 = 90 * DAY_US;
