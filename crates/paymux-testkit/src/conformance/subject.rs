//! What a plugin's author says of the plugin: all that the suite cannot find out by itself.

use std::sync::Arc;
use std::time::Duration;

use paymux_core::acceptor::{FrontFact, FrontOrder};
use paymux_core::channel::Blame;
use paymux_core::provider::Settings;
use paymux_core::{Method, Money, Order, Provider, Timestamp, WireRequest, WireResponse};

use super::place::Place;

/// One plugin under test. Everything here is constant: the suite asks for it anew in each case.
pub trait Subject: Send + Sync {
    /// The plugin.
    fn provider(&self) -> Arc<dyn Provider>;

    /// A good account, with a previous secret. Each key that the plugin lists as a secret stands here, with a value
    /// of its own of at least 8 characters: whoever shows it is found out.
    fn settings(&self) -> Settings;

    /// Which of the settings verify callbacks.
    fn callback_keys(&self) -> CallbackKeys;

    /// What is behind the channel, fresh.
    fn far_side(&self) -> FarSide;

    /// The methods that the suite goes through, the ordinary one first: at least one for each way in which the
    /// provider's orders end.
    fn methods(&self) -> Vec<Method>;

    /// Puts into an order what this provider wants beyond number, amount, method and a payer with all fields.
    fn prepare(&self, order: &mut Order) {
        let _ = order;
    }

    /// The provider's callback of that fact, signed with that key. Its time is `now`.
    fn callback(&self, key: Key, fact: &FrontFact, now: Timestamp) -> WireRequest;

    /// What the sign of a callback covers.
    fn signing(&self) -> Signing;

    /// The exact answer that ends a callback's repeats; its status and body count.
    fn acknowledgement(&self) -> WireResponse;

    /// What a payer's browser brings back from that order, signed with that key; `None` where the provider signs
    /// nothing there.
    fn way_back(&self, key: Key, order: &FrontOrder) -> Option<WayBack> {
        let _ = (key, order);
        None
    }

    /// Messages as the provider's documents or traffic have them, with their signs: at least one callback, and where
    /// the channel has a network one create.
    fn recorded(&self) -> Vec<Recorded>;
}

/// Which settings verify callbacks.
#[derive(Debug, Clone, Copy)]
pub struct CallbackKeys {
    /// The key of the current secret.
    pub current: &'static str,
    /// The key of the one before.
    pub previous: &'static str,
}

/// With whose secret something is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The account's current one.
    Current,
    /// The account's previous one.
    Previous,
    /// That of another account at the same provider.
    Stranger,
}

/// What the sign of a message covers.
#[derive(Debug, Clone, Copy)]
pub struct Signing {
    /// Where it stands.
    pub sign: Place,
    /// What it covers.
    pub covers: &'static [Place],
    /// What is read beside that.
    pub leaves_out: &'static [Place],
}

/// A payer's way back, and what its sign covers.
#[derive(Debug, Clone)]
pub struct WayBack {
    /// What the browser asks for.
    pub request: WireRequest,
    /// Its sign.
    pub signing: Signing,
}

/// What is behind a channel.
pub enum FarSide {
    /// A provider behind the network, pretended.
    Network(Arc<dyn Gateway>),
    /// The plugin's own memory: the channel sends nothing.
    Inside(Inside),
}

/// How a provider without a network is brought to do something.
#[derive(Debug, Clone, Copy)]
pub struct Inside {
    /// The native operation that pays an order, told `{"number": ..}`.
    pub pay: &'static str,
    /// Makes an order one that is refused.
    pub refused: fn(&mut Order),
    /// Makes an order one whose create is not answered.
    pub lost: fn(&mut Order),
}

/// A provider behind the network, pretended: books, and the protocol's answers. [`super::AcceptorSide`] makes one of
/// a plugin's own acceptor.
pub trait Gateway: Send + Sync {
    /// Does what a call asks, and answers it. The path is the whole one.
    fn answer(&self, request: &WireRequest, now: Timestamp) -> WireResponse;

    /// The payer pays that order.
    ///
    /// # Errors
    /// Why it takes no money.
    fn pay(&self, number: &str, now: Timestamp) -> Result<(), String>;

    /// The order of that number, as it came in.
    fn order(&self, number: &str) -> Option<SeenOrder>;

    /// The refund of that number, as it came in.
    fn refund(&self, number: &str) -> Option<SeenOutflow>;

    /// The payout of that number, as it came in.
    fn transfer(&self, number: &str) -> Option<SeenOutflow> {
        let _ = number;
        None
    }

    /// Whether the answer to a query says how much came in. Where it does not, all that a channel can name is what the
    /// order costs.
    fn query_tells_amount(&self) -> bool {
        true
    }

    /// Answers by which the provider refuses a create and makes no order, at least one.
    fn refusals(&self) -> Vec<RefusedCreate>;

    /// An answer to a create that is whole and whose code no table lists.
    fn unlisted(&self) -> WireResponse;
}

/// An order as it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenOrder {
    /// How much.
    pub amount: Money,
    /// How long it lives, where the create says it.
    pub life: Option<Duration>,
    /// How often it was asked for.
    pub asked: u32,
}

/// A refund or a payout as it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenOutflow {
    /// How much.
    pub amount: Money,
    /// How often it was asked for.
    pub asked: u32,
}

/// An answer that refuses a create.
#[derive(Debug, Clone)]
pub struct RefusedCreate {
    /// The provider's code.
    pub code: &'static str,
    /// The whole answer.
    pub answer: WireResponse,
    /// Whose fault it is.
    pub blame: Blame,
}

/// A message with its sign, from a place that is not this code.
pub enum Recorded {
    /// A callback, and what it tells.
    Callback {
        /// Its id, such as a vector's.
        what: String,
        /// The account that it is for.
        settings: Settings,
        /// As it came in.
        request: WireRequest,
        /// The number that it names.
        number: String,
        /// What came in.
        received: Money,
    },
    /// A create, and its sign.
    Create {
        /// Its id, such as a vector's.
        what: String,
        /// The account that sends it.
        settings: Settings,
        /// Makes the suite's order the one that is meant.
        order: fn(&mut Order),
        /// How long after the suite's first moment, 2024-03-01 00:00 UTC, it is sent.
        after: Duration,
        /// Where the sign stands.
        place: Place,
        /// The sign.
        sign: String,
    },
}
