//! Times of day in which a channel may collect, such as `06:00-23:30`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How many minutes a day's clock shows.
pub const DAY_MINUTES: u16 = 24 * 60;

/// A time of day from its start, which is inside, to its end, which is not. An end before the start is the next
/// day's. In whole minutes of the clock on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    start: u16,
    end: u16,
}

/// Why a text is no time of day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoursError {
    /// Not two times with a hyphen between them.
    #[error(
        "`{0}`: write start and end like 06:00-23:30; an end before the start is the next day's, and 24:00 ends a day"
    )]
    Form(String),
    /// A time that holds nothing.
    #[error("`{0}`: start and end are the same; a whole day is 00:00-24:00")]
    Empty(String),
}

impl Hours {
    /// Whether that minute of the day, counted from midnight, is inside.
    pub fn hold(self, minute: u16) -> bool {
        self.spans().any(|span| span.contains(&i64::from(minute)))
    }

    /// The same as minutes of one day, from midnight on.
    pub(crate) fn spans(self) -> impl Iterator<Item = Range<i64>> {
        let (start, end) = (i64::from(self.start), i64::from(self.end));
        let spans = if start < end { [start..end, 0..0] } else { [start..i64::from(DAY_MINUTES), 0..end] };
        spans.into_iter().filter(|span| !span.is_empty())
    }
}

impl FromStr for Hours {
    type Err = HoursError;

    fn from_str(text: &str) -> Result<Self, HoursError> {
        let form = || HoursError::Form(text.to_owned());
        let (start, end) = text.split_once('-').ok_or_else(form)?;
        let start = minute_of_day(start).ok_or_else(form)?;
        let end = minute(end).ok_or_else(form)?;
        if start == end {
            return Err(HoursError::Empty(text.to_owned()));
        }
        Ok(Self { start, end })
    }
}

/// Reads a time such as `06:00`, up to `23:59`: how many minutes it is after midnight.
pub fn minute_of_day(text: &str) -> Option<u16> {
    minute(text).filter(|minute| *minute < DAY_MINUTES)
}

/// Minutes since midnight of a text such as `06:00`, up to `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| -> Option<u16> {
        (digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= DAY_MINUTES).then_some(total)
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, end) = (self.start, self.end);
        write!(f, "{:02}:{:02}-{:02}:{:02}", start / 60, start % 60, end / 60, end % 60)
    }
}

impl Serialize for Hours {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_inside_and_the_end_is_not() {
        check("06:00-23:30", &[360, 1000, 1409], &[359, 1410, 0]);
        check("22:00-06:00", &[1320, 1439, 0, 359], &[360, 1319]);
        check("00:00-24:00", &[0, 1439], &[]);
        check("12:00-00:00", &[720, 1439], &[719, 0]);
        check("23:59-24:00", &[1439], &[0, 1438]);

        #[track_caller]
        fn check(text: &str, inside: &[u16], outside: &[u16]) {
            let hours: Hours = text.parse().unwrap();
            assert_eq!(hours.to_string(), text);
            assert!(inside.iter().all(|minute| hours.hold(*minute)), "{text}");
            assert!(!outside.iter().any(|minute| hours.hold(*minute)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_time_of_day() {
        for bad in [
            "",
            "06:00",
            "6:00-7:00",
            "06:00-24:01",
            "24:00-06:00",
            "06:60-07:00",
            "06:00 - 07:00",
            "a-b",
            "06:00-07:00-08:00",
            "+6:00-07:00",
        ] {
            assert_eq!(bad.parse::<Hours>(), Err(HoursError::Form(bad.to_owned())));
        }
        assert_eq!("06:00-06:00".parse::<Hours>(), Err(HoursError::Empty("06:00-06:00".to_owned())));
    }
}
