//! From a merged tree to the typed tables of [`super::raw`]: every misfit is told, not only the first.
//!
//! Serde ends at the first misfit. So the value that does not fit is told, thrown away, and the tree
//! read again until it fits.

use std::fmt;

use config::{Value, ValueKind};
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Expected, IntoDeserializer, Unexpected, Visitor};
use serde_path_to_error::Segment;

use super::later;
use super::layers::is_from_environment;
use super::mistake::Gathering;
use super::path::{KeyPath, Step};

/// Past so many misfits nobody reads on.
const MISFITS_MAX: usize = 200;

/// Reads the tree; `None` when it could not be made to fit.
pub(super) fn read<T: DeserializeOwned>(mut tree: Value, mistakes: &mut Gathering<'_>) -> Option<T> {
    while mistakes.count() < MISFITS_MAX {
        let error = match serde_path_to_error::deserialize(Node(&tree)) {
            Ok(read) => return Some(read),
            Err(error) => error,
        };
        let path: KeyPath = error.path().iter().filter_map(step).collect();
        let rule = error.into_inner().rule(&path);
        if !throw_away(&mut tree, path.steps()) {
            mistakes.add(&path, rule);
            return None;
        }
        mistakes.spoil(path, rule);
    }
    None
}

fn step(segment: &Segment) -> Option<Step> {
    match segment {
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

/// Takes a value out of the tree. In a list an empty one stands for it, so that the others keep their
/// places. False when it is not there, or is empty already.
fn throw_away(tree: &mut Value, steps: &[Step]) -> bool {
    match (steps, &mut tree.kind) {
        ([Step::Key(key)], ValueKind::Table(table)) => table.remove(key).is_some(),
        ([Step::Index(index)], ValueKind::Array(list)) => match list.get_mut(*index) {
            Some(value) if value.kind != ValueKind::Nil => {
                value.kind = ValueKind::Nil;
                true
            }
            _ => false,
        },
        ([Step::Key(key), rest @ ..], ValueKind::Table(table)) => {
            table.get_mut(key).is_some_and(|value| throw_away(value, rest))
        }
        ([Step::Index(index), rest @ ..], ValueKind::Array(list)) => {
            list.get_mut(*index).is_some_and(|value| throw_away(value, rest))
        }
        _ => false,
    }
}

/// Why a value does not fit.
#[derive(Debug)]
struct Misfit(Reason);

#[derive(Debug)]
enum Reason {
    Unknown { known: &'static [&'static str] },
    Rule(String),
}

impl Misfit {
    fn rule(self, path: &KeyPath) -> String {
        match self.0 {
            Reason::Rule(rule) => rule,
            Reason::Unknown { .. } if later::is_key(&path.shape()) => later::RULE.to_owned(),
            Reason::Unknown { known } => format!("unknown key; known: {}", known.join(", ")),
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Misfit {}

impl serde::de::Error for Misfit {
    fn custom<T: fmt::Display>(rule: T) -> Self {
        Self(Reason::Rule(rule.to_string()))
    }

    fn unknown_field(_: &str, known: &'static [&'static str]) -> Self {
        Self(Reason::Unknown { known })
    }

    /// Says what stands there without showing it: it may be a secret in the wrong place.
    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Bool(_) => "true or false",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
            Unexpected::Float(_) => "a number with a fraction",
            Unexpected::Str(_) => "text",
            Unexpected::Seq => "a list",
            Unexpected::Map => "a table",
            _ => "something else",
        };
        Self(Reason::Rule(format!("write {}, not {found}", in_our_words(&wanted.to_string()))))
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::invalid_type(found, wanted)
    }
}

/// What serde expects, as one would say it of a file.
fn in_our_words(wanted: &str) -> &str {
    match wanted {
        "a boolean" => "true or false",
        "i64" => "a whole number",
        "a string" => "text",
        "a sequence" => "a list",
        "a map" => "a table",
        table if table.starts_with("struct ") => "a table",
        own => own,
    }
}

/// One node of the tree. In the environment all is text: a number or flag is read from it only where
/// one is wanted, so that `007` stays text where text is wanted.
#[derive(Clone, Copy)]
struct Node<'a>(&'a Value);

impl<'a> Node<'a> {
    fn variable(self) -> Option<&'a str> {
        match &self.0.kind {
            ValueKind::String(text) if is_from_environment(self.0) => Some(text),
            _ => None,
        }
    }
}

impl IntoDeserializer<'_, Misfit> for Node<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.0.kind {
            ValueKind::Nil => visitor.visit_unit(),
            ValueKind::Boolean(flag) => visitor.visit_bool(*flag),
            ValueKind::I64(number) => visitor.visit_i64(*number),
            ValueKind::I128(number) => visitor.visit_i128(*number),
            ValueKind::U64(number) => visitor.visit_u64(*number),
            ValueKind::U128(number) => visitor.visit_u128(*number),
            ValueKind::Float(number) => visitor.visit_f64(*number),
            ValueKind::String(text) => visitor.visit_str(text),
            ValueKind::Table(table) => {
                let entries = table.iter().map(|(key, value)| (key.as_str(), Node(value)));
                visitor.visit_map(MapDeserializer::new(entries))
            }
            ValueKind::Array(list) => visitor.visit_seq(SeqDeserializer::new(list.iter().map(Node))),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.variable().map(str::parse) {
            Some(Ok(flag)) => visitor.visit_bool(flag),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.variable().map(str::parse) {
            Some(Ok(number)) => visitor.visit_i64(number),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.0.kind {
            // What was thrown away out of a list; it was told already.
            ValueKind::Nil => visitor.visit_str(""),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match &self.0.kind {
            ValueKind::Nil => visitor.visit_map(MapDeserializer::new(std::iter::empty::<(&str, Node<'_>)>())),
            // A list would be taken as the fields in their order.
            ValueKind::Array(_) => Err(serde::de::Error::invalid_type(Unexpected::Seq, &"a table")),
            _ => self.deserialize_any(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char str bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
