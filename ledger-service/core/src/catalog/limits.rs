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
/// Grants on opening, and grants of one operation.
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

/// How many wrong promo codes an account may try, if the catalog does not say.
pub(super) const WRONG_TRIES_DEFAULT: i64 = 5;
/// In which time, if the catalog does not say.
pub(super) const WRONG_TRIES_WINDOW_US_DEFAULT: i64 = 3600 * 1_000_000;

/// The least top-up, in whole units, if the catalog does not say.
pub(super) const TOP_UP_MINIMUM_WHOLE: i64 = 50;
/// The largest top-up, in whole units, if the catalog does not say. With the
/// largest exponent it is 10^14 minor units, within [`AMOUNT_MAX`].
pub(super) const TOP_UP_MAXIMUM_WHOLE: i64 = 100_000;
