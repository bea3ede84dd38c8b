//! Capture time.

use std::fmt;

/// An instant in nanoseconds since the Unix epoch; the only clock below the adapters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Before everything that can be captured.
    pub const MIN: Self = Self(i64::MIN);
    /// After everything that can be captured.
    pub const MAX: Self = Self(i64::MAX);

    /// The instant `seconds` after the Unix epoch, saturating at the ends.
    #[inline]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// This instant moved by `nanoseconds`, saturating at the ends.
    #[must_use]
    #[inline]
    pub const fn plus(self, nanoseconds: i64) -> Self {
        Self(self.0.saturating_add(nanoseconds))
    }

    /// Nanoseconds from `earlier`, which is not later, to this instant.
    #[inline]
    pub const fn after(self, earlier: Self) -> u64 {
        debug_assert!(earlier.0 <= self.0, "it is not later");
        self.0.wrapping_sub(earlier.0).cast_unsigned()
    }

    /// Nanoseconds from `earlier` to this instant; negative when it is later.
    #[inline]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// RFC 3339 in UTC with milliseconds, as reviewers compare it with their logs.
impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(time) => write!(formatter, "{time:.3}"),
            Err(_) => write!(formatter, "{} ns", self.0),
        }
    }
}

/// A closed interval of capture time. `first <= last` always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    first: Timestamp,
    last: Timestamp,
}

impl Span {
    /// The span that holds `at` alone.
    #[inline]
    pub const fn at(at: Timestamp) -> Self {
        Self { first: at, last: at }
    }

    /// The span between two instants, in either order.
    #[inline]
    pub fn between(one: Timestamp, other: Timestamp) -> Self {
        Self { first: one.min(other), last: one.max(other) }
    }

    /// Its beginning.
    #[inline]
    pub const fn first(self) -> Timestamp {
        self.first
    }

    /// Its end.
    #[inline]
    pub const fn last(self) -> Timestamp {
        self.last
    }

    /// Its length in nanoseconds.
    pub const fn length(self) -> i64 {
        self.last.since(self.first)
    }

    /// The least span that holds both.
    #[must_use]
    #[inline]
    pub fn merge(self, other: Self) -> Self {
        Self { first: self.first.min(other.first), last: self.last.max(other.last) }
    }
}

/// Seconds in words: `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`.
#[must_use]
pub fn length(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds == 0 => "less than 1 s".into(),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        assert_eq!(Timestamp(1_700_000_000_123_456_789).to_string(), "2023-11-14T22:13:20.123Z");
    }

    #[test]
    fn a_span_has_its_ends_in_order() {
        let span = Span::between(Timestamp(5), Timestamp(2));
        assert_eq!((span.first(), span.last(), span.length()), (Timestamp(2), Timestamp(5), 3));
    }
}
