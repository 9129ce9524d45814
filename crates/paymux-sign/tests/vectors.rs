//! Digests that others have published, through the public door only.
//!
//! Field order and secrets of a provider are tested in its plugin; here its texts are only pieces.

use paymux_sign::{Decimal, HexCase, Md5Digest, Md5Text};

/// The test suite of RFC 1321, appendix A.5.
#[test]
fn digests_rfc_1321() {
    check("", "d41d8cd98f00b204e9800998ecf8427e");
    check("a", "0cc175b9c0f1b6a831c399e269772661");
    check("abc", "900150983cd24fb0d6963f7d28e17f72");
    check("message digest", "f96b697d7cb7938d525a2f31aaf161d0");
    check("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b");
    check(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        "d174ab98d277d9f5a5611c2c9f419d9f",
    );
    check(
        "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
        "57edf4a22be3c955ac49da2e2107b67a",
    );

    #[track_caller]
    fn check(text: &str, want: &str) {
        assert_digest(Md5Text::new().piece(text), want);
        // The same text cut in two anywhere.
        for at in 0..=text.len() {
            assert_digest(Md5Text::new().piece(&text[..at]).piece(&text[at..]), want);
        }
    }
}

/// Texts of BeeCloud's shape: ids, words, integers and a secret with nothing between them.
///
/// Made with Python's hashlib from invented accounts and checked with md5sum.
#[test]
fn digests_texts_of_a_provider() {
    const APP: &str = "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90";
    const APP_SECRET: &str = "1f0e2d3c-4b5a-4978-8695-a4b3c2d1e0f9";
    const MASTER_SECRET: &str = "9e8d7c6b-5a49-4382-b1a0-0f1e2d3c4b5a";

    let app = || Md5Text::new().piece(APP);
    assert_digest(app().number(1_709_251_200_000_i64).piece(APP_SECRET), "43115fee5e62264f182da1d57bcef9a2");
    assert_digest(
        app().number(1_709_254_800_500_u64).piece(MASTER_SECRET),
        "04a982812e7daeb3b30bf08e7fb7fca0",
    );
    assert_digest(
        app().piece("PMX20240301000001").piece("PAY").piece("WX").number(1023_u32).piece(MASTER_SECRET),
        "2ac475a54bb32b29ae32f97b301e3def",
    );
    assert_digest(
        app().piece("20240301000018").piece("REFUND").piece("ALI").number(1_u32).piece(MASTER_SECRET),
        "73f9989a82eab9b06283f9c727b01954",
    );
    assert_digest(
        app().piece("新春礼盒 8").piece(Decimal::from(150_u32)).piece("WEB_20240301_0001").piece(APP_SECRET),
        "ffc9e6b63b2b0553f3e98ca553e6a2c5",
    );
    // Nothing separates the pieces: another title and a third of the amount sign alike.
    assert_digest(
        app().piece("新春礼盒 81").number(50_u32).piece("WEB_20240301_0001").piece(APP_SECRET),
        "ffc9e6b63b2b0553f3e98ca553e6a2c5",
    );
}

/// A text around the digest of another, and a body without its blanks, in the shapes of two providers.
///
/// Made with Python's hashlib from invented accounts and checked with md5sum.
#[test]
fn digests_nested_and_squeezed_texts() {
    let inner = Md5Text::new().piece("0f1e2d3c4b5a69788796a5b4c3d2e1f0").piece(Decimal::hundredths(1023));
    let inner = inner.piece("alipay").piece("PMX20240301000001").piece("user_42");
    assert_digest(inner.clone(), "ec6c11b273a16dcaab955a30b19b81e9");
    assert_digest(inner.nested().piece("s3cr3t-Of-Shop-One"), "e1796ffba8fb24e3706479dfbdb6d8b6");

    let body =
        "{\r\n    \"busi_id\": \"100000000000001\",\r\n    \"out_trade_no\": \"PMX20240301000001\"\r\n}\r\n";
    let text = Md5Text::new().number(1_709_251_200_005_i64).piece("PaymuxTestKeyPaymuxTestKey012345");
    assert_digest(text.squeezed(body), "e67de98ac42938fef76c9761ade48cec");
}

#[track_caller]
fn assert_digest(text: Md5Text, want: &str) {
    let digest = text.digest();
    assert_eq!(digest.to_hex().as_str(), want);
    let matches = |received: &str, case| Md5Digest::from_hex(received, case).map(|it| digest.matches(it));
    assert_eq!(matches(want, HexCase::Lower), Ok(true), "{want}");
    assert_eq!(matches(&want.to_uppercase(), HexCase::Any), Ok(true), "{want}");
    assert_eq!(matches(&want.replace(&want[..1], "e"), HexCase::Lower), Ok(want.starts_with('e')), "{want}");
}
