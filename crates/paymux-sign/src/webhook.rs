//! Notices signed as Standard Webhooks 1.0.0 asks: HMAC-SHA256 over `id.timestamp.body`.
//!
//! The secret's form lives in `webhook_secret`. Retries and what a notice says do not live here,
//! nor the asymmetric `v1a` signatures, which are neither made nor believed.
//!
//! Source: Standard Webhooks specification 1.0.0, "Verifying webhook authenticity".

use core::fmt;
use core::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac as _;

use crate::{Decimal, WebhookSecret, constant_time_eq};

/// Header with the message's id: the same at every retry, so that a receiver can drop repeats.
pub const WEBHOOK_ID_HEADER: &str = "webhook-id";

/// Header with the time of this try, in whole seconds since 1970.
pub const WEBHOOK_TIMESTAMP_HEADER: &str = "webhook-timestamp";

/// Header with the signatures, separated by blanks.
pub const WEBHOOK_SIGNATURE_HEADER: &str = "webhook-signature";

/// How far a received timestamp may be from the receiver's clock, either way.
///
/// The specification asks for "some allowable tolerance"; its own libraries use five minutes.
pub const WEBHOOK_TOLERANCE: Duration = Duration::from_mins(5);

/// What precedes a symmetric signature.
const VERSION: &str = "v1,";

/// Bytes of one HMAC-SHA256.
const TAG: usize = 32;

/// Characters of one signature with its version: 32 bytes are 44 characters of base64.
const SIGNATURE: usize = VERSION.len() + 44;

/// Characters of two signatures with a blank between them.
const SIGNATURES: usize = SIGNATURE + 1 + SIGNATURE;

/// A message about to be sent.
///
/// Covered by the signature: id, timestamp and body, nothing else; headers and URL are not.
#[derive(Clone, Copy)]
pub struct WebhookMessage<'a> {
    id: &'a str,
    timestamp: Decimal,
    body: &'a [u8],
}

/// Why a message cannot be signed: its parts would not be told apart by a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnsignableWebhook {
    /// Empty, or with a `.`, a blank, or a character that no header may hold.
    #[error("a webhook id that is empty or holds `.`, blanks or characters beyond ASCII: use [A-Za-z0-9_-]")]
    Id,
    /// A clock before 1970.
    #[error("a webhook timestamp below `0`: give whole seconds since 1970")]
    Timestamp,
}

impl<'a> WebhookMessage<'a> {
    /// Takes the message's id, the time of this try in whole seconds since 1970, and the body
    /// exactly as it will be sent.
    ///
    /// # Errors
    /// [`UnsignableWebhook`] names the part that breaks a rule.
    pub fn new(id: &'a str, timestamp_seconds: i64, body: &'a [u8]) -> Result<Self, UnsignableWebhook> {
        if !is_webhook_id(id) {
            return Err(UnsignableWebhook::Id);
        }
        let seconds = u64::try_from(timestamp_seconds).map_err(|_| UnsignableWebhook::Timestamp)?;
        Ok(Self { id, timestamp: Decimal::from(seconds), body })
    }

    /// The value of `webhook-signature`: one `v1,<base64>` for the secret in force and, while
    /// the merchant changes over, one for the previous secret after a blank.
    pub fn signature(&self, current: &WebhookSecret, previous: Option<&WebhookSecret>) -> WebhookSignature {
        let mut value = WebhookSignature { text: [b' '; SIGNATURES], length: 0 };
        for secret in [Some(current), previous].into_iter().flatten() {
            value.push(tag(secret, self.id, self.timestamp.as_bytes(), self.body));
        }
        value
    }
}

/// A value of `webhook-signature` as it is sent: one signature or two, on the stack.
///
/// Neither printed nor compared by accident: no `Display`, no `==`, and `Debug` hides it.
#[derive(Clone, Copy)]
pub struct WebhookSignature {
    /// Blanks where nothing was written.
    text: [u8; SIGNATURES],
    length: usize,
}

impl WebhookSignature {
    /// The value, for the header; never for a log.
    #[expect(clippy::missing_panics_doc, reason = "base64, commas and blanks are ASCII, so it never panics")]
    pub fn as_str(&self) -> &str {
        #[expect(clippy::expect_used, reason = "only `push` writes, and it writes ASCII")]
        core::str::from_utf8(&self.text[..self.length]).expect("base64, commas and blanks are ASCII")
    }

    /// Adds a signature behind those that are there; there is room for two.
    fn push(&mut self, tag: [u8; TAG]) {
        let start = if self.length == 0 { 0 } else { self.length + 1 };
        let (version, encoded) = self.text[start..start + SIGNATURE].split_at_mut(VERSION.len());
        version.copy_from_slice(VERSION.as_bytes());
        #[expect(clippy::expect_used, reason = "32 bytes are 44 characters, and for so many there is room")]
        STANDARD.encode_slice(tag, encoded).expect("there is room for 44 characters");
        self.length = start + SIGNATURE;
    }
}

impl fmt::Debug for WebhookSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSignature(****)")
    }
}

/// A message as it came in: the three headers' values and the raw body, never re-serialised.
#[derive(Clone, Copy)]
pub struct ReceivedWebhook<'a> {
    /// Value of [`WEBHOOK_ID_HEADER`].
    pub id: &'a str,
    /// Value of [`WEBHOOK_TIMESTAMP_HEADER`].
    pub timestamp: &'a str,
    /// Value of [`WEBHOOK_SIGNATURE_HEADER`].
    pub signature: &'a str,
    /// The bytes that came.
    pub body: &'a [u8],
}

/// Why a received message is not believed. All but the last are found without hashing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRefusal {
    /// Empty, or with a `.`, a blank, or a character that no header may hold.
    #[error(
        "`webhook-id` is empty or holds `.`, blanks or characters beyond ASCII: send the id that was signed"
    )]
    Id,
    /// Not a count of seconds.
    #[error("`webhook-timestamp` is no number: send whole seconds since 1970 in decimal digits")]
    Timestamp,
    /// More than [`WEBHOOK_TOLERANCE`] in the past.
    #[error("`webhook-timestamp` is more than {} s ago: sign each try anew, and check both clocks",
        WEBHOOK_TOLERANCE.as_secs())]
    TooOld,
    /// More than [`WEBHOOK_TOLERANCE`] in the future.
    #[error(
        "`webhook-timestamp` is more than {} s ahead: send seconds, not milliseconds, and check both clocks",
        WEBHOOK_TOLERANCE.as_secs()
    )]
    TooNew,
    /// Not one signature of a kind and form that we read.
    #[error("`webhook-signature` holds no `v1,` with the base64 of 32 bytes: sign with HMAC-SHA256")]
    NoSignature,
    /// Signatures, but by another secret or over other bytes.
    #[error("no `v1` signature matches: compare the secret, and verify the body's bytes as they came")]
    WrongSignature,
}

impl ReceivedWebhook<'_> {
    /// Checks that one of `secrets` signed this message within [`WEBHOOK_TOLERANCE`] of
    /// `now_seconds` (whole seconds since 1970).
    ///
    /// A message that passes may still be a repeat: drop ids that were seen before.
    ///
    /// # Errors
    /// [`WebhookRefusal`] names the first rule that is broken.
    pub fn verify(&self, secrets: &[WebhookSecret], now_seconds: i64) -> Result<(), WebhookRefusal> {
        if !is_webhook_id(self.id) {
            return Err(WebhookRefusal::Id);
        }
        check_age(self.timestamp, now_seconds)?;
        if self.received_tags().next().is_none() {
            return Err(WebhookRefusal::NoSignature);
        }
        let signed_by = |secret| {
            let ours = tag(secret, self.id, self.timestamp.as_bytes(), self.body);
            self.received_tags().any(|theirs| constant_time_eq(&ours, &theirs))
        };
        if secrets.iter().any(signed_by) { Ok(()) } else { Err(WebhookRefusal::WrongSignature) }
    }

    /// The signatures that we can read. Others are passed over, since the standard lets a sender
    /// add signatures of other versions.
    fn received_tags(&self) -> impl Iterator<Item = [u8; TAG]> {
        self.signature.split(' ').filter_map(|signature| read_tag(signature.strip_prefix(VERSION)?))
    }
}

impl fmt::Debug for WebhookMessage<'_> {
    /// Shows no body: it holds a payment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookMessage").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for ReceivedWebhook<'_> {
    /// Shows no body, which holds a payment, and no signature, which could be sent again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedWebhook")
            .field("id", &self.id)
            .field("timestamp", &self.timestamp)
            .finish_non_exhaustive()
    }
}

/// Our rule for ids: visible ASCII without a full stop, so that `id.timestamp.body` has one reading.
///
/// Source: Standard Webhooks 1.0.0, "Signature scheme": neither id nor timestamp may include `.`.
fn is_webhook_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.')
}

fn check_age(timestamp: &str, now_seconds: i64) -> Result<(), WebhookRefusal> {
    // `parse` alone would take a plus or minus too.
    if !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(WebhookRefusal::Timestamp);
    }
    let signed: i64 = timestamp.parse().map_err(|_| WebhookRefusal::Timestamp)?;
    if now_seconds.abs_diff(signed) <= WEBHOOK_TOLERANCE.as_secs() {
        Ok(())
    } else if signed < now_seconds {
        Err(WebhookRefusal::TooOld)
    } else {
        Err(WebhookRefusal::TooNew)
    }
}

fn read_tag(encoded: &str) -> Option<[u8; TAG]> {
    // The room that `decoded_len_estimate` asks for: base64 comes in groups of three bytes.
    let mut decoded = [0; TAG + 1];
    let length = STANDARD.decode_slice(encoded, &mut decoded).ok()?;
    decoded[..length].try_into().ok()
}

fn tag(secret: &WebhookSecret, id: &str, timestamp: &[u8], body: &[u8]) -> [u8; TAG] {
    secret
        .hmac()
        .chain_update(id)
        .chain_update(".")
        .chain_update(timestamp)
        .chain_update(".")
        .chain_update(body)
        .finalize()
        .into_bytes()
        .into()
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::{String, ToString as _};
    use alloc::vec::Vec;

    use proptest::prelude::{any, proptest};

    use super::{ReceivedWebhook, UnsignableWebhook, WebhookMessage, WebhookRefusal};
    use crate::WebhookSecret;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const NOW: i64 = 1_614_265_330;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn signs_the_reference_libraries_vectors() {
        // `TestWebhookSign` of the Go library and `test_sign` of the Rust library of
        // standard-webhooks/standard-webhooks, both recomputed with Python's hmac and hashlib.
        check(SECRET, ID, NOW, BODY, SIGNATURE);
        check(
            OTHER_SECRET,
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            br#"{"email":"test@example.com","username":"test_user"}"#,
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        );

        #[track_caller]
        fn check(key: &str, id: &str, timestamp: i64, body: &[u8], want: &str) {
            let message = WebhookMessage::new(id, timestamp, body).unwrap();
            assert_eq!(message.signature(&secret(key), None).as_str(), want);
        }
    }

    #[test]
    fn signs_with_the_previous_secret_too_while_the_merchant_changes_over() {
        let message = WebhookMessage::new(ID, NOW, BODY).unwrap();
        let other = message.signature(&secret(OTHER_SECRET), None);
        let value = message.signature(&secret(OTHER_SECRET), Some(&secret(SECRET)));
        assert_eq!(value.as_str(), format!("{} {SIGNATURE}", other.as_str()));
    }

    #[test]
    fn refuses_to_sign_what_no_receiver_could_tell_apart() {
        check("evt_1-A", 0, Ok(()));
        check("evt_1", i64::MAX, Ok(()));
        check("", NOW, Err(UnsignableWebhook::Id));
        check("evt.1", NOW, Err(UnsignableWebhook::Id));
        check("evt 1", NOW, Err(UnsignableWebhook::Id));
        check("evt_1\n", NOW, Err(UnsignableWebhook::Id));
        check("evt_\u{e9}", NOW, Err(UnsignableWebhook::Id));
        check("evt_1", -1, Err(UnsignableWebhook::Timestamp));

        #[track_caller]
        fn check(id: &str, timestamp: i64, want: Result<(), UnsignableWebhook>) {
            assert_eq!(WebhookMessage::new(id, timestamp, BODY).map(|_| ()), want, "{id} {timestamp}");
        }
    }

    #[test]
    fn believes_only_the_bytes_that_were_signed() {
        use WebhookRefusal::{Id, WrongSignature};
        check(GOOD, Ok(()));
        check(ReceivedWebhook { body: br#"{"test":2432232314}"#, ..GOOD }, Err(WrongSignature));
        check(ReceivedWebhook { body: b"", ..GOOD }, Err(WrongSignature));
        check(ReceivedWebhook { id: "msg_p5jXN8AQM9LWM0D4loKWxJeK", ..GOOD }, Err(WrongSignature));
        check(ReceivedWebhook { timestamp: "1614265331", ..GOOD }, Err(WrongSignature));
        // The same number, but not the text that was signed.
        check(ReceivedWebhook { timestamp: "01614265330", ..GOOD }, Err(WrongSignature));
        check(ReceivedWebhook { id: "", ..GOOD }, Err(Id));
        check(ReceivedWebhook { id: "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330", ..GOOD }, Err(Id));
    }

    /// Each byte of each part in its place, and each part made longer at either end.
    #[test]
    fn one_other_byte_anywhere_is_not_believed() {
        let parts = [ID, "1614265330", core::str::from_utf8(BODY).unwrap(), SIGNATURE];
        let mut seen = 0;
        for which in 0..parts.len() {
            for changed in changes(parts[which]) {
                let mut texts = parts;
                texts[which] = &changed;
                let [id, timestamp, body, signature] = texts;
                let received = ReceivedWebhook { id, timestamp, signature, body: body.as_bytes() };
                assert!(received.verify(&[secret(SECRET)], NOW).is_err(), "{texts:?}");
                seen += 1;
            }
        }
        assert_eq!(seen, parts.concat().len() + 3 * parts.len());

        fn changes(text: &str) -> Vec<String> {
            let other = |at: usize| if text[at..].starts_with('1') { "2" } else { "1" };
            let with = |at: usize| [&text[..at], other(at), &text[at + 1..]].concat();
            let mut all: Vec<String> = (0..text.len()).map(with).collect();
            all.extend([text[1..].to_string(), format!("{text}1"), format!("1{text}")]);
            all
        }
    }

    #[test]
    fn believes_one_good_signature_among_others() {
        use WebhookRefusal::{NoSignature, WrongSignature};
        let wrong = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
        let asymmetric =
            "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
        let rows = [
            (format!("{wrong} {SIGNATURE} {wrong}"), Ok(())),
            (format!("{asymmetric} {SIGNATURE}"), Ok(())),
            (format!("v1,short  {SIGNATURE}"), Ok(())),
            (wrong.to_string(), Err(WrongSignature)),
            (format!("{wrong} {asymmetric}"), Err(WrongSignature)),
            (asymmetric.to_string(), Err(NoSignature)),
            (SIGNATURE.replace("v1", "v2"), Err(NoSignature)),
            (SIGNATURE.replace("v1", "V1"), Err(NoSignature)),
            (SIGNATURE.replace("v1,", ""), Err(NoSignature)),
            (SIGNATURE.replace("v1,", "v1, "), Err(NoSignature)),
            (SIGNATURE.replace('=', ""), Err(NoSignature)),
            (SIGNATURE[..20].to_string(), Err(NoSignature)),
            (format!("v1,{}", "A".repeat(8192)), Err(NoSignature)),
            ("v1,".to_string(), Err(NoSignature)),
            (String::new(), Err(NoSignature)),
        ];
        for (signature, want) in &rows {
            check(ReceivedWebhook { signature, ..GOOD }, *want);
        }
    }

    #[test]
    fn takes_any_of_the_secrets_in_force() {
        let check = |secrets: &[WebhookSecret], want| assert_eq!(GOOD.verify(secrets, NOW), want);
        check(&[secret(OTHER_SECRET), secret(SECRET)], Ok(()));
        check(&[secret(OTHER_SECRET)], Err(WebhookRefusal::WrongSignature));
        check(&[], Err(WebhookRefusal::WrongSignature));
    }

    #[test]
    fn takes_five_minutes_of_difference_either_way() {
        use WebhookRefusal::{TooNew, TooOld};
        check(NOW, Ok(()));
        check(NOW + 300, Ok(()));
        check(NOW - 300, Ok(()));
        check(NOW + 301, Err(TooOld));
        check(NOW - 301, Err(TooNew));
        check(i64::MAX, Err(TooOld));
        check(i64::MIN, Err(TooNew));

        #[track_caller]
        fn check(now: i64, want: Result<(), WebhookRefusal>) {
            assert_eq!(GOOD.verify(&[secret(SECRET)], now), want, "{now}");
        }
    }

    #[test]
    fn refuses_a_timestamp_that_is_no_count_of_seconds() {
        use WebhookRefusal::{Timestamp, TooNew};
        for timestamp in
            ["", "+1614265330", "-1614265330", "1614265330.0", " 1614265330", "now", "9223372036854775808"]
        {
            check(ReceivedWebhook { timestamp, ..GOOD }, Err(Timestamp));
        }
        check(ReceivedWebhook { timestamp: "1614265330000", ..GOOD }, Err(TooNew));
    }

    #[test]
    fn prints_neither_body_nor_signature() {
        let message = WebhookMessage::new("evt_1", NOW, BODY).unwrap();
        assert_eq!(format!("{message:?}"), r#"WebhookMessage { id: "evt_1", .. }"#);
        let received = ReceivedWebhook { id: "evt_1", ..GOOD };
        let want = r#"ReceivedWebhook { id: "evt_1", timestamp: "1614265330", .. }"#;
        assert_eq!(format!("{received:?}"), want);
        let signature = message.signature(&secret(SECRET), None);
        assert_eq!(format!("{signature:?}"), "WebhookSignature(****)");
        assert_eq!(
            WebhookRefusal::TooOld.to_string(),
            "`webhook-timestamp` is more than 300 s ago: sign each try anew, and check both clocks"
        );
    }

    proptest! {
        #[test]
        fn what_is_signed_verifies_and_a_changed_byte_does_not(
            key in proptest::collection::vec(any::<u8>(), 24..=64),
            id in "[A-Za-z0-9_-]{1,40}",
            timestamp in 0..4_000_000_000_i64,
            mut body in proptest::collection::vec(any::<u8>(), 1..300),
            at: proptest::sample::Index,
            flip in 1_u8..,
        ) {
            let secrets = [WebhookSecret::from_key(&key).unwrap()];
            let signature = WebhookMessage::new(&id, timestamp, &body).unwrap().signature(&secrets[0], None);
            let text = timestamp.to_string();
            let verify = |body: &[u8]| {
                let received = ReceivedWebhook { id: &id, timestamp: &text, signature: signature.as_str(), body };
                received.verify(&secrets, timestamp)
            };
            assert_eq!(verify(&body), Ok(()));
            let at = at.index(body.len());
            body[at] ^= flip;
            assert_eq!(verify(&body), Err(WebhookRefusal::WrongSignature));
        }

        #[test]
        fn no_made_up_signature_is_believed(
            id: String,
            timestamp in "[+-]?[0-9]{0,20}|.*",
            signature in "v1,[A-Za-z0-9+/]{43}=|(v1,)?[A-Za-z0-9+/ ,=]{0,100}|.*",
        ) {
            check_refused(ReceivedWebhook { id: &id, ..GOOD });
            check_refused(ReceivedWebhook { timestamp: &timestamp, ..GOOD });
            check_refused(ReceivedWebhook { signature: &signature, ..GOOD });

            fn check_refused(received: ReceivedWebhook<'_>) {
                assert!(received.verify(&[secret(SECRET)], NOW).is_err(), "{} {received:?}", received.signature);
            }
        }
    }

    const GOOD: ReceivedWebhook<'_> =
        ReceivedWebhook { id: ID, timestamp: "1614265330", signature: SIGNATURE, body: BODY };

    #[track_caller]
    fn check(received: ReceivedWebhook<'_>, want: Result<(), WebhookRefusal>) {
        assert_eq!(received.verify(&[secret(SECRET)], NOW), want, "{} {received:?}", received.signature);
    }

    fn secret(text: &str) -> WebhookSecret {
        WebhookSecret::parse(text).unwrap()
    }
}
