//! Requests that are wrong: each gets its own clear error, with every field
//! that is wrong, and nothing is written.
#![cfg(test)]

use e2e_tests::{
    Backend, Ledger,
    billing::BOOK,
    client::{account, charge, credit, fields, fresh_account, fresh_request, head, reason, rub},
    in_workspace,
    ledger::Options,
    on_both_backends,
};
use futures::future::BoxFuture;
use ledger_proto::v1::{
    AdjustRequest, Annotations, AssetAmount, BatchChargeRequest, BatchCreditRequest,
    BatchGetBalancesRequest, BlockAccountRequest, CaptureHoldRequest, ChargeRequest,
    CheckAccessRequest, CloseAccountRequest, CreditRequest, EventFilter, ExtendHoldRequest,
    GetBalanceRequest, GetEventRequest, ListAccountsRequest, ListEventsRequest, ListLotsRequest,
    Money, PaymentStatus, PlaceHoldRequest, ProviderId, QuoteChargeRequest, Reason,
    RecordPaymentRequest, RefundRequest, ReleaseHoldRequest, TransferRequest,
    UnblockAccountRequest, adjust_request, capture_hold_request, extend_hold_request,
    list_accounts_request, refund_request, release_hold_request,
};
use std::fs;
use tempfile::TempDir;
use tonic::{
    Code::{self, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound},
    Request, Status,
};
use tonic_types::StatusExt as _;

const INVALID: &str = "INVALID_REQUEST";
const NO_FIELDS: &[&str] = &[];

/// A call that must be refused.
struct Case {
    what: &'static str,
    call: BoxFuture<'static, Result<String, Status>>,
    code: Code,
    reason: &'static str,
    fields: &'static [&'static str],
}

/// `cases![ledger; "what": client.method(request) => Code, REASON, FIELDS; …]`
macro_rules! cases {
    ($ledger:expr; $($what:literal: $client:ident.$method:ident($request:expr) => $code:expr, $reason:expr, $fields:expr;)*) => {
        vec![$({
            let mut client = $ledger.$client();
            let request = $request;
            let call = async move {
                client.$method(request).await.map(|answer| format!("{answer:?}"))
            };
            Case { what: $what, call: Box::pin(call), code: $code, reason: $reason, fields: $fields }
        }),*]
    };
}

/// Makes the calls, and sees that each is refused as it says and writes nothing.
async fn all_are_refused(ledger: &Ledger, cases: Vec<Case>) {
    let before = head(ledger).await;
    let mut wrong = Vec::new();
    for case in cases {
        let what = case.what;
        match case.call.await {
            Ok(answer) => wrong.push(format!("{what}: answered {answer}")),
            Err(status) => {
                let found = (status.code(), reason(&status), fields(&status));
                let mut expected: Vec<String> = case
                    .fields
                    .iter()
                    .map(|field| (*field).to_owned())
                    .collect();
                expected.sort();
                if found != (case.code, case.reason.to_owned(), expected.clone()) {
                    let (code, reason) = (case.code, case.reason);
                    wrong.push(format!(
                        "{what}: {found:?} instead of {code:?} {reason} {expected:?}: {}",
                        status.message()
                    ));
                }
                let details = status.get_error_details();
                let domain = details.error_info().map(|info| info.domain.as_str());
                if domain != Some("ledger") || status.message().is_empty() {
                    wrong.push(format!("{what}: domain or message is missing: {status:?}"));
                }
            }
        }
        let now = head(ledger).await;
        if now != before {
            wrong.push(format!("{what}: something was written up to {now}"));
            break;
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

async fn start(backend: Backend) -> (Ledger, e2e_tests::Database) {
    let database = backend.database().await;
    let ledger = Ledger::start(&Options::media_lab(&database.url)).await;
    (ledger, database)
}

/// A credit with something changed.
fn credit_with(change: impl FnOnce(&mut CreditRequest)) -> CreditRequest {
    let mut request = credit(&account("tg:1"), 1_000);
    change(&mut request);
    request
}

/// A charge with something changed.
fn charge_with(change: impl FnOnce(&mut ChargeRequest)) -> ChargeRequest {
    let mut request = charge(&account("tg:1"), 1_000);
    change(&mut request);
    request
}

/// A credit with something said about it.
fn annotated(change: impl FnOnce(&mut Annotations)) -> CreditRequest {
    credit_with(|request| change(request.annotations.get_or_insert_default()))
}

fn metadata(key: &str, value: &str) -> CreditRequest {
    annotated(|annotations| {
        annotations
            .metadata
            .insert(key.to_owned(), value.to_owned());
    })
}

fn amount(asset: &str, amount: i64) -> Option<AssetAmount> {
    Some(AssetAmount {
        asset: asset.to_owned(),
        amount,
    })
}

fn operation(name: &str) -> ChargeRequest {
    charge_with(|request| {
        request.operation = name.to_owned();
        request.explicit_price = None;
    })
}

fn hold() -> PlaceHoldRequest {
    PlaceHoldRequest {
        account: account("tg:1"),
        request_id: fresh_request(),
        operation: "generate".to_owned(),
        ..Default::default()
    }
}

fn payment(change: impl FnOnce(&mut RecordPaymentRequest)) -> RecordPaymentRequest {
    let id = ProviderId {
        kind: "payment".to_owned(),
        id: fresh_request(),
    };
    let mut request = RecordPaymentRequest {
        account: account("tg:1"),
        request_id: fresh_request(),
        provider: "yookassa".to_owned(),
        merchant_account: "100500".to_owned(),
        provider_ids: vec![id],
        amount: Some(Money {
            currency: "RUB".to_owned(),
            amount: 49_900,
        }),
        status: PaymentStatus::Succeeded.into(),
        ..Default::default()
    };
    change(&mut request);
    request
}

on_both_backends! {
    async fn names_that_are_none_are_refused(backend: Backend) {
        let (ledger, _database) = start(backend).await;
        let named = |name: &str| credit(name, 1_000);
        let cases = cases![ledger;
            "no name": ledger.credit(named("")) => InvalidArgument, INVALID, &["account"];
            "no book": ledger.credit(named("accounts/tg:1")) => InvalidArgument, INVALID, &["account"];
            "a bad book": ledger.credit(named("books/Media/accounts/a")) => InvalidArgument, INVALID, &["account"];
            "an unknown book": ledger.credit(named("books/nobody/accounts/a")) => NotFound, "BOOK_NOT_FOUND", NO_FIELDS;
            "an unknown book of a read": accounts.get_balance(GetBalanceRequest { account: "books/nobody/accounts/a".into(), ..Default::default() }) => NotFound, "BOOK_NOT_FOUND", NO_FIELDS;
            "an unknown book of a list": events.list_events(ListEventsRequest { book: "books/nobody".into(), ..Default::default() }) => NotFound, "BOOK_NOT_FOUND", NO_FIELDS;
            "a space": ledger.credit(named(&account("a b"))) => InvalidArgument, INVALID, &["account"];
            "a slash": ledger.credit(named(&account("a/b"))) => InvalidArgument, INVALID, &["account"];
            "a letter that is not ASCII": ledger.credit(named(&account("ё"))) => InvalidArgument, INVALID, &["account"];
            "U+0000": ledger.credit(named(&account("a\0"))) => InvalidArgument, INVALID, &["account"];
            "too long": ledger.credit(named(&account(&"a".repeat(129)))) => InvalidArgument, INVALID, &["account"];
            "the book's own account": ledger.credit(named(&account("@house"))) => InvalidArgument, INVALID, &["account"];
            "no request id": ledger.credit(credit_with(|r| r.request_id.clear())) => InvalidArgument, INVALID, &["request_id"];
            "a request id that is no UUID": ledger.credit(credit_with(|r| r.request_id = "task-77".into())) => InvalidArgument, INVALID, &["request_id"];
            "a request id in braces": ledger.credit(credit_with(|r| r.request_id = format!("{{{}}}", r.request_id))) => InvalidArgument, INVALID, &["request_id"];
            "the nil UUID": ledger.credit(credit_with(|r| r.request_id = "00000000-0000-0000-0000-000000000000".into())) => InvalidArgument, INVALID, &["request_id"];
            "no event": events.get_event(GetEventRequest { name: "books/media-lab/events/0".into(), ..Default::default() }) => InvalidArgument, INVALID, &["name"];
            "an event that is not there yet": events.get_event(GetEventRequest { name: "books/media-lab/events/999999".into(), ..Default::default() }) => NotFound, "EVENT_NOT_FOUND", NO_FIELDS;
            "everything wrong": ledger.credit(CreditRequest {
                account: "x".into(), request_id: "x".into(), funding: 99, source: "x y".into(), priority: 1001,
                amount: amount("rub", -1), scope: vec!["Not An Operation".into()],
                cost_basis: Some(Money { currency: "rub".into(), amount: -1 }),
                lot_expire_time: Some(prost_types::Timestamp { seconds: i64::MAX, nanos: -1 }),
                annotations: Some(Annotations { external_id: "x".repeat(129), ..Default::default() }),
                ..Default::default()
            }) => InvalidArgument, INVALID, &[
                "account", "amount.amount", "amount.asset", "annotations.external_id",
                "cost_basis", "cost_basis.amount", "cost_basis.currency", "funding",
                "lot_expire_time", "priority", "request_id", "scope", "source",
            ];
        ];
        all_are_refused(&ledger, cases).await;
    }

    async fn amounts_that_cannot_be_are_refused(backend: Backend) {
        let (ledger, _database) = start(backend).await;
        let of = |a| credit_with(|r| r.amount = a);
        let priced = |a| charge_with(|r| r.explicit_price = a);
        let ordered = |q| { let mut r = operation("generate"); r.quantity = q; r };
        let delta = |d| AdjustRequest {
            account: account("tg:1"), request_id: fresh_request(), asset: "RUB".into(),
            annotations: Some(Annotations {
                person: "anna".into(),
                reason: Some(Reason { code: "TEST".into(), text: String::new() }),
                ..Default::default()
            }),
            change: Some(adjust_request::Change::Delta(d)),
            ..Default::default()
        };
        let paid = |currency: &str, a| payment(|r| r.amount = Some(Money { currency: currency.into(), amount: a }));
        let cases = cases![ledger;
            "no amount": ledger.credit(of(None)) => InvalidArgument, INVALID, &["amount"];
            "zero": ledger.credit(of(amount("RUB", 0))) => InvalidArgument, INVALID, &["amount.amount"];
            "below zero": ledger.credit(of(amount("RUB", -1))) => InvalidArgument, INVALID, &["amount.amount"];
            "the smallest number": ledger.credit(of(amount("RUB", i64::MIN))) => InvalidArgument, INVALID, &["amount.amount"];
            "above the bound": ledger.credit(of(amount("RUB", 1_000_000_000_000_001))) => InvalidArgument, "AMOUNT_TOO_LARGE", NO_FIELDS;
            "the largest number": ledger.credit(of(amount("RUB", i64::MAX))) => InvalidArgument, "AMOUNT_TOO_LARGE", NO_FIELDS;
            "no asset": ledger.credit(of(amount("", 1))) => InvalidArgument, INVALID, &["amount.asset"];
            "an unknown asset": ledger.credit(of(amount("GOLD", 1))) => NotFound, "UNKNOWN_ASSET", NO_FIELDS;
            "an unknown operation": ledger.charge(operation("teleport")) => NotFound, "UNKNOWN_OPERATION", NO_FIELDS;
            "an operation that is none": ledger.charge(operation("Generate It")) => InvalidArgument, INVALID, &["operation"];
            "neither operation nor price": ledger.charge(operation("")) => InvalidArgument, INVALID, &["operation"];
            "a price below zero": ledger.charge(priced(amount("RUB", -1))) => InvalidArgument, INVALID, &["explicit_price.amount"];
            "a price above the bound": ledger.charge(priced(amount("RUB", i64::MAX))) => InvalidArgument, "AMOUNT_TOO_LARGE", NO_FIELDS;
            "a price in an unknown asset": ledger.charge(priced(amount("GOLD", 1))) => NotFound, "UNKNOWN_ASSET", NO_FIELDS;
            "more than there is": ledger.charge(priced(amount("RUB", 1))) => FailedPrecondition, "INSUFFICIENT_FUNDS", NO_FIELDS;
            "a quantity below zero": ledger.charge(ordered(-1)) => InvalidArgument, INVALID, &["quantity"];
            "a quantity above the bound": ledger.charge(ordered(1_000_001)) => InvalidArgument, INVALID, &["quantity"];
            "a quote of an unknown operation's quantity": accounts.check_access(CheckAccessRequest { account: account("tg:1"), operation: "generate".into(), quantity: -5, ..Default::default() }) => InvalidArgument, INVALID, &["quantity"];
            "a correction by nothing": ledger.adjust(delta(0)) => InvalidArgument, INVALID, &["delta"];
            "a correction that overflows": ledger.adjust(delta(i64::MIN)) => InvalidArgument, "AMOUNT_TOO_LARGE", NO_FIELDS;
            "a correction below zero": ledger.adjust(delta(-1)) => FailedPrecondition, "INSUFFICIENT_FUNDS", NO_FIELDS;
            "a correction by nobody for nothing": ledger.adjust(AdjustRequest { annotations: None, change: None, asset: String::new(), ..delta(1) }) => InvalidArgument, INVALID, &["annotations.person", "annotations.reason.code", "asset", "delta"];
            "a payment of nothing": payments.record_payment(paid("RUB", 0)) => InvalidArgument, INVALID, &["amount.amount"];
            "a payment that overflows": payments.record_payment(paid("RUB", i64::MAX)) => InvalidArgument, "AMOUNT_TOO_LARGE", NO_FIELDS;
            "a payment in an unknown currency": payments.record_payment(paid("USD", 1)) => NotFound, "UNKNOWN_CURRENCY", NO_FIELDS;
            "a payment without ids": payments.record_payment(payment(|r| r.provider_ids.clear())) => InvalidArgument, INVALID, &["provider_ids", "provider_ids"];
            "a payment from nowhere": payments.record_payment(payment(|r| { r.provider = "paypal".into(); r.merchant_account.clear(); })) => InvalidArgument, INVALID, &["merchant_account", "provider"];
            "a transfer to nobody": ledger.transfer(TransferRequest { account: account("tg:1"), request_id: fresh_request(), destination_account: account("tg:2"), amount: Some(rub(1)), ..Default::default() }) => NotFound, "ACCOUNT_NOT_FOUND", NO_FIELDS;
            "a transfer to oneself": ledger.transfer(TransferRequest { account: account("tg:1"), request_id: fresh_request(), destination_account: account("tg:1"), amount: Some(rub(1)), ..Default::default() }) => InvalidArgument, "TRANSFER_TO_SELF", NO_FIELDS;
            "a transfer to another book": ledger.transfer(TransferRequest { account: account("tg:1"), request_id: fresh_request(), destination_account: "books/b/accounts/a".into(), amount: Some(rub(0)), ..Default::default() }) => InvalidArgument, INVALID, &["amount.amount", "destination_account"];
        ];
        all_are_refused(&ledger, cases).await;
    }

    async fn what_is_said_about_a_request_is_bounded_and_not_personal(backend: Backend) {
        let (ledger, _database) = start(backend).await;
        let reasoned = |code: &str, text: &str| annotated(|a| a.reason = Some(Reason { code: code.into(), text: text.into() }));
        let many = annotated(|a| a.metadata.extend((0..17).map(|n| (format!("k{n}"), String::new()))));
        let future = prost_types::Timestamp { seconds: 4_102_444_800, nanos: 0 };
        let past = prost_types::Timestamp { seconds: 1_000, nanos: 0 };
        let originated = |origin: &'static str| {
            let mut request = Request::new(credit_with(|_| ()));
            request.metadata_mut().insert("x-ledger-origin", origin.parse().unwrap());
            request
        };
        let cases = cases![ledger;
            "a key outside the list": ledger.credit(metadata("prompt", "a cat")) => InvalidArgument, "METADATA_KEY_NOT_ALLOWED", NO_FIELDS;
            "an e-mail": ledger.credit(metadata("task_id", "ann@example.org")) => InvalidArgument, "METADATA_PERSONAL", NO_FIELDS;
            "a phone": ledger.credit(metadata("task_id", "+7 (912) 345-67-89")) => InvalidArgument, "METADATA_PERSONAL", NO_FIELDS;
            "a name": ledger.credit(metadata("task_id", "for @ann_smith")) => InvalidArgument, "METADATA_PERSONAL", NO_FIELDS;
            "a value too long": ledger.credit(metadata("task_id", &"x".repeat(513))) => InvalidArgument, INVALID, &["annotations.metadata"];
            "a value with U+0000": ledger.credit(metadata("task_id", "a\0b")) => InvalidArgument, INVALID, &["annotations.metadata"];
            "too many entries": ledger.credit(many) => InvalidArgument, INVALID, &["annotations.metadata"];
            "an external id too long": ledger.credit(annotated(|a| a.external_id = "x".repeat(129))) => InvalidArgument, INVALID, &["annotations.external_id"];
            "an external id with U+0000": ledger.credit(annotated(|a| a.external_id = "\0".into())) => InvalidArgument, INVALID, &["annotations.external_id"];
            "a person with U+0000": ledger.credit(annotated(|a| a.person = "\0".into())) => InvalidArgument, INVALID, &["annotations.person"];
            "a reason without a code": ledger.credit(reasoned("", "because")) => InvalidArgument, INVALID, &["annotations.reason.code"];
            "a reason's code that is none": ledger.credit(reasoned("no code", "")) => InvalidArgument, INVALID, &["annotations.reason.code"];
            "a reason's text too long": ledger.credit(reasoned("A", &"x".repeat(513))) => InvalidArgument, INVALID, &["annotations.reason.text"];
            "a reason's text with U+0000": ledger.credit(reasoned("A", "a\0")) => InvalidArgument, INVALID, &["annotations.reason.text"];
            "what has not happened yet": ledger.credit(annotated(|a| a.occur_time = Some(future))) => InvalidArgument, INVALID, &["annotations.occur_time"];
            "a request that has expired": ledger.credit(credit_with(|r| r.expire_time = Some(past))) => FailedPrecondition, "REQUEST_EXPIRED", NO_FIELDS;
            "a lot that has expired": ledger.credit(credit_with(|r| r.lot_expire_time = Some(past))) => FailedPrecondition, "LOT_EXPIRY_PAST", NO_FIELDS;
            "an origin that is none": ledger.credit(originated("Not An Origin")) => InvalidArgument, INVALID, &["x-ledger-origin"];
            "a block without a reason": ledger.block_account(BlockAccountRequest { account: account("tg:1"), request_id: fresh_request(), ..Default::default() }) => InvalidArgument, INVALID, &["annotations.reason.code"];
            "a body over the limit": ledger.credit(credit_with(|r| r.source = "X".repeat(5 << 20))) => InvalidArgument, "MESSAGE_TOO_LARGE", NO_FIELDS;
        ];
        all_are_refused(&ledger, cases).await;
    }

    async fn enums_lists_and_targets_that_are_unknown_are_refused(backend: Backend) {
        let (ledger, _database) = start(backend).await;
        let list = |change: fn(&mut ListAccountsRequest)| {
            let mut request = ListAccountsRequest { book: BOOK.into(), ..Default::default() };
            change(&mut request);
            request
        };
        let listed = |filter, page_size, token: &str| ListEventsRequest {
            book: BOOK.into(), filter: Some(filter), page_size, page_token: token.into(), ..Default::default()
        };
        let id = fresh_request;
        let own = || account("tg:1");
        let hold_target = |name: &str| Some(capture_hold_request::Target::Hold(name.into()));
        let cases = cases![ledger;
            "a funding that is unknown": ledger.credit(credit_with(|r| r.funding = 99)) => InvalidArgument, INVALID, &["funding"];
            "a policy that is unknown": ledger.place_hold(PlaceHoldRequest { overrun_policy: 99, ..hold() }) => InvalidArgument, INVALID, &["overrun_policy"];
            "a hold too short": ledger.place_hold(PlaceHoldRequest { duration: Some(prost_types::Duration { seconds: 0, nanos: 999_999_999 }), ..hold() }) => InvalidArgument, INVALID, &["duration"];
            "a hold too long": ledger.place_hold(PlaceHoldRequest { duration: Some(prost_types::Duration { seconds: 30 * 86_400 + 1, nanos: 0 }), ..hold() }) => InvalidArgument, INVALID, &["duration"];
            "a type that is unknown": events.list_events(listed(EventFilter { types: vec![0, 2, 99], ..Default::default() }, 0, "")) => InvalidArgument, INVALID, &["filter.types[0]", "filter.types[2]"];
            "a filter that is none": events.list_events(listed(EventFilter { account: "x".into(), asset: "x".into(), source: "x".into(), request_id: "x".into(), origin: "X".into(), operation: "X".into(), ..Default::default() }, 0, "")) => InvalidArgument, INVALID,
                &["filter.account", "filter.asset", "filter.operation", "filter.origin", "filter.request_id", "filter.source"];
            "a page below zero": events.list_events(listed(EventFilter::default(), -1, "")) => InvalidArgument, INVALID, &["page_size"];
            "a page token that is none": events.list_events(listed(EventFilter::default(), 0, "x")) => InvalidArgument, INVALID, &["page_token"];
            "an order that is unknown": accounts.list_accounts(list(|r| r.order = 99)) => InvalidArgument, INVALID, &["order"];
            "an order by nothing": accounts.list_accounts(list(|r| r.order = list_accounts_request::Order::SpentDesc.into())) => InvalidArgument, INVALID, &["order_asset"];
            "a state that is unknown": accounts.list_accounts(list(|r| r.filter.get_or_insert_default().state = 99)) => InvalidArgument, INVALID, &["filter.state"];
            "an asset that is none": accounts.list_lots(ListLotsRequest { account: own(), asset: "rub".into(), ..Default::default() }) => InvalidArgument, INVALID, &["asset"];
            "a consistency token that is none": accounts.get_balance(GetBalanceRequest { account: own(), consistency_token: "x".into(), ..Default::default() }) => InvalidArgument, INVALID, &["consistency_token"];
            "a balance of the future": accounts.get_balance(GetBalanceRequest { account: own(), as_of: Some(prost_types::Timestamp { seconds: 4_102_444_800, nanos: 0 }), ..Default::default() }) => InvalidArgument, INVALID, &["as_of"];
            "no accounts": accounts.batch_get_balances(BatchGetBalancesRequest { book: BOOK.into(), ..Default::default() }) => InvalidArgument, INVALID, &["accounts"];
            "an account of another book": accounts.batch_get_balances(BatchGetBalancesRequest { book: BOOK.into(), accounts: vec![own(), "books/b/accounts/a".into()], ..Default::default() }) => InvalidArgument, INVALID, &["accounts[1]"];
            "an unknown hold": ledger.capture_hold(CaptureHoldRequest { account: own(), request_id: id(), target: hold_target("books/media-lab/events/1"), ..Default::default() }) => NotFound, "HOLD_NOT_FOUND", NO_FIELDS;
            "a hold that is none": ledger.capture_hold(CaptureHoldRequest { account: own(), request_id: id(), target: hold_target("events/1"), amount: Some(0), ..Default::default() }) => InvalidArgument, INVALID, &["amount", "hold"];
            "a hold of another book": ledger.capture_hold(CaptureHoldRequest { account: own(), request_id: id(), target: hold_target("books/b/events/1"), ..Default::default() }) => InvalidArgument, INVALID, &["hold"];
            "no hold": ledger.release_hold(ReleaseHoldRequest { account: own(), request_id: id(), ..Default::default() }) => InvalidArgument, INVALID, &["hold"];
            "an unknown hold's request": ledger.release_hold(ReleaseHoldRequest { account: own(), request_id: id(), target: Some(release_hold_request::Target::HoldRequestId(id())), ..Default::default() }) => NotFound, "HOLD_NOT_FOUND", NO_FIELDS;
            "a hold without an end": ledger.extend_hold(ExtendHoldRequest { account: own(), request_id: id(), target: Some(extend_hold_request::Target::HoldRequestId(id())), ..Default::default() }) => InvalidArgument, INVALID, &["hold_expire_time"];
            "an unknown charge": ledger.refund(RefundRequest { account: own(), request_id: id(), target: Some(refund_request::Target::Charge("books/media-lab/events/1".into())), ..Default::default() }) => NotFound, "CHARGE_NOT_FOUND", NO_FIELDS;
            "an account that is not there": ledger.close_account(CloseAccountRequest { account: own(), request_id: id(), ..Default::default() }) => NotFound, "ACCOUNT_NOT_FOUND", NO_FIELDS;
            "an account that is not blocked": ledger.unblock_account(UnblockAccountRequest { account: own(), request_id: id(), ..Default::default() }) => FailedPrecondition, "ACCOUNT_NOT_BLOCKED", NO_FIELDS;
            "an empty batch": ledger.batch_charge(BatchChargeRequest { book: BOOK.into(), ..Default::default() }) => InvalidArgument, INVALID, &["requests"];
            "a batch too large": ledger.batch_credit(BatchCreditRequest { book: BOOK.into(), requests: vec![credit_with(|_| ()); 1001], ..Default::default() }) => InvalidArgument, INVALID, &["requests"];
            "an atomic batch without an id": ledger.batch_charge(BatchChargeRequest { book: BOOK.into(), atomic: true, requests: vec![charge_with(|_| ())], ..Default::default() }) => InvalidArgument, INVALID, &["request_id"];
            "items that are wrong": ledger.batch_credit(BatchCreditRequest { book: BOOK.into(), request_id: id(), requests: vec![credit_with(|_| ()), credit_with(|r| { r.validate_only = true; r.amount = amount("RUB", 0); }), credit("books/b/accounts/a", 1)], ..Default::default() }) => InvalidArgument, INVALID,
                &["request_id", "requests[1].amount.amount", "requests[1].validate_only", "requests[2].account"];
        ];
        all_are_refused(&ledger, cases).await;
    }

    async fn a_request_id_that_was_used_names_what_differs(backend: Backend) {
        let (ledger, _database) = start(backend).await;
        let first = credit_with(|_| ());
        ledger.ledger().credit(first.clone()).await.unwrap();
        let more = CreditRequest { amount: Some(rub(1_001)), ..first.clone() };
        let otherwise = ChargeRequest { request_id: first.request_id.clone(), ..charge_with(|_| ()) };
        let status = ledger.ledger().credit(more.clone()).await.unwrap_err();
        let details = status.get_error_details();
        let metadata = &details.error_info().unwrap().metadata;
        assert_eq!(metadata["field"], "amount", "{metadata:?}");
        assert!(metadata["event"].starts_with("books/media-lab/events/"), "{metadata:?}");
        let cases = cases![ledger;
            "another amount": ledger.credit(more) => AlreadyExists, "REQUEST_ID_REUSED", NO_FIELDS;
            "another command": ledger.charge(otherwise) => AlreadyExists, "REQUEST_ID_REUSED", NO_FIELDS;
        ];
        all_are_refused(&ledger, cases).await;
    }

    async fn a_balance_has_an_upper_bound(backend: Backend) {
        let (ledger, _database) = start(backend).await;
        let request = BatchCreditRequest {
            book: BOOK.into(),
            requests: (0..1_000).map(|_| credit_with(|r| {
                r.amount = amount("RUB", 1_000_000_000_000_000);
                r.funding = 0;
            })).collect(),
            ..Default::default()
        };
        let items = ledger.ledger().batch_credit(request).await.unwrap().into_inner().items;
        assert_eq!(items.len(), 1_000);
        let cases = cases![ledger;
            "one more": ledger.credit(credit_with(|r| r.amount = amount("RUB", 1))) => FailedPrecondition, "BALANCE_TOO_LARGE", NO_FIELDS;
        ];
        all_are_refused(&ledger, cases).await;
        let found = e2e_tests::client::balances(&ledger, &account("tg:1")).await;
        assert_eq!(e2e_tests::client::balance_of(&found, "RUB"), 1_000_000_000_000_000_000);
    }

    async fn reads_of_unknown_accounts_open_nothing(backend: Backend) {
        let (ledger, _database) = start(backend).await;
        let before = head(&ledger).await;
        let unknown = fresh_account();
        let balance = e2e_tests::client::balances(&ledger, &unknown).await;
        assert!(balance.not_opened, "{balance:?}");
        assert_eq!(e2e_tests::client::balance_of(&balance, "FREE_OP"), 4);
        let request = QuoteChargeRequest { account: unknown.clone(), operation: "generate".into(), ..Default::default() };
        let quote = ledger.ledger().quote_charge(request).await.unwrap().into_inner();
        assert!(quote.not_opened && quote.chargeable, "{quote:?}");
        let request = CheckAccessRequest { account: unknown, operation: "generate".into(), ..Default::default() };
        let access = ledger.accounts().check_access(request).await.unwrap().into_inner();
        assert!(access.not_opened && access.allowed, "{access:?}");
        assert_eq!(head(&ledger).await, before);
    }

    async fn unknown_accounts_are_refused_if_the_catalog_says_so(backend: Backend) {
        let database = backend.database().await;
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("closed.toml");
        let text = fs::read_to_string(in_workspace("ledger-service/catalogs/media-lab.toml")).unwrap();
        let (from, to) = ("open_on_first_use = true", "open_on_first_use = false");
        assert!(text.contains(from));
        fs::write(&file, text.replace(from, to)).unwrap();
        let options = Options { catalogs: vec![file], ..Options::media_lab(&database.url) };
        let ledger = Ledger::start(&options).await;
        // The head is read through an account that is there.
        let open = ledger_proto::v1::OpenAccountRequest {
            account: account("nobody"), request_id: fresh_request(), ..Default::default()
        };
        ledger.ledger().open_account(open).await.unwrap();
        let cases = cases![ledger;
            "a credit": ledger.credit(credit_with(|_| ())) => NotFound, "ACCOUNT_NOT_FOUND", NO_FIELDS;
            "a charge": ledger.charge(operation("generate")) => NotFound, "ACCOUNT_NOT_FOUND", NO_FIELDS;
            "a hold": ledger.place_hold(hold()) => NotFound, "ACCOUNT_NOT_FOUND", NO_FIELDS;
            "a payment": payments.record_payment(payment(|_| ())) => NotFound, "ACCOUNT_NOT_FOUND", NO_FIELDS;
            "a read": accounts.get_balance(GetBalanceRequest { account: account("tg:1"), ..Default::default() }) => NotFound, "ACCOUNT_NOT_FOUND", NO_FIELDS;
        ];
        all_are_refused(&ledger, cases).await;
    }
}
