//! Operations that are not routed: a channel's own, by its provider's own name.

use crate::channel::ChannelError;
use crate::error::PaymentError;
use crate::ids::ChannelId;

use super::Payments;
use super::outflows::request_limit;

/// Why an operation of a channel's own gave nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NativeError {
    /// Nothing was asked of the provider.
    #[error(transparent)]
    Payment(#[from] PaymentError),
    /// The provider was asked.
    #[error(transparent)]
    Channel(#[from] ChannelError),
}

impl Payments {
    /// Runs an operation of that channel's provider that paymux does not route. Body and answer
    /// are JSON of the provider's own shape.
    pub async fn native(
        &self,
        channel: ChannelId,
        operation: String,
        body: serde_json::Value,
    ) -> Result<serde_json::Value, NativeError> {
        let this = self.clone();
        let answer = self.run(async move { this.native_now(&channel, &operation, body).await }).await?;
        Ok(answer?)
    }

    async fn native_now(
        &self,
        channel: &ChannelId,
        operation: &str,
        body: serde_json::Value,
    ) -> Result<Result<serde_json::Value, ChannelError>, PaymentError> {
        let catalog = self.catalog();
        let entry = catalog.channel(channel).ok_or(PaymentError::NotFound("channel"))?;
        let cx = self.cx(self.clock().mono(), request_limit(entry, &catalog.timing));
        Ok(self.called(&catalog, entry, None, &cx, entry.channel.native(&cx, operation, body)).await)
    }
}
