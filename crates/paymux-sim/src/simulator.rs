//! A simulator as its host holds it: started, asked, paid at, stopped.

use std::net::SocketAddr;
use std::sync::Arc;

use paymux_core::Transport;
use paymux_core::wire::PlainHttp;
use paymux_core::{Endpoint, Timestamp, WireRequest};
use paymux_transport::{CallsMax, Dialler, Guard, Settings as DialSettings};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::books::refunds::{RefundEnd, RefundError, RefundView};
use crate::books::{Books, OrderView, Pay, PayError};
use crate::call::{self, Reply};
use crate::config::{SimAccount, SimConfig, StartError};
use crate::dialect::Dialect;
use crate::dice::Dice;
use crate::engine::{Accounts, Engine, Pace};
use crate::faults::{CallFault, FaultPlan, NoticeFault, Rule, TooManyRules};
use crate::guarded::Guarded;
use crate::shell;
use crate::stats::Stats;

/// Webhooks that may be on their way at once; further ones wait for their next repeat.
const NOTICES_AT_ONCE: usize = 1024;

/// Acceptor, bank, faults and webhook sender behind one listener; the provider is the dialect's.
pub(crate) struct Simulator;

impl Simulator {
    pub(crate) async fn start(dialect: Arc<dyn Dialect>, config: SimConfig) -> Result<Running, StartError> {
        let acceptor = dialect.acceptor();
        check_accounts(&config.accounts, |account| {
            acceptor.check_settings(&account.settings).into_iter().next()
        })?;
        let transport = transport(&config)?;
        let cannot_listen = |error| StartError::Listen { addr: config.listen, error };
        let listener = TcpListener::bind(config.listen).await.map_err(cannot_listen)?;
        let addr = listener.local_addr().map_err(cannot_listen)?;
        if !addr.ip().is_loopback() {
            tracing::warn!(%addr, "the simulator takes calls from other machines: it is a test tool without access control");
        }
        let engine = Arc::new(Engine {
            acceptor,
            dialect,
            accounts: Accounts(config.accounts),
            back_office: Guarded::default(),
            books: Guarded::new(Books::default()),
            faults: Guarded::new(config.faults),
            stats: Guarded::new(Stats::default()),
            dice: Dice::seeded(config.seed),
            clock: config.clock,
            transport,
            public_url: config.public_url.unwrap_or_else(|| format!("http://{addr}")),
            pace: Pace {
                time_scale: config.time_scale,
                clock_skew_ms: config.clock_skew_ms,
                rows_late: config.rows_late,
            },
            payer: config.payer,
            refunds: config.refunds,
            refunds_per_order: config.refunds_per_order,
            notice_timeout: config.notice_timeout,
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            changes: watch::Sender::new(0),
        });
        engine.tasks.spawn(shell::serve(engine.clone(), listener));
        Ok(Running { addr, bank: Bank { engine } })
    }
}

fn check_accounts(
    accounts: &[SimAccount],
    mistake: impl Fn(&SimAccount) -> Option<paymux_core::provider::SettingError>,
) -> Result<(), StartError> {
    if accounts.is_empty() {
        return Err(StartError::NoAccount);
    }
    for (at, account) in accounts.iter().enumerate() {
        if accounts[..at].iter().any(|other| other.key == account.key) {
            return Err(StartError::TwoOfOneKey(account.key.clone()));
        }
        if let Some(error) = mistake(account) {
            return Err(StartError::Settings {
                account: account.key.clone(),
                key: error.key,
                rule: error.rule,
            });
        }
        if let Some(url) = &account.notify_url {
            check_hook(&account.key, url)?;
        }
    }
    Ok(())
}

fn check_hook(account: &str, url: &str) -> Result<(), StartError> {
    let wrong = |rule: String| StartError::NotifyUrl { account: account.to_owned(), rule };
    Endpoint::parse(url, PlainHttp::Anywhere).map_err(|error| wrong(error.to_string()))?;
    Ok(())
}

/// The way out for webhooks. They go wherever an order says, this machine included: that is what a
/// test tool is for.
fn transport(config: &SimConfig) -> Result<Arc<dyn Transport>, StartError> {
    let settings = DialSettings {
        guard: Guard { allow_private_addresses: true, allow_plain_http: true },
        merchant_calls: CallsMax { total: NOTICES_AT_ONCE, per_origin: NOTICES_AT_ONCE },
        ..DialSettings::default()
    };
    Ok(Arc::new(Dialler::new(&settings, config.clock.clone())?))
}

/// A running simulator. Dropping it stops it without waiting for the end.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    bank: Bank,
}

impl Running {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What a channel that calls it has as its `base_url`.
    pub fn base_url(&self) -> String {
        format!("http://{}{}", self.addr, self.bank.engine.dialect.base_path())
    }

    /// The bank, for tests and demos in the same process.
    pub fn bank(&self) -> &Bank {
        &self.bank
    }

    /// Takes no more calls, cuts those that wait, drops webhooks that are not out yet, and returns
    /// when nothing runs any more.
    pub async fn stop(self) {
        self.bank.engine.stopping.cancel();
        self.bank.engine.tasks.close();
        self.bank.engine.tasks.wait().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.bank.engine.stopping.cancel();
    }
}

/// The pretend bank of a running simulator. Clones speak to the same one.
#[derive(Clone)]
pub struct Bank {
    engine: Arc<Engine>,
}

impl Bank {
    /// From now on webhooks of that account's new orders go there, where an order has no address of its own: what a
    /// merchant writes into a provider's back office.
    ///
    /// # Errors
    /// When it is no web address, or there is no such account.
    pub fn send_webhooks_to(&self, account: &str, url: &str) -> Result<(), StartError> {
        check_hook(account, url)?;
        if self.engine.accounts.of(account).is_none() {
            let rule = "there is no such account".to_owned();
            return Err(StartError::NotifyUrl { account: account.to_owned(), rule });
        }
        self.engine.back_office.lock().insert(account.to_owned(), url.to_owned());
        Ok(())
    }

    /// A payer pays that order in full. `number` is the merchant's number or the record id.
    pub fn pay(&self, number: &str) -> Result<OrderView, PayError> {
        self.pay_as(number, None, Pay::default())
    }

    /// A payer pays that order of that account so; `None`: of whichever account has the number.
    pub fn pay_as(&self, number: &str, account: Option<&str>, pay: Pay) -> Result<OrderView, PayError> {
        let key = self.engine.books.lock().find(number, account)?.key.clone();
        self.engine.take_money(&key, pay)?;
        self.order_of(&key.number, Some(&key.account))
    }

    /// That order, of whichever account has the number.
    pub fn order(&self, number: &str) -> Option<OrderView> {
        self.order_of(number, None).ok()
    }

    /// That order of that account.
    pub fn order_of(&self, number: &str, account: Option<&str>) -> Result<OrderView, PayError> {
        let now = self.engine.now();
        self.engine.books.lock().find(number, account).map(|order| order.view(now))
    }

    /// All orders, newest first.
    pub fn orders(&self) -> Vec<OrderView> {
        let now = self.engine.now();
        let mut views: Vec<_> = self.engine.books.lock().all().map(|order| order.view(now)).collect();
        views.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| a.id.cmp(&b.id)));
        views
    }

    /// Waits until that order is so, and returns it. Waits for ever if it never is: bound it.
    pub async fn order_when(&self, number: &str, is_so: impl Fn(&OrderView) -> bool) -> OrderView {
        let mut changes = self.engine.changes.subscribe();
        loop {
            if let Some(order) = self.order(number).filter(&is_so) {
                return order;
            }
            // The sender lives in the engine, which this handle keeps.
            let _ = changes.changed().await;
        }
    }

    /// That refund, of whichever account has the number. `number` is the merchant's number of the
    /// refund or the record id.
    pub fn refund(&self, number: &str) -> Option<RefundView> {
        self.refund_of(number, None).ok()
    }

    /// That refund of that account.
    pub fn refund_of(&self, number: &str, account: Option<&str>) -> Result<RefundView, RefundError> {
        self.engine.books.lock().refunds.find(number, account).map(crate::books::refunds::Refund::view)
    }

    /// All refunds, newest first.
    pub fn refunds(&self) -> Vec<RefundView> {
        let mut views: Vec<_> =
            self.engine.books.lock().refunds.all().map(crate::books::refunds::Refund::view).collect();
        views.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| a.id.cmp(&b.id)));
        views
    }

    /// Ends a refund that is under way, or whose page a person was to open.
    pub fn end_refund(
        &self,
        number: &str,
        account: Option<&str>,
        end: RefundEnd,
    ) -> Result<RefundView, RefundError> {
        let key = self.engine.books.lock().refunds.find(number, account)?.key.clone();
        self.engine.end_refund(&key, end)?;
        self.refund_of(&key.number, Some(&key.account))
    }

    /// Waits until that refund is so, and returns it. Waits for ever if it never is: bound it.
    pub async fn refund_when(&self, number: &str, is_so: impl Fn(&RefundView) -> bool) -> RefundView {
        let mut changes = self.engine.changes.subscribe();
        loop {
            if let Some(refund) = self.refund(number).filter(&is_so) {
                return refund;
            }
            // The sender lives in the engine, which this handle keeps.
            let _ = changes.changed().await;
        }
    }

    /// The address on which a payer pays that order.
    pub fn pay_url(&self, number: &str) -> Option<String> {
        let key = self.engine.books.lock().find(number, None).ok()?.key.clone();
        Some(self.engine.pay_url(&key))
    }

    /// Answers a request as the listener would, faults and all, without a connection: for tests whose time does
    /// not pass by itself.
    pub async fn answer(&self, request: WireRequest) -> Reply {
        call::answer(self.engine.clone(), request).await
    }

    /// Counts of what happened.
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// The rules that stand.
    pub fn faults(&self) -> FaultPlan {
        self.engine.faults.lock().clone()
    }

    /// Adds rules behind those that stand.
    ///
    /// # Errors
    /// When more than [`crate::RULES_MAX`] would stand.
    pub fn add_faults(&self, plan: FaultPlan) -> Result<(), TooManyRules> {
        self.engine.faults.lock().extend(plan)
    }

    /// Adds one rule for calls.
    ///
    /// # Errors
    /// When more than [`crate::RULES_MAX`] would stand.
    pub fn strike_call(&self, rule: Rule<CallFault>) -> Result<(), TooManyRules> {
        self.add_faults(FaultPlan { calls: vec![rule], notices: Vec::new() })
    }

    /// Adds one rule for webhooks.
    ///
    /// # Errors
    /// When more than [`crate::RULES_MAX`] would stand.
    pub fn strike_notice(&self, rule: Rule<NoticeFault>) -> Result<(), TooManyRules> {
        self.add_faults(FaultPlan { calls: Vec::new(), notices: vec![rule] })
    }

    /// Removes all rules.
    pub fn clear_faults(&self) {
        *self.engine.faults.lock() = FaultPlan::default();
    }

    /// The provider's clock.
    pub fn now(&self) -> Timestamp {
        self.engine.now()
    }

    pub(crate) fn of(engine: Arc<Engine>) -> Self {
        Self { engine }
    }
}

impl std::fmt::Debug for Bank {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bank").field("public_url", &self.engine.public_url).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use paymux_core::acceptor::{
        Acceptor, FrontAccount, FrontAccounts, FrontAnswer, FrontCall, FrontFact, FrontRead, FrontRoute,
    };
    use paymux_core::provider::{SettingError, SettingKey, Settings};
    use paymux_core::{Clock, Money, Verb, WireResponse};
    use paymux_testkit::TestClock;
    use serde_json::json;

    use super::*;
    use crate::beecloud::BeeCloud;

    /// BeeCloud's acceptor with one misreading: it sees a fen more than was asked.
    struct Misreading(Arc<dyn Acceptor>);

    impl Acceptor for Misreading {
        fn slug(&self) -> &'static str {
            self.0.slug()
        }
        fn settings(&self) -> &'static [SettingKey] {
            self.0.settings()
        }
        fn check_settings(&self, settings: &Settings) -> Vec<SettingError> {
            self.0.check_settings(settings)
        }
        fn routes(&self) -> &'static [FrontRoute] {
            self.0.routes()
        }
        fn read(
            &self,
            accounts: &dyn FrontAccounts,
            request: &WireRequest,
            now: Timestamp,
        ) -> Result<FrontRead, WireResponse> {
            let mut read = self.0.read(accounts, request, now)?;
            if let FrontCall::Pay(pay) = &mut read.call {
                pay.amount = Money::fen(pay.amount.minor() + 1);
            }
            Ok(read)
        }
        fn answer(&self, read: &FrontRead, answer: &FrontAnswer, now: Timestamp) -> WireResponse {
            self.0.answer(read, answer, now)
        }
        fn not_found(&self, request: &WireRequest) -> WireResponse {
            self.0.not_found(request)
        }
        fn notice(&self, account: &FrontAccount, fact: &FrontFact, now: Timestamp) -> WireRequest {
            self.0.notice(account, fact, now)
        }
        fn acknowledged(&self, response: &WireResponse) -> bool {
            self.0.acknowledged(response)
        }
        fn schedule(&self) -> &'static [Duration] {
            self.0.schedule()
        }
    }

    #[tokio::test]
    async fn a_misreading_acceptor_is_found_out_and_books_nothing() {
        let acceptor = Arc::new(Misreading(paymux_beecloud::provider().acceptor().unwrap()));
        let mut account = crate::BeeCloudSim::account("main", 1, None);
        let ids = json!({"app_id": "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90",
            "app_secret": "1f0e2d3c-4b5a-4978-8695-a4b3c2d1e0f9"});
        account.settings.extend(ids.as_object().unwrap().clone());
        let clock: Arc<dyn Clock> = Arc::new(TestClock::new());
        let config = SimConfig { accounts: vec![account], clock, ..SimConfig::default() };
        let sim = Simulator::start(Arc::new(BeeCloud { acceptor }), config).await.unwrap();

        let create = json!({"app_id": ids["app_id"], "timestamp": 1_709_251_200_000_i64, "channel": "WX_NATIVE",
            "app_sign": "43115fee5e62264f182da1d57bcef9a2", "bill_no": "PMX20240301000001", "total_fee": 1023,
            "title": "tea"});
        let request =
            WireRequest::new(Verb::Post, "/2/rest/bill").body("application/json", create.to_string());
        let reply = call::answer(sim.bank.engine.clone(), request).await;
        let Reply::Whole(answer) = reply else { panic!("{reply:?}") };
        assert_eq!(answer.status, 500);
        assert!(String::from_utf8_lossy(&answer.body).contains("10.24 CNY"), "{answer:?}");
        assert_eq!((sim.bank().stats().misreadings, sim.bank().stats().orders), (1, 0));
        sim.stop().await;
    }
}
