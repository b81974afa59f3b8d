//! Why a call got no answer.

use ledger_core::Rejection;
use thiserror::Error;

/// Why one request of a call was not carried out.
#[derive(Clone, Debug, Error)]
pub enum ItemError {
    /// The ledger refuses it.
    #[error(transparent)]
    Rejected(Rejection),
    /// It got no answer, though others of the call did.
    #[error(transparent)]
    Failed(EngineError),
}

/// Why a call got no answer. Rejections of single items of a batch call are
/// not errors of the call.
#[derive(Clone, Debug, Error)]
pub enum EngineError {
    /// There is no such book.
    #[error("there is no book `{0}`")]
    UnknownBook(String),
    /// Too many requests wait for the book.
    #[error("too many requests wait for the book")]
    QueueFull,
    /// Too many books are in use.
    #[error("too many books are in use")]
    TooManyBooks,
    /// The caller's deadline passed before the append; nothing was written.
    #[error("the deadline passed before the request was decided")]
    DeadlineExceeded,
    /// The database cannot be reached or did not say what came of an append.
    /// The request may have been applied: try again with the same id.
    #[error("the database cannot be reached")]
    Unavailable,
    /// The clocks are too far apart to decide anything, or this instance's was
    /// set lately.
    #[error("the clocks of service, database and log differ by {difference_ms} ms")]
    ClockSkew {
        /// By how much.
        difference_ms: i64,
    },
    /// A projection has not come far enough within the deadline.
    #[error("the projection is at {position}, {wanted} is wanted")]
    NotCaughtUp {
        /// Where it is.
        position: u64,
        /// Where it should be.
        wanted: u64,
    },
    /// A token names a position that the log does not have, or another event
    /// there: the log was restored.
    #[error("the log is not the one that the token knew")]
    LogForked,
    /// An atomic batch call was refused as a whole, or its id was used before.
    #[error("{0}")]
    Rejected(Box<Rejection>),
    /// The database refuses this request's data.
    #[error("the database refuses this request")]
    Refused,
    /// What is stored is damaged, or an invariant is broken: the book takes no
    /// writes until someone has looked. The log says what it is.
    #[error("the book is stopped, an invariant is broken")]
    Stopped,
    /// The service is stopping.
    #[error("the service is stopping")]
    ShuttingDown,
}
