//! Payments over a ledger on SQLite: one is taken, paid at the sandbox, and asked about; somebody listens.

use std::error::Error;
use std::io::{self, Write};

use paymux::store::{Ledger, Options};
use paymux::{
    AppId, Attempt, AttemptState, CancellationToken, ChannelPlan, NewPayment, Observer, Payment,
    PaymentRequest, Paymux, RoutePlan, Settings, Strategy,
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    Box::pin(tell(&mut io::stdout())).await
}

/// Writes down what becomes of attempts.
struct Notes(UnboundedSender<String>);

impl Observer for Notes {
    fn moved(&self, payment: &Payment, attempt: &Attempt, before: AttemptState) {
        let _ = self
            .0
            .send(format!("{} on {}: {before}, now {}", payment.order_no, attempt.channel, attempt.state));
    }
}

pub(crate) async fn tell(out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}/paymux.db", folder.path().display());
    let (notes, mut noted) = unbounded_channel();
    let bank = paymux::sandbox::provider();
    let paymux = Paymux::builder()
        .test_mode()
        .app("shop")
        .channel(ChannelPlan::of("main", &bank, Settings::new()))
        .channel(ChannelPlan::of("spare", &bank, Settings::new()))
        .route(RoutePlan::new("default", Strategy::Priority, ["main", "spare"]).failover(1))
        .ledger(Ledger::connect(&url, Options::default()).await?)
        .observer(Notes(notes))
        .open()
        .await?;
    let stop = CancellationToken::new();
    let running = tokio::spawn(paymux.clone().run(stop.clone()));

    let (payments, shop) = (paymux.payments(), AppId::new("shop")?);
    let tea = NewPayment::check(&PaymentRequest::new("A1001", 1999, "CNY", "wechat.native", "Tea"))?;
    let payment = payments.create(shop.clone(), tea).await?.payment;
    let action = payment.next_action.as_ref().ok_or("the payer has nothing to do")?;
    writeln!(out, "{} is {}: the payer gets {action:?}", payment.order_no, payment.status)?;

    // The payer pays, here in the provider's own books. A real provider calls back: `Payments::take_callback`.
    let attempt = payment.live().ok_or("no attempt waits for its payer")?;
    let order = paymux::json!({ "number": attempt.number.as_str() });
    payments.native(attempt.channel.clone(), "pay".to_owned(), order).await?;
    let payment = payments.sync(shop, payment.id).await?;
    writeln!(out, "{} is {}: {} came in", payment.order_no, payment.status, payment.amount_received)?;

    stop.cancel();
    let ended = running.await?;
    while let Ok(note) = noted.try_recv() {
        writeln!(out, "{note}")?;
    }
    writeln!(out, "{ended:?}")?;
    Ok(())
}
