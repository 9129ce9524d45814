//! The protocol of attempts in a page: who may write what when, and what a provider does meanwhile.

use paymux_core::payment::{AttemptState, Held};
use paymux_core::state::{Effect, Ground, Happening, Sum, step};

/// When money moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Money {
    /// When the payer acts on what was shown.
    PayerActs,
    /// With the create itself, as for a scanned barcode.
    CreateMoves,
}

/// A rule of the protocol that is broken on purpose: the model must notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breach {
    /// The next channel is tried although the create that moves money may have worked.
    FailsOverUnknown,
    /// A sender that was held up past its deadline writes all the same.
    SendsLate,
    /// "Not found" ends an attempt whenever it is said.
    NotFoundEnds,
    /// What a clock alone calls over is not asked about any more.
    ClocksEnd,
    /// What is learnt of an attempt that was given up is shown.
    ShowsLate,
    /// Money is booked without another look, although a close is under way.
    ForgetsClose,
    /// A look is the last one although the close may still act.
    LooksEarly,
}

/// What is explored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Protocol {
    /// How many channels the route has.
    pub(crate) channels: usize,
    pub(crate) money: Money,
    /// Whether a close sends back money that the order has taken.
    pub(crate) close_reverses: bool,
    /// Whether payers find ways to pay what nobody showed them, and what has ended.
    pub(crate) strange_payers: bool,
    /// Whether the clock of some node is far ahead: it calls a provider's timer over, and absence proven, too
    /// early.
    pub(crate) wrong_clocks: bool,
    pub(crate) breach: Option<Breach>,
}

/// An order at a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Order {
    None,
    Open,
    Paid,
    Closed,
}

/// What the create call said, on its way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Answer {
    Refused,
    Open,
    Paid,
}

/// What a worker has read at the provider, or what came of its close, and has not stored yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reading {
    Paid,
    Open,
    /// Open, though its timer is over by the reader's clock.
    Over,
    Closed,
    NotFound,
    Absent,
    CloseUnknown,
}

/// A close, from the moment on at which it is stored that it is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Close {
    /// None was called, or none that matters: they take nothing back.
    None,
    /// It is under way to the provider.
    Sent,
    /// It can do nothing any more: it has arrived or is lost, and its time is over.
    Over,
}

/// Whoever makes the create call, in the memory of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Sender {
    has_written: bool,
    /// Whether its fencing number still counts.
    holds: bool,
}

/// One attempt, with all that is on its way because of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is a thing of its own that has happened or not")]
struct Attempt {
    state: AttemptState,
    shown: bool,
    sender: Option<Sender>,
    deadline_over: bool,
    request: bool,
    order: Order,
    answer: Option<Answer>,
    reading: Option<Reading>,
    close: Close,
    /// Whether a worker looks again at what is booked.
    looks: bool,
    /// Whether what is booked waits for a person, since it may have gone back.
    contested: bool,
    /// Delivered again and again once it exists.
    callback: bool,
    /// Money came although the ledger had said that none would.
    surprised: bool,
}

/// All there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    attempts: Vec<Attempt>,
    crashes_left: u8,
    over: bool,
}

/// What may happen next; the number is the attempt's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Write(usize),
    Arrive(usize),
    Refuse(usize),
    LoseRequest(usize),
    LoseAnswer(usize),
    Hear(usize),
    StopWaiting(usize),
    Crash,
    DeadlinePasses(usize),
    Take(usize),
    Query(usize),
    QueryByWrongClock(usize),
    Close(usize),
    CloseArrives(usize),
    CloseLost(usize),
    LookBack(usize),
    Learn(usize),
    Pay(usize),
    Callback(usize),
    Lapse(usize),
}

impl World {
    pub(crate) fn new() -> Self {
        Self { attempts: vec![Attempt::begun()], crashes_left: 1, over: false }
    }

    /// How many orders a payer could pay now, having been shown how.
    pub(crate) fn payable(&self) -> usize {
        self.attempts.iter().filter(|a| a.shown && a.order == Order::Open).count()
    }

    pub(crate) fn paid_twice(&self) -> bool {
        self.attempts.iter().filter(|a| a.order == Order::Paid).count() > 1
    }

    pub(crate) fn surprised(&self) -> bool {
        self.attempts.iter().any(|a| a.surprised)
    }

    pub(crate) fn successes(&self) -> usize {
        self.attempts.iter().filter(|a| a.state == AttemptState::Paid).count()
    }

    pub(crate) fn live(&self) -> usize {
        self.attempts.iter().filter(|a| a.state.is_live()).count()
    }

    /// Whether each order's money is booked, or waits for a person, or is still asked about. Only where payers pay
    /// what their provider has called closed, its callback must tell of it.
    pub(crate) fn every_sum_is_found(&self, strange_payers: bool) -> bool {
        let paid = self.attempts.iter().enumerate().filter(|(_, a)| a.order == Order::Paid);
        paid.into_iter().all(|(i, a)| {
            let told = if strange_payers || a.is_asked_about() {
                step(a.state, Happening::QueryPaid(Sum::Full), self.ground(i))
            } else {
                (a.state, Effect::Ignore)
            };
            a.state.is_booked() || told.0.is_booked() || matches!(told.1, Effect::Hold(_))
        })
    }

    /// Whether all booked money that a close has sent back waits for a person, or is looked at again.
    pub(crate) fn every_reversal_is_seen(&self) -> bool {
        let is_booked = |a: &&Attempt| a.state.is_booked();
        let gone = self.attempts.iter().filter(is_booked).filter(|a| a.order == Order::Closed);
        gone.into_iter().all(|a| a.contested || a.looks)
    }

    pub(crate) fn has_contested(&self) -> bool {
        self.attempts.iter().any(|a| a.contested)
    }

    pub(crate) fn given_up(&self) -> bool {
        self.attempts.iter().any(|a| a.state == AttemptState::Abandoned)
    }

    pub(crate) fn a_later_one_succeeds(&self) -> bool {
        self.attempts.iter().skip(1).any(|a| a.state == AttemptState::Paid)
    }

    pub(crate) fn has_duplicate(&self) -> bool {
        self.attempts.iter().any(|a| a.state == AttemptState::DuplicatePaid)
    }

    fn ground(&self, attempt: usize) -> Ground {
        let siblings = self.attempts.iter().enumerate().filter(|(i, _)| *i != attempt);
        let mut paid = siblings.filter(|(_, a)| a.state == AttemptState::Paid);
        match paid.next() {
            Some((_, a)) if a.contested || a.looks => Ground::SiblingContested,
            Some(_) => Ground::SiblingPaid,
            None => Ground::Free,
        }
    }

    fn may_begin_next(&self, channels: usize) -> bool {
        !self.over && self.attempts.len() < channels && self.ground(usize::MAX) == Ground::Free
    }
}

impl Attempt {
    fn begun() -> Self {
        Self {
            state: AttemptState::Sending,
            shown: false,
            sender: Some(Sender { has_written: false, holds: true }),
            deadline_over: false,
            request: false,
            order: Order::None,
            answer: None,
            reading: None,
            close: Close::None,
            looks: false,
            contested: false,
            callback: false,
            surprised: false,
        }
    }

    /// Whether a worker asks its provider about it, or counts its sender for lost one day and asks then.
    fn is_asked_about(&self) -> bool {
        use AttemptState as S;
        matches!(self.state, S::Sending | S::Open | S::Unknown | S::Abandoned | S::Lapsed)
    }

    /// A worker reads what its provider says. Of what is watched only money and an end matter.
    fn read(&mut self, open: Reading, not_found: Reading) {
        let reading = self.reads(open, not_found);
        let matters = !self.state.is_watched() || matches!(reading, Reading::Paid | Reading::Closed);
        self.reading = matters.then_some(reading);
    }

    /// What its provider says, with how an unpaid order and none at all read.
    fn reads(&self, open: Reading, not_found: Reading) -> Reading {
        match self.order {
            Order::None => not_found,
            Order::Open => open,
            Order::Paid => Reading::Paid,
            Order::Closed => Reading::Closed,
        }
    }
}

impl Protocol {
    pub(crate) fn possible(self, world: &World) -> Vec<Action> {
        let mut all = Vec::new();
        if world.crashes_left > 0 && world.attempts.iter().any(|a| a.sender.is_some()) {
            all.push(Action::Crash);
        }
        for (i, a) in world.attempts.iter().enumerate() {
            all.extend(self.of_the_call(i, a));
            all.extend(self.of_the_order(i, a));
        }
        all
    }

    fn of_the_call(self, i: usize, a: &Attempt) -> impl Iterator<Item = Action> {
        let writes = a.sender.is_some_and(|sender| !sender.has_written)
            && (!a.deadline_over || self.breach == Some(Breach::SendsLate));
        let may_hear = a.sender.is_some() || self.breach == Some(Breach::ShowsLate);
        [
            (writes, Action::Write(i)),
            (a.request, Action::Arrive(i)),
            (a.request, Action::Refuse(i)),
            (a.request, Action::LoseRequest(i)),
            (a.answer.is_some(), Action::LoseAnswer(i)),
            (a.answer.is_some() && may_hear, Action::Hear(i)),
            (a.sender.is_some(), Action::StopWaiting(i)),
            (!a.deadline_over, Action::DeadlinePasses(i)),
            (a.deadline_over && a.state == AttemptState::Sending, Action::Take(i)),
        ]
        .into_iter()
        .filter_map(|(may, action)| may.then_some(action))
    }

    fn of_the_order(self, i: usize, a: &Attempt) -> impl Iterator<Item = Action> {
        let payer_may = match a.order {
            Order::Open => a.shown || self.strange_payers,
            Order::Closed => self.strange_payers,
            Order::None | Order::Paid => false,
        };
        let is_idle = a.is_asked_about() && a.state != AttemptState::Sending && a.reading.is_none();
        let may_close =
            is_idle && a.close == Close::None && (self.money == Money::PayerActs || self.close_reverses);
        [
            (is_idle, Action::Query(i)),
            (is_idle && self.wrong_clocks, Action::QueryByWrongClock(i)),
            (is_idle && may_close, Action::Close(i)),
            (a.close == Close::Sent, Action::CloseArrives(i)),
            (a.close == Close::Sent, Action::CloseLost(i)),
            (a.looks, Action::LookBack(i)),
            (a.reading.is_some(), Action::Learn(i)),
            (payer_may, Action::Pay(i)),
            (a.callback, Action::Callback(i)),
            (a.state == AttemptState::Open, Action::Lapse(i)),
        ]
        .into_iter()
        .filter_map(|(may, action)| may.then_some(action))
    }

    pub(crate) fn after(self, world: &World, action: Action) -> World {
        let mut world = world.clone();
        match action {
            Action::Write(i) => {
                let a = &mut world.attempts[i];
                a.request = true;
                a.sender = a.sender.map(|sender| Sender { has_written: true, ..sender });
            }
            Action::Arrive(i) => self.arrive(&mut world.attempts[i]),
            Action::Refuse(i) => {
                let a = &mut world.attempts[i];
                (a.request, a.answer) = (false, Some(Answer::Refused));
            }
            Action::LoseRequest(i) => world.attempts[i].request = false,
            Action::LoseAnswer(i) => world.attempts[i].answer = None,
            Action::Hear(i) => self.hear(&mut world, i),
            Action::StopWaiting(i) => self.stop_waiting(&mut world, i),
            Action::Crash => {
                world.crashes_left -= 1;
                world.attempts.iter_mut().for_each(|a| a.sender = None);
            }
            Action::DeadlinePasses(i) => world.attempts[i].deadline_over = true,
            Action::Take(i) => {
                let a = &mut world.attempts[i];
                a.sender = a.sender.map(|sender| Sender { holds: false, ..sender });
                self.happen(&mut world, i, Happening::DispatchOver, false);
            }
            Action::Query(i) => {
                let not_found = self.not_found(&world.attempts[i]);
                world.attempts[i].read(Reading::Open, not_found);
            }
            Action::QueryByWrongClock(i) => world.attempts[i].read(Reading::Over, Reading::Absent),
            // Its mark is stored by compare-and-set: what it was decided on has not changed.
            Action::Close(i) if self.close_reverses => world.attempts[i].close = Close::Sent,
            // Where it takes nothing back, only what it finds matters.
            Action::Close(i) | Action::CloseArrives(i) => self.close(&mut world.attempts[i]),
            Action::CloseLost(i) => world.attempts[i].close = Close::Over,
            Action::LookBack(i) => self.look_back(&mut world, i),
            Action::Learn(i) => self.learn(&mut world, i),
            Action::Pay(i) => {
                let a = &mut world.attempts[i];
                (a.order, a.callback) = (Order::Paid, true);
            }
            Action::Callback(i) => self.happen(&mut world, i, Happening::Callback(Sum::Full), false),
            Action::Lapse(i) => self.happen(&mut world, i, Happening::Lapse, false),
        }
        world
    }

    /// The request reaches the provider.
    fn arrive(self, a: &mut Attempt) {
        use AttemptState as S;
        a.request = false;
        match self.money {
            Money::PayerActs => (a.order, a.answer) = (Order::Open, Some(Answer::Open)),
            Money::CreateMoves => {
                (a.order, a.answer, a.callback) = (Order::Paid, Some(Answer::Paid), true);
                let is_over = matches!(a.state, S::Closed | S::NotSent | S::Refused | S::Lapsed);
                a.surprised = is_over && !self.wrong_clocks;
            }
        }
    }

    /// "Not found" proves absence only once nothing more can arrive.
    fn not_found(self, a: &Attempt) -> Reading {
        let nothing_follows = a.deadline_over && !a.request;
        if nothing_follows || self.breach == Some(Breach::NotFoundEnds) {
            Reading::Absent
        } else {
            Reading::NotFound
        }
    }

    fn hear(self, world: &mut World, i: usize) {
        let a = &mut world.attempts[i];
        let holds = a.sender.take().is_some_and(|sender| sender.holds);
        let Some(answer) = a.answer.take() else { return };
        let happening = match answer {
            Answer::Refused => Happening::AnswerRefused,
            Answer::Open => Happening::AnswerOpen,
            Answer::Paid => Happening::AnswerPaid(Sum::Full),
        };
        if holds {
            self.happen(world, i, happening, true);
        } else if answer == Answer::Paid {
            // Not its sender's any more: what its provider says of money is looked into all the same.
            self.happen(world, i, happening, false);
        } else if self.breach == Some(Breach::ShowsLate) {
            world.attempts[i].shown |= answer == Answer::Open;
        }
    }

    /// The sender's own time is over. What never left is not sent, whatever the reason.
    fn stop_waiting(self, world: &mut World, i: usize) {
        let Some(sender) = world.attempts[i].sender.take() else { return };
        if !sender.holds {
            return;
        }
        let may_give_up = self.money == Money::PayerActs || self.breach == Some(Breach::FailsOverUnknown);
        let happening = match sender.has_written {
            false => Happening::AnswerNotSent,
            true if may_give_up && world.may_begin_next(self.channels) => Happening::GiveUp,
            true => Happening::AnswerUnknown,
        };
        self.happen(world, i, happening, true);
    }

    /// A worker stores what it has read, by what the ledger says at that time.
    fn learn(self, world: &mut World, i: usize) {
        let Some(reading) = world.attempts[i].reading.take() else { return };
        let is_hidden = world.attempts[i].state == AttemptState::Unknown;
        let happening = match reading {
            Reading::Paid => Happening::QueryPaid(Sum::Full),
            // Open, but its code never reached anyone.
            Reading::Open if is_hidden && self.money == Money::PayerActs => Happening::GiveUp,
            Reading::Open => Happening::QueryOpen,
            Reading::Over => Happening::TimerOver,
            Reading::Closed => Happening::QueryClosed,
            Reading::NotFound => Happening::QueryNotFound,
            Reading::Absent => Happening::QueryAbsent,
            Reading::CloseUnknown => Happening::CloseUnknown,
        };
        self.happen(world, i, happening, false);
    }

    /// A close reaches the provider, and its answer, which may be lost, a worker. One of an order that is not
    /// there says nothing.
    fn close(self, a: &mut Attempt) {
        if self.close_reverses {
            a.close = Close::Over;
        }
        if a.order == Order::Open || (a.order == Order::Paid && self.close_reverses) {
            a.order = Order::Closed;
        }
        if a.reading.is_none() {
            a.reading = Some(a.reads(Reading::Open, Reading::CloseUnknown));
        }
    }

    /// A worker looks again at what is booked. That is the last look once the close can do nothing any more.
    fn look_back(self, world: &mut World, i: usize) {
        let a = &mut world.attempts[i];
        match a.order {
            Order::Closed => self.happen(world, i, Happening::QueryClosed, false),
            _ if a.close == Close::Over || self.breach == Some(Breach::LooksEarly) => a.looks = false,
            _ => {}
        }
    }

    /// One transaction: what happened, and what the payment does about it. Only whoever serves the request can
    /// begin the next attempt: the payer's data is not stored.
    fn happen(self, world: &mut World, i: usize, happening: Happening, serves_request: bool) {
        let (mut state, effect) = step(world.attempts[i].state, happening, world.ground(i));
        let by_a_clock = matches!(happening, Happening::QueryAbsent | Happening::TimerOver);
        if by_a_clock && state == AttemptState::Lapsed && self.breach == Some(Breach::ClocksEnd) {
            state = AttemptState::Closed;
        }
        let a = &mut world.attempts[i];
        let is_new = state.is_booked() && !a.state.is_booked();
        a.looks |= is_new && a.close != Close::None && self.breach != Some(Breach::ForgetsClose);
        a.state = state;
        match effect {
            Effect::Hold(Held::Reversed) => (a.contested, a.looks) = (true, false),
            Effect::Show => world.attempts[i].shown |= happening == Happening::AnswerOpen,
            Effect::Next if serves_request && world.may_begin_next(self.channels) => {
                world.attempts.push(Attempt::begun());
            }
            Effect::Next | Effect::End => world.over = true,
            Effect::Settle => {
                world.over = true;
                for other in (0..world.attempts.len()).filter(|other| *other != i) {
                    if world.attempts[other].state.is_live() {
                        let (state, _) =
                            step(world.attempts[other].state, Happening::SiblingPaid, Ground::SiblingPaid);
                        world.attempts[other].state = state;
                    }
                }
            }
            Effect::Ignore
            | Effect::Ask
            | Effect::Duplicate
            | Effect::Hold(_)
            | Effect::Clear
            | Effect::Uphold => {}
        }
    }
}
