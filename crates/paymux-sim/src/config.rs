//! How a simulator is set up.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use paymux_core::Clock;
use paymux_core::provider::Settings;
use paymux_transport::SystemClock;

use crate::books::refunds::RefundEnd;
use crate::faults::FaultPlan;

/// The set-up of one simulator. [`SimConfig::default`] is quiet: loopback, a free port, no faults,
/// real time, and no account; add at least one.
#[derive(Clone)]
pub struct SimConfig {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What payer pages are linked by, such as `http://pay.lan:9000`; its own address when absent.
    pub public_url: Option<String>,
    /// Who may call.
    pub accounts: Vec<SimAccount>,
    /// Everything random comes out of it.
    pub seed: u64,
    /// How many times faster than real the provider's own waits pass: between the repeats of a
    /// webhook, until late rows show, until a payer acts. At 1000 the repeat after 2 s comes after
    /// 2 ms. It changes neither the time that is signed and stored, nor when an order expires, nor
    /// the milliseconds of [`crate::CallFault`].
    pub time_scale: NonZeroU32,
    /// How far the provider's clock is ahead of ours, in milliseconds; negative: behind. It shows in
    /// what is signed and stored, and in the header `date` of each answer.
    pub clock_skew_ms: i64,
    /// How long a new order or refund is missing from queries and lists; the time scale applies.
    pub rows_late: Duration,
    /// What payers do by themselves.
    pub payer: PayerHabit,
    /// What refunds do by themselves, where no person has to act.
    pub refunds: RefundHabit,
    /// How many refunds of one order may succeed: one, as BeeCloud has it, unless more are given;
    /// of FuFu's only the money bounds them.
    pub refunds_per_order: usize,
    /// What goes wrong from the start.
    pub faults: FaultPlan,
    /// How long one try of a webhook may take, in real time.
    pub notice_timeout: Duration,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            public_url: None,
            accounts: Vec::new(),
            seed: 0,
            time_scale: NonZeroU32::MIN,
            clock_skew_ms: 0,
            rows_late: Duration::ZERO,
            payer: PayerHabit::Waits,
            refunds: RefundHabit::EndsAfter(Duration::from_secs(2), RefundEnd::Done),
            refunds_per_order: 1,
            faults: FaultPlan::default(),
            notice_timeout: Duration::from_secs(10),
            clock: Arc::new(SystemClock::new()),
        }
    }
}

/// One merchant's account at the simulated provider.
#[derive(Debug, Clone)]
pub struct SimAccount {
    /// What this simulator calls it.
    pub key: String,
    /// Its credentials, by the keys of the plugin's acceptor.
    pub settings: Settings,
    /// Credentials that were in force before, as far as they differ: webhooks "from a rotated
    /// secret" are signed with these. Where none are given, made-up ones are taken.
    pub retired: Settings,
    /// Where webhooks of orders without an address of their own go.
    pub notify_url: Option<String>,
}

/// What payers do by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayerHabit {
    /// They wait for a call or a click.
    Waits,
    /// They pay each order in full so long after it was made; the time scale applies.
    PaysAfter(Duration),
}

/// What refunds do by themselves, once they are under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundHabit {
    /// They wait for a call.
    Waits,
    /// They end so, so long after they began; the time scale applies.
    EndsAfter(Duration, RefundEnd),
}

/// Why a simulator could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The plugin has no server side.
    #[error("this provider's plugin cannot be simulated")]
    NoAcceptor,
    /// No account.
    #[error("accounts: give at least one")]
    NoAccount,
    /// Two accounts of one name.
    #[error("accounts: `{0}` stands twice; each needs a name of its own")]
    TwoOfOneKey(String),
    /// Credentials that the plugin refuses.
    #[error("accounts.{account}.{key}: {rule}")]
    Settings {
        /// Whose.
        account: String,
        /// Which key.
        key: String,
        /// What is allowed.
        rule: String,
    },
    /// The webhook's address.
    #[error("accounts.{account}.notify_url: {rule}")]
    NotifyUrl {
        /// Whose.
        account: String,
        /// What is allowed.
        rule: String,
    },
    /// The address is taken or not ours.
    #[error("cannot listen on {addr}: {error}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        error: std::io::Error,
    },
    /// The way out could not be made.
    #[error(transparent)]
    Outbound(#[from] paymux_transport::SetupError),
}
