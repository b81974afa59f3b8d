//! The name that someone probably meant.

/// The known name nearest to `name`, if one is near: at most a third of its
/// letters apart, without regard to case.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    known
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= DISTANCE_MAX)
        .map(|candidate| (distance(&name, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).clamp(1, DISTANCE_MAX))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Typing errors that still point at a long name.
const DISTANCE_MAX: usize = 3;

/// Letters to add, drop or change to get from one name to the other
/// (Levenshtein), one row of the table at a time.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (index, have) in from.chars().enumerate() {
        let mut left = index.saturating_add(1);
        let mut next = vec![left];
        for (want, above) in to.chars().zip(row.windows(2)) {
            let &[diagonal, above] = above else { break };
            let changed = diagonal.saturating_add(usize::from(have != want));
            left = changed
                .min(above.saturating_add(1))
                .min(left.saturating_add(1));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("", ""), 0);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("prices", "price"), 1);
    }

    #[test]
    fn a_near_name_is_found_and_a_far_one_is_not() {
        let known = ["prices", "quantity_max", "grants", "hold", "env"];
        assert_eq!(nearest("price", known), Some("prices"));
        assert_eq!(nearest("quantity-max", known), Some("quantity_max"));
        assert_eq!(nearest("ENV", known), Some("env"));
        assert_eq!(nearest("title", known), None);
        assert_eq!(nearest("", known), None);
    }
}
