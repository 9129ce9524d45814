//! Creates: what goes out, what an answer opens, and what a refusal promises.

use std::time::Duration;

use paymux_core::channel::{Effect, OrderEnd, QueryAnswer};
use paymux_core::clock::Clock as _;
use paymux_core::{ChannelError, Created, Method, Money, Order, Product};

use super::case::{Case, Verdict};
use super::rig::{Answer, LIFE, Mishap, NUMBER, Op, Rig, shown};
use super::subject::{FarSide, Inside, Recorded, Subject};

pub(super) const CASES: &[Case] = &[
    Case::calls("create::number", |subject| Box::pin(number(subject))),
    Case::calls("create::opens", |subject| Box::pin(opens(subject))),
    Case::calls("create::range", |subject| Box::pin(range(subject))),
    Case::calls("create::life", |subject| Box::pin(life(subject))),
    Case::calls("create::refused", |subject| Box::pin(refused(subject))),
    Case::calls("create::unlisted", |subject| Box::pin(unlisted(subject))),
    Case::calls("create::signed", |subject| Box::pin(signed(subject))),
];

/// The far side's order of that number; where there is no network, the channel is asked.
async fn is_there(rig: &Rig<'_>, order: &Order) -> Result<bool, String> {
    if let Some(gateway) = rig.gateway() {
        let Some(seen) = gateway.order(order.number.as_str()) else { return Ok(false) };
        ensure!(seen.amount == order.amount, "{} was sent as {}", order.amount, seen.amount);
        return Ok(true);
    }
    ensure!(
        rig.can(Op::Query),
        "`far_side()`: a provider in memory must be able to query, or nothing is seen of it"
    );
    let found = rig.works(Op::Query).await?;
    Ok(found != Answer::Query(QueryAnswer::NotFound))
}

async fn number(subject: &dyn Subject) -> Verdict {
    for method in subject.methods() {
        let rig = Rig::of(subject, method, subject.settings())?;
        let order = rig.order(NUMBER)?;
        let created = rig.create(&order).await?;
        ensure!(created.is_ok(), "an order of `{method}` is not opened: {}", shown(&created));
        ensure!(
            is_there(&rig, &order).await?,
            "the provider has no order of `{method}` under the number that was given"
        );
    }
    Ok(())
}

async fn opens(subject: &dyn Subject) -> Verdict {
    for method in subject.methods() {
        let rig = Rig::of(subject, method, subject.settings())?;
        let order = rig.order(NUMBER)?;
        match rig.create(&order).await? {
            Ok(Created::Open(opened)) => {
                let must_show = rig.spec()?.payer_must_act && method.product != Product::Barcode;
                ensure!(
                    !must_show || opened.action.is_some(),
                    "`{method}` is open, and the payer has nothing to act on"
                );
            }
            Ok(Created::Paid(receipt)) => {
                let sum = receipt.received.checked_add(receipt.discount);
                ensure!(
                    sum.ok() == Some(order.amount),
                    "`{method}` of {} is paid by {receipt:?}",
                    order.amount
                );
            }
            Err(error) => return Err(format!("an order of `{method}` is not opened: {error}")),
        }
    }
    Ok(())
}

async fn range(subject: &dyn Subject) -> Verdict {
    for method in subject.methods() {
        let spec = Rig::of(subject, method, subject.settings())?.spec()?.clone();
        for minor in [*spec.amounts.start(), *spec.amounts.end()] {
            let (rig, order) = priced(subject, method, minor)?;
            let created = rig.create(&order).await?;
            ensure!(created.is_ok(), "`{method}` takes {minor} by its descriptor: {}", shown(&created));
            ensure!(is_there(&rig, &order).await?, "`{method}` of {minor} did not reach the provider");
        }
        for minor in [spec.amounts.start() - 1, spec.amounts.end().saturating_add(1)] {
            let (rig, order) = priced(subject, method, minor)?;
            let created = rig.create(&order).await?;
            let is_no = created.as_ref().is_err_and(|error| error.effect() == Effect::Nothing);
            ensure!(is_no, "`{method}` does not take {minor} by its descriptor: {}", shown(&created));
            ensure!(rig.line.sent().is_empty(), "`{method}` does not take {minor}, and it was sent");
        }
    }
    Ok(())
}

fn priced(subject: &dyn Subject, method: Method, minor: i64) -> Result<(Rig<'_>, Order), String> {
    let rig = Rig::of(subject, method, subject.settings())?;
    let mut order = rig.order(NUMBER)?;
    order.amount = Money::new(minor, order.amount.currency());
    Ok((rig, order))
}

async fn life(subject: &dyn Subject) -> Verdict {
    for method in subject.methods() {
        for span in lives(Rig::of(subject, method, subject.settings())?.spec()?.end) {
            lives_as_long(subject, method, span).await?;
        }
    }
    Ok(())
}

/// How long payments may live whose orders end so: in the ordinary case, and at the ends of what there is.
fn lives(end: OrderEnd) -> Vec<Duration> {
    match end {
        OrderEnd::ProviderTimer { min, max, .. } => vec![LIFE.max(min).min(max), min, max],
        OrderEnd::Call { lives: Some(lives), .. } => vec![LIFE.min(lives), lives],
        OrderEnd::Call { lives: None, .. } | OrderEnd::None => vec![LIFE],
    }
}

async fn lives_as_long(subject: &dyn Subject, method: Method, span: Duration) -> Verdict {
    let rig = Rig::of(subject, method, subject.settings())?;
    let mut order = rig.order(NUMBER)?;
    order.expires_at = rig.clock.now().plus(span);
    let created = rig.create(&order).await?;
    ensure!(created.is_ok(), "an order of `{method}` for {span:?} is not opened: {}", shown(&created));
    // In memory there is no timer but ours.
    let Some(gateway) = rig.gateway() else { return Ok(()) };
    let life = gateway.order(NUMBER).and_then(|order| order.life);
    ensure!(
        life.is_none_or(|life| life <= span),
        "an order of `{method}` lives {life:?}, its payment {span:?}"
    );
    let is_timed = matches!(rig.spec()?.end, OrderEnd::ProviderTimer { .. });
    ensure!(!is_timed || life.is_some(), "`{method}` ends by the provider's timer, and none was set");
    Ok(())
}

async fn refused(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    match &rig.far_side {
        FarSide::Inside(Inside { refused, .. }) => {
            let mut order = rig.order(NUMBER)?;
            refused(&mut order);
            let created = rig.create(&order).await?;
            ensure!(
                matches!(created, Err(ChannelError::Refused(_))),
                "a refusal must be `Refused`, not {}",
                shown(&created)
            );
            ensure!(!is_there(&rig, &order).await?, "the create was refused, and the order is there");
        }
        FarSide::Network(gateway) => {
            let refusals = gateway.refusals();
            ensure!(
                !refusals.is_empty(),
                "`Gateway::refusals()`: give at least one answer that refuses a create"
            );
            for refusal in refusals {
                let rig = Rig::new(subject)?;
                rig.line.strike(Mishap::Says(refusal.answer));
                let created = rig.create(&rig.order(NUMBER)?).await?;
                let is_told = matches!(&created, Err(ChannelError::Refused(told)) if told.blame == refusal.blame && told.code == refusal.code);
                ensure!(
                    is_told,
                    "code `{}` refuses a create by the fault of the {:?}: {}",
                    refusal.code,
                    refusal.blame,
                    shown(&created)
                );
            }
        }
    }
    Ok(())
}

async fn unlisted(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    let Some(gateway) = rig.gateway() else {
        // Nothing answers in memory but the plugin: a create is opened or refused, and nothing is sent.
        rig.open().await?;
        ensure!(
            rig.line.sent().is_empty(),
            "`far_side()` says that there is no network, and a create uses it"
        );
        return Ok(());
    };
    rig.line.strike(Mishap::Says(gateway.unlisted()));
    let created = rig.create(&rig.order(NUMBER)?).await?;
    ensure!(
        matches!(created, Err(ChannelError::Unknown(_))),
        "a code that no table lists must be `Unknown`, not {}",
        shown(&created)
    );
    Ok(())
}

async fn signed(subject: &dyn Subject) -> Verdict {
    let mut count = 0_usize;
    for recorded in subject.recorded() {
        let Recorded::Create { what, settings, order: change, after, place, sign } = recorded else {
            continue;
        };
        count += 1;
        let method = subject.methods().first().copied().ok_or("`methods()`: list at least one")?;
        let rig = Rig::of(subject, method, settings)?;
        rig.clock.advance(after).await;
        let mut order = rig.order(NUMBER)?;
        order.expires_at = rig.clock.now().plus(LIFE);
        change(&mut order);
        order.memo = rig.channel.memo(order.method);
        // The far side is another account's: only what goes out counts.
        drop(rig.create(&order).await?);
        let sent = rig.line.sent();
        let [(_, request)] = &sent[..] else {
            return Err(format!("{what}: {} requests were sent", sent.len()));
        };
        let own = place.value(request);
        ensure!(own.as_deref() == Some(sign.as_str()), "{what}: the sign is {own:?}, recorded is `{sign}`");
    }
    let is_inside = matches!(subject.far_side(), FarSide::Inside(_));
    ensure!(count > 0 || is_inside, "`recorded()`: give at least one create with its sign");
    Ok(())
}
