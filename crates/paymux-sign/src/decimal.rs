//! Integers, times and amounts as the decimal digits that get sent and signed, on the stack.
//!
//! For writing only. What was received is signed as it was sent, whatever number it means.

/// Room for the longest: `u64::MAX` has 20 digits, and a point among them; `i64::MIN` a sign and 19.
const WIDTH: usize = 21;

/// An integer written in decimal: no leading zero, no plus, no exponent, `-` only below zero.
///
/// ```
/// use paymux_sign::Decimal;
///
/// assert_eq!(Decimal::from(1023_u64).as_bytes(), b"1023");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    /// Filled from the right.
    text: [u8; WIDTH],
    start: usize,
}

impl Decimal {
    /// So many hundredths of a unit, with exactly two decimals: fen as yuan, 1230 as `12.30` and 5 as
    /// `0.05`.
    ///
    /// ```
    /// use paymux_sign::Decimal;
    ///
    /// assert_eq!(Decimal::hundredths(1023).as_str(), "10.23");
    /// ```
    pub fn hundredths(amount: u64) -> Self {
        let mut decimal = Self { text: [0; WIDTH], start: WIDTH };
        decimal.push_front(b'0' + (amount % 10) as u8);
        decimal.push_front(b'0' + (amount / 10 % 10) as u8);
        decimal.push_front(b'.');
        decimal.push_digits(amount / 100);
        decimal
    }

    /// The digits, 1 to 21 bytes of ASCII.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[self.start..]
    }

    /// The digits as text.
    #[expect(clippy::missing_panics_doc, reason = "digits, a sign and a point are ASCII, so it never panics")]
    pub fn as_str(&self) -> &str {
        #[expect(clippy::expect_used, reason = "only digits, a sign and a point are ever pushed")]
        core::str::from_utf8(self.as_bytes()).expect("digits are ASCII")
    }

    /// Pushes a number, its last digit first.
    fn push_digits(&mut self, value: u64) {
        let mut rest = value;
        loop {
            self.push_front(b'0' + (rest % 10) as u8);
            rest /= 10;
            if rest == 0 {
                return;
            }
        }
    }

    fn push_front(&mut self, byte: u8) {
        self.start -= 1;
        self.text[self.start] = byte;
    }
}

impl AsRef<[u8]> for Decimal {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl From<u64> for Decimal {
    fn from(value: u64) -> Self {
        let mut decimal = Self { text: [0; WIDTH], start: WIDTH };
        decimal.push_digits(value);
        decimal
    }
}

impl From<u32> for Decimal {
    fn from(value: u32) -> Self {
        Self::from(u64::from(value))
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        let mut decimal = Self::from(value.unsigned_abs());
        if value < 0 {
            decimal.push_front(b'-');
        }
        decimal
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString as _;

    use proptest::prelude::{any, proptest};

    use super::Decimal;

    #[test]
    fn writes_both_ends_of_each_type() {
        check(0_u64, "0");
        check(9_u64, "9");
        check(10_u64, "10");
        check(u32::MAX, "4294967295");
        check(u64::MAX, "18446744073709551615");
        check(0_i64, "0");
        check(-1_i64, "-1");
        check(i64::MAX, "9223372036854775807");
        check(i64::MIN, "-9223372036854775808");

        #[track_caller]
        fn check(value: impl Into<Decimal>, want: &str) {
            assert_eq!(value.into().as_bytes(), want.as_bytes(), "{want}");
        }
    }

    #[test]
    fn writes_hundredths_with_exactly_two_decimals() {
        check(0, "0.00");
        check(5, "0.05");
        check(50, "0.50");
        check(99, "0.99");
        check(100, "1.00");
        check(1023, "10.23");
        check(1230, "12.30");
        check(10_000, "100.00");
        check(u64::MAX, "184467440737095516.15");

        #[track_caller]
        fn check(amount: u64, want: &str) {
            assert_eq!(Decimal::hundredths(amount).as_str(), want);
        }
    }

    proptest! {
        #[test]
        fn writes_what_the_standard_library_writes(unsigned: u64, signed in any::<i64>()) {
            assert_eq!(Decimal::from(unsigned).as_bytes(), unsigned.to_string().as_bytes());
            assert_eq!(Decimal::from(signed).as_str(), signed.to_string());
            assert_eq!(
                Decimal::hundredths(unsigned).as_str(),
                format!("{}.{:02}", unsigned / 100, unsigned % 100)
            );
        }
    }
}
