//! Tokens: opaque to callers, base64url without padding.
//!
//! - A *consistency token* says which event a write ended with: book, position
//!   and the first bytes of its hash.
//! - A *resume token* says which event a subscriber saw last: book, position
//!   and the whole hash.
//! - A *page token* says where the next page begins, and which request it
//!   belongs to.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use minicbor::{Decode, Encode};
use sha2::{Digest as _, Sha256};

use crate::{
    engine::EngineError,
    store::{Hash, Head},
};

/// The version of the encoding of page tokens.
const PAGE_VERSION: u8 = 1;
/// No token is longer. A page token may hold an account id.
const TOKEN_CHARS_MAX: usize = 1_024;
/// What consistency tokens keep of a hash: enough to tell two logs apart.
const CONSISTENCY_HASH_BYTES: usize = 8;
/// What tokens keep of the hash of what they belong to.
const OWNER_BYTES: usize = 8;

/// What a token belongs to: a request less its paging, or a book.
pub(super) type Owner = [u8; OWNER_BYTES];

/// What a token that is none is called.
pub(super) const MALFORMED: &str = "is not a token of this service";
/// What a token is called that another request got.
pub(super) const OTHER_REQUEST: &str = "belongs to a request with other fields than this one";
/// What a token is called that another book gave.
pub(super) const OTHER_BOOK: &str = "belongs to another book";

/// Why a token is refused.
pub(super) type Problem = &'static str;

/// What a consistency token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Consistency {
    position: u64,
    hash: [u8; CONSISTENCY_HASH_BYTES],
}

impl Consistency {
    /// Reads a token of a book; of any, if the book is not known.
    pub(super) fn parse(text: &str, book: Option<Owner>) -> Result<Self, Problem> {
        let bytes = decode(text)?;
        let (position, rest) = bytes.split_first_chunk().ok_or(MALFORMED)?;
        let (hash, owner) = rest.split_first_chunk().ok_or(MALFORMED)?;
        let owner = Owner::try_from(owner).map_err(|_| MALFORMED)?;
        if book.is_some_and(|book| owner != book) {
            return Err(OTHER_BOOK);
        }
        Ok(Self {
            position: u64::from_be_bytes(*position),
            hash: *hash,
        })
    }

    /// The token of what was seen at an event of a book.
    pub(super) fn render((position, hash): (u64, Hash), book: Owner) -> String {
        let mut bytes = [0_u8; 8 + CONSISTENCY_HASH_BYTES + OWNER_BYTES];
        let (head, tail) = bytes.split_at_mut(8);
        let (middle, tail) = tail.split_at_mut(CONSISTENCY_HASH_BYTES);
        head.copy_from_slice(&position.to_be_bytes());
        middle.copy_from_slice(&hash[..CONSISTENCY_HASH_BYTES]);
        tail.copy_from_slice(&book);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Checks that a log with this head can hold the event.
    ///
    /// # Errors
    /// It cannot: the log was restored to an earlier state.
    pub(super) fn check(&self, head: &Head) -> Result<(), EngineError> {
        let is_ahead = self.position > head.position;
        let is_other = self.position == head.position && !head.hash.starts_with(&self.hash);
        if is_ahead || is_other {
            Err(EngineError::LogForked)
        } else {
            Ok(())
        }
    }
}

/// What a resume token says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Resume {
    /// The last event that was seen; 0 before the first.
    pub(super) position: u64,
    /// Its hash.
    pub(super) hash: Hash,
}

impl Resume {
    /// Reads a token of a book's stream. None at all is the beginning.
    pub(super) fn parse(text: &str, book: Owner) -> Result<Self, Problem> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let bytes = decode(text)?;
        let (position, rest) = bytes.split_first_chunk().ok_or(MALFORMED)?;
        let (hash, owner) = rest.split_first_chunk().ok_or(MALFORMED)?;
        let owner = Owner::try_from(owner).map_err(|_| MALFORMED)?;
        if owner != book {
            return Err(OTHER_BOOK);
        }
        let resume = Self {
            position: u64::from_be_bytes(*position),
            hash: *hash,
        };
        if resume.position == 0 && resume != Self::default() {
            return Err(MALFORMED);
        }
        Ok(resume)
    }

    /// The token.
    pub(super) fn render(&self, book: Owner) -> String {
        let mut bytes = Vec::with_capacity(8 + self.hash.len() + OWNER_BYTES);
        bytes.extend(self.position.to_be_bytes());
        bytes.extend(self.hash);
        bytes.extend(book);
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// What the tokens of a book belong to.
pub(super) fn owner_of_book(book: &str) -> Owner {
    owner("book", book.as_bytes())
}

/// What the page tokens of a request belong to: its method, and all its fields
/// but those of paging and freshness, which the caller has emptied.
pub(super) fn owner_of_request(method: &str, request: &impl prost::Message) -> Owner {
    owner(method, &request.encode_to_vec())
}

fn owner(kind: &str, bytes: &[u8]) -> Owner {
    let mut hasher = Sha256::new();
    hasher.update(kind);
    hasher.update([0]);
    hasher.update(bytes);
    let hash: Hash = hasher.finalize().into();
    let mut owner = Owner::default();
    owner.copy_from_slice(&hash[..OWNER_BYTES]);
    owner
}

/// The token of the page that begins after `cursor`.
pub(super) fn page<C: Encode<()>>(owner: Owner, cursor: &C) -> String {
    let mut bytes = vec![PAGE_VERSION];
    bytes.extend(owner);
    bytes.extend(ledger_core::command::encode(cursor));
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Where a page begins; nothing for the first one, which has no token.
pub(super) fn parse_page<C>(text: &str, owner: Owner) -> Result<Option<C>, Problem>
where
    C: for<'b> Decode<'b, ()>,
{
    if text.is_empty() {
        return Ok(None);
    }
    let bytes = decode(text)?;
    let (version, rest) = bytes.split_first().ok_or(MALFORMED)?;
    let (found, cursor) = rest.split_first_chunk::<OWNER_BYTES>().ok_or(MALFORMED)?;
    if *version != PAGE_VERSION {
        return Err(MALFORMED);
    }
    if *found != owner {
        return Err(OTHER_REQUEST);
    }
    minicbor::decode(cursor).map(Some).map_err(|_| MALFORMED)
}

fn decode(text: &str) -> Result<Vec<u8>, Problem> {
    if text.len() > TOKEN_CHARS_MAX {
        return Err(MALFORMED);
    }
    URL_SAFE_NO_PAD.decode(text).map_err(|_| MALFORMED)
}

#[cfg(test)]
mod tests {
    use ledger_core::Timestamp;
    use ledger_proto::v1::ListEventsRequest;

    use super::*;

    fn head(position: u64, byte: u8) -> Head {
        Head {
            position,
            hash: [byte; 32],
            recorded_at: Timestamp(0),
        }
    }

    #[test]
    fn a_consistency_token_knows_its_log() {
        let book = owner_of_book("b");
        let text = Consistency::render((7, [5; 32]), book);
        let token = Consistency::parse(&text, Some(book)).unwrap();
        assert_eq!(Consistency::parse(&text, None), Ok(token));
        let other = owner_of_book("c");
        assert_eq!(Consistency::parse(&text, Some(other)), Err(OTHER_BOOK));
        assert!(token.check(&head(7, 5)).is_ok());
        assert!(token.check(&head(8, 1)).is_ok());
        assert!(matches!(
            token.check(&head(7, 1)),
            Err(EngineError::LogForked)
        ));
        assert!(matches!(
            token.check(&head(6, 5)),
            Err(EngineError::LogForked)
        ));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let short = URL_SAFE_NO_PAD.encode([0; 15]);
        let long = URL_SAFE_NO_PAD.encode([0; 17]);
        let huge = "A".repeat(TOKEN_CHARS_MAX + 1);
        for text in ["", "?", "AAAA=", &short, &long, &huge] {
            assert_eq!(Consistency::parse(text, None), Err(MALFORMED), "{text}");
        }
        for text in ["?", &short, &long, &huge] {
            assert_eq!(
                Resume::parse(text, owner_of_book("b")),
                Err(MALFORMED),
                "{text}"
            );
        }
    }

    #[test]
    fn a_resume_token_comes_back_in_its_book_only() {
        let book = owner_of_book("b");
        let resume = Resume {
            position: 9,
            hash: [3; 32],
        };
        let text = resume.render(book);
        assert_eq!(Resume::parse(&text, book), Ok(resume));
        assert_eq!(Resume::parse(&text, owner_of_book("c")), Err(OTHER_BOOK));
        assert_eq!(Resume::parse("", book), Ok(Resume::default()));
        let beginning = Resume::default().render(book);
        assert_eq!(Resume::parse(&beginning, book), Ok(Resume::default()));
        let no_event = Resume {
            position: 0,
            hash: [3; 32],
        }
        .render(book);
        assert_eq!(Resume::parse(&no_event, book), Err(MALFORMED));
    }

    #[test]
    fn a_page_token_belongs_to_its_request() {
        let request = ListEventsRequest {
            book: "books/b".to_owned(),
            ..Default::default()
        };
        let other = ListEventsRequest {
            newest_first: true,
            ..request.clone()
        };
        let owner = owner_of_request("ListEvents", &request);
        let text = page(owner, &(7_u64, "a".to_owned()));
        let parsed = parse_page::<(u64, String)>(&text, owner);
        assert_eq!(parsed, Ok(Some((7, "a".to_owned()))));
        let others = owner_of_request("ListEvents", &other);
        assert_eq!(
            parse_page::<(u64, String)>(&text, others),
            Err(OTHER_REQUEST)
        );
        let method = owner_of_request("ListLots", &request);
        assert_eq!(
            parse_page::<(u64, String)>(&text, method),
            Err(OTHER_REQUEST)
        );
        assert_eq!(parse_page::<String>(&text, owner), Err(MALFORMED));
        assert_eq!(parse_page::<String>("", owner), Ok(None));
    }
}
