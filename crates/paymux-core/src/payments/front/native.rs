//! What is not routed: a client of a provider's protocol asks for what only that provider does. It goes to the channel
//! of the same provider that the client's account names, under the provider's own names, and to no other.

use serde_json::Value;

use crate::acceptor::{FrontAnswer, FrontRefusal};
use crate::catalog::ChannelEntry;
use crate::channel::{Blame, ChannelError};
use crate::error::PaymentError;
use crate::ids::ChannelId;
use crate::payments::{NativeError, Payments};

use super::Call;

impl Payments {
    pub(super) async fn native_in_front(
        &self,
        call: &Call<'_>,
        channel: Option<&str>,
        operation: &str,
        fields: &Value,
    ) -> Result<FrontAnswer, PaymentError> {
        let Some(entry) = channel.and_then(|channel| doer(call, channel)) else {
            return Ok(FrontAnswer::Refused(FrontRefusal::MethodUnavailable));
        };
        let asked = self.native(entry.id.clone(), operation.to_owned(), fields.clone());
        match Box::pin(asked).await {
            Ok(Value::Object(told)) => Ok(FrontAnswer::Native(told)),
            Ok(_) => Ok(FrontAnswer::InDoubt),
            Err(NativeError::Payment(error)) => Err(error),
            Err(NativeError::Channel(error)) => Ok(why_not(call, entry, &error)),
        }
    }
}

/// The channel, if it speaks the same protocol: only then do names and fields mean there what the client means.
fn doer<'a>(call: &Call<'a>, channel: &str) -> Option<&'a ChannelEntry> {
    let entry = call.catalog.open_channel(&ChannelId::new(channel).ok()?)?;
    (entry.channel.descriptor().provider == call.acceptor.slug()).then_some(entry)
}

fn why_not(call: &Call<'_>, entry: &ChannelEntry, error: &ChannelError) -> FrontAnswer {
    let refusal = match error {
        // A no to the request is the client's to read, in the provider's own code; one to our account is not.
        ChannelError::Refused(refusal) => match (refusal.blame, refusal.code.parse()) {
            (Blame::Request, Ok(code)) => FrontRefusal::Told { code, detail: refusal.message.clone() },
            _ => FrontRefusal::Upstream("the provider behind refused".to_owned()),
        },
        ChannelError::Unsupported => FrontRefusal::MethodUnavailable,
        ChannelError::NotSent(_) => {
            FrontRefusal::Upstream("the provider behind could not be reached; nothing was done".to_owned())
        }
        ChannelError::Unknown(_) => return FrontAnswer::InDoubt,
    };
    tracing::info!(front = call.acceptor.slug(), app = %call.app, channel = %entry.id, %error, "not done");
    FrontAnswer::Refused(refusal)
}
