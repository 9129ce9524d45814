//! Integers as the decimal digits that get signed, on the stack.
//!
//! Amounts with a point (`12.30`) do not live here: providers sign such text as it was sent.

/// Room for the longest of both: `u64::MAX` has 20 digits, `i64::MIN` a sign and 19.
const WIDTH: usize = 20;

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
    /// The digits, 1 to 20 bytes of ASCII.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[self.start..]
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
        let mut rest = value;
        loop {
            decimal.push_front(b'0' + (rest % 10) as u8);
            rest /= 10;
            if rest == 0 {
                return decimal;
            }
        }
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

    proptest! {
        #[test]
        fn writes_what_the_standard_library_writes(unsigned: u64, signed in any::<i64>()) {
            assert_eq!(Decimal::from(unsigned).as_bytes(), unsigned.to_string().as_bytes());
            assert_eq!(Decimal::from(signed).as_bytes(), signed.to_string().as_bytes());
        }
    }
}
