//! Create: store, send, store, and try the next channel where that is safe. The second storing is in
//! `outcome`.

mod outcome;

use crate::catalog::{Catalog, ChannelEntry, FailoverUnknown, Route};
use crate::channel::OrderEnd;
use crate::clock::{Mono, Timestamp, within};
use crate::error::PaymentError;
use crate::ids::{AppId, AttemptId, ChannelId, PaymentId};
use crate::money::Money;
use crate::payment::request::{InvalidField, NewPayment};
use crate::payment::{Attempt, AttemptState, Capacity, Origin, Payment, Status};
use crate::router::{Ask, Router, Taken};
use crate::state::{Effect, Happening};
use crate::store::{Opened, Opening, StoreError};
use crate::transport::Destination;
use crate::wire::Endpoint;

use self::outcome::Ended;
use super::draft::opening_moves;
use super::figures::read_capacity;
use super::outflows::REPEAT_LOOK;
use super::schedule::ORPHAN_MARGIN;
use super::{CreateAnswer, Facts, Payments};

/// One dispatch: all attempts that one request makes.
struct Dispatch {
    app: AppId,
    request: NewPayment,
    started: Mono,
    /// A moment before the attempt that is to be sent was handed to the store.
    begun: Mono,
}

/// How a create began.
enum Begun {
    /// The payment is stored, and its first attempt may be sent.
    New(Box<Payment>),
    /// The order number is taken.
    Stands(Box<Payment>),
    /// Nothing was stored.
    Refused(PaymentError),
}

impl Payments {
    /// Takes a payment: the same order number with the same fields finds the stored one.
    ///
    /// Answers within the answer limit, with a payment that is `processing` if it must; its
    /// attempts run on. Once this has answered with a payment, it is durable.
    pub async fn create(&self, app: AppId, request: NewPayment) -> Result<CreateAnswer, PaymentError> {
        let this = self.clone();
        self.run(async move { this.create_now(app, request).await }).await
    }

    async fn create_now(&self, app: AppId, request: NewPayment) -> Result<CreateAnswer, PaymentError> {
        let catalog = self.catalog();
        let started = self.clock().mono();
        catalog.live().turn(started);
        catalog.live().begins(catalog.day_zone.day(self.now()));
        match self.begin(&catalog, &app, &request).await? {
            Begun::New(payment) => {
                crate::crash_point!("create.after_open");
                let dispatch = Dispatch { app, request, started, begun: started };
                let payment = self.dispatch_within(&catalog, *payment, dispatch).await?;
                Ok(CreateAnswer { payment, is_new: true })
            }
            Begun::Stands(stored) => self.repeat(*stored, &request, started, &catalog).await,
            // A repeat is answered whatever became of the configuration since.
            Begun::Refused(no) => match self.store().payment_by_order(&app, &request.order_no).await? {
                Some(stored) => self.repeat(stored, &request, started, &catalog).await,
                None => Err(no),
            },
        }
    }

    /// Stores the payment with its first attempt, on a channel that has room for it.
    async fn begin(
        &self,
        catalog: &Catalog,
        app: &AppId,
        request: &NewPayment,
    ) -> Result<Begun, PaymentError> {
        if let Err(error) = self.check_request(catalog, app, request) {
            return Ok(Begun::Refused(error.into()));
        }
        self.keep_version(catalog).await?;
        let mut full = Vec::new();
        loop {
            let ask = Ask { full: &full, ..Ask::of(catalog, app, request, self.now()) };
            let taken = match Router::new(catalog).take(&ask, &[], self.ports().rng.bits()) {
                Ok(taken) => taken,
                Err(no) => return Ok(Begun::Refused(PaymentError::NoChannel(no))),
            };
            let payment = self.new_payment(catalog, app, request, &taken);
            let capacity = opening_moves(catalog, &payment);
            match self.open(Opening::new(payment.clone(), taken.kept, capacity)).await? {
                Opened::New => return Ok(Begun::New(Box::new(payment))),
                Opened::Exists(stored) => return Ok(Begun::Stands(stored)),
                Opened::Full => self.found_full(catalog, &mut full, taken.channel).await,
            }
        }
    }

    /// A channel had less room left than was known here: it is not tried again for this payment, and all that is
    /// known of limits is read anew, for the payments after it.
    async fn found_full(&self, catalog: &Catalog, full: &mut Vec<ChannelId>, entry: &ChannelEntry) {
        metrics::counter!("paymux_capacity_races_total", "channel" => entry.id.to_string()).increment(1);
        full.push(entry.id.clone());
        if let Err(error) = read_capacity(catalog, self.store(), self.now()).await {
            tracing::warn!(%error, "what is used of the channels' limits could not be read");
        }
    }

    /// Whether a request keeps the rules that only the configuration tells. A front asks before it claims
    /// a key for the request; [`Self::create`] asks by itself.
    pub fn check_payment(&self, app: &AppId, request: &NewPayment) -> Result<(), InvalidField> {
        self.check_request(&self.catalog(), app, request)
    }

    fn check_request(
        &self,
        catalog: &Catalog,
        app: &AppId,
        request: &NewPayment,
    ) -> Result<(), InvalidField> {
        self.check_notify_url(catalog, app, request)?;
        Router::new(catalog).check_extra(&Ask::of(catalog, app, request, self.now()), request)
    }

    /// Stores a new payment. After an unconfirmed commit it is new all the same if it can be read.
    pub(super) async fn open(&self, opening: Opening) -> Result<Opened, StoreError> {
        let id = opening.payment.id;
        let (capacity, incomes) = (opening.capacity.clone(), opening.incomes.clone());
        crate::crash_point!("create.before_open" => return Err(StoreError::Unavailable("crash point".into())));
        let opened = match self.store().open(opening).await {
            Err(StoreError::Unconfirmed(why)) => match self.store().payment(id).await? {
                Some(_) => Opened::New,
                None => return Err(StoreError::Unconfirmed(why)),
            },
            answer => answer?,
        };
        if let Opened::New = opened {
            let catalog = self.catalog();
            catalog.live().take(&capacity);
            catalog.live().book(&incomes);
        }
        Ok(opened)
    }

    fn check_notify_url(
        &self,
        catalog: &Catalog,
        app: &AppId,
        request: &NewPayment,
    ) -> Result<(), InvalidField> {
        let Some(url) = &request.notify_url else { return Ok(()) };
        // A front signs as its protocol says.
        let is_signed =
            request.front.is_some() || catalog.app(app).is_some_and(|app| !app.notify_secrets.is_empty());
        if !is_signed {
            let rule =
                "this app has no `notify_secret`, so its notices could not be signed; configure one first";
            return Err(InvalidField::new("notify_url", rule));
        }
        self.check_notice_address(catalog, app, url)
    }

    /// Whether notices of that app may go there.
    pub(super) fn check_notice_address(
        &self,
        catalog: &Catalog,
        app: &AppId,
        url: &Endpoint,
    ) -> Result<(), InvalidField> {
        let app = catalog.app(app);
        // The transport lets plain http pass as soon as one app may use it.
        if !url.is_tls() && !app.is_some_and(|app| app.allow_http_notify) {
            return Err(InvalidField::new("notify_url", "the scheme must be https"));
        }
        let transport = &self.ports().transport;
        transport.check(Destination::Merchant, url).map_err(|why| InvalidField::new("notify_url", why))
    }

    /// The order number is taken: the stored payment if the request is the same, waited for if
    /// it is just being placed.
    async fn repeat(
        &self,
        stored: Payment,
        request: &NewPayment,
        started: Mono,
        catalog: &Catalog,
    ) -> Result<CreateAnswer, PaymentError> {
        if stored.fingerprint != fingerprint(catalog, request) {
            return Err(PaymentError::OrderMismatch(stored.order_no.to_string()));
        }
        let until = started.plus(catalog.timing.answer);
        let mut payment = stored;
        while is_being_placed(&payment) && self.clock().mono() < until {
            self.clock().sleep(REPEAT_LOOK).await;
            payment = self.reload(payment.id).await?;
        }
        Ok(CreateAnswer { payment, is_new: false })
    }

    pub(super) async fn reload(&self, id: PaymentId) -> Result<Payment, PaymentError> {
        let found = self.store().payment(id).await?;
        found.ok_or_else(|| PaymentError::Internal(format!("payment {id} is gone")))
    }

    /// Runs the dispatch in a task of its own and waits for it as long as an answer may take.
    async fn dispatch_within(
        &self,
        catalog: &Catalog,
        payment: Payment,
        dispatch: Dispatch,
    ) -> Result<Payment, PaymentError> {
        let id = payment.id;
        let left = dispatch.started.plus(catalog.timing.answer).left(self.clock().mono());
        let this = self.clone();
        // Boxed, since it holds payments and decisions: who waits has no room for them all.
        let task = self.spawn(async move { Box::pin(this.dispatch(payment, dispatch)).await });
        match within(self.clock(), left, task).await {
            Some(Some(Some(payment))) => Ok(payment),
            Some(_) | None => self.reload(id).await,
        }
    }

    /// Sends the live attempt, stores its outcome, and goes on to the next channel while that is
    /// safe. `None` when the store did not take the outcome: a worker finds it.
    async fn dispatch(&self, mut payment: Payment, mut dispatch: Dispatch) -> Option<Payment> {
        loop {
            let catalog = self.catalog();
            let attempt = payment.live()?.clone();
            let entry = catalog.channel(&attempt.channel)?.clone();
            let placed =
                self.place(&catalog, &entry, &payment, &attempt, &dispatch.request, dispatch.begun).await;
            let limit = entry.request_limit(payment.method, &catalog.timing);
            let until = dispatch.begun.plus(limit).plus(ORPHAN_MARGIN);
            let ended = Ended { attempt: attempt.id, fence: attempt.fence, placed, until };
            let stored = self.store_outcome(&catalog, payment, &ended, &mut dispatch).await?;
            let goes_on =
                stored.live().is_some_and(|a| a.state == AttemptState::Sending && a.id != attempt.id);
            payment = stored;
            if !goes_on {
                return Some(payment);
            }
        }
    }

    fn new_payment(
        &self,
        catalog: &Catalog,
        app: &AppId,
        request: &NewPayment,
        taken: &Taken<'_>,
    ) -> Payment {
        let now = self.now();
        let zero = Money::zero(request.amount.currency());
        let mut payment = Payment {
            id: PaymentId::make(now, self.ports().rng.as_ref()),
            app: app.clone(),
            order_no: request.order_no.clone(),
            status: Status::Processing,
            amount: request.amount,
            amount_received: zero,
            amount_discount: zero,
            amount_refunded: zero,
            method: request.method,
            subject: request.subject.clone(),
            livemode: taken.channel.channel.descriptor().livemode,
            held: None,
            next_action: None,
            created_at: now,
            expires_at: now.plus(request.expires_in),
            paid_at: None,
            failure: None,
            metadata: request.metadata.clone(),
            return_url: request.return_url.clone(),
            notify_url: request.notify_url.as_ref().map(|url| url.as_str().to_owned()),
            route: taken.route.name.clone(),
            fingerprint: fingerprint(catalog, request),
            version: 1,
            events: 0,
            cancel_requested: false,
            front: request.front.clone(),
            origin: Origin::Created,
            attempts: Vec::new(),
        };
        payment.attempts.push(self.new_attempt(catalog, taken.channel, &payment, now));
        payment
    }

    /// An attempt that is about to be sent. Its first look comes when its sender must be gone.
    fn new_attempt(
        &self,
        catalog: &Catalog,
        entry: &ChannelEntry,
        payment: &Payment,
        now: Timestamp,
    ) -> Attempt {
        let id = AttemptId::make(now, self.ports().rng.as_ref());
        let limit = entry.request_limit(payment.method, &catalog.timing);
        Attempt {
            id,
            channel: entry.id.clone(),
            provider: entry.channel.descriptor().provider.to_owned(),
            number: id.order_number(),
            state: AttemptState::Sending,
            fence: 1,
            memo: entry.channel.memo(payment.method),
            reference: None,
            trade_no: None,
            received: None,
            more: Vec::new(),
            refunding: 0,
            refunded: 0,
            failure: None,
            created_at: now,
            ends_at: ends_at(entry, payment, now),
            check_at: Some(now.plus(limit).plus(ORPHAN_MARGIN)),
            checks: 0,
            closing_until: None,
            contested: 0,
            said_paid_at: None,
            capacity: capacity(catalog, entry, payment, now),
        }
    }
}

/// What an attempt that is made at that moment takes of its channel's limits.
fn capacity(catalog: &Catalog, entry: &ChannelEntry, payment: &Payment, now: Timestamp) -> Capacity {
    let counts = entry.rules.has_day() && entry.rules.currency == payment.amount.currency();
    Capacity {
        day: counts.then(|| catalog.day_zone.day(now)),
        reserved: if counts { payment.amount.minor() } else { 0 },
        in_flight: entry.rules.in_flight_max.is_some(),
    }
}

/// By which a repeat of that request is known. A provider field is secret as soon as one channel
/// says so.
fn fingerprint(catalog: &Catalog, request: &NewPayment) -> String {
    let is_secret =
        |name: &str| catalog.channels().iter().any(|entry| entry.channel.descriptor().is_secret_extra(name));
    request.fingerprint(is_secret)
}

/// Whether the payment's first call may still be under way in some process.
fn is_being_placed(payment: &Payment) -> bool {
    payment.status == Status::Processing && payment.live().is_some_and(|a| a.state == AttemptState::Sending)
}

/// When the provider's order shall end: never later than the payment.
fn ends_at(entry: &ChannelEntry, payment: &Payment, now: Timestamp) -> Timestamp {
    let left = payment.expires_at.since(now);
    let end = entry.channel.descriptor().method(payment.method).map_or(OrderEnd::None, |spec| spec.end);
    now.plus(end.life(left).unwrap_or(left))
}

/// Whether an unknown attempt, never shown to anyone, may be abandoned.
pub(crate) fn may_be_given_up(
    catalog: &Catalog,
    route: &Route,
    payment: &Payment,
    attempt: &Attempt,
) -> bool {
    let payer_must_act = super::site(catalog, payment, attempt).is_some_and(|(_, spec)| spec.payer_must_act);
    payer_must_act && route.failover_unknown == FailoverUnknown::Abandon
}

impl Payments {
    /// Applies what a worker or a query learnt of an attempt; reads again and decides anew when
    /// somebody was faster. Returns the payment as it is then.
    pub(crate) async fn learn(
        &self,
        mut payment: Payment,
        attempt: AttemptId,
        happening: Happening,
        facts: &Facts,
    ) -> Result<Payment, PaymentError> {
        const TRIES: u32 = 5;
        for _ in 0..TRIES {
            crate::crash_point!("learn.before_store");
            let catalog = self.catalog();
            let mut draft = self.draft(&catalog, &payment);
            if draft.happen(attempt, happening, facts.clone()) == Effect::Next {
                draft.conclude();
            }
            let is_empty = draft.payment() == &payment;
            let stored = self.commit(draft).await?;
            crate::crash_point!("learn.after_store");
            match stored {
                Some(stored) => return Ok(stored),
                None if is_empty => return Ok(payment),
                None => payment = self.reload(payment.id).await?,
            }
        }
        Err(PaymentError::InFlight)
    }
}
