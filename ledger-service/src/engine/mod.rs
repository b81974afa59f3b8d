//! The engine: one writer a book, which decides in memory and appends in
//! batches.
//!
//! A request goes `handler → queue → writer → handler`. The writer takes what
//! waits, makes sure that it holds the states it needs, decides one by one,
//! appends with one statement and answers each caller. While one batch commits,
//! the next is decided; there are no timers.
//!
//! What makes it right with several instances on one database is the
//! compare-and-swap on the head: a swap that succeeds proves every state that
//! was used. `docs/decisions/0002-write-path.md` has the argument.

mod ahead;
mod answer;
mod cache;
mod catalog;
mod clock;
mod draft;
mod due;
mod error;
mod follow;
mod job;
pub mod log;
mod registry;
mod repeats;
mod round;
mod verdicts;
mod writer;

pub use answer::{Answer, Recorded};
pub use catalog::CatalogInForce;
pub use clock::Clock;
pub use error::{EngineError, ItemError};
pub use job::{Call, CallOptions, CallResult, Snapshot};
pub use registry::{Engine, EngineLimits};
