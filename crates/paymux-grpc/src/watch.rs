//! Payments that clients watch: each is followed by one task, however many watch it, and each watcher hears each state
//! once, from the present one to the last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use paymux_core::catalog::Scope;
use paymux_core::{AppId, Payment, PaymentId, Payments};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::{refusal, reply, v1};

/// How often a payment that is watched is looked at. What this node changes it hears of at once; this finds what
/// others do.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long one stream lasts.
const LIFE: Duration = Duration::from_mins(30);
/// How many streams one app may have open.
const PER_APP_MAX: usize = 100;
/// How many streams this process has open.
const MAX: usize = 1000;

/// Stands in the extensions of an answer whose body goes on for long: the connection is not idle meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct Lasting;

/// Tells those who watch a payment that it has changed. Whoever sees what is stored calls it.
#[derive(Debug, Clone, Default)]
pub struct Nudges(Arc<Mutex<BTreeMap<PaymentId, Followed>>>);

/// A payment that somebody watches.
#[derive(Debug)]
struct Followed {
    latest: watch::Sender<Arc<Payment>>,
    nudge: Arc<Notify>,
}

impl Nudges {
    /// That payment has changed. Returns at once.
    pub fn changed(&self, payment: PaymentId) {
        if let Some(followed) = self.followed().get(&payment) {
            followed.nudge.notify_one();
        }
    }

    fn followed(&self) -> MutexGuard<'_, BTreeMap<PaymentId, Followed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows that payment from here on; the second is given where somebody has to do it.
    fn subscribe(&self, payment: Payment) -> (watch::Receiver<Arc<Payment>>, Option<Arc<Notify>>) {
        let mut all = self.followed();
        if let Some(followed) = all.get(&payment.id) {
            let receiver = followed.latest.subscribe();
            tell(&followed.latest, payment);
            // A receiver takes what is there when it is made for seen; its owner looks at it first.
            return (receiver, None);
        }
        let (id, nudge) = (payment.id, Arc::new(Notify::new()));
        let (latest, receiver) = watch::channel(Arc::new(payment));
        all.insert(id, Followed { latest, nudge: Arc::clone(&nudge) });
        (receiver, Some(nudge))
    }

    /// Whether somebody still watches it; it is forgotten otherwise.
    fn is_watched(&self, id: PaymentId) -> bool {
        let mut all = self.followed();
        let is_watched = all.get(&id).is_some_and(|followed| followed.latest.receiver_count() > 0);
        if !is_watched {
            all.remove(&id);
        }
        is_watched
    }

    /// Passes on how it stands now. False at its end, after which it is forgotten.
    fn pass_on(&self, payment: Payment) -> bool {
        let (id, is_over) = (payment.id, payment.status.is_over());
        let mut all = self.followed();
        if let Some(followed) = all.get(&id) {
            tell(&followed.latest, payment);
        }
        if is_over {
            all.remove(&id);
        }
        !is_over
    }
}

/// Only what is newer is news: two may have read it at once.
fn tell(latest: &watch::Sender<Arc<Payment>>, payment: Payment) {
    latest.send_if_modified(|known| {
        let is_news = payment.version > known.version;
        if is_news {
            *known = Arc::new(payment);
        }
        is_news
    });
}

/// Who watches what.
#[derive(Debug, Clone)]
pub(crate) struct Watches {
    payments: Payments,
    nudges: Nudges,
    places: Arc<Mutex<Places>>,
    shutdown: CancellationToken,
}

#[derive(Debug, Default)]
struct Places {
    taken: usize,
    by_app: BTreeMap<AppId, usize>,
}

/// One stream's place; given back when dropped.
#[derive(Debug)]
struct Place {
    places: Arc<Mutex<Places>>,
    app: AppId,
}

impl Watches {
    pub(crate) fn new(payments: Payments, nudges: Nudges, shutdown: CancellationToken) -> Self {
        Self { payments, nudges, places: Arc::default(), shutdown }
    }

    /// The states of that payment of that app.
    pub(crate) fn open(
        &self,
        app: AppId,
        payment: Payment,
    ) -> Result<impl Stream<Item = Result<v1::Payment, Status>> + Send + 'static, Status> {
        let place = Place::take(&self.places, app)?;
        let id = payment.id;
        let (receiver, to_do) = self.nudges.subscribe(payment);
        if let Some(nudge) = to_do {
            tokio::spawn(self.clone().follow(id, nudge));
        }
        let watcher =
            Watcher { watches: self.clone(), place, receiver, until: Instant::now() + LIFE, told: None };
        Ok(unfold(Some(watcher), |watcher| async {
            let mut watcher = watcher?;
            Some(match watcher.next().await {
                Ok((message, Going::On)) => (Ok(message), Some(watcher)),
                Ok((message, Going::Over)) => (Ok(message), None),
                Err(status) => (Err(status), None),
            })
        }))
    }

    /// Looks at a payment again and again, until it has ended or nobody watches it.
    async fn follow(self, id: PaymentId, nudge: Arc<Notify>) {
        loop {
            tokio::select! {
                () = nudge.notified() => {}
                () = sleep(LOOK_EVERY) => {}
                () = self.shutdown.cancelled() => return,
            }
            if !self.nudges.is_watched(id) {
                return;
            }
            match self.payments.find_for_payer(id).await {
                Ok(payment) => {
                    if !self.nudges.pass_on(payment) {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a payment that is watched could not be read; it is tried again")
                }
            }
        }
    }
}

impl Place {
    fn take(places: &Arc<Mutex<Places>>, app: AppId) -> Result<Self, Status> {
        let mut all = places.lock().unwrap_or_else(PoisonError::into_inner);
        if all.taken >= MAX {
            return Err(refusal::too_many_watches(MAX, "all apps together"));
        }
        let of_app = all.by_app.entry(app.clone()).or_default();
        if *of_app >= PER_APP_MAX {
            return Err(refusal::too_many_watches(PER_APP_MAX, "an app"));
        }
        *of_app += 1;
        all.taken += 1;
        Ok(Self { places: Arc::clone(places), app })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        all.taken = all.taken.saturating_sub(1);
        if let Some(of_app) = all.by_app.get_mut(&self.app) {
            *of_app = of_app.saturating_sub(1);
        }
    }
}

/// One stream.
struct Watcher {
    watches: Watches,
    place: Place,
    receiver: watch::Receiver<Arc<Payment>>,
    until: Instant,
    /// What its client has heard last; nothing at first.
    told: Option<v1::Payment>,
}

/// Whether a state is followed by others.
enum Going {
    On,
    Over,
}

impl Watcher {
    /// The next state that its client has not heard, or why there will be none.
    async fn next(&mut self) -> Result<(v1::Payment, Going), Status> {
        loop {
            if self.told.is_some() {
                self.change().await?;
            }
            let payments = &self.watches.payments;
            // A stream is long: the app may have lost the right to it.
            payments.check_scope(&self.place.app, Scope::Payments).map_err(|error| refusal::of(&error))?;
            let payment = Arc::clone(&self.receiver.borrow_and_update());
            let message = reply::payment(&payments.catalog(), &payment);
            if self.told.as_ref() == Some(&message) {
                continue;
            }
            self.told = Some(message.clone());
            return Ok((message, if payment.status.is_over() { Going::Over } else { Going::On }));
        }
    }

    /// Returns once there is something newer.
    async fn change(&mut self) -> Result<(), Status> {
        tokio::select! {
            biased;
            changed = self.receiver.changed() => changed.map_err(|_gone| refusal::stopping()),
            () = self.watches.shutdown.cancelled() => Err(refusal::stopping()),
            () = sleep_until(self.until) => Err(refusal::watch_is_over()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_has_so_many_places_and_gets_them_back() {
        let places = Arc::default();
        let app = |id: &str| AppId::new(id).unwrap();
        let mut held: Vec<Place> =
            (0..PER_APP_MAX).map(|_| Place::take(&places, app("shop")).unwrap()).collect();
        assert_eq!(Place::take(&places, app("shop")).unwrap_err().code(), tonic::Code::ResourceExhausted);
        let other = Place::take(&places, app("other")).unwrap();
        held.pop();
        held.push(Place::take(&places, app("shop")).unwrap());
        for n in 0..MAX - PER_APP_MAX - 1 {
            held.push(Place::take(&places, app(&format!("app{}", n / PER_APP_MAX))).unwrap());
        }
        assert!(Place::take(&places, app("late")).unwrap_err().message().contains("all apps"));
        drop((held, other));
        assert_eq!(places.lock().unwrap().taken, 0);
    }
}
