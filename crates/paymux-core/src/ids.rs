//! Names and numbers of things, each its own type with a checking constructor.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::random::Rng;

/// The longest name and the longest number, in characters. The rules below say it in words.
pub const NAME_CHARS_MAX: usize = 64;

/// A name that breaks its rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: {rule}")]
pub struct IdError {
    /// What was given, cut to 80 characters.
    pub text: String,
    /// What is allowed.
    pub rule: &'static str,
}

impl IdError {
    fn new(text: &str, rule: &'static str) -> Self {
        Self { text: text.chars().take(80).collect(), rule }
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks the text and takes it over.
            pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
                let text = text.as_ref();
                let holds: fn(&str) -> bool = $check;
                if holds(text) { Ok(Self(text.into())) } else { Err(IdError::new(text, $rule)) }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }
    };
}

fn is_name(text: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

name_type! {
    /// A merchant application.
    AppId, "a name is 1 to 64 letters, digits, `-` or `_`", is_name
}
name_type! {
    /// One configured account at one provider.
    ChannelId, "a name is 1 to 64 letters, digits, `-` or `_`", is_name
}
name_type! {
    /// A rule that maps payments to channels.
    RouteName, "a name is 1 to 64 letters, digits, `-` or `_`", is_name
}
name_type! {
    /// The merchant's own number of a payment, unique in its app for ever.
    OrderNo, "an order number is 1 to 64 letters, digits, `-` or `_`", is_name
}
name_type! {
    /// The merchant's own number of a refund, unique in its app for ever.
    RefundNo, "a refund number is 1 to 64 letters, digits, `-` or `_`", is_name
}
name_type! {
    /// The merchant's own number of a transfer, unique in its app for ever.
    TransferNo, "a transfer number is 1 to 64 letters, digits, `-` or `_`", is_name
}
name_type! {
    /// The number under which one attempt is known at its provider. paymux makes them of 32
    /// digits and letters, which every provider takes; others are only ever read.
    ProviderOrderNo, "a provider's order number is 1 to 64 printable ASCII characters",
    |text| (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// What a client of a front may write: `1001/A` as well as `A1001`.
const GIVEN: &str = "a number is 1 to 64 printable ASCII characters without blanks";

fn is_given(text: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

macro_rules! given {
    ($name:ident) => {
        impl $name {
            /// A number as a client of a front gave it, or as it is looked up: any printable one, byte for byte. The
            /// native API itself makes none but plain ones.
            pub fn given(text: impl AsRef<str>) -> Result<Self, IdError> {
                let text = text.as_ref();
                if is_given(text) { Ok(Self(text.into())) } else { Err(IdError::new(text, GIVEN)) }
            }
        }
    };
}
given!(OrderNo);
given!(RefundNo);
given!(TransferNo);

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// What stands before the digits.
            pub const PREFIX: &'static str = $prefix;

            /// A new one: a version 7 UUID, so ids sort by the time of their making.
            /// The time can be read from it; it is no secret.
            pub fn make(now: Timestamp, rng: &dyn Rng) -> Self {
                Self(make_uuid(now, rng))
            }

            /// The 32 hexadecimal digits without the prefix.
            pub fn digits(&self) -> String {
                self.0.simple().to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let wrong = || IdError::new(text, concat!("this id is `", $prefix, "` and 32 lower-case hexadecimal digits"));
                let digits = text.strip_prefix($prefix).ok_or_else(wrong)?;
                let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
                if digits.len() != 32 || !digits.bytes().all(lower) {
                    return Err(wrong());
                }
                uuid::Uuid::try_parse(digits).map(Self).map_err(|_| wrong())
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id_type! {
    /// A payment.
    PaymentId, "pay_"
}
id_type! {
    /// One try of a payment on one channel.
    AttemptId, "att_"
}
id_type! {
    /// A refund.
    RefundId, "rfd_"
}
id_type! {
    /// A transfer.
    TransferId, "trf_"
}
id_type! {
    /// Something that a merchant is told.
    EventId, "evt_"
}
id_type! {
    /// A request that a provider made to us, as it was received.
    CallbackId, "cbk_"
}
id_type! {
    /// One movement of money in the books.
    PostingId, "pst_"
}
id_type! {
    /// One line of the audit trail.
    AuditId, "aud_"
}
id_type! {
    /// A request to one of our fronts, where the client named none.
    RequestId, "req_"
}

impl AttemptId {
    /// The one refund that returns the whole of this attempt's money without the merchant having
    /// asked: its id follows from the attempt, so that it cannot be made twice.
    pub const fn return_id(self) -> RefundId {
        RefundId(self.0)
    }
}

impl AttemptId {
    /// The number of this attempt at its provider: its own digits, so that the one follows from
    /// the other and no two attempts ever share a number.
    pub fn order_number(&self) -> ProviderOrderNo {
        ProviderOrderNo(self.digits().into())
    }
}

fn make_uuid(now: Timestamp, rng: &dyn Rng) -> uuid::Uuid {
    let mut random = [0_u8; 10];
    random[..8].copy_from_slice(&rng.bits().to_be_bytes());
    random[8..].copy_from_slice(&rng.bits().to_be_bytes()[..2]);
    let ms = u64::try_from(now.ms()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u64);
    impl Rng for Fixed {
        fn bits(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn ids_read_what_they_print_and_nothing_else() {
        let id = PaymentId::make(Timestamp::from_ms(1_709_251_200_000), &Fixed(7));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().starts_with("pay_018df74f8400"));
        let upper = id.to_string().replace("pay_018d", "pay_018D");
        for bad in ["", "pay_", "pay_1", "att_018df6ac580070000000000000000000", &upper, "pay_{018df}"] {
            assert!(bad.parse::<PaymentId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn later_ids_sort_later() {
        let at = |ms| AttemptId::make(Timestamp::from_ms(ms), &Fixed(u64::MAX));
        assert!(at(1) < at(2));
        assert_eq!(at(1).order_number().as_str(), at(1).digits());
        assert_eq!(at(1).order_number().as_str().len(), 32);
    }

    #[test]
    fn clients_of_fronts_give_any_printable_number() {
        for good in ["A1001", "1001/A", "~!#", "a.b", &"/".repeat(64)] {
            assert_eq!(OrderNo::given(good).unwrap().as_str(), good);
            assert_eq!(RefundNo::given(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "订单", "a\n", "a\u{7f}", &"x".repeat(65)] {
            assert!(OrderNo::given(bad).is_err() && RefundNo::given(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_have_one_alphabet_and_a_length() {
        for good in ["a", "A1001", "order_no-7", &"x".repeat(64)] {
            assert!(OrderNo::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "订单", "a\n", "a.b", &"x".repeat(65)] {
            assert!(OrderNo::new(bad).is_err(), "{bad}");
        }
    }
}
