//! Resource names: `books/{book}`, and below it `accounts/{account}`,
//! `events/{position}` and, of an account, `lots/{lot}`.

use std::fmt::Write as _;

const BOOKS: &str = "books/";
const ACCOUNTS: &str = "/accounts/";
const EVENTS: &str = "/events/";

/// How long a book's id may be: a DNS label.
const BOOK_CHARS_MAX: usize = 63;
/// How long an account's id may be.
const ACCOUNT_CHARS_MAX: usize = 128;

/// What is wrong with the name of a book.
pub(super) const BOOK_RULE: &str = "must be `books/{book}`, where `{book}` is 1 to 63 characters of \
     a-z, 0-9 and -, the first one no -";
/// What is wrong with the name of an account.
pub(super) const ACCOUNT_RULE: &str = "must be `books/{book}/accounts/{account}`, where `{book}` is \
     1 to 63 characters of a-z, 0-9 and -, the first one no -, and `{account}` 1 to 128 characters of \
     A-Z a-z 0-9 . _ : ~ -";
/// What is wrong with an account that a mutation names.
pub(super) const RESERVED_RULE: &str = "accounts whose ids begin with @ are the book's own";
/// What is wrong with the name of an event.
pub(super) const EVENT_RULE: &str =
    "must be `books/{book}/events/{position}`, where `{position}` is a whole number above 0";

/// The name of an account, taken apart. Keeps the text that came in, so that
/// a request makes as few copies as it can.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AccountName {
    name: String,
    /// Where the book's id ends.
    book_end: usize,
}

impl AccountName {
    /// Takes a name apart. Ids of the book's own accounts pass: see
    /// [`is_reserved`](Self::is_reserved).
    pub(super) fn parse(name: String) -> Option<Self> {
        let (book, rest) = split_book(&name)?;
        let account = rest.strip_prefix(ACCOUNTS)?;
        if !is_account_id(account) {
            return None;
        }
        let book_end = BOOKS.len() + book.len();
        Some(Self { name, book_end })
    }

    /// The book's id.
    pub(super) fn book(&self) -> &str {
        self.name
            .get(BOOKS.len()..self.book_end)
            .unwrap_or_default()
    }

    /// The account's id within the book.
    pub(super) fn account(&self) -> &str {
        self.name
            .get(self.book_end + ACCOUNTS.len()..)
            .unwrap_or_default()
    }

    /// The whole name.
    pub(super) fn as_str(&self) -> &str {
        &self.name
    }

    /// Whether it is one of the book's own accounts.
    pub(super) fn is_reserved(&self) -> bool {
        is_reserved(self.account())
    }
}

/// Whether an id is of one of the book's own accounts.
pub(super) fn is_reserved(account: &str) -> bool {
    account.starts_with('@')
}

/// The book's id in `books/{book}`.
pub(super) fn parse_book(name: &str) -> Option<&str> {
    split_book(name)
        .filter(|(_, rest)| rest.is_empty())
        .map(|(book, _)| book)
}

/// The book's id and the position in `books/{book}/events/{position}`.
pub(super) fn parse_event(name: &str) -> Option<(&str, u64)> {
    let (book, rest) = split_book(name)?;
    Some((book, parse_number(rest.strip_prefix(EVENTS)?)?))
}

/// `books/{book}`.
pub(super) fn book_name(book: &str) -> String {
    [BOOKS, book].concat()
}

/// `books/{book}/accounts/{account}`.
pub(super) fn account_name(book: &str, account: &str) -> String {
    [BOOKS, book, ACCOUNTS, account].concat()
}

/// `books/{book}/events/{position}`; empty for position 0, which no event has.
pub(super) fn event_name(book: &str, position: u64) -> String {
    if position == 0 {
        return String::new();
    }
    // 20 digits at the most.
    let mut name = String::with_capacity(BOOKS.len() + book.len() + EVENTS.len() + 20);
    name.push_str(BOOKS);
    name.push_str(book);
    name.push_str(EVENTS);
    // Writing to a String cannot fail.
    let _ = write!(name, "{position}");
    name
}

/// `books/{book}/accounts/{account}/lots/{lot}`.
pub(super) fn lot_name(account: &AccountName, lot: u64) -> String {
    format!("{}/lots/{lot}", account.as_str())
}

/// The book's id, and what follows it.
fn split_book(name: &str) -> Option<(&str, &str)> {
    let after = name.strip_prefix(BOOKS)?;
    let (book, rest) = after.split_at(after.find('/').unwrap_or(after.len()));
    is_book_id(book).then_some((book, rest))
}

fn is_book_id(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=BOOK_CHARS_MAX).contains(&id.len()) && !id.starts_with('-') && id.bytes().all(is_allowed)
}

fn is_account_id(id: &str) -> bool {
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'~' | b'-');
    let own = id.strip_prefix('@').unwrap_or(id);
    !own.is_empty() && id.len() <= ACCOUNT_CHARS_MAX && own.bytes().all(is_allowed)
}

/// A number as this service writes it: decimal, above 0, no zeros in front.
fn parse_number(text: &str) -> Option<u64> {
    let is_written_so =
        !text.is_empty() && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse::<i64>().ok().filter(|_| is_written_so)?;
    u64::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_names_are_taken_apart() {
        let name = AccountName::parse("books/media-lab/accounts/tg:42".to_owned()).unwrap();
        assert_eq!((name.book(), name.account()), ("media-lab", "tg:42"));
        assert!(!name.is_reserved());
        let house = AccountName::parse("books/b/accounts/@house".to_owned()).unwrap();
        assert!(house.is_reserved());
        assert_eq!(account_name("b", "@house"), house.as_str());
    }

    #[test]
    fn bad_account_names_are_none() {
        let long_book = format!("books/{}/accounts/a", "b".repeat(64));
        let long_account = format!("books/b/accounts/{}", "a".repeat(129));
        let table = [
            "",
            "books/",
            "books//accounts/a",
            "books/b",
            "books/b/accounts/",
            "books/b/accounts/@",
            "books/b/accounts/a@b",
            "books/b/accounts/a/b",
            "books/b/accounts/a b",
            "books/b/accounts/a\0",
            "books/b/accounts/ё",
            "books/B/accounts/a",
            "books/-b/accounts/a",
            "books/b/account/a",
            "/books/b/accounts/a",
            &long_book,
            &long_account,
        ];
        for name in table {
            assert_eq!(AccountName::parse(name.to_owned()), None, "{name:?}");
        }
        let longest = format!("books/{}/accounts/{}", "b".repeat(63), "a".repeat(128));
        assert!(AccountName::parse(longest).is_some());
    }

    #[test]
    fn books_and_events_are_found() {
        assert_eq!(parse_book("books/b-1"), Some("b-1"));
        for name in ["books/", "books/b/", "b", "books/b/accounts/a", "books/B"] {
            assert_eq!(parse_book(name), None, "{name}");
        }
        assert_eq!(parse_event("books/b/events/7"), Some(("b", 7)));
        let too_far = format!("books/b/events/{}", u64::MAX);
        for name in [
            "books/b/events/",
            "books/b/events/0",
            "books/b/events/07",
            &too_far,
        ] {
            assert_eq!(parse_event(name), None, "{name}");
        }
        for name in [
            "books/b/events/+7",
            "books/b/events/-7",
            "books/b/events/7/",
        ] {
            assert_eq!(parse_event(name), None, "{name}");
        }
    }

    #[test]
    fn names_are_written() {
        assert_eq!(event_name("b", 7), "books/b/events/7");
        assert_eq!(event_name("b", 0), "");
        let account = AccountName::parse("books/b/accounts/a".to_owned()).unwrap();
        assert_eq!(lot_name(&account, 3), "books/b/accounts/a/lots/3");
    }
}
