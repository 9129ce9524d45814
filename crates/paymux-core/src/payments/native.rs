//! Operations that are not routed: a channel's own, by its provider's own name.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;

use crate::channel::{ChannelError, Cx};
use crate::clock::within;
use crate::error::PaymentError;
use crate::ids::ChannelId;
use crate::transport::Deadline;

use super::Payments;

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
        let limit = entry.request.unwrap_or(catalog.timing.request);
        let ports = self.ports();
        let deadline = Deadline::after(ports.clock.mono(), limit);
        let cx = Cx::new(ports.transport.as_ref(), ports.clock.as_ref(), deadline);
        let call = AssertUnwindSafe(entry.channel.native(&cx, operation, body)).catch_unwind();
        Ok(match within(self.clock(), limit, call).await {
            Some(Ok(answer)) => answer,
            Some(Err(_)) => Err(ChannelError::unknown("the plugin panicked")),
            None => Err(ChannelError::unknown("no answer in time")),
        })
    }
}
