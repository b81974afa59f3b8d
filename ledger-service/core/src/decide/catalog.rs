//! Bringing a catalog into force.

use super::{Decided, Party, work::Work};
use crate::{
    catalog,
    command::ApplyCatalog,
    event::{CatalogApplied, Payload},
    rejection::Rejection,
};

pub(super) fn apply(mut work: Work<'_>, apply: &ApplyCatalog) -> Result<Vec<Decided>, Rejection> {
    let parsed = catalog::parse(&apply.text, &apply.overrides).map_err(|problems| {
        Rejection::InvalidCatalog {
            problems: problems.to_string(),
        }
    })?;
    if parsed.catalog.book != work.context.book {
        return Err(Rejection::CatalogForOtherBook {
            catalog_book: parsed.catalog.book,
        });
    }
    let in_force = work.context.catalog_version;
    if apply
        .expected_version
        .is_some_and(|expected| expected != in_force)
    {
        return Err(Rejection::CatalogChanged {
            catalog_version: in_force,
        });
    }
    let catalog_version = in_force.saturating_add(1);
    // From here on nothing fails.
    work.push(
        Party::Own,
        Payload::CatalogApplied(CatalogApplied {
            catalog_version,
            text: apply.text.clone(),
            overrides: parsed.overrides,
        }),
    );
    Ok(work.finish())
}
