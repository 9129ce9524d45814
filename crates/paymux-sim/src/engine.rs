//! The pretend bank at work: what a call does to the books, and who is told.
//!
//! Not here: reading and answering HTTP (`shell`), faults of calls (`call`), sending webhooks
//! (`courier`). Refunds are in `refunds`.

mod refunds;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use paymux_core::acceptor::{
    Acceptor, FrontAccount, FrontAccounts, FrontAnswer, FrontCall, FrontFilter, FrontOrder, FrontPay,
    FrontRead, FrontRefusal,
};
use paymux_core::clock::Mono;
use paymux_core::{Clock, Timestamp, Transport};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::barcode::{self, Script};
use crate::books::refunds::{Refund, RefundState};
use crate::books::{Books, Closing, OpenError, Order, OrderKey, OrderState, Pay, PayError};
use crate::config::{PayerHabit, RefundHabit, SimAccount};
use crate::courier::{self, FirstTry};
use crate::dialect::{Dialect, Ending};
use crate::dice::Dice;
use crate::faults::FaultPlan;
use crate::guarded::Guarded;
use crate::shell::page;
use crate::stats::Stats;

/// Everything that one running simulator has. Its locks are taken one at a time.
pub(crate) struct Engine {
    pub(crate) dialect: Arc<dyn Dialect>,
    pub(crate) acceptor: Arc<dyn Acceptor>,
    pub(crate) accounts: Accounts,
    /// Where webhooks of accounts go instead of where they went at first.
    pub(crate) back_office: Guarded<BTreeMap<String, String>>,
    pub(crate) books: Guarded<Books>,
    pub(crate) faults: Guarded<FaultPlan>,
    pub(crate) stats: Guarded<Stats>,
    pub(crate) dice: Dice,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) public_url: String,
    pub(crate) pace: Pace,
    pub(crate) payer: PayerHabit,
    pub(crate) refunds: RefundHabit,
    /// How many refunds of one order may succeed.
    pub(crate) refunds_per_order: usize,
    pub(crate) notice_timeout: Duration,
    pub(crate) tasks: TaskTracker,
    pub(crate) stopping: CancellationToken,
    /// Counts changes of the books, for those who wait for one.
    pub(crate) changes: watch::Sender<u64>,
}

/// How the provider's time differs from ours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) time_scale: NonZeroU32,
    pub(crate) clock_skew_ms: i64,
    pub(crate) rows_late: Duration,
}

/// Who may call.
pub(crate) struct Accounts(pub(crate) Vec<SimAccount>);

impl Accounts {
    pub(crate) fn of(&self, key: &str) -> Option<&SimAccount> {
        self.0.iter().find(|account| account.key == key)
    }
}

impl FrontAccounts for Accounts {
    fn find(&self, key: &str, value: &str) -> Option<FrontAccount> {
        let has = |account: &&SimAccount| account.settings.get(key).and_then(|v| v.as_str()) == Some(value);
        self.0.iter().find(has).map(SimAccount::as_front)
    }
}

impl SimAccount {
    pub(crate) fn as_front(&self) -> FrontAccount {
        FrontAccount { key: self.key.clone(), settings: self.settings.clone() }
    }
}

impl Engine {
    /// The provider's wall clock.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.clock.now().ms().saturating_add(self.pace.clock_skew_ms))
    }

    /// How long a wait of the provider's lasts here.
    pub(crate) fn scaled(&self, span: Duration) -> Duration {
        span / self.pace.time_scale.get()
    }

    /// Runs work that goes on when its caller has gone, and ends when the simulator stops; it gives
    /// `None` then.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<Option<T>> {
        self.tasks.spawn(self.stopping.clone().run_until_cancelled_owned(work))
    }

    pub(crate) fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Does what a call asks. The same for every protocol.
    pub(crate) fn perform(self: &Arc<Self>, read: &FrontRead) -> FrontAnswer {
        match &read.call {
            FrontCall::Pay(pay) => self.open(read, pay),
            FrontCall::Query { number } => {
                let filter = FrontFilter { number: Some(number.clone()), ..FrontFilter::default() };
                self.with_rows(read, &filter, |books, rows| {
                    FrontAnswer::Order(rows.first().map(|order| Box::new(self.told(books, order))))
                })
            }
            FrontCall::List(filter) => self.with_rows(read, filter, |books, rows| {
                let (skip, limit) = (filter.skip as usize, filter.limit as usize);
                FrontAnswer::Orders(
                    rows.iter().skip(skip).take(limit).map(|order| books.front(order)).collect(),
                )
            }),
            FrontCall::Count(filter) => {
                self.with_rows(read, filter, |_, rows| FrontAnswer::Count(rows.len() as u64))
            }
            FrontCall::Cancel { number } => self.cancel(read, number),
            FrontCall::Refund(refund) => self.refund(read, refund),
            FrontCall::QueryRefund { number } => self.query_refund(read, number),
            FrontCall::ListRefunds(filter) => self.list_refunds(read, filter),
            FrontCall::CountRefunds(filter) => self.count_refunds(read, filter),
            FrontCall::Approve(asked) => self.approve_refunds(read, asked),
            // No bank here pays out, and none has more than its protocol's orders.
            FrontCall::PayOut(_)
            | FrontCall::ListPayouts(_)
            | FrontCall::CountPayouts(_)
            | FrontCall::Native { .. } => FrontAnswer::Refused(FrontRefusal::MethodUnavailable),
        }
    }

    /// An order as a question about it is answered.
    fn told(&self, books: &Books, order: &Order) -> FrontOrder {
        let mut told = books.front(order);
        let is_over = order.state(self.now()) == OrderState::Expired;
        told.closed |= is_over && self.dialect.tells_expired_as_closed();
        told
    }

    fn with_rows(
        &self,
        read: &FrontRead,
        filter: &FrontFilter,
        answer: impl FnOnce(&Books, &[&Order]) -> FrontAnswer,
    ) -> FrontAnswer {
        let now = self.clock.mono();
        let has_code = |order: &Order, code: &str| self.dialect.has_code(&order.memo, code);
        let books = self.books.lock();
        answer(&books, &books.filtered(&read.account.key, filter, has_code, now))
    }

    fn cancel(&self, read: &FrontRead, number: &str) -> FrontAnswer {
        let key = key(read, number);
        let now = self.now();
        let order = self.books.lock().order(&key).map(|order| (order.memo.clone(), order.created_at));
        let closes = |(memo, created_at): (String, Timestamp)| {
            let age = now.since(created_at);
            self.dialect.closes(Ending { order: &memo, call: &read.memo, age, now })
        };
        if order.is_some_and(|order| !closes(order)) {
            return FrontAnswer::Canceled(false);
        }
        let closing = self.books.lock().close(&key);
        self.changed();
        match closing {
            Some(Closing::Done) => FrontAnswer::Canceled(true),
            Some(Closing::TooLate) => FrontAnswer::Canceled(false),
            None => FrontAnswer::Order(None),
        }
    }

    fn open(self: &Arc<Self>, read: &FrontRead, pay: &FrontPay) -> FrontAnswer {
        if let Some(refusal) = self.dialect.refuses(pay) {
            return FrontAnswer::Refused(refusal);
        }
        let order = self.order(read, pay);
        let (key, id) = (order.key.clone(), order.id.clone());
        if let Err(error) = self.books.lock().open(order) {
            return FrontAnswer::Refused(match error {
                OpenError::NumberTaken => FrontRefusal::NumberTaken,
                OpenError::Full => FrontRefusal::Upstream("the books are full".to_owned()),
            });
        }
        self.changed();
        match &pay.auth_code {
            Some(auth_code) => self.follow(Script::of(auth_code), &key, id),
            None => self.await_payer(read, pay, &key, id),
        }
    }

    /// The payer must act: says how, and lets those act who do so by themselves.
    fn await_payer(
        self: &Arc<Self>,
        read: &FrontRead,
        pay: &FrontPay,
        key: &OrderKey,
        id: String,
    ) -> FrontAnswer {
        if let PayerHabit::PaysAfter(delay) = self.payer {
            self.pay_after(delay, key);
        }
        let page = self.pay_url(key);
        let action = self.dialect.action(pay, &read.memo, &page, &self.dice);
        FrontAnswer::Opened { id, action }
    }

    /// The payer's code was scanned: does what its script says.
    fn follow(self: &Arc<Self>, script: Script, key: &OrderKey, id: String) -> FrontAnswer {
        let waits = |id| FrontAnswer::Opened { id, action: None };
        match script {
            Script::Paid => match self.take_money(key, Pay::default()) {
                Ok(_) => FrontAnswer::Paid { id },
                Err(_) => FrontAnswer::InDoubt,
            },
            Script::InDoubtPaid => {
                // A new order takes its money; whether it did is what stays in doubt.
                drop(self.take_money(key, Pay::default()));
                FrontAnswer::InDoubt
            }
            Script::InDoubtUnpaid => FrontAnswer::InDoubt,
            Script::Refused => {
                self.books.lock().close(key);
                self.changed();
                FrontAnswer::Refused(FrontRefusal::Upstream("the payer has too little money".to_owned()))
            }
            Script::Waits => waits(id),
            Script::PaysSoon => {
                self.pay_after(barcode::TYPING, key);
                waits(id)
            }
        }
    }

    fn order(&self, read: &FrontRead, pay: &FrontPay) -> Order {
        let now = self.now();
        Order {
            key: key(read, &pay.number),
            id: self.dice.uuid(),
            amount: pay.amount,
            method: pay.method,
            memo: read.memo.clone(),
            subject: pay.subject.clone(),
            echo: pay.echo.clone(),
            notify_url: pay.notify_url.clone().or_else(|| self.hook_of(&read.account.key)),
            return_url: pay.return_url.clone(),
            created_at: now,
            expires_at: pay.expires_in.map(|life| now.plus(life)),
            visible_from: self.clock.mono().plus(self.scaled(self.pace.rows_late)),
            is_closed: false,
            payment: None,
            notices: Vec::new(),
        }
    }

    /// Where webhooks of an account's orders go that have no address of their own.
    fn hook_of(&self, account: &str) -> Option<String> {
        let moved = self.back_office.lock().get(account).cloned();
        moved.or_else(|| self.accounts.of(account)?.notify_url.clone())
    }

    fn pay_after(self: &Arc<Self>, delay: Duration, key: &OrderKey) {
        let (engine, key) = (self.clone(), key.clone());
        self.spawn(async move {
            engine.clock.sleep(engine.scaled(delay)).await;
            if let Err(error) = engine.take_money(&key, Pay::default()) {
                tracing::debug!(number = key.number, %error, "the payer came too late");
            }
        });
    }

    /// Takes a payer's money and sends the webhook.
    pub(crate) fn take_money(self: &Arc<Self>, key: &OrderKey, pay: Pay) -> Result<FirstTry, PayError> {
        let trade_no = self.dialect.trade_no(&self.dice);
        let now = self.now();
        self.books.lock().pay(key, pay, trade_no, now)?;
        self.changed();
        Ok(courier::dispatch(self, key.clone()))
    }

    /// The page on which a payer pays that order.
    pub(crate) fn pay_url(&self, key: &OrderKey) -> String {
        let account = if self.accounts.0.len() > 1 { Some(key.account.as_str()) } else { None };
        format!("{}{}", self.public_url, page::path(&key.number, account))
    }

    /// What the protocol adds to that order's way back, if anything.
    pub(crate) fn return_query(&self, account: &str, number: &str) -> Option<String> {
        let front = self.accounts.of(account)?.as_front();
        let key = OrderKey { number: number.to_owned(), account: account.to_owned() };
        let books = self.books.lock();
        let order = books.front(books.order(&key)?);
        self.acceptor.return_query(&front, &order)
    }

    /// The counts, those of the books included.
    pub(crate) fn stats(&self) -> Stats {
        let books = self.books.lock();
        let is_done = |refund: &&Refund| refund.state == RefundState::Done;
        let (orders, paid) =
            (books.all().count(), books.all().filter(|order| order.payment.is_some()).count());
        let (refunds, refunded) = (books.refunds.all().count(), books.refunds.all().filter(is_done).count());
        drop(books);
        Stats {
            orders: orders as u64,
            paid: paid as u64,
            refunds: refunds as u64,
            refunded: refunded as u64,
            ..self.stats.lock().clone()
        }
    }

    /// Waits until a moment of monotonic time.
    pub(crate) async fn sleep_until(&self, moment: Mono) {
        let left = moment.left(self.clock.mono());
        if !left.is_zero() {
            self.clock.sleep(left).await;
        }
    }
}

fn key(read: &FrontRead, number: &str) -> OrderKey {
    OrderKey { number: number.to_owned(), account: read.account.key.clone() }
}
