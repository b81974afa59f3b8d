//! Wallets of the load, and long logs: made quickly, by calls of 1000 items.

use crate::{
    callers::{Aim, BATCH_ITEMS, OPERATION, charge_batch},
    client::reason,
    ids::Ids,
    load::as_f64,
};
use e2e_tests::billing::BOOK;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use ledger_proto::v1::{
    AssetAmount, BatchChargeRequest, BatchCreditRequest, ChargeRequest, CreditRequest,
    PlaceHoldRequest, batch_charge_item, batch_credit_item,
};
use std::time::{Duration, Instant, SystemTime};

/// What each account gets, in kopecks: a thousand million charges of 10.00 RUB.
const RUB: i64 = 1_000_000_000_000;
/// What the catalog gives on opening. It is spent first, so that every charge
/// that is measured takes RUB.
const FREE_OPERATIONS: usize = 4;
/// Calls in flight while preparing.
const CALLS: usize = 4;
/// Lots and holds of the grown account.
const GROWN_LOTS: u32 = 200;
const GROWN_HOLDS: u32 = 50;
/// How many of its lots expire. With 50 holds and 200 lots, more would bring
/// the state to the bound from which on holds are refused (15 KiB).
const EXPIRING_LOTS: u32 = 100;
const DAY: Duration = Duration::from_secs(24 * 3600);
/// The longest hold there is.
const HOLD_DAYS: i64 = 30;
/// How often progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// Opens accounts with plenty of RUB and no free operations.
pub(crate) async fn fund(at: &Aim) -> Result<(), String> {
    let ids = &at.ids;
    let credits = |name: &String| credit(ids, name, RUB);
    in_calls(at, at.accounts.names(), |names| {
        names.iter().map(credits).collect()
    })
    .await?;
    spend_free_operations(at).await
}

/// Opens accounts with nothing in them.
pub(crate) async fn empty(at: &Aim) -> Result<(), String> {
    spend_free_operations(at).await
}

/// Gives the one account of `at` its lots, its holds, and about `events` events.
pub(crate) async fn grow_account(at: &Aim, events: u64) -> Result<(), String> {
    let name = at.accounts.pick(0);
    fund(at).await?;
    let ids = &at.ids;
    let numbers: Vec<u32> = (1..GROWN_LOTS).collect();
    let lot = |&number: &u32| CreditRequest {
        // Equal lots would become one.
        priority: i32::try_from(number).unwrap_or(i32::MAX),
        lot_expire_time: (number <= EXPIRING_LOTS).then(|| in_days(365 + number)),
        ..credit(ids, &name, 5_000)
    };
    in_calls(at, &numbers, |numbers| numbers.iter().map(lot).collect()).await?;
    for _ in 0..GROWN_HOLDS {
        let request = PlaceHoldRequest {
            account: name.clone(),
            request_id: ids.ordered().to_string(),
            operation: OPERATION.to_owned(),
            duration: Some(prost_types::Duration {
                seconds: HOLD_DAYS * 86_400,
                nanos: 0,
            }),
            ..Default::default()
        };
        at.client.clone().place_hold(request).await?;
    }
    let has = u64::from(GROWN_LOTS + GROWN_HOLDS);
    charge("events of one account", at, events.saturating_sub(has)).await
}

/// Makes `events` events by BatchCharge.
pub(crate) async fn charge(what: &str, at: &Aim, events: u64) -> Result<(), String> {
    let calls = events.div_ceil(BATCH_ITEMS);
    let sizes = (0..calls).map(|call| BATCH_ITEMS.min(events - call * BATCH_ITEMS));
    let began = Instant::now();
    let mut told = began;
    let mut done = 0;
    let mut answers = stream::iter(sizes)
        .map(|items| {
            let mut at = at.clone();
            async move { charge_batch(&mut at, items).await }
        })
        .buffer_unordered(CALLS);
    while let Some(count) = answers.try_next().await? {
        done += count;
        if told.elapsed() >= PROGRESS_INTERVAL {
            told = Instant::now();
            let rate = as_f64(done) / began.elapsed().as_secs_f64();
            eprintln!("    {what}: {done} of {events}, {rate:.0} a second");
        }
    }
    Ok(())
}

fn credit(ids: &Ids, account: &str, amount: i64) -> CreditRequest {
    CreditRequest {
        account: account.to_owned(),
        request_id: ids.ordered().to_string(),
        amount: Some(AssetAmount {
            asset: "RUB".to_owned(),
            amount,
        }),
        source: "T".to_owned(),
        ..Default::default()
    }
}

/// Makes credits out of `things` and sends them, 1000 a call.
async fn in_calls<T>(
    at: &Aim,
    things: &[T],
    credits: impl Fn(&[T]) -> Vec<CreditRequest>,
) -> Result<(), String> {
    let client = &at.client;
    for chunk in things.chunks(1000) {
        let requests = credits(chunk);
        let request = BatchCreditRequest {
            book: BOOK.to_owned(),
            requests,
            ..Default::default()
        };
        for item in client.batch_credit(request).await?.items {
            if let Some(batch_credit_item::Outcome::Error(status)) = item.outcome {
                return Err(format!("a credit is refused: {}", reason(&status)));
            }
        }
    }
    Ok(())
}

async fn spend_free_operations(at: &Aim) -> Result<(), String> {
    let client = &at.client;
    for chunk in at.accounts.names().chunks(1000 / FREE_OPERATIONS) {
        let charges = chunk
            .iter()
            .flat_map(|name| std::iter::repeat_n(name, FREE_OPERATIONS));
        let charges = charges.map(|name| ChargeRequest {
            account: name.clone(),
            request_id: at.ids.ordered().to_string(),
            operation: OPERATION.to_owned(),
            ..Default::default()
        });
        let requests = charges.collect();
        let request = BatchChargeRequest {
            book: BOOK.to_owned(),
            requests,
            ..Default::default()
        };
        for item in client.batch_charge(request).await?.items {
            match item.outcome {
                Some(batch_charge_item::Outcome::Response(answer))
                    if answer
                        .price
                        .as_ref()
                        .is_some_and(|price| price.asset == "FREE_OP") => {}
                Some(batch_charge_item::Outcome::Error(status)) => {
                    return Err(format!("a free operation is refused: {}", reason(&status)));
                }
                _ => return Err("the first operations are not free".to_owned()),
            }
        }
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a lot of the load expires at a real time"
)]
fn in_days(days: u32) -> prost_types::Timestamp {
    (SystemTime::now() + DAY * days).into()
}
