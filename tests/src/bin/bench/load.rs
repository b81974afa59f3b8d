//! Load: many callers, each with one call in flight, for a given time.
//!
//! What is answered within the window after the warm-up is counted; calls that
//! are in flight when it ends are waited for, so that the next side starts on a
//! quiet service.

use hdrhistogram::Histogram;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Who failed waits this long, so that a dead service isn't called in a tight loop.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(10);
/// How long calls may take that are in flight when the window closes.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// Times above a minute are recorded as a minute: in microseconds.
const LATENCY_US_MAX: u64 = 60_000_000;

/// Makes one call after the other. A call answers how much it counts for, or
/// why it failed.
pub(crate) trait Caller: Send + 'static {
    /// One call is as much work as hundreds of others: fewer callers will do.
    const IS_BATCH: bool = false;

    /// Makes the next call.
    fn call(&mut self) -> impl Future<Output = Result<u64, String>> + Send;
}

/// How long the load lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) warm_up: Duration,
    pub(crate) seconds: Duration,
}

/// What came of a load.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// Counted within the window, per second.
    pub(crate) rate_per_s: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Counted in all, warm-up and end included.
    pub(crate) counted: u64,
    /// Calls that failed, by reason, at any time.
    pub(crate) errors: BTreeMap<String, u64>,
}

struct Recorder {
    opens: Instant,
    closes: Instant,
    records: Mutex<Records>,
}

struct Records {
    latency_us: Histogram<u32>,
    in_window: u64,
    counted: u64,
    errors: BTreeMap<String, u64>,
}

impl Recorder {
    fn record(&self, begun: Instant, outcome: Result<u64, String>) {
        let ended = Instant::now();
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(count) => {
                records.counted += count;
                if ended >= self.opens && ended < self.closes {
                    records.in_window += count;
                    let us = u64::try_from((ended - begun).as_micros()).unwrap_or(u64::MAX);
                    records.latency_us.saturating_record(us);
                }
            }
            Err(reason) => *records.errors.entry(reason).or_default() += 1,
        }
    }
}

/// Runs the callers until the window closes.
pub(crate) async fn run<C: Caller>(window: Window, callers: Vec<C>) -> Sample {
    let opens = Instant::now() + window.warm_up;
    let latency_us = Histogram::new_with_bounds(1, LATENCY_US_MAX, 3);
    let recorder = Arc::new(Recorder {
        opens,
        closes: opens + window.seconds,
        records: Mutex::new(Records {
            latency_us: latency_us.expect("the bounds are valid"),
            in_window: 0,
            counted: 0,
            errors: BTreeMap::new(),
        }),
    });
    let tasks: Vec<_> = callers
        .into_iter()
        .map(|caller| tokio::spawn(drive(caller, recorder.clone())))
        .collect();
    let end = recorder.closes + ANSWER_TIME_MAX;
    for mut task in tasks {
        match tokio::time::timeout_at(end.into(), &mut task).await {
            Ok(done) => done.expect("a caller doesn't panic"),
            Err(_passed) => {
                task.abort();
                recorder.record(recorder.closes, Err("NO_ANSWER".to_owned()));
            }
        }
    }
    let records = recorder
        .records
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let ms = |quantile| as_f64(records.latency_us.value_at_quantile(quantile)) / 1000.0;
    Sample {
        rate_per_s: as_f64(records.in_window) / window.seconds.as_secs_f64(),
        p50_ms: ms(0.5),
        p99_ms: ms(0.99),
        counted: records.counted,
        errors: records.errors.clone(),
    }
}

async fn drive<C: Caller>(mut caller: C, recorder: Arc<Recorder>) {
    loop {
        let begun = Instant::now();
        if begun >= recorder.closes {
            return;
        }
        let outcome = caller.call().await;
        let is_error = outcome.is_err();
        recorder.record(begun, outcome);
        if is_error {
            tokio::time::sleep(PAUSE_AFTER_ERROR).await;
        }
    }
}

/// Counts of a benchmark are far below 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a benchmark are far below 2^53"
)]
pub(crate) fn as_f64(count: u64) -> f64 {
    count as f64
}

/// The middle of some numbers; the mean of the two middle ones if they are even
/// in count; nothing if there are none.
pub(crate) fn median(numbers: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = numbers.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.len() / 2;
    let lower = sorted.len().checked_sub(1)? / 2;
    Some((sorted[lower] + sorted[upper]) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_the_middle() {
        let cases: [(&[f64], Option<f64>); 4] = [
            (&[], None),
            (&[3.0], Some(3.0)),
            (&[9.0, 1.0, 2.0], Some(2.0)),
            (&[4.0, 1.0, 2.0, 9.0], Some(3.0)),
        ];
        for (numbers, expected) in cases {
            assert_eq!(median(numbers.iter().copied()), expected);
        }
    }
}
