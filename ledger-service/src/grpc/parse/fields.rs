//! The fields of a request, one by one. What is wrong with them is collected,
//! and a value that can be gone on with is given all the same; nothing of it
//! is used, because [`Fields::finish`] fails then.

use ledger_core::{
    Money, Name, RequestId, Timestamp,
    command::{AssetAmount, Target},
};
use ledger_proto::v1;
use prost_types::Duration;
use tonic::Status;
use tonic_types::FieldViolation;
use uuid::Uuid;

use super::text;
use crate::grpc::{names, names::AccountName, status};

/// 0001-01-01T00:00:00Z, in seconds.
const SECONDS_MIN: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z, in seconds.
const SECONDS_MAX: i64 = 253_402_300_799;
/// Seconds within ±[`SECONDS_MAX`] fit in an `i64` of microseconds.
const US_PER_SECOND: i64 = 1_000_000;

pub(super) const REQUIRED: &str = "is required";
pub(super) const NOT_NEGATIVE: &str = "must be 0 or more";
pub(super) const ABOVE_ZERO: &str = "must be above 0";
const REQUEST_ID_RULE: &str =
    "must be a UUID (RFC 9562) in its 36 characters, neither the nil nor the max one";
const TIME_RULE: &str = "must be between the years 1 and 9999, nanos between 0 and 999999999";

/// Collects what is wrong with the fields of a request.
#[derive(Debug, Default)]
pub(in crate::grpc) struct Fields {
    violations: Vec<FieldViolation>,
    /// The item of a batch that is being read.
    item: Option<usize>,
}

impl Fields {
    /// Paths begin with `requests[item].` from here on, until the next call.
    pub(super) fn enter_item(&mut self, item: Option<usize>) {
        self.item = item;
    }

    /// Something is wrong.
    pub(in crate::grpc) fn refuse(&mut self, field: &str, description: impl Into<String>) {
        let path = match self.item {
            Some(item) => format!("requests[{item}].{field}"),
            None => field.to_owned(),
        };
        self.violations.push(FieldViolation::new(path, description));
    }

    /// Something is wrong, unless `is_right`.
    pub(super) fn check(&mut self, is_right: bool, field: &str, description: &str) {
        if !is_right {
            self.refuse(field, description);
        }
    }

    /// The end of the request.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(in crate::grpc) fn finish(self) -> Result<(), Status> {
        if self.violations.is_empty() {
            Ok(())
        } else {
            Err(status::invalid(self.violations))
        }
    }

    /// The book that a request names.
    pub(super) fn book(&mut self, field: &str, name: &str) -> String {
        match names::parse_book(name) {
            Some(book) => book.to_owned(),
            None => {
                self.refuse(field, names::BOOK_RULE);
                String::new()
            }
        }
    }

    /// The account that a read names.
    pub(super) fn account(&mut self, field: &str, name: String) -> AccountName {
        AccountName::parse(name).unwrap_or_else(|| {
            self.refuse(field, names::ACCOUNT_RULE);
            AccountName::default()
        })
    }

    /// The account that a mutation names: none of the book's own.
    pub(super) fn own_account(&mut self, field: &str, name: String) -> AccountName {
        let name = self.account(field, name);
        self.check(!name.is_reserved(), field, names::RESERVED_RULE);
        name
    }

    /// The account of facts about the book that a mutation names.
    pub(super) fn house(&mut self, field: &str, book: &str) -> AccountName {
        let book = self.book(field, book);
        let house = names::account_name(&book, ledger_core::event::HOUSE);
        AccountName::parse(house).unwrap_or_default()
    }

    /// A version; nothing if it is 0, which stands for the present one.
    pub(in crate::grpc) fn version(&mut self, field: &str, version: i64) -> Option<u64> {
        self.at_least(field, version, 0);
        u64::try_from(version).ok().filter(|version| *version > 0)
    }

    /// A bot or service.
    pub(in crate::grpc) fn origin(&mut self, field: &str, origin: String) -> Name {
        self.check(text::is_origin(&origin), field, text::ORIGIN_RULE);
        origin.into()
    }

    pub(super) fn request_id(&mut self, field: &str, id: &str) -> RequestId {
        // Other spellings that the uuid crate reads are not of the RFC, or not
        // what other clients read.
        let parsed = Some(id)
            .filter(|id| id.len() == 36)
            .and_then(|id| Uuid::try_parse(id).ok());
        match parsed {
            Some(id) if !id.is_nil() && !id.is_max() => RequestId(id.into_bytes()),
            _ => {
                self.refuse(
                    field,
                    if id.is_empty() {
                        REQUIRED
                    } else {
                        REQUEST_ID_RULE
                    },
                );
                RequestId([0; 16])
            }
        }
    }

    /// A moment, to the microsecond; what is finer is cut off.
    pub(super) fn time(
        &mut self,
        field: &str,
        time: Option<prost_types::Timestamp>,
    ) -> Option<Timestamp> {
        let time = time?;
        let is_right = (SECONDS_MIN..=SECONDS_MAX).contains(&time.seconds)
            && (0..1_000_000_000).contains(&time.nanos);
        if !is_right {
            self.refuse(field, TIME_RULE);
            return None;
        }
        Some(Timestamp(
            time.seconds * US_PER_SECOND + i64::from(time.nanos / 1_000),
        ))
    }

    /// A span of time in microseconds, between two bounds.
    pub(super) fn duration(
        &mut self,
        field: &str,
        duration: Option<Duration>,
        (min_us, max_us): (i64, i64),
        rule: &str,
    ) -> Option<i64> {
        let duration = duration?;
        let us = duration
            .seconds
            .checked_mul(US_PER_SECOND)
            .and_then(|us| us.checked_add(i64::from(duration.nanos) / 1_000))
            .filter(|us| (min_us..=max_us).contains(us));
        self.check(us.is_some(), field, rule);
        us
    }

    pub(super) fn asset(&mut self, field: &str, id: &str) {
        self.check(text::is_asset(id), field, text::ASSET_RULE);
    }

    /// An operation; nothing if it is not said.
    pub(super) fn operation(&mut self, field: &str, id: String) -> Option<Name> {
        if id.is_empty() {
            return None;
        }
        self.check(text::is_operation(&id), field, text::OPERATION_RULE);
        Some(id.into())
    }

    /// A quantity of one asset, at least `min`; nothing if it is not said.
    pub(super) fn amount(
        &mut self,
        field: &'static AmountField,
        amount: Option<v1::AssetAmount>,
        min: i64,
    ) -> Option<AssetAmount> {
        let v1::AssetAmount { asset, amount } = amount?;
        self.asset(field.unit, &asset);
        self.at_least(field.amount, amount, min);
        Some(AssetAmount {
            asset: asset.into(),
            amount,
        })
    }

    /// An amount of money, at least `min`; nothing if it is not said.
    pub(super) fn money(
        &mut self,
        field: &'static AmountField,
        money: Option<v1::Money>,
        min: i64,
    ) -> Option<Money> {
        let v1::Money { currency, amount } = money?;
        self.check(
            text::is_currency(&currency),
            field.unit,
            text::CURRENCY_RULE,
        );
        self.at_least(field.amount, amount, min);
        Some(Money {
            currency: currency.into(),
            amount,
        })
    }

    /// A number that is at least `min`, which is 0 or 1.
    pub(super) fn at_least(&mut self, field: &str, number: i64, min: i64) {
        self.check(
            number >= min,
            field,
            if min > 0 { ABOVE_ZERO } else { NOT_NEGATIVE },
        );
    }

    /// An earlier event of the book, or the request that made it.
    pub(super) fn target(&mut self, book: &str, target: &TargetField) -> Target {
        match target {
            TargetField::Event(field, name) => match names::parse_event(name) {
                // An unreadable account has no book to compare with.
                Some((own, position)) if own == book || book.is_empty() => {
                    return Target::Position(position);
                }
                Some(_) => self.refuse(field, "must be an event of the account's book"),
                None => self.refuse(field, names::EVENT_RULE),
            },
            TargetField::Request(field, id) => return Target::Request(self.request_id(field, id)),
            TargetField::Missing(field) => {
                self.refuse(
                    field,
                    format!("one of `{field}` and `{field}_request_id` is required"),
                );
            }
        }
        Target::Position(0)
    }
}

/// The paths of an amount's parts.
#[derive(Debug)]
pub(super) struct AmountField {
    /// The amount as a whole.
    pub(super) whole: &'static str,
    /// Its asset or currency.
    pub(super) unit: &'static str,
    /// Its number.
    pub(super) amount: &'static str,
}

/// How a request names an earlier event, with the path of the field.
pub(super) enum TargetField {
    /// By the event's name.
    Event(&'static str, String),
    /// By the request that made it.
    Request(&'static str, String),
    /// Not at all.
    Missing(&'static str),
}
