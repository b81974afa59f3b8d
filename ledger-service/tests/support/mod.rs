//! What the engine's tests stand on: databases of their own, a store that
//! fails on demand, and helpers to ask and to check.
//!
//! Nothing here replaces a part of the service: faults are injected around a
//! real store, and every append that is said to have happened has happened.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod ask;
pub(crate) mod database;
pub(crate) mod faulty;
pub(crate) mod gate;
pub(crate) mod log;
pub(crate) mod stage;

#[allow(unused_macros, reason = "each test program uses a part of it")]
/// Runs each of these functions on a database of its own, on every backend, as
/// `sqlite::name` and `postgres::name`.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(crate::support::database::Database::sqlite()).await;
                }
            )*
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let database = crate::support::database::Database::postgres().await;
                    super::$name(database).await;
                }
            )*
        }
    };
}
#[allow(unused_imports, reason = "each test program uses a part of it")]
pub(crate) use on_both;

/// Runs each of these functions on a PostgreSQL database of its own.
#[allow(unused_macros, reason = "each test program uses a part of it")]
macro_rules! on_postgres {
    ($($name:ident),* $(,)?) => {
        mod postgres_only {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let database = crate::support::database::Database::postgres().await;
                    super::$name(database).await;
                }
            )*
        }
    };
}
#[allow(unused_imports, reason = "each test program uses a part of it")]
pub(crate) use on_postgres;
