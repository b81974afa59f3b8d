//! What waits in a book's queue.

use std::{sync::Arc, time::Instant};

use ledger_core::{Account, Command, Name, Request, RequestId, Timestamp, event::ProviderId};
use tokio::sync::oneshot;

use super::{
    Answer, CatalogInForce, EngineError, ItemError,
    log::{call_hash, request_hash},
};
use crate::store::{ExternalId, Hash, Head, RequestKey};

/// A call that changes accounts: one request, or the items of a batch call.
#[derive(Debug)]
pub struct Call {
    /// The requests, decided in order in one append.
    pub requests: Vec<Request>,
    /// How.
    pub options: CallOptions,
}

/// How a call is carried out.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallOptions {
    /// All checks, nothing written.
    pub validate_only: bool,
    /// All requests or none; the id of the call.
    pub atomic: Option<RequestId>,
    /// The caller's deadline: honoured before the append, never after.
    pub deadline: Option<Instant>,
}

/// What a call is answered with: one result a request, in order.
pub type CallResult = Result<Vec<Result<Answer, ItemError>>, EngineError>;

/// Accounts as they stand at one head.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The head.
    pub head: Head,
    /// The time that the snapshot holds for.
    pub now: Timestamp,
    /// The catalog in force.
    pub catalog: Arc<CatalogInForce>,
    /// The accounts, in the order of the question; one that has no events is
    /// the default account. What is due is not yet ended: see
    /// `ledger_core::decide::at_present`.
    pub accounts: Vec<Arc<Account>>,
}

/// A request with what the writer needs of it, made by the caller's task so
/// that the writer has less to do.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) request: Request,
    /// The key of its idempotency; absent on what the ledger does by itself.
    pub(super) key: Option<RequestKey>,
    /// The encoded command.
    pub(super) encoded: Vec<u8>,
    /// The hash of the canonical request.
    pub(super) hash: Hash,
    /// The ids of providers that it brings: it claims those that nobody has
    /// claimed, and the others say which payment it is about.
    pub(super) external_ids: Vec<ExternalId>,
    /// An id of a provider that only says which payment it is about.
    pub(super) payment_id: Option<ExternalId>,
}

impl Prepared {
    pub(super) fn new(request: Request) -> Self {
        let encoded = request.encoded_command();
        let hash = request_hash(&encoded, &request.annotations);
        let key = request.request_id.map(|request_id| RequestKey {
            account: request.account.clone(),
            request_id,
        });
        let external_ids = external_ids(&request.command);
        let payment_id = payment_id(&request.command);
        Self {
            request,
            key,
            encoded,
            hash,
            external_ids,
            payment_id,
        }
    }

    /// The ids of providers that have to be looked up before it is decided.
    pub(super) fn looked_up_ids(&self) -> impl Iterator<Item = &ExternalId> {
        self.external_ids.iter().chain(&self.payment_id)
    }
}

fn external_ids(command: &Command) -> Vec<ExternalId> {
    let (provider, merchant_account, ids) = match command {
        Command::RecordPayment(payment) => (
            &payment.provider,
            &payment.merchant_account,
            &payment.provider_ids,
        ),
        Command::RecordRefund(refund) => (
            &refund.provider,
            &refund.merchant_account,
            &refund.provider_ids,
        ),
        _ => return Vec::new(),
    };
    let named = |id: &ProviderId| ExternalId {
        provider: provider.clone(),
        merchant_account: merchant_account.clone(),
        kind: id.kind.clone(),
        id: id.id.clone(),
    };
    ids.iter().map(named).collect()
}

fn payment_id(command: &Command) -> Option<ExternalId> {
    let Command::RecordRefund(refund) = command else {
        return None;
    };
    Some(ExternalId {
        provider: refund.provider.clone(),
        merchant_account: refund.merchant_account.clone(),
        kind: "payment".into(),
        id: refund.payment_id.clone()?,
    })
}

/// A call in the queue.
pub(super) struct PendingCall {
    pub(super) items: Vec<Prepared>,
    pub(super) options: CallOptions,
    pub(super) reply: oneshot::Sender<CallResult>,
}

impl PendingCall {
    /// Whether it is a dry run of several requests, which are decided one on top
    /// of the other.
    pub(super) fn is_dry_batch(&self) -> bool {
        self.options.validate_only && self.items.len() > 1
    }

    /// The key and hash of an atomic call as a whole.
    pub(super) fn atomic_key(&self) -> Option<(RequestKey, Hash)> {
        let request_id = self.options.atomic?;
        let items = self.items.iter().filter_map(|item| {
            let id = item.request.request_id?;
            Some((item.request.account.as_str(), id, item.hash))
        });
        let account = ledger_core::event::HOUSE.into();
        Some((
            RequestKey {
                account,
                request_id,
            },
            call_hash(items),
        ))
    }
}

/// A question in the queue.
pub(super) struct PendingRead {
    pub(super) accounts: Vec<Name>,
    pub(super) deadline: Option<Instant>,
    pub(super) reply: oneshot::Sender<Result<Snapshot, EngineError>>,
}

/// What waits in a book's queue.
pub(super) enum Job {
    /// A call that changes accounts.
    Call(PendingCall),
    /// A question about accounts.
    Read(PendingRead),
}

/// Whether a deadline has passed.
pub(super) fn has_passed(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline <= Instant::now())
}
