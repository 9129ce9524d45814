//! What all calls share: one request for one wish, and an outcome that is decided by where the call failed.

use std::time::Duration;

use paymux_core::clock::Clock as _;
use paymux_core::transport::NoAnswer;
use paymux_core::{ChannelError, WireResponse};

use super::case::{Case, Verdict};
use super::rig::{Mishap, NUMBER, Op, Rig, Told, refuses, shown};
use super::subject::{FarSide, Inside, Subject};

pub(super) const CASES: &[Case] = &[
    Case::calls("call::absent", |subject| Box::pin(absent(subject))),
    Case::calls("call::not_sent", |subject| Box::pin(not_sent(subject))),
    Case::calls("call::once", |subject| Box::pin(once(subject))),
    Case::calls("call::cut", |subject| Box::pin(cut(subject))),
    Case::calls("call::server_error", |subject| Box::pin(server_error(subject))),
    Case::calls("call::unreadable", |subject| Box::pin(unreadable(subject))),
    Case::calls("call::deadline", |subject| Box::pin(deadline(subject))),
];

const PAGE: &str = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>";

async fn absent(subject: &dyn Subject) -> Verdict {
    for op in Op::ALL {
        if !Rig::new(subject)?.can(op) {
            refuses(subject, op).await?;
        }
    }
    Ok(())
}

async fn not_sent(subject: &dyn Subject) -> Verdict {
    for op in Op::ALL {
        let Some((rig, told)) = struck(subject, op, Mishap::NotSent).await? else { continue };
        ensure!(
            matches!(told, Err(ChannelError::NotSent(_))),
            "{op:?} without a connection must be `NotSent`, not {}",
            shown(&told)
        );
        ensure!(!rig.was_exposed(), "{op:?} without a connection says that something was sent");
    }
    inside_is_silent(subject).await
}

async fn cut(subject: &dyn Subject) -> Verdict {
    for why in [NoAnswer::Broken, NoAnswer::TimedOut, NoAnswer::TooLarge, NoAnswer::Unreadable] {
        each_is_unknown(subject, &Mishap::Cut(why), "whose answer is lost").await?;
    }
    let rig = Rig::new(subject)?;
    if let FarSide::Inside(Inside { lost, .. }) = rig.far_side {
        let mut order = rig.order(NUMBER)?;
        lost(&mut order);
        let told = rig.create(&order).await?;
        ensure!(
            matches!(told, Err(ChannelError::Unknown(_))),
            "a lost create must be `Unknown`, not {}",
            shown(&told)
        );
    }
    inside_is_silent(subject).await
}

async fn server_error(subject: &dyn Subject) -> Verdict {
    let says =
        |status, text: &str| Mishap::Says(WireResponse::with_status(status, "text/html", text.to_owned()));
    for mishap in [
        says(500, ""),
        says(502, PAGE),
        says(503, "{}"),
        Mishap::Alters(|answer| WireResponse { status: 500, ..answer }),
        Mishap::Alters(|answer| WireResponse { status: 503, ..answer }),
    ] {
        each_is_unknown(subject, &mishap, "that is answered with 5xx").await?;
    }
    inside_is_silent(subject).await
}

async fn unreadable(subject: &dyn Subject) -> Verdict {
    let says = |text: &str| Mishap::Says(WireResponse::ok("text/html", text.to_owned()));
    for mishap in [
        says(""),
        says(PAGE),
        says("[]"),
        says("null"),
        Mishap::Alters(without_its_end),
        Mishap::Alters(|answer| WireResponse { body: vec![0xff, 0xfe].into(), ..answer }),
    ] {
        each_is_unknown(subject, &mishap, "whose answer cannot be read").await?;
    }
    inside_is_silent(subject).await
}

/// All there but for the closing sign.
fn without_its_end(mut answer: WireResponse) -> WireResponse {
    answer.body.truncate(answer.body.len().saturating_sub(1));
    answer
}

async fn deadline(subject: &dyn Subject) -> Verdict {
    for op in Op::ALL {
        let Some((rig, told)) = struck(subject, op, Mishap::Slow).await? else { continue };
        let late = rig.clock.mono().0.saturating_sub(rig.deadline().0);
        ensure!(late.is_zero(), "{op:?} ended {} ms after its deadline", late.as_millis());
        ensure!(
            matches!(told, Err(ChannelError::Unknown(_))),
            "{op:?} whose answer comes too late must be `Unknown`, not {}",
            shown(&told)
        );
        let sent = rig.line.sent();
        rig.clock.advance(Duration::from_mins(10)).await;
        let is_late = sent.iter().any(|(at, _)| *at >= rig.deadline());
        ensure!(!is_late && rig.line.sent().len() == sent.len(), "{op:?} sends after its deadline");
    }
    inside_is_silent(subject).await
}

async fn once(subject: &dyn Subject) -> Verdict {
    for op in [Op::Create, Op::Refund, Op::Transfer] {
        for mishap in [
            None,
            Some(Mishap::Cut(NoAnswer::Broken)),
            Some(Mishap::Slow),
            Some(Mishap::Alters(|answer| WireResponse { status: 500, ..answer })),
            Some(Mishap::Alters(without_its_end)),
        ] {
            asked_once(subject, op, mishap).await?;
        }
    }
    inside_is_silent(subject).await
}

async fn asked_once(subject: &dyn Subject, op: Op, mishap: Option<Mishap>) -> Verdict {
    let rig = Rig::for_op(subject, op)?;
    let Some(gateway) = rig.gateway().filter(|_| rig.can(op)) else { return Ok(()) };
    rig.ready(op).await?;
    if let Some(mishap) = mishap {
        rig.line.strike(mishap);
    }
    // Whatever it answers: here only what was sent counts.
    drop(rig.call(op).await?);
    let asked = match op {
        Op::Create => gateway.order(NUMBER).map(|order| order.asked),
        Op::Refund => gateway.refund(&rig.refund_order()?.number).map(|refund| refund.asked),
        _ => gateway.transfer(&rig.transfer_number()).map(|payout| payout.asked),
    };
    let asked = asked.ok_or_else(|| format!("{op:?} did not reach the provider under its number"))?;
    ensure!(asked == 1, "one {op:?} was sent {asked} times");
    Ok(())
}

/// The call after a mishap, where the channel can do it and has a network.
async fn struck(subject: &dyn Subject, op: Op, mishap: Mishap) -> Result<Option<(Rig<'_>, Told)>, String> {
    let rig = Rig::for_op(subject, op)?;
    if rig.gateway().is_none() || !rig.can(op) {
        return Ok(None);
    }
    rig.ready(op).await?;
    rig.line.strike(mishap);
    let told = rig.call(op).await?;
    Ok(Some((rig, told)))
}

async fn each_is_unknown(subject: &dyn Subject, mishap: &Mishap, which: &str) -> Verdict {
    for op in Op::ALL {
        let Some((_, told)) = struck(subject, op, mishap.clone()).await? else { continue };
        ensure!(
            matches!(told, Err(ChannelError::Unknown(_))),
            "{op:?} {which} must be `Unknown`, not {}",
            shown(&told)
        );
    }
    Ok(())
}

/// Where the descriptor's provider is in memory, nothing of that can happen: every call must work and send nothing.
async fn inside_is_silent(subject: &dyn Subject) -> Verdict {
    for op in Op::ALL {
        let rig = Rig::for_op(subject, op)?;
        if rig.gateway().is_some() || !rig.can(op) {
            continue;
        }
        rig.ready(op).await?;
        rig.works(op).await?;
        ensure!(rig.line.sent().is_empty(), "`far_side()` says that there is no network, and {op:?} uses it");
    }
    Ok(())
}
