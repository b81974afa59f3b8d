//! `LedgerService`: mutations of accounts, and what a charge would cost.

use ledger_proto::v1::{
    AdjustRequest, AdjustResponse, BatchChargeItem, BatchChargeRequest, BatchChargeResponse,
    BatchCreditItem, BatchCreditRequest, BatchCreditResponse, BlockAccountRequest,
    BlockAccountResponse, CaptureHoldRequest, CaptureHoldResponse, ChargeRequest, ChargeResponse,
    CloseAccountRequest, CloseAccountResponse, CreditRequest, CreditResponse, ExtendHoldRequest,
    ExtendHoldResponse, OpenAccountRequest, OpenAccountResponse, PlaceHoldRequest,
    PlaceHoldResponse, QuoteChargeRequest, QuoteChargeResponse, RefundRequest, RefundResponse,
    ReleaseHoldRequest, ReleaseHoldResponse, TransferRequest, TransferResponse,
    UnblockAccountRequest, UnblockAccountResponse, batch_charge_item, batch_credit_item,
    ledger_service_server::LedgerService,
};
use tonic::{Request, Response, Status, async_trait};

use super::{
    edge::Edge,
    parse::{self, Caller, Fields},
    quote, render,
};

type Answer<T> = Result<Response<T>, Status>;

/// The service.
pub(super) struct LedgerApi {
    edge: Edge,
}

impl LedgerApi {
    /// The service at this edge.
    pub(super) const fn new(edge: Edge) -> Self {
        Self { edge }
    }
}

#[async_trait]
impl LedgerService for LedgerApi {
    async fn open_account(
        &self,
        request: Request<OpenAccountRequest>,
    ) -> Answer<OpenAccountResponse> {
        let applied = self.edge.mutate(request, parse::open_account).await?;
        Ok(Response::new(render::open_account(applied.done())))
    }

    async fn close_account(
        &self,
        request: Request<CloseAccountRequest>,
    ) -> Answer<CloseAccountResponse> {
        let applied = self.edge.mutate(request, parse::close_account).await?;
        Ok(Response::new(CloseAccountResponse {
            result: render::result(applied.done()),
        }))
    }

    async fn block_account(
        &self,
        request: Request<BlockAccountRequest>,
    ) -> Answer<BlockAccountResponse> {
        let applied = self.edge.mutate(request, parse::block_account).await?;
        Ok(Response::new(BlockAccountResponse {
            result: render::result(applied.done()),
        }))
    }

    async fn unblock_account(
        &self,
        request: Request<UnblockAccountRequest>,
    ) -> Answer<UnblockAccountResponse> {
        let applied = self.edge.mutate(request, parse::unblock_account).await?;
        Ok(Response::new(UnblockAccountResponse {
            result: render::result(applied.done()),
        }))
    }

    async fn credit(&self, request: Request<CreditRequest>) -> Answer<CreditResponse> {
        let applied = self.edge.mutate(request, parse::credit).await?;
        Ok(Response::new(CreditResponse {
            result: render::result(applied.done()),
        }))
    }

    async fn batch_credit(
        &self,
        request: Request<BatchCreditRequest>,
    ) -> Answer<BatchCreditResponse> {
        use batch_credit_item::Outcome;
        let applied = self.edge.mutate_batch(request, parse::credit).await?;
        let item = |outcome| BatchCreditItem {
            outcome: Some(outcome),
        };
        let items = applied.render(
            |done| {
                Ok(item(Outcome::Response(CreditResponse {
                    result: render::result(done),
                })))
            },
            |error| item(Outcome::Error(error)),
        )?;
        Ok(Response::new(BatchCreditResponse { items }))
    }

    async fn charge(&self, request: Request<ChargeRequest>) -> Answer<ChargeResponse> {
        let applied = self.edge.mutate(request, parse::charge).await?;
        Ok(Response::new(render::charge(applied.done())?))
    }

    async fn batch_charge(
        &self,
        request: Request<BatchChargeRequest>,
    ) -> Answer<BatchChargeResponse> {
        use batch_charge_item::Outcome;
        let applied = self.edge.mutate_batch(request, parse::charge).await?;
        let item = |outcome| BatchChargeItem {
            outcome: Some(outcome),
        };
        let items = applied.render(
            |done| render::charge(done).map(|response| item(Outcome::Response(response))),
            |error| item(Outcome::Error(error)),
        )?;
        Ok(Response::new(BatchChargeResponse { items }))
    }

    async fn quote_charge(
        &self,
        request: Request<QuoteChargeRequest>,
    ) -> Answer<QuoteChargeResponse> {
        let caller = Caller::of(&request);
        let mut message = request.into_inner();
        let mut fields = Fields::default();
        let account = std::mem::take(&mut message.account);
        let reading = fields.reading(account, &message.consistency_token, caller.deadline());
        let order = parse::order(message, caller, &mut fields);
        fields.finish()?;
        let look = self.edge.look_at_any(reading).await?;
        Ok(Response::new(
            quote::quote(&look, &order)?.into_quote_charge(),
        ))
    }

    async fn place_hold(&self, request: Request<PlaceHoldRequest>) -> Answer<PlaceHoldResponse> {
        let applied = self.edge.mutate(request, parse::place_hold).await?;
        Ok(Response::new(render::place_hold(applied.done())?))
    }

    async fn extend_hold(&self, request: Request<ExtendHoldRequest>) -> Answer<ExtendHoldResponse> {
        let applied = self.edge.mutate(request, parse::extend_hold).await?;
        Ok(Response::new(render::extend_hold(applied.done())?))
    }

    async fn capture_hold(
        &self,
        request: Request<CaptureHoldRequest>,
    ) -> Answer<CaptureHoldResponse> {
        let applied = self.edge.mutate(request, parse::capture_hold).await?;
        Ok(Response::new(render::capture_hold(applied.done())?))
    }

    async fn release_hold(
        &self,
        request: Request<ReleaseHoldRequest>,
    ) -> Answer<ReleaseHoldResponse> {
        let applied = self.edge.mutate(request, parse::release_hold).await?;
        Ok(Response::new(render::release_hold(applied.done())?))
    }

    async fn refund(&self, request: Request<RefundRequest>) -> Answer<RefundResponse> {
        let applied = self.edge.mutate(request, parse::refund).await?;
        Ok(Response::new(render::refund(applied.done())?))
    }

    async fn transfer(&self, request: Request<TransferRequest>) -> Answer<TransferResponse> {
        let applied = self.edge.mutate(request, parse::transfer).await?;
        Ok(Response::new(render::transfer(applied.done())?))
    }

    async fn adjust(&self, request: Request<AdjustRequest>) -> Answer<AdjustResponse> {
        let asset = request.get_ref().asset.clone();
        let applied = self.edge.mutate(request, parse::adjust).await?;
        Ok(Response::new(render::adjust(applied.done(), &asset)))
    }
}
