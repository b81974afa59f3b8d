//! Subscriptions, over a real connection.

use super::*;
use v1::{PaymentStatus, SubscriptionState};

const PLANS: &str = include_str!("../../../core/tests/scenarios/catalogs/plans.toml");

async fn stand() -> Stand {
    let catalog = PLANS.replace("book = \"shop\"", "book = \"b\"");
    Stand::start_with(&catalog, Indexing::On).await
}

fn start(account: &str, plan: &str) -> v1::StartSubscriptionRequest {
    v1::StartSubscriptionRequest {
        account: name(account),
        request_id: id(),
        provider: "yookassa".to_owned(),
        merchant_account: "1".to_owned(),
        subscription: Some(v1::SubscriptionPurchase {
            plan: plan.to_owned(),
            currency: "RUB".to_owned(),
            upgrade_of: String::new(),
        }),
        ..Default::default()
    }
}

impl Stand {
    /// Pays for what was asked for.
    async fn pays(&mut self, account: &str, payment: &str, amount: i64) -> Vec<v1::Event> {
        let message = v1::RecordPaymentRequest {
            account: name(account),
            request_id: id(),
            provider: "yookassa".to_owned(),
            merchant_account: "1".to_owned(),
            provider_ids: vec![v1::ProviderId {
                kind: "payment".to_owned(),
                id: id(),
            }],
            amount: Some(v1::Money {
                currency: "RUB".to_owned(),
                amount,
            }),
            status: PaymentStatus::Succeeded.into(),
            payment: payment.to_owned(),
            ..Default::default()
        };
        let paid = self.payments.record_payment(message).await.unwrap();
        paid.into_inner().result.unwrap().events
    }

    async fn subscriptions_of(&mut self, account: &str) -> Vec<v1::Subscription> {
        let message = v1::ListSubscriptionsRequest {
            account: name(account),
            ..Default::default()
        };
        let listed = self.payments.list_subscriptions(message).await.unwrap();
        listed.into_inner().subscriptions
    }

    /// What is due so many days from now.
    #[expect(
        clippy::disallowed_methods,
        reason = "what is due is asked for by the machine's time"
    )]
    async fn due_in(&mut self, days: i64) -> Vec<v1::DueSubscription> {
        let mut due_by = prost_types::Timestamp::from(std::time::SystemTime::now());
        due_by.seconds += days * 24 * 3600;
        let message = v1::ListDueSubscriptionsRequest {
            book: BOOK.to_owned(),
            due_by: Some(due_by),
            ..Default::default()
        };
        let due = self.payments.list_due_subscriptions(message).await;
        due.unwrap().into_inner().due
    }
}

#[tokio::test]
async fn a_subscription_starts_when_it_is_paid_and_is_renewed() {
    let mut stand = stand().await;
    let message = start("a", "month");
    let started = stand.payments.start_subscription(message).await;
    let started = started.unwrap().into_inner();
    assert!(!started.idempotence_key.is_empty());
    assert!(stand.subscriptions_of("a").await.is_empty());
    let events = stand.pays("a", &started.payment, 30_000).await;
    assert_eq!(
        kinds(&events),
        "PaymentSucceeded SubscriptionStarted Credited Credited"
    );
    let subscription = stand.subscriptions_of("a").await.remove(0);
    assert_eq!(subscription.name, events[1].name);
    assert_eq!(subscription.state(), SubscriptionState::Active);
    assert_eq!(subscription.payment, started.payment);

    let message = v1::GetAccountRequest {
        account: name("a"),
        ..Default::default()
    };
    let account = stand.accounts.get_account(message).await.unwrap();
    let account = account.into_inner();
    assert_eq!(account.subscriptions, std::slice::from_ref(&subscription));
    let [pass] = &account.passes[..] else {
        panic!("one pass: {:?}", account.passes);
    };
    assert_eq!((pass.asset.as_str(), pass.fair_use_count), ("PASS", 3));
    assert_eq!(pass.expire_time, subscription.period_end_time);

    assert!(stand.due_in(20).await.is_empty(), "a month has 28 days");
    let told = stand.due_in(27).await;
    assert!(!told[0].renewal_due && told[0].notice_time.is_some());
    let due = stand.due_in(31).await;
    assert!(due[0].renewal_due, "no month is longer: {due:?}");

    let renewal = v1::CreatePaymentRequest {
        account: name("a"),
        request_id: id(),
        provider: "yookassa".to_owned(),
        merchant_account: "1".to_owned(),
        purpose: Some(v1::PaymentPurpose {
            purpose: Some(v1::payment_purpose::Purpose::Renewal(
                v1::SubscriptionRenewal {
                    subscription: subscription.name.clone(),
                },
            )),
        }),
        ..Default::default()
    };
    let created = stand.payments.create_payment(renewal.clone()).await;
    let created = created.unwrap().into_inner();
    let again = v1::CreatePaymentRequest {
        request_id: id(),
        ..renewal
    };
    let refused = stand.payments.create_payment(again).await.unwrap_err();
    let info = refused.get_details_error_info().unwrap();
    assert_eq!(info.reason, "RENEWAL_ATTEMPT_OPEN");
    assert_eq!(info.metadata["payment"], created.payment);
    let message = v1::GetPaymentRequest {
        target: Some(v1::get_payment_request::Target::Name(
            created.payment.clone(),
        )),
        ..Default::default()
    };
    let found = stand.payments.get_payment(message).await.unwrap();
    let found = found.into_inner().payment.unwrap();
    assert_eq!(found.idempotence_key, created.idempotence_key);
    let events = stand.pays("a", &created.payment, 30_000).await;
    assert_eq!(
        kinds(&events),
        "PaymentSucceeded SubscriptionRenewed Credited Credited"
    );
}

#[tokio::test]
async fn a_subscription_is_canceled_and_taken_up_again() {
    let mut stand = stand().await;
    let started = stand.payments.start_subscription(start("a", "month")).await;
    let payment = started.unwrap().into_inner().payment;
    let subscription = stand.pays("a", &payment, 30_000).await[1].name.clone();
    let message = v1::CancelSubscriptionRequest {
        account: name("a"),
        request_id: id(),
        subscription: subscription.clone(),
        ..Default::default()
    };
    let canceled = stand.payments.cancel_subscription(message.clone()).await;
    let events = canceled.unwrap().into_inner().result.unwrap().events;
    assert_eq!(kinds(&events), "SubscriptionCanceled");
    let again = v1::CancelSubscriptionRequest {
        request_id: id(),
        ..message
    };
    let nothing = stand.payments.cancel_subscription(again).await.unwrap();
    assert!(nothing.into_inner().result.unwrap().events.is_empty());
    let asked = v1::GetSubscriptionRequest {
        account: name("a"),
        subscription: subscription.clone(),
        ..Default::default()
    };
    let found = stand.payments.get_subscription(asked.clone()).await;
    let found = found.unwrap().into_inner().subscription.unwrap();
    assert_eq!(found.state(), SubscriptionState::Canceled);
    assert_eq!(found.next_renewal_time, None);
    let message = v1::ResumeSubscriptionRequest {
        account: name("a"),
        request_id: id(),
        subscription,
        ..Default::default()
    };
    let resumed = stand.payments.resume_subscription(message).await;
    let events = resumed.unwrap().into_inner().result.unwrap().events;
    assert_eq!(kinds(&events), "SubscriptionResumed");

    let unknown = v1::GetSubscriptionRequest {
        subscription: format!("{BOOK}/events/1"),
        ..asked
    };
    let status = stand.payments.get_subscription(unknown).await.unwrap_err();
    let reason = status.get_details_error_info().unwrap().reason;
    assert_eq!(reason, "SUBSCRIPTION_NOT_FOUND");
}

#[tokio::test]
async fn subscriptions_of_a_wrong_shape_are_told_all_of_it() {
    let mut stand = stand().await;
    let message = v1::StartSubscriptionRequest {
        provider: "paypal".to_owned(),
        subscription: Some(v1::SubscriptionPurchase {
            plan: "?".to_owned(),
            currency: "rub".to_owned(),
            upgrade_of: "x".to_owned(),
        }),
        ..start("a", "month")
    };
    let status = stand
        .payments
        .start_subscription(message)
        .await
        .unwrap_err();
    let request = status.get_details_bad_request().unwrap();
    let fields: Vec<String> = request
        .field_violations
        .into_iter()
        .map(|it| it.field)
        .collect();
    assert_eq!(
        fields,
        [
            "provider",
            "subscription.plan",
            "subscription.currency",
            "subscription.upgrade_of"
        ]
    );
}
