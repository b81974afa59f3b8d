//! Two instances serve one book: what one acknowledges the other knows at once,
//! and what is sent to both is done once.
#![cfg(test)]

use e2e_tests::{
    Backend, Database, Ledger, Proxy,
    client::{balance_of, balances, charge, credit, events, fresh_account, head, reason},
    eventually,
    ledger::Options,
};
use ledger_proto::v1::{
    ChargeRequest, ChargeResponse, EventFilter, MutationResult,
    ledger_service_client::LedgerServiceClient,
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Barrier, task::JoinSet, time::timeout};
use tonic::Status;

/// So many fresh accounts are raced for.
const RACES: usize = 200;
/// So many races at once.
const RACES_AT_ONCE: usize = 10;

/// Two instances on one PostgreSQL database.
async fn two() -> (Arc<[Ledger; 2]>, Database) {
    let database = Backend::Postgres.database().await;
    let options = Options::media_lab(&database.url);
    let instances = [Ledger::start(&options).await, Ledger::start(&options).await];
    (Arc::new(instances), database)
}

async fn charged(ledger: &Ledger, request: &ChargeRequest) -> Result<ChargeResponse, Status> {
    let response = ledger.ledger().charge(request.clone()).await?;
    Ok(response.into_inner())
}

async fn credited(ledger: &Ledger, account: &str, amount: i64) -> MutationResult {
    let response = ledger.ledger().credit(credit(account, amount)).await;
    response.unwrap().into_inner().result.unwrap()
}

/// Runs `race` for each of the accounts, several at once, and waits for all.
async fn race_often<F>(races: usize, race: impl Fn(usize) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    for number in 0..races {
        if running.len() == RACES_AT_ONCE {
            running.join_next().await.unwrap().unwrap();
        }
        running.spawn(race(number));
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

/// Drains an account with a charge whose answer is lost on the wire; gives the
/// request.
async fn drained_without_an_answer(ledger: &Ledger, account: &str) -> ChargeRequest {
    credited(ledger, account, 1_000).await;
    let proxy = Proxy::start(ledger.grpc()).await;
    let mut client = LedgerServiceClient::new(proxy.channel());
    // The connection is made, and answers come.
    client.credit(credit(account, 500)).await.unwrap();

    let request = charge(account, 1_500);
    proxy.lose_answers();
    let sent = request.clone();
    let call = tokio::spawn(async move { client.charge(sent).await });
    eventually("the charge is done", Duration::from_secs(10), async || {
        let balances = balances(ledger, account).await;
        (balance_of(&balances, "RUB") == 0).then_some(())
    })
    .await;
    proxy.cut();
    let answer = call.await.unwrap();
    assert!(answer.is_err(), "the answer was lost: {answer:?}");
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_drained_the_account_is_repeated_anywhere() {
    let (instances, _database) = two().await;
    for retry_on in [0, 1] {
        let account = fresh_account();
        let request = drained_without_an_answer(&instances[0], &account).await;
        let answer = charged(&instances[retry_on], &request).await.unwrap();
        let result = answer.result.unwrap();
        assert!(result.replayed, "{result:?}");
        assert_eq!(answer.price, request.explicit_price);
        let filter = EventFilter {
            request_id: request.request_id.clone(),
            ..Default::default()
        };
        assert_eq!(events(&instances[1], Some(filter)).await, result.events);

        // Another request finds nothing left; the repeat is still answered.
        let refused = charged(&instances[retry_on], &charge(&account, 1)).await;
        assert_eq!(reason(&refused.unwrap_err()), "INSUFFICIENT_FUNDS");
        for ledger in instances.iter() {
            let again = charged(ledger, &request).await.unwrap();
            assert_eq!(again.result.as_ref(), Some(&result));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_after_a_kill_of_the_instance_is_answered_by_the_other() {
    let database = Backend::Postgres.database().await;
    let options = Options::media_lab(&database.url);
    let mut one = Ledger::start(&options).await;
    let other = Ledger::start(&options).await;
    let account = fresh_account();
    let request = drained_without_an_answer(&one, &account).await;
    one.kill9().await;
    let answer = charged(&other, &request).await.unwrap();
    assert!(answer.result.unwrap().replayed);
    assert_eq!(balance_of(&balances(&other, &account).await, "RUB"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_credits_the_other_charges_at_once() {
    let (instances, _database) = two().await;
    race_often(500, |number| {
        let instances = Arc::clone(&instances);
        async move {
            let (one, other) = (&instances[number % 2], &instances[(number + 1) % 2]);
            let account = fresh_account();
            // The other has seen the account empty.
            assert_eq!(balance_of(&balances(other, &account).await, "RUB"), 0);
            for _ in 0..3 {
                credited(one, &account, 700).await;
                let answer = charged(other, &charge(&account, 700)).await;
                assert!(answer.is_ok(), "refused on stale data: {answer:?}");
            }
            assert_eq!(balance_of(&balances(one, &account).await, "RUB"), 0);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_is_never_older_than_a_write_of_the_other_instance() {
    const READERS: i64 = 50;
    const READS: i64 = 200;
    let (instances, _database) = two().await;
    let mut readers = JoinSet::new();
    for reader in 0..READERS {
        let instances = Arc::clone(&instances);
        readers.spawn(async move {
            let account = fresh_account();
            let mut position = 0;
            for count in 1..=READS {
                let writer = usize::from((reader + count) % 2 == 0);
                let result = credited(&instances[writer], &account, 1).await;
                let written = result.events.last().unwrap().position;
                let read = balances(&instances[1 - writer], &account).await;
                assert_eq!(balance_of(&read, "RUB"), count, "an old read: {read:?}");
                assert!(read.position >= written, "{read:?} after {written}");
                assert!(read.position >= position, "the log went back: {read:?}");
                position = read.position;
            }
        });
    }
    let all = async {
        while let Some(ended) = readers.join_next().await {
            ended.unwrap();
        }
    };
    timeout(Duration::from_secs(110), all).await.unwrap();
    assert!(head(&instances[0]).await >= READERS * READS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_coin_is_taken_once() {
    let (instances, _database) = two().await;
    race_often(RACES, |_| {
        let instances = Arc::clone(&instances);
        async move {
            let account = fresh_account();
            credited(&instances[0], &account, 1_000).await;
            let [one, other] = [charge(&account, 1_000), charge(&account, 1_000)];
            let (one, other) =
                tokio::join!(charged(&instances[0], &one), charged(&instances[1], &other),);
            let loser = match (one, other) {
                (Ok(_), Err(status)) | (Err(status), Ok(_)) => status,
                both => panic!("exactly one wins: {both:?}"),
            };
            assert_eq!(reason(&loser), "INSUFFICIENT_FUNDS", "{loser:?}");
            assert_eq!(
                balance_of(&balances(&instances[1], &account).await, "RUB"),
                0
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_to_both_is_done_once() {
    let (instances, _database) = two().await;
    race_often(RACES, |_| {
        let instances = Arc::clone(&instances);
        async move {
            let account = fresh_account();
            credited(&instances[0], &account, 5_000).await;
            let request = charge(&account, 1_000);
            let start = Barrier::new(2);
            let send = async |ledger: &Ledger| {
                start.wait().await;
                charged(ledger, &request).await.unwrap().result.unwrap()
            };
            let (one, other) = tokio::join!(send(&instances[0]), send(&instances[1]));
            assert!(one.replayed != other.replayed, "{one:?}\n{other:?}");
            assert_eq!(one.events, other.events);
            assert_eq!(one.balances, other.balances);
            let left = balances(&instances[0], &account).await;
            assert_eq!(balance_of(&left, "RUB"), 4_000);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_use_on_both_opens_the_account_once() {
    let (instances, _database) = two().await;
    race_often(50, |_| {
        let instances = Arc::clone(&instances);
        async move {
            let account = fresh_account();
            let (one, other) = tokio::join!(
                credited(&instances[0], &account, 100),
                credited(&instances[1], &account, 100),
            );
            assert!(one.account_opened != other.account_opened);
            let left = balances(&instances[0], &account).await;
            assert_eq!(balance_of(&left, "RUB"), 200);
            assert_eq!(balance_of(&left, "FREE_OP"), 4);
        }
    })
    .await;
}
