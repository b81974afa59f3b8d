//! Where the database is: what `DATABASE_URL` says.
//!
//! The URLs of the Python bots are understood as they stand: driver suffixes
//! (`postgresql+asyncpg://`) are accepted and dropped, and SQLite's slashes
//! mean what SQLAlchemy means by them.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;
use url::Url;

/// The address of a database.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Place);

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A server, with the secrets that the URL may have.
    Postgres(Url),
    /// A file, relative to the working directory or absolute.
    Sqlite(PathBuf),
}

/// What is wrong with an address. Never contains the address: there may be a
/// password in it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AddressError {
    /// There is no `…://`.
    #[error(
        "not a database URL: it must begin with postgres://, postgresql:// or sqlite:// \
         (a driver suffix like +asyncpg may follow the name)"
    )]
    NotAUrl,
    /// A database that the ledger does not use.
    #[error("the ledger keeps its data in PostgreSQL or SQLite, not in {0:?}")]
    Unsupported(String),
    /// A URL of PostgreSQL that cannot be read.
    #[error("the PostgreSQL URL cannot be read: {0}")]
    Postgres(#[source] url::ParseError),
    /// `sqlite://x.db`.
    #[error(
        "after sqlite:// comes a host, and SQLite has none: write sqlite:///ledger.db (three \
         slashes) for a file relative to the working directory, sqlite:////var/lib/ledger.db \
         (four) for an absolute path"
    )]
    SqliteHost,
    /// `:memory:`, or no path.
    #[error(
        "a database in memory is gone with the process, and money with it: name a file, e.g. \
         sqlite:///ledger.db"
    )]
    InMemory,
    /// A path that is a URI itself.
    #[error("SQLite's file: URIs are not understood: write sqlite:/// and the path")]
    FileUri,
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// If it is not one of PostgreSQL or SQLite, or does not say where.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = url.trim().split_once("://").ok_or(AddressError::NotAUrl)?;
        let scheme = scheme.to_ascii_lowercase();
        // Which driver a Python program would use is not our business.
        let database = scheme.split('+').next().unwrap_or_default();
        match database {
            "postgres" | "postgresql" => Url::parse(&format!("postgres://{rest}"))
                .map(|url| Self(Place::Postgres(url)))
                .map_err(AddressError::Postgres),
            "sqlite" => sqlite_path(rest).map(|path| Self(Place::Sqlite(path))),
            "" => Err(AddressError::NotAUrl),
            other => Err(AddressError::Unsupported(other.to_owned())),
        }
    }

    /// The file, if this is SQLite: absolute, as far as the working directory
    /// is known.
    #[must_use]
    pub fn sqlite_file(&self) -> Option<PathBuf> {
        match &self.0 {
            Place::Sqlite(path) => Some(absolute(path)),
            Place::Postgres(_) => None,
        }
    }

    pub(super) const fn place(&self) -> &Place {
        &self.0
    }
}

/// `rest` is what follows `sqlite://`.
fn sqlite_path(rest: &str) -> Result<PathBuf, AddressError> {
    // What follows `?` speaks to Python's driver.
    let path = rest.split('?').next().unwrap_or_default();
    if path.is_empty() || path.contains(":memory:") {
        return Err(AddressError::InMemory);
    }
    match path.strip_prefix('/') {
        None => Err(AddressError::SqliteHost),
        Some("") => Err(AddressError::InMemory),
        Some(path) if path.starts_with("file:") => Err(AddressError::FileUri),
        Some(path) => Ok(PathBuf::from(path)),
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

impl fmt::Display for Address {
    /// The place without secrets: neither the password nor the parameters,
    /// which may contain one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Sqlite(path) => write!(f, "sqlite:///{}", absolute(path).display()),
            Place::Postgres(url) => {
                f.write_str("postgres://")?;
                if !url.username().is_empty() {
                    write!(f, "{}@", url.username())?;
                }
                f.write_str(url.host_str().unwrap_or_default())?;
                if let Some(port) = url.port() {
                    write!(f, ":{port}")?;
                }
                f.write_str(url.path())
            }
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, AddressError, Place};

    fn path_of(url: &str) -> String {
        match Address::parse(url).unwrap().0 {
            Place::Sqlite(path) => path.to_str().unwrap().to_owned(),
            Place::Postgres(_) => panic!("{url} is PostgreSQL"),
        }
    }

    #[test]
    fn slashes_of_sqlite_mean_what_sqlalchemy_means() {
        for (url, path) in [
            ("sqlite:///./media_lab.db", "./media_lab.db"),
            ("sqlite:///media_lab.db", "media_lab.db"),
            ("sqlite:///data/ledger.db", "data/ledger.db"),
            ("sqlite:////var/lib/ledger.db", "/var/lib/ledger.db"),
            ("sqlite+aiosqlite:///./spin_bot.db", "./spin_bot.db"),
            ("SQLite+pysqlite:////a b/c.db", "/a b/c.db"),
            ("sqlite:///x.db?check_same_thread=false", "x.db"),
            (" sqlite:///x.db\n", "x.db"),
        ] {
            assert_eq!(path_of(url), path, "{url}");
        }
    }

    #[test]
    fn secrets_are_never_shown() {
        for (url, shown) in [
            (
                "postgres://u:s3cret@db:5433/ledger",
                "postgres://u@db:5433/ledger",
            ),
            ("postgresql://u:s3cret@db/ledger", "postgres://u@db/ledger"),
            (
                "postgresql+asyncpg://u:s3cret@db/bot",
                "postgres://u@db/bot",
            ),
            (
                "postgresql+psycopg://db/bot?password=s3cret",
                "postgres://db/bot",
            ),
            ("postgresql:///bot?host=/run/postgresql", "postgres:///bot"),
            (
                "postgres://u:s%2F3cret@[::1]:5432/x",
                "postgres://u@[::1]:5432/x",
            ),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!(address.to_string(), shown, "{url}");
            assert_eq!(format!("{address:?}"), format!("Address({shown})"));
        }
    }

    #[test]
    fn the_shown_file_is_absolute() {
        let address = Address::parse("sqlite:///./x.db").unwrap();
        let here = std::env::current_dir().unwrap();
        assert_eq!(
            address.to_string(),
            format!("sqlite:///{}/x.db", here.display())
        );
        assert_eq!(address.sqlite_file(), Some(here.join("x.db")));
        assert_eq!(
            Address::parse(&address.to_string()).unwrap().sqlite_file(),
            address.sqlite_file()
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (url, error) in [
            ("", AddressError::NotAUrl),
            ("ledger.db", AddressError::NotAUrl),
            ("sqlite:ledger.db", AddressError::NotAUrl),
            ("://x", AddressError::NotAUrl),
            (
                "mysql+pymysql://u@h/x",
                AddressError::Unsupported("mysql".to_owned()),
            ),
            ("sqlite://ledger.db", AddressError::SqliteHost),
            ("sqlite://./ledger.db", AddressError::SqliteHost),
            ("sqlite://", AddressError::InMemory),
            ("sqlite:///", AddressError::InMemory),
            ("sqlite:///:memory:", AddressError::InMemory),
            ("sqlite://:memory:", AddressError::InMemory),
            (
                "sqlite+aiosqlite:///:memory:?cache=shared",
                AddressError::InMemory,
            ),
            (
                "sqlite:///file:x.db?mode=memory&uri=true",
                AddressError::FileUri,
            ),
        ] {
            assert_eq!(Address::parse(url).unwrap_err(), error, "{url}");
        }
        let error = Address::parse("postgres://u:s3cret@h:99999/x").unwrap_err();
        assert!(matches!(error, AddressError::Postgres(_)));
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }
}
