//! Comparing two large sets of rows in constant memory and any order.

use sha2::{Digest as _, Sha256};

/// The sum of the hashes of rows. Two multisets are equal if their sums are
/// (but for a chance of 2⁻¹²⁸), whatever their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Multiset {
    sum: u128,
    pub(super) count: u64,
}

impl Multiset {
    pub(super) fn add(&mut self, row: &[u8]) {
        let digest: [u8; 32] = Sha256::digest(row).into();
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        self.sum = self.sum.wrapping_add(u128::from_be_bytes(half));
        self.count = self.count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::Multiset;

    #[test]
    fn order_does_not_matter_and_content_does() {
        let of = |rows: &[&str]| {
            let mut set = Multiset::default();
            rows.iter().for_each(|row| set.add(row.as_bytes()));
            set
        };
        assert_eq!(of(&["a", "b", "b"]), of(&["b", "a", "b"]));
        assert_ne!(of(&["a", "b"]), of(&["a", "b", "b"]));
        assert_ne!(of(&["a"]), of(&["b"]));
    }
}
