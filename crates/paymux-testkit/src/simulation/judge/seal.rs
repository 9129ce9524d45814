//! The judge's own reading of Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Whether one of the signatures was made with that key.
pub(super) fn is_valid(key: &[u8; 32], id: &str, at: &str, body: &str, signature: &str) -> bool {
    if id.is_empty() || at.parse::<u64>().is_err() {
        return false;
    }
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    let want = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    signature.split(' ').any(|given| given == want)
}

/// A signature with that key.
#[cfg(test)]
pub(super) fn signed(key: &[u8; 32], id: &str, at: &str, body: &str) -> String {
    let secret = paymux_sign::WebhookSecret::parse(&format!("whsec_{}", STANDARD.encode(key))).unwrap();
    let message = paymux_sign::WebhookMessage::new(id, at.parse().unwrap(), body.as_bytes()).unwrap();
    message.signature(&secret, None).as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn believes_what_paymux_signs_and_nothing_else() {
        let key = [7_u8; 32];
        let signature = signed(&key, "evt_1", "1709251200", "{}");
        assert!(is_valid(&key, "evt_1", "1709251200", "{}", &signature));
        assert!(!is_valid(&key, "evt_2", "1709251200", "{}", &signature));
        assert!(!is_valid(&key, "evt_1", "1709251201", "{}", &signature));
        assert!(!is_valid(&key, "evt_1", "1709251200", "{ }", &signature));
        assert!(!is_valid(&[8; 32], "evt_1", "1709251200", "{}", &signature));
    }
}
