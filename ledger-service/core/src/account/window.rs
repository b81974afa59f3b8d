//! Windows of time: how often something was done lately, exactly.

use minicbor::{CborLen, Decode, Decoder, Encode, Encoder, decode, encode};

use crate::primitives::Timestamp;

/// What was done in the window of one limit, the oldest first. Kept as the
/// moments themselves, so that what is free again, and when, is exact to the
/// microsecond; a catalog bounds how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// How long something counts, in microseconds.
    pub length_us: i64,
    /// When, and how many at once.
    uses: Vec<(Timestamp, i64)>,
}

impl Window {
    /// How many count at `now`.
    #[must_use]
    pub fn used(&self, now: Timestamp, length_us: i64) -> i64 {
        self.counting(now, length_us)
            .fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    /// When `wanted` more will fit below `maximum`; nothing if they never will.
    #[must_use]
    pub fn free_at(
        &self,
        now: Timestamp,
        length_us: i64,
        wanted: i64,
        maximum: i64,
    ) -> Option<Timestamp> {
        let mut excess = self
            .used(now, length_us)
            .saturating_add(wanted)
            .saturating_sub(maximum);
        if excess <= 0 {
            return Some(now);
        }
        self.counting(now, length_us).find_map(|(at, count)| {
            excess = excess.saturating_sub(count);
            (excess <= 0).then(|| at.plus_us(length_us))
        })
    }

    fn counting(&self, now: Timestamp, length_us: i64) -> impl Iterator<Item = (Timestamp, i64)> {
        let counts = move |(at, _): &(Timestamp, i64)| at.plus_us(length_us) > now;
        self.uses.iter().copied().filter(counts)
    }

    /// Counts `count` at `now`, for `length_us`.
    pub(super) fn add(&mut self, now: Timestamp, count: i64, length_us: i64) {
        self.length_us = length_us;
        match self.uses.last_mut() {
            Some((at, last)) if *at == now => *last = last.saturating_add(count),
            _ => self.uses.push((now, count)),
        }
    }

    /// Takes back `count` of what was counted at `at`.
    pub(super) fn take_back(&mut self, at: Timestamp, count: i64) {
        if let Some(index) = self.uses.iter().position(|(used_at, _)| *used_at == at)
            && let Some((_, left)) = self.uses.get_mut(index)
        {
            *left = left.saturating_sub(count);
            if *left <= 0 {
                self.uses.remove(index);
            }
        }
    }

    /// Forgets what does not count any more.
    pub(super) fn forget(&mut self, now: Timestamp) {
        let length_us = self.length_us;
        self.uses.retain(|(at, _)| at.plus_us(length_us) > now);
    }

    /// Whether nothing counts.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.uses.is_empty()
    }

    /// The numbers that stand for it: its length, then for each use the time
    /// since the one before and the count. Times stand close together, so their
    /// differences take half the bytes.
    fn numbers(&self) -> impl Iterator<Item = i64> {
        let mut before = Timestamp(0);
        let uses = self.uses.iter().flat_map(move |(at, count)| {
            let since = at.us_since(before);
            before = *at;
            [since, *count]
        });
        std::iter::once(self.length_us).chain(uses)
    }

    fn numbers_len(&self) -> u64 {
        let uses = u64::try_from(self.uses.len()).unwrap_or(u64::MAX);
        uses.saturating_mul(2).saturating_add(1)
    }
}

impl<C> Encode<C> for Window {
    fn encode<W: encode::Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.array(self.numbers_len())?;
        for number in self.numbers() {
            encoder.i64(number)?;
        }
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for Window {
    fn decode(decoder: &mut Decoder<'b>, context: &mut C) -> Result<Self, decode::Error> {
        let numbers: Vec<i64> = Vec::decode(decoder, context)?;
        let mut window = Self::default();
        let mut at = Timestamp(0);
        let (length_us, uses) = numbers
            .split_first()
            .ok_or_else(|| decode::Error::message("a window without its length"))?;
        window.length_us = *length_us;
        for pair in uses.chunks(2) {
            let [since, count] = pair else {
                return Err(decode::Error::message("a time without its count"));
            };
            at = at.plus_us(*since);
            window.uses.push((at, *count));
        }
        Ok(window)
    }
}

impl<C> CborLen<C> for Window {
    fn cbor_len(&self, context: &mut C) -> usize {
        self.numbers()
            .fold(self.numbers_len().cbor_len(context), |sum, number| {
                sum.saturating_add(number.cbor_len(context))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::Window;
    use crate::primitives::Timestamp;

    const HOUR_US: i64 = 3_600_000_000;

    fn at(us: i64) -> Timestamp {
        Timestamp(1_700_000_000_000_000).plus_us(us)
    }

    #[test]
    fn what_is_as_old_as_the_window_counts_no_more() {
        let mut window = Window::default();
        window.add(at(0), 1, HOUR_US);
        window.add(at(10), 2, HOUR_US);
        assert_eq!(window.used(at(HOUR_US - 1), HOUR_US), 3);
        assert_eq!(window.used(at(HOUR_US), HOUR_US), 2);
        assert_eq!(window.used(at(HOUR_US + 10), HOUR_US), 0);
        window.forget(at(HOUR_US + 10));
        assert!(window.is_empty());
    }

    #[test]
    fn the_moment_when_enough_is_free_is_exact() {
        let mut window = Window::default();
        for (us, count) in [(0, 1), (10, 2), (20, 1)] {
            window.add(at(us), count, HOUR_US);
        }
        let free = |wanted| window.free_at(at(30), HOUR_US, wanted, 4);
        assert_eq!(free(0), Some(at(30)));
        assert_eq!(free(1), Some(at(HOUR_US)));
        assert_eq!(free(2), Some(at(HOUR_US + 10)));
        assert_eq!(free(4), Some(at(HOUR_US + 20)));
        assert_eq!(free(5), None);
    }

    #[test]
    fn what_is_given_back_leaves_room_at_once() {
        let mut window = Window::default();
        window.add(at(0), 3, HOUR_US);
        window.add(at(0), 1, HOUR_US);
        window.take_back(at(0), 3);
        assert_eq!(window.used(at(1), HOUR_US), 1);
        window.take_back(at(0), 1);
        window.take_back(at(5), 1);
        assert!(window.is_empty());
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let mut window = Window::default();
        for number in 0..500 {
            window.add(at(number * 7_200_000), 1 + number % 3, HOUR_US);
        }
        let bytes = minicbor::to_vec(&window).unwrap();
        assert_eq!(minicbor::len(&window), bytes.len());
        assert!(bytes.len() < 4_000, "{} bytes", bytes.len());
        assert_eq!(minicbor::decode::<Window>(&bytes).unwrap(), window);
    }
}
