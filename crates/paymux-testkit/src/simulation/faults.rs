//! What can go wrong, and how often it does in one run: each seed turns a random subset on, each of it at
//! a random rate, since faults that never let up hide what one alone would show.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::dice::Dice;
use super::stats::Stats;

/// How often one kind of fault strikes where it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// At each call, message or payment.
    Common,
    /// At each of very many small steps.
    Rare,
    /// Once in a purchase or a payout, if at all: what leads to states that are seldom seen.
    Story,
    /// As that, where what it needs is seldom there.
    RareStory,
}

impl Pace {
    /// Which share of the seeds has it, of those where that share of all faults is on.
    const fn share(self, of_all: u32) -> u32 {
        match self {
            Self::Common | Self::Rare => of_all,
            Self::Story | Self::RareStory => of_all * 2,
        }
    }

    /// The rates that a seed picks from, in parts of a million.
    const fn rates(self) -> [u32; 4] {
        match self {
            Self::Common => [20_000, 60_000, 150_000, 400_000],
            Self::Rare => [1_000, 3_000, 8_000, 20_000],
            Self::Story => [150_000, 300_000, 600_000, 900_000],
            Self::RareStory => [600_000, 800_000, 900_000, 1_000_000],
        }
    }
}

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $pace:ident;)+) => {
        /// Something that goes wrong, or that somebody does at a bad moment.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Fault { $($(#[$doc])* $name),+ }

        impl Fault {
            /// Every one of them.
            const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The name in the table.
            pub(super) const fn word(self) -> &'static str {
                match self { $(Self::$name => concat!("fault: ", $word)),+ }
            }

            const fn pace(self) -> Pace {
                match self { $(Self::$name => Pace::$pace),+ }
            }
        }
    };
}

faults! {
    /// No connection: nothing is sent.
    ConnectRefused = "connection refused", Common;
    /// The request never arrives.
    RequestLost = "request lost before effect", Common;
    /// The request arrives long after the sender's deadline.
    RequestLate = "request delayed beyond its deadline", Common;
    /// The request arrives twice.
    RequestTwice = "request delivered twice", Common;
    /// The bank fails before it does anything.
    ServerErrorBefore = "5xx before effect", Common;
    /// The bank does it and answers with a failure.
    ServerErrorAfter = "5xx after effect", Common;
    /// The bank does it and the answer is lost.
    AnswerLost = "answer lost after effect", Common;
    /// The answer comes after the deadline.
    AnswerLate = "answer delayed beyond the deadline", Common;
    /// The answer comes after those to later requests.
    AnswerSlow = "answers reordered", Common;
    /// The answer is cut or altered on its way.
    AnswerGarbled = "answer truncated or garbled", Common;
    /// The answer to a request about another order.
    AnswerCrossed = "answer of another request", Common;
    /// The bank refuses a new order.
    OrderRefused = "bank refuses an order", Common;
    /// The bank shows a new order only after a while.
    OrderHidden = "query says not found for a while", Common;
    /// The bank refuses to close.
    CloseRefused = "bank refuses to close", Common;
    /// The bank calls an order closed that it has taken money on, and says nothing of that.
    CloseBlind = "close says nothing of money", Common;
    /// The bank refuses to give back or pay out.
    OutflowRefused = "bank refuses an outflow", Story;
    /// An outflow that was taken in fails later.
    OutflowFails = "outflow fails after it was taken in", Story;
    /// A callback never arrives at this try.
    CallbackLost = "callback lost", Common;
    /// The bank gives up telling after its first tries.
    CallbackForgotten = "callback lost for good", Common;
    /// A callback arrives twice at once.
    CallbackTwice = "callback duplicated", Common;
    /// A callback arrives after minutes or hours.
    CallbackLate = "callback delayed or reordered", Common;
    /// Somebody sends a callback with a bad sign.
    CallbackForged = "callback with a bad sign", Common;
    /// Somebody alters the amount of a callback.
    CallbackAmount = "callback with a wrong amount", Common;
    /// Somebody sends a callback again under another trade number.
    CallbackTrade = "callback replayed with another trade number", Common;
    /// The payer pays after the payment's end, where the bank allows it.
    PaysLate = "payer pays after the end", Story;
    /// The payer finds an order in the wallet's own list, although nobody showed it.
    PaysUnseen = "payer pays an order that nobody showed", Common;
    /// The payer pays another order of a purchase that is paid, where the bank allows it.
    PaysBeside = "payer pays a superseded order", RareStory;
    /// The payer pays in the moment of a close: the bank calls the order closed, and only a query tells of the money.
    PaysWithClose = "payer pays while a close is under way", Common;
    /// The payer pays one order twice.
    PaysTwice = "payer pays an order twice", Common;
    /// The payer pays less than was asked.
    PaysShort = "payer pays too little", Common;
    /// The payer pays more than was asked.
    PaysOver = "payer pays too much", Common;
    /// The merchant's endpoint answers 500 or drops the connection.
    EndpointFails = "merchant endpoint fails", Common;
    /// The merchant's endpoint answers too late.
    EndpointSlow = "merchant endpoint is slow", Common;
    /// The merchant's endpoint says 410.
    EndpointGone = "merchant endpoint says 410", Rare;
    /// The merchant's endpoint says 429 with `Retry-After`.
    EndpointBusy = "merchant endpoint says 429", Common;
    /// The merchant's endpoint answers nobody for days.
    EndpointDown = "merchant endpoint down for days", Common;
    /// A client gives up waiting and repeats.
    ClientGivesUp = "client gives up and repeats", Common;
    /// A client repeats with another body.
    ClientOtherBody = "client repeats with another body", Common;
    /// Several equal creates at once.
    ClientsAtOnce = "concurrent equal creates", Common;
    /// The merchant cancels.
    Cancels = "merchant cancels", Common;
    /// The merchant asks to look at the provider.
    Syncs = "merchant syncs", Common;
    /// The merchant gives money back.
    Refunds = "merchant refunds", Story;
    /// The merchant gives money back by several calls at once.
    RefundsAtOnce = "concurrent refunds", Story;
    /// The merchant pays out.
    Transfers = "merchant transfers", Story;
    /// An operator resolves while everything else goes on.
    OperatorActs = "operator resolves under way", Story;
    /// An operator says that a payout was not done, whatever the console shows.
    OperatorErrs = "operator calls a payout not done by mistake", Story;
    /// A node dies between two of its steps.
    Crash = "node crash", Rare;
    /// A node is not run for a while, and its clock goes on.
    Pause = "node paused", Rare;
    /// A node is not run for a while, and its clock stands still with it.
    Freeze = "node frozen with its clock", Rare;
    /// The nodes' wall clocks disagree from the start.
    Skew = "wall clock skew", Common;
    /// A node's wall clock jumps.
    Jump = "wall clock jump", Rare;
    /// The store is away for a while.
    StoreAway = "store away", Rare;
    /// A commit is not confirmed, and may have been done.
    StoreUnconfirmed = "store unconfirmed", Rare;
    /// A commit takes seconds.
    StoreSlow = "store slow", Rare;
    /// Half a callback arrives.
    CallbackCut = "callback cut", Common;
    /// The bank tells of an order that is not ours.
    CallbackUnknown = "callback for an unknown number", Common;
    /// The payer pays in another currency, where the bank allows it.
    PaysForeign = "payer pays in another currency", Common;
}

/// The faults of one run.
#[derive(Debug)]
pub(super) struct Faults {
    dice: Dice,
    rates: Vec<u32>,
    hits: Vec<AtomicU64>,
    is_calm: AtomicBool,
}

impl Faults {
    /// The subset that this seed turns on.
    pub(super) fn of(seed: u64) -> Self {
        let choice = Dice::stream(seed, "swarm");
        // Some seeds are nearly calm, some nearly all at once.
        let share = choice.one_of(&[150_000, 300_000, 500_000]);
        let rate = |fault: &Fault| {
            let (on, rate) = (choice.chance(fault.pace().share(share)), choice.one_of(&fault.pace().rates()));
            if on { rate } else { 0 }
        };
        Self {
            rates: Fault::ALL.iter().map(rate).collect(),
            hits: Fault::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            dice: Dice::stream(seed, "faults"),
            is_calm: AtomicBool::new(false),
        }
    }

    /// Whether it strikes now; counted if so.
    pub(super) fn strikes(&self, fault: Fault) -> bool {
        let strikes = self.is_on(fault) && self.dice.chance(self.rates[fault as usize]);
        if strikes {
            self.hits[fault as usize].fetch_add(1, Ordering::Relaxed);
        }
        strikes
    }

    /// Whether this seed has it at all, and it has not been turned off.
    pub(super) fn is_on(&self, fault: Fault) -> bool {
        self.rates[fault as usize] > 0 && !self.is_calm()
    }

    /// From now on nothing goes wrong any more.
    pub(super) fn calm(&self) {
        self.is_calm.store(true, Ordering::Relaxed);
    }

    /// Whether nothing goes wrong any more.
    pub(super) fn is_calm(&self) -> bool {
        self.is_calm.load(Ordering::Relaxed)
    }

    /// What is on, with its rate in parts of a million, for the trace.
    pub(super) fn told(&self) -> String {
        let on = Fault::ALL.iter().filter(|fault| self.rates[**fault as usize] > 0);
        let words = on.map(|fault| format!("{} {} ppm", fault.word(), self.rates[*fault as usize]));
        words.collect::<Vec<_>>().join(", ")
    }

    /// How often each has struck.
    pub(super) fn count_into(&self, stats: &mut Stats) {
        for fault in Fault::ALL {
            stats.add_many(fault.word(), self.hits[*fault as usize].load(Ordering::Relaxed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_on_in_some_seeds_and_off_in_others() {
        let seeds: Vec<Faults> = (0..300).map(Faults::of).collect();
        for fault in Fault::ALL {
            let on = seeds.iter().filter(|faults| faults.is_on(*fault)).count();
            assert!((40..220).contains(&on), "{}: on in {on} of 300 seeds", fault.word());
        }
    }

    #[test]
    fn nothing_strikes_in_the_calm() {
        let faults = Faults::of(1);
        faults.calm();
        assert!(Fault::ALL.iter().all(|fault| (0..1000).all(|_| !faults.strikes(*fault))));
    }
}
