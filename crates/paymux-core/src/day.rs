//! The zone by whose calendar days limits count.

use std::fmt;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::clock::Timestamp;

/// The zone where none is named.
const DEFAULT: &str = "Asia/Shanghai";
const UTC_DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A zone with its calendar. The rules of all zones are part of the program: no file is read.
#[derive(Debug, Clone)]
pub struct DayZone(TimeZone);

impl DayZone {
    /// The zone of that IANA name, such as `Asia/Shanghai`; `None` where there is none.
    pub fn named(name: &str) -> Option<Self> {
        TimeZoneDatabase::bundled().get(name).ok().map(Self)
    }

    /// The first moment of the day that it is there. A day can have 23 or 25 hours.
    pub fn day_start(&self, at: Timestamp) -> Timestamp {
        let start = || {
            let there = jiff::Timestamp::from_millisecond(at.ms()).ok()?.to_zoned(self.0.clone());
            Some(Timestamp::from_ms(there.start_of_day().ok()?.timestamp().as_millisecond()))
        };
        // Only in years that no calendar knows.
        start().unwrap_or_else(|| Timestamp::from_ms(at.ms().div_euclid(UTC_DAY_MS) * UTC_DAY_MS))
    }
}

impl Default for DayZone {
    /// `Asia/Shanghai`.
    fn default() -> Self {
        Self::named(DEFAULT).unwrap_or(Self(TimeZone::UTC))
    }
}

impl fmt::Display for DayZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_its_zone() {
        check("Asia/Shanghai", "2024-03-01T15:59:59.999Z", "2024-02-29T16:00:00Z");
        check("Asia/Shanghai", "2024-03-01T16:00:00Z", "2024-03-01T16:00:00Z");
        check("UTC", "2024-03-01T23:59:59.999Z", "2024-03-01T00:00:00Z");
        check("America/New_York", "2024-03-10T12:00:00Z", "2024-03-10T05:00:00Z");
        check("America/New_York", "2024-03-11T03:59:59Z", "2024-03-10T05:00:00Z");
        check("America/New_York", "2024-03-11T04:00:00Z", "2024-03-11T04:00:00Z");
        // There the clock goes from midnight to one: the day begins at one.
        check("Asia/Beirut", "2024-03-31T12:00:00Z", "2024-03-30T22:00:00Z");

        #[track_caller]
        fn check(zone: &str, now: &str, want: &str) {
            let at = |text: &str| text.parse::<Timestamp>().unwrap();
            assert_eq!(DayZone::named(zone).unwrap().day_start(at(now)), at(want), "{zone} {now}");
        }
    }

    #[test]
    fn a_zone_has_a_name_that_is_known() {
        assert_eq!(DayZone::default().to_string(), "Asia/Shanghai");
        assert_eq!(DayZone::named("Asia/Tokyo").unwrap().to_string(), "Asia/Tokyo");
        for unknown in ["", "Asia/Atlantis", "+08:00", "../etc/passwd"] {
            assert!(DayZone::named(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn years_that_no_calendar_knows_have_days_too() {
        for ms in [i64::MAX, i64::MIN + UTC_DAY_MS] {
            assert!(DayZone::default().day_start(Timestamp::from_ms(ms)) <= Timestamp::from_ms(ms));
        }
    }
}
