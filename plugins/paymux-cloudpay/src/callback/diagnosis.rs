//! Which known mistake explains a sign that is not believed.
//!
//! The candidates are what senders, proxies and other kinds of message do to the signed text. Naming one changes
//! nothing: the notification stays unbelieved.

use paymux_core::Secret;
use paymux_sign::{Lineup, Md5Digest, Md5Text, from_gbk, gbk, number_spellings, trimmed, without_blanks};

use crate::config::Account;
use crate::sign::{Message, SIGN};
use crate::wire::Fields;

/// The longest field that is tried in other spellings.
const FIELD_BYTES_MAX: usize = 256;

/// How the text is hashed.
#[derive(Clone, Copy)]
enum Shape {
    /// As it should be: key, fields, digest, secret.
    Nested,
    /// Key, fields and secret in one text.
    Flat,
    /// Key and fields, without the secret.
    InnerAlone,
    /// The digest inside in upper case.
    UpperInner,
    /// The secret before the digest.
    SecretFirst,
    /// Without the key.
    NoKey,
}

const SHAPES: [(Shape, &str); 5] = [
    (Shape::Flat, "one MD5 over all instead of two"),
    (Shape::InnerAlone, "the inner MD5 alone"),
    (Shape::UpperInner, "the inner MD5 in upper case"),
    (Shape::SecretFirst, "the secret in front of the inner MD5"),
    (Shape::NoKey, "no `appkey` in front of the fields"),
];

/// Why the sign of a notification is not believed.
pub(super) fn of_sign(account: &Account, fields: &Fields) -> String {
    let Some(sign) = fields.text(SIGN) else { return format!("no `{SIGN}`") };
    let Some(mut lineup) = Lineup::of(sign) else {
        return format!("`{SIGN}` must be 32 hexadecimal digits in lower case");
    };
    try_all(&mut lineup, account, fields);
    match lineup.told() {
        Some(told) => format!("`{SIGN}` would be right with: {told}"),
        None => {
            format!(
                "`{SIGN}` fits no secret of this account and no known mistake: has a new login password made a new secret?"
            )
        }
    }
}

fn try_all(lineup: &mut Lineup, account: &Account, fields: &Fields) {
    let keys: Vec<(&'static str, Secret)> = keys(account);
    let plain = pieces(Message::Notify, fields);
    for (name, secret) in &keys {
        try_one(lineup, &[name], account, (Shape::Nested, &plain), secret);
    }
    for (key, secret) in &keys {
        for (shape, name) in SHAPES {
            try_one(lineup, &[key, name], account, (shape, &plain), secret);
        }
        for (message, name) in
            [(Message::Create, "the fields of a create"), (Message::Return, "the fields of the way back")]
        {
            try_one(lineup, &[key, name], account, (Shape::Nested, &pieces(message, fields)), secret);
        }
        for (name, changed) in spellings(&plain) {
            try_one(lineup, &[key, name], account, (Shape::Nested, &changed), secret);
        }
    }
    for (name, secret) in spelt_badly(&account.appsecret) {
        try_one(lineup, &[name], account, (Shape::Nested, &plain), &secret);
    }
}

fn try_one(
    lineup: &mut Lineup,
    names: &[&'static str],
    account: &Account,
    (shape, pieces): (Shape, &[Vec<u8>]),
    secret: &Secret,
) {
    let bytes = pieces.iter().map(Vec::len).sum::<usize>() + 256;
    lineup.digest(names, bytes, || digest(shape, &account.appkey, pieces, secret));
}

fn digest(shape: Shape, appkey: &str, pieces: &[Vec<u8>], secret: &Secret) -> Md5Digest {
    let key = if matches!(shape, Shape::NoKey) { "" } else { appkey };
    let text = pieces.iter().fold(Md5Text::new().piece(key), Md5Text::piece);
    let secret = secret.expose();
    match shape {
        Shape::Nested | Shape::NoKey => text.nested().piece(secret).digest(),
        Shape::Flat => text.piece(secret).digest(),
        Shape::InnerAlone => text.digest(),
        Shape::UpperInner => {
            let inner = text.digest().to_hex().as_str().to_ascii_uppercase();
            Md5Text::new().piece(inner).piece(secret).digest()
        }
        Shape::SecretFirst => Md5Text::new().piece(secret).piece(text.digest().to_hex().as_str()).digest(),
    }
}

fn pieces(message: Message, fields: &Fields) -> Vec<Vec<u8>> {
    message.fields().iter().map(|name| fields.bytes(name).to_vec()).collect()
}

fn keys(account: &Account) -> Vec<(&'static str, Secret)> {
    let previous = account.appsecret_previous.as_ref();
    [("the secret in force", &account.appsecret)]
        .into_iter()
        .chain(previous.map(|secret| ("the previous secret", secret)))
        .map(|(name, secret)| (name, secret.clone()))
        .collect()
}

/// The secret as it is copied badly.
fn spelt_badly(secret: &Secret) -> [(&'static str, Secret); 3] {
    let text = secret.expose();
    [
        ("a line break behind the secret", format!("{text}\n")),
        ("a blank behind the secret", format!("{text} ")),
        ("no secret at all", String::new()),
    ]
    .map(|(name, text)| (name, Secret::new(text)))
}

/// The pieces with one of them spelt otherwise, or left out.
fn spellings(plain: &[Vec<u8>]) -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let mut all = Vec::new();
    let mut with = |at: usize, name: &'static str, piece: Vec<u8>| {
        let mut changed = plain.to_vec();
        changed[at] = piece;
        all.push((name, changed));
    };
    let places = Message::Notify.fields();
    for (at, name) in places.iter().enumerate().filter(|(at, _)| plain[*at].len() <= FIELD_BYTES_MAX) {
        let piece = &plain[at];
        let text = std::str::from_utf8(piece).ok();
        match *name {
            "price" | "realprice" => {
                for spelling in number_spellings(text.unwrap_or_default()) {
                    with(at, spelling.name, spelling.text.into_bytes());
                }
            }
            "extend" => {
                let spelt = [
                    ("no `extend`", (!piece.is_empty()).then(Vec::new)),
                    ("`extend` without the white space around it", trimmed(piece).map(<[u8]>::to_vec)),
                    ("`extend` without any white space", without_blanks(piece)),
                    ("`extend` in GBK instead of UTF-8", text.and_then(gbk)),
                    ("`extend` in UTF-8 instead of GBK", from_gbk(piece).map(String::into_bytes)),
                ];
                for (name, piece) in spelt {
                    if let Some(piece) = piece {
                        with(at, name, piece);
                    }
                }
            }
            _ => {}
        }
    }
    all
}
