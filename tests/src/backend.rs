//! The two kinds of databases, and fresh ones of either.

use crate::postgres;
use std::fmt;
use tempfile::TempDir;

/// A kind of database that the service runs on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Backend {
    /// Embedded, the default.
    Sqlite,
    /// A server, for production.
    Postgres,
}

impl Backend {
    /// Both.
    #[must_use]
    pub const fn all() -> [Self; 2] {
        [Self::Sqlite, Self::Postgres]
    }

    /// A fresh, empty database of this kind.
    pub async fn database(self) -> Database {
        match self {
            Self::Sqlite => {
                let directory = TempDir::with_prefix("ledger-sqlite.")
                    .expect("a temporary directory can be made");
                let file = directory.path().join("ledger.db");
                // Three slashes, and the fourth begins the absolute path.
                let url = format!("sqlite:///{}", file.display());
                Database {
                    backend: self,
                    url,
                    _directory: Some(directory),
                }
            }
            Self::Postgres => {
                let url = postgres::fresh_database().await;
                Database {
                    backend: self,
                    url,
                    _directory: None,
                }
            }
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

/// A database of one test. Keep it as long as a program uses it.
#[derive(Debug)]
pub struct Database {
    /// Its kind.
    pub backend: Backend,
    /// Its URL.
    pub url: String,
    _directory: Option<TempDir>,
}

/// Makes one test for each backend out of an `async fn name(backend: Backend)`:
///
/// ```text
/// on_both_backends! {
///     /// What is claimed.
///     async fn a_charge_is_answered(backend: Backend) { … }
/// }
/// ```
#[macro_export]
macro_rules! on_both_backends {
    ($($(#[$attribute:meta])* async fn $name:ident($backend:ident: Backend) $body:block)*) => {
        $(
            $(#[$attribute])*
            #[cfg(test)]
            async fn $name($backend: $crate::Backend) $body

            #[cfg(test)]
            mod $name {
                #[tokio::test(flavor = "multi_thread")]
                async fn sqlite() {
                    super::$name($crate::Backend::Sqlite).await;
                }

                #[tokio::test(flavor = "multi_thread")]
                async fn postgres() {
                    super::$name($crate::Backend::Postgres).await;
                }
            }
        )*
    };
}
