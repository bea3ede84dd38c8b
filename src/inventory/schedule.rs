//! When a CronJob is due.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::model::{Span, Timestamp};

/// `spec.schedule` of a `CronJob` and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Schedule {
    /// Five fields, or a name such as `@daily`.
    pub text: String,
    /// `spec.timeZone`. Without it the controller manager's own time zone holds, which nobody tells: taken for UTC, as it is set nearly
    /// everywhere.
    pub time_zone: Option<String>,
    /// `spec.suspend`.
    pub is_suspended: bool,
}

/// Whether a CronJob was due in a span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// It was, first at this time.
    At(Timestamp),
    /// It was not.
    Not {
        /// When it is due next after the span, if ever.
        next: Option<Timestamp>,
    },
    /// It is suspended, so it is not started by its schedule.
    Suspended,
    /// That cannot be told, for this reason.
    Unknown(String),
}

impl Schedule {
    /// Whether it is due in the span.
    #[must_use]
    pub fn due(&self, span: Span) -> Due {
        if self.is_suspended {
            return Due::Suspended;
        }
        match self.times(span) {
            Err(reason) => Due::Unknown(reason),
            Ok(Some(time)) if time <= span.last() => Due::At(time),
            Ok(next) => Due::Not { next },
        }
    }

    /// For people: `0 3 * * * Europe/Berlin`.
    #[must_use]
    pub fn describe(&self) -> String {
        let (zone, text) = self.zone();
        format!("`{text}` {}", zone.unwrap_or("UTC"))
    }

    /// The longest time in seconds from one start to the next, of the hundred that follow the beginning of 2026; nothing if it comes
    /// to no times or they cannot be told.
    #[must_use]
    pub fn longest_interval(&self) -> Option<u64> {
        const BEGINNING: i64 = 1_767_225_600;
        let mut from = Timestamp::from_seconds(BEGINNING);
        let (mut last, mut longest): (Option<Timestamp>, _) = (None, None);
        for _ in 0..=100 {
            let Ok(Some(next)) = self.times(Span::at(from)) else { break };
            longest = longest.max(last.map(|last| next.since(last)));
            last = Some(next);
            from = next.plus(1_000_000_000);
        }
        longest.and_then(|nanoseconds| u64::try_from(nanoseconds / 1_000_000_000).ok())
    }

    /// The first time not before the span.
    fn times(&self, span: Span) -> Result<Option<Timestamp>, String> {
        let (name, text) = self.zone();
        if text.starts_with("@every") {
            return Err("it counts from when the controller manager started".to_owned());
        }
        let zone = match name {
            // The data are part of the program: a result must not depend on the machine.
            Some(name) => TimeZoneDatabase::bundled().get(name).map_err(|_| format!("no time zone `{name}` is known"))?,
            None => TimeZone::UTC,
        };
        let cron = parse(text).ok_or_else(|| "it cannot be read".to_owned())?;
        // Schedules know no parts of a second.
        let seconds = span.first().0.div_euclid(1_000_000_000) + i64::from(span.first().0.rem_euclid(1_000_000_000) > 0);
        let from = jiff::Timestamp::from_second(seconds).map_err(|error| error.to_string())?;
        let next = cron.find_next_occurrence(&from.to_zoned(zone), true).ok();
        Ok(next.map(|next| Timestamp::from_seconds(next.timestamp().as_second())))
    }

    /// The time zone and the schedule, also where the one stands before the other (`CRON_TZ=Asia/Tokyo 0 3 * * *`, which the API
    /// server has refused since 1.29 and older ones took).
    fn zone(&self) -> (Option<&str>, &str) {
        let text = self.text.trim();
        let prefixed = text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ="));
        match prefixed.and_then(|rest| rest.split_once(' ')) {
            Some((zone, rest)) => (Some(zone), rest.trim()),
            None => (self.time_zone.as_deref(), text),
        }
    }
}

/// As Kubernetes reads it (`github.com/robfig/cron` v3, the standard parser): `?` is `*`, and where both days are given, either will do.
fn parse(text: &str) -> Option<Cron> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).dom_and_dow(false).build();
    parser.parse(&text.replace('?', "*")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        let time: jiff::Timestamp = text.parse().expect("a time");
        Timestamp(i64::try_from(time.as_nanosecond()).expect("in our days"))
    }

    /// A Sunday, from five to three until ten past, in UTC.
    fn due(text: &str, zone: Option<&str>) -> Due {
        let span = Span::between(time("2026-03-01T02:55:00Z"), time("2026-03-01T03:10:00Z"));
        Schedule { text: text.into(), time_zone: zone.map(str::to_owned), is_suspended: false }.due(span)
    }

    #[test]
    fn schedules_are_due_when_kubernetes_starts_their_jobs() {
        let at = |text: &str| Due::At(time(&format!("2026-03-01T{text}Z")));
        let next = |text: &str| Due::Not { next: Some(time(&format!("{text}Z"))) };
        let rows = [
            ("0 3 * * *", None, at("03:00:00")),
            ("*/5 * * * *", None, at("02:55:00")),
            ("10 3 * * *", None, at("03:10:00")),
            ("11 3 * * *", None, next("2026-03-01T03:11:00")),
            ("54 2 * * *", None, next("2026-03-02T02:54:00")),
            ("@hourly", None, at("03:00:00")),
            ("@daily", None, next("2026-03-02T00:00:00")),
            ("0 3 ? * SUN", None, at("03:00:00")),
            ("0 3 * * 1-5", None, next("2026-03-02T03:00:00")),
            // The fifteenth, or any Sunday.
            ("0 3 15 * 0", None, at("03:00:00")),
            ("0 0 1 JAN *", None, next("2027-01-01T00:00:00")),
            ("0 4 * * *", Some("Europe/Berlin"), at("03:00:00")),
            ("0 3 * * *", Some("Europe/Berlin"), next("2026-03-02T02:00:00")),
            ("CRON_TZ=Asia/Tokyo 0 12 * * *", None, at("03:00:00")),
            ("0 0 30 2 *", None, Due::Not { next: None }),
        ];
        for (text, zone, expected) in rows {
            assert_eq!(due(text, zone), expected, "{text} {zone:?}");
        }
    }

    #[test]
    fn the_hour_that_a_clock_leaves_out_is_of_its_time_zone() {
        // In Berlin the clock goes from two to three on 29 March 2026, one o'clock UTC.
        let span = Span::between(time("2026-03-30T00:25:00Z"), time("2026-03-30T00:35:00Z"));
        let schedule = Schedule { text: "30 2 * * *".into(), time_zone: Some("Europe/Berlin".into()), is_suspended: false };
        assert_eq!(schedule.due(span), Due::At(time("2026-03-30T00:30:00Z")), "in summer two hours ahead");
    }

    #[test]
    fn the_longest_interval_is_the_one_to_wait_for() {
        const HOUR: u64 = 3600;
        let rows = [
            ("*/15 * * * *", Some(HOUR / 4)),
            ("0 3 * * *", Some(24 * HOUR)),
            ("0 8-18 * * *", Some(14 * HOUR)),
            ("0 3 * * 1-5", Some(72 * HOUR)),
            ("@monthly", Some(31 * 24 * HOUR)),
            ("@every 1h", None),
            ("0 0 30 2 *", None),
        ];
        for (text, expected) in rows {
            let schedule = Schedule { text: text.into(), time_zone: None, is_suspended: false };
            assert_eq!(schedule.longest_interval(), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_not_guessed() {
        for (text, zone) in [("@every 1h", None), ("secret", None), ("0 3 * * *", Some("Nowhere/Land")), ("0 0 3 * * *", None)] {
            assert!(matches!(due(text, zone), Due::Unknown(_)), "{text} {zone:?}: {:?}", due(text, zone));
        }
        let suspended = Schedule { text: "* * * * *".into(), time_zone: None, is_suspended: true };
        assert_eq!(suspended.due(Span::at(Timestamp(0))), Due::Suspended);
    }
}
