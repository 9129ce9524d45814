//! Layers and types: which keys there are, where a value comes from, and what does not fit.

use std::collections::BTreeSet;

use serde::de::value::{Error as Plain, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use super::super::raw::Raw;
use super::*;

#[test]
fn default_toml_lists_every_key_and_no_other() {
    let mut listed = BTreeSet::new();
    let text = layers::DEFAULTS.lines().map(|line| match line.strip_prefix('#') {
        Some(key) if !key.starts_with(' ') => key,
        _ => line,
    });
    let document: toml_edit::DocumentMut = text.collect::<Vec<_>>().join("\n").parse().unwrap();
    list(document.as_item(), "", &mut listed);

    let mut known = BTreeSet::new();
    Raw::deserialize(Keys { prefix: String::new(), found: &mut known }).unwrap();
    assert_eq!(listed, known);

    /// What a plugin's own table and a secret's form hold is not ours to list.
    fn list(item: &toml_edit::Item, prefix: &str, listed: &mut BTreeSet<String>) {
        if let Some(tables) = item.as_array_of_tables() {
            tables.iter().for_each(|table| list(&table.clone().into(), &format!("{prefix}[]"), listed));
        } else if let Some(table) = item.as_table() {
            for (key, item) in table {
                let path = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
                list(item, &path, listed);
                listed.insert(path);
            }
        }
    }
}

#[test]
fn every_default_is_inside_its_bounds() {
    assert_eq!(mistakes(layers::DEFAULTS), "");
}

#[test]
fn the_environment_goes_over_the_file_and_the_file_over_the_defaults() {
    let file = "[timeouts]\nrequest_ms = 7000\nnotice_ms = 8000\n";
    let environment = Environment::from_pairs([
        ("PAYMUX__TIMEOUTS__NOTICE_MS", "9000"),
        ("PAYMUX__SERVER__TEST_MODE", "true"),
        ("PAYMUX__STORE__URL__ENV", "DATABASE"),
        ("DATABASE", "sqlite://other.db"),
        ("PAYMUX_LOG", "not ours"),
    ]);
    let config = read_text(file, &environment).unwrap();
    let ms = Duration::from_millis;
    let timing = config.catalog.timing;
    assert_eq!((timing.answer, timing.request, timing.notice), (ms(20_000), ms(7000), ms(9000)));
    assert!(config.settings.test_mode);
    assert!(config.settings.store_url.matches("sqlite://other.db"));
}

#[test]
fn a_mistake_in_the_environment_names_its_variable() {
    check(
        &[("PAYMUX__SERVER__HTTP", "8080")],
        "environment variable PAYMUX__SERVER__HTTP: server.http: `8080`: write an address and a port, like 127.0.0.1:8080",
    );
    check(
        &[("PAYMUX__TIMEOUTS__REQUEST_MS", "fast")],
        "environment variable PAYMUX__TIMEOUTS__REQUEST_MS: timeouts.request_ms: write a whole number, not text",
    );
    check(
        &[("PAYMUX__TIMEOUTS__REQUEST_MS", "0")],
        "environment variable PAYMUX__TIMEOUTS__REQUEST_MS: timeouts.request_ms: `0`: write a number from 1 to 600000",
    );
    check(
        &[("PAYMUX__SERVER__TEST_MODE", "1")],
        "environment variable PAYMUX__SERVER__TEST_MODE: server.test_mode: write true or false, not text",
    );
    check(
        &[("PAYMUX__SERVER__HTPP", "x")],
        "environment variable PAYMUX__SERVER__HTPP: server.htpp: unknown key; known: http, admin, admin_token, public_url, tls_cert, tls_key, trusted_proxies, test_mode, metrics",
    );
    check(
        &[("PAYMUX__SERVER__GRPC", "x")],
        "environment variable PAYMUX__SERVER__GRPC: server.grpc: not supported by this version yet; remove it",
    );
    check(
        &[("PAYMUX__CHANNELS__0__ID", "x")],
        "environment variable PAYMUX__CHANNELS__0__ID: channels.0.id: apps, channels and routes stand in the file only",
    );
    check(
        &[("PAYMUX__STORE", "x")],
        "environment variable PAYMUX__STORE: store: write the variable as PAYMUX__SECTION__KEY, in capitals, digits and `_`",
    );
    check(
        &[("PAYMUX__Store__Url", "x")],
        "environment variable PAYMUX__Store__Url: store.url: write the variable as PAYMUX__SECTION__KEY, in capitals, digits and `_`",
    );
    check(
        &[("PAYMUX__STORE____URL", "x")],
        "environment variable PAYMUX__STORE____URL: store.\"\".url: write the variable as PAYMUX__SECTION__KEY, in capitals, digits and `_`",
    );
    let both = [("PAYMUX__STORE__URL", "x"), ("PAYMUX__STORE__URL__FILE", "x")];
    check(
        &both,
        "environment variable PAYMUX__STORE__URL: store.url: `PAYMUX__STORE__URL__FILE` sets a part of the same key; keep one of the two",
    );

    #[track_caller]
    fn check(variables: &[(&str, &str)], want: &str) {
        let environment = Environment::from_pairs(variables.iter().copied());
        let told = read_text("", &environment).unwrap_err().to_string();
        assert_eq!(told, want);
    }
}

#[test]
fn what_is_not_toml_is_told_with_line_and_character() {
    check("[server]\nhttp = \n", "f:2:8: not TOML: string values must be quoted");
    check("a = 1\na = 2\n", "f:2:1: not TOML: duplicate key");
    check("[server\n", "f:1:8: not TOML: unclosed table");
    check("a = 99999999999999999999\n", "f:1:5: not TOML: ");

    #[track_caller]
    fn check(text: &str, want: &str) {
        let told = mistakes(text);
        assert!(told.starts_with(want), "{told}");
    }
}

#[test]
fn what_is_not_utf_8_is_told_with_its_place() {
    let told = read("f", b"a = 1\n# \xff".to_vec(), &Environment::default(), &[]).unwrap_err().to_string();
    assert_eq!(told, "f:2:3: not UTF-8");
    let told = read("f", vec![b'#'; 1_048_577], &Environment::default(), &[]).unwrap_err().to_string();
    assert_eq!(told, "f: a configuration has at most 1048576 bytes");
}

#[test]
fn what_does_not_fit_is_told_once() {
    check("server = 5\n", &["f:1: server: write a table, not a whole number"]);
    check("[server]\nhttp = 5\n", &["f:2: server.http: write text, not a whole number"]);
    check("[server]\nhttp = [\"a\"]\n", &["f:2: server.http: write text, not a list"]);
    check(
        "[timeouts]\nrequest_ms = 1.5\n",
        &["f:2: timeouts.request_ms: write a whole number, not a number with a fraction"],
    );
    check("[timeouts]\nrequest_ms = \"5\"\n", &["f:2: timeouts.request_ms: write a whole number, not text"]);
    check(
        "[timeouts]\nrequest_ms = 1979-05-27\n",
        &["f:2: timeouts.request_ms: no key takes a date; write text in quotes"],
    );
    check(
        "[store]\nurl = { env = 5 }\n",
        &["f:2: store.url: write \"text\", { env = \"NAME\" } or { file = \"path\" }"],
    );
    check(
        "[store]\nurl = 5\n",
        &["f:2: store.url: write \"text\", { env = \"NAME\" } or { file = \"path\" }, not a whole number"],
    );
    check("apps = 5\n", &["f:1: apps: write a list, not a whole number"]);
    check("apps = [5]\n", &["f:1: apps[0]: write a table, not a whole number"]);
    check("apps = [[1]]\n", &["f:1: apps[0]: write a table, not a list"]);
    check(
        "\"server.http\" = 5\n",
        &["f:1: \"server.http\": unknown key; no key of the first level needs quotes"],
    );
    check(
        "serve = 5\n",
        &[
            "f:1: serve: unknown key; known: server, store, routing, outbound, timeouts, sweeper, health, notices, desk, limits, compat, apps, channels, routes",
        ],
    );
}

#[test]
fn what_comes_later_is_refused_and_not_passed_over() {
    const RULE: &str = "not supported by this version yet; remove it";
    check("[server]\ngrpc = \"127.0.0.1:8081\"\n", 2, "server.grpc");
    check("[[operators]]\nid = \"o\"\n", 1, "operators");
    check("[limits]\nrequests_per_second = 5\n", 2, "limits.requests_per_second");
    check("[limits]\nconcurrent_requests = 5\n", 2, "limits.concurrent_requests");

    #[track_caller]
    fn check(text: &str, line: usize, key: &str) {
        assert_eq!(mistakes(text), format!("f:{line}: {key}: {RULE}"), "{text}");
    }
}

#[test]
fn no_refused_key_is_a_known_one() {
    let mut known = BTreeSet::new();
    Raw::deserialize(Keys { prefix: String::new(), found: &mut known }).unwrap();
    for key in known {
        assert!(!later::is_key(&key), "{key} is accepted and refused");
    }
}

/// Answers every question with something that fits, and writes down the keys that are asked for.
struct Keys<'a> {
    prefix: String,
    found: &'a mut BTreeSet<String>,
}

impl<'de> Deserializer<'de> for Keys<'_> {
    type Error = Plain;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Plain> {
        visitor.visit_str("")
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Plain> {
        visitor.visit_bool(false)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Plain> {
        visitor.visit_i64(0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Plain> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Plain> {
        visitor.visit_seq(Once(Some(Keys { prefix: format!("{}[]", self.prefix), found: self.found })))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Plain> {
        visitor.visit_map(Fields { prefix: &self.prefix, found: self.found, rest: &[] })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Plain> {
        visitor.visit_map(Fields { prefix: &self.prefix, found: self.found, rest: fields })
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct tuple tuple_struct enum identifier ignored_any
    }
}

/// One element.
struct Once<'a>(Option<Keys<'a>>);

impl<'de> SeqAccess<'de> for Once<'_> {
    type Error = Plain;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Plain> {
        self.0.take().map(|keys| seed.deserialize(keys)).transpose()
    }
}

/// Every field of a struct in turn.
struct Fields<'a> {
    prefix: &'a str,
    found: &'a mut BTreeSet<String>,
    rest: &'static [&'static str],
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Plain;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Plain> {
        self.rest.first().map(|name| seed.deserialize(StrDeserializer::new(name))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Plain> {
        let (name, rest) = self.rest.split_first().unwrap();
        self.rest = rest;
        let path =
            if self.prefix.is_empty() { (*name).to_owned() } else { format!("{}.{name}", self.prefix) };
        self.found.insert(path.clone());
        seed.deserialize(Keys { prefix: path, found: self.found })
    }
}
