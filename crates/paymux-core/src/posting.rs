//! The books: every movement of money as one line with two sides, so that they always balance.
//!
//! A line is written in the transaction that changes the state it belongs to, and never changed or
//! deleted. What the balances must be is checked by `paymux doctor`.

use std::fmt;
use std::str::FromStr;

use crate::clock::Timestamp;
use crate::ids::{AppId, AttemptId, ChannelId, PaymentId, PostingId, RefundId, TransferId};
use crate::money::Money;
use crate::words::words;

/// One movement: `amount` is added to `debit` and taken from `credit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// Ours.
    pub id: PostingId,
    /// When it was booked.
    pub at: Timestamp,
    /// Why money moved.
    pub kind: PostingKind,
    /// The account that has more now.
    pub debit: Account,
    /// The account that has less now, or owes more.
    pub credit: Account,
    /// How much, more than zero.
    pub amount: Money,
    /// What it belongs to.
    pub cause: Cause,
}

/// What a movement belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Money of an attempt.
    Attempt(PaymentId, AttemptId),
    /// A refund of an attempt's money.
    Refund(PaymentId, AttemptId, RefundId),
    /// A payout.
    Transfer(TransferId),
}

words! {
    /// Why money moved.
    PostingKind {
        /// It came in and is the merchant's.
        Received = "received",
        /// It came in and waits for a person: channel to held.
        Held = "held",
        /// A close may have sent it back after it was the merchant's: it waits for a person.
        Contested = "contested",
        /// A person gave what was held to the merchant.
        Released = "released",
        /// It went back through the provider.
        Refunded = "refunded",
        /// It went back in another way, by a person's word.
        ReturnedOutside = "returned_outside",
        /// It was paid out.
        PaidOut = "paid_out",
    }
}

/// Where money lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Account {
    /// With the provider, in one of our accounts there.
    Channel(ChannelId),
    /// The merchant's.
    App(AppId),
    /// Came in for that merchant, and waits for a person.
    Held(AppId),
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(id) => write!(f, "channel:{id}"),
            Self::App(id) => write!(f, "app:{id}"),
            Self::Held(id) => write!(f, "held:{id}"),
        }
    }
}

/// Text that names no account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an account is `channel:`, `app:` or `held:` and a name")]
pub struct NoAccount;

impl FromStr for Account {
    type Err = NoAccount;

    fn from_str(text: &str) -> Result<Self, NoAccount> {
        let (kind, name) = text.split_once(':').ok_or(NoAccount)?;
        match kind {
            "channel" => ChannelId::new(name).map(Self::Channel).map_err(|_| NoAccount),
            "app" => AppId::new(name).map(Self::App).map_err(|_| NoAccount),
            "held" => AppId::new(name).map(Self::Held).map_err(|_| NoAccount),
            _ => Err(NoAccount),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_read_what_they_print_and_nothing_else() {
        let accounts = [
            Account::Channel(ChannelId::new("bee-main").unwrap()),
            Account::App(AppId::new("shop").unwrap()),
            Account::Held(AppId::new("shop").unwrap()),
        ];
        for account in accounts {
            assert_eq!(account.to_string().parse(), Ok(account));
        }
        for bad in ["", "app", "app:", "app:a b", "bank:a", "App:a"] {
            assert_eq!(bad.parse::<Account>(), Err(NoAccount), "{bad}");
        }
    }
}
