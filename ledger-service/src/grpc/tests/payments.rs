//! Payments with a whole life, over a real connection.

use super::*;
use v1::{
    PaymentAnomalyKind, PaymentStatus, RefundStatus, RefundVia, get_payment_request,
    payment_purpose::Purpose, record_refund_request,
};

const SELLING: &str = include_str!("../../../core/tests/scenarios/catalogs/selling.toml");

async fn stand() -> Stand {
    let catalog = SELLING.replace("book = \"shop\"", "book = \"b\"");
    Stand::start_with(&catalog, Indexing::On).await
}

fn rub(amount: i64) -> Option<v1::Money> {
    Some(v1::Money {
        currency: "RUB".to_owned(),
        amount,
    })
}

fn purpose(purpose: Purpose) -> Option<v1::PaymentPurpose> {
    Some(v1::PaymentPurpose {
        purpose: Some(purpose),
    })
}

fn package(package: &str) -> Option<v1::PaymentPurpose> {
    purpose(Purpose::Package(v1::PackagePurchase {
        package: package.to_owned(),
        currency: "RUB".to_owned(),
    }))
}

fn create(account: &str, purpose: Option<v1::PaymentPurpose>) -> v1::CreatePaymentRequest {
    v1::CreatePaymentRequest {
        account: name(account),
        request_id: id(),
        provider: "yookassa".to_owned(),
        merchant_account: "1".to_owned(),
        purpose,
        ..Default::default()
    }
}

fn provider_id(kind: &str, id: &str) -> v1::ProviderId {
    v1::ProviderId {
        kind: kind.to_owned(),
        id: id.to_owned(),
    }
}

fn say(account: &str, payment_id: &str, status: PaymentStatus) -> v1::RecordPaymentRequest {
    v1::RecordPaymentRequest {
        account: name(account),
        request_id: id(),
        provider: "yookassa".to_owned(),
        merchant_account: "1".to_owned(),
        provider_ids: vec![provider_id("payment", payment_id)],
        amount: rub(39_900),
        status: status.into(),
        ..Default::default()
    }
}

impl Stand {
    async fn created(&mut self, message: v1::CreatePaymentRequest) -> v1::CreatePaymentResponse {
        let created = self.payments.create_payment(message).await;
        created.unwrap().into_inner()
    }

    async fn said(&mut self, message: v1::RecordPaymentRequest) -> v1::RecordPaymentResponse {
        let said = self.payments.record_payment(message).await;
        said.unwrap().into_inner()
    }

    async fn payment(&mut self, target: get_payment_request::Target) -> v1::Payment {
        let message = v1::GetPaymentRequest {
            target: Some(target),
            ..Default::default()
        };
        let found = self.payments.get_payment(message).await;
        found.unwrap().into_inner().payment.unwrap()
    }

    async fn listed_payments(&mut self, statuses: &[PaymentStatus]) -> Vec<String> {
        let message = v1::ListPaymentsRequest {
            book: BOOK.to_owned(),
            statuses: statuses.iter().map(|status| i32::from(*status)).collect(),
            ..Default::default()
        };
        let listed = self.payments.list_payments(message).await;
        let listed = listed.unwrap().into_inner().payments;
        listed.into_iter().map(|payment| payment.name).collect()
    }
}

#[tokio::test]
async fn a_payment_is_asked_for_settled_and_looked_at() {
    let mut stand = stand().await;
    let message = create("a", package("optimal"));
    let created = stand.created(message.clone()).await;
    assert_eq!(created.amount, rub(39_900));
    let key = Uuid::parse_str(&created.idempotence_key).unwrap();
    assert_eq!(key.get_version_num(), 8);
    let again = stand.created(message).await;
    assert_eq!(
        (again.payment.as_str(), again.idempotence_key.as_str()),
        (created.payment.as_str(), created.idempotence_key.as_str()),
        "a repeat hands out the same key"
    );
    let pending = v1::RecordPaymentRequest {
        payment: created.payment.clone(),
        ..say("a", "p-1", PaymentStatus::Pending)
    };
    assert_eq!(stand.said(pending).await.payment, created.payment);
    let paid = stand.said(say("a", "p-1", PaymentStatus::Succeeded)).await;
    assert_eq!(paid.payment, created.payment, "found by the provider's id");
    assert_eq!(paid.anomaly(), PaymentAnomalyKind::Unspecified);
    let events = paid.result.unwrap().events;
    assert_eq!(kinds(&events), "PaymentSucceeded Credited Credited");

    let by_name = get_payment_request::Target::Name(created.payment.clone());
    let payment = stand.payment(by_name).await;
    assert_eq!(payment.status(), PaymentStatus::Succeeded);
    assert_eq!(payment.account, name("a"));
    assert_eq!(payment.provider_ids, [provider_id("payment", "p-1")]);
    assert_eq!(payment.refundable_amount, 39_900);
    let gives: Vec<_> = payment.gives.iter().map(|it| it.amount.clone()).collect();
    assert_eq!(
        gives,
        [asset_amount("CREDIT", 20), asset_amount("CREDIT", 2)]
    );
    let by_id = get_payment_request::Target::ProviderId(v1::ProviderPaymentId {
        book: BOOK.to_owned(),
        provider: "yookassa".to_owned(),
        merchant_account: "1".to_owned(),
        id: Some(provider_id("payment", "p-1")),
    });
    assert_eq!(stand.payment(by_id).await, payment);

    let top_up = purpose(Purpose::TopUp(rub(30_000).unwrap()));
    let other = stand.created(create("b", top_up)).await.payment;
    assert_eq!(
        stand.listed_payments(&[]).await,
        [other.clone(), created.payment]
    );
    assert_eq!(
        stand.listed_payments(&[PaymentStatus::Created]).await,
        [other]
    );
}

#[tokio::test]
async fn what_cannot_be_is_told_and_gives_nothing() {
    let mut stand = stand().await;
    let created = stand.created(create("a", package("optimal"))).await;
    let wrong = v1::RecordPaymentRequest {
        payment: created.payment.clone(),
        amount: rub(1),
        ..say("a", "p-1", PaymentStatus::Succeeded)
    };
    let said = stand.said(wrong).await;
    assert_eq!(said.anomaly(), PaymentAnomalyKind::AmountDiffers);
    assert_eq!(kinds(&said.result.unwrap().events), "PaymentAnomaly");
    let unknown = stand
        .payments
        .record_payment(say("a", "p-2", PaymentStatus::Canceled))
        .await
        .unwrap_err();
    assert_eq!(
        unknown.get_details_error_info().unwrap().reason,
        "PAYMENT_NOT_FOUND"
    );
    let of_another = stand
        .payments
        .record_payment(say("b", "p-1", PaymentStatus::Succeeded))
        .await
        .unwrap_err();
    let info = of_another.get_details_error_info().unwrap();
    assert_eq!(info.reason, "PAYMENT_ALREADY_RECORDED");
    assert_eq!(info.metadata["event"], created.payment);
}

#[tokio::test]
async fn a_payment_is_paid_back_in_two_steps() {
    let mut stand = stand().await;
    let paid = v1::RecordPaymentRequest {
        purpose: package("optimal"),
        ..say("a", "p-1", PaymentStatus::Succeeded)
    };
    let payment = stand.said(paid).await.payment;
    let message = v1::RefundPaymentRequest {
        account: name("a"),
        request_id: id(),
        payment: payment.clone(),
        amount: Some(25_935),
        validate_only: true,
        ..Default::default()
    };
    let preview = stand.payments.refund_payment(message.clone()).await;
    let preview = preview.unwrap().into_inner();
    assert_eq!(
        (preview.refund.as_str(), &preview.amount),
        ("", &rub(25_935))
    );
    let v1::event::Payload::PaymentRefundStarted(started) =
        preview.result.unwrap().events[0].payload.clone().unwrap()
    else {
        panic!("a refund that begins");
    };
    let takes = started.takes.iter().map(|take| take.amount);
    assert_eq!(takes.collect::<Vec<_>>(), [13, 2]);

    let message = v1::RefundPaymentRequest {
        validate_only: false,
        ..message
    };
    let begun = stand.payments.refund_payment(message).await;
    let begun = begun.unwrap().into_inner();
    assert!(!begun.idempotence_key.is_empty());
    let done = v1::RecordRefundRequest {
        account: name("a"),
        request_id: id(),
        provider: "yookassa".to_owned(),
        merchant_account: "1".to_owned(),
        target: Some(record_refund_request::Target::ProviderPaymentId(
            "p-1".to_owned(),
        )),
        provider_ids: vec![provider_id("refund", "r-1")],
        amount: rub(25_935),
        status: RefundStatus::Succeeded.into(),
        ..Default::default()
    };
    let recorded = stand.payments.record_refund(done.clone()).await;
    assert_eq!(recorded.unwrap().into_inner().refund, begun.refund);
    let by_refund = get_payment_request::Target::ProviderId(v1::ProviderPaymentId {
        book: BOOK.to_owned(),
        provider: "yookassa".to_owned(),
        merchant_account: "1".to_owned(),
        id: Some(provider_id("refund", "r-1")),
    });
    let found = stand.payment(by_refund).await;
    assert_eq!(found.status(), PaymentStatus::PartiallyRefunded);
    assert_eq!(
        (found.refunded_amount, found.refundable_amount),
        (25_935, 13_965)
    );
    assert_eq!(found.refunds[0].status(), RefundStatus::Succeeded);

    // The rest goes behind the shop's back, after most of it was spent.
    stand.charged("a", "draw").await;
    let behind = v1::RecordRefundRequest {
        request_id: id(),
        provider_ids: vec![provider_id("refund", "r-2")],
        amount: rub(13_965),
        ..done
    };
    let recorded = stand.payments.record_refund(behind).await;
    let result = recorded.unwrap().into_inner().result.unwrap();
    let credits = result.balances.iter().find(|it| it.asset == "CREDIT");
    let credits = credits.unwrap();
    assert_eq!(
        (credits.balance, credits.available, credits.deficit),
        (-1, 0, 1)
    );
    let by_name = get_payment_request::Target::Name(payment);
    let found = stand.payment(by_name).await;
    assert_eq!(found.status(), PaymentStatus::Refunded);
}

#[tokio::test]
async fn payments_of_a_wrong_shape_are_told_all_of_it() {
    let mut stand = stand().await;
    let violations = |status: Status| {
        let request = status.get_details_bad_request().unwrap();
        let fields = request.field_violations.into_iter();
        fields.map(|it| it.field).collect::<Vec<_>>().join(" ")
    };
    let created = v1::CreatePaymentRequest {
        provider: "paypal".to_owned(),
        ..create("a", purpose(Purpose::TopUp(v1::Money::default())))
    };
    let status = stand.payments.create_payment(created).await.unwrap_err();
    assert_eq!(
        violations(status),
        "provider purpose.top_up.currency purpose.top_up.amount"
    );
    let said = v1::RecordPaymentRequest {
        status: PaymentStatus::Refunded.into(),
        payment: "books/other/events/1".to_owned(),
        provider_ids: Vec::new(),
        purpose: package("optimal"),
        cancellation_reason: "why".to_owned(),
        ..say("a", "p", PaymentStatus::Succeeded)
    };
    let status = stand.payments.record_payment(said).await.unwrap_err();
    assert_eq!(
        violations(status),
        "status payment purpose cancellation_reason"
    );
    let refund = v1::RefundPaymentRequest {
        account: name("a"),
        request_id: id(),
        amount: Some(0),
        via: RefundVia::Outside.into(),
        ..Default::default()
    };
    let status = stand.payments.refund_payment(refund).await.unwrap_err();
    assert_eq!(violations(status), "payment amount document_number");
    let refund = v1::RecordRefundRequest {
        account: name("a"),
        request_id: id(),
        provider: "yookassa".to_owned(),
        merchant_account: "1".to_owned(),
        ..Default::default()
    };
    let status = stand.payments.record_refund(refund).await.unwrap_err();
    assert_eq!(violations(status), "status payment amount");
    let listed = v1::ListPaymentsRequest {
        statuses: vec![0],
        account: "books/other/accounts/a".to_owned(),
        page_size: -1,
        ..Default::default()
    };
    let status = stand.payments.list_payments(listed).await.unwrap_err();
    assert_eq!(violations(status), "book statuses[0] page_size");
    let nothing = v1::GetPaymentRequest::default();
    let status = stand.payments.get_payment(nothing).await.unwrap_err();
    assert_eq!(violations(status), "name");
}
