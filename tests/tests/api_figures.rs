//! Figures that people look at: why a balance is what it is, and what a book has
//! done.
#![cfg(test)]

use e2e_tests::{
    Ledger,
    billing::BOOK,
    client::{account, balances, charge, credit, fresh_request},
    ledger::{Options, rebuild, verify},
    on_both_backends,
};
use ledger_proto::v1::{
    BalanceLineKind, ChargeRequest, ExplainBalanceRequest, ExplainBalanceResponse,
    GetBalanceRequest, GetStatisticsRequest, GetStatisticsResponse, Language, Money, PaymentStatus,
    PlaceHoldRequest, ProviderId, RecordPaymentRequest,
};
use std::collections::BTreeMap;
use tonic::Request;

fn generate(name: &str) -> ChargeRequest {
    ChargeRequest {
        operation: "generate".to_owned(),
        explicit_price: None,
        ..charge(name, 0)
    }
}

fn payment(name: &str) -> RecordPaymentRequest {
    RecordPaymentRequest {
        account: name.to_owned(),
        request_id: fresh_request(),
        provider: "yookassa".to_owned(),
        merchant_account: "100500".to_owned(),
        provider_ids: vec![ProviderId {
            kind: "payment".to_owned(),
            id: fresh_request(),
        }],
        amount: Some(Money {
            currency: "RUB".to_owned(),
            amount: 10_000,
        }),
        status: PaymentStatus::Succeeded.into(),
        ..Default::default()
    }
}

/// A day of two users, through two bots.
async fn used(ledger: &Ledger) {
    let (a, b) = (account("tg:a"), account("tg:b"));
    ledger.payments().record_payment(payment(&a)).await.unwrap();
    for origin in ["art", "quiz"] {
        for name in [&a, &a, &a, &b] {
            let mut request = Request::new(generate(name));
            let origin = origin.parse().unwrap();
            request.metadata_mut().insert("x-ledger-origin", origin);
            ledger.ledger().charge(request).await.unwrap();
        }
    }
    ledger.ledger().credit(credit(&b, 5_000)).await.unwrap();
    let hold = PlaceHoldRequest {
        account: a,
        request_id: fresh_request(),
        operation: "edit".to_owned(),
        ..Default::default()
    };
    ledger.ledger().place_hold(hold).await.unwrap();
}

async fn explained(ledger: &Ledger, request: ExplainBalanceRequest) -> ExplainBalanceResponse {
    let answer = ledger.accounts().explain_balance(request).await;
    answer.unwrap().into_inner()
}

/// Balance and held part of each asset, as lines add up to them.
fn sums(lines: &ExplainBalanceResponse) -> BTreeMap<String, (i64, i64)> {
    let mut sums = BTreeMap::<String, (i64, i64)>::new();
    for line in &lines.lines {
        let amount = line.amount.clone().unwrap();
        let sum = sums.entry(amount.asset).or_default();
        *sum = (sum.0 + amount.amount, sum.1 + line.held_amount);
    }
    sums
}

async fn statistics(ledger: &Ledger) -> GetStatisticsResponse {
    let request = GetStatisticsRequest {
        book: BOOK.to_owned(),
        top_asset: "RUB".to_owned(),
        ..Default::default()
    };
    let answer = ledger.finance().get_statistics(request).await;
    let answer = answer.unwrap().into_inner();
    GetStatisticsResponse {
        read_time: None,
        ..answer
    }
}

on_both_backends! {
    async fn an_explanation_adds_up_to_the_balance(backend: Backend) {
        let database = backend.database().await;
        let ledger = Ledger::start(&Options::media_lab(&database.url)).await;
        used(&ledger).await;
        for name in [account("tg:a"), account("tg:b"), account("tg:nobody")] {
            let now = balances(&ledger, &name).await;
            for position in [0, 3, 5, now.position] {
                let balance = GetBalanceRequest {
                    account: name.clone(),
                    as_of_position: position,
                    ..Default::default()
                };
                let balance = ledger.accounts().get_balance(balance).await.unwrap().into_inner();
                let expected: BTreeMap<String, (i64, i64)> = balance
                    .balances
                    .into_iter()
                    .filter(|balance| balance.balance != 0)
                    .map(|balance| (balance.asset, (balance.balance, balance.held)))
                    .collect();
                for page_size in [0, 2] {
                    let request = ExplainBalanceRequest {
                        account: name.clone(),
                        as_of_position: position,
                        page_size,
                        language: Language::En.into(),
                        ..Default::default()
                    };
                    let answer = explained(&ledger, request).await;
                    let mut sums = sums(&answer);
                    sums.retain(|_, sum| *sum != (0, 0));
                    assert_eq!(sums, expected);
                    assert_eq!(answer.not_opened, balance.not_opened);
                    assert!(answer.text.starts_with("Balance at "), "{}", answer.text);
                }
            }
        }
        let request = ExplainBalanceRequest { account: account("tg:a"), asset: "RUB".to_owned(), ..Default::default() };
        let answer = explained(&ledger, request).await;
        let kinds: Vec<_> = answer.lines.iter().map(|line| line.kind()).collect();
        let charged = BalanceLineKind::Charged;
        assert_eq!(kinds, [BalanceLineKind::Purchased, charged, charged, BalanceLineKind::Held]);
        assert!(answer.text.contains("Рубли: 80,00 ₽ (удержано 10,00 ₽, доступно 70,00 ₽)"), "{}", answer.text);
    }

    async fn statistics_are_the_same_when_they_are_made_anew(backend: Backend) {
        let database = backend.database().await;
        let options = Options::media_lab(&database.url);
        let mut ledger = Ledger::start(&options).await;
        used(&ledger).await;
        let before = statistics(&ledger).await;
        let period = before.period.clone().unwrap();
        assert_eq!((period.opened_accounts, period.active_accounts), (2, Some(2)));
        let counts = period.operations.unwrap();
        assert_eq!((counts.charged, counts.held, counts.captured), (8, 1, 0));
        assert_eq!(before.all_time.clone().unwrap().operations.unwrap().open, Some(1));
        assert_eq!(period.received, [Money { currency: "RUB".to_owned(), amount: 10_000 }]);
        let origins: Vec<_> = before.origins.iter().map(|origin| origin.origin.as_str()).collect();
        assert_eq!(origins, ["art", "quiz", "unknown"]);
        assert_eq!(before.top_accounts.len(), 1);
        assert_eq!(before.top_accounts[0].spent.as_ref().unwrap().amount, 2_000);

        assert!(ledger.terminate().await.success());
        let rebuilt = rebuild(&database.url).await;
        assert!(rebuilt.status.success(), "{}", rebuilt.output());
        let verified = verify(&database.url).await;
        assert!(verified.status.success(), "{}", verified.output());
        let ledger = Ledger::start(&options).await;
        assert_eq!(statistics(&ledger).await, before);
    }
}
