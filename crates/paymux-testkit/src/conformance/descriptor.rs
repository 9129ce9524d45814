//! What the descriptor says must hold together, and what is pure must be so.

use std::collections::BTreeSet;
use std::time::Duration;

use paymux_core::Timestamp;
use paymux_core::channel::{Can, Descriptor, FinalAfter, MethodSpec, OrderEnd};
use paymux_core::ids::{RefundId, TransferId};

use super::case::{Case, Verdict};
use super::rig::{Rig, after};
use super::subject::Subject;
use crate::rng::SeededRng;

pub(super) const CASES: &[Case] = &[
    Case::pure("descriptor::sound", sound),
    Case::pure("descriptor::constant", constant),
    Case::pure("descriptor::timers", timers),
    Case::pure("memo::same", memo),
    Case::pure("cancel_not_before::opens", cancel_not_before),
    Case::pure("refund_not_before::opens", refund_not_before),
    Case::pure("refund_number::unique", refund_number),
    Case::pure("transfer_number::unique", transfer_number),
];

/// What core can hold of a number.
const NUMBER_CHARS_MAX: usize = 64;

fn sound(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    let descriptor = rig.channel.descriptor();
    let slug = subject.provider().slug();
    ensure!(
        descriptor.provider == slug,
        "its provider is `{}`, the plugin's slug `{slug}`",
        descriptor.provider
    );
    ensure!(!descriptor.account_key.is_empty(), "`account_key` is empty");
    ensure!(!descriptor.currencies.is_empty(), "it takes no currency");
    ensure!(!descriptor.methods.is_empty(), "it offers no method");
    let mut seen = BTreeSet::new();
    for spec in &descriptor.methods {
        let method = spec.method;
        ensure!(seen.insert(method.to_string()), "`{method}` stands there twice");
        let (min, max) = (*spec.amounts.start(), *spec.amounts.end());
        ensure!(1 <= min && min <= max, "`{method}` takes {min} to {max}: begin at 1 or more, and end later");
        ensure!(!spec.code.is_empty(), "`{method}` has no code");
    }
    payouts(descriptor)?;
    let closes = descriptor.methods.iter().any(|spec| matches!(spec.end, OrderEnd::Call { .. }));
    ensure!(
        closes == descriptor.can.has(Can::CANCEL),
        "it can cancel, or ends orders by a call: both or neither"
    );
    let names: BTreeSet<_> = descriptor.extra.iter().map(|field| field.name).collect();
    ensure!(names.len() == descriptor.extra.len(), "a field of `extra` stands there twice");
    ensure!(!descriptor.looks.iter().any(Duration::is_zero), "a look comes at once after the one before");
    covered(subject, descriptor)
}

fn payouts(descriptor: &Descriptor) -> Verdict {
    let pays_out = descriptor.can.has(Can::TRANSFER);
    ensure!(pays_out != descriptor.payouts.is_empty(), "it pays out, or has no products: both or neither");
    for product in descriptor.payouts {
        let is_range = 1 <= product.amount_min && product.amount_min <= product.amount_max;
        ensure!(is_range, "payouts by `{}`: the range holds no amount", product.product);
    }
    Ok(())
}

/// Which of the ways in which orders end a method has.
fn kind(spec: &MethodSpec) -> &'static str {
    match spec.end {
        OrderEnd::Call { .. } => "Call",
        OrderEnd::ProviderTimer { .. } => "ProviderTimer",
        OrderEnd::None => "None",
    }
}

/// The subject must have a method for each.
fn covered(subject: &dyn Subject, descriptor: &Descriptor) -> Verdict {
    let listed = subject.methods();
    let tried: BTreeSet<_> =
        listed.iter().filter_map(|method| descriptor.method(*method)).map(kind).collect();
    for spec in &descriptor.methods {
        let kind = kind(spec);
        ensure!(
            tried.contains(kind),
            "`methods()`: list one that ends by `OrderEnd::{kind}`, such as `{}`",
            spec.method
        );
    }
    Ok(())
}

fn constant(subject: &dyn Subject) -> Verdict {
    let (one, other) = (Rig::new(subject)?, Rig::new(subject)?);
    let first = format!("{:?}", one.channel.descriptor());
    for again in [one.channel.descriptor(), other.channel.descriptor()] {
        ensure!(format!("{again:?}") == first, "the same settings make another descriptor");
    }
    Ok(())
}

fn timers(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    for spec in &rig.channel.descriptor().methods {
        let method = spec.method;
        let after = spec.not_found_final_after.map(|after| match after {
            FinalAfter::Creation(span) | FinalAfter::End(span) => span,
        });
        ensure!(after.is_none_or(|span| !span.is_zero()), "`{method}`: no absence is final at once");
        ensure!(!spec.watch.is_zero(), "`{method}`: money can come late, so `watch` is more than nothing");
        match spec.end {
            OrderEnd::ProviderTimer { min, max, step, .. } => {
                ensure!(!step.is_zero() && min <= max, "`{method}`: the timer's range holds no life");
                let shortest = spec.end.life(min);
                ensure!(
                    shortest.is_none_or(|life| life <= min)
                        && spec.end.life(max).is_some_and(|life| life <= max),
                    "`{method}`: the timer gives a life that is outside of its range"
                );
            }
            OrderEnd::Call { not_before, lives: Some(lives) } => {
                ensure!(not_before <= lives, "`{method}`: its orders end before a call may end them");
            }
            OrderEnd::Call { lives: None, .. } | OrderEnd::None => {}
        }
    }
    Ok(())
}

fn memo(subject: &dyn Subject) -> Verdict {
    let (one, other) = (Rig::new(subject)?, Rig::new(subject)?);
    for spec in &one.channel.descriptor().methods {
        let same = one.channel.memo(spec.method) == other.channel.memo(spec.method);
        ensure!(same, "the memo of `{}` differs from one time to the next", spec.method);
    }
    Ok(())
}

fn cancel_not_before(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    for spec in &rig.channel.descriptor().methods {
        let method = spec.method;
        opens(&format!("the close of `{method}`"), |at| rig.channel.cancel_not_before(method, at))?;
    }
    Ok(())
}

fn refund_not_before(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    opens("a refund", |at| rig.channel.refund_not_before(at))
}

/// At each minute of two days: kept back until a later moment at which it can go, within a day.
fn opens(what: &str, held_until: impl Fn(Timestamp) -> Option<Timestamp>) -> Verdict {
    for minute in 0..2 * 24 * 60 {
        let at = after(Duration::from_mins(minute));
        let Some(until) = held_until(at) else { continue };
        ensure!(until > at, "{what} is kept back at {at} until {until}, which is over");
        ensure!(
            until.since(at) <= Duration::from_hours(24),
            "{what} is kept back at {at} for more than a day"
        );
        ensure!(held_until(until).is_none(), "{what} is kept back at {at} until {until}, and then still is");
        ensure!(held_until(at) == Some(until), "{what} is kept back otherwise when asked again");
    }
    Ok(())
}

fn refund_number(subject: &dyn Subject) -> Verdict {
    let (rig, rng) = (Rig::new(subject)?, SeededRng::new(3));
    numbers("a refund", |at| {
        let id = RefundId::make(at, &rng);
        [rig.channel.refund_number(id, at), rig.channel.refund_number(id, at)]
    })
}

fn transfer_number(subject: &dyn Subject) -> Verdict {
    let (rig, rng) = (Rig::new(subject)?, SeededRng::new(4));
    numbers("a payout", |at| {
        let id = TransferId::make(at, &rng);
        [rig.channel.transfer_number(id, at), rig.channel.transfer_number(id, at)]
    })
}

/// A hundred of them: each its own, and the same for the same id.
fn numbers(what: &str, twice: impl Fn(Timestamp) -> [String; 2]) -> Verdict {
    let mut seen = BTreeSet::new();
    for minute in 0..100 {
        let [number, again] = twice(after(Duration::from_mins(minute)));
        ensure!(number == again, "the number of {what} differs from one time to the next");
        let is_number =
            (1..=NUMBER_CHARS_MAX).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_graphic());
        ensure!(is_number, "the number of {what}: 1 to {NUMBER_CHARS_MAX} printable ASCII characters");
        ensure!(seen.insert(number), "two of them have one number: {what}");
    }
    Ok(())
}
