//! What an attempt means for its row. Pure.

use std::time::Duration;

use crate::{
    inbox::Outcome, ledger::Failure, limits, telegram, yookassa::client::Error as YookassaError,
};

/// How an attempt went. Reasons have no personal data: they are logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its effects are done.
    Done,
    /// A person should look.
    Park {
        /// Why.
        reason: String,
    },
    /// It may go better later.
    Retry {
        /// Why it failed.
        reason: String,
        /// How long the other side asks to wait.
        after: Option<Duration>,
    },
}

impl Verdict {
    /// Parked for this reason.
    #[must_use]
    pub fn park(reason: &(impl ToString + ?Sized)) -> Self {
        Self::Park {
            reason: reason.to_string(),
        }
    }

    /// To be tried again, after the usual gap.
    #[must_use]
    pub fn retry(reason: &(impl ToString + ?Sized)) -> Self {
        Self::Retry {
            reason: reason.to_string(),
            after: None,
        }
    }

    /// What is written down, after this many failed attempts before.
    #[must_use]
    pub fn outcome(self, attempts: u32, now_ms: i64) -> Outcome {
        match self {
            Self::Done => Outcome::Done,
            Self::Park { reason } => Outcome::Parked { reason },
            Self::Retry { reason, after } => {
                let asked = after.unwrap_or_default().min(limits::RETRY_AFTER_MAX);
                let gap_ms = retry_gap(attempts).max(asked).as_millis();
                let gap_ms = i64::try_from(gap_ms).unwrap_or(i64::MAX);
                Outcome::Retry {
                    at_ms: now_ms.saturating_add(gap_ms),
                    reason,
                }
            }
        }
    }

    /// What a failed ledger call means.
    #[must_use]
    pub fn of_ledger(failure: &Failure) -> Self {
        match failure {
            Failure::Transient { after, .. } => Self::Retry {
                reason: failure.to_string(),
                after: *after,
            },
            Failure::Refused(refusal) => Self::park(refusal),
        }
    }

    /// What a failed reading of a payment means, after this many failed
    /// attempts before. Wrong credentials are ours to mend: the row waits.
    #[must_use]
    pub fn of_yookassa(error: &YookassaError, attempts: u32) -> Self {
        match error {
            YookassaError::Unknown if attempts + 1 >= limits::PAYMENT_UNKNOWN_ATTEMPTS_MAX => {
                Self::park(error)
            }
            YookassaError::Refused(_) => Self::park(error),
            YookassaError::Later { after, .. } => Self::Retry {
                reason: error.to_string(),
                after: *after,
            },
            YookassaError::Unknown
            | YookassaError::Credentials(_)
            | YookassaError::Transport(_)
            | YookassaError::Unreadable(_) => Self::retry(error),
        }
    }

    /// What a message that wasn't sent means: one that can't be sent (the user
    /// blocked the bot) is nobody's fault, and the row is done.
    #[must_use]
    pub fn of_telegram(error: &telegram::client::Error) -> Self {
        match error {
            telegram::client::Error::Refused(_) => Self::Done,
            telegram::client::Error::Later { after, .. } => Self::Retry {
                reason: error.to_string(),
                after: *after,
            },
            telegram::client::Error::Token(_) | telegram::client::Error::Transport(_) => {
                Self::retry(error)
            }
        }
    }
}

/// The gap after this many failed attempts before: 1, 2, 4 … 60 s.
#[must_use]
pub fn retry_gap(attempts: u32) -> Duration {
    let seconds = 1_u64.checked_shl(attempts.min(32)).unwrap_or(u64::MAX);
    Duration::from_secs(seconds).min(limits::RETRY_GAP_MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Outcome, Verdict, YookassaError, retry_gap};
    use crate::telegram::client::Error as TelegramError;

    #[test]
    fn gaps_grow_to_a_minute() {
        let gaps: Vec<u64> = (0..9)
            .map(|attempts| retry_gap(attempts).as_secs())
            .collect();
        assert_eq!(gaps, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(retry_gap(u32::MAX).as_secs(), 60);
    }

    #[test]
    fn a_longer_wait_is_granted_and_an_absurd_one_is_not() {
        let at_ms = |seconds| {
            let after = Some(Duration::from_secs(seconds));
            let verdict = Verdict::Retry {
                reason: String::new(),
                after,
            };
            match verdict.outcome(2, 1000) {
                Outcome::Retry { at_ms, .. } => at_ms,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            [at_ms(1), at_ms(30), at_ms(1 << 40)],
            [5_000, 31_000, 3_601_000]
        );
    }

    #[test]
    fn an_unknown_payment_is_tried_four_times() {
        let verdicts: Vec<bool> = (0..4)
            .map(|attempts| Verdict::of_yookassa(&YookassaError::Unknown, attempts))
            .map(|verdict| matches!(verdict, Verdict::Park { .. }))
            .collect();
        assert_eq!(verdicts, [false, false, false, true]);
    }

    #[test]
    fn answers_of_services_part_into_later_and_never() {
        let later = YookassaError::Later {
            status: 429,
            after: Some(Duration::from_millis(1800)),
        };
        assert!(matches!(
            Verdict::of_yookassa(&later, 99),
            Verdict::Retry { after: Some(after), .. } if after.as_millis() == 1800
        ));
        let credentials = YookassaError::Credentials(401);
        assert!(matches!(
            Verdict::of_yookassa(&credentials, 99),
            Verdict::Retry { .. }
        ));
        let refused = YookassaError::Refused(400);
        assert!(matches!(
            Verdict::of_yookassa(&refused, 0),
            Verdict::Park { .. }
        ));
        assert_eq!(
            Verdict::of_telegram(&TelegramError::Refused(403)),
            Verdict::Done
        );
        let busy = TelegramError::Later {
            status: 429,
            after: None,
        };
        assert!(matches!(Verdict::of_telegram(&busy), Verdict::Retry { .. }));
    }
}
