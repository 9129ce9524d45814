//! The client side: what each call of the core does, step by step.
//!
//! Detail lives elsewhere: fields and answers in `wire`, meanings in `map`, notifications in `callback`.
//!
//! cloudpay has one call. There is nothing to query, close or refund with, so none of that is among the
//! capabilities: the core waits for the notification, and an operator's word is the other end.

use async_trait::async_trait;
use paymux_core::channel::{CallbackError, Can, Claim, Verdict};
use paymux_core::{
    Channel, ChannelError, Created, Currency, Cx, Descriptor, Method, Order, OrderRef, Verb, WireRequest,
    WireResponse,
};

use crate::config::Account;
use crate::map::{self, Class};
use crate::{ID, callback, wire};

/// One merchant.
pub(crate) struct CloudPay {
    account: Account,
    descriptor: Descriptor,
}

impl CloudPay {
    /// A channel of checked settings.
    pub(crate) fn new(account: Account) -> Self {
        let descriptor = Descriptor {
            provider: ID,
            account_key: account.appkey.clone(),
            livemode: true,
            can: Can::nothing_more(),
            refunds_per_order: None,
            currencies: vec![Currency::CNY],
            methods: map::methods(&account.types),
            payouts: &[],
            looks: &[],
            extra: map::EXTRA,
        };
        Self { account, descriptor }
    }
}

#[async_trait]
impl Channel for CloudPay {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The `type` that is sent: the settings may say another later, this order stays what it is.
    fn memo(&self, method: Method) -> String {
        self.account.types.word(method.wallet).unwrap_or_default().to_owned()
    }

    async fn create(&self, cx: &Cx<'_>, order: &Order) -> Result<Created, ChannelError> {
        self.descriptor.taking(order)?;
        let form = map::create(&self.account, order)?.to_form();
        let request = WireRequest::new(Verb::Post, wire::CREATE_PATH).body(wire::FORM, form);
        let reply = wire::read(&cx.send(&self.account.base, request).await?)?;
        match map::code_row(reply.code).map(|row| row.class) {
            Some(Class::Created) => map::created(order, &reply),
            _ => Err(map::failure(&reply)),
        }
    }

    fn verify_callback(&self, request: &WireRequest) -> Result<Claim, CallbackError> {
        callback::verify(&self.account, request)
    }

    fn fits(&self, request: &WireRequest, claim: &Claim, order: &OrderRef) -> Result<(), &'static str> {
        callback::fits(&self.account, request, claim, order)
    }

    fn acknowledge(&self, verdict: Verdict) -> WireResponse {
        callback::acknowledge(verdict)
    }

    fn acknowledge_misfit(&self) -> WireResponse {
        callback::acknowledge(Verdict::Rejected)
    }

    fn verify_return(&self, request: &WireRequest) -> Result<String, CallbackError> {
        callback::verify_return(&self.account, request)
    }
}
