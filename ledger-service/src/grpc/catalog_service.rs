//! `CatalogService`: billing policy, read and applied.

use std::time::Instant;

use ledger_core::{
    Payload, Rejection,
    catalog::{Catalog, parse as parse_catalog},
    event::HOUSE,
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
use crate::{engine::log, projections::held_asset, store::StoredEvent};

type Answer<T> = Result<Response<T>, Status>;

/// The service.
pub(super) struct CatalogApi {
    edge: Edge,
}

impl CatalogApi {
    /// The service at this edge.
    pub(super) const fn new(edge: Edge) -> Self {
        Self { edge }
    }

    /// Refuses a catalog that lacks an asset which wallets still hold.
    async fn check_assets_unused(
        &self,
        request: &ApplyCatalogRequest,
        deadline: Instant,
    ) -> Result<(), Status> {
        // It was accepted as it is, so the book is one and the text can be read.
        let Some(book) = names::parse_book(&request.book) else {
            return Ok(());
        };
        let Ok(parsed) = parse_catalog(&request.text, &request.overrides) else {
            return Ok(());
        };
        let engine = &self.edge.engine;
        let held = held_asset(engine, book, &parsed.catalog, Some(deadline)).await;
        match held.map_err(|error| status::read(&error, book))? {
            Some(held) => {
                let rejection = Rejection::AssetInUse {
                    asset: held.asset,
                    account: (&held.account).into(),
                };
                Err(status::rejected(&rejection, book, HOUSE))
            }
            None => Ok(()),
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
        // First without effect: a repeat gets its first answer, and a request that
        // is refused for itself hears that, before anybody's wallet is looked at.
        let (metadata, extensions, message) = request.into_parts();
        let dry = ApplyCatalogRequest {
            validate_only: true,
            ..message.clone()
        };
        let dry = Request::from_parts(metadata.clone(), extensions.clone(), dry);
        let tried = self.edge.mutate(dry, parse::apply_catalog).await?;
        if !tried.is_replayed() {
            self.check_assets_unused(&message, deadline).await?;
        }
        let request = Request::from_parts(metadata, extensions, message);
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
            plans: render::plans(catalog, &origin, include_hidden),
            top_ups: render::top_ups(catalog),
            auto_top_ups: render::auto_top_ups(catalog),
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
