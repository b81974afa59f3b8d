//! The callers of each measure: what one of them sends, and what counts as an
//! answer.

use crate::{
    client::{Client, reason},
    ids::{Accounts, Ids},
    load::Caller,
};
use ledger_proto::v1::{
    BatchChargeRequest, CaptureHoldRequest, ChargeRequest, GetBalanceRequest, MutationResult,
    PlaceHoldRequest, batch_charge_item::Outcome, capture_hold_request::Target,
};
use std::{collections::VecDeque, sync::Arc};

/// The operation that is charged: 10.00 RUB.
pub(crate) const OPERATION: &str = "generate";
/// How many items a BatchCharge has.
pub(crate) const BATCH_ITEMS: u64 = 1000;
/// How many of its last charges a caller may repeat: at 30 charges a second for
/// each of 1024 callers, those of the last second.
const REMEMBERED: usize = 32;

/// What all callers of a load share.
#[derive(Clone, Debug)]
pub(crate) struct Aim {
    pub(crate) client: Client,
    pub(crate) ids: Arc<Ids>,
    pub(crate) accounts: Arc<Accounts>,
}

/// Single charges.
pub(crate) struct Charge {
    pub(crate) at: Aim,
    /// Random ids instead of ids ordered by time.
    pub(crate) has_random_ids: bool,
}

impl Caller for Charge {
    async fn call(&mut self) -> Result<u64, String> {
        let mut request = self.at.charge();
        if self.has_random_ids {
            request.request_id = self.at.ids.random().to_string();
        }
        first(self.at.client.charge(request).await?.result)
    }
}

/// Single charges, of which 1 % are repeats of charges that were answered just
/// now, and 1 % are refused for lack of funds.
pub(crate) struct Mixed {
    at: Aim,
    /// Accounts without funds.
    empty: Arc<Accounts>,
    answered: VecDeque<ChargeRequest>,
}

impl Mixed {
    pub(crate) fn new(at: Aim, empty: Arc<Accounts>) -> Self {
        Self {
            at,
            empty,
            answered: VecDeque::new(),
        }
    }

    async fn repeat(&mut self, request: ChargeRequest) -> Result<u64, String> {
        let result = self.at.client.charge(request).await?.result;
        if result.is_some_and(|result| result.replayed) {
            return Ok(1);
        }
        Err("REPEAT_NOT_REPLAYED".to_owned())
    }

    async fn be_refused(&mut self, mut request: ChargeRequest) -> Result<u64, String> {
        request.account = self.empty.pick(self.at.ids.next());
        match self.at.client.charge(request).await {
            Ok(_) => Err("NOT_REFUSED".to_owned()),
            Err(reason) if reason == "INSUFFICIENT_FUNDS" => Ok(1),
            Err(reason) => Err(reason),
        }
    }
}

impl Caller for Mixed {
    async fn call(&mut self) -> Result<u64, String> {
        let request = self.at.charge();
        match self.at.ids.next() % 100 {
            0 => {
                // The newest is no better and no worse than the others.
                let repeated = self.answered.pop_front().unwrap_or_default();
                if !repeated.account.is_empty() {
                    return self.repeat(repeated).await;
                }
            }
            1 => return self.be_refused(request).await,
            _ => {}
        }
        let counted = first(self.at.client.charge(request.clone()).await?.result)?;
        if self.answered.len() == REMEMBERED {
            self.answered.pop_front();
        }
        self.answered.push_back(request);
        Ok(counted)
    }
}

/// Holds, each placed and then captured by the id of its request. A pair counts
/// for one.
pub(crate) struct HoldCapture(pub(crate) Aim);

impl Caller for HoldCapture {
    async fn call(&mut self) -> Result<u64, String> {
        let account = self.0.accounts.pick(self.0.ids.next());
        let hold_request_id = self.0.ids.ordered().to_string();
        let place = PlaceHoldRequest {
            account: account.clone(),
            request_id: hold_request_id.clone(),
            operation: OPERATION.to_owned(),
            ..Default::default()
        };
        first(self.0.client.place_hold(place).await?.result)?;
        let capture = CaptureHoldRequest {
            account,
            request_id: self.0.ids.ordered().to_string(),
            target: Some(Target::HoldRequestId(hold_request_id)),
            ..Default::default()
        };
        first(self.0.client.capture_hold(capture).await?.result)
    }
}

/// Charges in calls of [`BATCH_ITEMS`]. An item counts for one.
pub(crate) struct Batch(pub(crate) Aim);

impl Caller for Batch {
    const IS_BATCH: bool = true;

    async fn call(&mut self) -> Result<u64, String> {
        charge_batch(&mut self.0, BATCH_ITEMS).await
    }
}

/// Charges `items` operations in one call, each on an account of its own choice.
pub(crate) async fn charge_batch(at: &mut Aim, items: u64) -> Result<u64, String> {
    let request = BatchChargeRequest {
        book: e2e_tests::billing::BOOK.to_owned(),
        requests: (0..items).map(|_| at.charge()).collect(),
        ..Default::default()
    };
    let items = at.client.batch_charge(request).await?.items;
    for item in &items {
        match &item.outcome {
            Some(Outcome::Response(_)) => {}
            Some(Outcome::Error(status)) => return Err(reason(status)),
            None => return Err("NO_OUTCOME".to_owned()),
        }
    }
    Ok(u64::try_from(items.len()).unwrap_or(u64::MAX))
}

/// Reads of balances.
pub(crate) struct Balance(pub(crate) Aim);

impl Caller for Balance {
    async fn call(&mut self) -> Result<u64, String> {
        let account = self.0.accounts.pick(self.0.ids.next());
        let request = GetBalanceRequest {
            account,
            ..Default::default()
        };
        let answer = self.0.client.get_balance(request).await?;
        if answer.not_opened || answer.balances.is_empty() {
            return Err("NO_BALANCE".to_owned());
        }
        Ok(1)
    }
}

impl Aim {
    /// A charge that has not been sent yet.
    fn charge(&self) -> ChargeRequest {
        ChargeRequest {
            account: self.accounts.pick(self.ids.next()),
            request_id: self.ids.ordered().to_string(),
            operation: OPERATION.to_owned(),
            ..Default::default()
        }
    }
}

/// Counts an answer that must not be a repeat of another.
fn first(result: Option<MutationResult>) -> Result<u64, String> {
    match result {
        Some(result) if !result.replayed => Ok(1),
        Some(_) => Err("REPLAYED_AT_FIRST".to_owned()),
        None => Err("NO_RESULT".to_owned()),
    }
}
