//! The numbers of a record that may exceed what JSON readers keep exact: each is written as 16 hexadecimal digits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How many digits a record writes.
const DIGITS: usize = 16;

/// What a choice draws from: the same seed makes the same choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(u64);

/// A text that is no seed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a whole number below 2^64, or the 16 hexadecimal digits of a record")]
pub struct SeedError;

impl Seed {
    /// That number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// What a payment sticks to: a number of its payer's id, or of its order number where the payer has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tie(pub(super) u64);

impl FromStr for Seed {
    type Err = SeedError;

    /// Reads what a record writes, and plain numbers. 16 digits are a record's.
    fn from_str(text: &str) -> Result<Self, SeedError> {
        let number = || {
            let is_number = text.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| text.parse().ok())?
        };
        of_digits(text).or_else(number).map(Self).ok_or(SeedError)
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&digits(self.0))
    }
}

impl fmt::Display for Tie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&digits(self.0))
    }
}

impl Serialize for Seed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&digits(self.0))
    }
}

impl Serialize for Tie {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&digits(self.0))
    }
}

impl<'de> Deserialize<'de> for Seed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_digits(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Tie {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_digits(deserializer).map(Self)
    }
}

fn digits(number: u64) -> String {
    format!("{number:016x}")
}

fn of_digits(text: &str) -> Option<u64> {
    let is_form = text.len() == DIGITS && text.bytes().all(|b| b.is_ascii_hexdigit());
    is_form.then(|| u64::from_str_radix(text, 16).ok())?
}

fn read_digits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    of_digits(&text)
        .ok_or_else(|| serde::de::Error::custom(format_args!("`{text}` is not {DIGITS} hexadecimal digits")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints_and_plain_numbers() {
        check("0", Some(0));
        check("7", Some(7));
        check("18446744073709551615", Some(u64::MAX));
        check("0000000000000007", Some(7));
        check("00000000000000fF", Some(255));
        check("ffffffffffffffff", Some(u64::MAX));
        // 16 digits are hexadecimal, as a record writes them.
        check("0000000000000010", Some(16));
        for refused in ["", "-1", "+1", "1.0", "ff", "18446744073709551616", "000000000000000g", " 7"] {
            check(refused, None);
        }
        assert_eq!(Seed::new(255).to_string(), "00000000000000ff");

        #[track_caller]
        fn check(text: &str, want: Option<u64>) {
            assert_eq!(text.parse::<Seed>().ok().map(Seed::number), want, "{text}");
        }
    }

    #[test]
    fn a_record_has_the_long_form_alone() {
        let read = |text: &str| serde_json::from_value::<Seed>(text.into()).ok();
        assert_eq!(read("00000000000000ff"), Some(Seed::new(255)));
        assert_eq!(read("255"), None);
        assert_eq!(serde_json::to_value(Seed::new(255)).unwrap(), "00000000000000ff");
    }
}
