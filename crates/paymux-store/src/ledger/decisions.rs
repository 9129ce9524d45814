//! Why each attempt was made where it was, and the versions of the configuration that its record is read with.

use async_trait::async_trait;
use paymux_core::ids::AttemptId;
use paymux_core::router::VersionDigest;
use paymux_core::store::{ConfigVersion, DecisionBook, KeptDecision, StoreError};

use super::Ledger;
use crate::ops::decisions::{self, KeepVersion};

#[async_trait]
impl DecisionBook for Ledger {
    async fn keep_version(&self, version: ConfigVersion) -> Result<(), StoreError> {
        self.write(KeepVersion(version)).await
    }

    async fn version(&self, digest: &VersionDigest) -> Result<Option<ConfigVersion>, StoreError> {
        self.read("version", async |db| decisions::version(db, digest).await).await
    }

    async fn decision(&self, attempt: AttemptId) -> Result<Option<KeptDecision>, StoreError> {
        self.read("decision", async |db| decisions::of_attempt(db, attempt).await).await
    }
}
