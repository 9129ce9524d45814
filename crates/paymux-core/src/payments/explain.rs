//! Explain: the decision that a create would make now, and nothing of what it would do. Stores nothing, calls nobody,
//! and takes no turn of a route whose channels take turns.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Serialize;

use super::Payments;
use crate::catalog::Catalog;
use crate::clock::Timestamp;
use crate::error::PaymentError;
use crate::ids::{AppId, ChannelId};
use crate::payment::request::NewPayment;
use crate::router::{Ask, Decision, Router, Seed};

/// The most picks of one spread.
pub const TIMES_MAX: u32 = 1_000_000;

/// What is asked beside the payment.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// When it would come.
    pub at: Timestamp,
    /// What its choice would draw from.
    pub seed: Seed,
    /// How many picks the spread is made of, where one is asked for.
    pub times: Option<Times>,
}

/// How many picks a spread is made of: 1 to [`TIMES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times(u32);

/// A text that is no such number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a whole number from 1 to {TIMES_MAX}")]
pub struct TimesError;

impl Times {
    /// The number.
    pub const fn count(self) -> u32 {
        self.0
    }
}

impl FromStr for Times {
    type Err = TimesError;

    fn from_str(text: &str) -> Result<Self, TimesError> {
        let is_number = text.bytes().all(|b| b.is_ascii_digit());
        let count = text.parse().ok().filter(|count| is_number && (1..=TIMES_MAX).contains(count));
        count.map(Self).ok_or(TimesError)
    }
}

/// A decision that nobody acts on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// Its record, also where no channel may take the payment.
    #[serde(flatten)]
    pub decision: Decision,
    /// How often each channel was picked under seeds drawn from the decision's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread: Option<BTreeMap<ChannelId, u32>>,
}

impl Explained {
    /// The decision by that catalog, and by the figures that it knows.
    pub fn of(catalog: &Catalog, app: &AppId, request: &NewPayment, question: Question) -> Self {
        let ask = Ask::of(catalog, app, request, question.at);
        let (router, seed) = (Router::new(catalog), question.seed.number());
        Self {
            decision: router.explain(&ask, seed),
            spread: question.times.map(|times| router.spread(&ask, seed, times.count())),
        }
    }
}

impl Payments {
    /// The decision that [`Self::create`] would make of that request now; under a seed of its own where none is
    /// given. Takes a moment for many `times`: a front runs it where it holds up nobody.
    ///
    /// # Errors
    /// When the request breaks a rule that [`Self::create`] refuses it by.
    pub fn explain(
        &self,
        app: &AppId,
        request: &NewPayment,
        seed: Option<Seed>,
        times: Option<Times>,
    ) -> Result<Explained, PaymentError> {
        self.check_payment(app, request)?;
        let seed = seed.unwrap_or_else(|| Seed::new(self.ports().rng.bits()));
        let question = Question { at: self.now(), seed, times };
        Ok(Explained::of(&self.catalog(), app, request, question))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_bounded() {
        for (text, want) in [("1", Some(1)), ("1000000", Some(TIMES_MAX))] {
            assert_eq!(text.parse::<Times>().ok().map(Times::count), want);
        }
        for refused in ["", "0", "1000001", "-1", "+1", "1.5", "many", "99999999999999"] {
            assert_eq!(refused.parse::<Times>(), Err(TimesError), "{refused}");
        }
    }
}
