//! `CatalogService`: billing policy, read and applied.

use std::time::Instant;

use ledger_core::{
    Account, Name, Payload, Rejection,
    catalog::{Catalog, parse as parse_catalog},
};
use ledger_proto::v1::{
    self, ApplyCatalogRequest, ApplyCatalogResponse, GetCatalogRequest, GetCatalogResponse,
    ListPackagesRequest, ListPackagesResponse, catalog_service_server::CatalogService,
};
use tonic::{Request, Response, Status, async_trait};

use super::{
    edge::Edge,
    names, parse,
    parse::{Caller, Fields},
    render, status,
};
use crate::{
    engine::{EngineError, log},
    store::StoredEvent,
};

type Answer<T> = Result<Response<T>, Status>;

/// How many accounts are looked through in one go for a removed asset.
const ACCOUNTS_IN_A_ROW: u32 = 1_000;

/// The service.
pub(super) struct CatalogApi {
    edge: Edge,
}

impl CatalogApi {
    /// The service at this edge.
    pub(super) const fn new(edge: Edge) -> Self {
        Self { edge }
    }

    /// Refuses a catalog that lacks an asset which wallets still hold. A look
    /// before the decision: what is credited between the two stays in its
    /// wallet, and is there again with a catalog that has the asset.
    async fn check_assets_unused(
        &self,
        request: &ApplyCatalogRequest,
        deadline: Instant,
    ) -> Result<(), Status> {
        // What is wrong in shape is told by the mutation itself.
        let Some(book) = names::parse_book(&request.book) else {
            return Ok(());
        };
        let overrides = request.overrides.clone().into_iter().collect();
        let Ok(parsed) = parse_catalog(&request.text, &overrides) else {
            return Ok(());
        };
        let snapshot = self.edge.snapshot(book, Vec::new(), None, deadline).await?;
        let in_force = snapshot.catalog.catalog.assets.keys();
        let removed: Vec<&String> = in_force
            .filter(|asset| !parsed.catalog.assets.contains_key(*asset))
            .collect();
        if removed.is_empty() {
            return Ok(());
        }
        let mut after = Name::default();
        loop {
            if deadline <= Instant::now() {
                return Err(status::engine(&EngineError::DeadlineExceeded, book));
            }
            let rows = self
                .edge
                .engine
                .store()
                .accounts_after(book, &after, ACCOUNTS_IN_A_ROW)
                .await
                .map_err(|error| status::store(&error))?;
            for row in &rows {
                let account: Account = minicbor::decode(&row.state)
                    .map_err(|error| status::damaged(&error.to_string()))?;
                let held = removed
                    .iter()
                    .find(|asset| account.totals(asset).balance != 0);
                if let Some(asset) = held {
                    let rejection = Rejection::AssetInUse {
                        asset: (*asset).clone(),
                        account: (&row.account).into(),
                    };
                    return Err(status::rejected(
                        &rejection,
                        book,
                        ledger_core::event::HOUSE,
                    ));
                }
            }
            match rows.last() {
                Some(last) if rows.len() == ACCOUNTS_IN_A_ROW as usize => {
                    after.clone_from(&last.account);
                }
                _ => return Ok(()),
            }
        }
    }
}

#[async_trait]
impl CatalogService for CatalogApi {
    async fn get_catalog(&self, request: Request<GetCatalogRequest>) -> Answer<GetCatalogResponse> {
        let deadline = Caller::deadline_of(&request);
        let GetCatalogRequest {
            book,
            catalog_version,
        } = request.into_inner();
        let mut fields = Fields::default();
        let book = fields.book_of_read(&book);
        let version = fields.version("catalog_version", catalog_version);
        fields.finish()?;
        // The book has to exist, and the answer has to be as fresh as any read.
        let snapshot = self
            .edge
            .snapshot(&book, Vec::new(), None, deadline)
            .await?;
        let wanted = version.unwrap_or(snapshot.catalog.version);
        let stored = self.edge.engine.store().catalog(&book, wanted).await;
        let catalog = match stored.map_err(|error| status::store(&error))? {
            Some(stored) => applied(&book, &stored)?,
            None if version.is_none() => v1::Catalog {
                book: names::book_name(&book),
                ..v1::Catalog::default()
            },
            None => return Err(status::catalog_not_found(&book, catalog_version)),
        };
        Ok(Response::new(GetCatalogResponse {
            catalog: Some(catalog),
        }))
    }

    async fn apply_catalog(
        &self,
        request: Request<ApplyCatalogRequest>,
    ) -> Answer<ApplyCatalogResponse> {
        let deadline = Caller::deadline_of(&request);
        self.check_assets_unused(request.get_ref(), deadline)
            .await?;
        let applied = self.edge.mutate(request, parse::apply_catalog).await?;
        Ok(Response::new(render::apply_catalog(applied.done())?))
    }

    async fn list_packages(
        &self,
        request: Request<ListPackagesRequest>,
    ) -> Answer<ListPackagesResponse> {
        let caller = Caller::of(&request);
        let deadline = caller.deadline();
        let ListPackagesRequest {
            book,
            origin,
            include_hidden,
        } = request.into_inner();
        let mut fields = Fields::default();
        let book = fields.book_of_read(&book);
        let origin = if origin.is_empty() {
            caller.origin(&mut fields)
        } else {
            fields.origin("origin", origin)
        };
        fields.finish()?;
        let snapshot = self
            .edge
            .snapshot(&book, Vec::new(), None, deadline)
            .await?;
        let catalog: &Catalog = &snapshot.catalog.catalog;
        Ok(Response::new(ListPackagesResponse {
            packages: render::packages(catalog, &origin, include_hidden),
            top_ups: render::top_ups(catalog),
            catalog_version: render::number(snapshot.catalog.version),
        }))
    }
}

/// A catalog, as the event that brought it into force has it.
fn applied(book: &str, stored: &StoredEvent) -> Result<v1::Catalog, Status> {
    let recorded = log::decode(stored).map_err(|what| status::damaged(&what))?;
    let event = &recorded.event;
    let Payload::CatalogApplied(applied) = &event.payload else {
        return Err(status::damaged("a catalog that is another kind of event"));
    };
    Ok(v1::Catalog {
        book: names::book_name(book),
        catalog_version: render::number(applied.catalog_version),
        text: applied.text.clone(),
        overrides: applied.overrides.clone(),
        event: names::event_name(book, event.position),
        apply_time: Some(render::timestamp(event.recorded_at)),
    })
}
