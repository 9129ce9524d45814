//! A strategy of an embedder's own, in the place of those that paymux brings.

use std::fmt;
use std::sync::Arc;

use super::bits;
use super::strategy::Member;
use crate::ids::ChannelId;

/// How an embedder's own code picks among the channels that no rule has removed.
///
/// It is given to a route with [`Catalog::pick_by`](crate::Catalog::pick_by). Rules, limits and health hold
/// whatever it does: it sees only who is left, and whatever it answers, one of those takes the payment.
///
/// ```
/// use std::sync::Arc;
///
/// use paymux_core::catalog::{ChannelEntry, FailoverUnknown, Route, Strategy, When};
/// use paymux_core::ids::{AppId, ChannelId, OrderNo, RouteName};
/// use paymux_core::payment::{NewPayment, PaymentRequest};
/// use paymux_core::router::{Ask, Contenders, OwnStrategy};
/// use paymux_core::wire::{Endpoint, PlainHttp};
/// use paymux_core::{Catalog, Router, Timestamp};
/// use paymux_testkit::ScriptedChannel;
///
/// /// The channel with the longest id, for a reason that only this embedder knows.
/// #[derive(Debug)]
/// struct LongestName;
///
/// impl OwnStrategy for LongestName {
///     fn name(&self) -> &'static str {
///         "longest-name"
///     }
///
///     fn pick(&self, left: &Contenders<'_>, _seed: u64) -> usize {
///         let lengths = left.iter().map(|contender| contender.channel.as_str().len());
///         lengths.enumerate().max_by_key(|(_, length)| *length).map_or(0, |(place, _)| place)
///     }
/// }
///
/// let channel = |id: &str| {
///     ChannelEntry::new(ChannelId::new(id).unwrap(), Arc::new(ScriptedChannel::new(id)))
/// };
/// let route = Route {
///     name: RouteName::new("all").unwrap(),
///     when: When::default(),
///     strategy: Strategy::Random,
///     channels: vec![0, 1],
///     failover: 1,
///     failover_unknown: FailoverUnknown::Abandon,
/// };
/// let url = Endpoint::parse("https://pay.example.com", PlainHttp::LoopbackOnly).unwrap();
/// let mut catalog = Catalog::new(vec![], vec![channel("east"), channel("northwest")], vec![route], url);
/// catalog.pick_by(&RouteName::new("all").unwrap(), Arc::new(LongestName));
///
/// let request: PaymentRequest = serde_json::from_value(serde_json::json!({
///     "order_no": "A1001", "amount": 1999, "currency": "CNY", "method": "wechat.native", "subject": "Tea"
/// })).unwrap();
/// let request = NewPayment::check(&request).unwrap();
/// let ask = Ask::of(&catalog, &AppId::new("shop").unwrap(), &request, Timestamp::from_ms(0));
/// let picked = Router::new(&catalog).pick(&ask, &[], 7).unwrap();
/// assert_eq!(picked.channel.id.as_str(), "northwest");
/// assert_eq!(picked.decision.strategy.as_deref(), Some("longest-name"));
/// ```
pub trait OwnStrategy: fmt::Debug + Send + Sync + 'static {
    /// Its name in decision records. None of [`Strategy::ALL`](crate::catalog::Strategy::ALL).
    fn name(&self) -> &'static str;

    /// Which of those that are left takes the payment, counted from 0; the last one where there are fewer. There is at
    /// least one.
    ///
    /// Runs on the hot way of every payment: it should take no lock and wait for nothing. To be replayed from a
    /// record it must answer by what it is given alone: whatever is left to chance comes from `seed`.
    fn pick(&self, left: &Contenders<'_>, seed: u64) -> usize;
}

/// A channel that may take the payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contender<'a> {
    /// Which.
    pub channel: &'a ChannelId,
    /// Its weight.
    pub weight: u32,
    /// What its provider takes, in hundredths of a percent.
    pub fee_bp: Option<u32>,
}

/// The channels that may take the payment, in the order of the route.
#[derive(Debug, Clone, Copy)]
pub struct Contenders<'a> {
    left: &'a [u64],
    channels: &'a [OwnMember],
}

impl<'a> Contenders<'a> {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Contender<'a>> + 'a {
        let channels = self.channels;
        bits::all(self.left).filter_map(move |place| channels.get(place)).map(|member| Contender {
            channel: &member.id,
            weight: member.weight,
            fee_bp: member.fee_bp,
        })
    }

    /// How many there are: at least one.
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        bits::count(self.left)
    }
}

#[derive(Debug)]
struct OwnMember {
    id: ChannelId,
    weight: u32,
    fee_bp: Option<u32>,
}

/// Such a strategy, with the channels of its route.
#[derive(Debug)]
pub(super) struct Own {
    strategy: Arc<dyn OwnStrategy>,
    channels: Box<[OwnMember]>,
}

impl Own {
    pub(super) fn new(strategy: Arc<dyn OwnStrategy>, members: &[Member<'_>]) -> Self {
        let own = |member: &Member<'_>| OwnMember {
            id: member.id.clone(),
            weight: member.weight,
            fee_bp: member.fee_bp,
        };
        Self { strategy, channels: members.iter().map(own).collect() }
    }

    /// The place in the route.
    pub(super) fn pick(&self, left: &[u64], seed: u64) -> Option<usize> {
        let last = bits::count(left).checked_sub(1)?;
        let rank = self.strategy.pick(&Contenders { left, channels: &self.channels }, seed);
        bits::nth(left, rank.min(last))
    }
}
