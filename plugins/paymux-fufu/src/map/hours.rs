//! Clocks on the wall: by which one FuFu's times are written, and China's hours in which it takes a cancel.

use std::time::Duration;

use paymux_core::{DayZone, Timestamp};

/// How far China's clocks are ahead of UTC, all year round.
const CHINA: Duration = Duration::from_hours(8);
const DAY: Duration = Duration::from_hours(24);
/// FuFu takes cancels from 01:00 to 23:00; a minute away from both, since two clocks are never the same.
///
/// Source: FuFu interface 1.1.1, `cancel`; the document names neither zone nor borders.
const OPENS: Duration = Duration::from_mins(61);
const CLOSES: Duration = Duration::from_mins(23 * 60 - 1);

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;
const MINUTE: Duration = Duration::from_mins(1);
/// No clock on the wall is further ahead of UTC, or behind it.
const OFFSET_MAX: Duration = Duration::from_hours(14);

/// By whose clock a client's times are written.
#[derive(Debug, Clone)]
pub(crate) enum Zone {
    /// So many milliseconds ahead of UTC, all year round.
    Ahead(i64),
    /// By that zone's rules.
    Named(DayZone),
}

impl Zone {
    /// China's, where a client names none.
    pub(crate) fn china() -> Self {
        Self::Ahead(i64::try_from(CHINA.as_millis()).unwrap_or(0))
    }

    /// The zone of a `time_zone`: the default's name, an offset like `+08:00`, or a name like `Asia/Bangkok`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        match text {
            "China Standard Time" | "Asia/Shanghai" => Some(Self::china()),
            _ if text.starts_with(['+', '-']) => offset(text).map(Self::Ahead),
            _ => DayZone::named(text).map(Self::Named),
        }
    }

    /// What its clock shows, in milliseconds since that clock's 1970.
    fn wall_ms(&self, at: Timestamp) -> i64 {
        match self {
            Self::Ahead(ms) => at.ms().saturating_add(*ms),
            // Zones are whole minutes ahead.
            Self::Named(zone) => {
                let minutes = i64::from(zone.minute_of_day(at)) * MINUTE_MS;
                i64::from(zone.day(at).number()) * DAY_MS + minutes + at.ms().rem_euclid(MINUTE_MS)
            }
        }
    }
}

/// Hours and minutes behind a sign, such as `+08:00`, in milliseconds.
fn offset(text: &str) -> Option<i64> {
    let number = |text: &str| {
        let is_two_digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| is_two_digits)
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let (hours, minutes) = (number(hours)?, number(minutes).filter(|minutes| *minutes < 60)?);
    let span = MINUTE * (hours * 60 + minutes);
    let ms = i64::try_from(span.as_millis()).ok().filter(|_| span <= OFFSET_MAX)?;
    Some(if text.starts_with('-') { -ms } else { ms })
}

/// A moment as FuFu writes it, `yyyyMMddHHmmss`, by that clock.
pub(crate) fn written(at: Timestamp, zone: &Zone) -> String {
    let wall = Timestamp::from_ms(zone.wall_ms(at));
    wall.to_string().chars().filter(char::is_ascii_digit).take(14).collect()
}

/// When a cancel can go, if it cannot go at that moment.
pub(crate) fn cancel_opens(at: Timestamp) -> Option<Timestamp> {
    let since = Duration::from_millis(at.plus(CHINA).ms().rem_euclid(DAY_MS).unsigned_abs());
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
        let written = |text: &str| super::written(text.parse().unwrap(), &Zone::china());
        assert_eq!(written("2024-03-01T04:00:00.999Z"), "20240301120000");
        assert_eq!(written("2024-02-29T16:00:00Z"), "20240301000000");
        assert_eq!(written("2024-02-29T15:59:59Z"), "20240229235959");
    }

    /// F7: the three notations of the default, and others like them.
    #[test]
    fn a_client_may_name_its_own_clock() {
        for china in ["China Standard Time", "Asia/Shanghai", "+08:00"] {
            check(china, "2024-07-01T04:00:07Z", "20240701120007");
        }
        check("Asia/Bangkok", "2024-07-01T17:00:07Z", "20240702000007");
        check("+07:00", "2024-07-01T17:00:07Z", "20240702000007");
        check("Asia/Kolkata", "2024-07-01T04:00:07Z", "20240701093007");
        check("Europe/Berlin", "2024-07-01T04:00:07Z", "20240701060007");
        check("Europe/Berlin", "2024-01-01T04:00:07Z", "20240101050007");
        check("-03:30", "2024-07-01T01:00:07Z", "20240630213007");
        for bad in
            ["", "CST+8", "+8:00", "+0800", "+08:60", "+15:00", "++8:00", "+08:00 ", "Asia/Nowhere", "+"]
        {
            assert!(Zone::read(bad).is_none(), "{bad:?}");
        }

        #[track_caller]
        fn check(zone: &str, at: &str, want: &str) {
            assert_eq!(written(at.parse().unwrap(), &Zone::read(zone).unwrap()), want, "{zone} {at}");
        }
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
