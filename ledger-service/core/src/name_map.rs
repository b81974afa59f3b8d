//! Small maps by names.

use std::fmt;

use litemap::LiteMap;
use minicbor::{CborLen, Decode, Decoder, Encode, Encoder, decode, encode};

use crate::name::Name;

/// A map by names, in their order. An account has a few of each, and is copied
/// by every batch that changes it: a sorted vector is one small allocation
/// where a node of a `BTreeMap` has room for eleven. Encoded like a `BTreeMap`.
#[derive(Clone, PartialEq, Eq)]
pub struct NameMap<V>(LiteMap<Name, V>);

impl<V> NameMap<V> {
    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&V> {
        self.0.get(name)
    }

    /// The value of a name, made if there is none.
    pub fn get_or_insert_default(&mut self, name: &str) -> &mut V
    where
        V: Default,
    {
        self.0.entry(name.into()).or_default()
    }

    /// The value of a name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        self.0.get_mut(name)
    }

    /// Sets the value of a name; answers the one before.
    pub fn insert(&mut self, name: Name, value: V) -> Option<V> {
        self.0.insert(name, value)
    }

    /// The values, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// Keeps the entries that `keep` accepts.
    pub fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.0.retain(|_, value| keep(value));
    }

    /// The names with their values, in the order of names.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Name, &V)> + ExactSizeIterator {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<V> Default for NameMap<V> {
    fn default() -> Self {
        Self(LiteMap::new_vec())
    }
}

impl<V: fmt::Debug> fmt::Debug for NameMap<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<V> FromIterator<(Name, V)> for NameMap<V> {
    fn from_iter<I: IntoIterator<Item = (Name, V)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl<C, V: Encode<C>> Encode<C> for NameMap<V> {
    fn encode<W: encode::Write>(
        &self,
        encoder: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.map(u64::try_from(self.len()).unwrap_or(u64::MAX))?;
        for (name, value) in self.iter() {
            name.encode(encoder, context)?;
            value.encode(encoder, context)?;
        }
        Ok(())
    }
}

impl<'b, C, V: Decode<'b, C>> Decode<'b, C> for NameMap<V> {
    /// In whatever order they stand; of two of the same name the last holds.
    fn decode(decoder: &mut Decoder<'b>, context: &mut C) -> Result<Self, decode::Error> {
        let mut map = Self::default();
        for entry in decoder.map_iter_with(context)? {
            let (name, value) = entry?;
            map.insert(name, value);
        }
        Ok(map)
    }
}

impl<C, V: CborLen<C>> CborLen<C> for NameMap<V> {
    fn cbor_len(&self, context: &mut C) -> usize {
        self.iter()
            .fold(self.len().cbor_len(context), |sum, (name, value)| {
                let entry = name
                    .cbor_len(context)
                    .saturating_add(value.cbor_len(context));
                sum.saturating_add(entry)
            })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::NameMap;

    #[test]
    fn it_is_encoded_like_a_tree() {
        for size in [0, 1, 2, 11, 12, 23, 24, 300] {
            let tree: BTreeMap<String, i64> = (0..size)
                .map(|number| (format!("{:x}", number * 7919 % 1009), number * 1_000))
                .collect();
            let mut map = NameMap::default();
            for (name, value) in tree.iter().rev() {
                *map.get_or_insert_default(name) += value;
            }
            let bytes = minicbor::to_vec(&map).unwrap();
            assert_eq!(bytes, minicbor::to_vec(&tree).unwrap());
            assert_eq!(minicbor::len(&map), bytes.len());
            assert_eq!(minicbor::decode::<NameMap<i64>>(&bytes).unwrap(), map);
            assert_eq!(format!("{map:?}"), format!("{tree:?}"));
            assert!(
                map.iter()
                    .all(|(name, value)| tree[name.as_str()] == *value)
            );
        }
    }

    #[test]
    fn it_is_decoded_like_a_tree() {
        // Out of order, a name given twice, and a map without a length.
        let table: [&[u8]; 3] = [
            &[0xa2, 0x61, b'b', 1, 0x61, b'a', 2],
            &[0xa3, 0x61, b'b', 1, 0x61, b'a', 2, 0x61, b'b', 3],
            &[0xbf, 0x61, b'b', 1, 0x61, b'a', 2, 0xff],
        ];
        for bytes in table {
            let map: NameMap<i64> = minicbor::decode(bytes).unwrap();
            let tree: BTreeMap<String, i64> = minicbor::decode(bytes).unwrap();
            let pairs = map.iter().map(|(name, value)| (name.into(), *value));
            assert_eq!(pairs.collect::<BTreeMap<String, i64>>(), tree);
            assert_eq!(
                minicbor::to_vec(&map).unwrap(),
                minicbor::to_vec(&tree).unwrap()
            );
        }
    }
}
