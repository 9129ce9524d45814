//! Why an attempt was made where it was: its record, and the version of the configuration that it is read with.

use super::Payments;
use crate::catalog::Catalog;
use crate::error::PaymentError;
use crate::ids::AttemptId;
use crate::router::Past;
use crate::store::{ConfigVersion, KeptDecision, StoreError};

impl Payments {
    /// Sees to it that the ledger has what that catalog routes by: written once a process, before the first decision
    /// that is read with it. Where that fails, surely nothing of the payment was written.
    pub(super) async fn keep_version(&self, catalog: &Catalog) -> Result<(), StoreError> {
        let version = catalog.version();
        if version.is_kept() {
            return Ok(());
        }
        let row = ConfigVersion {
            digest: version.digest().clone(),
            content: version.content().to_owned(),
            since: self.now(),
        };
        match self.store().keep_version(row).await {
            Ok(()) => version.note_kept(),
            // It is written again, with no harm done, where nobody knows whether it was.
            Err(StoreError::Unconfirmed(why)) => return Err(StoreError::Unavailable(why)),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The record of the decision that made that attempt, as it was told then; [`crate::router::replay`] makes its
    /// choice again. `None` where there is no such attempt.
    ///
    /// # Errors
    /// When the ledger fails, or lacks what the record is read with.
    pub async fn decision(&self, attempt: AttemptId) -> Result<Option<serde_json::Value>, PaymentError> {
        let (version, record) = match self.store().decision(attempt).await? {
            None => return Ok(None),
            Some(KeptDecision::Told(record)) => return Ok(Some(record)),
            Some(KeptDecision::Compact { version, record }) => (version, record),
        };
        let unreadable = |what: String| PaymentError::Internal(format!("the decision of {attempt}: {what}"));
        let payment = self.store().payment_by_attempt(attempt).await?;
        let payment = payment.ok_or_else(|| unreadable("its payment is gone".to_owned()))?;
        let version =
            self.store().version(&version).await?.ok_or_else(|| {
                unreadable(format!("the ledger has no version {version} of the configuration"))
            })?;
        let told = Past::read(&version.content)
            .and_then(|past| past.tell(&record, payment.amount, payment.method))
            .map_err(|error| unreadable(error.to_string()))?;
        serde_json::to_value(&told).map(Some).map_err(|error| unreadable(error.to_string()))
    }
}
