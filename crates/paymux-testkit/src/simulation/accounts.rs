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
    /// What a call to close an order does.
    pub(super) close: Close,
    /// How money goes back, if it can.
    pub(super) refund: Option<Outflow>,
    /// How money is paid out, if it can.
    pub(super) payout: Option<Outflow>,
    /// Which fields of a callback its sign covers.
    pub(super) sign: Sign,
    /// After how long "no such order" is final.
    pub(super) absent_after_ms: Option<i64>,
    /// Whether payers may pay in another currency than was asked.
    pub(super) takes_foreign: bool,
}

/// The currency that every merchant asks for.
pub(super) const ASKED: &str = "CNY";
/// The one in which some payers pay all the same.
pub(super) const FOREIGN: &str = "USD";

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

/// What a call to close an order does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Close {
    /// There is no such call.
    Never,
    /// It ends an unpaid order.
    Ends,
    /// And kills a number that the bank does not know.
    EndsOrBuries,
    /// And sends the money of a fresh paid order back.
    EndsOrReverses,
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

const fn outflow(pace: Pace, query: bool, told: bool, idempotent: bool) -> Outflow {
    Outflow { pace, query, told, idempotent }
}

/// A code with everything: query, close, refunds that end later.
const PLAIN: Account = Account {
    id: "qr-a",
    form: Form::Qr,
    end: End::Call { not_before_ms: 0 },
    query: true,
    close: Close::Ends,
    refund: Some(outflow(Pace::Later, true, true, true)),
    payout: None,
    sign: Sign::All,
    absent_after_ms: None,
    takes_foreign: false,
};

/// All of them, in the order of their numbers.
pub(super) static ACCOUNTS: [Account; 7] = [
    Account { takes_foreign: true, ..PLAIN },
    // Amounts are not signed in its callbacks, and an order cannot be closed at once.
    Account {
        id: "qr-b",
        end: End::Call { not_before_ms: 15 * SECOND },
        refund: Some(outflow(Pace::AtOnce, true, false, true)),
        payout: Some(outflow(Pace::Later, true, false, true)),
        sign: Sign::NotAmount,
        close: Close::EndsOrBuries,
        ..PLAIN
    },
    // Its orders end by its own timer, and refunds cannot be asked about: their end is told.
    Account {
        id: "timed",
        end: End::Timer { min_ms: MINUTE, max_ms: 120 * MINUTE, step_ms: MINUTE, margin_ms: 2 * MINUTE },
        close: Close::Never,
        refund: Some(outflow(Pace::Later, false, true, false)),
        sign: Sign::NotTrade,
        ..PLAIN
    },
    // Nothing can be asked, closed or given back: only its callbacks tell.
    Account { id: "silent", end: End::Never, query: false, close: Close::Never, refund: None, ..PLAIN },
    // A till: the call moves money, and absence is final after a while.
    Account {
        id: "till-a",
        form: Form::Barcode,
        refund: Some(outflow(Pace::AtOnce, true, true, false)),
        payout: Some(outflow(Pace::AtOnce, true, true, false)),
        absent_after_ms: Some(90 * SECOND),
        ..PLAIN
    },
    // A till where absence is never final, a close can reverse, and refunds wait for a person.
    Account {
        id: "till-b",
        form: Form::Barcode,
        refund: Some(outflow(Pace::ByPerson, true, false, true)),
        payout: Some(outflow(Pace::ByPerson, false, true, false)),
        close: Close::EndsOrReverses,
        ..PLAIN
    },
    // A code whose close can reverse, although the payer acts first.
    Account { id: "qr-c", close: Close::EndsOrReverses, ..PLAIN },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sort_is_there() {
        let any = |holds: fn(&Account) -> bool| ACCOUNTS.iter().filter(|a| holds(a)).count();
        assert!(any(|a| a.form == Form::Barcode) >= 2 && any(|a| a.form == Form::Qr) >= 3);
        assert!(any(|a| !a.query && a.close == Close::Never) > 0, "one that says nothing");
        assert!(any(|a| matches!(a.end, End::Timer { .. })) > 0);
        assert!(any(|a| a.takes_foreign) > 0);
        for form in [Form::Qr, Form::Barcode] {
            let reverses = |a: &&Account| a.form == form && a.close == Close::EndsOrReverses;
            assert!(ACCOUNTS.iter().any(|a| reverses(&a)), "{form:?}");
        }
        for pace in [Pace::AtOnce, Pace::Later, Pace::ByPerson] {
            assert!(ACCOUNTS.iter().any(|a| a.refund.is_some_and(|r| r.pace == pace)), "{pace:?}");
        }
    }
}
