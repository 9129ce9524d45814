//! A channel and a strategy of the embedder's own: gift cards of the shop, which come first wherever they may.

use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

use paymux::core::channel::{
    CallbackError, Can, ChannelError, Claim, Created, Cx, Descriptor, MethodSpec, Needs, Order, OrderEnd,
    Receipt, Verdict,
};
use paymux::core::money::AMOUNT_MAX;
use paymux::store::{Ledger, Options};
use paymux::{
    AppId, Channel, ChannelPlan, Contenders, Currency, NewPayment, OwnStrategy, PaymentRequest, Paymux,
    RoutePlan, Rules, Settings, WireRequest, WireResponse, async_trait,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    Box::pin(tell(&mut io::stdout())).await
}

/// Gift cards of the shop's own: the call itself takes the money, in this process.
struct GiftCards(Descriptor);

impl GiftCards {
    fn new() -> Result<Self, Box<dyn Error>> {
        let card = MethodSpec {
            method: "any.card".parse()?,
            code: "GIFT",
            amounts: 1..=AMOUNT_MAX,
            payer_must_act: false,
            needs: Needs::nothing(),
            end: OrderEnd::None,
            request_min: None,
            not_found_final_after: None,
            watch: Duration::ZERO,
        };
        Ok(Self(Descriptor {
            provider: "gift-cards",
            account_key: "the shop's own".to_owned(),
            livemode: false,
            can: Can::nothing_more(),
            refunds_per_order: None,
            currencies: vec![Currency::CNY],
            methods: vec![card],
            payouts: &[],
            looks: &[],
            extra: &[],
        }))
    }
}

#[async_trait]
impl Channel for GiftCards {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    async fn create(&self, _: &Cx<'_>, order: &Order) -> Result<Created, ChannelError> {
        Ok(Created::Paid(Receipt::of(order.amount)))
    }

    fn verify_callback(&self, _: &WireRequest) -> Result<Claim, CallbackError> {
        Err(CallbackError::Unreadable("gift cards send no callbacks".to_owned()))
    }

    fn acknowledge(&self, _: Verdict) -> WireResponse {
        WireResponse::with_status(404, "text/plain", "")
    }
}

/// The shop's own channels first; else the last that is left.
#[derive(Debug)]
struct HouseFirst;

impl OwnStrategy for HouseFirst {
    fn name(&self) -> &'static str {
        "house-first"
    }

    fn pick(&self, left: &Contenders<'_>, _seed: u64) -> usize {
        left.iter()
            .position(|contender| contender.channel.as_str().starts_with("house"))
            .unwrap_or(left.len() - 1)
    }
}

pub(crate) async fn tell(out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}/paymux.db", folder.path().display());
    let small = Rules { amount_max: Some(5000), ..Rules::default() };
    let paymux = Paymux::builder()
        .test_mode()
        .app("shop")
        .channel(ChannelPlan::own("house-gift", GiftCards::new()?).rules(small))
        .channel(ChannelPlan::of("bank", &paymux::sandbox::provider(), Settings::new()))
        .route(RoutePlan::own("default", HouseFirst, ["bank", "house-gift"]))
        .ledger(Ledger::connect(&url, Options::default()).await?)
        .open()
        .await?;

    let (payments, shop) = (paymux.payments(), AppId::new("shop")?);
    for (order_no, fen) in [("A1", 1999), ("A2", 8000)] {
        let order = NewPayment::check(&PaymentRequest::new(order_no, fen, "CNY", "any.card", "Tea"))?;
        let decision = payments.explain(&shop, &order, None, None)?.decision;
        let payment = payments.create(shop.clone(), order).await?.payment;
        let channel = &payment.face().ok_or("a payment has an attempt")?.channel;
        let strategy = decision.strategy.unwrap_or("nobody".into());
        writeln!(out, "{order_no} of {} is {} on {channel}, by {strategy}", payment.amount, payment.status)?;
        for candidate in &decision.candidates {
            if let Some(removal) = &candidate.removed_by {
                writeln!(out, "  without {}: {}, {}", candidate.channel, removal.rule, removal.detail)?;
            }
        }
    }
    Ok(())
}
