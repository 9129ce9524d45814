//! Transfers: money paid out to a person or a bank account. Never routed, never sent again.
//!
//! What happens to one is in [`crate::outflow`]; the use cases are in [`crate::payments`].

use std::collections::BTreeMap;
use std::fmt;

use paymux_sign::DigestKey;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::acceptor::FrontPayee;
use crate::clock::Timestamp;
use crate::ids::{AppId, ChannelId, TransferId, TransferNo};
use crate::money::{AMOUNT_MAX, Currency, Money};
use crate::outflow::OutflowState;
use crate::payment::request::{InvalidField, extra, hex, one_line};
use crate::payment::{Failure, FrontNote};
use crate::secret::Secret;

/// The most fields of a payee.
pub const PAYEE_KEYS_MAX: usize = 20;
/// The longest field of a payee, in characters.
pub const PAYEE_CHARS_MAX: usize = 128;
/// The longest name of a product, in bytes.
pub const PRODUCT_BYTES_MAX: usize = 32;

/// One transfer, as the ledger keeps it. Who receives is not in it: that was passed on in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Transfer {
    /// Ours.
    pub id: TransferId,
    /// Whose it is.
    pub app: AppId,
    /// The merchant's number.
    pub transfer_no: TransferNo,
    /// The account that pays.
    pub channel: ChannelId,
    /// The provider's slug.
    pub provider: String,
    /// Its number at the provider.
    pub number: String,
    /// How much.
    pub amount: Money,
    /// The provider's product.
    pub product: String,
    /// Who receives, for a person's eye: each field masked but for its last four characters.
    pub payee_masked: BTreeMap<String, String>,
    /// Why.
    pub reason: String,
    /// Whether real money moves.
    pub livemode: bool,
    /// Where it stands.
    pub state: OutflowState,
    /// Rises with every owner, as an attempt's.
    pub fence: i64,
    /// What a person must open.
    pub action_url: Option<String>,
    /// How it failed, or why its outcome is not known.
    pub failure: Option<Failure>,
    /// The provider's record id.
    pub reference: Option<String>,
    /// By which a repeat of the request that made it is known, as [`Fingerprint`] writes it.
    pub fingerprint: String,
    /// How many events it has had.
    pub events: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its end was booked.
    pub ended_at: Option<Timestamp>,
    /// When a worker must look at it next.
    pub check_at: Option<Timestamp>,
    /// How often a worker has looked.
    pub checks: i32,
    /// What is remembered of it where a client of a front asked for it.
    pub front: Option<Box<FrontNote>>,
}

/// A request for a transfer, as it is written in JSON.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferRequest {
    /// The merchant's number: 1 to 64 letters, digits, `-` or `_`, unique in the app for ever.
    pub transfer_no: String,
    /// Minor units, more than zero.
    pub amount: i64,
    /// ISO 4217, such as `CNY`.
    pub currency: String,
    /// The provider's product, such as `bank_card`.
    pub product: String,
    /// Who receives, by the provider's field names.
    pub payee: BTreeMap<String, String>,
    /// The channel that pays.
    pub channel: String,
    /// Why, in one line of at most 127 characters.
    #[serde(default)]
    pub reason: Option<String>,
    /// Provider fields by the provider's own names.
    #[serde(default)]
    pub extra: BTreeMap<String, serde_json::Value>,
}

/// A request for a transfer in which every field is true.
#[derive(Debug, Clone)]
pub struct NewTransfer {
    /// The merchant's number.
    pub transfer_no: TransferNo,
    /// How much, more than zero.
    pub amount: Money,
    /// The provider's product.
    pub product: String,
    /// Who receives. In memory only.
    pub payee: BTreeMap<String, Secret>,
    /// The channel that pays.
    pub channel: ChannelId,
    /// Why; may be empty.
    pub reason: String,
    /// Provider fields.
    pub extra: BTreeMap<String, serde_json::Value>,
    /// What is remembered of it where a client of a front asks for it.
    pub front: Option<Box<FrontNote>>,
}

impl NewTransfer {
    /// Checks what a client of a front wants paid out; the first field that breaks its rule is the answer.
    ///
    /// # Errors
    /// The field, and its rule.
    pub fn of_front(channel: &ChannelId, asked: &FrontPayee, note: &FrontNote) -> Result<Self, InvalidField> {
        if !(1..=AMOUNT_MAX).contains(&asked.amount.minor()) {
            return Err(InvalidField::new("amount", format!("write minor units from 1 to {AMOUNT_MAX}")));
        }
        let no = TransferNo::given(&asked.number).map_err(|e| InvalidField::new("transfer_no", e.rule))?;
        let texts = asked.payee.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
        Ok(Self {
            transfer_no: no,
            amount: asked.amount,
            product: product(asked.product)?,
            payee: payee(&texts.collect())?,
            channel: channel.clone(),
            reason: crate::refund::reason_of(&asked.reason),
            extra: extra(&asked.extra)?,
            front: Some(Box::new(note.clone())),
        })
    }

    /// Checks every field; the first that breaks its rule is the answer.
    pub fn check(request: &TransferRequest) -> Result<Self, InvalidField> {
        let named = |param: &'static str| move |e: crate::ids::IdError| InvalidField::new(param, e.rule);
        let currency = Currency::from_code(&request.currency)
            .ok_or_else(|| InvalidField::new("currency", "write an ISO 4217 code in upper case, like CNY"))?;
        if !(1..=AMOUNT_MAX).contains(&request.amount) {
            let rule = format!("write minor units from 1 to {AMOUNT_MAX}, like 1999 for 19.99 CNY");
            return Err(InvalidField::new("amount", rule));
        }
        let reason = request
            .reason
            .as_deref()
            .map(|text| one_line("reason", text, crate::refund::REASON_CHARS_MAX))
            .transpose()?;
        Ok(Self {
            transfer_no: TransferNo::new(&request.transfer_no).map_err(named("transfer_no"))?,
            amount: Money::new(request.amount, currency),
            product: product(&request.product)?,
            payee: payee(&request.payee)?,
            channel: ChannelId::new(&request.channel).map_err(named("channel"))?,
            reason: reason.unwrap_or_default(),
            extra: extra(&request.extra)?,
            front: None,
        })
    }

    /// By which a repeat is known: the same number with another one is another request. Who receives, and
    /// provider fields that are secret by `is_secret`, count under `key` alone: a plain digest would tell a
    /// card's number to whoever tries all.
    pub fn fingerprint(&self, app: &AppId, is_secret: impl Fn(&str) -> bool, key: &DigestKey) -> Fingerprint {
        let secrets: Vec<_> = self.extra.iter().filter(|(name, _)| is_secret(name)).collect();
        let payee: Vec<_> = self.payee.iter().map(|(name, value)| (name, value.expose())).collect();
        let hidden = Zeroizing::new(serde_json::json!([payee, secrets]).to_string());
        Fingerprint {
            open: self.open_digest(app, is_secret),
            keyed: hex(&key.digest("transfer", hidden.as_bytes())),
        }
    }

    /// A digest of all that may be seen.
    fn open_digest(&self, app: &AppId, is_secret: impl Fn(&str) -> bool) -> String {
        let hidden = serde_json::Value::Null;
        let extra: Vec<_> = self
            .extra
            .iter()
            .map(|(name, value)| (name, is_secret(name), if is_secret(name) { &hidden } else { value }))
            .collect();
        let fields = serde_json::json!([
            app,
            self.transfer_no,
            self.amount.minor(),
            self.amount.currency().code(),
            self.product,
            self.payee_masked(),
            self.channel,
            self.reason,
            extra,
        ]);
        hex(&Sha256::digest(fields.to_string()))
    }

    /// Who receives, with all but the last four characters of each field masked; a field of at most
    /// eight characters whole.
    pub fn payee_masked(&self) -> BTreeMap<String, String> {
        self.payee.iter().map(|(name, value)| (name.clone(), masked(value.expose()))).collect()
    }
}

/// By which a repeat of a request for a transfer is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// A digest of all that may be seen.
    open: String,
    /// A keyed digest of the rest.
    keyed: String,
}

impl Fingerprint {
    /// Whether what is stored is of this request. What an earlier version stored has no keyed part.
    pub fn is(&self, stored: &str) -> bool {
        match stored.split_once('.') {
            Some((open, keyed)) => open == self.open && keyed == self.keyed,
            None => stored == self.open,
        }
    }
}

impl fmt::Display for Fingerprint {
    /// As it is stored.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.open, self.keyed)
    }
}

fn masked(text: &str) -> String {
    let length = text.chars().count();
    let shown = if length > 8 { 4 } else { 0 };
    let tail: String = text.chars().skip(length - shown).collect();
    format!("****{tail}")
}

fn product(text: &str) -> Result<String, InvalidField> {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if (1..=PRODUCT_BYTES_MAX).contains(&text.len()) && text.bytes().all(good) {
        return Ok(text.to_owned());
    }
    let rule = format!("write 1 to {PRODUCT_BYTES_MAX} letters, digits, `-`, `_` or `.`, like bank_card");
    Err(InvalidField::new("product", rule))
}

fn payee(map: &BTreeMap<String, String>) -> Result<BTreeMap<String, Secret>, InvalidField> {
    if !(1..=PAYEE_KEYS_MAX).contains(&map.len()) {
        return Err(InvalidField::new("payee", format!("write 1 to {PAYEE_KEYS_MAX} fields")));
    }
    let field = |(name, value): (&String, &String)| {
        let text = one_line(&format!("payee.{name}"), value, PAYEE_CHARS_MAX)?;
        Ok((name.clone(), Secret::new(text)))
    };
    map.iter().map(field).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::needless_pass_by_value, reason = "rows write their patch in place")]

    use serde_json::json;

    use super::*;

    fn request(patch: serde_json::Value) -> TransferRequest {
        let mut body = json!({"transfer_no": "T1", "amount": 500, "currency": "CNY", "product": "bank_card",
            "payee": {"card_no": "6222020200112233"}, "channel": "a"});
        body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn takes_a_plain_request() {
        let transfer = NewTransfer::check(&request(json!({}))).unwrap();
        assert_eq!((transfer.amount, transfer.reason.as_str()), (Money::fen(500), ""));
        assert_eq!(transfer.payee["card_no"].expose(), "6222020200112233");
    }

    #[test]
    fn names_the_field_that_breaks_its_rule() {
        check(json!({"transfer_no": "a b"}), "transfer_no");
        check(json!({"amount": 0}), "amount");
        check(json!({"amount": AMOUNT_MAX + 1}), "amount");
        check(json!({"currency": "cny"}), "currency");
        check(json!({"product": ""}), "product");
        check(json!({"product": "bank card"}), "product");
        check(json!({"product": "p".repeat(PRODUCT_BYTES_MAX + 1)}), "product");
        check(json!({"payee": {}}), "payee");
        let many: BTreeMap<String, &str> = (0..=PAYEE_KEYS_MAX).map(|n| (format!("k{n}"), "v")).collect();
        check(json!({"payee": many}), "payee");
        check(json!({"payee": {"name": ""}}), "payee.name");
        check(json!({"payee": {"name": "a\nb"}}), "payee.name");
        check(json!({"payee": {"name": "王".repeat(PAYEE_CHARS_MAX + 1)}}), "payee.name");
        check(json!({"channel": "a/b"}), "channel");
        check(json!({"reason": "a\nb"}), "reason");
        check(json!({"extra": {"k": "x".repeat(9000)}}), "extra");

        #[track_caller]
        fn check(patch: serde_json::Value, param: &str) {
            let error = NewTransfer::check(&request(patch.clone())).unwrap_err();
            assert_eq!(error.param, param, "{patch}: {error}");
        }
    }

    #[test]
    fn of_who_receives_little_is_shown() {
        check("6222020200112233", "****2233");
        check("123456789", "****6789");
        check("12345678", "****");
        check("王五", "****");
        check("欧阳娜娜的很长的名字", "****长的名字");

        #[track_caller]
        fn check(text: &str, want: &str) {
            let transfer = NewTransfer::check(&request(json!({"payee": {"field": text}}))).unwrap();
            assert_eq!(transfer.payee_masked()["field"], want, "{text}");
        }
    }

    fn under(key: u8, patch: serde_json::Value) -> Fingerprint {
        let transfer = NewTransfer::check(&request(patch)).unwrap();
        let key = DigestKey::new(&[key; 64]).unwrap();
        transfer.fingerprint(&AppId::new("shop").unwrap(), |name| name == "card_pin", &key)
    }

    fn fingerprint(patch: serde_json::Value) -> Fingerprint {
        under(1, patch)
    }

    #[test]
    fn every_field_counts_in_the_fingerprint() {
        let base = fingerprint(json!({}));
        assert!(fingerprint(json!({})).is(&base.to_string()));
        for patch in [
            json!({"transfer_no": "T2"}),
            json!({"amount": 501}),
            json!({"currency": "USD"}),
            json!({"product": "wallet"}),
            json!({"payee": {"card_no": "6222020200112234"}}),
            json!({"payee": {"card_no": "6222020999992233"}}),
            json!({"payee": {"account": "6222020200112233"}}),
            json!({"channel": "b"}),
            json!({"reason": "wages"}),
            json!({"extra": {"a": 1}}),
            json!({"extra": {"card_pin": "1"}}),
        ] {
            assert!(!fingerprint(patch.clone()).is(&base.to_string()), "{patch}");
        }
        let pin = |pin| fingerprint(json!({"extra": {"card_pin": pin}}));
        assert!(!pin("1234").is(&pin("4321").to_string()));
    }

    #[test]
    fn what_is_hidden_counts_under_the_key_alone() {
        let (base, other) = (fingerprint(json!({})), under(2, json!({})));
        assert!(base.open == other.open && base.keyed != other.keyed);
        let card = |no| fingerprint(json!({"payee": {"card_no": no}}));
        assert_eq!(card("6222020200112233").open, card("6222020999992233").open);
        let pin = |pin| fingerprint(json!({"extra": {"card_pin": pin}}));
        assert_eq!(pin("1234").open, pin("4321").open);
    }

    #[test]
    fn what_an_earlier_version_stored_is_known_again() {
        let base = fingerprint(json!({}));
        assert!(base.is(&base.open) && base.open.len() == 64);
        assert!(!fingerprint(json!({"amount": 501})).is(&base.open));
    }
}
