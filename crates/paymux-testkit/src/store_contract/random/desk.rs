//! What operators and lists see, asked at random.

use std::time::Duration;

use paymux_core::catalog::Lifecycle;
use paymux_core::clock::Timestamp;
use paymux_core::store::{
    CallbackFilter, CallbackVerdict, ChannelRecord, EventFilter, Patience, QueueFilter, QueueKind, Store,
    Subject, Window,
};

use super::{APPS, CHANNELS, Run, same};
use crate::fixtures::{START_MS, app_id, channel, refund};

impl Run {
    pub(super) async fn settle_callback(
        &mut self,
        model: &dyn Store,
        store: &dyn Store,
    ) -> Result<(), String> {
        let Some(id) = self.rng.choice(&self.callbacks).copied() else { return Ok(()) };
        let audit = self.fixtures.audit("callback.settle");
        let want = model.settle_callback(id, audit.clone()).await;
        same("settle callback", want, store.settle_callback(id, audit).await).map(drop)
    }

    /// A channel is bound, or gets another state; what is old by then, or bound otherwise, changes nothing.
    pub(super) async fn move_channel(&mut self, model: &dyn Store, store: &dyn Store) -> Result<(), String> {
        let id = channel(CHANNELS[self.rng.usize(..2)]);
        let state = Lifecycle::ALL[self.rng.usize(..Lifecycle::ALL.len())];
        if self.rng.u32(..4) == 0 {
            let account = format!("account-{}", self.rng.u32(..3));
            let (provider, since) = ("p".to_owned(), self.fixtures.now());
            let new = ChannelRecord { id, provider, account, state, since, by: None, version: 1 };
            let want = model.bind_channels(vec![new.clone()]).await;
            same("bind channels", want, store.bind_channels(vec![new]).await)?;
        } else {
            let (version, audit) = (self.rng.i64(1..6), self.fixtures.audit("channel.state"));
            let want = model.move_channel(&id, version, state, audit.clone()).await;
            same("move channel", want, store.move_channel(&id, version, state, audit).await)?;
        }
        same("channels", model.channel_records().await, store.channel_records().await).map(drop)
    }

    pub(super) async fn look_at_the_desk(
        &mut self,
        model: &dyn Store,
        store: &dyn Store,
    ) -> Result<(), String> {
        match self.rng.u32(..5) {
            0 => self.see_the_queue(model, store).await,
            1 => self.see_callbacks(model, store).await,
            2 => self.see_events(model, store).await,
            3 => self.see_lines(model, store).await,
            _ => self.find_refunds(model, store).await,
        }
    }

    async fn see_the_queue(&mut self, model: &dyn Store, store: &dyn Store) -> Result<(), String> {
        let mut moment = || Timestamp::from_ms(self.fixtures.now().ms() - self.rng.i64(0..500));
        let patience = Patience {
            unknown_before: moment(),
            ended_before: moment().plus(Duration::from_mins(30)),
            sent_before: moment(),
        };
        let kind = self.rng.choice(QueueKind::ALL).copied().filter(|_| self.rng.bool());
        let mut filter = QueueFilter { kind, patience, after: None, limit: self.rng.u32(..9) };
        for _ in 0..3 {
            let page = same("queue", model.queue(&filter).await, store.queue(&filter).await)?;
            let Some(last) = page.into_iter().flatten().last() else { break };
            filter.after = Some((last.since, last.id));
        }
        let want = model.queue_counts(patience).await;
        same("queue counts", want, store.queue_counts(patience).await)?;
        let audit = same("audit", model.audit(None, 3).await, store.audit(None, 3).await)?;
        let before = audit.into_iter().flatten().last().map(|line| line.id);
        same("audit", model.audit(before, 3).await, store.audit(before, 3).await).map(drop)
    }

    async fn see_callbacks(&mut self, model: &dyn Store, store: &dyn Store) -> Result<(), String> {
        let mut filter = CallbackFilter {
            payment: self.pick().map(|payment| payment.id).filter(|_| self.rng.bool()),
            channel: Some(channel(CHANNELS[self.rng.usize(..2)])).filter(|_| self.rng.bool()),
            verdict: self.rng.choice(CallbackVerdict::ALL).copied().filter(|_| self.rng.u32(..3) == 0),
            after: None,
            limit: self.rng.u32(..6),
        };
        for _ in 0..3 {
            let page = same("callbacks", model.callbacks(&filter).await, store.callbacks(&filter).await)?;
            let Some(last) = page.into_iter().flatten().last() else { break };
            filter.after = Some((last.received_at, last.id));
        }
        Ok(())
    }

    async fn see_events(&mut self, model: &dyn Store, store: &dyn Store) -> Result<(), String> {
        let payment = self.pick().map(|payment| Subject::Payment(payment.id));
        let transfer = self.rng.choice(&self.transfers).map(|transfer| Subject::Transfer(transfer.id));
        let mut filter = EventFilter {
            app: app_id(APPS[self.rng.usize(..2)]),
            subject: [None, payment, transfer][self.rng.usize(..3)],
            after: self.rng.choice(&self.told).map(|(_, id)| *id).filter(|_| self.rng.bool()),
            limit: self.rng.u32(..8),
        };
        for _ in 0..3 {
            let page = same("events", model.events(&filter).await, store.events(&filter).await)?;
            let Some(last) = page.into_iter().flatten().last() else { break };
            filter.after = Some(last.event.id);
        }
        Ok(())
    }

    async fn see_lines(&mut self, model: &dyn Store, store: &dyn Store) -> Result<(), String> {
        let from = START_MS + self.rng.i64(0..800);
        let mut window = Window {
            channel: channel(CHANNELS[self.rng.usize(..2)]),
            from: Timestamp::from_ms(from),
            to: Timestamp::from_ms(from + self.rng.i64(0..800)),
            after: None,
            limit: self.rng.u32(..8),
        };
        for _ in 0..2 {
            let (want, got) = (model.refund_lines(&window).await, store.refund_lines(&window).await);
            same("refund lines", want, got)?;
            let (want, got) = (model.order_lines(&window).await, store.order_lines(&window).await);
            let page = same("order lines", want, got)?;
            window.after = page.into_iter().flatten().last().map(|line| line.number);
        }
        Ok(())
    }

    async fn find_refunds(&mut self, model: &dyn Store, store: &dyn Store) -> Result<(), String> {
        let (app, no) = (app_id(APPS[self.rng.usize(..2)]), refund(&format!("R{}", self.rng.u32(..40))));
        let want = model.refund_by_no(&app, &no).await;
        same("refund by no", want, store.refund_by_no(&app, &no).await)?;
        if let Some(known) = self.rng.choice(&self.refunds).cloned() {
            let on = channel(CHANNELS[self.rng.usize(..2)]);
            let want = model.refund_by_number(&on, &known.number).await;
            same("refund by number", want, store.refund_by_number(&on, &known.number).await)?;
            let want = model.payment_by_attempt(known.attempt).await;
            same("payment by attempt", want, store.payment_by_attempt(known.attempt).await)?;
        }
        if let Some(known) = self.rng.choice(&self.transfers).cloned() {
            let want = model.transfer_by_no(&known.app, &known.transfer_no).await;
            let got = store.transfer_by_no(&known.app, &known.transfer_no).await;
            same("transfer by no", want, got)?;
            let want = model.transfer_by_number(&known.channel, &known.number).await;
            let got = store.transfer_by_number(&known.channel, &known.number).await;
            same("transfer by number", want, got)?;
        }
        Ok(())
    }
}
