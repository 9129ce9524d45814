//! paymux-sign: digests and signatures compared with others' code, and read as they are written.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use paymux_sign::{
    Decimal, HexCase, Lineup, Md5Batch, Md5Digest, Md5Text, ReceivedWebhook, StampedMd5, WebhookMessage,
    WebhookSecret, compact_json, from_gbk, gbk, number_spellings, trimmed, without_blanks,
};
use sha2::Sha256;

use super::texts;
use crate::reference::md5_hex;
use crate::{Seen, Target};

const DIGEST: &str = "e25401af2683d1387346dfc25298da2f";
const BODY: &str = "{\r\n  \"pay_subject\": \"red shoes size 42\",\r\n  \"total_fee\": \"250\"\r\n}\r\n";

pub(super) fn targets() -> Vec<Target> {
    let stamped = format!("{DIGEST}:1709251200000");
    let digests = texts(&[DIGEST, &DIGEST.to_uppercase(), &stamped]);
    let secrets = texts(&["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);
    let numbers = texts(&["1023", "10.20", "\"1000.00\""]);
    vec![
        Target::plain(
            "sign/text",
            "MD5 over pieces, squeezed, nested and many at once: as another's MD5 says",
            vec![BODY.as_bytes().to_vec(), [&[7, 80, 200, 90], BODY.repeat(5).as_bytes()].concat()],
            &[" ", "\r\n", "\t", "\u{3000}", "\u{a0}"],
            text,
        ),
        Target::plain(
            "sign/digest",
            "digests with and without a time: read as they are written, or refused",
            digests,
            &["a", "F", ":", "0", "1709251200000", "\u{e9}"],
            digest,
        ),
        Target::plain(
            "sign/webhook",
            "Standard Webhooks: believed only with HMAC-SHA256 of what was sent, by another's code",
            vec![
                webhook_of("evt_1", NOW, "{\"a\":1}"),
                webhook_of("msg_p5jXN8AQM9LWM0D4loKWxJek", NOW + 299, ""),
            ],
            &["v1,", "v1a,", " ", ".", "evt_1", "1709251200", "="],
            webhook,
        ),
        Target::plain(
            "sign/webhook_secret",
            "whsec_ and a key of 24 to 64 bytes: written as it was read",
            secrets,
            &["whsec_", "=", "==", "+", "/", "-", "_", "AAAA"],
            webhook_secret,
        ),
        Target::plain(
            "sign/spelling",
            "other spellings of a text: none twice, none the text itself, JSON says the same without blanks",
            [numbers, texts(&["{ \"a\\\" b\" : [1, 2] }\n", "\u{7ea2}\u{8336}", " a b "])].concat(),
            &["\"", "0", ".", "\\", "\\\"", " ", "\u{7ea2}", "\u{1f600}", "[", "{"],
            spelling,
        ),
    ]
}

/// The first four bytes cut the others into five pieces, of which every second is squeezed.
fn text(input: &[u8]) -> Seen {
    let (cuts, mut rest) = input.split_at(input.len().min(4));
    let mut pieces = Vec::new();
    for cut in cuts {
        let (piece, behind) = rest.split_at(usize::from(*cut) % (rest.len() + 1));
        pieces.push(piece);
        rest = behind;
    }
    pieces.push(rest);
    let (mut ours, mut plain, mut batch) = (Md5Text::new(), Vec::new(), Md5Batch::new());
    for (at, piece) in pieces.iter().enumerate() {
        if at % 2 == 0 {
            ours = ours.piece(piece);
            plain.extend_from_slice(piece);
        } else {
            ours = ours.squeezed(piece);
            plain.extend(piece.iter().filter(|byte| !b" \r\n".contains(byte)));
        }
        let _ = batch.text().piece(piece);
        let _ = batch.text().piece(&plain);
    }
    let length = plain.len() as u64;
    let want = md5_hex(&[&plain]);
    assert_eq!(ours.clone().digest().to_hex().as_str(), want);
    let nested = ours.nested().number(length).digest();
    assert_eq!(nested.to_hex().as_str(), md5_hex(&[want.as_bytes(), length.to_string().as_bytes()]));
    let last = batch.digests().len() - 1;
    for (piece, digests) in pieces.iter().zip(batch.digests().chunks(2)) {
        assert_eq!(digests[0].to_hex().as_str(), md5_hex(&[piece]));
    }
    assert_eq!(batch.digests()[last].to_hex().as_str(), want);
    assert_eq!(Decimal::from(length).as_str(), length.to_string());
    Seen::Taken
}

fn digest(input: &[u8]) -> Seen {
    let is_hex = input.len() == 32 && input.iter().all(u8::is_ascii_hexdigit);
    let is_lower = is_hex && !input.iter().any(u8::is_ascii_uppercase);
    let read = Md5Digest::from_hex(input, HexCase::Any);
    assert_eq!(read.is_ok(), is_hex);
    assert_eq!(Md5Digest::from_hex(input, HexCase::Lower).is_ok(), is_lower);
    if let Ok(read) = read {
        assert_eq!(read.to_hex().as_bytes().as_slice(), input.to_ascii_lowercase());
        assert!(read.matches(read));
    }
    let stamped = StampedMd5::parse(input, HexCase::Lower);
    if let Ok(stamped) = stamped {
        assert_eq!(stamped.to_text().as_str().as_bytes(), input);
    }
    let told = std::str::from_utf8(input).ok().and_then(|text| {
        let mut lineup = Lineup::of(text)?;
        lineup.text(&["nothing"], &[""]);
        Some(lineup.told())
    });
    assert!(told.is_some() || !is_hex);
    Seen::taken_if(is_hex || stamped.is_ok())
}

const NOW: i64 = 1_709_251_200;
const KEY: &[u8; 32] = b"a key of thirty-two bytes: 32 !!";
static SECRETS: LazyLock<[WebhookSecret; 2]> = LazyLock::new(|| {
    let secret = |key: &[u8]| WebhookSecret::from_key(key).expect("a key of 24 to 64 bytes");
    [secret(&[7; 64]), secret(KEY)]
});

/// A message as it comes in: id, time and signatures, a line each, and the body.
fn webhook_of(id: &str, seconds: i64, body: &str) -> Vec<u8> {
    let message = WebhookMessage::new(id, seconds, body.as_bytes()).expect("a message of literals");
    let signature = message.signature(&SECRETS[1], None);
    format!("{id}\n{seconds}\n{}\n{body}", signature.as_str()).into_bytes()
}

fn webhook(input: &[u8]) -> Seen {
    let parts: Vec<&[u8]> = input.splitn(4, |byte| *byte == b'\n').collect();
    let [id, timestamp, signature, body] = parts[..] else { return Seen::Refused };
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    let received =
        ReceivedWebhook { id: text(id), timestamp: text(timestamp), signature: text(signature), body };
    let is_believed = received.verify(SECRETS.as_slice(), NOW).is_ok();
    if is_believed {
        let mut mac = Hmac::<Sha256>::new_from_slice(KEY).expect("HMAC takes a key of any length");
        mac.update(&[id, b".", timestamp, b".", body].concat());
        let want = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        assert!(received.signature.split(' ').any(|one| one == want), "believed without its signature");
        let seconds: i64 = received.timestamp.parse().expect("a believed time");
        assert!(NOW.abs_diff(seconds) <= 300, "believed at another time");
    }
    Seen::taken_if(is_believed)
}

fn webhook_secret(input: &[u8]) -> Seen {
    let Ok(text) = std::str::from_utf8(input) else { return Seen::Refused };
    let Ok(secret) = WebhookSecret::parse(text) else { return Seen::Refused };
    assert_eq!(*secret.expose(), text);
    let key =
        STANDARD.decode(text.strip_prefix("whsec_").unwrap_or_default()).expect("what was read is base64");
    assert!((24..=64).contains(&key.len()));
    Seen::Taken
}

fn spelling(input: &[u8]) -> Seen {
    let without = |blanks: Option<Vec<u8>>| blanks.is_none_or(|bytes| bytes.len() < input.len());
    assert!(without(trimmed(input).map(<[u8]>::to_vec)) && without(without_blanks(input)));
    if let (Ok(value), Some(compact)) =
        (serde_json::from_slice::<serde_json::Value>(input), compact_json(input))
    {
        let same: serde_json::Value = serde_json::from_slice(&compact).expect("still JSON");
        assert_eq!(same, value);
    }
    if let Some(text) = from_gbk(input) {
        assert!(!text.is_empty());
    }
    let Ok(text) = std::str::from_utf8(input) else { return Seen::Refused };
    // What GBK has, it says in one way, but for the bytes that are UTF-8 of something else.
    if let Some(back) = gbk(text).and_then(|bytes| from_gbk(&bytes)) {
        assert_eq!(back, text);
    }
    let all = number_spellings(text);
    assert!(all.len() <= 10 && all.iter().all(|one| one.text != text));
    for (at, one) in all.iter().enumerate() {
        assert!(all[..at].iter().all(|other| other.text != one.text), "{text}: twice {one:?}");
    }
    Seen::Taken
}
