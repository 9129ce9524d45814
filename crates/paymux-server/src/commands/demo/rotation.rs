//! Several merchants at one gateway that take turns: a few payments, each paid before the next one comes, so that one
//! sees whom the strategy leaves out.

use anyhow::Context as _;
use serde_json::{Value, json};

use super::stage::{MERCHANTS, ROTATION, Seen, Stage, wait_for};
use super::teller::Teller;

/// How many payments show it.
const PAYMENTS: u32 = 8;

/// Makes the payments and tells who took them.
pub(super) async fn turns(stage: &Stage, teller: &Teller) -> anyhow::Result<()> {
    let mut taken: Vec<String> = Vec::new();
    for place in 1..=PAYMENTS {
        let decision = one(stage, &format!("turn-{place}")).await?;
        let picked = decision["picked"].as_str().unwrap_or_default().to_owned();
        anyhow::ensure!(taken.last() != Some(&picked), "{picked} took two payments in a row: {decision}");
        taken.push(picked);
    }
    let text = format!(
        "{PAYMENTS} payments by Alipay went to {} merchants at {}, strategy smart-random, each to one that was not \
         paid last: {}",
        MERCHANTS.len(),
        ROTATION.slug(),
        taken.join(", ")
    );
    teller.step("rotated", &text, &json!({"strategy": "smart-random", "channels": taken}));
    Ok(())
}

/// One payment: made, paid, booked and told. Gives the decision that made it.
async fn one(stage: &Stage, order_no: &str) -> anyhow::Result<Value> {
    let order = json!({
        "order_no": order_no, "amount": 2000, "currency": "CNY", "method": "alipay.native", "subject": "Tea",
    });
    let payment = stage.shop.post("/v1/payments", &order).await?.expect(201, "the create")?;
    let attempt = wait_for("the stored payment", &stage.seen, |seen| match seen {
        Seen::Opened { attempt, .. } => Some(attempt),
        Seen::Changed { .. } => None,
    });
    let decision = stage.decision(attempt.await?).await?;
    let number = payment["provider_order_no"].as_str().context("the payment has no number")?;
    let paid = stage.rotation_payer.post(&format!("/sim/pay/{number}"), &json!({})).await?;
    paid.expect(200, "the payer's call")?;
    let booked = wait_for("the gateway's notification", &stage.seen, |seen| {
        matches!(seen, Seen::Changed { by_callback: true, .. }).then_some(())
    });
    booked.await?;
    let refused = wait_for("the notice", &stage.notices, |notice| Some(notice.refused)).await?;
    anyhow::ensure!(refused.is_none(), "the merchant does not believe a notice: {refused:?}");
    Ok(decision)
}
