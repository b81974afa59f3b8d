//! The catalog in force: the last one in the log.

use std::collections::BTreeMap;

use ledger_core::{
    Event, Payload,
    catalog::{Catalog, parse_applied},
};

/// The catalog in force.
#[derive(Clone, Debug)]
pub struct CatalogInForce {
    /// Its number within the book; 0 while there is none.
    pub version: u64,
    /// What it says.
    pub catalog: Catalog,
    /// Its text.
    pub text: String,
    /// The values that the environment replaced.
    pub overrides: BTreeMap<String, String>,
}

impl CatalogInForce {
    /// The catalog of a book that has none yet: it allows nothing.
    #[must_use]
    pub fn none(book: &str) -> Self {
        Self {
            version: 0,
            catalog: Catalog::none(book),
            text: String::new(),
            overrides: BTreeMap::new(),
        }
    }

    /// The catalog that an event brought into force; nothing if it is another
    /// kind of event.
    ///
    /// # Errors
    /// The text in the log is not a catalog that this version understands.
    pub fn from_event(event: &Event) -> Result<Option<Self>, String> {
        let Payload::CatalogApplied(applied) = &event.payload else {
            return Ok(None);
        };
        let parsed = parse_applied(&applied.text, &applied.overrides)
            .map_err(|problems| format!("catalog {}: {problems}", applied.catalog_version))?;
        Ok(Some(Self {
            version: applied.catalog_version,
            catalog: parsed.catalog,
            text: applied.text.clone(),
            overrides: applied.overrides.clone(),
        }))
    }
}
