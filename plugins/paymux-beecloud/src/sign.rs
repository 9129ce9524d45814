//! Which fields BeeCloud signs, in which order and with which secret, and what the signs leave open.
//!
//! How MD5 is fed and compared lives in paymux-sign. All three schemes put nothing between the
//! parts, so a field's last byte can slide into the next one: what was verified here is still
//! compared with the stored order.
//!
//! Not covered: by `app_sign` anything but account and time (channel, amount, number, URLs and
//! buyer are open); by the webhook's `signature` everything but the four fields of [`Notified`]
//! (time, `sub_channel_type`, `bill_fee`, `discount`, `coupon_id`, `trade_success`,
//! `message_detail`, `optional`); by [`unbound_sign`] anything but account and time.

use paymux_core::Secret;
use paymux_sign::{Md5Digest, Md5Text};

/// `app_sign` of a call: account, the very digits of `timestamp`, and the secret of that call.
///
/// Source: BeeCloud reference V2, `app_sign`.
pub(crate) fn app_sign(app_id: &str, timestamp_ms: i64, secret: &Secret) -> Md5Digest {
    Md5Text::new().piece(app_id).number(timestamp_ms).piece(secret.expose()).digest()
}

/// The fields of a webhook that its `signature` covers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Notified<'a> {
    /// The merchant's number of the bill, refund or payout.
    pub transaction_id: &'a str,
    /// `PAY`, `REFUND`, `TRANSFER` and so on.
    pub transaction_type: &'a str,
    /// The channel's group, such as `WX`.
    pub channel_type: &'a str,
    /// Fen that really moved, as the decimal digits that stand in the message.
    pub transaction_fee: &'a str,
}

/// `signature` of a webhook.
///
/// Source: BeeCloud webhook guide, signature with the master secret (since January 2017).
pub(crate) fn notice_sign(app_id: &str, notified: Notified<'_>, master_secret: &Secret) -> Md5Digest {
    Md5Text::new()
        .piece(app_id)
        .piece(notified.transaction_id)
        .piece(notified.transaction_type)
        .piece(notified.channel_type)
        .piece(notified.transaction_fee)
        .piece(master_secret.expose())
        .digest()
}

/// The scheme that binds no field of the message: with the test secret on sandbox webhooks, with
/// the app secret on those from before January 2017.
///
/// Source: webhook demos of the Java and .NET SDKs.
pub(crate) fn unbound_sign(app_id: &str, secret: &Secret, timestamp: &str) -> Md5Digest {
    Md5Text::new().piece(app_id).piece(secret.expose()).piece(timestamp).digest()
}

#[cfg(test)]
mod tests {
    use paymux_sign::HexCase;
    use serde_json::Value;

    use super::*;

    fn vectors() -> Vec<Value> {
        let file: Value = serde_json::from_str(include_str!("../tests/data/vectors.json")).unwrap();
        file["vectors"].as_array().unwrap().clone()
    }

    /// Signs the inputs of a vector; `None` for a scheme that the pay path does not use.
    fn sign(scheme: &str, inputs: &Value) -> Option<Md5Digest> {
        let text = |key: &str| inputs[key].as_str().unwrap().to_owned();
        let app_id = text("app_id");
        Some(match scheme {
            "app_sign" => {
                app_sign(&app_id, inputs["timestamp"].as_i64().unwrap(), &Secret::new(text("secret")))
            }
            "webhook" => {
                let fee = inputs["transaction_fee"].to_string();
                let notified = Notified {
                    transaction_id: &text("transaction_id"),
                    transaction_type: &text("transaction_type"),
                    channel_type: &text("channel_type"),
                    transaction_fee: &fee,
                };
                notice_sign(&app_id, notified, &Secret::new(text("master_secret")))
            }
            "webhook_test_mode" => {
                unbound_sign(&app_id, &Secret::new(text("test_secret")), &inputs["timestamp"].to_string())
            }
            "js_button" | "coupon_redeem" | "bank_payout" => return None,
            other => panic!("a vector of an unknown scheme: {other}"),
        })
    }

    #[test]
    fn every_vector_of_the_pay_path_is_reproduced() {
        let mut signed = Vec::new();
        for vector in vectors() {
            if let Some(digest) = sign(vector["scheme"].as_str().unwrap(), &vector["inputs"]) {
                assert_eq!(digest.to_hex().as_str(), vector["digest"], "{}", vector["id"]);
                signed.push(vector["id"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(signed, ["bc-v1", "bc-v2", "bc-v3", "bc-v4", "bc-v5", "bc-v8", "bc-x3"]);
    }

    #[test]
    fn one_changed_character_of_any_signed_field_changes_the_digest() {
        let mut flips = 0;
        for vector in vectors() {
            let scheme = vector["scheme"].as_str().unwrap();
            if sign(scheme, &vector["inputs"]).is_none() {
                continue;
            }
            let right = Md5Digest::from_hex(vector["digest"].as_str().unwrap(), HexCase::Lower).unwrap();
            for (key, value) in vector["inputs"].as_object().unwrap() {
                let mut changed = vector["inputs"].clone();
                changed[key] = match value.as_i64() {
                    Some(number) => Value::from(number + 1),
                    None => Value::from(flipped(value.as_str().unwrap())),
                };
                assert!(!sign(scheme, &changed).unwrap().matches(right), "{} {key}", vector["id"]);
                flips += 1;
            }
        }
        assert_eq!(flips, 4 * 3 + 2 * 6 + 3);
    }

    /// The text with its last character replaced by another.
    fn flipped(text: &str) -> String {
        let last = if text.ends_with('0') { '1' } else { '0' };
        text[..text.len() - 1].chars().chain([last]).collect()
    }
}
