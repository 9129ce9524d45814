//! The states of FuFu's orders, one row each, and what each says of a payment.
//!
//! Source: FuFu interface 1.1.1, dictionary of order states. Its copy has lost the colour that marks the states
//! of refund records; which these are follows from their meaning.

/// One state.
#[derive(Debug)]
pub(crate) struct StateRow {
    /// The number in `state`.
    pub value: i64,
    /// What it means, for a person.
    pub about: &'static str,
    /// What a payment is then.
    pub says: Says,
}

/// What a state says of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// Unpaid so far, and not over.
    Open,
    /// The money is there.
    Paid,
    /// The money was there, and all of it has gone back.
    Returned,
    /// The money was there, and some of it is on its way back.
    Returning,
    /// No money is there, and none can come.
    Over,
    /// Nothing: ask again.
    Nothing,
}

const fn state(value: i64, says: Says, about: &'static str) -> StateRow {
    StateRow { value, about, says }
}

/// The table.
pub(crate) const STATES: &[StateRow] = &[
    state(0, Says::Open, "to be paid"),
    state(1, Says::Paid, "paid"),
    state(2, Says::Over, "cancelled"),
    state(3, Says::Open, "a cancel was asked for"),
    state(4, Says::Paid, "partly refunded"),
    state(5, Says::Returned, "refunded"),
    state(6, Says::Over, "closed"),
    state(7, Says::Nothing, "reserved for FuFu's own records"),
    // How much goes back is not said: 4, 5 or 9 will tell.
    state(8, Says::Returning, "a refund is under way"),
    state(9, Says::Paid, "a refund failed"),
    // Those of refund records say nothing of the order.
    state(10, Says::Nothing, "refund record: to be refunded"),
    state(11, Says::Nothing, "refund record: refunded"),
    state(12, Says::Nothing, "refund record: failed"),
    state(13, Says::Nothing, "refund record: withdrawn"),
    state(14, Says::Over, "the cancel is done"),
];

/// The state that a scan or a notification must have to be paid.
pub(crate) const PAID: i64 = 1;

/// The row of that state.
pub(crate) fn row(value: i64) -> Option<&'static StateRow> {
    STATES.iter().find(|row| row.value == value)
}

/// What a state says; one that nobody lists says nothing.
pub(crate) fn says(value: i64) -> Says {
    row(value).map_or(Says::Nothing, |row| row.says)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F29.
    #[test]
    fn each_of_the_fifteen_states_says_what_it_says() {
        use Says::{Nothing, Open, Over, Paid, Returned, Returning};
        let want = [
            Open, Paid, Over, Open, Paid, Returned, Over, Nothing, Returning, Paid, Nothing, Nothing,
            Nothing, Nothing, Over,
        ];
        assert_eq!((0..15).map(says).collect::<Vec<_>>(), want);
        assert!(STATES.iter().map(|row| row.value).eq(0..15));
        for unlisted in [-1, 15, 99, i64::MIN, i64::MAX] {
            assert_eq!(says(unlisted), Nothing, "{unlisted}");
        }
    }
}
