//! Notices in a front's protocol: its fields, its sign made anew for each try, its acknowledgement, and its schedule
//! first. After that ours goes on, up to three days: a client that was away for longer than its protocol waits is
//! told all the same.

use std::sync::Arc;
use std::time::Duration;

use crate::acceptor::{Acceptor, FrontAccount, FrontFact};
use crate::catalog::Catalog;
use crate::ids::TransferId;
use crate::payments::{Payments, front_of, order_of, payout_of, refund_of};
use crate::store::{DeliveryOutcome, DueDelivery, Event, EventKind, Subject};
use crate::transport::Undelivered;
use crate::wire::{Endpoint, WireRequest, WireResponse};

/// What is to be told, and in whose name.
pub(super) struct FrontNotice {
    acceptor: Arc<dyn Acceptor>,
    account: FrontAccount,
    fact: FrontFact,
}

impl Payments {
    /// What that event tells in the protocol in which its payment or transfer was asked for; `None` where it was asked
    /// for natively.
    ///
    /// # Errors
    /// Why it cannot be told now.
    pub(super) async fn front_notice(
        &self,
        catalog: &Catalog,
        event: &Event,
    ) -> Result<Option<FrontNotice>, String> {
        // An app that has no front has no payment of one: nothing is read for it.
        if !catalog.fronts.knows(&event.app) {
            return Ok(None);
        }
        let id = match event.subject {
            Subject::Payment(id) => id,
            Subject::Transfer(id) => return self.payout_notice(catalog, event, id).await,
        };
        let payment = self.store().payment(id).await.map_err(|error| error.to_string())?;
        let payment = payment.ok_or("the payment is gone")?;
        if payment.front.is_none() {
            return Ok(None);
        }
        let front = front_of(catalog, &payment).ok_or("its front is gone")?;
        let account = front.account(&event.app).ok_or("the app has no credentials in this front any more")?;
        let acceptor = front.acceptor();
        let fact = match event.kind {
            EventKind::RefundSucceeded => {
                let id = refund_id(event).ok_or("the event names no refund")?;
                let refund = self.store().refund(id).await.map_err(|error| error.to_string())?;
                let refund = refund.ok_or("the refund is gone")?;
                FrontFact::Refunded(Box::new(refund_of(&refund, &payment, acceptor.as_ref())))
            }
            _ => FrontFact::Paid(Box::new(order_of(&payment, acceptor.as_ref()))),
        };
        Ok(Some(FrontNotice { acceptor: acceptor.clone(), account: account.clone(), fact }))
    }

    async fn payout_notice(
        &self,
        catalog: &Catalog,
        event: &Event,
        id: TransferId,
    ) -> Result<Option<FrontNotice>, String> {
        let transfer = self.store().transfer(id).await.map_err(|error| error.to_string())?;
        let transfer = transfer.ok_or("the transfer is gone")?;
        let Some(note) = &transfer.front else { return Ok(None) };
        let front = catalog.fronts.of(&note.slug).ok_or("its front is gone")?;
        let account = front.account(&event.app).ok_or("the app has no credentials in this front any more")?;
        let fact = FrontFact::PaidOut(Box::new(payout_of(&transfer)));
        Ok(Some(FrontNotice { acceptor: front.acceptor().clone(), account: account.clone(), fact }))
    }

    pub(super) async fn tell_in_front(
        &self,
        catalog: &Catalog,
        due: &DueDelivery,
        notice: FrontNotice,
    ) -> (DeliveryOutcome, String) {
        let FrontNotice { acceptor, account, fact } = notice;
        let url = match self.address(&due.event) {
            Ok(url) => url,
            Err(why) => return (self.again_in_front(catalog, due, acceptor.as_ref()), why),
        };
        let message = acceptor.notice(&account, &fact, self.now());
        let call = self.outgoing(catalog, &url, addressed(&url, message));
        let answer = self.ports().transport.send(call).await;
        self.judge_in_front(catalog, due, acceptor.as_ref(), answer)
    }

    /// The protocol's acknowledgement, and nothing else, ends the repeats.
    fn judge_in_front(
        &self,
        catalog: &Catalog,
        due: &DueDelivery,
        acceptor: &dyn Acceptor,
        answer: Result<WireResponse, Undelivered>,
    ) -> (DeliveryOutcome, String) {
        let again = || self.again_in_front(catalog, due, acceptor);
        match answer {
            Ok(answer) if acceptor.acknowledged(&answer) => {
                (DeliveryOutcome::Delivered(self.now()), format!("status {}, acknowledged", answer.status))
            }
            Ok(answer) => (again(), format!("status {}, not acknowledged", answer.status)),
            Err(failure) => (again(), failure.to_string()),
        }
    }

    fn again_in_front(
        &self,
        catalog: &Catalog,
        due: &DueDelivery,
        acceptor: &dyn Acceptor,
    ) -> DeliveryOutcome {
        let theirs = acceptor.schedule();
        match pause(theirs, &catalog.notice_schedule, due.tries) {
            None => DeliveryOutcome::Dead,
            Some(Pause::Theirs(pause)) => DeliveryOutcome::Again(self.now().plus(pause)),
            Some(Pause::Ours(pause)) => DeliveryOutcome::Again(self.now().plus(self.spread(pause))),
        }
    }
}

/// How long the next try waits, and by whose schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pause {
    Theirs(Duration),
    Ours(Duration),
}

/// The protocol's moments after the first try; then those of ours, counted from the first try too, that are later than
/// its last one.
fn pause(theirs: &[Duration], ours: &[Duration], tries: u32) -> Option<Pause> {
    let place = usize::try_from(tries).ok()?;
    let before = |place: usize| place.checked_sub(1).and_then(|place| theirs.get(place)).copied();
    if let Some(moment) = theirs.get(place) {
        return Some(Pause::Theirs(moment.saturating_sub(before(place).unwrap_or_default())));
    }
    let last = theirs.last().copied().unwrap_or_default();
    let moments = ours.iter().scan(Duration::ZERO, |sum, pause| {
        *sum += *pause;
        Some(*sum)
    });
    let later: Vec<Duration> = std::iter::once(last).chain(moments.filter(|moment| *moment > last)).collect();
    let place = place - theirs.len();
    let (from, to) = (later.get(place)?, later.get(place + 1)?);
    Some(Pause::Ours(to.saturating_sub(*from)))
}

/// The notice with the receiver's path, and its query before the protocol's own, where that signs there.
fn addressed(url: &Endpoint, message: WireRequest) -> WireRequest {
    let (path, query) = url.path_and_query();
    let parts: Vec<&str> = query.into_iter().chain(message.query.as_deref()).collect();
    let query = (!parts.is_empty()).then(|| parts.join("&"));
    WireRequest { path: path.to_owned(), query, ..message }
}

/// The refund of which our own body of the event tells.
fn refund_id(event: &Event) -> Option<crate::ids::RefundId> {
    let body: serde_json::Value = serde_json::from_str(&event.body).ok()?;
    body["data"]["id"].as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notices::SCHEDULE;
    use crate::wire::{PlainHttp, Verb};

    #[test]
    fn the_protocols_schedule_comes_first_and_ours_goes_on() {
        let seconds = |list: &[u64]| list.iter().copied().map(Duration::from_secs).collect::<Vec<_>>();
        let (theirs, ours) = (seconds(&[2, 4, 8]), seconds(&[5, 10, 20]));
        check(&theirs, &ours, 0, Some(Pause::Theirs(Duration::from_secs(2))));
        check(&theirs, &ours, 1, Some(Pause::Theirs(Duration::from_secs(2))));
        check(&theirs, &ours, 2, Some(Pause::Theirs(Duration::from_secs(4))));
        // Ours are 5, 15 and 35 s after the first try; the first of them is over.
        check(&theirs, &ours, 3, Some(Pause::Ours(Duration::from_secs(7))));
        check(&theirs, &ours, 4, Some(Pause::Ours(Duration::from_secs(20))));
        check(&theirs, &ours, 5, None);
        check(&theirs, &[], 3, None);
        check(&[], &ours, 0, Some(Pause::Ours(Duration::from_secs(5))));
        check(&[], &ours, 1, Some(Pause::Ours(Duration::from_secs(10))));
        check(&[], &ours, 3, None);

        #[track_caller]
        fn check(theirs: &[Duration], ours: &[Duration], tries: u32, want: Option<Pause>) {
            assert_eq!(pause(theirs, ours, tries), want, "{theirs:?} {ours:?} {tries}");
        }
    }

    #[test]
    fn both_together_last_as_long_as_ours_alone() {
        let theirs: Vec<Duration> = (1..=17).map(|power| Duration::from_secs(1 << power)).collect();
        let mut all = Duration::ZERO;
        let mut tries = 0;
        while let Some(Pause::Theirs(pause) | Pause::Ours(pause)) = pause(&theirs, &SCHEDULE, tries) {
            all += pause;
            tries += 1;
        }
        assert_eq!(all, SCHEDULE.iter().sum::<Duration>());
        assert!(tries > 17, "{tries}");
    }

    #[test]
    fn the_receivers_query_stays() {
        check("https://h/n", None, "/n", None);
        check("https://h/n?a=1", None, "/n", Some("a=1"));
        check("https://h/n?a=1", Some("sign=x"), "/n", Some("a=1&sign=x"));
        check("https://h", Some("sign=x"), "/", Some("sign=x"));

        #[track_caller]
        fn check(url: &str, own: Option<&str>, path: &str, query: Option<&str>) {
            let url = Endpoint::parse(url, PlainHttp::Anywhere).unwrap();
            let mut message = WireRequest::new(Verb::Post, "/");
            message.query = own.map(str::to_owned);
            let message = addressed(&url, message);
            assert_eq!((message.path.as_str(), message.query.as_deref()), (path, query));
        }
    }
}
