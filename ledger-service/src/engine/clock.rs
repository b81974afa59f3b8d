//! Time: the instance's clock, and what the database's clock says.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ledger_core::Timestamp;

use super::EngineError;
use crate::{
    limits::{CLOCK_SAMPLE_AGE_MAX, CLOCK_SKEW_MAX},
    store::Head,
};

/// The instance's clock. It decides nothing: it is compared with the
/// database's, so that a wrong one of the two expires nobody's money.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    offset_us: i64,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self { offset_us: 0 }
    }

    /// The system's clock, wrong by `offset_us` microseconds: for tests of
    /// what a bad clock does.
    #[must_use]
    pub const fn off_by_us(offset_us: i64) -> Self {
        Self { offset_us }
    }

    /// What the clock says.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one door to the system's clock"
    )]
    pub fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let us = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        Timestamp(us).plus_us(self.offset_us)
    }
}

/// The time of a log: the database's clock, carried on between looks at it by
/// the monotonic clock, and never at or before the head.
pub(super) struct LogTime {
    clock: Clock,
    sample: Option<Sample>,
    last: Timestamp,
}

struct Sample {
    taken_at: Instant,
    database: Timestamp,
}

impl LogTime {
    pub(super) const fn new(clock: Clock) -> Self {
        Self {
            clock,
            sample: None,
            last: Timestamp(0),
        }
    }

    /// Takes in what the database's clock said in an answer to a statement
    /// that was sent at `sent_at`. A slow answer says too little.
    pub(super) fn observe(&mut self, sent_at: Instant, database: Timestamp) {
        let took = sent_at.elapsed();
        if took > Duration::from_secs(1) {
            self.sample = None;
            return;
        }
        // The clock was read between sending and now.
        let taken_at = sent_at + took / 2;
        self.sample = Some(Sample { taken_at, database });
    }

    /// Whether the database has to be asked again before a decision.
    pub(super) fn is_stale(&self) -> bool {
        self.sample
            .as_ref()
            .is_none_or(|sample| sample.taken_at.elapsed() > CLOCK_SAMPLE_AGE_MAX)
    }

    /// The time of the next append: later than the head, so that a time names
    /// a position.
    pub(super) fn next(&mut self, head: &Head) -> Result<Timestamp, EngineError> {
        let said_before = self.last;
        let now = self.present(head)?;
        self.last = now
            .max(head.recorded_at.plus_us(1))
            .max(said_before.plus_us(1));
        Ok(self.last)
    }

    /// The present time of the log.
    ///
    /// Refused if the clocks of instance, database and log are too far apart:
    /// one of them is wrong, and nothing must expire by it.
    pub(super) fn present(&mut self, head: &Head) -> Result<Timestamp, EngineError> {
        let Some(sample) = &self.sample else {
            return Err(EngineError::Unavailable);
        };
        let elapsed = i64::try_from(sample.taken_at.elapsed().as_micros()).unwrap_or(i64::MAX);
        let database = sample.database.plus_us(elapsed);
        check_skew(self.clock.now().us_since(database).saturating_abs())?;
        check_skew(head.recorded_at.us_since(database))?;
        // Never earlier than what was said before: what is written next is
        // later than every answer.
        self.last = database.max(head.recorded_at).max(self.last);
        Ok(self.last)
    }
}

fn check_skew(difference_us: i64) -> Result<(), EngineError> {
    let max_us = i64::try_from(CLOCK_SKEW_MAX.as_micros()).unwrap_or(i64::MAX);
    if difference_us > max_us {
        return Err(EngineError::ClockSkew {
            difference_ms: difference_us / 1_000,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head_at(recorded_at: Timestamp) -> Head {
        Head {
            position: 1,
            hash: [1; 32],
            recorded_at,
        }
    }

    #[test]
    fn the_next_time_is_after_the_head_and_after_the_last_one() {
        let clock = Clock::system();
        let mut time = LogTime::new(clock);
        time.observe(Instant::now(), clock.now());
        let ahead = head_at(clock.now().plus_us(1_000_000));
        let first = time.next(&ahead).unwrap();
        assert_eq!(first, ahead.recorded_at.plus_us(1));
        assert!(time.next(&ahead).unwrap() > first);
    }

    #[test]
    fn clocks_that_disagree_stop_decisions() {
        let second = 1_000_000;
        for (instance_off, head_off) in [(3 * second, 0), (-3 * second, 0), (0, 3 * second)] {
            let database = Clock::system().now();
            let mut time = LogTime::new(Clock::off_by_us(instance_off));
            time.observe(Instant::now(), database);
            let result = time.next(&head_at(database.plus_us(head_off)));
            assert!(
                matches!(result, Err(EngineError::ClockSkew { .. })),
                "{instance_off} {head_off}: {result:?}"
            );
        }
    }

    #[test]
    fn without_a_look_at_the_database_there_is_no_time() {
        let mut time = LogTime::new(Clock::system());
        assert!(time.is_stale());
        assert!(matches!(
            time.present(&Head::default()),
            Err(EngineError::Unavailable)
        ));
    }
}
