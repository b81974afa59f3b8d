//! Limits over windows of time.

use crate::{
    account::Account,
    catalog::{Catalog, Counts, Limit},
    event::WindowUse,
    name::Name,
    primitives::Timestamp,
    rejection::Rejection,
};

/// Checks that `quantity` more of an operation fit into every limit that it
/// counts in, and gives those limits. What has no operation has no limits.
pub(super) fn check(
    account: &Account,
    catalog: &Catalog,
    operation: Option<&str>,
    quantity: i64,
    now: Timestamp,
) -> Result<Vec<WindowUse>, Rejection> {
    let mut counted_in = Vec::new();
    for (id, limit) in of(catalog, operation) {
        let window = account.windows.get(id);
        let used = window.map_or(0, |window| window.used(now, limit.window_us));
        if used.saturating_add(quantity) > limit.maximum {
            let free_at = window
                .and_then(|window| window.free_at(now, limit.window_us, quantity, limit.maximum));
            return Err(Rejection::RateLimited {
                limit: id.into(),
                used,
                maximum: limit.maximum,
                next_free_at: free_at,
                now,
            });
        }
        counted_in.push(counting(id, limit));
    }
    Ok(counted_in)
}

/// The limits in which a late capture counts again: its hold has given its
/// places back.
pub(super) fn of_late_capture(catalog: &Catalog, operation: Option<&str>) -> Vec<WindowUse> {
    of(catalog, operation)
        .filter(|(_, limit)| limit.counts == Counts::Completed)
        .map(|(id, limit)| counting(id, limit))
        .collect()
}

fn of<'a>(
    catalog: &'a Catalog,
    operation: Option<&'a str>,
) -> impl Iterator<Item = (&'a Name, &'a Limit)> {
    catalog.limits.iter().filter(move |(_, limit)| {
        operation.is_some_and(|operation| {
            limit.operations.is_empty() || limit.operations.contains(operation)
        })
    })
}

fn counting(id: &Name, limit: &Limit) -> WindowUse {
    WindowUse {
        limit: id.clone(),
        window_us: limit.window_us,
        returns: limit.counts == Counts::Completed,
    }
}
