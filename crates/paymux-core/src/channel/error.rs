//! How a call to a provider ends badly, and whether money may have moved.

use crate::transport::{NotSent, Undelivered};

/// Why a provider's call did not give what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// No byte left us: nothing happened at the provider.
    #[error("nothing was sent: {0}")]
    NotSent(NotSent),
    /// The provider said no before making an order, with a code that the plugin's table lists so.
    #[error("the provider refused: code `{}`: {}", .0.code, .0.message)]
    Refused(Refusal),
    /// Bytes left us and no answer that can be trusted came back: an order may exist.
    /// Only a query of the same provider may follow.
    #[error("the outcome is not known: {0}; query it, do not send it again")]
    Unknown(String),
    /// This provider cannot do that.
    #[error("the provider of this channel cannot do that")]
    Unsupported,
}

/// May something have happened at the provider?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Surely nothing.
    Nothing,
    /// Not known.
    Unknown,
}

impl ChannelError {
    /// May something have happened at the provider?
    pub fn effect(&self) -> Effect {
        match self {
            Self::NotSent(_) | Self::Refused(_) | Self::Unsupported => Effect::Nothing,
            Self::Unknown(_) => Effect::Unknown,
        }
    }

    /// An answer that could not be trusted or read; `what` names the fault, not its content.
    pub fn unknown(what: impl Into<String>) -> Self {
        Self::Unknown(what.into())
    }
}

impl From<Undelivered> for ChannelError {
    fn from(failure: Undelivered) -> Self {
        match failure {
            Undelivered::NotSent(why) => Self::NotSent(why),
            Undelivered::NoAnswer(why) => Self::Unknown(why.to_string()),
        }
    }
}

/// A definite no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The provider's own code, as text.
    pub code: String,
    /// What it means, for a person; no secrets.
    pub message: String,
    /// Whose fault it is; decides whether another channel is worth a try.
    pub blame: Blame,
}

/// Whose fault a refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The request: another channel would refuse it too.
    Request,
    /// This account at the provider.
    Account,
    /// The provider as a whole.
    Provider,
}

impl Blame {
    /// Whether another channel may fare better.
    pub fn lets_another_try(self) -> bool {
        matches!(self, Self::Account | Self::Provider)
    }
}
