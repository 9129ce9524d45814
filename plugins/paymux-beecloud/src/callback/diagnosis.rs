//! Which known mistake or older scheme explains a sign that is not believed.
//!
//! The candidates are the account's other secrets, and what senders and proxies do to the signed
//! fields. Naming one changes nothing: the webhook stays unbelieved.

use paymux_core::Secret;
use paymux_core::channel::CallbackError;
use paymux_sign::{Lineup, from_gbk, gbk, number_spellings, trimmed, without_blanks};
use serde_json::value::RawValue;

use super::{Fields, Kind, Notice, fields, has_test_sign, is_unbound, notice, text};
use crate::config::Account;

/// The longest text of a field that is tried.
const FIELD_BYTES_MAX: usize = 256;

/// A part of the signed text: what it is called where it is not as it should be, and its bytes.
struct Part {
    name: Option<&'static str>,
    bytes: Vec<u8>,
}

impl Part {
    fn plain(bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: None, bytes: bytes.into() }
    }

    fn named(name: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: Some(name), bytes: bytes.into() }
    }
}

/// The signed parts of a message, each first as it stands and then in its other spellings.
struct Parts {
    app_ids: Vec<Part>,
    ids: Vec<Part>,
    kinds: Vec<Part>,
    groups: Vec<Part>,
    fees: Vec<Part>,
}

impl Parts {
    /// Each as it stands. None of the lists is empty: all begin so.
    fn firsts(&self) -> [&Part; 5] {
        [&self.app_ids[0], &self.ids[0], &self.kinds[0], &self.groups[0], &self.fees[0]]
    }
}

/// Why the sign of a message of the right form is not believed.
pub(super) fn of_sign(account: &Account, fields: &Fields<'_>, notice: &Notice<'_>) -> String {
    if let Some(old) = older_scheme(account, fields) {
        return old.to_owned();
    }
    let Some(signature) = text(fields.signature) else {
        return match fields.sign {
            Some(_) => "no `signature`; a `sign` alone is an older scheme, which is never believed",
            None => "no `signature`",
        }
        .to_owned();
    };
    let parts = Parts {
        app_ids: app_ids(account, fields),
        ids: vec![Part::plain(notice.id.as_bytes())],
        kinds: vec![Part::plain(notice.kind.row().0)],
        groups: groups(fields, notice.group),
        fees: fees(fields, notice.fee_digits),
    };
    match explained(account, &signature, &parts) {
        Explained::NoDigest => "`signature` must be 32 hexadecimal digits in lower case".to_owned(),
        Explained::By(told) => format!(
            "`signature` would be right with: {told}; webhooks are signed with the master secret, in lower case"
        ),
        Explained::ByNothing => {
            "`signature` fits no secret of this account and no known mistake: was the secret changed at BeeCloud?"
                .to_owned()
        }
    }
}

/// Why a message is unreadable in which a signed field has another form than it must have.
pub(super) fn of_odd_fields(account: &Account, fields: &Fields<'_>, what: &'static str) -> CallbackError {
    let told = text(fields.signature).zip(as_they_stand(account, fields));
    let told = told.and_then(|(signature, parts)| match explained(account, &signature, &parts) {
        Explained::By(told) => Some(told),
        Explained::NoDigest | Explained::ByNothing => None,
    });
    CallbackError::Unreadable(match told {
        Some(told) => format!("{what}; its `signature` would be right with: {told}"),
        None => what.to_owned(),
    })
}

/// Why a body is unreadable that is no JSON in UTF-8.
pub(super) fn of_unread(account: &Account, body: &[u8], what: &'static str) -> CallbackError {
    let is_signed = |text: &str| {
        let fields = fields(text.as_bytes()).ok()?;
        let notice = notice(&fields).ok()?;
        Some(super::check_sign(account, &fields, &notice).is_ok())
    };
    CallbackError::Unreadable(match from_gbk(body).as_deref().and_then(is_signed) {
        Some(true) => format!("{what}; in GBK it is one, and its sign is right: send UTF-8"),
        Some(false) => format!("{what}; in GBK it is one: send UTF-8"),
        None => what.to_owned(),
    })
}

/// The schemes that bind no field of the message.
fn older_scheme(account: &Account, fields: &Fields<'_>) -> Option<&'static str> {
    if account.app_secret.as_ref().is_some_and(|secret| is_unbound(account, fields, secret)) {
        return Some(
            "the scheme from before January 2017 (account, app secret, time): it covers no amount and is never believed",
        );
    }
    has_test_sign(account, fields).then_some(
        "the test mode's scheme (account, test secret, time): it is taken only with `sandbox = true`",
    )
}

/// What was found.
enum Explained {
    NoDigest,
    By(String),
    ByNothing,
}

fn explained(account: &Account, signature: &str, parts: &Parts) -> Explained {
    let Some(mut lineup) = Lineup::of(signature) else { return Explained::NoDigest };
    let keys = keys(account);
    for key in &keys {
        try_one(&mut lineup, key, parts.firsts());
    }
    for key in &keys {
        try_spellings(&mut lineup, key, parts);
    }
    lineup.told().map_or(Explained::ByNothing, Explained::By)
}

/// One thing other than it stands, or number and fee both.
fn try_spellings(lineup: &mut Lineup, key: &Key, parts: &Parts) {
    let [app, id, kind, group, fee] = parts.firsts();
    for id in &parts.ids {
        for fee in &parts.fees {
            try_one(lineup, key, [app, id, kind, group, fee]);
        }
    }
    for app in &parts.app_ids[1..] {
        try_one(lineup, key, [app, id, kind, group, fee]);
    }
    for kind in &parts.kinds[1..] {
        try_one(lineup, key, [app, id, kind, group, fee]);
    }
    for group in &parts.groups[1..] {
        try_one(lineup, key, [app, id, kind, group, fee]);
    }
    for spelt in key.spelt_badly() {
        try_one(lineup, &spelt, parts.firsts());
    }
}

fn try_one(lineup: &mut Lineup, key: &Key, parts: [&Part; 5]) {
    let others = parts.iter().filter_map(|part| part.name);
    let names: Vec<&'static str> = [key.name].into_iter().chain(key.spelt).chain(others).collect();
    let [app, id, kind, group, fee] = parts.map(|part| part.bytes.as_slice());
    lineup.text(&names, &[app, id, kind, group, fee, key.secret.expose().as_bytes()]);
}

/// A secret of the account.
struct Key {
    name: &'static str,
    /// How it differs from what is configured.
    spelt: Option<&'static str>,
    secret: Secret,
}

impl Key {
    /// As it is copied badly.
    fn spelt_badly(&self) -> [Self; 4] {
        let text = self.secret.expose();
        [
            ("a line break behind the secret", format!("{text}\n")),
            ("a blank behind the secret", format!("{text} ")),
            ("the secret in upper case", text.to_ascii_uppercase()),
            ("the secret in lower case", text.to_ascii_lowercase()),
        ]
        .map(|(spelt, text)| Self { name: self.name, spelt: Some(spelt), secret: Secret::new(text) })
    }
}

fn keys(account: &Account) -> Vec<Key> {
    let masters =
        ["the master secret", "the previous master secret"].into_iter().zip(&account.master_secrets);
    let others = [("the app secret", &account.app_secret), ("the test secret", &account.test_secret)];
    let others = others.into_iter().filter_map(|(name, secret)| Some((name, secret.as_ref()?)));
    let key = |(name, secret): (&'static str, &Secret)| Key { name, spelt: None, secret: secret.clone() };
    masters.chain(others).map(key).collect()
}

/// The account's id, in other spellings, and the one that the message names itself.
fn app_ids(account: &Account, fields: &Fields<'_>) -> Vec<Part> {
    let own = &account.app_id;
    let mut parts = vec![
        Part::plain(own.as_bytes()),
        Part::named("the `app_id` in upper case", own.to_ascii_uppercase()),
        Part::named("the `app_id` in lower case", own.to_ascii_lowercase()),
        Part::named("the `app_id` without its dashes", own.replace('-', "")),
    ];
    let theirs = text(fields.app_id).or_else(|| text(fields.app_id_twin));
    if let Some(theirs) = theirs.filter(|theirs| theirs != own && theirs.len() <= FIELD_BYTES_MAX) {
        parts.push(Part::named("the `app_id` of another account, which the message names", theirs));
    }
    parts
}

/// The group, and the create code that is mistaken for it.
fn groups(fields: &Fields<'_>, group: &str) -> Vec<Part> {
    let mut parts = vec![Part::plain(group)];
    if let Some(sub) = text(fields.sub_channel_type).filter(|sub| sub.len() <= FIELD_BYTES_MAX) {
        parts.push(Part::named("`sub_channel_type` instead of `channel_type`", sub));
    }
    parts
}

/// The fee, its other spellings, and the order's amount that is mistaken for it.
fn fees(fields: &Fields<'_>, raw: &str) -> Vec<Part> {
    let mut parts = vec![Part::plain(raw)];
    parts.extend(number_spellings(raw).into_iter().map(|one| Part::named(one.name, one.text)));
    if let Some(bill_fee) = fields.bill_fee.map(RawValue::get).filter(|fee| fee.len() <= FIELD_BYTES_MAX) {
        parts.push(Part::named("`bill_fee` instead of `transaction_fee`", bill_fee));
    }
    parts
}

/// The signed parts of a message of another form; `None` where one of them is not there at all.
fn as_they_stand(account: &Account, fields: &Fields<'_>) -> Option<Parts> {
    let id = loose(fields.transaction_id)?;
    let kind = loose(fields.transaction_type)?;
    let group = loose(fields.channel_type)?;
    let fee = fields.transaction_fee.map(RawValue::get).filter(|raw| raw.len() <= FIELD_BYTES_MAX)?;
    let known = |kind: &str| Kind::ALL.iter().find(|row| row.1.eq_ignore_ascii_case(kind.trim()));
    let mut kinds = vec![Part::plain(kind.as_bytes())];
    kinds.extend(known(&kind).map(|row| Part::named("`transaction_type` as it should be", row.1)));
    let mut ids = vec![Part::plain(id.as_bytes())];
    let spelt = [
        ("`transaction_id` without the white space around it", trimmed(id.as_bytes()).map(<[u8]>::to_vec)),
        ("`transaction_id` without any white space", without_blanks(id.as_bytes())),
        ("`transaction_id` in GBK instead of UTF-8", gbk(&id)),
    ];
    ids.extend(spelt.into_iter().filter_map(|(name, bytes)| Some(Part::named(name, bytes?))));
    Some(Parts {
        app_ids: app_ids(account, fields),
        ids,
        kinds,
        groups: groups(fields, &group),
        fees: fees(fields, fee),
    })
}

/// A text, or a number as it is written.
fn loose(raw: Option<&RawValue>) -> Option<String> {
    let raw = raw?;
    let text = text(Some(raw)).unwrap_or_else(|| raw.get().to_owned());
    (text.len() <= FIELD_BYTES_MAX).then_some(text)
}
