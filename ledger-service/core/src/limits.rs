//! Every bound of the core, in one place.

/// The largest amount that one command may name, in minor units: 10^15 is ten
/// trillion roubles in kopecks, and a thousand of them still fit in an `i64`.
pub const AMOUNT_MAX: i64 = 1_000_000_000_000_000;

/// The largest balance of one asset, in minor units: far below `i64::MAX`
/// (9.2 × 10^18), so that a sum of two balances cannot overflow.
pub const BALANCE_MAX: i64 = 1_000_000_000_000_000_000;

/// How many parts of lots, free or held, an account may have.
pub const PARTS_MAX: usize = 256;

/// From this many parts on, equal purchased lots are merged too. Below it each
/// keeps to itself, so that a refund of a payment finds what that payment
/// bought.
pub const PARTS_BEFORE_PURCHASED_MERGE: usize = 128;

/// The largest encoded state of an account.
pub const STATE_BYTES_MAX: usize = 16 * 1024;

/// Up to this size of the encoded state, new lots and holds are taken, also
/// lots that a refund would make again. The rest of [`STATE_BYTES_MAX`] is kept
/// for what is not refused: captures and payments.
pub const STATE_BYTES_FOR_NEW_PARTS: usize = 15 * 1024;

/// Up to this size of the encoded state, uses are counted in windows of limits;
/// what is left of [`STATE_BYTES_MAX`] is kept for what is not refused.
pub const STATE_BYTES_FOR_WINDOWS: usize = 15 * 1024 + 512;

/// What one use in a window takes at most, beside the limit's name, if the window
/// is new: two heads, its length, the time since the use before, and the count, 9
/// bytes each.
pub const WINDOW_USE_BYTES_MAX: usize = 45;

/// How many lots an account remembers to have got the refund grace.
pub const GRACED_LOTS_MAX: usize = 64;

/// How long a hold may last: 30 days, in microseconds.
pub const HOLD_DURATION_US_MAX: i64 = 30 * 24 * 3600 * 1_000_000;

/// How long a hold lasts if neither the request nor the catalog says: 15 min,
/// in microseconds.
pub const HOLD_DURATION_US_DEFAULT: i64 = 15 * 60 * 1_000_000;

/// How many operations one charge may order when the catalog has no price for
/// it (an explicit price).
pub const QUANTITY_MAX: i64 = 1_000_000;

/// How many times the windows of an account's limits may hold together.
pub const WINDOW_TIMES_MAX: usize = 500;

/// From this many on, debts of an account in one asset are added up, whichever
/// lots they are of.
pub const DEBTS_MAX: usize = 16;

/// How many refunds of payments may run in one account.
pub const OPEN_REFUNDS_MAX: usize = 16;

/// How much that is odd of one payment is recorded; what is said after that is
/// refused as recorded.
pub const PAYMENT_ANOMALIES_MAX: usize = 16;

/// How many subscriptions an account may have.
pub const SUBSCRIPTIONS_MAX: usize = 8;

/// How many subscriptions that have ended an account remembers: a renewal that
/// comes late finds its plan there.
pub const ENDED_SUBSCRIPTIONS_MAX: usize = 8;

/// How many periods of a subscription may be paid for, what runs included,
/// before no more are sold.
pub const PERIODS_PAID_MAX: usize = 6;

/// How many lots the periods of an account may still have to give when they
/// begin, before no more of these are sold.
pub const LOTS_WAITING_MAX: usize = 32;

/// How long before the end of a period its renewal is first tried: an hour, in
/// microseconds.
pub const RENEWAL_LEAD_US: i64 = 3600 * 1_000_000;

/// How long access may outlive a period that is not renewed: 31 days, in
/// microseconds.
pub const GRACE_US_MAX: i64 = 31 * 24 * 3600 * 1_000_000;
