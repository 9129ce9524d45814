//! Integers, times and amounts as the decimal digits that get sent and signed, on the stack.
//!
//! For writing only. What was received is signed as it was sent, whatever number it means.

/// Digits that are worked out at once, side by side in one number.
const GROUP: usize = 8;
/// Room for three groups: `u64::MAX` has 20 digits, `i64::MIN` a sign and 19.
const WHOLE: usize = 3 * GROUP;
/// Behind it room for a point and two decimals.
const WIDTH: usize = WHOLE + 3;

/// An integer written in decimal: no leading zero, no plus, no exponent, `-` only below zero.
///
/// ```
/// use paymux_sign::Decimal;
///
/// assert_eq!(Decimal::from(1023_u64).as_bytes(), b"1023");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    text: [u8; WIDTH],
    start: usize,
    end: usize,
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
        let mut decimal = Self::from(amount / 100);
        let [.., tens, ones] = digits(amount % 100).to_le_bytes();
        decimal.text[WHOLE..].copy_from_slice(&[b'.', b'0' + tens, b'0' + ones]);
        decimal.end = WIDTH;
        decimal
    }

    /// The digits, 1 to 21 bytes of ASCII.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[self.start..self.end]
    }

    /// The digits as text.
    #[expect(clippy::missing_panics_doc, reason = "digits, a sign and a point are ASCII, so it never panics")]
    pub fn as_str(&self) -> &str {
        #[expect(clippy::expect_used, reason = "only digits, a sign and a point are ever written")]
        core::str::from_utf8(self.as_bytes()).expect("digits are ASCII")
    }
}

/// The eight digits of a number below 10^8, each a byte, the first one lowest.
///
/// Halves are parted side by side, three times: into fours, into twos, into ones. Dividing by a constant is
/// multiplying by its inverse, exact for numbers that small.
fn digits(number: u64) -> u64 {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((twos - tens * 10) << 8)
}

impl AsRef<[u8]> for Decimal {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl From<u64> for Decimal {
    fn from(value: u64) -> Self {
        const LIMIT: u64 = 100_000_000;
        let groups = [value / LIMIT / LIMIT, value / LIMIT % LIMIT, value % LIMIT].map(digits);
        let mut text = [0; WIDTH];
        for (room, group) in text.as_chunks_mut::<GROUP>().0.iter_mut().zip(groups) {
            *room = (group | 0x3030_3030_3030_3030).to_le_bytes();
        }
        // A first digit that is not 0; of zero itself the last.
        let zeros = |group: u64| group.trailing_zeros() as usize / 8;
        let start = match groups {
            [0, 0, 0] => WHOLE - 1,
            [0, 0, low] => 2 * GROUP + zeros(low),
            [0, middle, _] => GROUP + zeros(middle),
            [high, ..] => zeros(high),
        };
        Self { text, start, end: WHOLE }
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
            decimal.start -= 1;
            decimal.text[decimal.start] = b'-';
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
