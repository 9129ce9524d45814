//! Secrets as they are written: `"literal"`, `{ env = "NAME" }` or `{ file = "path" }`; and what stands
//! behind them.

use std::fmt;
use std::fs::File;
use std::io::Read;

use paymux_core::Secret;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::environment::Environment;

/// A secret is a key, a token or an address with a password: a file that is larger is the wrong one.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// How a secret is to be written.
const FORM: &str = "\"text\", { env = \"NAME\" } or { file = \"path\" }";

/// A secret as written.
#[derive(Clone)]
pub(super) enum RawSecret {
    Literal(Secret),
    Env(String),
    File(String),
}

impl RawSecret {
    /// The secret behind it.
    ///
    /// # Errors
    /// The rule that is broken; never holds what was read.
    pub(super) fn resolve(&self, environment: &Environment) -> Result<Secret, String> {
        let (secret, whence) = match self {
            Self::Literal(secret) => (secret.clone(), "the text".to_owned()),
            Self::Env(name) => {
                (Secret::new(environment.text(name)?), format!("environment variable `{name}`"))
            }
            Self::File(path) => (from_file(path)?, format!("file `{path}`")),
        };
        if secret.is_empty() {
            return Err(format!("{whence} is empty"));
        }
        Ok(secret)
    }

    /// Reads it from JSON, as plugins' settings are.
    ///
    /// # Errors
    /// The form that it must have.
    pub(super) fn from_json(value: &serde_json::Value) -> Result<Self, String> {
        Self::deserialize(value).map_err(|_| format!("write {FORM}"))
    }
}

/// The text of a file without the newline that editors put at its end.
fn from_file(path: &str) -> Result<Secret, String> {
    let file = File::open(path).map_err(|error| format!("file `{path}` cannot be read: {error}"))?;
    let mut text = zeroize::Zeroizing::new(String::new());
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| {
        let why = if error.kind() == std::io::ErrorKind::InvalidData {
            "it is not UTF-8"
        } else {
            &error.to_string()
        };
        format!("file `{path}` cannot be read: {why}")
    })?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("file `{path}` has more than {FILE_BYTES_MAX} bytes"));
    }
    let line = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    Ok(Secret::new(line))
}

impl fmt::Debug for RawSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(secret) => secret.fmt(f),
            Self::Env(name) => write!(f, "env {name}"),
            Self::File(path) => write!(f, "file {path}"),
        }
    }
}

impl<'de> Deserialize<'de> for RawSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = RawSecret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FORM)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RawSecret, E> {
        Ok(RawSecret::Literal(Secret::new(text)))
    }

    /// Whatever else stands there is read to its end, so that the mistake is told of the secret and
    /// not of a part of it.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawSecret, A::Error> {
        let mut found = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, serde_json::Value>()? {
            found.push((key, value));
        }
        match found.as_slice() {
            [(key, serde_json::Value::String(text))] if key == "env" => Ok(RawSecret::Env(text.clone())),
            [(key, serde_json::Value::String(text))] if key == "file" => Ok(RawSecret::File(text.clone())),
            _ => Err(serde::de::Error::custom(format_args!("write {FORM}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    #[test]
    fn three_forms_and_no_other() {
        check(&json!("literal-secret"), "Secret(****)");
        check(&json!({"env": "NAME"}), "env NAME");
        check(&json!({"file": "a/b"}), "file a/b");
        for bad in [
            json!({}),
            json!({"env": "A", "file": "b"}),
            json!({"envs": "A"}),
            json!({"env": 1}),
            json!(7),
            json!(["a"]),
        ] {
            check(&bad, "write \"text\", { env = \"NAME\" } or { file = \"path\" }");
        }

        #[track_caller]
        fn check(written: &serde_json::Value, want: &str) {
            let got = RawSecret::from_json(written).map(|secret| format!("{secret:?}"));
            assert_eq!(got.unwrap_or_else(|rule| rule), want, "{written}");
        }
    }

    #[test]
    fn files_lose_one_newline_and_keep_all_else() {
        check(b"abc", Ok("abc"));
        check(b"abc\n", Ok("abc"));
        check(b"abc\r\n", Ok("abc"));
        check(b"abc\n\n", Ok("abc\n"));
        check(b" abc ", Ok(" abc "));
        check(b"", Err("is empty"));
        check(b"\n", Err("is empty"));
        check(b"a\xff", Err("is not UTF-8"));
        check(&vec![b'a'; 65_537], Err("has more than 65536 bytes"));

        #[track_caller]
        fn check(bytes: &[u8], want: Result<&str, &str>) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("secret");
            fs::write(&path, bytes).unwrap();
            let secret = RawSecret::File(path.to_str().unwrap().to_owned()).resolve(&Environment::default());
            match (secret, want) {
                (Ok(secret), Ok(want)) => assert!(secret.matches(want), "{want:?}"),
                (Err(rule), Err(want)) => assert!(rule.ends_with(want), "{rule}"),
                (got, want) => panic!("{got:?} for {want:?}"),
            }
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let environment = Environment::from_pairs([("SET", "value"), ("EMPTY", "")]);
        let rule = |secret: RawSecret| secret.resolve(&environment).err();
        assert_eq!(rule(RawSecret::Env("SET".into())), None);
        assert_eq!(rule(RawSecret::Env("UNSET".into())).unwrap(), "environment variable `UNSET` is not set");
        assert_eq!(rule(RawSecret::Env("EMPTY".into())).unwrap(), "environment variable `EMPTY` is empty");
        assert!(
            rule(RawSecret::File("no/such".into())).unwrap().starts_with("file `no/such` cannot be read: ")
        );
    }
}
