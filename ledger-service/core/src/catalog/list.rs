//! Lists of durations, such as `["3d", "1d"]`.

use super::duration::SECOND_US;
use super::limits::{DURATION_US_MAX, DURATIONS_MAX};
use super::reader::Section;
use super::report::Report;

/// Reads durations in any order, in microseconds; none if the key is not given.
pub(super) fn durations(section: &Section<'_>, key: &str, report: &mut Report) -> Vec<i64> {
    read(section, key, false, report)
}

/// Reads how long before something, in microseconds: the longest first, in the
/// order in which they come to pass. None if the key is not given.
pub(super) fn before(section: &Section<'_>, key: &str, report: &mut Report) -> Vec<i64> {
    read(section, key, true, report)
}

fn read(section: &Section<'_>, key: &str, descending: bool, report: &mut Report) -> Vec<i64> {
    let items = section
        .optional(key)
        .and_then(|node| node.items(&(0..=DURATIONS_MAX), report))
        .unwrap_or_default();
    let mut durations: Vec<i64> = Vec::with_capacity(items.len());
    for item in items {
        let Some(duration_us) = item.duration(&(SECOND_US..=DURATION_US_MAX), report) else {
            continue;
        };
        if descending && durations.last().is_some_and(|last| *last <= duration_us) {
            report.add(&item.place, "must be less than the duration before it");
        }
        durations.push(duration_us);
    }
    durations
}
