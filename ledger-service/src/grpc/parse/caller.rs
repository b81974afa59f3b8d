//! What the headers of a request say: where it comes from, and until when its
//! answer is of use.

use std::time::Instant;

use ledger_core::Name;
use tonic::Request;

use super::{fields::Fields, text};
use crate::{grpc::layers::Deadline, limits::DEADLINE_DEFAULT};

/// The header that names the bot or service that calls.
const ORIGIN: &str = "x-ledger-origin";
/// The origin of who does not say it.
const ORIGIN_DEFAULT: &str = "unknown";

/// Who calls, and how long the caller waits.
#[derive(Clone, Debug)]
pub(in crate::grpc) struct Caller {
    /// What the header says, if it can be right.
    origin: Option<Name>,
    deadline: Instant,
}

impl Caller {
    /// Reads the headers.
    pub(in crate::grpc) fn of<T>(request: &Request<T>) -> Self {
        let origin = match request.metadata().get(ORIGIN) {
            None => Some(ORIGIN_DEFAULT.into()),
            Some(value) => value
                .to_str()
                .ok()
                .filter(|text| text::is_origin(text))
                .map(Name::from),
        };
        Self {
            origin,
            deadline: Self::deadline_of(request),
        }
    }

    /// Until when the answer to a request is of use.
    pub(in crate::grpc) fn deadline_of<T>(request: &Request<T>) -> Instant {
        let deadline = request.extensions().get::<Deadline>();
        deadline.map_or_else(|| Instant::now() + DEADLINE_DEFAULT, |deadline| deadline.0)
    }

    /// Until when the answer is of use.
    pub(in crate::grpc) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Where the request comes from.
    pub(in crate::grpc) fn origin(self, fields: &mut Fields) -> Name {
        self.origin.unwrap_or_else(|| {
            fields.refuse(ORIGIN, text::ORIGIN_RULE);
            Name::default()
        })
    }
}
