//! Batch calls: many requests of one kind in one append.

use ledger_core::{Name, Timestamp};
use ledger_proto::v1;
use tonic::Status;

use super::{
    Caller, Enveloped, Fields,
    mutation::{Item, ReadCommand},
};
use crate::{
    engine::{Call, CallOptions},
    limits::BATCH_CALL_ITEMS_MAX,
};

/// A batch call of any kind.
pub(in crate::grpc) struct Batch<R> {
    book: String,
    requests: Vec<R>,
    atomic: bool,
    request_id: String,
    validate_only: bool,
    expire_time: Option<prost_types::Timestamp>,
}

macro_rules! batches {
    ($($message:ident of $item:ident;)*) => {
        $(impl From<v1::$message> for Batch<v1::$item> {
            fn from(message: v1::$message) -> Self {
                let v1::$message { book, requests, atomic, request_id, validate_only, expire_time } =
                    message;
                Self { book, requests, atomic, request_id, validate_only, expire_time }
            }
        })*
    };
}

batches! {
    BatchCreditRequest of CreditRequest;
    BatchChargeRequest of ChargeRequest;
}

/// A batch call that was read.
#[derive(Debug)]
pub(in crate::grpc) struct ParsedBatch {
    /// The book.
    pub(in crate::grpc) book: String,
    /// The bare ids of the items' accounts.
    pub(in crate::grpc) accounts: Vec<Name>,
    /// The call.
    pub(in crate::grpc) call: Call,
}

/// Reads a batch call.
///
/// # Errors
/// All that is wrong with it and its items.
pub(in crate::grpc) fn batch<R: Enveloped>(
    batch: Batch<R>,
    caller: Caller,
    now: Timestamp,
    read: ReadCommand<R>,
) -> Result<ParsedBatch, Status> {
    let mut fields = Fields::default();
    let book = fields.book("book", &batch.book);
    let is_sized = (1..=BATCH_CALL_ITEMS_MAX).contains(&batch.requests.len());
    fields.check(is_sized, "requests", "must be 1 to 1000 items");
    let needless = batch.atomic || batch.request_id.is_empty();
    fields.check(
        needless,
        "request_id",
        "must be empty unless `atomic` is set",
    );
    let atomic = batch
        .atomic
        .then(|| fields.request_id("request_id", &batch.request_id));
    let expires_at = fields.time("expire_time", batch.expire_time);
    let options = CallOptions {
        validate_only: batch.validate_only,
        atomic,
        deadline: Some(caller.deadline()),
    };
    let origin = caller.origin(&mut fields);
    let mut call = Call {
        requests: Vec::with_capacity(batch.requests.len()),
        options,
    };
    let mut accounts = Vec::with_capacity(batch.requests.len());
    // More than may be sent are not looked at one by one.
    for (index, mut message) in batch
        .requests
        .into_iter()
        .take(BATCH_CALL_ITEMS_MAX)
        .enumerate()
    {
        fields.enter_item(Some(index));
        let envelope = message.envelope();
        fields.check(
            !envelope.validate_only,
            "validate_only",
            "must be set on the call only",
        );
        let has_own_time = envelope.expire_time.is_some();
        fields.check(!has_own_time, "expire_time", "must be set on the call only");
        let item = Item {
            envelope,
            origin: origin.clone(),
            expires_at,
        };
        let (name, request) = item.read(message, now, read, &mut fields);
        let is_inside = name.book() == book || name.book().is_empty() || book.is_empty();
        fields.check(
            is_inside,
            "account",
            "must be an account of the call's book",
        );
        accounts.push(request.account.clone());
        call.requests.push(request);
    }
    fields.enter_item(None);
    fields.finish()?;
    Ok(ParsedBatch {
        book,
        accounts,
        call,
    })
}
