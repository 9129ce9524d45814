//! What is wrong with a set-up, and why nothing could be opened.

use std::fmt;

use paymux_core::PaymentError;
use paymux_core::payments::Obstacle;

/// One rule that a set-up breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {rule}")]
pub struct Mistake {
    /// Where, such as ``channel `north` ``.
    pub place: String,
    /// What is allowed, and what was given where that helps. Never holds a secret.
    pub rule: String,
}

/// Every rule that a set-up breaks, in its order: at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn add(&mut self, place: impl Into<String>, rule: impl Into<String>) {
        self.0.push(Mistake { place: place.into(), rule: rule.into() });
    }

    /// The value, or a mistake that carries the error's text.
    pub(crate) fn good<T>(&mut self, place: &str, result: Result<T, impl fmt::Display>) -> Option<T> {
        result.map_err(|error| self.add(place, error.to_string())).ok()
    }

    /// `value`, unless there is a mistake.
    pub(crate) fn unless_any<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }
}

impl fmt::Display for Mistakes {
    /// One a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&lines(&self.0))
    }
}

impl std::error::Error for Mistakes {}

/// Why payments could not be opened. Nothing runs then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The set-up breaks rules.
    #[error(transparent)]
    Mistakes(#[from] Mistakes),
    /// A port was not given, and this build brings none.
    #[error("payments need {what}: {how}")]
    Missing {
        /// Which.
        what: &'static str,
        /// Where it comes from.
        how: &'static str,
    },
    /// The way out could not be made.
    #[cfg(feature = "transport")]
    #[error("calls to providers cannot be made")]
    Outbound(#[from] paymux_transport::SetupError),
    /// The ledger did not take the channels.
    #[error("the ledger does not take the channels: {0}")]
    Ledger(PaymentError),
    /// Ids or accounts of channels are bound otherwise.
    #[error("{}", lines(.0))]
    Bound(Vec<Obstacle>),
}

fn lines(each: &[impl fmt::Display]) -> String {
    each.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_one_a_line() {
        let mut mistakes = Mistakes::none();
        assert_eq!(mistakes.clone().unless_any(7), Ok(7));
        mistakes.add("channel `a`", "is there twice");
        assert_eq!(mistakes.good("route `b`", Err::<(), _>("has no channel")), None);
        assert_eq!(mistakes.to_string(), "channel `a`: is there twice\nroute `b`: has no channel");
        let error = OpenError::from(mistakes.unless_any(()).unwrap_err());
        assert_eq!(error.to_string(), "channel `a`: is there twice\nroute `b`: has no channel");
    }
}
