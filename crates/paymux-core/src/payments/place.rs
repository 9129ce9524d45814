//! One create call at one channel, and what became of it: decided by where it failed.

use crate::catalog::{Catalog, ChannelEntry};
use crate::channel::{ChannelError, Created, Order, Refusal};
use crate::clock::Mono;
use crate::method::Product;
use crate::payment::request::NewPayment;
use crate::payment::{Attempt, Failure, Payment};
use crate::state::{Happening, Sum};

use super::{Facts, Payments};

/// How a create call went, as the state table and the failover look at it.
#[derive(Debug)]
pub(super) struct Placed {
    /// For the state table.
    pub(super) happening: Happening,
    /// What goes with it.
    pub(super) facts: Facts,
    /// Whether another channel may fare better.
    pub(super) another_may: bool,
}

impl Payments {
    /// Makes the call for an attempt that is stored as `sending`. Its time runs from `begun`, a
    /// moment before the attempt was handed to the store: a sender that was held up in between must
    /// not send what a worker has given up for lost meanwhile.
    pub(super) async fn place(
        &self,
        catalog: &Catalog,
        entry: &ChannelEntry,
        payment: &Payment,
        attempt: &Attempt,
        request: &NewPayment,
        begun: Mono,
    ) -> Placed {
        let limit = entry.request_limit(payment.method, &catalog.timing);
        let order = order(catalog, entry, payment, attempt, request);
        let cx = self.cx(begun, limit);
        crate::crash_point!("create.before_call");
        // At a till the call itself waits for the payer: its length says nothing of the provider.
        let is_at_a_till = payment.method.product == Product::Barcode;
        let slow = catalog.health.slow.filter(|_| !is_at_a_till);
        let answer = self.called(catalog, entry, slow, &cx, entry.channel.create(&cx, &order)).await;
        crate::crash_point!("create.after_call");
        metrics::counter!("paymux_creates_total", "channel" => entry.id.to_string(), "outcome" => outcome_label(&answer))
            .increment(1);
        judge(payment, answer)
    }
}

fn outcome_label(answer: &Result<Created, ChannelError>) -> &'static str {
    match answer {
        Ok(Created::Open(_)) => "open",
        Ok(Created::Paid(_)) => "paid",
        Err(ChannelError::NotSent(_)) => "not_sent",
        Err(ChannelError::Refused(_) | ChannelError::Unsupported) => "refused",
        Err(ChannelError::Unknown(_)) => "unknown",
    }
}

fn judge(payment: &Payment, answer: Result<Created, ChannelError>) -> Placed {
    match answer {
        Ok(Created::Open(opened)) => {
            let facts = Facts { action: opened.action, reference: opened.reference, ..Facts::default() };
            Placed { happening: Happening::AnswerOpen, facts, another_may: false }
        }
        Ok(Created::Paid(receipt)) => {
            let sum = Sum::of(payment.amount, receipt.received, receipt.discount);
            Placed { happening: Happening::AnswerPaid(sum), facts: Facts::asked(receipt), another_may: false }
        }
        Err(ChannelError::Refused(refusal)) => refused(&refusal),
        Err(ChannelError::NotSent(why)) => failed(Happening::AnswerNotSent, "not_sent", why.to_string()),
        Err(ChannelError::Unsupported) => {
            failed(Happening::AnswerRefused, "refused", ChannelError::Unsupported.to_string())
        }
        Err(ChannelError::Unknown(what)) => failed(Happening::AnswerUnknown, "unknown", what),
    }
}

fn refused(refusal: &Refusal) -> Placed {
    let failure = Failure {
        code: "refused".to_owned(),
        message: refusal.message.clone(),
        provider_code: Some(refusal.code.clone()),
    };
    Placed {
        happening: Happening::AnswerRefused,
        facts: Facts { failure: Some(failure), ..Facts::default() },
        another_may: refusal.blame.lets_another_try(),
    }
}

fn failed(happening: Happening, code: &str, message: String) -> Placed {
    let failure = Failure { code: code.to_owned(), message, provider_code: None };
    Placed { happening, facts: Facts { failure: Some(failure), ..Facts::default() }, another_may: true }
}

fn order(
    catalog: &Catalog,
    entry: &ChannelEntry,
    payment: &Payment,
    attempt: &Attempt,
    request: &NewPayment,
) -> Order {
    let descriptor = entry.channel.descriptor();
    // A front's client writes its own protocol's fields, and another provider's field of that name may be another.
    let is_spoken = request.front.as_ref().is_none_or(|note| note.slug == descriptor.provider);
    let own = |(name, _): &(&String, &serde_json::Value)| is_spoken && descriptor.takes_extra(name);
    Order {
        number: attempt.number.clone(),
        amount: payment.amount,
        method: payment.method,
        subject: payment.subject.clone(),
        expires_at: attempt.ends_at,
        notify_url: catalog.notify_url(&entry.id),
        return_url: catalog.return_url(&entry.id, attempt.number.as_str()),
        payer: request.payer.clone(),
        extra: request.extra.iter().filter(own).map(|(k, v)| (k.clone(), v.clone())).collect(),
        metadata: payment.metadata.clone(),
        memo: attempt.memo.clone(),
    }
}
