//! Orders after their create: queries, closes, lists. What the provider cannot do must be refused.

use std::time::Duration;

use paymux_core::channel::{CancelAnswer, FinalAfter, OrderEnd, QueryAnswer};
use paymux_core::clock::Clock as _;
use paymux_core::{ChannelError, Money, OrderRef};

use super::case::{Case, Verdict};
use super::rig::{Answer, LIFE, NUMBER, OTHER, Op, Rig, after, refuses, shown};
use super::subject::Subject;

pub(super) const CASES: &[Case] = &[
    Case::calls("query::open", |subject| Box::pin(open(subject))),
    Case::calls("query::paid", |subject| Box::pin(paid(subject))),
    Case::calls("query::absent", |subject| Box::pin(absent(subject))),
    Case::calls("query::reads", |subject| Box::pin(reads(subject))),
    Case::calls("cancel::closed", |subject| Box::pin(closed(subject))),
    Case::calls("cancel::paid", |subject| Box::pin(cancel_paid(subject))),
    Case::calls("cancel::early", |subject| Box::pin(early(subject))),
    Case::calls("list::window", |subject| Box::pin(list_window(subject))),
    Case::calls("native::unknown", |subject| Box::pin(native_unknown(subject))),
];

async fn open(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    if !rig.can(Op::Query) {
        return refuses(subject, Op::Query).await;
    }
    rig.open().await?;
    let found = rig.works(Op::Query).await?;
    ensure!(found == Answer::Query(QueryAnswer::Open), "an order that nobody paid is {found:?}");
    Ok(())
}

async fn paid(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    if !rig.can(Op::Query) {
        return refuses(subject, Op::Query).await;
    }
    rig.open().await?;
    rig.pay(NUMBER).await?;
    let order = rig.order_ref(NUMBER)?;
    is_paid_by(&rig, &order, order.amount, true).await?;
    if rig.gateway().is_some_and(|gateway| !gateway.query_tells_amount()) {
        return Ok(());
    }
    // What the ledger expects is not what came in: the provider's word counts, or nobody's.
    let amount = Money::new(order.amount.minor() + 1, order.amount.currency());
    let other = OrderRef { amount, ..order.clone() };
    is_paid_by(&rig, &other, order.amount, false).await
}

/// Whether a query says that so much came in; where it may be at a loss, an unknown outcome will do.
async fn is_paid_by(rig: &Rig<'_>, order: &OrderRef, received: Money, must_know: bool) -> Verdict {
    let cx = rig.cx();
    let found = rig.ended(rig.channel.query(&cx, order)).await?;
    let is_right = match &found {
        Ok(QueryAnswer::Paid(receipt)) => {
            receipt.received.checked_add(receipt.discount).ok() == Some(received)
        }
        Err(ChannelError::Unknown(_)) => !must_know,
        _ => false,
    };
    ensure!(
        is_right,
        "an order that {received} paid, asked about as one of {}: {}",
        order.amount,
        shown(&found)
    );
    Ok(())
}

async fn absent(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    if !rig.can(Op::Query) {
        return refuses(subject, Op::Query).await;
    }
    // Beside another one, which is paid.
    rig.open().await?;
    rig.pay(NUMBER).await?;
    let order = OrderRef { reference: None, ..rig.order_ref(OTHER)? };
    let is_final = rig.spec()?.not_found_final_after.map_or(Duration::ZERO, |after| match after {
        FinalAfter::Creation(span) => span,
        FinalAfter::End(span) => LIFE.saturating_add(span),
    });
    // At once, and when its absence is final: what follows from that is the core's to say.
    for span in [Duration::ZERO, is_final] {
        rig.clock.advance(span).await;
        let cx = rig.cx();
        let found = rig.ended(rig.channel.query(&cx, &order)).await?;
        let is_right = matches!(found, Ok(QueryAnswer::NotFound) | Err(ChannelError::Unknown(_)));
        ensure!(is_right, "an order that the provider does not have is {}", shown(&found));
        let must_know = rig.spec()?.not_found_final_after.is_some() && span >= is_final;
        ensure!(
            !must_know || found.is_ok(),
            "absence is final {span:?} after, and a query does not tell it: {}",
            shown(&found)
        );
    }
    Ok(())
}

async fn reads(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    if !rig.can(Op::Query) {
        return refuses(subject, Op::Query).await;
    }
    rig.open().await?;
    let first = rig.works(Op::Query).await?;
    for _ in 0..3 {
        let again = rig.works(Op::Query).await?;
        ensure!(again == first, "asked again, the order is {again:?} and not {first:?}");
    }
    let asked = rig.gateway().and_then(|gateway| gateway.order(NUMBER)).map_or(1, |order| order.asked);
    ensure!(asked == 1, "queries sent {} more creates", asked - 1);
    Ok(())
}

async fn closed(subject: &dyn Subject) -> Verdict {
    let rig = Rig::for_op(subject, Op::Cancel)?;
    if !rig.can(Op::Cancel) {
        return refuses(subject, Op::Cancel).await;
    }
    rig.ready(Op::Cancel).await?;
    let told = rig.works(Op::Cancel).await?;
    ensure!(told == Answer::Cancel(CancelAnswer::Closed), "an unpaid order is not closed: {told:?}");
    let paid = rig.pay(NUMBER).await;
    ensure!(paid.is_err(), "the order counts as closed, and still took money");
    if rig.can(Op::Query) {
        let found = rig.works(Op::Query).await?;
        let is_over = matches!(found, Answer::Query(QueryAnswer::Closed | QueryAnswer::NotFound));
        ensure!(is_over, "the order counts as closed, and a query finds {found:?}");
    }
    Ok(())
}

async fn cancel_paid(subject: &dyn Subject) -> Verdict {
    let rig = Rig::for_op(subject, Op::Cancel)?;
    if !rig.can(Op::Cancel) {
        return refuses(subject, Op::Cancel).await;
    }
    rig.ready(Op::Cancel).await?;
    rig.pay(NUMBER).await?;
    let told = rig.call(Op::Cancel).await?;
    let is_right = match &told {
        Ok(Answer::Cancel(CancelAnswer::Paid(receipt))) => {
            receipt.received.checked_add(receipt.discount).ok() == Some(rig.order(NUMBER)?.amount)
        }
        Ok(Answer::Cancel(CancelAnswer::Refused(_)))
        | Err(ChannelError::Unknown(_) | ChannelError::Refused(_)) => true,
        _ => false,
    };
    ensure!(is_right, "the order is paid, and its close is {}", shown(&told));
    Ok(())
}

async fn early(subject: &dyn Subject) -> Verdict {
    let rig = Rig::for_op(subject, Op::Cancel)?;
    if !rig.can(Op::Cancel) {
        return refuses(subject, Op::Cancel).await;
    }
    for method in subject.methods() {
        let rig = Rig::of(subject, method, subject.settings())?;
        let OrderEnd::Call { not_before, .. } = rig.spec()?.end else { continue };
        if not_before.is_zero() {
            continue;
        }
        rig.open().await?;
        rig.clock.advance(not_before.saturating_sub(Duration::from_secs(1))).await;
        let told = rig.call(Op::Cancel).await?;
        let is_closed = matches!(told, Ok(Answer::Cancel(CancelAnswer::Closed)));
        ensure!(
            !is_closed,
            "an order of `{method}` is closed before the {} s that the provider asks for",
            not_before.as_secs()
        );
        rig.clock.advance(Duration::from_secs(2)).await;
        let told = rig.works(Op::Cancel).await?;
        ensure!(
            told == Answer::Cancel(CancelAnswer::Closed),
            "an order of `{method}` is not closed later: {told:?}"
        );
    }
    Ok(())
}

async fn list_window(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    if !rig.can(Op::List) {
        return refuses(subject, Op::List).await;
    }
    rig.open().await?;
    rig.pay(NUMBER).await?;
    rig.clock.advance(Duration::from_mins(1)).await;
    let later = rig.clock.now();
    let created = rig.create(&rig.order(OTHER)?).await?;
    ensure!(created.is_ok(), "a second order is not opened: {}", shown(&created));
    rig.clock.advance(Duration::from_mins(1)).await;
    let amount = rig.order(NUMBER)?.amount;
    for (from, to, want) in [
        (after(Duration::ZERO), later, vec![(NUMBER, Some(amount))]),
        (later, rig.clock.now(), vec![(OTHER, None)]),
        (after(Duration::ZERO), rig.clock.now(), vec![(NUMBER, Some(amount)), (OTHER, None)]),
        (rig.clock.now(), rig.clock.now().plus(Duration::from_mins(1)), vec![]),
    ] {
        let cx = rig.cx();
        let listed = rig.ended(rig.channel.list(&cx, from, to)).await?;
        let listed = listed.map_err(|error| format!("no list: {error}"))?;
        let mut found: Vec<_> = listed.iter().map(|row| (row.number.as_str(), row.received)).collect();
        found.sort_by_key(|row| row.0);
        ensure!(found == want, "of {from} to {to} it lists {found:?}, and there are {want:?}");
    }
    Ok(())
}

async fn native_unknown(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    let cx = rig.cx();
    let told = rig.channel.native(&cx, "no_such_operation", serde_json::json!({}));
    let told = rig.ended(told).await?;
    ensure!(told == Err(ChannelError::Unsupported), "an operation that nobody has is {}", shown(&told));
    ensure!(rig.line.sent().is_empty(), "an operation that nobody has was sent");
    Ok(())
}
