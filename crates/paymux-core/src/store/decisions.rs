//! Why each attempt was made where it was, and the versions of the configuration that its record is read with.

use async_trait::async_trait;
use serde_json::Value;

use super::StoreError;
use crate::clock::Timestamp;
use crate::ids::AttemptId;
use crate::router::VersionDigest;

/// The record of a decision as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptDecision {
    /// In numbers, to be told with that version: [`crate::router::Past::tell`].
    Compact {
        /// Which [`ConfigVersion`].
        version: VersionDigest,
        /// The numbers.
        record: Vec<u8>,
    },
    /// In words, as all were before there were versions.
    Told(Value),
}

/// What a catalog routed by. Kept once for each content, and never changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigVersion {
    /// What stands for its content.
    pub digest: VersionDigest,
    /// The content, for [`crate::router::Past::read`].
    pub content: String,
    /// When a node first routed by it.
    pub since: Timestamp,
}

/// Decisions, and what they are read with.
///
/// # Behaviour
/// - A version has its content for ever. A decision is not compared with it when it is written: whoever writes one has
///   kept its version before.
#[async_trait]
pub trait DecisionBook: Send + Sync + 'static {
    /// Keeps a version, unless one of its digest is there: that stays as it is.
    async fn keep_version(&self, version: ConfigVersion) -> Result<(), StoreError>;

    /// The version of that digest.
    async fn version(&self, digest: &VersionDigest) -> Result<Option<ConfigVersion>, StoreError>;

    /// The decision that made that attempt.
    async fn decision(&self, attempt: AttemptId) -> Result<Option<KeptDecision>, StoreError>;
}
