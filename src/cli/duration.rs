//! A duration as people write it in, a duration out: `30s`, `5m`, `1h 30m`, `2 hours`, `1d`, also `PT1H30M`.
//!
//! Guaranteed: it is more than zero and has one length everywhere (a day is 24 hours; months and years are refused). A number
//! without a unit is refused too: some tools take it for seconds, some for minutes.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// What may be written, for messages.
const EXAMPLES: &str = "write a number and its unit, such as 30s, 5m, 2h, 1d or `1h 30m`";

/// For clap: the message says what would be right.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text.parse::<f64>().is_ok() {
        return Err(format!("`{text}` has no unit: {EXAMPLES}"));
    }
    let span: Span = text.parse().map_err(|_| format!("`{text}` is no duration: {EXAMPLES}"))?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return Err("months and years differ in length: write days (m stands for minutes)".to_owned());
    }
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|error| error.to_string())?;
    match Duration::try_from(length) {
        Ok(length) if !length.is_zero() => Ok(length),
        _ => Err(format!("`{text}` is not more than zero: {EXAMPLES}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let rows = [
            ("30s", 30),
            ("5m", 300),
            ("2h", 7_200),
            ("1d", 86_400),
            ("1w", 604_800),
            ("1h30m", 5_400),
            ("1h 30m", 5_400),
            (" 90 min ", 5_400),
            ("2 hours", 7_200),
            ("1.5h", 5_400),
            ("PT10M", 600),
        ];
        for (text, seconds) in rows {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
    }

    #[test]
    fn what_is_refused_says_why() {
        let rows = [
            ("", "is no duration"),
            ("30", "has no unit"),
            ("1.5", "has no unit"),
            ("0s", "not more than zero"),
            ("-5m", "not more than zero"),
            ("5m ago", "not more than zero"),
            ("soon", "is no duration"),
            ("5x", "is no duration"),
            ("1mo", "months and years"),
            ("1y", "months and years"),
            ("99999999999999999999s", "is no duration"),
        ];
        for (text, reason) in rows {
            let message = parse_duration(text).expect_err(text);
            assert!(message.contains(reason), "{text}: {message}");
        }
    }
}
