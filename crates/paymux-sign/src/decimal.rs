//! Integers, times and amounts as the decimal digits that get sent and signed, on the stack.
//!
//! For writing only. What was received is signed as it was sent, whatever number it means.

/// Digits that are worked out at once, side by side in one number.
const GROUP: usize = 8;
/// What a group is below.
const LIMIT: u64 = 100_000_000;
/// Room for three groups: `u64::MAX` has 20 digits, `i64::MIN` a sign and 19, and two decimals need a point.
const WIDTH: usize = 3 * GROUP;

/// An integer written in decimal: no leading zero, no plus, no exponent, `-` only below zero.
///
/// ```
/// use paymux_sign::Decimal;
///
/// assert_eq!(Decimal::from(1023_u64).as_bytes(), b"1023");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    /// From the first byte on; what stands behind the last digit is not meant.
    text: [u8; WIDTH],
    length: usize,
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
        decimal.push([b'.', b'0' + tens, b'0' + ones]);
        decimal
    }

    /// The digits, 1 to 21 bytes of ASCII.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..self.length]
    }

    /// The digits as text.
    #[expect(clippy::missing_panics_doc, reason = "digits, a sign and a point are ASCII, so it never panics")]
    pub fn as_str(&self) -> &str {
        #[expect(clippy::expect_used, reason = "only digits, a sign and a point are ever written")]
        core::str::from_utf8(self.as_bytes()).expect("digits are ASCII")
    }
}

impl Decimal {
    /// Writes behind what is there.
    fn push<const N: usize>(&mut self, bytes: [u8; N]) {
        let end = self.length + N;
        self.text[self.length..end].copy_from_slice(&bytes);
        self.length = end;
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
    #[inline]
    fn from(value: u64) -> Self {
        if value < LIMIT * LIMIT { up_to_sixteen_digits(value) } else { more_digits(value) }
    }
}

/// `0` in each byte.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// Two groups without the zeros before them. How many digits there are is found from the number itself, beside the
/// digits and not after them: a sign waits for the last of them.
#[inline]
fn up_to_sixteen_digits(value: u64) -> Decimal {
    let [upper, low] = [value / LIMIT, value % LIMIT].map(|group| u128::from(digits(group) | ZEROS));
    let length = value.checked_ilog10().unwrap_or_default() as usize + 1;
    let both = (upper | (low << 64)) >> (8 * (2 * GROUP - length));
    let mut text = [0; WIDTH];
    text[..2 * GROUP].copy_from_slice(&both.to_le_bytes());
    Decimal { text, length }
}

impl From<u32> for Decimal {
    fn from(value: u32) -> Self {
        Self::from(u64::from(value))
    }
}

impl From<i64> for Decimal {
    #[inline]
    fn from(value: i64) -> Self {
        match u64::try_from(value) {
            Ok(value) => Self::from(value),
            Err(_) => below_zero(value.unsigned_abs()),
        }
    }
}

/// Apart, as [`below_zero`] is, so that the numbers that are signed are not moved for those that are not.
#[cold]
fn more_digits(value: u64) -> Decimal {
    let (upper, low) = (value / LIMIT, value % LIMIT);
    let mut decimal = up_to_sixteen_digits(upper / LIMIT);
    for group in [upper % LIMIT, low] {
        decimal.push((digits(group) | ZEROS).to_le_bytes());
    }
    decimal
}

#[cold]
fn below_zero(value: u64) -> Decimal {
    let mut decimal = Decimal::from(value);
    decimal.text.copy_within(..decimal.length, 1);
    decimal.text[0] = b'-';
    decimal.length += 1;
    decimal
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
