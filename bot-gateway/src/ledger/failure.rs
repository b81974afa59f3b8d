//! What the ledger's errors mean for a caller: try again, or take the no.

use std::{collections::HashMap, fmt, time::Duration};

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The reason of a request that came too late, and always will. Its code may be
/// that of a deadline, which by itself says nothing of the next attempt.
const EXPIRED: &str = "REQUEST_EXPIRED";

/// A call that gave no answer, or a no. `Display` has no personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The same call may succeed later.
    Transient {
        /// The error.
        refusal: Refusal,
        /// How long the ledger asks to wait.
        after: Option<Duration>,
    },
    /// The same call will be refused again.
    Refused(Refusal),
}

/// An error's stable parts. The message is left out: it may name an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status code.
    pub code: Code,
    /// `ErrorInfo.reason`, or nothing.
    pub reason: String,
    /// `ErrorInfo.metadata`.
    pub metadata: HashMap<String, String>,
    /// The request's fields that are wrong.
    pub fields: Vec<String>,
}

impl Failure {
    /// Reads a status.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the shape that map_err wants"
    )]
    pub fn from_status(status: Status) -> Self {
        let details = status.get_error_details();
        let (reason, metadata) = details
            .error_info()
            .map(|info| (info.reason.clone(), info.metadata.clone()))
            .unwrap_or_default();
        let fields = details
            .bad_request()
            .map(|bad| {
                bad.field_violations
                    .iter()
                    .map(|one| one.field.clone())
                    .collect()
            })
            .unwrap_or_default();
        let refusal = Refusal {
            code: status.code(),
            reason,
            metadata,
            fields,
        };
        if refusal.reason == EXPIRED || !is_transient(status.code()) {
            return Self::Refused(refusal);
        }
        let after = details.retry_info().and_then(|retry| retry.retry_delay);
        Self::Transient { refusal, after }
    }

    /// The error, whatever it means.
    #[must_use]
    pub fn refusal(&self) -> &Refusal {
        match self {
            Self::Transient { refusal, .. } | Self::Refused(refusal) => refusal,
        }
    }
}

/// Transport errors surface as any of the first group; the second one needs an
/// operator (a key, a newer ledger), and rows had better wait for that than be
/// parked one by one.
fn is_transient(code: Code) -> bool {
    match code {
        Code::Unavailable
        | Code::ResourceExhausted
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::Cancelled
        | Code::Unknown
        | Code::Internal
        | Code::DataLoss => true,
        Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented => true,
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::OutOfRange => false,
    }
}

impl Refusal {
    /// A number of the metadata.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<i64> {
        self.metadata.get(key)?.parse().ok()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ledger: {:?}", self.code)?;
        if !self.reason.is_empty() {
            write!(formatter, " {}", self.reason)?;
        }
        if !self.fields.is_empty() {
            write!(formatter, " in {}", self.fields.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal().fmt(formatter)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::Failure;

    #[test]
    fn codes_part_into_later_and_never() {
        let later = [
            Code::Unavailable,
            Code::ResourceExhausted,
            Code::DeadlineExceeded,
            Code::Aborted,
            Code::Cancelled,
            Code::Unknown,
            Code::PermissionDenied,
        ];
        for code in later {
            let failure = Failure::from_status(Status::new(code, "m"));
            assert!(matches!(failure, Failure::Transient { .. }), "{code:?}");
        }
        for code in [
            Code::InvalidArgument,
            Code::FailedPrecondition,
            Code::AlreadyExists,
        ] {
            let failure = Failure::from_status(Status::new(code, "m"));
            assert!(matches!(failure, Failure::Refused(_)), "{code:?}");
        }
    }

    #[test]
    fn what_came_too_late_is_refused_whatever_its_code() {
        for code in [Code::DeadlineExceeded, Code::FailedPrecondition] {
            let details = ErrorDetails::with_error_info("REQUEST_EXPIRED", "ledger.v1", []);
            let failure = Failure::from_status(Status::with_error_details(code, "", details));
            assert!(matches!(failure, Failure::Refused(_)), "{code:?}");
        }
    }

    #[test]
    fn details_are_read_and_the_message_is_not_shown() {
        let mut details = ErrorDetails::with_error_info(
            "INSUFFICIENT_FUNDS",
            "ledger.v1",
            [("shortfall_amount".to_owned(), "1000".to_owned())],
        );
        details.set_retry_info(Some(Duration::from_secs(7)));
        details.add_bad_request_violation("amount", "too small");
        let status =
            Status::with_error_details(Code::FailedPrecondition, "tg:700000001 is poor", details);
        let failure = Failure::from_status(status);
        assert_eq!(
            failure.to_string(),
            "ledger: FailedPrecondition INSUFFICIENT_FUNDS in amount"
        );
        assert_eq!(failure.refusal().number("shortfall_amount"), Some(1000));
        let busy = Status::with_error_details(
            Code::ResourceExhausted,
            "",
            ErrorDetails::with_retry_info(Some(Duration::from_secs(7))),
        );
        let Failure::Transient { after, .. } = Failure::from_status(busy) else {
            panic!("a busy ledger is transient");
        };
        assert_eq!(after, Some(Duration::from_secs(7)));
    }
}
