//! The accounts of every run, as plain data that both sides of the pretend protocol read: what each bank
//! offers and how it behaves. One of each sort that a real provider has been seen to be.

/// One account at one pretend bank.
#[derive(Debug)]
pub(super) struct Account {
    /// Its name: the channel's id, and the first part of its host.
    pub(super) id: &'static str,
    /// What its orders are.
    pub(super) form: Form,
    /// How an unpaid order ends.
    pub(super) end: End,
    /// Whether orders can be asked about.
    pub(super) query: bool,
    /// Whether orders can be closed.
    pub(super) close: bool,
    /// How money goes back, if it can.
    pub(super) refund: Option<Outflow>,
    /// How money is paid out, if it can.
    pub(super) payout: Option<Outflow>,
    /// Which fields of a callback its sign covers.
    pub(super) sign: Sign,
    /// After how long "no such order" is final.
    pub(super) absent_after_ms: Option<i64>,
    /// Whether a close of a number that it does not know kills the number.
    pub(super) buries_unknown: bool,
    /// Whether a close of a fresh paid order sends the money back.
    pub(super) close_reverses: bool,
}

/// What an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A code that the payer scans: nothing moves before that.
    Qr,
    /// The payer's code that the merchant scanned: the create itself moves money.
    Barcode,
}

/// How an unpaid order ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By a call, not before that many milliseconds.
    Call { not_before_ms: i64 },
    /// By a timer that the create sets.
    Timer { min_ms: i64, max_ms: i64, step_ms: i64, margin_ms: i64 },
    /// Never.
    Never,
}

/// How money leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outflow {
    /// When.
    pub(super) pace: Pace,
    /// Whether it can be asked about.
    pub(super) query: bool,
    /// Whether the end is told by a callback.
    pub(super) told: bool,
    /// Whether a number that comes again is the same one; else it moves money again.
    pub(super) idempotent: bool,
}

/// When money leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// With the answer.
    AtOnce,
    /// Later.
    Later,
    /// Once a person has opened an address.
    ByPerson,
}

/// Which fields of a callback are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// All.
    All,
    /// All but the trade number.
    NotTrade,
    /// Only kind and number.
    NotAmount,
}

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;

/// How long a request may be under way to a bank that says when absence is final, and how long it may hide
/// an order: together with the time to dispatch less than what it promises.
pub(super) const PROMISE_MS_MAX: i64 = 25 * SECOND;

const fn outflow(pace: Pace, query: bool, told: bool, idempotent: bool) -> Option<Outflow> {
    Some(Outflow { pace, query, told, idempotent })
}

/// A code with everything: query, close, refunds that end later.
const PLAIN: Account = Account {
    id: "qr-a",
    form: Form::Qr,
    end: End::Call { not_before_ms: 0 },
    query: true,
    close: true,
    refund: outflow(Pace::Later, true, true, true),
    payout: None,
    sign: Sign::All,
    absent_after_ms: None,
    buries_unknown: false,
    close_reverses: false,
};

/// All of them, in the order of their numbers.
pub(super) static ACCOUNTS: [Account; 6] = [
    PLAIN,
    // Amounts are not signed in its callbacks, and an order cannot be closed at once.
    Account {
        id: "qr-b",
        end: End::Call { not_before_ms: 15 * SECOND },
        refund: outflow(Pace::AtOnce, true, false, true),
        payout: outflow(Pace::Later, true, false, true),
        sign: Sign::NotAmount,
        buries_unknown: true,
        ..PLAIN
    },
    // Its orders end by its own timer, and refunds cannot be asked about: their end is told.
    Account {
        id: "timed",
        end: End::Timer { min_ms: MINUTE, max_ms: 120 * MINUTE, step_ms: MINUTE, margin_ms: 2 * MINUTE },
        close: false,
        refund: outflow(Pace::Later, false, true, false),
        sign: Sign::NotTrade,
        ..PLAIN
    },
    // Nothing can be asked, closed or given back: only its callbacks tell.
    Account { id: "silent", end: End::Never, query: false, close: false, refund: None, ..PLAIN },
    // A till: the call moves money, and absence is final after a while.
    Account {
        id: "till-a",
        form: Form::Barcode,
        refund: outflow(Pace::AtOnce, true, true, false),
        payout: outflow(Pace::AtOnce, true, true, false),
        absent_after_ms: Some(90 * SECOND),
        ..PLAIN
    },
    // A till where absence is never final, a close can reverse, and refunds wait for a person.
    Account {
        id: "till-b",
        form: Form::Barcode,
        refund: outflow(Pace::ByPerson, true, false, true),
        payout: outflow(Pace::ByPerson, false, true, false),
        close_reverses: true,
        ..PLAIN
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sort_is_there() {
        let any = |holds: fn(&Account) -> bool| ACCOUNTS.iter().filter(|a| holds(a)).count();
        assert!(any(|a| a.form == Form::Barcode) >= 2 && any(|a| a.form == Form::Qr) >= 3);
        assert!(any(|a| !a.query && !a.close) > 0, "one that says nothing");
        assert!(any(|a| matches!(a.end, End::Timer { .. })) > 0);
        for pace in [Pace::AtOnce, Pace::Later, Pace::ByPerson] {
            assert!(ACCOUNTS.iter().any(|a| a.refund.is_some_and(|r| r.pace == pace)), "{pace:?}");
        }
    }
}
