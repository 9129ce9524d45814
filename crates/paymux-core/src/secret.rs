//! Secrets that cannot leak by accident.

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// A key, token or password: no `Display`, no `Serialize`, no `PartialEq`, prints as
/// `Secret(****)`, and is wiped from memory when dropped.
///
/// Compare two of them with [`Secret::matches`], which takes the same time wherever they differ.
///
/// ```compile_fail
/// # use paymux_core::Secret;
/// let equal = Secret::new("a") == Secret::new("a");
/// ```
/// ```compile_fail
/// # use paymux_core::Secret;
/// let leaked = Secret::new("a").to_string();
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for a signature or a header; never for a log or an error.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares in constant time for equal lengths.
    pub fn matches(&self, candidate: &str) -> bool {
        paymux_sign::constant_time_eq(self.0.as_bytes(), candidate.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(****)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_not_print_itself() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "Secret(****) Some(Secret(****))");
    }

    #[test]
    fn compares_whole_texts() {
        let secret = Secret::new("hunter2");
        assert!(secret.matches("hunter2"));
        for other in ["hunter3", "hunter", "hunter22", "", "Hunter2"] {
            assert!(!secret.matches(other), "{other}");
        }
    }
}
