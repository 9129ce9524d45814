//! Keys straight from the operating system.

use anyhow::Context as _;
use paymux_core::Secret;
use paymux_sign::WebhookSecret;
use rand::TryRng as _;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

/// How many random bytes a key has.
const KEY_BYTES: usize = 32;

/// What an app is known by, and what its notices are signed with.
#[derive(Debug)]
pub struct Keys {
    /// `pmx_` and 64 hexadecimal digits.
    pub api_key: Secret,
    /// `whsec_` and base64.
    pub notify_secret: Secret,
}

impl Keys {
    /// Fresh ones, from the operating system's source.
    ///
    /// # Errors
    /// When that source fails.
    pub fn fresh() -> anyhow::Result<Self> {
        let notify_secret = WebhookSecret::from_key(random()?.as_slice())?;
        let notify_secret = Secret::new(notify_secret.expose().as_str());
        Ok(Self { api_key: api_key(random()?.as_slice()), notify_secret })
    }
}

fn random() -> anyhow::Result<Zeroizing<[u8; KEY_BYTES]>> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    SysRng.try_fill_bytes(bytes.as_mut_slice()).context("the operating system gives no random bytes")?;
    Ok(bytes)
}

fn api_key(bytes: &[u8]) -> Secret {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(4 + 2 * KEY_BYTES);
    text.push_str("pmx_");
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_long_well_formed_and_never_the_same() {
        let (one, other) = (Keys::fresh().unwrap(), Keys::fresh().unwrap());
        assert_eq!(one.api_key.expose().len(), 68);
        assert!(one.api_key.expose().starts_with("pmx_"));
        assert!(WebhookSecret::parse(one.notify_secret.expose()).is_ok());
        assert!(!one.api_key.matches(other.api_key.expose()));
        assert!(!one.notify_secret.matches(other.notify_secret.expose()));
    }
}
