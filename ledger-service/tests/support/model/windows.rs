//! Limits over windows of time: every use by its moment, counted anew whenever
//! it is asked how many there are.

use std::collections::BTreeMap;

use ledger_core::{
    Name, NameMap, Rejection, Timestamp,
    account::Window,
    catalog::{Counts, Limit},
    command::encode,
    event::WindowUse,
};

use super::{
    attempt::{Attempt, Try},
    ledger::Flaw,
};

/// What an account did lately, by limit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uses(BTreeMap<Name, Lately>);

/// What counts in one limit.
#[derive(Clone, Debug, Default)]
struct Lately {
    window_us: i64,
    /// How many at which moment.
    counts: BTreeMap<Timestamp, i64>,
}

impl Uses {
    /// How many are younger than a window at a moment.
    fn used(&self, limit: &str, at: Timestamp, window_us: i64) -> i64 {
        let lately = self.0.get(limit).into_iter();
        let counts = lately.flat_map(|lately| &lately.counts);
        let young = counts.filter(|(moment, _)| moment.plus_us(window_us) > at);
        young.map(|(_, count)| count).sum()
    }

    /// When each of them has left the window.
    fn leaving(&self, limit: &str, window_us: i64) -> Vec<Timestamp> {
        let lately = self.0.get(limit).into_iter();
        let moments = lately.flat_map(|lately| lately.counts.keys());
        moments.map(|moment| moment.plus_us(window_us)).collect()
    }

    /// Counts in these limits. Whenever anything is counted, what has left its
    /// window is forgotten.
    pub(super) fn count(&mut self, counted_in: &[WindowUse], quantity: i64, at: Timestamp) {
        for counted in counted_in {
            let lately = self.0.entry(counted.limit.clone()).or_default();
            lately.window_us = counted.window_us;
            *lately.counts.entry(at).or_default() += quantity;
        }
        if !counted_in.is_empty() {
            for Lately { window_us, counts } in self.0.values_mut() {
                counts.retain(|moment, _| moment.plus_us(*window_us) > at);
            }
            self.0.retain(|_, lately| !lately.counts.is_empty());
        }
    }

    /// Gives back a place that was taken at a moment.
    pub(super) fn give_back(&mut self, limits: &[Name], quantity: i64, taken_at: Timestamp) {
        for limit in limits {
            let lately = self.0.entry(limit.clone()).or_default();
            if let Some(count) = lately.counts.get_mut(&taken_at) {
                *count -= quantity;
            }
            lately.counts.retain(|_, count| *count > 0);
        }
        self.0.retain(|_, lately| lately.window_us > 0);
    }

    /// The same as the service keeps it.
    pub(super) fn windows(&self) -> NameMap<Window> {
        let windows = self.0.iter().map(|(limit, lately)| {
            let mut numbers = vec![lately.window_us];
            let mut before = 0;
            for (moment, count) in &lately.counts {
                numbers.extend([moment.0 - before, *count]);
                before = moment.0;
            }
            let window = minicbor::decode(&encode(&numbers)).unwrap();
            (limit.clone(), window)
        });
        windows.collect()
    }
}

impl Attempt<'_> {
    /// Whether so many more fit into every limit of an operation, and which
    /// those are.
    pub(super) fn limited(&self, operation: Option<&Name>, quantity: i64) -> Try<Vec<WindowUse>> {
        let limits = operation.map_or(Vec::new(), |operation| self.limits_of(operation));
        for (id, limit) in &limits {
            let window_us = limit.window_us;
            let used = |at| self.own.uses.used(id, at, window_us);
            let mut maximum = limit.maximum;
            if self.ledger.flaw == Some(Flaw::LooseLimits) && maximum > 0 {
                maximum += 1;
            }
            if used(self.now) + quantity <= maximum {
                continue;
            }
            let mut leaving = self.own.uses.leaving(id, window_us);
            leaving.retain(|moment| *moment > self.now);
            let has_room = |moment: &Timestamp| used(*moment) + quantity <= limit.maximum;
            return Err(Rejection::RateLimited {
                limit: (*id).into(),
                used: used(self.now),
                maximum: limit.maximum,
                next_free_at: leaving.into_iter().find(has_room),
                now: self.now,
            });
        }
        let counted = limits.into_iter().map(|(id, limit)| WindowUse {
            limit: id.clone(),
            window_us: limit.window_us,
            returns: limit.counts == Counts::Completed,
        });
        Ok(counted.collect())
    }

    fn limits_of(&self, operation: &Name) -> Vec<(&Name, &Limit)> {
        let limits = self.ledger.catalog.limits.iter();
        let is_of_it = |limit: &Limit| {
            limit.operations.is_empty() || limit.operations.iter().any(|other| other == operation)
        };
        limits.filter(|(_, limit)| is_of_it(limit)).collect()
    }

    /// The limits in which a hold that had given its place back takes it again.
    pub(super) fn limits_again(&self, operation: Option<&Name>) -> Vec<WindowUse> {
        let limits = operation.map_or(Vec::new(), |operation| self.limits_of(operation));
        let returning = limits
            .into_iter()
            .filter(|(_, limit)| limit.counts == Counts::Completed);
        let again = returning.map(|(id, limit)| WindowUse {
            limit: id.clone(),
            window_us: limit.window_us,
            returns: true,
        });
        again.collect()
    }
}

/// When a limit may have room that it has not now: of those of an operation
/// that are full for `quantity` more, when each use leaves.
pub(crate) fn leaving<'a>(
    limits: impl IntoIterator<Item = (&'a Name, &'a Limit)>,
    uses: &Uses,
    operation: &str,
    quantity: i64,
    now: Timestamp,
) -> Vec<Timestamp> {
    let mut moments = Vec::new();
    for (id, limit) in limits {
        let is_of_it = limit.operations.is_empty() || limit.operations.contains(operation);
        if is_of_it && uses.used(id, now, limit.window_us) + quantity > limit.maximum {
            moments.extend(uses.leaving(id, limit.window_us));
        }
    }
    moments
}
