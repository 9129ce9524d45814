//! The shapes of payment signatures: MD5 over pieces, Standard Webhooks HMAC, and comparing both.
//!
//! Here live the ways to sign, as types that cannot be compared carelessly. What a provider
//! signs (which fields, in which order, with which secret, and which fields stay uncovered)
//! lives in that plugin's `sign.rs`, with its vectors.
//!
//! | Shape | Start at |
//! |---|---|
//! | lower-case hex of MD5 over pieces with nothing between them | [`Md5Digest::of`]; [`Md5Text`] piece by piece |
//! | the same around the digest of an inner text | [`Md5Text::nested`] |
//! | the same over a body without its blanks and line breaks | [`Md5Text::squeezed`] |
//! | a digest that travels with its time: `digest:timestamp` | [`StampedMd5`] |
//! | many texts at once, side by side in wide registers | [`Md5Batch`] |
//! | integers, times and amounts as text, on the stack | [`Decimal`] |
//! | `webhook-signature: v1,...` over `id.timestamp.body` | [`WebhookMessage`], [`ReceivedWebhook`] |
//! | HMAC-SHA256 under a key of our own, to know a repeat | [`DigestKey`] |
//! | two secrets, whatever they are | [`constant_time_eq`] |
//! | which known mistake explains a digest that did not match | [`Lineup`], [`number_spellings`] |
//!
//! Pure: no clock, no randomness, no input or output. Texts are fed piece by piece and signs stand
//! on the stack, so that signing and verifying allocate nothing. Our own code needs `core` and, where
//! a secret is handed out or a mistake is looked for, `alloc`.
//!
//! What is the same in every message is hashed once where that spares a whole block: the key of an
//! HMAC is two blocks, and a [`WebhookSecret`] keeps what comes of them. A provider's MD5 begins with
//! an account of 32 to 36 bytes or with a time, less than a block of 64, so there is nothing to spare:
//! a cloned [`Md5Text`] would save a copy of those bytes.
//!
//! ```
//! use paymux_sign::{HexCase, Md5Digest, Md5Text};
//!
//! let ours = Md5Text::new().piece("app-1").number(1_709_251_200_000_i64).piece("secret").digest();
//! assert_eq!(ours.to_hex().as_str(), "ac12b2d360a7364c65bf109d6a8eb765");
//!
//! let received = Md5Digest::from_hex("AC12B2D360A7364C65BF109D6A8EB765", HexCase::Any)?;
//! assert!(ours.matches(received));
//! # Ok::<(), paymux_sign::MalformedMd5>(())
//! ```

#![no_std]

extern crate alloc;

mod constant_time;
mod decimal;
mod digest_key;
mod lineup;
mod md5_batch;
mod md5_block;
mod md5_digest;
mod md5_text;
mod spelling;
mod squeeze;
mod stamped_md5;
mod webhook;
mod webhook_secret;

pub use constant_time::constant_time_eq;
pub use decimal::Decimal;
pub use digest_key::DigestKey;
pub use lineup::{CANDIDATE_BYTES_MAX, CANDIDATES_MAX, Lineup};
pub use md5_batch::{BatchText, Md5Batch};
#[doc(hidden)]
pub use md5_block::compress_blocks;
pub use md5_digest::{HexCase, MalformedMd5, Md5Digest, Md5Hex};
pub use md5_text::Md5Text;
pub use spelling::{NumberSpelling, compact_json, from_gbk, gbk, number_spellings, trimmed, without_blanks};
pub use stamped_md5::{MalformedStamp, StampedMd5, StampedText};
pub use webhook::{
    ReceivedWebhook, UnsignableWebhook, WEBHOOK_ID_HEADER, WEBHOOK_SIGNATURE_HEADER,
    WEBHOOK_TIMESTAMP_HEADER, WEBHOOK_TOLERANCE, WebhookMessage, WebhookRefusal, WebhookSignature,
};
pub use webhook_secret::{WebhookSecret, WebhookSecretError};
