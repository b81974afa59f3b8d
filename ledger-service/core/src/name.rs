//! Short texts: ids and codes.

use std::{borrow::Borrow, fmt, ops::Deref};

use compact_str::CompactString;
use minicbor::{CborLen, Decode, Decoder, Encode, Encoder, decode, encode};

/// An id or a code. Up to 24 bytes are kept inline, so that copying most of
/// them allocates nothing; a decision copies dozens. Compared, hashed, shown
/// and encoded like the text that it is.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(CompactString);

impl Name {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&String> for Name {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.into()
    }
}

impl From<&Name> for String {
    fn from(name: &Name) -> Self {
        name.as_str().to_owned()
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<String> for Name {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}

impl<C> Encode<C> for Name {
    fn encode<W: encode::Write>(
        &self,
        encoder: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        self.as_str().encode(encoder, context)
    }
}

impl<'b, C> Decode<'b, C> for Name {
    fn decode(decoder: &mut Decoder<'b>, _context: &mut C) -> Result<Self, decode::Error> {
        decoder.str().map(Self::from)
    }
}

impl<C> CborLen<C> for Name {
    fn cbor_len(&self, context: &mut C) -> usize {
        self.as_str().cbor_len(context)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher as _, RandomState};

    use super::Name;

    /// Empty, inline up to the last byte, and longer ones.
    fn texts() -> impl Iterator<Item = String> {
        [0, 1, 23, 24, 25, 63, 128]
            .into_iter()
            .flat_map(|length| ["a", "Ж", "\u{7f}"].map(|text| text.repeat(length)))
    }

    #[test]
    fn a_name_is_encoded_like_its_text() {
        for text in texts() {
            let name = Name::from(&text);
            let bytes = minicbor::to_vec(&name).unwrap();
            assert_eq!(bytes, minicbor::to_vec(&text).unwrap());
            assert_eq!(minicbor::len(&name), bytes.len());
            assert_eq!(minicbor::decode::<Name>(&bytes).unwrap(), name);
        }
        assert_eq!(minicbor::to_vec(None::<Name>).unwrap(), [0xf6]);
        // Bytes that are no UTF-8, a number, and a text in pieces.
        for bytes in [&[0x61, 0xff][..], &[0x01], &[0x7f, 0x61, 0x61, 0xff]] {
            assert!(minicbor::decode::<Name>(bytes).is_err(), "{bytes:x?}");
            assert!(minicbor::decode::<String>(bytes).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn a_name_is_what_its_text_is() {
        let hasher = RandomState::new();
        for text in texts() {
            let name = Name::from(text.as_str());
            assert_eq!(hasher.hash_one(&name), hasher.hash_one(text.as_str()));
            assert_eq!(format!("{name} {name:?}"), format!("{text} {text:?}"));
            assert_eq!(format!("{name:>30}"), format!("{text:>30}"));
            assert!(name == text && name == text.as_str() && name == *text.as_str());
            assert_eq!(String::from(&name), text);
            for other in texts() {
                assert_eq!(name.cmp(&Name::from(&other)), text.cmp(&other));
            }
            assert_eq!(String::from(Name::from(text.clone())), text);
        }
    }
}
