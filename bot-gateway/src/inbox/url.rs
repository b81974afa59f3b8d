//! Database URLs, with the meaning that SQLAlchemy gives them: the bots that
//! move here bring theirs along.

use std::{fmt, path::PathBuf};

use secrecy::SecretString;
use thiserror::Error;
use url::Url;

/// Which database the inbox is in.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A server; the URL may hold a password.
    Postgres(SecretString),
}

/// What is wrong with a database URL. The text never shows the URL.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum UrlError {
    /// Neither SQLite nor PostgreSQL.
    #[error("must begin with sqlite:// or postgresql://")]
    Scheme,
    /// `sqlite://gateway.db`: SQLAlchemy would take the name for a host.
    #[error(
        "a SQLite path has three slashes before a relative path (sqlite:///./gateway.db) \
         and four before an absolute one (sqlite:////var/lib/gateway.db)"
    )]
    Slashes,
    /// In memory: what isn't durable can't be an inbox.
    #[error("must name a file: a database in memory would forget payments")]
    Memory,
    /// `?…` behind a SQLite path.
    #[error("a SQLite URL takes no parameters")]
    Parameters,
    /// Not a URL with a host and a database.
    #[error("must be postgresql://user:password@host:port/database")]
    Postgres,
}

impl DatabaseUrl {
    /// Reads a URL; a driver suffix (`+asyncpg`, `+aiosqlite`) is dropped.
    ///
    /// # Errors
    /// With the rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let scheme = scheme
            .split_once('+')
            .map_or(scheme, |(scheme, _driver)| scheme);
        match scheme {
            "sqlite" => sqlite_path(rest).map(Self::Sqlite),
            "postgres" | "postgresql" => postgres_url(rest).map(Self::Postgres),
            _ => Err(UrlError::Scheme),
        }
    }
}

fn sqlite_path(rest: &str) -> Result<PathBuf, UrlError> {
    if rest.is_empty() || rest == "/" || rest == "/:memory:" || rest == ":memory:" {
        return Err(UrlError::Memory);
    }
    if rest.contains('?') {
        return Err(UrlError::Parameters);
    }
    // The third slash belongs to the URL; the path is what comes after it.
    rest.strip_prefix('/')
        .map(PathBuf::from)
        .ok_or(UrlError::Slashes)
}

fn postgres_url(rest: &str) -> Result<SecretString, UrlError> {
    let text = format!("postgres://{rest}");
    let url = Url::parse(&text).map_err(|_| UrlError::Postgres)?;
    let has_host = url.host_str().is_some_and(|host| !host.is_empty())
        || url.query_pairs().any(|(key, _)| key == "host");
    if !has_host || url.path().trim_start_matches('/').is_empty() {
        return Err(UrlError::Postgres);
    }
    Ok(text.into())
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(formatter, "sqlite {}", path.display()),
            Self::Postgres(_) => formatter.write_str("postgresql"),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::{DatabaseUrl, UrlError};

    #[test]
    fn slashes_mean_what_sqlalchemy_means() {
        let cases = [
            ("sqlite:///./gateway.db", Ok("./gateway.db")),
            ("sqlite:///gateway.db", Ok("gateway.db")),
            ("sqlite:////var/lib/gateway.db", Ok("/var/lib/gateway.db")),
            ("sqlite+aiosqlite:///./gateway.db", Ok("./gateway.db")),
            ("sqlite://gateway.db", Err(UrlError::Slashes)),
            ("sqlite://", Err(UrlError::Memory)),
            ("sqlite:///", Err(UrlError::Memory)),
            ("sqlite:///:memory:", Err(UrlError::Memory)),
            ("sqlite:///a.db?mode=ro", Err(UrlError::Parameters)),
            ("gateway.db", Err(UrlError::Scheme)),
            ("mysql://h/d", Err(UrlError::Scheme)),
        ];
        for (text, expected) in cases {
            let found = DatabaseUrl::parse(text).map(|url| match url {
                DatabaseUrl::Sqlite(path) => path.display().to_string(),
                DatabaseUrl::Postgres(_) => "postgres".to_owned(),
            });
            assert_eq!(found, expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn postgres_drivers_are_dropped() {
        let cases = [
            (
                "postgresql+asyncpg://u:p@h:5432/d",
                Some("postgres://u:p@h:5432/d"),
            ),
            ("postgres://h/d", Some("postgres://h/d")),
            (
                "postgresql:///d?host=/run/pg",
                Some("postgres:///d?host=/run/pg"),
            ),
            ("postgresql://h", None),
            ("postgresql:///d", None),
            ("postgresql://", None),
        ];
        for (text, expected) in cases {
            let found = match DatabaseUrl::parse(text) {
                Ok(DatabaseUrl::Postgres(url)) => Some(url.expose_secret().to_owned()),
                _ => None,
            };
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
