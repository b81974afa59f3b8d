//! What all mutations have in common: the account, the id, and how the request
//! is to be carried out.

use ledger_core::{Command, Name, Request, Timestamp, event::Annotations};
use ledger_proto::v1;
use tonic::Status;

use super::{Caller, Fields};
use crate::{
    engine::{Call, CallOptions},
    grpc::names::AccountName,
};

/// The fields that every mutation has.
#[derive(Debug, Default)]
pub(in crate::grpc) struct Envelope {
    pub(super) account: String,
    /// The message names a book: what it changes is the house's.
    pub(super) is_of_book: bool,
    pub(super) request_id: String,
    pub(super) validate_only: bool,
    pub(super) expire_time: Option<prost_types::Timestamp>,
    pub(super) annotations: Option<v1::Annotations>,
}

/// A message of a mutation.
pub(in crate::grpc) trait Enveloped {
    /// Takes the fields out that every mutation has.
    fn envelope(&mut self) -> Envelope;
}

macro_rules! enveloped {
    ($($message:ident)*) => {
        $(impl Enveloped for v1::$message {
            fn envelope(&mut self) -> Envelope {
                Envelope {
                    account: std::mem::take(&mut self.account),
                    is_of_book: false,
                    request_id: std::mem::take(&mut self.request_id),
                    validate_only: self.validate_only,
                    expire_time: self.expire_time.take(),
                    annotations: self.annotations.take(),
                }
            }
        })*
    };
}

enveloped! {
    OpenAccountRequest CloseAccountRequest BlockAccountRequest UnblockAccountRequest CreditRequest
    ChargeRequest PlaceHoldRequest ExtendHoldRequest CaptureHoldRequest ReleaseHoldRequest
    RefundRequest TransferRequest AdjustRequest CreatePaymentRequest RecordPaymentRequest
    RefundPaymentRequest RecordRefundRequest StartSubscriptionRequest CancelSubscriptionRequest
    ResumeSubscriptionRequest
}

impl Enveloped for v1::ApplyCatalogRequest {
    fn envelope(&mut self) -> Envelope {
        Envelope {
            account: std::mem::take(&mut self.book),
            is_of_book: true,
            request_id: std::mem::take(&mut self.request_id),
            validate_only: self.validate_only,
            expire_time: self.expire_time.take(),
            annotations: self.annotations.take(),
        }
    }
}

/// What a command's own fields may be compared with.
#[derive(Clone, Copy, Debug)]
pub(in crate::grpc) struct Setting<'a> {
    /// The book of the account; empty if the account cannot be read.
    pub(super) book: &'a str,
    /// What the caller says about the request.
    pub(super) annotations: &'a Annotations,
}

/// Reads a command's own fields.
pub(in crate::grpc) type ReadCommand<R> = fn(R, Setting<'_>, &mut Fields) -> Command;

/// Reads a mutation.
///
/// # Errors
/// All that is wrong with it.
pub(in crate::grpc) fn mutation<R: Enveloped>(
    mut message: R,
    caller: Caller,
    now: Timestamp,
    read: ReadCommand<R>,
) -> Result<(AccountName, Call), Status> {
    let mut fields = Fields::default();
    let envelope = message.envelope();
    let options = CallOptions {
        validate_only: envelope.validate_only,
        atomic: None,
        deadline: Some(caller.deadline()),
    };
    let origin = caller.origin(&mut fields);
    let expires_at = fields.time("expire_time", envelope.expire_time);
    let (name, request) = Item {
        envelope,
        origin,
        expires_at,
    }
    .read(message, now, read, &mut fields);
    fields.finish()?;
    Ok((
        name,
        Call {
            requests: vec![request],
            options,
        },
    ))
}

/// One request, with what its call says for it.
pub(super) struct Item {
    pub(super) envelope: Envelope,
    pub(super) origin: Name,
    pub(super) expires_at: Option<Timestamp>,
}

impl Item {
    pub(super) fn read<R>(
        self,
        message: R,
        now: Timestamp,
        read: ReadCommand<R>,
        fields: &mut Fields,
    ) -> (AccountName, Request) {
        let Envelope {
            account,
            is_of_book,
            request_id,
            annotations,
            ..
        } = self.envelope;
        let name = if is_of_book {
            fields.house("book", &account)
        } else {
            fields.own_account("account", account)
        };
        let request_id = fields.request_id("request_id", &request_id);
        let annotations = fields.annotations(annotations, now);
        let setting = Setting {
            book: name.book(),
            annotations: &annotations,
        };
        let command = read(message, setting, fields);
        let request = Request {
            account: name.account().into(),
            request_id: Some(request_id),
            origin: self.origin,
            annotations,
            expires_at: self.expires_at,
            command,
        };
        (name, request)
    }
}
