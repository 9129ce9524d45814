//! What is remembered of a payment or a refund that a client of a front asked for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What its acceptor needs when it speaks of it again. `Debug` names the protocol only: a sign or a client's own data
/// may stand in the rest.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct FrontNote {
    /// The protocol, by its provider's slug.
    pub slug: String,
    /// The acceptor's own note of the call.
    pub memo: String,
    /// What comes back to the client unchanged.
    pub echo: serde_json::Value,
    /// Where the notices of a refund or a transfer go instead of where its payment's or its app's go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify_url: Option<String>,
    /// Whether a refund waits for its client's approval before it is sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_approval: bool,
}

impl FrontNote {
    /// A note without an address of its own.
    pub fn new(slug: &str, memo: &str, echo: &serde_json::Value) -> Self {
        Self {
            slug: slug.to_owned(),
            memo: memo.to_owned(),
            echo: echo.clone(),
            notify_url: None,
            needs_approval: false,
        }
    }
}

impl fmt::Debug for FrontNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrontNote").field("slug", &self.slug).finish_non_exhaustive()
    }
}
