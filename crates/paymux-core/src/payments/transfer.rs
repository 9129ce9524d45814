//! Transfers: money paid out at the merchant's word, by the channel that the merchant names. Never routed,
//! never tried elsewhere, never sent twice.
//!
//! What a request must keep to is in [`checks`], what is learnt of a transfer afterwards in [`learn`].

mod checks;
mod learn;

use std::sync::Arc;
use std::time::Duration;

use crate::catalog::{Catalog, ChannelEntry, Scope};
use crate::channel::{Can, TransferOrder, TransferRef};
use crate::clock::{Mono, within};
use crate::error::PaymentError;
use crate::ids::{AppId, TransferId, TransferNo};
use crate::outflow::OutflowState;
use crate::store::{DayLimit, StoreError, TransferOpened};
use crate::transfer::{Fingerprint, NewTransfer, Transfer};

use super::Payments;
use super::outflows::{News, REPEAT_LOOK, able, answer_label, check_scope, request_limit};
use super::schedule::ORPHAN_MARGIN;

/// The answer to a request for a transfer.
#[derive(Debug, Clone)]
pub struct TransferAnswer {
    /// The transfer as it is stored.
    pub transfer: Transfer,
    /// Whether this request made it; otherwise it stood there before.
    pub is_new: bool,
}

/// What became of a request before anything was sent.
enum Begun {
    /// Stored as `sending`, and to be sent now.
    New(Box<ToSend>),
    /// The number is taken.
    Taken(Box<Transfer>),
}

/// A transfer that is stored as `sending`.
struct ToSend {
    entry: ChannelEntry,
    transfer: Transfer,
    order: TransferOrder,
    /// A moment before the transfer was handed to the store.
    begun: Mono,
    limit: Duration,
}

impl Payments {
    /// Pays out: the same transfer number with the same fields finds the stored transfer.
    ///
    /// Answers within the answer limit, with a transfer that is `processing` if it must; its call
    /// runs on. Once this has answered with a transfer, it is durable.
    pub async fn transfer(&self, app: AppId, request: NewTransfer) -> Result<TransferAnswer, PaymentError> {
        let this = self.clone();
        self.run(async move { this.transfer_now(&app, &request).await }).await
    }

    async fn transfer_now(&self, app: &AppId, request: &NewTransfer) -> Result<TransferAnswer, PaymentError> {
        let catalog = self.catalog();
        let started = self.clock().mono();
        check_scope(&catalog, app, Scope::Transfers)?;
        match self.begin_transfer(&catalog, app, request).await {
            Ok(Begun::New(to_send)) => {
                crate::crash_point!("transfer.after_open");
                let transfer = self.send_transfer_within(&catalog, *to_send, started).await?;
                Ok(TransferAnswer { transfer, is_new: true })
            }
            Ok(Begun::Taken(stored)) => self.repeat_transfer(&catalog, *stored, app, request, started).await,
            // A repeat is answered whatever a new transfer would meet by now.
            Err(no) => match self.store().transfer_by_no(app, &request.transfer_no).await? {
                Some(stored) => self.repeat_transfer(&catalog, stored, app, request, started).await,
                None => Err(no),
            },
        }
    }

    /// Whether a request keeps the rules that only the configuration tells. A front asks before it claims
    /// a key for the request; [`Self::transfer`] asks by itself.
    pub fn check_transfer(&self, app: &AppId, request: &NewTransfer) -> Result<(), PaymentError> {
        let catalog = self.catalog();
        checks::channel(&catalog, request)?;
        checks::amount(request, checks::amount_max(&catalog, app)?)
    }

    /// Stores a new transfer, or says why there can be none.
    async fn begin_transfer(
        &self,
        catalog: &Arc<Catalog>,
        app: &AppId,
        request: &NewTransfer,
    ) -> Result<Begun, PaymentError> {
        let amount_max = checks::amount_max(catalog, app)?;
        let entry = checks::channel(catalog, request)?;
        checks::amount(request, amount_max)?;
        let fingerprint = self.fingerprint_of(catalog, app, request).await?.to_string();
        let begun = self.clock().mono();
        let limit = request_limit(entry, &catalog.timing);
        let transfer = self.new_transfer(entry, app, request, limit, fingerprint);
        let day = DayLimit { from: catalog.day_zone.day_start(transfer.created_at), amount_max };
        match self.open_transfer(transfer.clone(), day).await? {
            TransferOpened::New => {
                let order = transfer_order(catalog, &transfer, request);
                let entry = entry.clone();
                Ok(Begun::New(Box::new(ToSend { entry, transfer, order, begun, limit })))
            }
            TransferOpened::Exists(stored) => Ok(Begun::Taken(stored)),
            TransferOpened::OverLimit => {
                let per = format!("in one day ({})", catalog.day_zone);
                Err(PaymentError::TransferTooLarge { max_minor: amount_max, per })
            }
        }
    }

    fn new_transfer(
        &self,
        entry: &ChannelEntry,
        app: &AppId,
        request: &NewTransfer,
        limit: Duration,
        fingerprint: String,
    ) -> Transfer {
        let now = self.now();
        let id = TransferId::make(now, self.ports().rng.as_ref());
        let descriptor = entry.channel.descriptor();
        Transfer {
            id,
            app: app.clone(),
            transfer_no: request.transfer_no.clone(),
            channel: entry.id.clone(),
            provider: descriptor.provider.to_owned(),
            number: entry.channel.transfer_number(id, now),
            amount: request.amount,
            product: request.product.clone(),
            payee_masked: request.payee_masked(),
            reason: request.reason.clone(),
            livemode: descriptor.livemode,
            state: OutflowState::Sending,
            fence: 1,
            action_url: None,
            failure: None,
            reference: None,
            fingerprint,
            events: 0,
            created_at: now,
            ended_at: None,
            check_at: Some(now.plus(limit).plus(ORPHAN_MARGIN)),
            checks: 0,
            front: request.front.clone(),
        }
    }

    /// By which a repeat of that request is known. A provider field is secret as soon as one channel says so.
    async fn fingerprint_of(
        &self,
        catalog: &Catalog,
        app: &AppId,
        request: &NewTransfer,
    ) -> Result<Fingerprint, PaymentError> {
        let key = self.digest_key().await?;
        let says_so = |entry: &ChannelEntry, name: &str| entry.channel.descriptor().is_secret_extra(name);
        let is_secret = |name: &str| catalog.channels().iter().any(|entry| says_so(entry, name));
        Ok(request.fingerprint(app, is_secret, key))
    }

    /// Stores a new transfer. After an unconfirmed commit it is new all the same if it can be read.
    async fn open_transfer(&self, transfer: Transfer, day: DayLimit) -> Result<TransferOpened, StoreError> {
        let id = transfer.id;
        crate::crash_point!("transfer.before_open" => return Err(StoreError::Unavailable("crash point".into())));
        match self.store().open_transfer(transfer, day).await {
            Err(StoreError::Unconfirmed(why)) => match self.store().transfer(id).await? {
                Some(_) => Ok(TransferOpened::New),
                None => Err(StoreError::Unconfirmed(why)),
            },
            answer => answer,
        }
    }

    /// The transfer number is taken: the stored transfer if the request is the same, waited for if it is
    /// just being sent.
    async fn repeat_transfer(
        &self,
        catalog: &Catalog,
        stored: Transfer,
        app: &AppId,
        request: &NewTransfer,
        started: Mono,
    ) -> Result<TransferAnswer, PaymentError> {
        if !self.fingerprint_of(catalog, app, request).await?.is(&stored.fingerprint) {
            return Err(PaymentError::TransferMismatch(request.transfer_no.to_string()));
        }
        let until = started.plus(catalog.timing.answer);
        let mut transfer = stored;
        while transfer.state == OutflowState::Sending {
            if self.clock().mono() >= until {
                return Err(PaymentError::InFlight);
            }
            self.clock().sleep(REPEAT_LOOK).await;
            transfer = self.reload_transfer(transfer.id).await?;
        }
        Ok(TransferAnswer { transfer, is_new: false })
    }

    /// Sends in a task of its own and waits for it as long as an answer may take.
    async fn send_transfer_within(
        &self,
        catalog: &Catalog,
        to_send: ToSend,
        started: Mono,
    ) -> Result<Transfer, PaymentError> {
        let id = to_send.transfer.id;
        let left = started.plus(catalog.timing.answer).left(self.clock().mono());
        let this = self.clone();
        let task = self.spawn(async move { this.send_transfer(to_send).await });
        match within(self.clock(), left, task).await {
            Some(Some(Some(transfer))) => Ok(transfer),
            Some(_) | None => self.reload_transfer(id).await,
        }
    }

    /// Makes the one call for a transfer that is stored as `sending`, and stores what became of it.
    /// `None` where the store did not take that: a worker finds it.
    async fn send_transfer(&self, to_send: ToSend) -> Option<Transfer> {
        let ToSend { entry, transfer, order, begun, limit } = to_send;
        let cx = self.cx(begun, limit);
        crate::crash_point!("transfer.before_call");
        let answer =
            self.called(&self.catalog(), &entry, None, &cx, entry.channel.transfer(&cx, &order)).await;
        crate::crash_point!("transfer.after_call");
        metrics::counter!("paymux_transfers_total", "channel" => entry.id.to_string(), "outcome" => answer_label(&answer))
            .increment(1);
        let until = begun.plus(limit).plus(ORPHAN_MARGIN);
        self.keep_transfer_outcome(transfer, &News::of_call(answer), until).await
    }

    /// A transfer of this app.
    pub async fn find_transfer(&self, app: &AppId, id: TransferId) -> Result<Transfer, PaymentError> {
        check_scope(&self.catalog(), app, Scope::Transfers)?;
        let transfer = self.store().transfer(id).await?;
        transfer.filter(|transfer| transfer.app == *app).ok_or(PaymentError::NotFound("transfer"))
    }

    /// The transfer of that number in this app.
    pub async fn find_transfer_by_no(&self, app: &AppId, no: &TransferNo) -> Result<Transfer, PaymentError> {
        check_scope(&self.catalog(), app, Scope::Transfers)?;
        self.store().transfer_by_no(app, no).await?.ok_or(PaymentError::NotFound("transfer"))
    }

    /// Asks the provider now what became of a transfer, as [`Payments::sync_refund`].
    pub async fn sync_transfer(&self, app: AppId, id: TransferId) -> Result<Transfer, PaymentError> {
        let this = self.clone();
        self.run(async move { this.sync_transfer_now(&app, id).await }).await
    }

    async fn sync_transfer_now(&self, app: &AppId, id: TransferId) -> Result<Transfer, PaymentError> {
        let transfer = self.find_transfer(app, id).await?;
        if !transfer.state.may_be_asked_about() {
            return Ok(transfer);
        }
        match self.ask_transfer(&self.catalog(), &transfer).await {
            Some(news) => Ok(self.learn_transfer(transfer, &news).await?.now),
            None if transfer.state.is_over() => Ok(transfer),
            None => Err(PaymentError::Unsupported { channel: transfer.channel, operation: "query_transfer" }),
        }
    }

    /// What the provider says of a transfer; `None` where it cannot be asked.
    pub(super) async fn ask_transfer(&self, catalog: &Catalog, transfer: &Transfer) -> Option<News> {
        let entry = able(catalog, &transfer.channel, Can::QUERY_TRANSFER)?;
        let payout = transfer_ref(transfer);
        let cx = self.cx(self.clock().mono(), request_limit(entry, &catalog.timing));
        let answer = self
            .called(catalog, entry, catalog.health.slow, &cx, entry.channel.query_transfer(&cx, &payout))
            .await;
        if let Err(error) = &answer {
            tracing::info!(transfer = %transfer.id, channel = %entry.id, %error, "a query was not answered");
        }
        Some(News::of_query(answer))
    }
}

fn transfer_ref(transfer: &Transfer) -> TransferRef {
    TransferRef {
        number: transfer.number.clone(),
        amount: transfer.amount,
        product: transfer.product.clone(),
        reason: transfer.reason.clone(),
        reference: transfer.reference.clone(),
        created_at: transfer.created_at,
    }
}

fn transfer_order(catalog: &Catalog, transfer: &Transfer, request: &NewTransfer) -> TransferOrder {
    TransferOrder {
        payout: transfer_ref(transfer),
        payee: request.payee.clone(),
        extra: request.extra.clone(),
        notify_url: catalog.notify_url(&transfer.channel),
    }
}
