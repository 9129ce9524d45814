//! Money on its way out: refunds and payouts, and the questions about them.

use std::time::Duration;

use paymux_core::ChannelError;
use paymux_core::channel::{Effect, OutflowAnswer, PayoutSpec, RefundOrder, TransferRef};
use paymux_core::clock::Clock as _;

use super::case::{Case, Verdict};
use super::rig::{Answer, NUMBER, Op, Rig, Told, after, refuses, shown};
use super::subject::{SeenOutflow, Subject};

pub(super) const CASES: &[Case] = &[
    Case::calls("refund::number", |subject| Box::pin(refund_number(subject))),
    Case::calls("refund::unpaid", |subject| Box::pin(refund_unpaid(subject))),
    Case::calls("query_refund::known", |subject| Box::pin(refund_known(subject))),
    Case::calls("query_refund::absent", |subject| Box::pin(refund_absent(subject))),
    Case::calls("transfer::number", |subject| Box::pin(transfer_number(subject))),
    Case::calls("transfer::range", |subject| Box::pin(transfer_range(subject))),
    Case::calls("query_transfer::known", |subject| Box::pin(transfer_known(subject))),
    Case::calls("query_transfer::absent", |subject| Box::pin(transfer_absent(subject))),
    Case::calls("list_refunds::window", |subject| Box::pin(list_window(subject))),
];

/// Whether money is gone or on its way.
fn is_going(told: &Told) -> bool {
    matches!(
        told,
        Ok(Answer::Outflow(
            OutflowAnswer::Done { .. } | OutflowAnswer::Pending { .. } | OutflowAnswer::NeedsAction { .. }
        ))
    )
}

/// What the provider has under that number is what was asked for.
fn went_out(what: &str, seen: Option<SeenOutflow>, amount: paymux_core::Money) -> Verdict {
    let seen = seen.ok_or_else(|| format!("the provider has no {what} under the number that was given"))?;
    ensure!(seen.amount == amount, "a {what} of {amount} was sent as {}", seen.amount);
    Ok(())
}

async fn refund_number(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    if !rig.can(Op::Refund) {
        return refuses(subject, Op::Refund).await;
    }
    rig.ready(Op::Refund).await?;
    let told = rig.call(Op::Refund).await?;
    ensure!(is_going(&told), "a refund of a paid order is {}", shown(&told));
    let refund = rig.refund_order()?;
    match rig.gateway() {
        Some(gateway) => went_out("refund", gateway.refund(&refund.number), refund.amount),
        None => knows_refund(&rig).await,
    }
}

async fn knows_refund(rig: &Rig<'_>) -> Verdict {
    ensure!(
        rig.can(Op::QueryRefund),
        "`far_side()`: a provider in memory must be able to query refunds, or nothing is seen of them"
    );
    let found = rig.call(Op::QueryRefund).await?;
    ensure!(is_going(&found), "a refund that was taken in is {}", shown(&found));
    Ok(())
}

async fn refund_unpaid(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    if !rig.can(Op::Refund) {
        return refuses(subject, Op::Refund).await;
    }
    rig.open().await?;
    let told = rig.call(Op::Refund).await?;
    let is_no = matches!(
        told,
        Ok(Answer::Outflow(OutflowAnswer::Failed { .. }))
            | Err(ChannelError::Refused(_) | ChannelError::Unknown(_))
    );
    ensure!(is_no, "the order has no money, and its refund is {}", shown(&told));
    Ok(())
}

async fn refund_known(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    if !rig.can(Op::QueryRefund) {
        return refuses(subject, Op::QueryRefund).await;
    }
    rig.ready(Op::QueryRefund).await?;
    for _ in 0..3 {
        let found = rig.call(Op::QueryRefund).await?;
        ensure!(is_going(&found), "a refund that was taken in is {}", shown(&found));
    }
    let number = rig.refund_order()?.number;
    let asked = rig.gateway().and_then(|gateway| gateway.refund(&number)).map_or(1, |refund| refund.asked);
    ensure!(asked == 1, "questions sent {} more refunds", asked - 1);
    Ok(())
}

async fn refund_absent(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    if !rig.can(Op::QueryRefund) {
        return refuses(subject, Op::QueryRefund).await;
    }
    rig.ready(Op::QueryRefund).await?;
    // Another number of the same form: the last sign differs.
    let refund = rig.refund_order()?;
    let number = another(&refund.number);
    let cx = rig.cx();
    let found = rig.ended(rig.channel.query_refund(&cx, &RefundOrder { number, ..refund })).await?;
    let is_right = matches!(found, Ok(OutflowAnswer::NotFound) | Err(ChannelError::Unknown(_)));
    ensure!(is_right, "a refund that the provider does not have is {}", shown(&found));
    Ok(())
}

/// The number with another last digit.
fn another(number: &str) -> String {
    let (head, last) = number.split_at(number.len().saturating_sub(1));
    format!("{head}{}", if last == "0" { "1" } else { "0" })
}

async fn transfer_number(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    if !rig.can(Op::Transfer) {
        return refuses(subject, Op::Transfer).await;
    }
    let told = rig.call(Op::Transfer).await?;
    ensure!(is_going(&told), "a payout is {}", shown(&told));
    let number = rig.transfer_number();
    if let Some(gateway) = rig.gateway() {
        ensure!(
            gateway.transfer(&number).is_some(),
            "the provider has no payout under the number that was given"
        );
        return Ok(());
    }
    ensure!(
        rig.can(Op::QueryTransfer),
        "`far_side()`: a provider in memory must be able to query payouts, or nothing is seen of them"
    );
    let found = rig.call(Op::QueryTransfer).await?;
    ensure!(is_going(&found), "a payout that was taken in is {}", shown(&found));
    Ok(())
}

async fn transfer_range(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    if !rig.can(Op::Transfer) {
        return refuses(subject, Op::Transfer).await;
    }
    for product in rig.channel.descriptor().payouts {
        for minor in [product.amount_min, product.amount_max] {
            let told = paid_out(subject, product, minor).await?;
            ensure!(
                is_going(&told),
                "`{}` takes {minor}, and the payout is {}",
                product.product,
                shown(&told)
            );
        }
        for minor in [product.amount_min - 1, product.amount_max.saturating_add(1)] {
            let told = paid_out(subject, product, minor).await?;
            let is_no = told.as_ref().is_err_and(|error| error.effect() == Effect::Nothing);
            ensure!(is_no, "`{}` does not take {minor}, and the payout is {}", product.product, shown(&told));
        }
    }
    Ok(())
}

async fn paid_out(subject: &dyn Subject, product: &PayoutSpec, minor: i64) -> Result<Told, String> {
    let rig = Rig::new(subject)?;
    let transfer = rig.transfer_order(product, minor);
    let cx = rig.cx();
    let told = rig.ended(rig.channel.transfer(&cx, &transfer)).await?;
    Ok(told.map(Answer::Outflow))
}

async fn transfer_known(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    if !rig.can(Op::QueryTransfer) {
        return refuses(subject, Op::QueryTransfer).await;
    }
    rig.ready(Op::QueryTransfer).await?;
    let found = rig.call(Op::QueryTransfer).await?;
    ensure!(is_going(&found), "a payout that was taken in is {}", shown(&found));
    Ok(())
}

async fn transfer_absent(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    if !rig.can(Op::QueryTransfer) {
        return refuses(subject, Op::QueryTransfer).await;
    }
    rig.ready(Op::QueryTransfer).await?;
    let product = rig.channel.descriptor().payouts.first().ok_or("it queries payouts and has no product")?;
    let payout = rig.transfer_order(product, product.amount_min).payout;
    let number = another(&payout.number);
    let cx = rig.cx();
    let found = rig.ended(rig.channel.query_transfer(&cx, &TransferRef { number, ..payout })).await?;
    let is_right = matches!(found, Ok(OutflowAnswer::NotFound) | Err(ChannelError::Unknown(_)));
    ensure!(is_right, "a payout that the provider does not have is {}", shown(&found));
    Ok(())
}

async fn list_window(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    if !rig.can(Op::ListRefunds) {
        return refuses(subject, Op::ListRefunds).await;
    }
    rig.open().await?;
    rig.pay(NUMBER).await?;
    rig.clock.advance(Duration::from_mins(1)).await;
    let from = rig.clock.now();
    rig.works(Op::Refund).await?;
    rig.clock.advance(Duration::from_mins(1)).await;
    let refund = rig.refund_order()?;
    for (from, to, want) in [
        (from, rig.clock.now(), vec![(refund.number.clone(), refund.amount)]),
        (after(Duration::ZERO), from, vec![]),
        (rig.clock.now(), rig.clock.now().plus(Duration::from_mins(1)), vec![]),
    ] {
        let cx = rig.cx();
        let listed = rig.ended(rig.channel.list_refunds(&cx, from, to)).await?;
        let listed = listed.map_err(|error| format!("no list: {error}"))?;
        let found: Vec<_> = listed.into_iter().map(|row| (row.number, row.amount)).collect();
        ensure!(found == want, "of {from} to {to} it lists {found:?}, and there are {want:?}");
    }
    Ok(())
}
