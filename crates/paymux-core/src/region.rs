//! Where a payer is, by ISO 3166-2: a country and a part of it, such as `CN-31`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest code: two letters, a hyphen, three letters or digits.
const BYTES_MAX: usize = 6;

/// The code of a part of a country. Small and compared as a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region([u8; BYTES_MAX]);

impl Region {
    /// What a code looks like, for whoever wrote another one.
    pub const RULE: &str = "write ISO 3166-2, like CN-31";

    /// Reads a code: two capital letters, a hyphen, one to three capital letters or digits.
    pub fn from_code(code: &str) -> Option<Self> {
        let (country, part) = code.split_once('-')?;
        let is_country = country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase());
        let is_part = (1..=3).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if !is_country || !is_part {
            return None;
        }
        let mut bytes = [0; BYTES_MAX];
        bytes[..code.len()].copy_from_slice(code.as_bytes());
        Some(Self(bytes))
    }

    /// The code.
    pub fn code(&self) -> &str {
        let length = self.0.iter().position(|b| *b == 0).unwrap_or(BYTES_MAX);
        std::str::from_utf8(&self.0[..length]).unwrap_or_default()
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Region {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Region {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        Self::from_code(&code)
            .ok_or_else(|| serde::de::Error::custom(format_args!("`{code}`: {}", Self::RULE)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_codes() {
        for good in ["CN-31", "DE-BE", "FR-75C", "US-CA", "GB-ENG", "CN-1"] {
            assert_eq!(Region::from_code(good).map(|region| region.to_string()).as_deref(), Some(good));
        }
        for bad in [
            "", "CN", "CN-", "cn-31", "CN-3111", "CN31", "C-31", "CNN-31", "CN-3 ", "CN-é", "CN-31-1",
            "ＣN-31",
        ] {
            assert_eq!(Region::from_code(bad), None, "{bad}");
        }
    }
}
