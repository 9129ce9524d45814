//! The client's side of the pretend banks' protocol: a [`Channel`] as a plugin would write it.

use std::time::Duration;

use async_trait::async_trait;
use paymux_core::channel::{
    Blame, CallbackError, Can, CancelAnswer, Channel, ChannelError, Claim, ClaimKind, Created, Cx,
    Descriptor, Evidence, FinalAfter, MethodSpec, Needs, Opened, Order, OrderEnd, OrderRef, OutflowAnswer,
    PayoutSpec, QueryAnswer, Receipt, RefundOrder, Refusal, TransferOrder, TransferRef, Verdict,
};
use paymux_core::clock::Timestamp;
use paymux_core::method::{Method, Product, Wallet};
use paymux_core::money::{Currency, Money};
use paymux_core::payment::NextAction;
use paymux_core::wire::{Endpoint, PlainHttp, Verb, WireRequest, WireResponse};

use super::accounts::{Account, Close, End, Form, Sign};

/// `wechat.native`: the payer scans a code.
pub(super) const QR: Method = Method::new(Wallet::Wechat, Product::Native);
/// `wechat.barcode`: the merchant scans the payer's.
pub(super) const BARCODE: Method = Method::new(Wallet::Wechat, Product::Barcode);

const PAYOUTS: &[PayoutSpec] =
    &[PayoutSpec { product: "card", payee: &["card_no"], amount_min: 1, amount_max: 1_000_000 }];

const HALF_HOUR_MS: i64 = 30 * 60 * 1000;
/// From when on in each half hour queued refunds are sent.
const REFUND_HOURS_FROM_MS: i64 = 20 * 60 * 1000;

/// One account, from the client's side.
#[derive(Debug)]
pub(super) struct PretendChannel {
    account: &'static Account,
    descriptor: Descriptor,
    endpoint: Endpoint,
    secret: String,
}

/// The fields of a message in the order of their names.
type Fields<'a> = Vec<(&'a str, &'a str)>;

impl PretendChannel {
    /// The channel of that account, with the secret that its bank signs with.
    ///
    /// # Panics
    /// Never: the host is one that can be written in an address.
    #[expect(clippy::expect_used, reason = "the host is made of an account's id")]
    pub(super) fn new(account: &'static Account, host: &str, secret: &str) -> Self {
        let endpoint = Endpoint::parse(&format!("https://{host}"), PlainHttp::LoopbackOnly);
        Self {
            account,
            descriptor: descriptor(account),
            endpoint: endpoint.expect("a host"),
            secret: secret.to_owned(),
        }
    }

    async fn call(
        &self,
        cx: &Cx<'_>,
        verb: Verb,
        path: &str,
        fields: &[(&str, String)],
    ) -> Result<Answer, ChannelError> {
        let text = self.signed(fields);
        let request = WireRequest::new(verb, path);
        let request = match verb {
            Verb::Get => request.query(text),
            _ => request.body("application/x-www-form-urlencoded", text),
        };
        let number = fields.iter().find(|(name, _)| *name == "number").map(|(_, value)| value.clone());
        let answer = cx.send(&self.endpoint, request).await?;
        self.read(&answer, number.as_deref().unwrap_or_default())
    }

    fn signed(&self, fields: &[(&str, String)]) -> String {
        let mut sorted: Fields<'_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        sorted.sort_unstable();
        let sign = sign(&sorted, &self.secret);
        let pairs: Vec<String> = sorted.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{}&sign={sign}", pairs.join("&"))
    }

    /// An answer that is surely this bank's, to this request.
    fn read(&self, answer: &WireResponse, number: &str) -> Result<Answer, ChannelError> {
        if answer.status != 200 {
            return Err(ChannelError::unknown(format!("status {}", answer.status)));
        }
        let text = std::str::from_utf8(&answer.body).map_err(|_| ChannelError::unknown("not text"))?;
        let fields = fields_of(text).ok_or_else(|| ChannelError::unknown("unreadable"))?;
        let (covered, given): (Fields<'_>, Fields<'_>) =
            fields.into_iter().partition(|(name, _)| *name != "sign");
        if !given.iter().any(|(_, value)| *value == sign(&covered, &self.secret)) {
            return Err(ChannelError::unknown("badly signed"));
        }
        let answer =
            Answer(covered.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
        if answer.field("number") != number {
            return Err(ChannelError::unknown("the answer to another request"));
        }
        Ok(answer)
    }

    fn order_call<'a>(number: &'a str, sent: &Cx<'_>) -> [(&'a str, String); 2] {
        [("number", number.to_owned()), ("sent_ms", sent.now().ms().to_string())]
    }
}

/// A readable answer.
#[derive(Debug)]
struct Answer(Vec<(String, String)>);

impl Answer {
    fn field(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }

    /// An amount in the currency that the answer names.
    fn amount(&self, name: &str) -> Result<Money, ChannelError> {
        let minor = self.field(name).parse().map_err(|_| ChannelError::unknown("no amount"))?;
        let currency = Currency::from_code(self.field("currency"));
        Ok(Money::new(minor, currency.ok_or_else(|| ChannelError::unknown("no currency"))?))
    }

    fn receipt(&self) -> Result<Receipt, ChannelError> {
        Ok(Receipt {
            received: self.amount("received")?,
            discount: self.amount("discount")?,
            trade_no: Some(self.field("trade_no").to_owned()),
            reference: None,
        })
    }

    fn refusal(&self) -> ChannelError {
        let blame = match self.field("blame") {
            "account" => Blame::Account,
            "provider" => Blame::Provider,
            _ => Blame::Request,
        };
        let code = self.field("reason").to_owned();
        ChannelError::Refused(Refusal { code, message: "the bank says no".to_owned(), blame })
    }

    fn outflow(&self) -> Result<OutflowAnswer, ChannelError> {
        Ok(match self.field("result") {
            "pending" => OutflowAnswer::Pending { reference: None },
            "done" => OutflowAnswer::Done { reference: None },
            "failed" => OutflowAnswer::Failed { code: "failed".to_owned(), message: "it failed".to_owned() },
            "person" => OutflowAnswer::NeedsAction {
                url: Some(self.field("url").to_owned()),
                message: "open it".to_owned(),
            },
            "absent" => OutflowAnswer::NotFound,
            "refused" => return Err(self.refusal()),
            _ => return Err(ChannelError::unknown("a code that is not listed")),
        })
    }
}

/// Name and value of each pair; `None` where one has no `=`, or the names are not in order.
fn fields_of(text: &str) -> Option<Fields<'_>> {
    let mut fields: Fields<'_> = text.split('&').map(|pair| pair.split_once('=')).collect::<Option<_>>()?;
    fields.sort_unstable();
    Some(fields)
}

/// FNV-1a over secret, fields and secret, as the bank's documents say.
fn sign(sorted: &[(&str, &str)], secret: &str) -> String {
    let fields = sorted.iter().flat_map(|(name, value)| [name, "=", value, "\n"]);
    let parts = std::iter::once(secret).chain(fields).chain(std::iter::once(secret));
    let hash = parts.flat_map(str::bytes).fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    format!("{hash:016x}")
}

#[async_trait]
impl Channel for PretendChannel {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn create(&self, cx: &Cx<'_>, order: &Order) -> Result<Created, ChannelError> {
        let life = order.expires_at.since(cx.now()).as_millis();
        let fields = [
            ("number", order.number.to_string()),
            ("amount", order.amount.minor().to_string()),
            ("subject", order.subject.clone()),
            ("life_ms", life.to_string()),
            ("notify", order.notify_url.clone()),
        ];
        let answer = self.call(cx, Verb::Post, "/orders", &fields).await?;
        match answer.field("result") {
            "open" => {
                let action = Some(NextAction::Qr { qr: answer.field("action").to_owned() });
                Ok(Created::Open(Opened { action, reference: None }))
            }
            "paying" => Ok(Created::Open(Opened::default())),
            "paid" => Ok(Created::Paid(answer.receipt()?)),
            "refused" => Err(answer.refusal()),
            _ => Err(ChannelError::unknown("a code that is not listed")),
        }
    }

    async fn query(&self, cx: &Cx<'_>, order: &OrderRef) -> Result<QueryAnswer, ChannelError> {
        let fields = Self::order_call(order.number.as_str(), cx);
        let answer = self.call(cx, Verb::Get, "/orders", &fields).await?;
        Ok(match answer.field("result") {
            "open" => QueryAnswer::Open,
            "paid" => QueryAnswer::Paid(answer.receipt()?),
            "closed" => QueryAnswer::Closed,
            "absent" => QueryAnswer::NotFound,
            _ => return Err(ChannelError::unknown("a code that is not listed")),
        })
    }

    async fn cancel(&self, cx: &Cx<'_>, order: &OrderRef) -> Result<CancelAnswer, ChannelError> {
        let fields = Self::order_call(order.number.as_str(), cx);
        let answer = self.call(cx, Verb::Post, "/close", &fields).await?;
        Ok(match answer.field("result") {
            "closed" => CancelAnswer::Closed,
            "paid" => CancelAnswer::Paid(answer.receipt()?),
            "unwilling" => CancelAnswer::Refused(answer.field("reason").to_owned()),
            _ => return Err(ChannelError::unknown("a code that is not listed")),
        })
    }

    /// What waits to be sent goes back in the last third of each half hour alone, so that it leaves long
    /// after it was queued.
    fn refund_not_before(&self, at: Timestamp) -> Option<Timestamp> {
        let wait = REFUND_HOURS_FROM_MS - at.ms().rem_euclid(HALF_HOUR_MS);
        (wait > 0).then(|| Timestamp::from_ms(at.ms() + wait))
    }

    async fn refund(&self, cx: &Cx<'_>, refund: &RefundOrder) -> Result<OutflowAnswer, ChannelError> {
        let fields = [
            ("number", refund.number.clone()),
            ("order", refund.order.number.to_string()),
            ("amount", refund.amount.minor().to_string()),
            ("currency", refund.amount.currency().code().to_owned()),
        ];
        self.call(cx, Verb::Post, "/backs", &fields).await?.outflow()
    }

    async fn query_refund(&self, cx: &Cx<'_>, refund: &RefundOrder) -> Result<OutflowAnswer, ChannelError> {
        let fields = Self::order_call(&refund.number, cx);
        self.call(cx, Verb::Get, "/backs", &fields).await?.outflow()
    }

    async fn transfer(&self, cx: &Cx<'_>, transfer: &TransferOrder) -> Result<OutflowAnswer, ChannelError> {
        let payee = transfer.payee.get("card_no").map_or("", |payee| payee.expose());
        let fields = [
            ("number", transfer.payout.number.clone()),
            ("amount", transfer.payout.amount.minor().to_string()),
            ("payee", payee.to_owned()),
        ];
        self.call(cx, Verb::Post, "/payouts", &fields).await?.outflow()
    }

    async fn query_transfer(
        &self,
        cx: &Cx<'_>,
        transfer: &TransferRef,
    ) -> Result<OutflowAnswer, ChannelError> {
        let fields = Self::order_call(&transfer.number, cx);
        self.call(cx, Verb::Get, "/payouts", &fields).await?.outflow()
    }

    fn verify_callback(&self, request: &WireRequest) -> Result<Claim, CallbackError> {
        let unreadable = |what: &str| CallbackError::Unreadable(what.to_owned());
        let text = std::str::from_utf8(&request.body).map_err(|_| unreadable("not text"))?;
        let fields = fields_of(text).ok_or_else(|| unreadable("no pairs"))?;
        let given = |name| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let covered: Fields<'_> =
            fields.iter().copied().filter(|(name, _)| is_covered(self.account.sign, name)).collect();
        if given("sign") != Some(sign(&covered, &self.secret).as_str()) {
            return Err(CallbackError::BadSign("it fits no known mistake".to_owned()));
        }
        let number = given("number").ok_or_else(|| unreadable("no number"))?;
        let kind = given("kind").and_then(claim_kind).ok_or_else(|| unreadable("no kind"))?;
        let minor =
            given("amount").and_then(|text| text.parse().ok()).ok_or_else(|| unreadable("no amount"))?;
        let currency =
            given("currency").and_then(Currency::from_code).ok_or_else(|| unreadable("no currency"))?;
        let trade_no = given("trade_no").filter(|no| !no.is_empty());
        let trade_no_is_signed = self.account.sign == Sign::All;
        let evidence =
            if self.account.sign == Sign::NotAmount { Evidence::AskProvider } else { Evidence::Settles };
        Ok(Claim {
            number: number.to_owned(),
            kind,
            event_key: event_key(kind, number, trade_no.filter(|_| trade_no_is_signed)),
            order_amount: None,
            received: Money::new(minor, currency),
            method: None,
            trade_no: trade_no.map(str::to_owned),
            trade_no_is_signed,
            evidence,
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

fn is_covered(style: Sign, name: &str) -> bool {
    match style {
        Sign::All => name != "sign",
        Sign::NotTrade => name != "sign" && name != "trade_no",
        Sign::NotAmount => name == "kind" || name == "number",
    }
}

fn claim_kind(word: &str) -> Option<ClaimKind> {
    Some(match word {
        "paid" => ClaimKind::Paid,
        "back" => ClaimKind::Refunded,
        "back_failed" => ClaimKind::RefundFailed,
        "payout" => ClaimKind::Transferred,
        "payout_failed" => ClaimKind::TransferFailed,
        _ => return None,
    })
}

fn event_key(kind: ClaimKind, number: &str, trade_no: Option<&str>) -> String {
    format!("{kind:?} {number} {}", trade_no.unwrap_or_default())
}

fn descriptor(account: &'static Account) -> Descriptor {
    Descriptor {
        provider: "pretend",
        account_key: account.id.to_owned(),
        livemode: true,
        can: can(account),
        refunds_per_order: None,
        currencies: vec![Currency::CNY],
        methods: vec![method(account)],
        payouts: if account.payout.is_some() { PAYOUTS } else { &[] },
        looks: &[],
        extra: &[],
    }
}

fn can(account: &Account) -> Can {
    let when = |holds: bool, can: Can| if holds { can } else { Can::nothing_more() };
    when(account.query, Can::QUERY)
        | when(account.close != Close::Never, Can::CANCEL)
        | when(account.refund.is_some(), Can::REFUND)
        | when(account.refund.is_some_and(|outflow| outflow.query), Can::QUERY_REFUND)
        | when(account.payout.is_some(), Can::TRANSFER)
        | when(account.payout.is_some_and(|outflow| outflow.query), Can::QUERY_TRANSFER)
}

fn method(account: &Account) -> MethodSpec {
    let is_barcode = account.form == Form::Barcode;
    MethodSpec {
        method: if is_barcode { BARCODE } else { QR },
        code: "PRETEND",
        amounts: 1..=1_000_000,
        payer_must_act: !is_barcode,
        needs: if is_barcode { Needs::AUTH_CODE } else { Needs::nothing() },
        end: order_end(account.end),
        request_min: is_barcode.then_some(Duration::from_secs(30)),
        not_found_final_after: account.absent_after_ms.map(span).map(FinalAfter::Creation),
        watch: Duration::from_hours(24),
    }
}

fn order_end(end: End) -> OrderEnd {
    match end {
        End::Call { not_before_ms } => OrderEnd::Call { not_before: span(not_before_ms), lives: None },
        End::Timer { min_ms, max_ms, step_ms, margin_ms } => OrderEnd::ProviderTimer {
            min: span(min_ms),
            max: span(max_ms),
            step: span(step_ms),
            margin: span(margin_ms),
        },
        End::Never => OrderEnd::None,
    }
}

fn span(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
