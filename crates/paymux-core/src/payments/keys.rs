//! A merchant's `Idempotency-Key`: one key stands for one request, and for nothing else.
//!
//! No answer is kept under a key. A repeat runs the use case again, which finds what it made by its
//! number, so that the repeat is told how things stand now. What is stored of the request is a keyed digest:
//! a body can hold a card's number, which must not be found by trying all.

use std::sync::{MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use crate::error::PaymentError;
use crate::ids::AppId;
use crate::payment::request::{InvalidField, hex};
use crate::store::{Claim, Claimed};

use super::Payments;

/// The longest key, in characters.
pub const KEY_CHARS_MAX: usize = 255;

/// A key as a merchant wrote it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdempotencyKey(Box<str>);

impl IdempotencyKey {
    /// Checks its form.
    pub fn new(text: &str) -> Result<Self, InvalidField> {
        let good = |b: u8| b.is_ascii_graphic() || b == b' ';
        if (1..=KEY_CHARS_MAX).contains(&text.len()) && text.bytes().all(good) {
            return Ok(Self(text.into()));
        }
        let rule = format!("write one key of 1 to {KEY_CHARS_MAX} printable ASCII characters");
        Err(InvalidField::new("Idempotency-Key", rule))
    }
}

/// What a key stands for: SHA-256 of a request's method, path and body. In memory only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestDigest(String);

impl RequestDigest {
    /// The digest of that request.
    pub fn of(method: &str, path: &str, body: &[u8]) -> Self {
        let mut whole = Sha256::new();
        whole.update(format!("{method} {path}\n"));
        whole.update(body);
        Self(hex(&whole.finalize()))
    }
}

impl Payments {
    /// Runs `work` under a key, in a task of its own. The key is claimed before anything else happens:
    /// one that stands for another request is refused, and so is one whose request still runs here.
    pub async fn under_key<T: Send + 'static>(
        &self,
        app: AppId,
        key: IdempotencyKey,
        digest: RequestDigest,
        work: impl Future<Output = Result<T, PaymentError>> + Send + 'static,
    ) -> Result<T, PaymentError> {
        let this = self.clone();
        self.run(async move {
            let _running = this.claim_key(app, key, digest).await?;
            crate::crash_point!("key.after_claim");
            work.await
        })
        .await
    }

    /// The claim comes first, so that all who get past it ask for the same.
    async fn claim_key(
        &self,
        app: AppId,
        key: IdempotencyKey,
        digest: RequestDigest,
    ) -> Result<Running, PaymentError> {
        let digest = self.digest_key().await?.digest("idempotency", digest.0.as_bytes());
        let claim = Claim {
            scope: format!("idempotency:{app}"),
            key: key.0.to_string(),
            digest: hex(&digest),
            at: self.now(),
            until: self.now().plus(self.catalog().timing.key_life),
        };
        match self.store().claim(claim).await? {
            Claimed::New | Claimed::Same => self.begin_under(app, key).ok_or(PaymentError::InFlight),
            Claimed::Other => Err(PaymentError::KeyMismatch),
        }
    }

    /// Takes the right to run under that key in this process; `None` when somebody has it.
    fn begin_under(&self, app: AppId, key: IdempotencyKey) -> Option<Running> {
        let place = (app, key);
        self.running_keys().insert(place.clone()).then(|| Running { payments: self.clone(), place })
    }

    fn running_keys(&self) -> MutexGuard<'_, super::RunningKeys> {
        self.0.running_keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the right to run under a key back when dropped.
struct Running {
    payments: Payments,
    place: (AppId, IdempotencyKey),
}

impl Drop for Running {
    fn drop(&mut self) {
        self.payments.running_keys().remove(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_1_to_255_printable_characters() {
        for good in ["a", "7e0c6c1a-9a55-4f43-8f4e-2b0d0a1f2b3c", "a b", "\"quoted\"", &"x".repeat(255)] {
            assert!(IdempotencyKey::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a\tb", "a\n", "订单", "caf\u{e9}", "\u{7f}", &"x".repeat(256)] {
            let fault = IdempotencyKey::new(bad).map(|_| ()).unwrap_err();
            assert_eq!(fault.param, "Idempotency-Key", "{bad}");
        }
    }

    #[test]
    fn a_digest_covers_method_path_and_body() {
        let digest = RequestDigest::of("POST", "/v1/payments", b"{}");
        assert_eq!(digest, RequestDigest::of("POST", "/v1/payments", b"{}"));
        for other in [
            RequestDigest::of("PUT", "/v1/payments", b"{}"),
            RequestDigest::of("POST", "/v1/transfers", b"{}"),
            RequestDigest::of("POST", "/v1/payments", b"{ }"),
            RequestDigest::of("POST", "/v1/payments", b""),
        ] {
            assert_ne!(digest, other);
        }
    }
}
