//! China's clock: how FuFu writes times, and the hours in which it takes a cancel.

use std::time::Duration;

use paymux_core::Timestamp;

/// How far China's clocks are ahead of UTC, all year round.
const CHINA: Duration = Duration::from_hours(8);
const DAY: Duration = Duration::from_hours(24);
/// FuFu takes cancels from 01:00 to 23:00; a minute away from both, since two clocks are never the same.
///
/// Source: FuFu interface 1.1.1, `cancel`; the document names neither zone nor borders.
const OPENS: Duration = Duration::from_mins(61);
const CLOSES: Duration = Duration::from_mins(23 * 60 - 1);

/// A moment as FuFu writes it: `yyyyMMddHHmmss` in China.
pub(crate) fn written(at: Timestamp) -> String {
    at.plus(CHINA).to_string().chars().filter(char::is_ascii_digit).take(14).collect()
}

/// When a cancel can go, if it cannot go at that moment.
pub(crate) fn cancel_opens(at: Timestamp) -> Option<Timestamp> {
    let day_ms = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
    let since = Duration::from_millis(at.plus(CHINA).ms().rem_euclid(day_ms).unsigned_abs());
    let midnight = at.minus(since);
    match since {
        _ if since < OPENS => Some(midnight.plus(OPENS)),
        _ if since >= CLOSES => Some(midnight.plus(DAY).plus(OPENS)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F7.
    #[test]
    fn times_are_written_in_china() {
        let written = |text: &str| super::written(text.parse().unwrap());
        assert_eq!(written("2024-03-01T04:00:00.999Z"), "20240301120000");
        assert_eq!(written("2024-02-29T16:00:00Z"), "20240301000000");
        assert_eq!(written("2024-02-29T15:59:59Z"), "20240229235959");
    }

    /// F25.
    #[test]
    fn cancels_go_from_one_to_twenty_three_in_china_and_a_minute_away_from_both() {
        check("01:01:00", None);
        check("12:00:00", None);
        check("22:58:59.999", None);
        check("22:59:00", Some("2024-03-02T01:01:00+08:00"));
        check("23:59:59.999", Some("2024-03-02T01:01:00+08:00"));
        check("00:00:00", Some("2024-03-01T01:01:00+08:00"));
        check("01:00:00", Some("2024-03-01T01:01:00+08:00"));
        check("01:00:59.999", Some("2024-03-01T01:01:00+08:00"));

        #[track_caller]
        fn check(time: &str, want: Option<&str>) {
            let at = format!("2024-03-01T{time}+08:00").parse().unwrap();
            assert_eq!(cancel_opens(at), want.map(|want| want.parse().unwrap()), "{time}");
        }
    }
}
