//! What can be asked of an account.
//!
//! A request is kept in its event, encoded, so commands are part of the file
//! format: fields and variants are numbered for good, like events.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::{
    account::Funding,
    catalog::{Attributes, OverrunPolicy},
    event::{Annotations, ProviderId},
    name::Name,
    payment::{PaymentStatus, Purpose, RefundStatus, RefundVia},
    primitives::{Money, RequestId, Timestamp},
};

/// A command with what its caller said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The account's id within the book.
    pub account: Name,
    /// The id that makes a repeat harmless; absent only on what the ledger
    /// does by itself.
    pub request_id: Option<RequestId>,
    /// The bot or service that it came from.
    pub origin: Name,
    /// What the caller said about it.
    pub annotations: Annotations,
    /// It is refused if it could not be decided by then.
    pub expires_at: Option<Timestamp>,
    /// What is asked for.
    pub command: Command,
}

/// Which event a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Target {
    /// The event at this position.
    #[n(0)]
    Position(#[n(0)] u64),
    /// The event that this request of the same account wrote.
    #[n(1)]
    Request(#[n(0)] RequestId),
}

macro_rules! commands {
    ($($(#[$doc:meta])* $number:literal $name:ident {
        $($(#[$field_doc:meta])* $key:literal $field:ident: $type:ty,)*
    })*) => {
        /// What is asked for.
        #[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
        pub enum Command {
            $($(#[$doc])* #[n($number)] $name(#[n(0)] $name),)*
        }

        impl Command {
            /// The first field in which the two differ, `command` if they are
            /// of different kinds, nothing if they are equal.
            #[must_use]
            pub fn differing_field(&self, other: &Self) -> Option<&'static str> {
                match (self, other) {
                    $((Self::$name(own), Self::$name(others)) => own.differing_field(others),)*
                    _ => Some("command"),
                }
            }
        }

        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
            #[cbor(map)]
            pub struct $name {
                $($(#[$field_doc])* #[n($key)] pub $field: $type,)*
            }

            impl $name {
                #[allow(unused_variables, reason = "some commands have no fields")]
                fn differing_field(&self, other: &Self) -> Option<&'static str> {
                    $(if self.$field != other.$field {
                        return Some(stringify!($field));
                    })*
                    None
                }
            }
        )*
    };
}

commands! {
    /// Open the account, or find it open.
    1 OpenAccount {}
    /// Close the account.
    2 CloseAccount {}
    /// Block the account.
    3 BlockAccount {}
    /// Unblock the account.
    4 UnblockAccount {}
    /// Credit a lot.
    5 Credit {
        /// The asset.
        0 asset: Name,
        /// How much; above 0.
        1 amount: i64,
        /// Whether it is given or bought.
        2 funding: Funding,
        /// What it comes from.
        3 source: Name,
        /// Lower is spent first.
        4 priority: i32,
        /// When it expires.
        5 lot_expire_time: Option<Timestamp>,
        /// The operations that it may pay for, ordered; all if empty.
        6 scope: Vec<Name>,
        /// What was paid for it.
        7 cost_basis: Option<Money>,
    }
    /// Charge an operation.
    6 Charge {
        /// The operation.
        0 operation: Option<Name>,
        /// How many of it; above 0.
        1 quantity: i64,
        /// A price of the caller's own.
        2 explicit_price: Option<AssetAmount>,
        /// The price that the user was shown.
        3 max_price: Option<AssetAmount>,
        /// What is said about the operation.
        #[cbor(default, skip_if = "Attributes::is_empty")]
        4 attributes: Attributes,
        /// The user has confirmed the price.
        #[cbor(default, skip_if = "is_false")]
        5 confirmed: bool,
    }
    /// Reserve the price of an operation.
    7 PlaceHold {
        /// The operation.
        0 operation: Option<Name>,
        /// How many of it; above 0.
        1 quantity: i64,
        /// A price of the caller's own.
        2 explicit_price: Option<AssetAmount>,
        /// The price that the user was shown.
        3 max_price: Option<AssetAmount>,
        /// How long, in microseconds.
        4 duration: Option<i64>,
        /// What a capture above the price does.
        5 overrun_policy: Option<OverrunPolicy>,
        /// What is said about the operation.
        #[cbor(default, skip_if = "Attributes::is_empty")]
        6 attributes: Attributes,
        /// The user has confirmed the price.
        #[cbor(default, skip_if = "is_false")]
        7 confirmed: bool,
    }
    /// Give a hold more time.
    8 ExtendHold {
        /// Which hold.
        0 hold: Target,
        /// The new end.
        1 hold_expire_time: Timestamp,
    }
    /// Take what a hold reserved.
    9 CaptureHold {
        /// Which hold.
        0 hold: Target,
        /// How much; all that is still reserved if absent.
        1 amount: Option<i64>,
        /// Keep the rest reserved.
        2 keep_open: bool,
    }
    /// Give a hold up.
    10 ReleaseHold {
        /// Which hold.
        0 hold: Target,
    }
    /// Give back a charge or a capture.
    11 Refund {
        /// Which charge.
        0 charge: Target,
        /// How much; all that is not refunded yet if absent.
        1 amount: Option<i64>,
    }
    /// Move purchased lots to another account.
    12 Transfer {
        /// The other account's id.
        0 destination_account: Name,
        /// The asset.
        1 asset: Name,
        /// How much; above 0.
        2 amount: i64,
    }
    /// Correct a balance.
    13 Adjust {
        /// The asset.
        0 asset: Name,
        /// By how much, or to what.
        1 change: Change,
    }
    /// Record what a provider says of a payment.
    14 RecordPayment {
        /// The provider.
        0 provider: Name,
        /// The shop or bot that its ids belong to.
        1 merchant_account: Name,
        /// Every id that it gave.
        2 provider_ids: Vec<ProviderId>,
        /// What was paid.
        3 amount: Money,
        /// What the merchant gets after the fee.
        4 income_amount: Option<Money>,
        /// A payment of the provider's test mode.
        5 test: bool,
        /// How it stands.
        #[cbor(default, skip_if = "PaymentStatus::is_succeeded")]
        6 status: PaymentStatus,
        /// The payment; found by the provider's ids if absent.
        7 payment: Option<Target>,
        /// What it is for, if it was not created before.
        8 purpose: Option<Purpose>,
        /// Of a canceled one: why.
        9 cancellation_reason: Option<Name>,
    }
    /// Bring a catalog into force; on the account `@house`.
    15 ApplyCatalog {
        /// Its whole text.
        0 text: String,
        /// The values that the environment replaces.
        1 overrides: BTreeMap<String, String>,
        /// The version that has to be in force; any if absent.
        2 expected_version: Option<u64>,
    }
    /// Write down what time has ended: lots and holds that are due.
    16 Sweep {}
    /// Ask for a payment.
    17 CreatePayment {
        /// The provider that it is to be made through.
        0 provider: Name,
        /// The shop or bot that it goes to.
        1 merchant_account: Name,
        /// What it is for.
        2 purpose: Purpose,
        /// Nobody asked for it just now: it is bought because little is left.
        #[cbor(default, skip_if = "is_false")]
        3 automatic: bool,
    }
    /// Begin a refund of a payment, or record one that was done outside of its
    /// provider.
    18 RefundPayment {
        /// The payment.
        0 payment: Target,
        /// How much; what the catalog's policy allows if absent.
        1 amount: Option<i64>,
        /// How.
        2 via: RefundVia,
        /// The number of the document, if it is done outside of the provider.
        3 document_number: Option<Name>,
    }
    /// Record what a provider says of a refund.
    19 RecordRefund {
        /// The provider.
        0 provider: Name,
        /// The shop or bot that its ids belong to.
        1 merchant_account: Name,
        /// The payment; found by `payment_id` if absent.
        2 payment: Option<Target>,
        /// The provider's id of the payment.
        3 payment_id: Option<Name>,
        /// The refund that was started, if the caller knows it.
        4 refund: Option<u64>,
        /// Every id that the provider gave to the refund.
        5 provider_ids: Vec<ProviderId>,
        /// What it amounts to.
        6 amount: Money,
        /// How it ended.
        7 status: RefundStatus,
        /// Of a failed one: why.
        8 failure_reason: Option<Name>,
    }
    /// End a subscription with what is paid for.
    20 CancelSubscription {
        /// The subscription.
        0 subscription: u64,
    }
    /// Take a canceled subscription up again.
    21 ResumeSubscription {
        /// The subscription.
        0 subscription: u64,
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the encoder's signature")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// A quantity of one asset, in minor units.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AssetAmount {
    /// The asset.
    #[n(0)]
    pub asset: Name,
    /// How much.
    #[n(1)]
    pub amount: i64,
}

/// How a balance is corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Change {
    /// Add or take; not 0.
    #[n(0)]
    Delta(#[n(0)] i64),
    /// Bring what is available to a value.
    #[n(1)]
    SetTo {
        /// What shall be available.
        #[n(0)]
        available: i64,
        /// What the person saw.
        #[n(1)]
        expected: i64,
    },
}

impl Command {
    /// The other account that it changes.
    #[must_use]
    pub const fn other_account(&self) -> Option<&Name> {
        match self {
            Self::Transfer(transfer) => Some(&transfer.destination_account),
            _ => None,
        }
    }

    /// The earlier event that it is about.
    #[must_use]
    pub const fn target(&self) -> Option<Target> {
        match self {
            Self::ExtendHold(extend) => Some(extend.hold),
            Self::CaptureHold(capture) => Some(capture.hold),
            Self::ReleaseHold(release) => Some(release.hold),
            Self::Refund(refund) => Some(refund.charge),
            Self::RecordPayment(payment) => payment.payment,
            Self::RefundPayment(refund) => Some(refund.payment),
            Self::RecordRefund(refund) => refund.payment,
            _ => None,
        }
    }
}

impl Request {
    /// The command, encoded: what its event keeps.
    #[must_use]
    pub fn encoded_command(&self) -> Vec<u8> {
        encode(&self.command)
    }

    /// The first field in which this request differs from one that was
    /// applied, of which the event kept the encoded command and annotations.
    /// `command` if the kept command cannot be read.
    #[must_use]
    pub fn differing_field(
        &self,
        command: &[u8],
        annotations: &Annotations,
    ) -> Option<&'static str> {
        let Ok(applied) = minicbor::decode::<Command>(command) else {
            return Some("command");
        };
        let own = &self.annotations;
        applied.differing_field(&self.command).or_else(|| {
            [
                (
                    own.external_id != annotations.external_id,
                    "annotations.external_id",
                ),
                (own.metadata != annotations.metadata, "annotations.metadata"),
                (
                    own.occurred_at != annotations.occurred_at,
                    "annotations.occur_time",
                ),
                (own.person != annotations.person, "annotations.person"),
                (own.reason != annotations.reason, "annotations.reason"),
            ]
            .into_iter()
            .find_map(|(differs, field)| differs.then_some(field))
        })
    }
}

/// Encodes a value of this crate as CBOR.
#[must_use]
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    // Writing to memory cannot fail, and no encoder here makes an error of its
    // own.
    let result = minicbor::encode(value, &mut bytes);
    debug_assert!(result.is_ok(), "encoding to memory does not fail");
    bytes
}
