//! Why each attempt was made where it was, and the versions of the configuration that its record is read with.

use async_trait::async_trait;
use paymux_core::ids::AttemptId;
use paymux_core::router::VersionDigest;
use paymux_core::store::{ConfigVersion, DecisionBook, KeptDecision, StoreError};

use super::MemoryStore;

#[async_trait]
impl DecisionBook for MemoryStore {
    async fn keep_version(&self, version: ConfigVersion) -> Result<(), StoreError> {
        self.books()?.versions.entry(version.digest.clone()).or_insert(version);
        Ok(())
    }

    async fn version(&self, digest: &VersionDigest) -> Result<Option<ConfigVersion>, StoreError> {
        Ok(self.books()?.versions.get(digest).cloned())
    }

    async fn decision(&self, attempt: AttemptId) -> Result<Option<KeptDecision>, StoreError> {
        Ok(self.books()?.attempts.get(&attempt).map(|home| home.decision.clone()))
    }
}
