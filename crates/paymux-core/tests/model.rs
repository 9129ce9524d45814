//! Every way in which two attempts of one payment can go, two nodes, lost and late messages, a crash and stale
//! answers among them: explored to the last state. The states are decided by core's own table
//! ([`paymux_core::state::step`]); around it stands the protocol of leases, fencing numbers and deadlines, told
//! again in a page.
//!
//! Time is told by what it allows: a deadline passes once, and a worker takes an attempt only afterwards. A payer
//! can pay what was shown and nothing else.

#[path = "model/protocol.rs"]
mod protocol;

use protocol::{Action, Breach, Money, Protocol, World};
use stateright::{Checker as _, HasDiscoveries, Model, Property};

const SHOWN_ONCE: &str = "one payable thing at most is shown";
const PAID_ONCE: &str = "nobody pays twice";
const SEEN: &str = "what a close sends back after it was booked is seen";
const FOUND: &str = "money is never ignored";
const NO_SURPRISE: &str = "no create moves money after the ledger has said that none will";

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        actions.extend(self.possible(world));
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let next = self.after(world, action);
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(SHOWN_ONCE, |_, world: &World| world.payable() <= 1),
            Property::always(PAID_ONCE, |own: &Self, world: &World| {
                own.strange_payers || !world.paid_twice()
            }),
            Property::always(NO_SURPRISE, |_, world: &World| !world.surprised()),
            Property::always("one success at most", |_, world: &World| world.successes() <= 1),
            Property::always("one attempt at most is live", |_, world: &World| world.live() <= 1),
            Property::always(FOUND, |own: &Self, world: &World| world.every_sum_is_found(own.strange_payers)),
            Property::always(SEEN, |_, world: &World| world.every_reversal_is_seen()),
            Property::sometimes("money in doubt waits for a person", |own: &Self, world: &World| {
                !own.close_reverses || world.has_contested()
            }),
            Property::sometimes("a later channel succeeds", |_, world: &World| world.a_later_one_succeeds()),
            Property::sometimes("an attempt is given up", |own: &Self, world: &World| {
                own.money == Money::CreateMoves || world.given_up()
            }),
            Property::sometimes("a second sum is booked", |own: &Self, world: &World| {
                !own.strange_payers || own.money == Money::CreateMoves || world.has_duplicate()
            }),
        ]
    }
}

/// Explores every state. The properties that do not hold, and how many states there were.
fn explored(protocol: Protocol, until: HasDiscoveries) -> (Vec<&'static str>, usize) {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let found = protocol.checker().threads(threads).finish_when(until).spawn_bfs().join();
    let properties = found.model().properties();
    let is_broken = |property: &Property<Protocol>| {
        found.discovery(property.name).is_some() == property.expectation.discovery_is_failure()
    };
    let broken = properties.iter().filter(|property| is_broken(property)).map(|property| property.name);
    (broken.collect(), found.unique_state_count())
}

#[track_caller]
fn holds(protocol: Protocol, states_min: usize) {
    // No `sometimes` is a failure that ends it early, so every state is looked at.
    let (broken, states) = explored(protocol, HasDiscoveries::AllFailures);
    assert_eq!(broken, Vec::<&str>::new());
    assert!(states >= states_min, "{states} states: it has lost some");
}

const SOUND: Protocol = Protocol {
    channels: 3,
    money: Money::PayerActs,
    close_reverses: false,
    strange_payers: false,
    wrong_clocks: false,
    breach: None,
};

#[test]
fn nothing_goes_wrong_where_the_payer_must_act() {
    holds(SOUND, 180_000);
}

#[test]
fn nothing_goes_wrong_where_the_create_moves_money() {
    holds(Protocol { money: Money::CreateMoves, ..SOUND }, 2_000);
}

#[test]
fn nothing_goes_wrong_where_a_close_reverses() {
    holds(Protocol { money: Money::CreateMoves, close_reverses: true, ..SOUND }, 4_000);
    holds(Protocol { close_reverses: true, channels: 2, ..SOUND }, 10_000);
}

#[test]
fn money_is_booked_whatever_payers_pay() {
    holds(Protocol { strange_payers: true, ..SOUND }, 2_000_000);
}

#[test]
fn money_is_found_whatever_clocks_say() {
    holds(Protocol { wrong_clocks: true, channels: 2, ..SOUND }, 8_000);
    holds(Protocol { wrong_clocks: true, money: Money::CreateMoves, ..SOUND }, 2_000);
}

/// A model that cannot fail proves nothing.
#[test]
fn each_broken_rule_is_noticed() {
    check(Money::CreateMoves, Breach::FailsOverUnknown, PAID_ONCE);
    check(Money::CreateMoves, Breach::SendsLate, NO_SURPRISE);
    check(Money::CreateMoves, Breach::NotFoundEnds, NO_SURPRISE);
    check(Money::PayerActs, Breach::ClocksEnd, FOUND);
    check(Money::CreateMoves, Breach::ClocksEnd, FOUND);
    check(Money::PayerActs, Breach::ShowsLate, SHOWN_ONCE);
    check(Money::CreateMoves, Breach::ForgetsClose, SEEN);
    check(Money::CreateMoves, Breach::LooksEarly, SEEN);

    #[track_caller]
    fn check(money: Money, breach: Breach, want: &str) {
        let close_reverses = matches!(breach, Breach::ForgetsClose | Breach::LooksEarly);
        let wrong_clocks = breach == Breach::ClocksEnd;
        let protocol = Protocol { money, close_reverses, wrong_clocks, breach: Some(breach), ..SOUND };
        let (broken, _) = explored(protocol, HasDiscoveries::AnyFailures);
        assert!(broken.contains(&want), "{breach:?}: {broken:?}");
    }
}
