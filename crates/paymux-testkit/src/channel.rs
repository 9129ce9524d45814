//! A channel that does what a test says, and notes what it was asked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::channel::{
    Blame, CallbackError, Can, CancelAnswer, Channel, ChannelError, Claim, ClaimKind, Created, Cx,
    Descriptor, Evidence, ExtraField, FinalAfter, ListedOrder, MethodSpec, Needs, Opened, Order, OrderEnd,
    OrderRef, OutflowAnswer, PayoutSpec, Privacy, QueryAnswer, Receipt, RefundOrder, Refusal, TransferOrder,
    TransferRef, Verdict,
};
use paymux_core::ids::RefundId;
use paymux_core::method::{Method, Product, Wallet};
use paymux_core::money::{AMOUNT_MAX, Currency};
use paymux_core::payment::NextAction;
use paymux_core::wire::{Endpoint, PlainHttp, Verb, WireRequest, WireResponse};
use paymux_core::{Money, Timestamp};

/// `wechat.native`: the payer must act on a code.
pub const QR: Method = Method::new(Wallet::Wechat, Product::Native);
/// `wechat.barcode`: the call itself moves money.
pub const BARCODE: Method = Method::new(Wallet::Wechat, Product::Barcode);
/// `alipay.web`: as [`QR`], but its order ends by the provider's own timer.
pub const TIMED: Method = Method::new(Wallet::Alipay, Product::Web);
/// `alipay.wap`: as [`QR`], but nothing ends its order.
pub const ENDLESS: Method = Method::new(Wallet::Alipay, Product::Wap);

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What a create shall do.
#[derive(Debug, Clone)]
pub enum Script {
    /// Answer with a QR code.
    Open,
    /// Answer with what that makes.
    Ask(fn() -> NextAction),
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
    /// Answer with that money, after that time.
    SlowPaid(Duration, Money),
    /// Refuse for the account's fault, after that time.
    SlowRefusal(Duration),
    /// Panic after sending.
    Panic,
}

/// What a call that moves money out shall do: a refund or a payout.
#[derive(Debug, Clone, Copy)]
pub enum Outgo {
    /// Do it and say so.
    Done,
    /// Take it in; a query finds it under way until it is told otherwise.
    Pending,
    /// Take it in and ask for a person.
    NeedsAction,
    /// Refuse.
    Refuse,
    /// Not reach the provider.
    NotSent,
    /// Do it, and lose the answer.
    Lose,
    /// Do it, and answer after that time.
    Slow(Duration),
    /// Do it, and panic.
    Panic,
}

/// The products that a channel pays out by once it can [`Can::TRANSFER`].
pub const PAYOUTS: &[PayoutSpec] = &[
    PayoutSpec { product: "bank_card", payee: &["card_no", "name"], amount_min: 1, amount_max: 1_000_000 },
    PayoutSpec { product: "wallet", payee: &["account"], amount_min: 100, amount_max: 20_000 },
];

/// The provider fields that a channel takes once it can [`Can::TRANSFER`].
pub const PAYOUT_EXTRA: &[ExtraField] = &[
    ExtraField { name: "bank_name", about: "The payee's bank.", privacy: Privacy::Plain },
    ExtraField { name: "card_pin", about: "What must leave no trace.", privacy: Privacy::Secret },
];

/// A channel whose every answer is scripted; its calls really go through [`Cx::send`].
#[derive(Debug)]
pub struct ScriptedChannel {
    descriptor: Descriptor,
    script: Mutex<Steps>,
    /// How close to midnight UTC no queued refund is sent, where refunds are numbered by the day.
    quiet: Option<Duration>,
    /// Before that moment no order is closed.
    closes_from: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Steps {
    natives: VecDeque<Result<serde_json::Value, ChannelError>>,
    creates: VecDeque<Script>,
    queries: VecDeque<Result<QueryAnswer, ChannelError>>,
    finds: Option<QueryAnswer>,
    cancels: VecDeque<(Duration, Result<CancelAnswer, ChannelError>)>,
    /// Numbers whose close was confirmed: a query finds them closed.
    closed: BTreeSet<String>,
    orders: Vec<Order>,
    asked: u32,
    hangs: bool,
    canceled: u32,
    outgoes: VecDeque<Outgo>,
    outgo_queries: VecDeque<Result<OutflowAnswer, ChannelError>>,
    refunds: Vec<RefundOrder>,
    transfers: Vec<TransferOrder>,
    asked_outgoes: u32,
    /// What the provider knows of money on its way out, by number.
    outgone: BTreeMap<String, OutflowAnswer>,
    /// What the provider's records show of orders that others made.
    foreign: Vec<ListedOrder>,
    /// How often those were looked up.
    looked_up: u32,
    /// Whether what fits nothing is answered with a no.
    refuses_misfits: bool,
}

impl ScriptedChannel {
    /// A channel that opens every order, finds it open until it is closed and closes every order, until
    /// it is told otherwise.
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
        let call = OrderEnd::Call { not_before: Duration::ZERO, lives: None };
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
            refunds_per_order: None,
            currencies: vec![Currency::CNY],
            methods: vec![
                spec(QR, true, Needs::nothing(), call),
                spec(BARCODE, false, Needs::AUTH_CODE, call),
                spec(TIMED, true, Needs::nothing(), timer),
                spec(ENDLESS, true, Needs::nothing(), OrderEnd::None),
            ],
            payouts: &[],
            looks: &[],
            extra: &[],
        };
        Self { descriptor, script: Mutex::default(), quiet: None, closes_from: None }
    }

    /// The same, with another set of abilities.
    #[must_use]
    pub fn that_can(mut self, can: Can) -> Self {
        self.descriptor.can = can;
        if can.has(Can::TRANSFER) {
            self.descriptor.payouts = PAYOUTS;
            self.descriptor.extra = PAYOUT_EXTRA;
        }
        self
    }

    /// The same, of whose orders so many refunds may succeed.
    #[must_use]
    pub fn that_refunds_at_most(mut self, count: u32) -> Self {
        self.descriptor.refunds_per_order = NonZeroU32::new(count);
        self
    }

    /// The same, where "not found" proves that an order of that method does not exist, so long after its creation.
    #[must_use]
    pub fn that_proves_absence(mut self, method: Method, after: Duration) -> Self {
        for spec in self.descriptor.methods.iter_mut().filter(|spec| spec.method == method) {
            spec.not_found_final_after = Some(FinalAfter::Creation(after));
        }
        self
    }

    /// The same, where "not found" proves it so long after an order's end.
    #[must_use]
    pub fn that_proves_absence_after_end(mut self, method: Method, after: Duration) -> Self {
        for spec in self.descriptor.methods.iter_mut().filter(|spec| spec.method == method) {
            spec.not_found_final_after = Some(FinalAfter::End(after));
        }
        self
    }

    /// The same, which takes no close before that moment.
    #[must_use]
    pub fn that_closes_from(mut self, moment: Timestamp) -> Self {
        self.closes_from = Some(moment);
        self
    }

    /// The same, where unpaid orders of that method end otherwise.
    #[must_use]
    pub fn that_ends(mut self, method: Method, end: OrderEnd) -> Self {
        for spec in self.descriptor.methods.iter_mut().filter(|spec| spec.method == method) {
            spec.end = end;
        }
        self
    }

    /// The same, where a payment by that method must carry other fields.
    #[must_use]
    pub fn that_needs(mut self, method: Method, needs: Needs) -> Self {
        for spec in self.descriptor.methods.iter_mut().filter(|spec| spec.method == method) {
            spec.needs = needs;
        }
        self
    }

    /// The same, with its own schedule of looks.
    #[must_use]
    pub fn that_is_looked_at(mut self, looks: &'static [Duration]) -> Self {
        self.descriptor.looks = looks;
        self
    }

    /// The same, which numbers refunds by the day in UTC, takes them on that day alone, and keeps queued
    /// ones back so close to midnight.
    #[must_use]
    pub fn that_numbers_by_day(mut self, quiet: Duration) -> Self {
        self.quiet = Some(quiet);
        self
    }

    /// The next create does this; without a script it opens.
    pub fn on_create(&self, script: Script) {
        self.steps().creates.push_back(script);
    }

    /// The next query answers this; without a script: open, or closed once a close was confirmed.
    pub fn on_query(&self, answer: Result<QueryAnswer, ChannelError>) {
        self.steps().queries.push_back(answer);
    }

    /// From now on a query without a script finds this.
    pub fn finds(&self, answer: QueryAnswer) {
        self.steps().finds = Some(answer);
    }

    /// Answers a genuine callback that fits nothing with a no.
    pub fn refuse_misfits(&self) {
        self.steps().refuses_misfits = true;
    }

    /// From now on no query is answered.
    pub fn hang(&self) {
        self.steps().hangs = true;
    }

    /// The next cancel answers this; without a script: closed.
    pub fn on_cancel(&self, answer: Result<CancelAnswer, ChannelError>) {
        self.on_slow_cancel(Duration::ZERO, answer);
    }

    /// The next cancel answers this after that time.
    pub fn on_slow_cancel(&self, span: Duration, answer: Result<CancelAnswer, ChannelError>) {
        self.steps().cancels.push_back((span, answer));
    }

    /// The next refund or payout does this; without a script it is done.
    pub fn on_outgo(&self, outgo: Outgo) {
        self.steps().outgoes.push_back(outgo);
    }

    /// The next query of a refund or a payout answers this; without a script, what became of it here.
    pub fn on_outgo_query(&self, answer: Result<OutflowAnswer, ChannelError>) {
        self.steps().outgo_queries.push_back(answer);
    }

    /// From now on the provider's records show that order, which somebody else made.
    pub fn knows(&self, order: ListedOrder) {
        let mut steps = self.steps();
        steps.foreign.retain(|known| known.number != order.number);
        steps.foreign.push(order);
    }

    /// How often orders of others were looked up.
    pub fn looked_up(&self) -> u32 {
        self.steps().looked_up
    }

    /// The next operation that is not routed answers this; without a script there is none.
    pub fn on_native(&self, answer: Result<serde_json::Value, ChannelError>) {
        self.steps().natives.push_back(answer);
    }

    /// The refunds that were asked for here, in order, whatever was answered.
    pub fn refunds(&self) -> Vec<RefundOrder> {
        self.steps().refunds.clone()
    }

    /// The payouts that were asked for here, in order, whatever was answered.
    pub fn transfers(&self) -> Vec<TransferOrder> {
        self.steps().transfers.clone()
    }

    /// How many queries of refunds and payouts came.
    pub fn asked_outgoes(&self) -> u32 {
        self.steps().asked_outgoes
    }

    /// What the provider knows of that number; `None` where nothing reached it or was taken in.
    pub fn outgone(&self, number: &str) -> Option<OutflowAnswer> {
        self.steps().outgone.get(number).cloned()
    }

    /// What a query of that number finds from now on.
    pub fn settle_outgo(&self, number: &str, answer: OutflowAnswer) {
        self.steps().outgone.insert(number.to_owned(), answer);
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

    /// Moves money out as the script says. What is done is done once the call was sent, whether or not
    /// anybody waits for the answer.
    async fn move_out(&self, cx: &Cx<'_>, number: &str) -> Result<OutflowAnswer, ChannelError> {
        let outgo = self.steps().outgoes.pop_front().unwrap_or(Outgo::Done);
        if matches!(outgo, Outgo::NotSent) {
            return Err(ChannelError::NotSent(paymux_core::transport::NotSent::Connect));
        }
        self.send(cx).await?;
        let answer = outgo.answer(number);
        if !matches!(outgo, Outgo::Refuse) {
            self.settle_outgo(number, answer.clone());
        }
        match outgo {
            Outgo::Refuse => Err(refusal(Blame::Request)),
            Outgo::Lose => Err(ChannelError::unknown("the answer was lost")),
            Outgo::Slow(span) => {
                tokio::time::sleep(span).await;
                Ok(answer)
            }
            #[expect(clippy::panic, reason = "a plugin with a bug is what this script plays")]
            Outgo::Panic => panic!("a plugin with a bug"),
            Outgo::Done | Outgo::Pending | Outgo::NeedsAction | Outgo::NotSent => Ok(answer),
        }
    }

    fn find_outgo(&self, number: &str) -> Result<OutflowAnswer, ChannelError> {
        let mut steps = self.steps();
        steps.asked_outgoes += 1;
        let known = steps.outgone.get(number).cloned().unwrap_or(OutflowAnswer::NotFound);
        steps.outgo_queries.pop_front().unwrap_or(Ok(known))
    }
}

impl Outgo {
    /// What the provider makes of it.
    fn answer(self, number: &str) -> OutflowAnswer {
        let reference = Some(format!("ref-{number}"));
        match self {
            Self::Pending => OutflowAnswer::Pending { reference },
            Self::NeedsAction => OutflowAnswer::NeedsAction {
                url: Some(format!("https://provider.example/approve/{number}")),
                message: "open the address and approve it".to_owned(),
            },
            _ => OutflowAnswer::Done { reference },
        }
    }
}

/// A callback on this path counts as one whose money is not signed.
pub const UNSIGNED: &str = "/unsigned";
/// A callback on this path is genuine and does not fit the order that it names.
pub const MISFIT: &str = "/misfit";
/// A callback on this path counts as one whose trade number is not signed.
pub const UNSIGNED_NUMBER: &str = "/unsigned-number";

/// The callback that [`ScriptedChannel`] believes: `number amount_minor currency trade_no`, and
/// for an order of a stated amount one word more, its minor units.
pub fn callback(number: &str, amount: Money, trade_no: &str) -> WireRequest {
    let text = format!("{number} {} {} {trade_no}", amount.minor(), amount.currency());
    WireRequest::new(Verb::Post, "/notify").body("text/plain", text)
}

/// The callback about a refund or a payout that [`ScriptedChannel`] believes.
pub fn outgo_callback(kind: ClaimKind, number: &str, amount: Money) -> WireRequest {
    let text = format!("{kind:?} {number} {} {} -", amount.minor(), amount.currency());
    WireRequest::new(Verb::Post, "/notify").body("text/plain", text)
}

/// What a callback is about, by its first word; without such a word, an order that was paid.
fn kind_of(text: &str) -> (ClaimKind, &str) {
    use ClaimKind as K;
    let kinds = [K::Refunded, K::RefundFailed, K::Transferred, K::TransferFailed, K::Other];
    let named = text.split_once(' ').and_then(|(word, rest)| {
        let kind = kinds.into_iter().find(|kind| format!("{kind:?}") == word)?;
        Some((kind, rest))
    });
    named.unwrap_or((K::Paid, text))
}

/// The day in UTC: `20240301`.
fn day(at: Timestamp) -> String {
    at.to_string().chars().filter(char::is_ascii_digit).take(8).collect()
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
            Script::Ask(action) => Ok(Created::Open(Opened { action: Some(action()), reference: None })),
            Script::Paid(money) => Ok(Created::Paid(Receipt::of(money))),
            Script::SlowPaid(span, money) => {
                tokio::time::sleep(span).await;
                Ok(Created::Paid(Receipt::of(money)))
            }
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

    async fn query(&self, _cx: &Cx<'_>, order: &OrderRef) -> Result<QueryAnswer, ChannelError> {
        let answer = {
            let mut steps = self.steps();
            steps.asked += 1;
            let is_closed = steps.closed.contains(order.number.as_str());
            let by_itself = if is_closed { QueryAnswer::Closed } else { QueryAnswer::Open };
            let known = steps.finds.clone().unwrap_or(by_itself);
            let scripted = steps.queries.pop_front().unwrap_or(Ok(known));
            (!steps.hangs).then_some(scripted)
        };
        match answer {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    fn cancel_not_before(&self, _method: Method, at: Timestamp) -> Option<Timestamp> {
        self.closes_from.filter(|from| at < *from)
    }

    async fn cancel(&self, _cx: &Cx<'_>, order: &OrderRef) -> Result<CancelAnswer, ChannelError> {
        let (span, answer) = {
            let mut steps = self.steps();
            steps.canceled += 1;
            let next = steps.cancels.pop_front().unwrap_or((Duration::ZERO, Ok(CancelAnswer::Closed)));
            if matches!(next.1, Ok(CancelAnswer::Closed)) {
                steps.closed.insert(order.number.as_str().to_owned());
            }
            next
        };
        if !span.is_zero() {
            tokio::time::sleep(span).await;
        }
        answer
    }

    fn refund_number(&self, id: RefundId, at: Timestamp) -> String {
        if self.quiet.is_some() { format!("{}{}", day(at), id.digits()) } else { id.digits() }
    }

    fn refund_not_before(&self, at: Timestamp) -> Option<Timestamp> {
        let quiet = self.quiet?;
        let before = at.minus(quiet);
        (day(before) != day(at.plus(quiet))).then(|| {
            let midnight = (before.ms().div_euclid(DAY_MS) + 1) * DAY_MS;
            Timestamp::from_ms(midnight).plus(quiet)
        })
    }

    async fn refund(&self, cx: &Cx<'_>, refund: &RefundOrder) -> Result<OutflowAnswer, ChannelError> {
        self.steps().refunds.push(refund.clone());
        if self.quiet.is_some() && !refund.number.starts_with(&day(cx.now())) {
            return Err(refusal(Blame::Request));
        }
        self.move_out(cx, &refund.number).await
    }

    async fn query_refund(&self, _cx: &Cx<'_>, refund: &RefundOrder) -> Result<OutflowAnswer, ChannelError> {
        self.find_outgo(&refund.number)
    }

    async fn transfer(&self, cx: &Cx<'_>, transfer: &TransferOrder) -> Result<OutflowAnswer, ChannelError> {
        self.steps().transfers.push(transfer.clone());
        self.move_out(cx, &transfer.payout.number).await
    }

    async fn find(&self, cx: &Cx<'_>, number: &str) -> Result<Option<ListedOrder>, ChannelError> {
        self.steps().looked_up += 1;
        if self.steps().hangs {
            std::future::pending::<()>().await;
        }
        self.send(cx).await?;
        Ok(self.steps().foreign.iter().find(|order| order.number == number).cloned())
    }

    async fn list(
        &self,
        cx: &Cx<'_>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<ListedOrder>, ChannelError> {
        self.send(cx).await?;
        let is_of_time = |order: &&ListedOrder| (from..to).contains(&order.created_at);
        Ok(self.steps().foreign.iter().filter(is_of_time).cloned().collect())
    }

    async fn query_transfer(
        &self,
        _cx: &Cx<'_>,
        transfer: &TransferRef,
    ) -> Result<OutflowAnswer, ChannelError> {
        self.find_outgo(&transfer.number)
    }

    async fn native(
        &self,
        _cx: &Cx<'_>,
        _operation: &str,
        _body: serde_json::Value,
    ) -> Result<serde_json::Value, ChannelError> {
        self.steps().natives.pop_front().unwrap_or(Err(ChannelError::Unsupported))
    }

    fn verify_callback(&self, request: &WireRequest) -> Result<Claim, CallbackError> {
        let unreadable = || CallbackError::Unreadable("write `number amount currency trade_no`".to_owned());
        let text = std::str::from_utf8(&request.body).map_err(|_| unreadable())?;
        if text == "forged" {
            return Err(CallbackError::BadSign("it says so itself".to_owned()));
        }
        if text.starts_with("odd") {
            let (what, event_key) = ("it says so itself".to_owned(), "odd".to_owned());
            return Err(CallbackError::Odd { what, event_key });
        }
        let (kind, text) = kind_of(text);
        let words: Vec<&str> = text.split(' ').collect();
        let [number, minor, currency, trade_no, ref order @ ..] = words[..] else { return Err(unreadable()) };
        let order_minor = order.first().map(|word| word.parse().map_err(|_| unreadable())).transpose()?;
        let minor = minor.parse().map_err(|_| unreadable())?;
        let currency = Currency::from_code(currency).ok_or_else(unreadable)?;
        Ok(Claim {
            number: number.to_owned(),
            kind,
            event_key: format!("{kind:?}:{number}"),
            order_amount: order_minor.map(|minor| Money::new(minor, currency)),
            received: Money::new(minor, currency),
            method: None,
            trade_no: Some(trade_no.to_owned()),
            trade_no_is_signed: request.path != UNSIGNED_NUMBER,
            evidence: if request.path == UNSIGNED { Evidence::AskProvider } else { Evidence::Settles },
        })
    }

    fn fits(&self, request: &WireRequest, claim: &Claim, order: &OrderRef) -> Result<(), &'static str> {
        let is_of_order = claim.number == order.number.as_str();
        if is_of_order && request.path != MISFIT { Ok(()) } else { Err("it does not fit") }
    }

    fn acknowledge(&self, verdict: Verdict) -> WireResponse {
        match verdict {
            Verdict::Accepted => WireResponse::ok("text/plain", "success"),
            Verdict::Rejected => WireResponse::ok("text/plain", "fail"),
            Verdict::TryAgain => WireResponse::with_status(503, "text/plain", "again"),
        }
    }

    fn acknowledge_misfit(&self) -> WireResponse {
        let refuses = self.steps().refuses_misfits;
        self.acknowledge(if refuses { Verdict::Rejected } else { Verdict::Accepted })
    }

    /// A browser that comes back with `signed=` and a number.
    fn verify_return(&self, request: &WireRequest) -> Result<String, CallbackError> {
        request.query_value("signed").ok_or_else(|| CallbackError::BadSign("there is none".to_owned()))
    }
}
