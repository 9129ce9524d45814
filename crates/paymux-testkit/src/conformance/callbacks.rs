//! Callbacks: what is believed, what is not, and how it is answered.

use std::time::Duration;

use paymux_core::WireRequest;
use paymux_core::acceptor::{FrontFact, FrontOrder};
use paymux_core::channel::{Claim, ClaimKind, Evidence, Verdict as Taken};
use paymux_core::{Money, Verb};

use super::case::{Case, Verdict};
use super::place::Place;
use super::rig::{NUMBER, OTHER, Rig, after};
use super::subject::{Key, Recorded, Signing, Subject};

pub(super) const CASES: &[Case] = &[
    Case::pure("verify_callback::good", good),
    Case::pure("verify_callback::recorded", recorded),
    Case::pure("verify_callback::forged", forged),
    Case::pure("verify_callback::sign_missing", sign_missing),
    Case::pure("verify_callback::sign_case", sign_case),
    Case::pure("verify_callback::other_account", other_account),
    Case::pure("verify_callback::previous", previous),
    Case::pure("verify_callback::repeated", repeated),
    Case::pure("verify_callback::wrong_amount", wrong_amount),
    Case::pure("verify_callback::unsigned", unsigned),
    Case::pure("fits::good", fits),
    Case::pure("acknowledge::exact", acknowledge),
    Case::pure("verify_return::signed", way_back),
];

/// A callback of an order's money, and the channel that it is for.
struct Told<'s> {
    rig: Rig<'s>,
    request: WireRequest,
}

impl<'s> Told<'s> {
    fn of(subject: &'s dyn Subject, key: Key, change: impl FnOnce(&mut FrontOrder)) -> Result<Self, String> {
        let rig = Rig::new(subject)?;
        let mut order = rig.paid_order(NUMBER)?;
        change(&mut order);
        let request = subject.callback(key, &FrontFact::Paid(Box::new(order)), after(Duration::ZERO));
        Ok(Self { rig, request })
    }

    fn good(subject: &'s dyn Subject) -> Result<Self, String> {
        Self::of(subject, Key::Current, |_| ())
    }

    /// What it claims; it must be believed.
    fn claim(&self) -> Result<Claim, String> {
        claim(&self.rig, &self.request, "a callback with a right sign")
    }

    /// Whether a message is believed in its place.
    fn refuses(&self, request: &WireRequest, what: &str) -> Verdict {
        let claim = self.rig.channel.verify_callback(request);
        ensure!(claim.is_err(), "{what} is believed: {claim:?}");
        Ok(())
    }
}

fn claim(rig: &Rig<'_>, request: &WireRequest, what: &str) -> Result<Claim, String> {
    rig.channel.verify_callback(request).map_err(|error| format!("{what} is not believed: {error}"))
}

/// The subject named a place that its callback does not have.
fn missing(place: Place) -> String {
    format!("`signing()`: there is no {place:?} in `callback()`")
}

fn good(subject: &dyn Subject) -> Verdict {
    let told = Told::good(subject)?;
    let (claim, amount) = (told.claim()?, told.rig.order(NUMBER)?.amount);
    ensure!(claim.number == NUMBER, "it is about `{}`, and the claim about `{}`", NUMBER, claim.number);
    ensure!(claim.kind == ClaimKind::Paid, "it tells of a payment, and the claim is {:?}", claim.kind);
    ensure!(claim.received == amount, "it tells of {amount}, and the claim of {}", claim.received);
    let asked = claim.order_amount;
    ensure!(
        asked.is_none_or(|asked| asked == amount),
        "the order was of {amount}, and the claim says {asked:?}"
    );
    ensure!(!claim.event_key.is_empty(), "`event_key` is empty");
    let again = told.claim()?;
    ensure!(again == claim, "the same message is another claim when it is read again");
    Ok(())
}

fn recorded(subject: &dyn Subject) -> Verdict {
    let mut count = 0_usize;
    for recorded in subject.recorded() {
        let Recorded::Callback { what, settings, request, number, received } = recorded else { continue };
        count += 1;
        let method = subject.methods().first().copied().ok_or("`methods()`: list at least one")?;
        let rig = Rig::of(subject, method, settings)?;
        let claim = claim(&rig, &request, &what)?;
        ensure!(
            claim.number == number && claim.received == received,
            "{what} tells of `{number}` and {received}, and the claim of `{}` and {}",
            claim.number,
            claim.received
        );
    }
    ensure!(count > 0, "`recorded()`: give at least one callback with its sign");
    Ok(())
}

fn forged(subject: &dyn Subject) -> Verdict {
    let told = Told::good(subject)?;
    told.claim()?;
    let Signing { sign, covers, .. } = subject.signing();
    ensure!(!covers.is_empty(), "`signing()`: say what the sign covers");
    for place in covers.iter().chain([&sign]) {
        let forged = place.changed(&told.request).ok_or_else(|| missing(*place))?;
        for request in forged {
            told.refuses(&request, &format!("a callback with another {place:?}"))?;
        }
    }
    Ok(())
}

fn sign_missing(subject: &dyn Subject) -> Verdict {
    let told = Told::good(subject)?;
    let sign = subject.signing().sign;
    for request in sign.removed(&told.request).ok_or_else(|| missing(sign))? {
        told.refuses(&request, "a callback without its sign")?;
    }
    told.refuses(&WireRequest::new(Verb::Post, "/"), "an empty callback")
}

fn sign_case(subject: &dyn Subject) -> Verdict {
    let told = Told::good(subject)?;
    let sign = subject.signing().sign;
    let other = sign.in_other_case(&told.request).ok_or_else(|| missing(sign))?;
    ensure!(other != told.request, "`callback()`: the sign has no letter, so its case proves nothing");
    told.refuses(&other, "a callback whose sign has the other letter case")
}

fn other_account(subject: &dyn Subject) -> Verdict {
    let told = Told::of(subject, Key::Stranger, |_| ())?;
    let good = Told::good(subject)?;
    ensure!(good.request != told.request, "`callback()`: a stranger's is the account's own");
    told.refuses(&told.request, "another account's callback")
}

fn previous(subject: &dyn Subject) -> Verdict {
    let keys = subject.callback_keys();
    let (new, old) = (Told::good(subject)?, Told::of(subject, Key::Previous, |_| ())?);
    claim(&new.rig, &new.request, "during a change of secrets, the current one")?;
    claim(&old.rig, &old.request, "during a change of secrets, the previous one")?;
    let mut settings = subject.settings();
    ensure!(settings.contains_key(keys.current), "`callback_keys()`: `settings()` has no `{}`", keys.current);
    let removed = settings.remove(keys.previous);
    ensure!(removed.is_some(), "`callback_keys()`: `settings()` has no `{}`", keys.previous);
    let rig = Rig::of(subject, new.rig.method, settings)?;
    claim(&rig, &new.request, "after a change of secrets, the current one")?;
    let stale = rig.channel.verify_callback(&old.request);
    ensure!(stale.is_err(), "after a change of secrets the previous one is still believed");
    Ok(())
}

fn repeated(subject: &dyn Subject) -> Verdict {
    let told = Told::good(subject)?;
    let first = told.claim()?;
    let fact = FrontFact::Paid(Box::new(told.rig.paid_order(NUMBER)?));
    let later = subject.callback(Key::Current, &fact, after(Duration::from_mins(1)));
    let again = claim(&told.rig, &later, "the same callback a minute later")?;
    ensure!(
        again.event_key == first.event_key,
        "the same fact has one `event_key`, and a minute later another"
    );
    let other = Told::of(subject, Key::Current, |order| OTHER.clone_into(&mut order.number))?.claim()?;
    ensure!(other.event_key != first.event_key, "two orders that were paid share an `event_key`");
    Ok(())
}

fn wrong_amount(subject: &dyn Subject) -> Verdict {
    for (asked, received) in [(1, 1), (0, -1)] {
        let amount = Told::good(subject)?.rig.order(NUMBER)?.amount;
        let plus = |more: i64| Money::new(amount.minor() + more, amount.currency());
        let told = Told::of(subject, Key::Current, |order| {
            order.amount = plus(asked);
            order.received = Some(plus(received));
        })?;
        let claim = told.claim()?;
        ensure!(
            claim.received == plus(received),
            "it tells of {}, and the claim of {}: the core compares it with the order",
            plus(received),
            claim.received
        );
    }
    Ok(())
}

fn unsigned(subject: &dyn Subject) -> Verdict {
    let told = Told::good(subject)?;
    let good = told.claim()?;
    for place in subject.signing().leaves_out {
        for request in place.changed(&told.request).ok_or_else(|| missing(*place))? {
            let Ok(claim) = told.rig.channel.verify_callback(&request) else { continue };
            let same = (&claim.number, claim.kind, claim.received, &claim.event_key)
                == (&good.number, good.kind, good.received, &good.event_key);
            ensure!(
                same || claim.evidence == Evidence::AskProvider,
                "no sign covers {place:?}, and it decides: {claim:?}"
            );
        }
    }
    Ok(())
}

fn fits(subject: &dyn Subject) -> Verdict {
    let told = Told::good(subject)?;
    let (claim, order) = (told.claim()?, told.rig.order_ref(NUMBER)?);
    let fits = told.rig.channel.fits(&told.request, &claim, &order);
    ensure!(fits.is_ok(), "a callback of that very order does not fit it: {fits:?}");
    Ok(())
}

fn acknowledge(subject: &dyn Subject) -> Verdict {
    let (rig, want) = (Rig::new(subject)?, subject.acknowledgement());
    let [accepted, rejected, again] =
        [Taken::Accepted, Taken::Rejected, Taken::TryAgain].map(|taken| rig.channel.acknowledge(taken));
    let is_exact = (accepted.status, &accepted.body) == (want.status, &want.body);
    ensure!(
        is_exact,
        "what was stored is answered {} {:?}, and the provider wants {} {:?}",
        accepted.status,
        accepted.body,
        want.status,
        want.body
    );
    for (what, answer) in [("what is not believed", rejected), ("what could not be stored", again)] {
        let ends = (answer.status, &answer.body) == (want.status, &want.body);
        ensure!(!ends, "{what} is answered as if it were stored");
    }
    Ok(())
}

fn way_back(subject: &dyn Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    let order = rig.paid_order(NUMBER)?;
    let anybody = WireRequest::new(Verb::Get, "/return/conformance").query(format!("number={NUMBER}&paid=1"));
    let believed = rig.channel.verify_return(&anybody);
    ensure!(believed.is_err(), "a way back without a sign is believed: {believed:?}");
    let Some(good) = subject.way_back(Key::Current, &order) else { return Ok(()) };
    let read = rig.channel.verify_return(&good.request);
    ensure!(read.as_deref() == Ok(NUMBER), "a signed way back from `{NUMBER}` is read as {read:?}");
    for place in good.signing.covers.iter().chain([&good.signing.sign]) {
        for request in place.changed(&good.request).ok_or_else(|| missing(*place))? {
            let believed = rig.channel.verify_return(&request);
            ensure!(believed.is_err(), "a way back with another {place:?} is believed: {believed:?}");
        }
    }
    let stranger = subject.way_back(Key::Stranger, &order).ok_or("`way_back()`: give a stranger's too")?;
    ensure!(rig.channel.verify_return(&stranger.request).is_err(), "another account's way back is believed");
    Ok(())
}
