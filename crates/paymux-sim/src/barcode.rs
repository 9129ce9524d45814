//! What a payer's barcode does: its last digit is the script.
//!
//! | last digit | the payer | the create answers |
//! |---|---|---|
//! | 0 2 4 6 8, or no digit | pays at once | paid |
//! | 1 | never pays | in doubt |
//! | 3 | has paid | in doubt |
//! | 5 | has too little money | refused by the wallet |
//! | 7 | is asked for a password and leaves | waiting, for ever |
//! | 9 | is asked for a password and types it | waiting; paid 2 s later (the time scale applies) |

use std::time::Duration;

use paymux_core::Secret;

/// How long a payer types, in the provider's time.
pub(crate) const TYPING: Duration = Duration::from_secs(2);

/// What becomes of an order that was opened with a barcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    Paid,
    InDoubtUnpaid,
    InDoubtPaid,
    Refused,
    Waits,
    PaysSoon,
}

impl Script {
    pub(crate) fn of(auth_code: &Secret) -> Self {
        match auth_code.expose().bytes().last() {
            Some(b'1') => Self::InDoubtUnpaid,
            Some(b'3') => Self::InDoubtPaid,
            Some(b'5') => Self::Refused,
            Some(b'7') => Self::Waits,
            Some(b'9') => Self::PaysSoon,
            _ => Self::Paid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_digit_is_the_script() {
        check("134567890123456780", Script::Paid);
        check("28", Script::Paid);
        check("x", Script::Paid);
        check("1", Script::InDoubtUnpaid);
        check("23", Script::InDoubtPaid);
        check("25", Script::Refused);
        check("27", Script::Waits);
        check("29", Script::PaysSoon);

        #[track_caller]
        fn check(code: &str, want: Script) {
            assert_eq!(Script::of(&Secret::new(code)), want, "{code}");
        }
    }
}
