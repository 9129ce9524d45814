//! Amounts of money: whole minor units with a currency, and nothing else.
//!
//! Sums are checked and there is no float anywhere. Text such as `12.30` exists only where a
//! provider's protocol has it; [`Money::from_decimal`] and [`Money::to_decimal`] are the one way
//! between the two.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The largest amount that paymux takes, in minor units: 10^13 - 1, which leaves room to add
/// a million of them in an `i64` without reaching its end.
pub const AMOUNT_MAX: i64 = 9_999_999_999_999;

/// An ISO 4217 currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// Chinese yuan, the default of everything in paymux.
    pub const CNY: Self = Self(iso_currency::Currency::CNY);

    /// Reads a code in upper case, such as `CNY`.
    pub fn from_code(code: &str) -> Option<Self> {
        iso_currency::Currency::from_code(code).map(Self)
    }

    /// The three letters.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many decimals the major unit has: 2 for CNY, 0 for JPY, 3 for KWD.
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in minor units (fen for CNY) of one currency. May be zero or negative: a payment's
/// amount is checked where it enters, in [`crate::payment`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

/// Why a sum or a text is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Two currencies in one sum.
    #[error("amounts of different currencies cannot be added or compared")]
    Currency,
    /// Outside what 64 bits hold.
    #[error("the sum is too large")]
    Overflow,
    /// Not a decimal number as this currency writes it.
    #[error("write digits with at most {0} decimals and a dot, like 12.30")]
    Text(u32),
}

impl Money {
    /// `minor` units of `currency`.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Fen of CNY.
    pub const fn fen(minor: i64) -> Self {
        Self::new(minor, Currency::CNY)
    }

    /// Nothing, in `currency`.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// The number of minor units.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The sum, or why there is none.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.minor.checked_add(other.minor).map(|m| Self::new(m, self.currency)).ok_or(MoneyError::Overflow)
    }

    /// The difference, or why there is none.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.minor.checked_sub(other.minor).map(|m| Self::new(m, self.currency)).ok_or(MoneyError::Overflow)
    }

    /// Which of two amounts is larger; two currencies do not compare.
    pub fn checked_cmp(self, other: Self) -> Result<std::cmp::Ordering, MoneyError> {
        self.same_currency(other)?;
        Ok(self.minor.cmp(&other.minor))
    }

    /// Reads a provider's decimal text in the major unit, such as `10.23` yuan. At most as many
    /// decimals as the currency has; no sign, blank, exponent or thousands separator.
    pub fn from_decimal(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let exponent = currency.exponent();
        let bad = MoneyError::Text(exponent);
        let (whole, part) = match text.split_once('.') {
            Some((_, "")) => return Err(bad),
            Some((whole, part)) => (whole, part),
            None => (text, ""),
        };
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let decimals = u32::try_from(part.len()).map_err(|_| bad)?;
        if whole.is_empty() || !digits(whole) || !digits(part) || decimals > exponent {
            return Err(bad);
        }
        let unit = 10_i64.checked_pow(exponent).ok_or(MoneyError::Overflow)?;
        let missing = 10_i64.checked_pow(exponent - decimals).ok_or(MoneyError::Overflow)?;
        let whole: i64 = whole.parse().map_err(|_| MoneyError::Overflow)?;
        let part: i64 = if part.is_empty() { 0 } else { part.parse().map_err(|_| MoneyError::Overflow)? };
        let minor =
            whole.checked_mul(unit).and_then(|w| part.checked_mul(missing).and_then(|p| w.checked_add(p)));
        minor.map(|m| Self::new(m, currency)).ok_or(MoneyError::Overflow)
    }

    /// Writes the amount in the major unit with all its decimals: 1023 fen are `10.23`.
    pub fn to_decimal(self) -> String {
        let exponent = self.currency.exponent();
        let unit = 10_u64.pow(exponent);
        let sign = if self.minor < 0 { "-" } else { "" };
        let minor = self.minor.unsigned_abs();
        if exponent == 0 {
            return format!("{sign}{minor}");
        }
        let width = exponent as usize;
        format!("{sign}{}.{:0width$}", minor / unit, minor % unit)
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency { Ok(()) } else { Err(MoneyError::Currency) }
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::from_code(code).expect("a known code")
    }

    #[test]
    fn reads_decimal_text() {
        check("12.3", "CNY", Ok(1230));
        check("0.01", "CNY", Ok(1));
        check("100", "CNY", Ok(10_000));
        check("7", "JPY", Ok(7));
        check("1.234", "KWD", Ok(1234));
        check("12.345", "CNY", Err(MoneyError::Text(2)));
        check("7.0", "JPY", Err(MoneyError::Text(0)));
        for bad in ["", ".", "1.", ".5", "-1", "+1", "1e2", " 1", "1 ", "1,000", "１", "0x1", "1.2.3"] {
            check(bad, "CNY", Err(MoneyError::Text(2)));
        }
        check("92233720368547759", "CNY", Err(MoneyError::Overflow));
        check("99999999999999999999", "CNY", Err(MoneyError::Overflow));

        #[track_caller]
        fn check(text: &str, code: &str, want: Result<i64, MoneyError>) {
            assert_eq!(Money::from_decimal(text, currency(code)).map(Money::minor), want, "{text} {code}");
        }
    }

    #[test]
    fn writes_decimal_text() {
        check(1023, "CNY", "10.23");
        check(5, "CNY", "0.05");
        check(-5, "CNY", "-0.05");
        check(0, "CNY", "0.00");
        check(12, "JPY", "12");
        check(1, "KWD", "0.001");
        check(i64::MIN, "CNY", "-92233720368547758.08");

        #[track_caller]
        fn check(minor: i64, code: &str, want: &str) {
            assert_eq!(Money::new(minor, currency(code)).to_decimal(), want);
        }
    }

    #[test]
    fn sums_are_checked() {
        let max = Money::fen(i64::MAX);
        assert_eq!(max.checked_add(Money::fen(1)), Err(MoneyError::Overflow));
        assert_eq!(Money::fen(i64::MIN).checked_sub(Money::fen(1)), Err(MoneyError::Overflow));
        assert_eq!(Money::fen(1).checked_add(Money::new(1, currency("JPY"))), Err(MoneyError::Currency));
        assert_eq!(Money::fen(1).checked_cmp(Money::new(1, currency("JPY"))), Err(MoneyError::Currency));
        assert_eq!(Money::fen(40).checked_sub(Money::fen(50)), Ok(Money::fen(-10)));
        assert_eq!(Money::fen(40).checked_cmp(Money::fen(50)), Ok(std::cmp::Ordering::Less));
    }

    proptest::proptest! {
        #[test]
        fn text_survives_the_round_trip(minor in 0..AMOUNT_MAX, which in 0_usize..3) {
            let currency = currency(["CNY", "JPY", "KWD"][which]);
            let money = Money::new(minor, currency);
            proptest::prop_assert_eq!(Money::from_decimal(&money.to_decimal(), currency), Ok(money));
        }
    }
}
