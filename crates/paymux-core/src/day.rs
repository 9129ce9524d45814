//! The zone by whose calendar days limits count, and on whose clock times of day are read.

use std::fmt;

use jiff::civil::Time;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

use crate::clock::Timestamp;

/// The zone where none is named.
const DEFAULT: &str = "Asia/Shanghai";
const MINUTE_MS: i64 = 60_000;
const UTC_DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Changes of the clock are looked up beforehand up to here, the year 2200; what comes after keeps the last one.
const LAST_SECOND: i64 = 7_258_118_400;

/// A day of some zone's calendar, as the number of days since 1 January 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Day {
    /// That many days after 1 January 1970.
    pub const fn from_number(days: i32) -> Self {
        Self(days)
    }

    /// How many days it comes after 1 January 1970.
    pub const fn number(self) -> i32 {
        self.0
    }
}

/// A zone with its calendar. The rules of all zones are part of the program: no file is read.
#[derive(Clone)]
pub struct DayZone {
    zone: TimeZone,
    /// From when on, in milliseconds since 1970, the zone is how many milliseconds ahead of UTC; in order. The clock
    /// is read from these, in a few nanoseconds.
    offsets: Box<[(i64, i64)]>,
}

impl DayZone {
    /// The zone of that IANA name, such as `Asia/Shanghai`; `None` where there is none.
    pub fn named(name: &str) -> Option<Self> {
        TimeZoneDatabase::bundled().get(name).ok().map(Self::of)
    }

    fn of(zone: TimeZone) -> Self {
        let ms = |offset: Offset| i64::from(offset.seconds()) * 1000;
        let first = (i64::MIN, ms(zone.to_offset(jiff::Timestamp::UNIX_EPOCH)));
        let changes = zone.following(jiff::Timestamp::UNIX_EPOCH);
        let changes = changes.take_while(|change| change.timestamp().as_second() < LAST_SECOND);
        let later = changes.map(|change| (change.timestamp().as_millisecond(), ms(change.offset())));
        let offsets = std::iter::once(first).chain(later).collect();
        Self { zone, offsets }
    }

    /// The minute of the day there, counted from midnight on the clock on the wall.
    pub fn minute_of_day(&self, at: Timestamp) -> u16 {
        u16::try_from(self.wall_ms(at).rem_euclid(UTC_DAY_MS) / MINUTE_MS).unwrap_or(0)
    }

    /// The moment of that day at which the clock on the wall shows that minute: of two the first, and where the clock
    /// leaves the minute out, as much later as it is put forward.
    pub fn at_minute(&self, day_of: Timestamp, minute: u16) -> Timestamp {
        let moment = || {
            let there = jiff::Timestamp::from_millisecond(day_of.ms()).ok()?.to_zoned(self.zone.clone());
            let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
            let wall = there.date().to_datetime(Time::new(hour, minute, 0, 0).ok()?);
            let moment = wall.to_zoned(self.zone.clone()).ok()?;
            Some(Timestamp::from_ms(moment.timestamp().as_millisecond()))
        };
        // Only in years that no calendar knows, and of minutes that no day has.
        moment().unwrap_or(day_of)
    }

    /// The day that the calendar on the wall shows there.
    pub fn day(&self, at: Timestamp) -> Day {
        let number = i32::try_from(self.wall_ms(at).div_euclid(UTC_DAY_MS));
        Day(number.unwrap_or(if at.ms() < 0 { i32::MIN } else { i32::MAX }))
    }

    /// What a clock on the wall shows there, in milliseconds since its 1 January 1970.
    fn wall_ms(&self, at: Timestamp) -> i64 {
        let later = self.offsets.partition_point(|(from, _)| *from <= at.ms());
        let offset = self.offsets.get(later.saturating_sub(1)).map_or(0, |(_, offset)| *offset);
        at.ms().saturating_add(offset)
    }

    /// The first moment of the day that it is there. A day can have 23 or 25 hours.
    pub fn day_start(&self, at: Timestamp) -> Timestamp {
        let start = || {
            let there = jiff::Timestamp::from_millisecond(at.ms()).ok()?.to_zoned(self.zone.clone());
            Some(Timestamp::from_ms(there.start_of_day().ok()?.timestamp().as_millisecond()))
        };
        // Only in years that no calendar knows.
        start().unwrap_or_else(|| Timestamp::from_ms(at.ms().div_euclid(UTC_DAY_MS) * UTC_DAY_MS))
    }
}

impl Default for DayZone {
    /// `Asia/Shanghai`.
    fn default() -> Self {
        Self::named(DEFAULT).unwrap_or_else(|| Self::of(TimeZone::UTC))
    }
}

impl fmt::Debug for DayZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for DayZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.zone.iana_name().unwrap_or("UTC"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_the_number_that_the_calendar_on_the_wall_gives() {
        check("UTC", "1970-01-01T00:00:00Z", 0);
        check("UTC", "1969-12-31T23:59:59.999Z", -1);
        check("Asia/Shanghai", "2024-03-01T15:59:59.999Z", 19_783);
        check("Asia/Shanghai", "2024-03-01T16:00:00Z", 19_784);
        check("America/New_York", "2024-03-10T04:59:59Z", 19_791);
        check("America/New_York", "2024-03-11T03:59:59Z", 19_792);

        #[track_caller]
        fn check(zone: &str, at: &str, want: i32) {
            let at: Timestamp = at.parse().unwrap();
            assert_eq!(DayZone::named(zone).unwrap().day(at), Day::from_number(want), "{zone} {at}");
        }
    }

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

    #[test]
    fn reads_the_clock_on_the_wall() {
        reads("Asia/Shanghai", "2026-03-01T15:59:59Z", 23 * 60 + 59);
        reads("Asia/Shanghai", "2026-03-01T16:00:00Z", 0);
        // China had summer time in 1988.
        reads("Asia/Shanghai", "1988-07-01T00:00:00Z", 9 * 60);
        reads("UTC", "1969-12-31T23:59:00Z", 23 * 60 + 59);
        reads("Asia/Kathmandu", "2026-03-01T00:00:00Z", 5 * 60 + 45);
    }

    /// In spring an hour is left out, in autumn one comes twice.
    #[test]
    fn keeps_summer_time() {
        reads("Europe/Berlin", "2026-03-29T00:59:00Z", 60 + 59);
        reads("Europe/Berlin", "2026-03-29T01:00:00Z", 3 * 60);
        reads("Europe/Berlin", "2026-10-25T00:30:00Z", 2 * 60 + 30);
        reads("Europe/Berlin", "2026-10-25T01:30:00Z", 2 * 60 + 30);
        reads("Europe/Berlin", "2100-07-01T00:00:00Z", 2 * 60);
    }

    #[track_caller]
    fn reads(zone: &str, text: &str, minute: u16) {
        assert_eq!(
            DayZone::named(zone).unwrap().minute_of_day(text.parse().unwrap()),
            minute,
            "{zone} {text}"
        );
    }

    #[test]
    fn finds_a_minute_of_a_day() {
        let now = "2026-03-01T15:59:59Z";
        check("Asia/Shanghai", now, 0, "2026-02-28T16:00:00Z");
        check("Asia/Shanghai", now, 23 * 60 + 59, "2026-03-01T15:59:00Z");
        check("Asia/Shanghai", "2026-03-01T16:00:00Z", 0, "2026-03-01T16:00:00Z");
        // In spring the hour from two to three is left out, in autumn it comes twice.
        check("Europe/Berlin", "2026-03-29T12:00:00Z", 2 * 60 + 30, "2026-03-29T01:30:00Z");
        check("Europe/Berlin", "2026-10-25T12:00:00Z", 2 * 60 + 30, "2026-10-25T00:30:00Z");
        check("UTC", now, 24 * 60, now);

        #[track_caller]
        fn check(zone: &str, day_of: &str, minute: u16, want: &str) {
            let at = |text: &str| text.parse::<Timestamp>().unwrap();
            assert_eq!(
                DayZone::named(zone).unwrap().at_minute(at(day_of), minute),
                at(want),
                "{zone} {minute}"
            );
        }
    }

    #[test]
    fn agrees_with_the_database_at_any_time() {
        for name in ["America/New_York", "Asia/Shanghai", "Africa/Casablanca", "Australia/Lord_Howe"] {
            let (zone, jiff) =
                (DayZone::named(name).unwrap(), TimeZoneDatabase::bundled().get(name).unwrap());
            for step in 0..5000_i64 {
                let at = Timestamp::from_ms(step * 1_400_000_007);
                let want = jiff::Timestamp::from_millisecond(at.ms()).unwrap().to_zoned(jiff.clone());
                let want = i64::from(want.hour()) * 60 + i64::from(want.minute());
                assert_eq!(i64::from(zone.minute_of_day(at)), want, "{name} {}", at.ms());
            }
        }
    }
}
