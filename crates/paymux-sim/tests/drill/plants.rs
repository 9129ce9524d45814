//! Bugs that a plugin could have, for the judge to find.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::channel::{Blame, CallbackError, CancelAnswer, Claim, QueryAnswer, Refusal, Verdict};
use paymux_core::{
    Channel, ChannelError, Created, Cx, Descriptor, Method, Order, OrderRef, ProviderOrderNo, Timestamp,
    WireRequest, WireResponse,
};

/// Which bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plant {
    /// None.
    None,
    /// A scan of which nobody knows is sent again under another number.
    ResendsUnknown,
    /// A scan of which nobody knows counts as refused.
    TakesUnknownForRefused,
    /// A scan of which nobody knows is cancelled at once.
    CancelsAtOnce,
    /// Questions and cancels are not sent.
    NeverAsks,
}

/// The plugin's channel with a bug.
pub(crate) struct Planted {
    pub(crate) channel: Arc<dyn Channel>,
    pub(crate) plant: Plant,
}

impl Planted {
    /// What the bug makes of an unknown scan.
    async fn spoiled(&self, cx: &Cx<'_>, order: &Order, what: String) -> Result<Created, ChannelError> {
        match self.plant {
            Plant::ResendsUnknown => {
                let text = order.number.as_str();
                let other = if text.ends_with('0') { '1' } else { '0' };
                let number = ProviderOrderNo::new(format!("{}{other}", &text[..text.len() - 1])).unwrap();
                self.channel.create(cx, &Order { number, ..order.clone() }).await
            }
            Plant::TakesUnknownForRefused => Err(ChannelError::Refused(Refusal {
                code: "FAIL".to_owned(),
                message: what,
                blame: Blame::Account,
            })),
            Plant::CancelsAtOnce => {
                // The plugin itself would keep to the age that it is told.
                let old = OrderRef {
                    number: order.number.clone(),
                    amount: order.amount,
                    method: order.method,
                    memo: order.memo.clone(),
                    reference: None,
                    created_at: cx.now().minus(Duration::from_hours(1)),
                    metadata: order.metadata.clone(),
                };
                drop(self.channel.cancel(cx, &old).await);
                Err(ChannelError::Unknown(what))
            }
            Plant::None | Plant::NeverAsks => Err(ChannelError::Unknown(what)),
        }
    }
}

#[async_trait]
impl Channel for Planted {
    fn descriptor(&self) -> &Descriptor {
        self.channel.descriptor()
    }

    fn memo(&self, method: Method) -> String {
        self.channel.memo(method)
    }

    async fn create(&self, cx: &Cx<'_>, order: &Order) -> Result<Created, ChannelError> {
        match self.channel.create(cx, order).await {
            Err(ChannelError::Unknown(what)) => self.spoiled(cx, order, what).await,
            other => other,
        }
    }

    async fn query(&self, cx: &Cx<'_>, order: &OrderRef) -> Result<QueryAnswer, ChannelError> {
        if self.plant == Plant::NeverAsks {
            return Err(ChannelError::unknown("nobody asked"));
        }
        self.channel.query(cx, order).await
    }

    fn cancel_not_before(&self, method: Method, at: Timestamp) -> Option<Timestamp> {
        self.channel.cancel_not_before(method, at)
    }

    async fn cancel(&self, cx: &Cx<'_>, order: &OrderRef) -> Result<CancelAnswer, ChannelError> {
        if self.plant == Plant::NeverAsks {
            return Err(ChannelError::unknown("nobody asked"));
        }
        self.channel.cancel(cx, order).await
    }

    fn verify_callback(&self, request: &WireRequest) -> Result<Claim, CallbackError> {
        self.channel.verify_callback(request)
    }

    fn acknowledge(&self, verdict: Verdict) -> WireResponse {
        self.channel.acknowledge(verdict)
    }
}
