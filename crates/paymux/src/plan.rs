//! Channels and routes as they are written down for a [`Builder`](crate::Builder), which judges them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use paymux_core::catalog::{FailoverUnknown, Lifecycle, Rules, Strategy, When};
use paymux_core::provider::Settings;
use paymux_core::router::OwnStrategy;
use paymux_core::{Channel, Provider};

/// A channel to be: one account at one provider, and what it may collect.
#[derive(Clone)]
pub struct ChannelPlan {
    pub(crate) id: String,
    pub(crate) source: Source,
    pub(crate) state: Lifecycle,
    pub(crate) methods: Option<Vec<String>>,
    pub(crate) rules: Rules,
    pub(crate) weight: u32,
    pub(crate) fee_bp: Option<u32>,
    pub(crate) request: Option<Duration>,
}

/// Who implements it.
#[derive(Clone)]
pub(crate) enum Source {
    /// A plugin makes it of settings.
    Plugin(Arc<dyn Provider>, Settings),
    /// It is there.
    Own(Arc<dyn Channel>),
}

impl ChannelPlan {
    /// An account at that provider. The plugin's README tells its settings; a secret is text here.
    pub fn of(id: impl Into<String>, provider: &Arc<dyn Provider>, settings: Settings) -> Self {
        Self::from_source(id.into(), Source::Plugin(Arc::clone(provider), settings))
    }

    /// A channel of the embedder's own.
    pub fn own(id: impl Into<String>, channel: impl Channel) -> Self {
        Self::from_source(id.into(), Source::Own(Arc::new(channel)))
    }

    fn from_source(id: String, source: Source) -> Self {
        Self {
            id,
            source,
            state: Lifecycle::Active,
            methods: None,
            rules: Rules::default(),
            weight: 1,
            fee_bp: None,
            request: None,
        }
    }

    /// For strategies that weigh; 1 where it is not said.
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// What the provider takes of each payment, in hundredths of a percent.
    pub fn fee_bp(mut self, fee_bp: u32) -> Self {
        self.fee_bp = Some(fee_bp);
        self
    }

    /// Only these methods of the provider's, such as `wechat.*`; all where it is not said.
    pub fn methods<T: Into<String>>(mut self, patterns: impl IntoIterator<Item = T>) -> Self {
        self.methods = Some(patterns.into_iter().map(Into::into).collect());
        self
    }

    /// What it may collect.
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Where it begins its life; a ledger that knows it already goes by its own.
    pub fn state(mut self, state: Lifecycle) -> Self {
        self.state = state;
        self
    }

    /// Its own limit for one call, instead of the general one.
    pub fn request_limit(mut self, limit: Duration) -> Self {
        self.request = Some(limit);
        self
    }
}

impl fmt::Debug for ChannelPlan {
    /// Without the settings: secrets are among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelPlan").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A route to be: which payments go to which channels, and who picks.
#[derive(Debug, Clone)]
pub struct RoutePlan {
    pub(crate) name: String,
    pub(crate) picks: Picks,
    pub(crate) channels: Vec<String>,
    pub(crate) when: When,
    pub(crate) failover: u32,
    pub(crate) failover_unknown: FailoverUnknown,
}

/// Who picks.
#[derive(Debug, Clone)]
pub(crate) enum Picks {
    Ours(Strategy),
    Own(Arc<dyn OwnStrategy>),
}

impl RoutePlan {
    /// Takes every payment to one of those channels, which that strategy picks. Nothing more is tried after a refusal.
    pub fn new<T: Into<String>>(
        name: impl Into<String>,
        strategy: Strategy,
        channels: impl IntoIterator<Item = T>,
    ) -> Self {
        Self::picked_by(name.into(), Picks::Ours(strategy), channels)
    }

    /// The same, picked by a strategy of the embedder's own.
    pub fn own<T: Into<String>>(
        name: impl Into<String>,
        strategy: impl OwnStrategy,
        channels: impl IntoIterator<Item = T>,
    ) -> Self {
        Self::picked_by(name.into(), Picks::Own(Arc::new(strategy)), channels)
    }

    fn picked_by<T: Into<String>>(name: String, picks: Picks, channels: impl IntoIterator<Item = T>) -> Self {
        Self {
            name,
            picks,
            channels: channels.into_iter().map(Into::into).collect(),
            when: When::default(),
            failover: 0,
            failover_unknown: FailoverUnknown::Abandon,
        }
    }

    /// Takes only payments of which that holds.
    pub fn when(mut self, when: When) -> Self {
        self.when = when;
        self
    }

    /// How many further channels may be tried after a definite refusal.
    pub fn failover(mut self, further: u32) -> Self {
        self.failover = further;
        self
    }

    /// What happens after an unknown create that nobody can pay.
    pub fn failover_unknown(mut self, then: FailoverUnknown) -> Self {
        self.failover_unknown = then;
        self
    }
}
