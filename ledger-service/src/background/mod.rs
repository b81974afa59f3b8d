//! What goes on without being asked: the sweeper of what is due, and the watch
//! over the database.

mod readiness;
mod sweeper;

pub use readiness::{Condition, Readiness, watch_database};
pub use sweeper::sweep;
