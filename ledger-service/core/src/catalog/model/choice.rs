//! Which prices a call is for: what it says of the attributes, completed and
//! checked.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Operation, Price, Variant};
use crate::name::Name;

/// What a call orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen<'a> {
    /// Every attribute of the operation: what the call says, else the default.
    pub attributes: Cow<'a, BTreeMap<Name, Name>>,
    /// The alternatives, in the order in which they are tried.
    pub prices: &'a [Price],
}

/// Why what a call says of the attributes cannot be ordered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributeProblem {
    /// The operation has no such attribute.
    #[error("the operation has no attribute {attribute}")]
    Unknown {
        /// What the call names.
        attribute: Name,
    },
    /// The attribute cannot be that.
    #[error("{attribute} cannot be {value}")]
    NotAllowed {
        /// The attribute.
        attribute: Name,
        /// What the call says.
        value: Name,
        /// What it may be, in order; at least one.
        allowed: Vec<Name>,
    },
    /// The attribute has no default, and the call does not say.
    #[error("{attribute} is required")]
    Missing {
        /// The attribute.
        attribute: Name,
    },
    /// The operation is not done with these attributes together.
    #[error("the operation refuses this combination of attributes")]
    Refused {
        /// Every attribute, with defaults.
        combination: BTreeMap<Name, Name>,
    },
}

impl Operation {
    /// The prices for what a call says of the attributes. Allocates nothing if
    /// there is no default to fill in.
    ///
    /// # Errors
    ///
    /// The first problem: of what is said in the order of names, then of what
    /// is not said, then of all together.
    pub fn choose<'a>(
        &'a self,
        given: &'a BTreeMap<Name, Name>,
    ) -> Result<Chosen<'a>, AttributeProblem> {
        for (attribute, value) in given {
            self.check(attribute, value)?;
        }
        let attributes = self.complete(given)?;
        let prices = self
            .prices_of(&attributes)
            .ok_or_else(|| AttributeProblem::Refused {
                combination: attributes.clone().into_owned(),
            })?;
        Ok(Chosen { attributes, prices })
    }

    /// The alternatives for a value of every attribute; nothing if the
    /// combination is refused.
    #[must_use]
    pub fn prices_of(&self, combination: &BTreeMap<Name, Name>) -> Option<&[Price]> {
        let mut prices = self.prices.as_slice();
        for variant in &self.variants {
            if variant.fits(combination) {
                prices = variant.prices.as_deref()?;
            }
        }
        Some(prices)
    }

    fn check(&self, attribute: &Name, value: &Name) -> Result<(), AttributeProblem> {
        let Some(declared) = self.attributes.get(attribute) else {
            return Err(AttributeProblem::Unknown {
                attribute: attribute.clone(),
            });
        };
        if declared.values.contains(value) {
            return Ok(());
        }
        Err(AttributeProblem::NotAllowed {
            attribute: attribute.clone(),
            value: value.clone(),
            allowed: declared.values.iter().cloned().collect(),
        })
    }

    /// What is given, which is checked, with the defaults of what is not.
    fn complete<'a>(
        &self,
        given: &'a BTreeMap<Name, Name>,
    ) -> Result<Cow<'a, BTreeMap<Name, Name>>, AttributeProblem> {
        let mut attributes = Cow::Borrowed(given);
        for (name, attribute) in &self.attributes {
            if given.contains_key(name) {
                continue;
            }
            let Some(default) = &attribute.default else {
                return Err(AttributeProblem::Missing {
                    attribute: name.clone(),
                });
            };
            attributes.to_mut().insert(name.clone(), default.clone());
        }
        Ok(attributes)
    }
}

impl Variant {
    /// Whether a combination is one of those that the variant is for.
    #[must_use]
    pub fn fits(&self, combination: &BTreeMap<Name, Name>) -> bool {
        self.when.iter().all(|(attribute, values)| {
            let value = combination.get(attribute);
            value.is_some_and(|value| values.contains(value))
        })
    }
}
