//! Notices out: the worker that tells merchants what happened, at least once, signed as Standard
//! Webhooks 1.0 says.
//!
//! Any number of nodes may run one; leases share the work. A dead endpoint holds nobody else up: only a
//! few deliveries of one app are under way at once, over all rounds, and what has its answer is reported
//! while others of its round still wait for theirs.

mod front;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, Stream, StreamExt as _};
use paymux_sign::{WEBHOOK_ID_HEADER, WEBHOOK_SIGNATURE_HEADER, WEBHOOK_TIMESTAMP_HEADER, WebhookMessage};

use crate::catalog::{App, Catalog};
use crate::clock::Timestamp;
use crate::error::PaymentError;
use crate::payments::Payments;
use crate::random::below;
use crate::store::{DeliveryOutcome, DeliveryReport, DueDelivery, Event};
use crate::transport::{Deadline, Destination, Outgoing, Undelivered};
use crate::wire::{Endpoint, PlainHttp, Verb, WireRequest, WireResponse};

/// How many deliveries one round takes, and how many of them of one app.
const BATCH: u32 = 64;
const BATCH_PER_APP: u32 = 16;
/// How many deliveries are under way at once in one process. An app that has so many of its own gets no
/// more until some are over: with what one round takes on top it stays below the 32 calls that the
/// transport lets run to one origin, and so no try is lost to a call that is shed there.
const UNDER_WAY: u32 = 512;
const UNDER_WAY_PER_APP: u32 = 16;
/// How long a report waits for others to go with it.
const REPORT_PAUSE: Duration = Duration::from_millis(20);
/// How long a worker may hold a delivery beyond the one call that it makes.
const LEASE_MARGIN: Duration = Duration::from_secs(15);
/// The largest answer that is read of a merchant; nothing in it matters but its status.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// The longest wait that a merchant's `Retry-After` can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// How long after each failed try the next one comes where the configuration says nothing else: the
/// schedule of Standard Webhooks, about three days in all. After the last the delivery is dead until
/// somebody asks for it again.
pub const SCHEDULE: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];

impl Payments {
    /// One round: takes what is due and delivers all of it at once. Returns how many there were.
    pub async fn deliver(&self) -> Result<usize, PaymentError> {
        let this = self.clone();
        self.run(async move { this.deliver_now().await }).await
    }

    async fn deliver_now(&self) -> Result<usize, PaymentError> {
        let catalog = self.catalog();
        let under_way = self.notices_under_way();
        let (room, busy) = (under_way.room(UNDER_WAY).min(BATCH), under_way.busy(UNDER_WAY_PER_APP));
        if room == 0 {
            return Ok(0);
        }
        let lease = catalog.timing.notice + LEASE_MARGIN;
        let store = self.store();
        let due = store.take_due_deliveries(self.now(), lease, room, BATCH_PER_APP, &busy).await?;
        let count = due.len();
        if count == 0 {
            return Ok(0);
        }
        crate::crash_point!("notice.after_take");
        let mut calls: FuturesUnordered<_> =
            due.into_iter().map(|due| self.begin_telling(&catalog, due)).collect();
        let mut told = Ok(count);
        while let Some(first) = calls.next().await {
            let reports = self.gather(first, &mut calls).await;
            crate::crash_point!("notice.after_send");
            if let Err(error) = self.store().report_deliveries(reports).await {
                // What still hangs is reported all the same; the lease brings these back.
                told = Err(error.into());
            }
            crate::crash_point!("notice.after_report");
        }
        told
    }

    /// Makes one call, in a task of its own: what is done with another's answer takes none of its time.
    fn begin_telling(
        &self,
        catalog: &Arc<Catalog>,
        due: DueDelivery,
    ) -> impl Future<Output = Option<DeliveryReport>> {
        let aboard = self.notices_under_way().begin(due.event.app.clone());
        let (this, catalog) = (self.clone(), catalog.clone());
        self.spawn(async move {
            let report = this.tell(&catalog, &due).await;
            drop(aboard);
            report
        })
    }

    /// The report at hand, with those that come a moment later.
    async fn gather(
        &self,
        first: Option<DeliveryReport>,
        calls: &mut (impl Stream<Item = Option<DeliveryReport>> + Unpin),
    ) -> Vec<DeliveryReport> {
        let mut reports: Vec<_> = first.into_iter().collect();
        let mut pause = self.clock().sleep(REPORT_PAUSE);
        while let Either::Left((Some(more), _)) = select(calls.next(), &mut pause).await {
            reports.extend(more);
        }
        reports
    }

    async fn tell(&self, catalog: &Catalog, due: &DueDelivery) -> DeliveryReport {
        let (outcome, detail) = match self.front_notice(catalog, &due.event).await {
            Ok(Some(notice)) => self.tell_in_front(catalog, due, notice).await,
            Ok(None) => self.tell_natively(catalog, due).await,
            Err(why) => (self.again(due, None), why),
        };
        metrics::counter!("paymux_notices_total", "outcome" => label(outcome)).increment(1);
        if !matches!(outcome, DeliveryOutcome::Delivered(_)) {
            tracing::warn!(event = %due.event.id, app = %due.event.app, tries = due.tries + 1, %detail, "a notice was not taken");
        }
        DeliveryReport { event: due.event.id, fence: due.fence, outcome, detail }
    }

    async fn tell_natively(&self, catalog: &Catalog, due: &DueDelivery) -> (DeliveryOutcome, String) {
        let call = self.address(&due.event).and_then(|url| {
            let app = catalog.app(&due.event.app).ok_or("the app is no longer configured")?;
            let request = signed(app, &due.event, &url, self.now())?;
            Ok(self.outgoing(catalog, &url, request))
        });
        match call {
            Ok(call) => self.judge_notice(due, self.ports().transport.send(call).await),
            Err(why) => (self.again(due, None), why),
        }
    }

    /// Where that event goes, if anything may go there.
    fn address(&self, event: &Event) -> Result<Endpoint, String> {
        let url = event.url.as_deref().ok_or("the event has no address")?;
        let url = Endpoint::parse(url, PlainHttp::Anywhere).map_err(|error| error.to_string())?;
        self.ports().transport.check(Destination::Merchant, &url)?;
        Ok(url)
    }

    fn outgoing(&self, catalog: &Catalog, url: &Endpoint, request: WireRequest) -> Outgoing {
        Outgoing {
            destination: Destination::Merchant,
            endpoint: url.origin(),
            request,
            deadline: Deadline::after(self.clock().mono(), catalog.timing.notice),
            response_bytes_max: ANSWER_BYTES_MAX,
        }
    }

    /// 2xx is taken, 410 disables the endpoint, all else means later.
    fn judge_notice(
        &self,
        due: &DueDelivery,
        answer: Result<WireResponse, Undelivered>,
    ) -> (DeliveryOutcome, String) {
        match answer {
            Ok(answer) if (200..300).contains(&answer.status) => {
                (DeliveryOutcome::Delivered(self.now()), format!("status {}", answer.status))
            }
            Ok(answer) if answer.status == 410 => (DeliveryOutcome::Gone, "status 410: gone".to_owned()),
            Ok(answer) => {
                (self.again(due, retry_after(&answer, self.now())), format!("status {}", answer.status))
            }
            // An answer that is too long is an answer whose status we did not see: told again.
            Err(failure) => (self.again(due, None), failure.to_string()),
        }
    }

    /// The next try by the schedule, a tenth of it spread, or as late as the merchant asks.
    fn again(&self, due: &DueDelivery, wish: Option<Duration>) -> DeliveryOutcome {
        let place = usize::try_from(due.tries).unwrap_or(usize::MAX);
        let catalog = self.catalog();
        let Some(pause) = catalog.notice_schedule.get(place) else { return DeliveryOutcome::Dead };
        DeliveryOutcome::Again(self.now().plus(self.spread(*pause).max(wish.unwrap_or_default())))
    }

    /// That pause, a tenth of it spread.
    fn spread(&self, pause: Duration) -> Duration {
        let spread_ms = u64::try_from(pause.as_millis() / 10).unwrap_or(0);
        pause + Duration::from_millis(below(self.ports().rng.as_ref(), spread_ms + 1))
    }
}

fn signed(app: &App, event: &Event, url: &Endpoint, now: Timestamp) -> Result<WireRequest, String> {
    let mut secrets = app.notify_secrets.iter();
    let current = secrets.next().ok_or("the app has no notify_secret")?;
    let id = event.id.to_string();
    let seconds = now.seconds();
    let message =
        WebhookMessage::new(&id, seconds, event.body.as_bytes()).map_err(|error| error.to_string())?;
    let signature = message.signature(current, secrets.next());
    let (path, query) = url.path_and_query();
    let mut request = WireRequest::new(Verb::Post, path)
        .header(WEBHOOK_ID_HEADER, id)
        .header(WEBHOOK_TIMESTAMP_HEADER, seconds.to_string())
        .header(WEBHOOK_SIGNATURE_HEADER, signature.as_str())
        .body("application/json", event.body.clone());
    request.query = query.map(str::to_owned);
    Ok(request)
}

/// What a merchant asks for: so many seconds, or that date of HTTP.
fn retry_after(answer: &WireResponse, now: Timestamp) -> Option<Duration> {
    let wish = answer.headers.first("retry-after")?.trim();
    let span = match wish.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => Timestamp::from_http_date(wish)?.since(now),
    };
    Some(span.min(RETRY_AFTER_MAX))
}

fn label(outcome: DeliveryOutcome) -> &'static str {
    match outcome {
        DeliveryOutcome::Delivered(_) => "delivered",
        DeliveryOutcome::Again(_) => "again",
        DeliveryOutcome::Dead => "dead",
        DeliveryOutcome::Gone => "gone",
    }
}
