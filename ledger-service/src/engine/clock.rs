//! Time: the instance's clock, and what the database's clock says.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ledger_core::Timestamp;

use super::EngineError;
use crate::{
    limits::{CLOCK_SAMPLE_AGE_MAX, CLOCK_SKEW_MAX, CLOCK_STEADY_TIME},
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

/// Watches whether the instance's clock goes on as the monotonic clock does.
/// One for all books of an engine, so that a book that is opened after the
/// clock was set does not take it for right.
///
/// On one host the instance's clock and the database's are the same: if it is
/// set wrong, nothing else shows it. A host that was suspended looks the same
/// as one whose clock was set, because the monotonic clock stands still then.
/// So a new time is believed once it has stood for [`CLOCK_STEADY_TIME`]: a
/// wrong one that is put right within that time has ended nothing.
pub(super) struct ClockWatch {
    watched: Mutex<Watched>,
    steady_time: Duration,
}

struct Watched {
    /// The last reading that is believed.
    trusted: Reading,
    /// The first reading since the clock was set.
    stepped: Option<Reading>,
    /// How often a time that was set was believed in the end.
    steps: u64,
}

/// What the clock says at a moment of the monotonic clock.
#[derive(Clone, Copy)]
struct Reading {
    at: Instant,
    says: Timestamp,
}

impl Reading {
    fn of(clock: Clock) -> Self {
        Self {
            at: Instant::now(),
            says: clock.now(),
        }
    }

    /// By how much the clock was set forward since `earlier`, or back.
    fn step_us(&self, earlier: &Self) -> i64 {
        let elapsed = self.at.saturating_duration_since(earlier.at);
        let elapsed = i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX);
        self.says.us_since(earlier.says.plus_us(elapsed))
    }
}

impl ClockWatch {
    /// Begins to watch; what the clock says now is believed.
    pub(super) fn new(clock: Clock) -> Self {
        Self::with_steady_time(clock, CLOCK_STEADY_TIME)
    }

    fn with_steady_time(clock: Clock, steady_time: Duration) -> Self {
        let watched = Watched {
            trusted: Reading::of(clock),
            stepped: None,
            steps: 0,
        };
        Self {
            watched: Mutex::new(watched),
            steady_time,
        }
    }

    /// Looks at the clock. Answers how often it was set since the watch began.
    ///
    /// # Errors
    /// [`EngineError::ClockSkew`] if it was set lately.
    pub(super) fn check(&self, clock: Clock) -> Result<u64, EngineError> {
        // Read behind the lock, so that readings come in their order.
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.take_in(Reading::of(clock), self.steady_time)
    }
}

impl Watched {
    fn take_in(&mut self, now: Reading, steady_time: Duration) -> Result<u64, EngineError> {
        let step_us = now.step_us(&self.trusted);
        let Err(error) = check_skew(step_us.saturating_abs()) else {
            if self.stepped.take().is_some() {
                tracing::warn!("the clock of this host is back where it was");
            }
            // Small corrections add up to no step.
            self.trusted = now;
            return Ok(self.steps);
        };
        let step_ms = step_us / 1_000;
        match self.stepped {
            Some(first) if check_skew(now.step_us(&first).saturating_abs()).is_ok() => {
                if now.at.saturating_duration_since(first.at) < steady_time {
                    return Err(error);
                }
                tracing::warn!(
                    step_ms,
                    "the time that the clock was set to is believed now"
                );
                self.trusted = now;
                self.stepped = None;
                self.steps = self.steps.saturating_add(1);
                Ok(self.steps)
            }
            _ => {
                tracing::error!(
                    step_ms,
                    steady_s = steady_time.as_secs(),
                    "the clock of this host was set, or the host was suspended: nothing is \
                     decided or expired until the clock has been steady"
                );
                self.stepped = Some(now);
                Err(error)
            }
        }
    }
}

/// The time of a log: the database's clock, carried on between looks at it by
/// the monotonic clock, and never at or before the head.
pub(super) struct LogTime {
    clock: Clock,
    watch: Arc<ClockWatch>,
    sample: Option<Sample>,
    /// What was said last.
    last: Timestamp,
    /// How often the clock had been set then.
    steps: u64,
}

struct Sample {
    taken_at: Instant,
    database: Timestamp,
}

impl LogTime {
    pub(super) const fn new(clock: Clock, watch: Arc<ClockWatch>) -> Self {
        Self {
            clock,
            watch,
            sample: None,
            last: Timestamp(0),
            steps: 0,
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
        let database = self.database(head)?;
        self.last = database
            .max(head.recorded_at.plus_us(1))
            .max(self.last.plus_us(1));
        Ok(self.last)
    }

    /// The present time of the log.
    ///
    /// Refused if the clocks of instance, database and log are too far apart,
    /// or the instance's was set lately: one of them is wrong, and nothing must
    /// expire by it.
    pub(super) fn present(&mut self, head: &Head) -> Result<Timestamp, EngineError> {
        let database = self.database(head)?;
        // Never earlier than what was said before: what is written next is
        // later than every answer.
        self.last = database.max(head.recorded_at).max(self.last);
        Ok(self.last)
    }

    /// What the database's clock says now, compared with all that it has to
    /// agree with.
    fn database(&mut self, head: &Head) -> Result<Timestamp, EngineError> {
        let Some(sample) = &self.sample else {
            return Err(EngineError::Unavailable);
        };
        let steps = self.watch.check(self.clock)?;
        let elapsed = i64::try_from(sample.taken_at.elapsed().as_micros()).unwrap_or(i64::MAX);
        let database = sample.database.plus_us(elapsed);
        check_skew(self.clock.now().us_since(database).saturating_abs())?;
        check_skew(head.recorded_at.us_since(database))?;
        if steps != self.steps {
            // What was said by the clock before it was set right binds nobody:
            // only what was written does, and that is the head's time.
            self.steps = steps;
            self.last = Timestamp(0);
        }
        check_skew(self.last.us_since(database))?;
        Ok(database)
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

    const SECOND_US: i64 = 1_000_000;
    const DAY_US: i64 = 86_400 * SECOND_US;

    fn head_at(recorded_at: Timestamp) -> Head {
        Head {
            position: 1,
            hash: [1; 32],
            recorded_at,
        }
    }

    fn log_time(clock: Clock) -> LogTime {
        LogTime::new(clock, Arc::new(ClockWatch::new(clock)))
    }

    #[test]
    fn the_next_time_is_after_the_head_and_after_the_last_one() {
        let clock = Clock::system();
        let mut time = log_time(clock);
        time.observe(Instant::now(), clock.now());
        let ahead = head_at(clock.now().plus_us(SECOND_US));
        let first = time.next(&ahead).unwrap();
        assert_eq!(first, ahead.recorded_at.plus_us(1));
        assert!(time.next(&ahead).unwrap() > first);
    }

    #[test]
    fn clocks_that_disagree_stop_decisions() {
        for (instance_off, head_off) in [(3, 0), (-3, 0), (0, 3)] {
            let database = Clock::system().now();
            let mut time = log_time(Clock::off_by_us(instance_off * SECOND_US));
            time.observe(Instant::now(), database);
            let result = time.next(&head_at(database.plus_us(head_off * SECOND_US)));
            assert!(
                matches!(result, Err(EngineError::ClockSkew { .. })),
                "{instance_off} {head_off}: {result:?}"
            );
        }
    }

    #[test]
    fn without_a_look_at_the_database_there_is_no_time() {
        let mut time = log_time(Clock::system());
        assert!(time.is_stale());
        assert!(matches!(
            time.present(&Head::default()),
            Err(EngineError::Unavailable)
        ));
    }

    /// One clock for instance and database, as on one host, set to `offset_us`.
    fn set_clock(time: &mut LogTime, offset_us: i64) {
        time.clock = Clock::off_by_us(offset_us);
        time.observe(Instant::now(), time.clock.now());
    }

    #[test]
    fn one_clock_that_is_set_stops_decisions_although_all_agree() {
        for offset_us in [DAY_US, -DAY_US, 3 * SECOND_US] {
            let mut time = log_time(Clock::system());
            set_clock(&mut time, 0);
            let before = time.next(&Head::default()).unwrap();
            set_clock(&mut time, offset_us);
            let result = time.next(&Head::default());
            assert!(
                matches!(result, Err(EngineError::ClockSkew { .. })),
                "{offset_us}: {result:?}"
            );
            // Put right before it was believed.
            set_clock(&mut time, 0);
            let after = time.next(&Head::default()).unwrap();
            assert!(after > before && after.us_since(before) < SECOND_US);
        }
    }

    #[test]
    fn a_book_that_is_opened_after_the_clock_was_set_does_not_believe_it() {
        let watch = Arc::new(ClockWatch::new(Clock::system()));
        let set = Clock::off_by_us(DAY_US);
        let mut time = LogTime::new(set, watch);
        time.observe(Instant::now(), set.now());
        let result = time.present(&Head::default());
        assert!(
            matches!(result, Err(EngineError::ClockSkew { .. })),
            "{result:?}"
        );
    }

    #[test]
    fn a_time_that_was_said_by_a_wrong_clock_binds_nobody() {
        let clock = Clock::system();
        let watch = ClockWatch::with_steady_time(clock, Duration::ZERO);
        let mut time = LogTime::new(clock, Arc::new(watch));
        set_clock(&mut time, DAY_US);
        assert!(time.next(&Head::default()).is_err());
        let wrong = time.next(&Head::default()).unwrap();
        assert!(wrong.us_since(clock.now()) > DAY_US / 2);
        set_clock(&mut time, 0);
        assert!(time.next(&Head::default()).is_err());
        let right = time.next(&Head::default()).unwrap();
        assert!(right.us_since(clock.now()) < SECOND_US, "a day early");
        // But what was written does: it is the head.
        assert!(time.next(&head_at(wrong)).is_err());
    }

    #[test]
    fn what_was_said_last_is_compared_with_the_clock_too() {
        let mut time = log_time(Clock::system());
        set_clock(&mut time, 0);
        time.last = Clock::system().now().plus_us(3 * SECOND_US);
        let result = time.next(&Head::default());
        assert!(
            matches!(result, Err(EngineError::ClockSkew { .. })),
            "{result:?}"
        );
    }

    #[test]
    fn a_set_clock_is_believed_when_it_has_been_steady() {
        let begun = Instant::now();
        let reading = |s: u64, offset_s: i64| Reading {
            at: begun + Duration::from_secs(s),
            says: Timestamp((s.cast_signed() + offset_s) * SECOND_US),
        };
        let mut watched = Watched {
            trusted: reading(0, 0),
            stepped: None,
            steps: 0,
        };
        let steady = Duration::from_secs(10);
        let mut at = |s, offset_s| watched.take_in(reading(s, offset_s), steady).ok();
        // An idle hour is no step, and neither are small corrections.
        assert_eq!(at(3_600, 1), Some(0));
        assert_eq!(at(3_601, 2), Some(0));
        assert_eq!(at(3_602, 3), Some(0));
        // Set, and set again before it was steady: the time counts anew.
        assert_eq!(at(3_610, 100), None);
        assert_eq!(at(3_619, 100), None);
        assert_eq!(at(3_620, 200), None);
        assert_eq!(at(3_629, 200), None);
        assert_eq!(at(3_630, 200), Some(1));
        assert_eq!(at(3_631, 200), Some(1));
        // Back for good.
        assert_eq!(at(3_640, 0), None);
        assert_eq!(at(3_650, 0), Some(2));
    }
}
