//! Many payments at once, made, paid and told like the one: to see how the set-up bears it.

use futures_util::stream::{self, StreamExt as _};
use paymux_core::Clock as _;
use serde_json::json;

use super::stage::{Stage, wait_for};
use super::story::order;
use super::teller::Teller;

/// How many are under way at once.
const AT_ONCE: usize = 16;

/// Makes and pays `count` payments and waits until the merchant was told of each.
pub(super) async fn payments(stage: &Stage, teller: &Teller, count: u32) -> anyhow::Result<()> {
    let began = teller.clock().mono();
    let (paid, told) = tokio::join!(pay_all(stage, count), hear_of_all(stage, count));
    paid.and(told)?;
    let took = teller.clock().mono().0.saturating_sub(began.0).as_millis();
    let ms = u64::try_from(took).unwrap_or(u64::MAX).max(1);
    let each_second = u64::from(count).saturating_mul(1000) / ms;
    let text = format!(
        "{count} payments were made, paid and told in {ms} ms: {each_second} a second, {AT_ONCE} at once"
    );
    teller.step("crowd", &text, &json!({"payments": count, "took_ms": ms, "per_second": each_second}));
    Ok(())
}

async fn pay_all(stage: &Stage, count: u32) -> anyhow::Result<()> {
    let mut paying = stream::iter(0..count).map(|place| pay_one(stage, place)).buffer_unordered(AT_ONCE);
    while let Some(paid) = paying.next().await {
        paid?;
    }
    Ok(())
}

async fn pay_one(stage: &Stage, place: u32) -> anyhow::Result<()> {
    let body = order(&format!("crowd-{place}"));
    let payment = stage.shop.post("/v1/payments", &body).await?.expect(201, "a create")?;
    let number = payment["provider_order_no"].as_str().unwrap_or_default();
    stage.payer.post(&format!("/sim/pay/{number}"), &json!({})).await?.expect(200, "a payer's call")?;
    Ok(())
}

async fn hear_of_all(stage: &Stage, count: u32) -> anyhow::Result<()> {
    for _ in 0..count {
        let refused = wait_for("a notice", &stage.notices, |notice| Some(notice.refused)).await?;
        anyhow::ensure!(refused.is_none(), "the merchant does not believe a notice: {refused:?}");
    }
    Ok(())
}
