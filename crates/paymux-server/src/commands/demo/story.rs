//! One payment, told: each step in one line, when it was seen.

use anyhow::Context as _;
use paymux_core::{Clock as _, Money};
use serde_json::{Value, json};

use super::merchant::Notice;
use super::stage::{PROVIDER, Seen, Stage, wait_for};
use super::teller::Teller;

/// What is bought: 19.99 CNY.
const AMOUNT: i64 = 1999;

/// A payment's body as a merchant sends it.
pub(super) fn order(order_no: &str) -> Value {
    json!({
        "order_no": order_no, "amount": AMOUNT, "currency": "CNY",
        "method": "wechat.native", "subject": "A pot of tea",
    })
}

/// Creates one payment, pays it, and waits until the merchant was told.
pub(super) async fn one_payment(stage: &Stage, teller: &Teller) -> anyhow::Result<()> {
    let began = teller.clock().mono();
    let asked = json!({"order_no": "A1001", "amount": AMOUNT, "method": "wechat.native"});
    let sum = Money::fen(AMOUNT).to_decimal();
    teller.step(
        "asked",
        &format!("merchant: POST /v1/payments, order A1001, {sum} CNY by WeChat QR code"),
        &asked,
    );
    let payment = stage.shop.post("/v1/payments", &order("A1001")).await?.expect(201, "the create")?;
    let number = created(stage, teller).await?;
    let qr = payment["next_action"]["qr"].as_str().context("the payment has no QR code")?;
    let page = payment["cashier_url"].as_str().context("the payment has no page")?;
    teller.step(
        "shown",
        &format!("201: the merchant shows this QR code, or sends the payer to {page}"),
        &json!({"payment": payment["id"], "qr": qr, "page": page}),
    );
    teller.qr(qr);

    let paid =
        stage.payer.post(&format!("/sim/pay/{number}"), &json!({})).await?.expect(200, "the payer's call")?;
    teller.step(
        "paid",
        &format!("the payer scans it and pays {sum} CNY"),
        &json!({"trade_no": paid["trade_no"]}),
    );
    booked(stage, teller).await?;
    told(stage, teller).await?;

    let path = format!("/v1/payments/{}", payment["id"].as_str().unwrap_or_default());
    let payment = stage.shop.get(&path).await?.expect(200, "the look-up")?;
    anyhow::ensure!(payment["status"] == "succeeded", "the payment is {}", payment["status"]);
    let took = teller.clock().mono().0.saturating_sub(began.0).as_millis();
    let text = format!("the payment is succeeded, {took} ms after it was asked for");
    teller.step(
        "done",
        &text,
        &json!({"payment": payment, "took_ms": u64::try_from(took).unwrap_or(u64::MAX)}),
    );
    Ok(())
}

/// Tells what was stored and decided, and that the provider took it. Returns the number of its order.
async fn created(stage: &Stage, teller: &Teller) -> anyhow::Result<String> {
    let opened = wait_for("the stored payment", &stage.seen, |seen| match seen {
        Seen::Opened { payment, number, attempt, .. } => Some((payment, number, attempt)),
        Seen::Changed { .. } => None,
    });
    let (payment, number, attempt) = opened.await?;
    let decision = stage.decision(attempt).await?;
    let text = format!("{payment} and its attempt {number} are on disk, before a byte leaves");
    teller.step("stored", &text, &json!({"payment": payment, "number": number}));
    teller.step("routed", &why(&decision), &json!({"decision": decision}));
    let order = stage.bank().order(&number).context("the provider has no such order")?;
    let text = format!(
        "{} took the signed create as order {}; {}",
        PROVIDER.slug(),
        order.number,
        PROVIDER.sign_covers()
    );
    teller.step(
        "signed",
        &text,
        &json!({"number": order.number, "amount": order.amount, "account": order.account}),
    );
    Ok(number)
}

/// Tells that the callback was believed and what came of it.
async fn booked(stage: &Stage, teller: &Teller) -> anyhow::Result<()> {
    let events = wait_for("the provider's callback", &stage.seen, |seen| match seen {
        Seen::Changed { by_callback: true, events, .. } => Some(events),
        _ => None,
    });
    let events: Vec<&str> = events.await?.into_iter().map(paymux_core::store::EventKind::word).collect();
    let text = "callback in: its sign is right over the bytes as received; number, account and amount agree with the ledger";
    teller.step("verified", text, &json!({}));
    let text = format!(
        "payment, callback and the notice {} are on disk in one transaction; only then acknowledged",
        events.join(", ")
    );
    teller.step("succeeded", &text, &json!({"events": events}));
    Ok(())
}

/// Tells that the merchant got its notice and believes it.
async fn told(stage: &Stage, teller: &Teller) -> anyhow::Result<()> {
    let notice = wait_for("the notice", &stage.notices, Some).await?;
    if let Some(refusal) = notice.refused {
        anyhow::bail!("the merchant does not believe the notice: {refusal}");
    }
    let text = format!(
        "the merchant got {} as {}; its Standard Webhooks signature is valid",
        kind(&notice),
        notice.id
    );
    teller.step("told", &text, &json!({"event": notice.id, "notice": notice.body}));
    Ok(())
}

fn kind(notice: &Notice) -> &str {
    notice.body["type"].as_str().unwrap_or("something unreadable")
}

/// The decision in one sentence.
pub(super) fn why(decision: &Value) -> String {
    let word = |key: &str| decision[key].as_str().unwrap_or_default().to_owned();
    let candidates = decision["candidates"].as_array().map(Vec::as_slice).unwrap_or_default();
    let eligible = candidates.iter().filter(|candidate| candidate["eligible"] == true).count();
    let removed =
        candidates.iter().filter(|candidate| candidate["removed_by"].is_object()).map(|candidate| {
            let by = &candidate["removed_by"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            format!(
                "; {} is out by rule {}: {}",
                text(&candidate["channel"]),
                text(&by["rule"]),
                text(&by["detail"])
            )
        });
    format!(
        "to {} by route {}, strategy {}, because {eligible} of {} channels are left and seed {} draws it{}",
        word("picked"),
        word("route"),
        word("strategy"),
        candidates.len(),
        word("seed"),
        removed.collect::<String>()
    )
}

/// Tells how to go on.
pub(super) fn invite(stage: &Stage, teller: &Teller) {
    let (api, provider) = (stage.api(), stage.provider());
    let curl = format!(
        "curl -s {api}/v1/payments -H 'Authorization: Bearer {}' -H 'content-type: application/json' -d '{}'",
        stage.key.expose(),
        order("A1002")
    );
    let gateway = stage.gateway();
    let facts = json!({
        "curl": curl, "api": format!("{api}/v1/payments"), "payer": format!("{provider}/sim"),
        "gateway": format!("{gateway}/sim"), "metrics": format!("{api}/metrics"), "docs": format!("{api}/docs"),
    });
    teller.aside("");
    teller.step("up", "now you: make a payment, and pay it on the payer's page; Ctrl-C ends it all", &facts);
    teller.aside(&format!("\n  {}\n", teller.strong(&curl)));
    teller.aside(&format!("  API      {api}/v1/payments"));
    teller.aside(&format!("  docs     {api}/docs"));
    teller.aside(&format!("  payer    {provider}/sim, of Alipay methods {gateway}/sim"));
    teller.aside(&format!("  health   {api}/readyz"));
    teller.aside(&format!("  metrics  {api}/metrics\n"));
}

/// Tells of every further payment, for ever.
pub(super) async fn follow(stage: &Stage, teller: &Teller) -> anyhow::Result<()> {
    let mut seen = stage.seen.lock().await;
    let mut notices = stage.notices.lock().await;
    loop {
        tokio::select! {
            Some(seen) = seen.recv() => told_seen(stage, teller, seen).await?,
            Some(notice) = notices.recv() => told_notice(teller, &notice),
            else => anyhow::bail!("the router went away"),
        }
    }
}

async fn told_seen(stage: &Stage, teller: &Teller, seen: Seen) -> anyhow::Result<()> {
    match seen {
        Seen::Opened { payment, order_no, number, attempt } => {
            let decision = stage.decision(attempt).await?;
            let till = stage.till_of(decision["picked"].as_str().unwrap_or_default());
            let text = format!("{order_no} {}; pay it on {till}/sim/pay/{number}", why(&decision));
            teller.step(
                "routed",
                &text,
                &json!({"payment": payment, "order_no": order_no, "decision": decision}),
            );
        }
        Seen::Changed { payment, events, .. } => {
            for event in events {
                teller.step(
                    "stored",
                    &format!("{payment}: {event}"),
                    &json!({"payment": payment, "event": event.word()}),
                );
            }
        }
    }
    Ok(())
}

fn told_notice(teller: &Teller, notice: &Notice) {
    let order_no = notice.body["data"]["order_no"].as_str().unwrap_or_default();
    let verdict = match &notice.refused {
        None => "its signature is valid".to_owned(),
        Some(refusal) => format!("the merchant does not believe it: {refusal}"),
    };
    let text = format!("the merchant got {} of order {order_no}; {verdict}", kind(notice));
    teller.step("told", &text, &json!({"event": notice.id, "notice": notice.body}));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_one_sentence() {
        let decision = json!({
            "route": "wechat", "strategy": "random", "seed": "00ff", "picked": "bee-a",
            "candidates": [
                {"channel": "bee-a", "eligible": true, "removed_by": null, "weight": 1},
                {"channel": "bee-small", "eligible": false, "weight": 1,
                    "removed_by": {"rule": "amount", "detail": "1999 is outside 1 to 1000 minor units"}},
            ],
        });
        assert_eq!(
            why(&decision),
            "to bee-a by route wechat, strategy random, because 1 of 2 channels are left and seed 00ff draws it; \
             bee-small is out by rule amount: 1999 is outside 1 to 1000 minor units"
        );
    }
}
