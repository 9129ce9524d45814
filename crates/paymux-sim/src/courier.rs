//! Sends webhooks: the first try at once, repeats by the protocol's schedule until they are
//! acknowledged, each try perhaps struck by a fault.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use paymux_core::acceptor::{FrontAccount, FrontFact};
use paymux_core::transport::{Deadline, Destination, Outgoing};
use paymux_core::wire::PlainHttp;
use paymux_core::{Endpoint, Money, Timestamp, WireRequest};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::books::{NoticeOutcome, NoticeTry, OrderKey};
use crate::config::SimAccount;
use crate::engine::Engine;
use crate::faults::NoticeFault;

/// The largest answer to a webhook that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Starts telling that an order was paid.
pub(crate) fn dispatch(engine: &Arc<Engine>, key: OrderKey) -> FirstTry {
    start(engine, Notice::of_order(engine, key))
}

/// Starts telling that a refund is done.
pub(crate) fn dispatch_refund(engine: &Arc<Engine>, key: OrderKey) -> FirstTry {
    start(engine, Notice::of_refund(engine, key))
}

fn start(engine: &Arc<Engine>, notice: Option<Notice>) -> FirstTry {
    let (running, first_try) = oneshot::channel();
    if let Some(notice) = notice {
        engine.spawn(notice.run(running));
    }
    FirstTry(first_try)
}

/// The first try of a webhook.
pub(crate) struct FirstTry(oneshot::Receiver<Infallible>);

impl FirstTry {
    /// Of a webhook that is not sent.
    pub(crate) fn none() -> Self {
        Self(oneshot::channel().1)
    }

    /// Returns when it is over, or at once when there is nobody to tell.
    pub(crate) async fn over(self) {
        // Nothing is ever sent: its end drops the other half.
        let _ = self.0.await;
    }
}

struct Notice {
    engine: Arc<Engine>,
    /// Of the order or the refund.
    key: OrderKey,
    account: SimAccount,
    fact: FrontFact,
    url: String,
}

impl Notice {
    fn of_order(engine: &Arc<Engine>, key: OrderKey) -> Option<Self> {
        let (order, url) = {
            let books = engine.books.lock();
            let order = books.order(&key)?;
            (books.front(order), order.notify_url.clone()?)
        };
        Self::of(engine, key, FrontFact::Paid(Box::new(order)), url)
    }

    fn of_refund(engine: &Arc<Engine>, key: OrderKey) -> Option<Self> {
        let url = engine.books.lock().refunds.get(&key)?.notify_url.clone()?;
        let refund = engine.front_refund(&key)?;
        Self::of(engine, key, FrontFact::Refunded(Box::new(refund)), url)
    }

    fn of(engine: &Arc<Engine>, key: OrderKey, fact: FrontFact, url: String) -> Option<Self> {
        if !engine.acceptor.tells(&fact) {
            return None;
        }
        let account = engine.accounts.of(&key.account)?.clone();
        Some(Self { engine: engine.clone(), key, account, fact, url })
    }

    async fn run(self, first_try: oneshot::Sender<Infallible>) {
        let start = self.engine.clock.mono();
        if self.attempt(0).await {
            return;
        }
        drop(first_try);
        for (repeat, offset) in (1..).zip(self.engine.acceptor.schedule()) {
            self.engine.sleep_until(start.plus(self.engine.scaled(*offset))).await;
            if self.attempt(repeat).await {
                return;
            }
        }
        self.engine.stats.lock().notices_given_up += 1;
    }

    /// One try; whether it was acknowledged.
    async fn attempt(&self, repeat: u32) -> bool {
        let fault = self.engine.faults.lock().draw_notice(&self.key.number, &self.engine.dice);
        if let Some(fault) = &fault {
            self.engine.stats.lock().faulted(fault.word());
        }
        let outcome = match &fault {
            Some(NoticeFault::Lost) => NoticeOutcome::Lost,
            Some(NoticeFault::Late { ms }) => {
                self.engine.clock.sleep(self.engine.scaled(Duration::from_millis(*ms))).await;
                self.send(None).await
            }
            Some(NoticeFault::Duplicate) => {
                let first = self.send(None).await;
                self.note(repeat, fault.as_ref(), first);
                self.send(None).await
            }
            fault => self.send(fault.as_ref()).await,
        };
        let is_over = outcome == NoticeOutcome::Acknowledged;
        self.note(repeat, fault.as_ref(), outcome);
        is_over
    }

    fn note(&self, repeat: u32, fault: Option<&NoticeFault>, outcome: NoticeOutcome) {
        tracing::debug!(number = self.key.number, repeat, ?outcome, "webhook");
        {
            let mut stats = self.engine.stats.lock();
            stats.notices_sent += u64::from(outcome != NoticeOutcome::Lost);
            stats.notices_acknowledged += u64::from(outcome == NoticeOutcome::Acknowledged);
        }
        let tried = NoticeTry { repeat, at: self.engine.now(), fault: fault.map(NoticeFault::word), outcome };
        match self.fact {
            FrontFact::Paid(_) => self.engine.books.lock().noted(&self.key, tried),
            FrontFact::Refunded(_) => self.engine.books.lock().refunds.noted(&self.key, tried),
            // No bank here pays out.
            FrontFact::PaidOut(_) => {}
        }
        self.engine.changed();
    }

    async fn send(&self, fault: Option<&NoticeFault>) -> NoticeOutcome {
        let endpoint = match Endpoint::parse(&self.url, PlainHttp::Anywhere) {
            Ok(endpoint) => endpoint,
            Err(error) => return NoticeOutcome::Undelivered { why: error.to_string() },
        };
        let (path, query) = endpoint.path_and_query();
        let message = self.message(fault);
        // Some protocols sign in the address.
        let query: Vec<_> = query.into_iter().chain(message.query.as_deref()).collect();
        let query = if query.is_empty() { None } else { Some(query.join("&")) };
        let request = WireRequest { path: path.to_owned(), query, ..message };
        let call = Outgoing {
            destination: Destination::Merchant,
            endpoint: endpoint.origin(),
            request,
            deadline: Deadline::after(self.engine.clock.mono(), self.engine.notice_timeout),
            response_bytes_max: ANSWER_BYTES_MAX,
        };
        match self.engine.transport.send(call).await {
            Ok(answer) if self.engine.acceptor.acknowledged(&answer) => NoticeOutcome::Acknowledged,
            Ok(answer) => NoticeOutcome::NotAcknowledged { status: answer.status },
            Err(undelivered) => NoticeOutcome::Undelivered { why: undelivered.to_string() },
        }
    }

    /// The webhook as it travels under that fault.
    fn message(&self, fault: Option<&NoticeFault>) -> WireRequest {
        let (dialect, mut now) = (&self.engine.dialect, self.engine.now());
        let (mut account, mut told) = (self.account.as_front(), self.fact.clone());
        match fault {
            Some(NoticeFault::WrongAmount { amount }) => match &mut told {
                FrontFact::Paid(order) => order.received = order.received.map(|sum| wrong(sum, *amount)),
                FrontFact::Refunded(refund) => refund.amount = wrong(refund.amount, *amount),
                FrontFact::PaidOut(payout) => payout.amount = wrong(payout.amount, *amount),
            },
            Some(NoticeFault::MinuteCut) => now = Timestamp::from_ms(now.ms() - now.ms().rem_euclid(60_000)),
            Some(NoticeFault::RotatedSecret) => account = self.retired(),
            Some(NoticeFault::OtherAccount) => account = self.stranger(),
            _ => {}
        }
        let notice = self.engine.acceptor.notice(&account, &told, now);
        match fault {
            Some(NoticeFault::BadSignature) => dialect.forged(notice),
            Some(NoticeFault::CamelTwins) => with_twins(notice),
            _ => notice,
        }
    }

    /// The account with the secrets that it had before, or with made-up ones.
    fn retired(&self) -> FrontAccount {
        let mut account = self.account.as_front();
        if self.account.retired.is_empty() {
            account.settings = self.engine.dialect.retired(&account.settings);
        } else {
            account.settings.extend(self.account.retired.clone());
        }
        account
    }

    /// Another account of this simulator, or a made-up one.
    fn stranger(&self) -> FrontAccount {
        let other = self.engine.accounts.0.iter().find(|account| account.key != self.account.key);
        other.map_or_else(
            || FrontAccount {
                key: "stranger".to_owned(),
                settings: self.engine.dialect.stranger(&self.account.settings),
            },
            SimAccount::as_front,
        )
    }
}

/// Another sum than moved: the one that was asked for, else one less, and never zero.
fn wrong(right: Money, amount: Option<i64>) -> Money {
    let less = if right.minor() > 1 { right.minor() - 1 } else { 2 };
    Money::new(amount.unwrap_or(less), right.currency())
}

/// The same JSON object with each `snake_case` field a second time as `camelCase`.
fn with_twins(mut notice: WireRequest) -> WireRequest {
    let Ok(Value::Object(fields)) = serde_json::from_slice(&notice.body) else { return notice };
    let twins: Vec<_> = fields.iter().map(|(name, value)| (camel(name), value.clone())).collect();
    let both: serde_json::Map<_, _> = twins.into_iter().chain(fields).collect();
    notice.body = Value::Object(both).to_string().into();
    notice
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use paymux_core::Verb;

    use super::*;

    #[test]
    fn twins_stand_beside_what_they_repeat() {
        let notice = WireRequest::new(Verb::Post, "/")
            .body("application/json", r#"{"transaction_fee":7,"signature":"x","sub_channel_type":"WX"}"#);
        let twins: Value = serde_json::from_slice(&with_twins(notice).body).unwrap();
        let want = serde_json::json!({"transaction_fee": 7, "transactionFee": 7, "signature": "x",
            "sub_channel_type": "WX", "subChannelType": "WX"});
        assert_eq!(twins, want);
    }

    #[test]
    fn a_wrong_sum_is_never_the_right_one() {
        check(1000, None, 999);
        check(1, None, 2);
        check(1000, Some(5), 5);

        #[track_caller]
        fn check(paid: i64, asked: Option<i64>, want: i64) {
            assert_eq!(wrong(Money::fen(paid), asked), Money::fen(want));
        }
    }
}
