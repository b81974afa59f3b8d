//! Questions about accounts.

use std::time::Instant;

use ledger_core::{
    Name, Timestamp,
    catalog::{Attributes, Language},
    command::AssetAmount,
};
use ledger_proto::v1;
use tonic::Status;

use super::{
    Fields,
    caller::Caller,
    command::{EXPLICIT_PRICE, attributes, check_priced, quantity},
};
use crate::grpc::{
    names::AccountName,
    tokens::{self, Consistency},
};

/// A question about one account.
#[derive(Clone, Debug)]
pub(in crate::grpc) struct Reading {
    /// The account.
    pub(in crate::grpc) name: AccountName,
    /// The write that has to be seen.
    pub(in crate::grpc) token: Option<Consistency>,
    /// Until when the answer is of use.
    pub(in crate::grpc) deadline: Instant,
}

impl Reading {
    /// Reads a question that has only an account and a token.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(in crate::grpc) fn parse(
        account: String,
        token: &str,
        deadline: Instant,
    ) -> Result<Self, Status> {
        let mut fields = Fields::default();
        let reading = fields.reading(account, token, deadline);
        fields.finish()?;
        Ok(reading)
    }
}

impl Fields {
    /// A question about one account, of which there is more to read.
    pub(in crate::grpc) fn reading(
        &mut self,
        account: String,
        token: &str,
        deadline: Instant,
    ) -> Reading {
        let name = self.account("account", account);
        Reading {
            token: self.consistency_token(name.book(), token),
            name,
            deadline,
        }
    }

    /// The write of the book that has to be seen. An unreadable book is empty.
    pub(in crate::grpc) fn consistency_token(
        &mut self,
        book: &str,
        token: &str,
    ) -> Option<Consistency> {
        if token.is_empty() {
            return None;
        }
        let owner = (!book.is_empty()).then(|| tokens::owner_of_book(book));
        Consistency::parse(token, owner)
            .inspect_err(|problem| self.refuse("consistency_token", *problem))
            .ok()
    }

    /// The book of a read.
    pub(in crate::grpc) fn book_of_read(&mut self, name: &str) -> String {
        self.book("book", name)
    }

    /// A past state.
    pub(in crate::grpc) fn as_of(
        &mut self,
        time: Option<prost_types::Timestamp>,
        position: i64,
    ) -> Option<AsOf> {
        let is_single = time.is_none() || position == 0;
        self.check(is_single, "as_of_position", "must be unset beside `as_of`");
        self.at_least("as_of_position", position, 0);
        let time = self.time("as_of", time).map(AsOf::Time);
        let position = u64::try_from(position).ok().filter(|number| *number > 0);
        time.or(position.map(AsOf::Position))
    }

    /// The language of texts for users; Russian if it is not said.
    pub(in crate::grpc) fn language(&mut self, field: &str, language: i32) -> Language {
        match v1::Language::try_from(language) {
            Ok(v1::Language::Unspecified | v1::Language::Ru) => Language::Ru,
            Ok(v1::Language::En) => Language::En,
            Err(_) => {
                self.refuse(field, "is no language that this service knows");
                Language::Ru
            }
        }
    }

    /// The accounts of a batch read, all in its book, which are few enough.
    pub(in crate::grpc) fn accounts_of(
        &mut self,
        book: &str,
        names: Vec<String>,
        max: usize,
    ) -> Vec<AccountName> {
        let is_sized = (1..=max).contains(&names.len());
        self.check(is_sized, "accounts", "must be 1 to 1000 accounts");
        let mut accounts = Vec::with_capacity(names.len().min(max));
        for (index, name) in names.into_iter().take(max).enumerate() {
            match AccountName::parse(name) {
                Some(name) if name.book() == book || book.is_empty() => accounts.push(name),
                Some(_) => {
                    let field = format!("accounts[{index}]");
                    self.refuse(&field, "must be an account of the call's book");
                }
                None => {
                    let field = format!("accounts[{index}]");
                    self.refuse(&field, crate::grpc::names::ACCOUNT_RULE);
                }
            }
        }
        accounts
    }

    /// The asset that a list is filtered or ordered by, if it is.
    pub(in crate::grpc) fn asset_filter(&mut self, field: &str, id: &str) {
        if !id.is_empty() {
            self.asset(field, id);
        }
    }

    /// The origin that something is filtered by, if it is.
    pub(in crate::grpc) fn origin_filter(&mut self, field: &str, origin: String) -> Option<Name> {
        if origin.is_empty() {
            return None;
        }
        Some(self.origin(field, origin))
    }

    /// A moment in a filter.
    pub(in crate::grpc) fn filter_time(
        &mut self,
        field: &str,
        time: Option<prost_types::Timestamp>,
    ) -> Option<Timestamp> {
        // Events and accounts have times to the microsecond: what is at or
        // after a finer moment is at or after the next whole one.
        let cuts_off = time.is_some_and(|time| time.nanos % 1_000 != 0);
        let cut = self.time(field, time)?;
        Some(if cuts_off { cut.plus_us(1) } else { cut })
    }
}

/// Which past state of an account is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::grpc) enum AsOf {
    /// As it was at a moment.
    Time(Timestamp),
    /// As it was when the book's event at this position was recorded.
    Position(u64),
}

/// What a price is asked for.
#[derive(Clone, Debug)]
pub(in crate::grpc) struct Order {
    /// The operation.
    pub(in crate::grpc) operation: Option<Name>,
    /// How many of it.
    pub(in crate::grpc) quantity: i64,
    /// A price of the caller's own.
    pub(in crate::grpc) explicit_price: Option<AssetAmount>,
    /// What is said about it.
    pub(in crate::grpc) attributes: Attributes,
    /// Who asks.
    pub(in crate::grpc) origin: Name,
}

/// Reads what a price is asked for.
pub(in crate::grpc) fn order(
    asked: v1::QuoteChargeRequest,
    caller: Caller,
    fields: &mut Fields,
) -> Order {
    let operation = fields.operation("operation", asked.operation);
    let explicit_price = fields.amount(&EXPLICIT_PRICE, asked.explicit_price, 0);
    check_priced(operation.as_ref(), explicit_price.as_ref(), fields);
    Order {
        operation,
        quantity: quantity(asked.quantity, fields),
        explicit_price,
        attributes: attributes(asked.attributes, fields),
        origin: caller.origin(fields),
    }
}
