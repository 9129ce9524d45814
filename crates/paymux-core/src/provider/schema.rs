//! What may be written in a plugin's settings, as data: one description for the messages about mistakes, for examples
//! in files, and for whoever draws a form.

use serde::Serialize;
use serde_json::Value;

use super::{SettingError, Settings};

/// Stands for a secret where settings are only shown or tried; it opens nothing.
const SECRET_EXAMPLE: &str = "an-example-that-opens-nothing";

/// One key of a plugin's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SettingKey {
    /// As written in the table.
    pub name: &'static str,
    /// What may be written there.
    #[serde(flatten)]
    pub kind: SettingKind,
    /// Whether it must be there.
    pub presence: Presence,
    /// Whether it is a secret: it may then be written as `{ env = ".." }` or `{ file = ".." }`.
    pub secret: bool,
    /// What it is for, and its form.
    pub about: &'static str,
    /// What holds where it is absent, if that can be written; as in [`SettingKind::value`].
    pub default: Option<&'static str>,
    /// What may stand there; as in [`SettingKind::value`].
    pub example: Option<&'static str>,
}

/// What may be written at a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SettingKind {
    /// A text of a form that the plugin knows.
    Text,
    /// True or false.
    Flag,
    /// A whole number.
    Count {
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
    /// One of these words.
    Choice {
        /// Each of them.
        words: &'static [&'static str],
    },
    /// An address to which paths are added: https, or http where `allow_plain_http` is true.
    Address,
    /// One such address, or a list of them.
    Addresses,
    /// A list of words, or a table from such a word to another.
    Words,
}

/// Whether a key must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It may be absent.
    Optional,
    /// It must be there.
    Required,
    /// It must be there unless that flag is true.
    RequiredUnless(&'static str),
    /// It must be there if that flag is true.
    RequiredWith(&'static str),
}

impl SettingKey {
    /// A text that may be absent, and is no secret.
    pub const fn new(name: &'static str, about: &'static str) -> Self {
        let kind = SettingKind::Text;
        let presence = Presence::Optional;
        Self { name, kind, presence, secret: false, about, default: None, example: None }
    }

    /// True or false; false where it is absent.
    pub const fn flag(name: &'static str, about: &'static str) -> Self {
        Self::new(name, about).of(SettingKind::Flag).or("false")
    }

    /// The same with something else than text.
    pub const fn of(self, kind: SettingKind) -> Self {
        Self { kind, ..self }
    }

    /// The same as a secret.
    pub const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// The same where it must be there.
    pub const fn required(self) -> Self {
        Self { presence: Presence::Required, ..self }
    }

    /// The same where it must be there unless that flag is true.
    pub const fn required_unless(self, flag: &'static str) -> Self {
        Self { presence: Presence::RequiredUnless(flag), ..self }
    }

    /// The same where it must be there if that flag is true.
    pub const fn required_with(self, flag: &'static str) -> Self {
        Self { presence: Presence::RequiredWith(flag), ..self }
    }

    /// The same with what holds where it is absent.
    pub const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// The same with what may stand there.
    pub const fn such_as(self, example: &'static str) -> Self {
        Self { example: Some(example), ..self }
    }

    /// What it is for, whether it must be there, and what holds where it is absent: all that a person needs to know.
    pub fn help(&self) -> String {
        let must = match self.presence {
            Presence::Optional => String::new(),
            Presence::Required => "; required".to_owned(),
            Presence::RequiredUnless(flag) => format!("; required unless `{flag} = true`"),
            Presence::RequiredWith(flag) => format!("; required with `{flag} = true`"),
        };
        let default = self.default.map(|text| format!("; default {}", self.kind.value(text)));
        format!("{}{must}{}", self.about, default.unwrap_or_default())
    }

    /// What may stand there: the example, else the default, else something of its kind. Of a secret it is nobody's.
    pub fn sample(&self) -> Value {
        let of_kind = match self.kind {
            SettingKind::Text | SettingKind::Words => "text",
            SettingKind::Flag => "false",
            SettingKind::Count { .. } => "1",
            SettingKind::Choice { words } => words.first().copied().unwrap_or_default(),
            SettingKind::Address | SettingKind::Addresses => "https://gateway.example.com",
        };
        let text = if self.secret { Some(SECRET_EXAMPLE) } else { self.example.or(self.default) };
        self.kind.value(text.unwrap_or(of_kind))
    }

    /// Whether it must be there, beside those settings.
    pub fn is_required(&self, settings: &Settings) -> bool {
        let is_true = |flag: &str| settings.get(flag) == Some(&Value::Bool(true));
        match self.presence {
            Presence::Optional => false,
            Presence::Required => true,
            Presence::RequiredUnless(flag) => !is_true(flag),
            Presence::RequiredWith(flag) => is_true(flag),
        }
    }

    /// That it must be there and is not.
    pub(super) fn missing(&self, settings: &Settings) -> Option<SettingError> {
        let is_missing = self.is_required(settings) && !settings.contains_key(self.name);
        is_missing.then(|| {
            let condition = match self.presence {
                Presence::RequiredUnless(flag) => format!(" unless `{flag} = true`"),
                Presence::RequiredWith(flag) => format!(" with `{flag} = true`"),
                Presence::Optional | Presence::Required => String::new(),
            };
            SettingError::new(self.name, format!("required{condition}: {}", self.about))
        })
    }
}

impl SettingKind {
    /// A text of the schema as the value that it stands for: several words or addresses have a comma between them.
    pub fn value(self, text: &str) -> Value {
        let list = || text.split(", ").map(Value::from).collect();
        match self {
            Self::Flag => Value::Bool(text == "true"),
            Self::Count { .. } => text.parse::<u32>().map_or(Value::Null, Value::from),
            Self::Words => Value::Array(list()),
            Self::Addresses if text.contains(", ") => Value::Array(list()),
            Self::Text | Self::Choice { .. } | Self::Address | Self::Addresses => Value::from(text),
        }
    }
}

/// `chosen` with a sample of every key that must be there beside it.
pub fn sample_settings(keys: &[SettingKey], chosen: Settings) -> Settings {
    let missing = keys.iter().filter(|key| key.is_required(&chosen) && !chosen.contains_key(key.name));
    let mut settings: Settings = missing.map(|key| (key.name.to_owned(), key.sample())).collect();
    settings.extend(chosen);
    settings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEYS: &[SettingKey] = &[
        SettingKey::new("id", "who it is").required().such_as("a-1"),
        SettingKey::new("key", "signs").secret().required_unless("test"),
        SettingKey::new("test_key", "signs tests").secret().required_with("test"),
        SettingKey::flag("test", "no real money"),
        SettingKey::new("tries", "how often").of(SettingKind::Count { min: 1, max: 9 }).or("3"),
        SettingKey::new("words", "which").of(SettingKind::Words).such_as("a, b"),
    ];

    #[test]
    fn help_says_all_that_a_person_needs() {
        let help: Vec<_> = KEYS.iter().map(SettingKey::help).collect();
        let want = [
            "who it is; required",
            "signs; required unless `test = true`",
            "signs tests; required with `test = true`",
            "no real money; default false",
            "how often; default 3",
            "which",
        ];
        assert_eq!(help, want);
    }

    #[test]
    fn a_sample_holds_what_must_be_there() {
        let check = |chosen: Value, want: Value| {
            let settings = sample_settings(KEYS, chosen.as_object().unwrap().clone());
            assert_eq!(Value::Object(settings), want, "{chosen}");
        };
        check(json!({}), json!({"id": "a-1", "key": SECRET_EXAMPLE}));
        check(json!({"id": "b", "tries": 3}), json!({"id": "b", "key": SECRET_EXAMPLE, "tries": 3}));
        check(json!({"test": true}), json!({"id": "a-1", "test": true, "test_key": SECRET_EXAMPLE}));
        let samples: Vec<_> = KEYS.iter().map(SettingKey::sample).collect();
        let want = [
            json!("a-1"),
            json!(SECRET_EXAMPLE),
            json!(SECRET_EXAMPLE),
            json!(false),
            json!(3),
            json!(["a", "b"]),
        ];
        assert_eq!(samples, want);
    }

    #[test]
    fn what_is_missing_is_told_with_its_help() {
        let check = |settings: Value, want: &[&str]| {
            let settings = settings.as_object().unwrap();
            let told: Vec<_> =
                KEYS.iter().filter_map(|key| key.missing(settings)).map(|error| error.to_string()).collect();
            assert_eq!(told, want, "{settings:?}");
        };
        check(json!({"id": "a", "key": "k"}), &[]);
        check(json!({}), &["`id`: required: who it is", "`key`: required unless `test = true`: signs"]);
        check(json!({"id": "a", "test": true}), &["`test_key`: required with `test = true`: signs tests"]);
        check(json!({"id": "a", "key": "k", "test": "yes"}), &[]);
    }

    #[test]
    fn a_form_can_be_drawn_of_it() {
        let told = serde_json::to_value(KEYS).unwrap();
        assert_eq!(
            told[0],
            json!({"name": "id", "kind": "text", "presence": "required", "secret": false,
                "about": "who it is", "default": null, "example": "a-1"})
        );
        assert_eq!(told[1]["presence"], json!({"required_unless": "test"}));
        assert_eq!(
            (&told[4]["kind"], &told[4]["min"], &told[4]["max"]),
            (&json!("count"), &json!(1), &json!(9))
        );
    }
}
