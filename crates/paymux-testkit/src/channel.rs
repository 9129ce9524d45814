//! A channel that does what a test says, and notes what it was asked.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::Money;
use paymux_core::channel::{
    Blame, CallbackError, Can, CancelAnswer, Channel, ChannelError, Claim, ClaimKind, Created, Cx,
    Descriptor, Evidence, MethodSpec, Needs, Opened, Order, OrderEnd, OrderRef, QueryAnswer, Receipt,
    Refusal, Verdict,
};
use paymux_core::method::{Method, Product, Wallet};
use paymux_core::money::{AMOUNT_MAX, Currency};
use paymux_core::payment::NextAction;
use paymux_core::wire::{Endpoint, PlainHttp, Verb, WireRequest, WireResponse};

/// `wechat.native`: the payer must act on a code.
pub const QR: Method = Method::new(Wallet::Wechat, Product::Native);
/// `wechat.barcode`: the call itself moves money.
pub const BARCODE: Method = Method::new(Wallet::Wechat, Product::Barcode);
/// `alipay.web`: as [`QR`], but its order ends by the provider's own timer.
pub const TIMED: Method = Method::new(Wallet::Alipay, Product::Web);
/// `alipay.wap`: as [`QR`], but nothing ends its order.
pub const ENDLESS: Method = Method::new(Wallet::Alipay, Product::Wap);

/// What a create shall do.
#[derive(Debug, Clone)]
pub enum Script {
    /// Answer with a QR code.
    Open,
    /// Answer with that money.
    Paid(Money),
    /// Refuse, with that blame.
    Refuse(Blame),
    /// Not reach the provider.
    NotSent,
    /// Send, and lose the answer.
    Lose,
    /// Claim that nothing was sent although something was.
    Lie,
    /// Answer with a QR code after that time.
    Slow(Duration),
    /// Refuse for the account's fault, after that time.
    SlowRefusal(Duration),
    /// Panic after sending.
    Panic,
}

/// A channel whose every answer is scripted; its calls really go through [`Cx::send`].
#[derive(Debug)]
pub struct ScriptedChannel {
    descriptor: Descriptor,
    script: Mutex<Steps>,
}

#[derive(Debug, Default)]
struct Steps {
    creates: VecDeque<Script>,
    queries: VecDeque<Result<QueryAnswer, ChannelError>>,
    cancels: VecDeque<Result<CancelAnswer, ChannelError>>,
    orders: Vec<Order>,
    asked: u32,
    canceled: u32,
}

impl ScriptedChannel {
    /// A channel that opens every order, finds every order open and closes every order, until it
    /// is told otherwise.
    pub fn new(account: &str) -> Self {
        let spec = |method, payer_must_act, needs, end| MethodSpec {
            method,
            code: "TEST",
            amounts: 1..=AMOUNT_MAX,
            payer_must_act,
            needs,
            end,
            request_min: None,
            not_found_final_after: None,
            watch: Duration::from_hours(24),
        };
        let call = OrderEnd::Call { not_before: Duration::ZERO };
        let timer = OrderEnd::ProviderTimer {
            min: Duration::from_secs(361),
            max: Duration::from_hours(24),
            step: Duration::from_secs(1),
            margin: Duration::from_mins(10),
        };
        let descriptor = Descriptor {
            provider: "scripted",
            account_key: account.to_owned(),
            livemode: true,
            can: Can::QUERY | Can::CANCEL,
            currencies: vec![Currency::CNY],
            methods: vec![
                spec(QR, true, Needs::nothing(), call),
                spec(BARCODE, false, Needs::AUTH_CODE, call),
                spec(TIMED, true, Needs::nothing(), timer),
                spec(ENDLESS, true, Needs::nothing(), OrderEnd::None),
            ],
            extra: &[],
        };
        Self { descriptor, script: Mutex::default() }
    }

    /// The same, with another set of abilities.
    #[must_use]
    pub fn that_can(mut self, can: Can) -> Self {
        self.descriptor.can = can;
        self
    }

    /// The next create does this; without a script it opens.
    pub fn on_create(&self, script: Script) {
        self.steps().creates.push_back(script);
    }

    /// The next query answers this; without a script: open.
    pub fn on_query(&self, answer: Result<QueryAnswer, ChannelError>) {
        self.steps().queries.push_back(answer);
    }

    /// The next cancel answers this; without a script: closed.
    pub fn on_cancel(&self, answer: Result<CancelAnswer, ChannelError>) {
        self.steps().cancels.push_back(answer);
    }

    /// The orders that were created here, in order, whatever was answered.
    pub fn orders(&self) -> Vec<Order> {
        self.steps().orders.clone()
    }

    /// How many queries came.
    pub fn asked(&self) -> u32 {
        self.steps().asked
    }

    /// How many cancels came.
    pub fn canceled(&self) -> u32 {
        self.steps().canceled
    }

    fn steps(&self) -> MutexGuard<'_, Steps> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, cx: &Cx<'_>) -> Result<(), ChannelError> {
        let endpoint = Endpoint::parse("https://provider.example", PlainHttp::LoopbackOnly)
            .map_err(|error| ChannelError::unknown(error.to_string()))?;
        cx.send(&endpoint, WireRequest::new(Verb::Post, "/create")).await?;
        Ok(())
    }
}

/// A callback on this path counts as one whose money is not signed.
pub const UNSIGNED: &str = "/unsigned";

/// The callback that [`ScriptedChannel`] believes: `number amount_minor currency trade_no`, and
/// for an order of a stated amount one word more, its minor units.
pub fn callback(number: &str, amount: Money, trade_no: &str) -> WireRequest {
    let text = format!("{number} {} {} {trade_no}", amount.minor(), amount.currency());
    WireRequest::new(Verb::Post, "/notify").body("text/plain", text)
}

fn refusal(blame: Blame) -> ChannelError {
    ChannelError::Refused(Refusal { code: "NO".to_owned(), message: "no".to_owned(), blame })
}

#[async_trait]
impl Channel for ScriptedChannel {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn create(&self, cx: &Cx<'_>, order: &Order) -> Result<Created, ChannelError> {
        let script = {
            let mut steps = self.steps();
            steps.orders.push(order.clone());
            steps.creates.pop_front().unwrap_or(Script::Open)
        };
        if !matches!(script, Script::NotSent) {
            self.send(cx).await?;
        }
        let action = Some(NextAction::Qr { qr: format!("qr:{}", order.number) });
        let opened = Created::Open(Opened { action, reference: None });
        match script {
            Script::Open => Ok(opened),
            Script::Paid(money) => Ok(Created::Paid(Receipt::of(money))),
            Script::Refuse(blame) => Err(refusal(blame)),
            Script::SlowRefusal(span) => {
                tokio::time::sleep(span).await;
                Err(refusal(Blame::Account))
            }
            Script::NotSent | Script::Lie => {
                Err(ChannelError::NotSent(paymux_core::transport::NotSent::Connect))
            }
            Script::Lose => Err(ChannelError::unknown("the answer was lost")),
            Script::Slow(span) => {
                tokio::time::sleep(span).await;
                Ok(opened)
            }
            #[expect(clippy::panic, reason = "a plugin with a bug is what this script plays")]
            Script::Panic => panic!("a plugin with a bug"),
        }
    }

    async fn query(&self, _cx: &Cx<'_>, _order: &OrderRef) -> Result<QueryAnswer, ChannelError> {
        let mut steps = self.steps();
        steps.asked += 1;
        steps.queries.pop_front().unwrap_or(Ok(QueryAnswer::Open))
    }

    async fn cancel(&self, _cx: &Cx<'_>, _order: &OrderRef) -> Result<CancelAnswer, ChannelError> {
        let mut steps = self.steps();
        steps.canceled += 1;
        steps.cancels.pop_front().unwrap_or(Ok(CancelAnswer::Closed))
    }

    fn verify_callback(&self, request: &WireRequest) -> Result<Claim, CallbackError> {
        let unreadable = || CallbackError::Unreadable("write `number amount currency trade_no`".to_owned());
        let text = std::str::from_utf8(&request.body).map_err(|_| unreadable())?;
        if text == "forged" {
            return Err(CallbackError::BadSign("it says so itself".to_owned()));
        }
        let words: Vec<&str> = text.split(' ').collect();
        let [number, minor, currency, trade_no, ref order @ ..] = words[..] else { return Err(unreadable()) };
        let order_minor = order.first().map(|word| word.parse().map_err(|_| unreadable())).transpose()?;
        let minor = minor.parse().map_err(|_| unreadable())?;
        let currency = Currency::from_code(currency).ok_or_else(unreadable)?;
        Ok(Claim {
            number: number.to_owned(),
            kind: ClaimKind::Paid,
            event_key: format!("paid:{number}"),
            order_amount: order_minor.map(|minor| Money::new(minor, currency)),
            received: Money::new(minor, currency),
            method: None,
            trade_no: Some(trade_no.to_owned()),
            evidence: if request.path == UNSIGNED { Evidence::AskProvider } else { Evidence::Settles },
        })
    }

    fn acknowledge(&self, verdict: Verdict) -> WireResponse {
        match verdict {
            Verdict::Accepted => WireResponse::ok("text/plain", "success"),
            Verdict::Rejected => WireResponse::ok("text/plain", "fail"),
            Verdict::TryAgain => WireResponse::with_status(503, "text/plain", "again"),
        }
    }
}
