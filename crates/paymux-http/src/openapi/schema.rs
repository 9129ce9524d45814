//! What bodies look like: objects of fields, written beside the type that reads or writes them. A bound here is the
//! constant that the check itself uses.

use std::ops::RangeInclusive;

use paymux_core::ids::NAME_CHARS_MAX;
use serde::Serialize;
use serde_json::{Value, json};

/// Characters that no line may have: Unicode's control characters.
const CONTROL: &str = r"\x00-\x1f\x7f-\x9f";

/// A type whose form is documented. What a body is read into and what an answer is written from must be one.
pub(crate) trait Described {
    /// Its form.
    fn object() -> Object;

    /// One of it: of a request, one that is taken; of an answer, what this code writes.
    fn sample() -> Option<Value>;
}

impl<T: Described> Described for &T {
    fn object() -> Object {
        T::object()
    }

    fn sample() -> Option<Value> {
        T::sample()
    }
}

/// The form of an object, by the name that it has in the documentation.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) name: &'static str,
    pub(crate) says: &'static str,
    pub(crate) fields: Vec<Field>,
    /// Where an example of it comes from; parts of others have none of their own.
    pub(crate) sample: Option<fn() -> Option<Value>>,
}

impl Object {
    /// The form of a whole body.
    pub(crate) fn of<T: Described>(name: &'static str, says: &'static str, fields: Vec<Field>) -> Self {
        Self { name, says, fields, sample: Some(T::sample) }
    }

    /// The form of a part of others.
    pub(crate) const fn part(name: &'static str, says: &'static str, fields: Vec<Field>) -> Self {
        Self { name, says, fields, sample: None }
    }

    /// One of it.
    pub(crate) fn example(&self) -> Option<Value> {
        self.sample.and_then(|sample| sample())
    }

    /// As JSON Schema.
    pub(crate) fn schema(&self) -> Value {
        let properties = self.fields.iter().map(|field| (field.name.to_owned(), field.schema())).collect();
        let required: Vec<&str> =
            self.fields.iter().filter(|field| field.is_required).map(|field| field.name).collect();
        let mut schema = json!({"type": "object", "description": self.says, "required": required});
        schema["properties"] = Value::Object(properties);
        if let Some(example) = self.example() {
            schema["examples"] = json!([example]);
        }
        schema
    }

    /// Where others find it.
    pub(crate) fn reference(&self) -> Value {
        json!({"$ref": format!("#/components/schemas/{}", self.name)})
    }
}

/// One field of an object.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) says: &'static str,
    pub(crate) kind: Kind,
    pub(crate) is_required: bool,
    pub(crate) is_nullable: bool,
}

impl Field {
    /// A field that is always there.
    pub(crate) const fn new(name: &'static str, kind: Kind, says: &'static str) -> Self {
        Self { name, says, kind, is_required: true, is_nullable: false }
    }

    /// It may be missing.
    pub(crate) fn optional(self) -> Self {
        Self { is_required: false, ..self }
    }

    /// It may be null.
    pub(crate) fn or_null(self) -> Self {
        Self { is_nullable: true, ..self }
    }

    /// Of a request: it may be missing or null, which is the same.
    pub(crate) fn may_be_left_out(self) -> Self {
        self.optional().or_null()
    }

    fn schema(&self) -> Value {
        let mut schema = self.kind.schema();
        if self.is_nullable {
            schema = nullable(schema);
        }
        schema["description"] = self.says.into();
        schema
    }
}

/// The same, or null.
fn nullable(mut schema: Value) -> Value {
    let Some(kind) = schema.get("type").and_then(Value::as_str).map(str::to_owned) else {
        return json!({"oneOf": [schema, {"type": "null"}]});
    };
    schema["type"] = json!([kind, "null"]);
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
    schema
}

/// What stands in a field.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// What JSON Schema says of a value that is no object of ours.
    Leaf(Value),
    /// An object of that form.
    Of(fn() -> Object),
    /// An object of one of these forms.
    OneOf(&'static [fn() -> Object]),
    /// A list of these.
    ListOf(Box<Kind>),
}

impl Kind {
    /// As JSON Schema.
    pub(crate) fn schema(&self) -> Value {
        match self {
            Self::Leaf(schema) => schema.clone(),
            Self::Of(object) => object().reference(),
            Self::OneOf(objects) => {
                json!({"oneOf": objects.iter().map(|object| object().reference()).collect::<Vec<_>>()})
            }
            Self::ListOf(kind) => json!({"type": "array", "items": kind.schema()}),
        }
    }

    /// The forms that it names.
    pub(crate) fn objects(&self) -> Vec<Object> {
        match self {
            Self::Leaf(_) => Vec::new(),
            Self::Of(object) => vec![object()],
            Self::OneOf(objects) => objects.iter().map(|object| object()).collect(),
            Self::ListOf(kind) => kind.objects(),
        }
    }

    /// With what counts where it is left out.
    pub(crate) fn or_default(self, default: impl Into<Value>) -> Self {
        self.with("default", default.into())
    }

    /// With one more keyword of JSON Schema; a leaf only.
    fn with(self, keyword: &str, value: Value) -> Self {
        match self {
            Self::Leaf(mut schema) => {
                schema[keyword] = value;
                Self::Leaf(schema)
            }
            other => other,
        }
    }
}

/// Any text.
pub(crate) fn text() -> Kind {
    Kind::Leaf(json!({"type": "string"}))
}

/// A text of so many characters.
pub(crate) fn text_of(chars: RangeInclusive<usize>) -> Kind {
    text().with("minLength", (*chars.start()).into()).with("maxLength", (*chars.end()).into())
}

/// A text of characters of that class of a regular expression.
pub(crate) fn letters(class: &str, chars: RangeInclusive<usize>) -> Kind {
    let pattern = format!("^[{class}]{{{},{}}}$", chars.start(), chars.end());
    text_of(chars).with("pattern", pattern.into())
}

/// A name or number as paymux makes and takes them.
pub(crate) fn name() -> Kind {
    letters("A-Za-z0-9_-", 1..=NAME_CHARS_MAX)
}

/// Printable ASCII without blanks.
pub(crate) fn printable(chars_max: usize) -> Kind {
    letters("!-~", 1..=chars_max)
}

/// One line that is not blank.
pub(crate) fn line(chars_max: usize) -> Kind {
    let pattern = format!(r"^[^{CONTROL}]*[^\s{CONTROL}][^{CONTROL}]*$");
    text_of(1..=chars_max).with("pattern", pattern.into())
}

/// Text of that form.
pub(crate) fn pattern(pattern: &str) -> Kind {
    text().with("pattern", pattern.into())
}

/// An id of ours.
pub(crate) fn id(prefix: &str) -> Kind {
    pattern(&format!("^{prefix}[0-9a-f]{{32}}$"))
}

/// An ISO 4217 code.
pub(crate) fn currency() -> Kind {
    pattern("^[A-Z]{3}$")
}

/// One of these words.
pub(crate) fn words<T: Copy>(all: &[T], word: impl Fn(T) -> &'static str) -> Kind {
    text().with("enum", all.iter().map(|item| word(*item)).collect())
}

/// That word.
pub(crate) fn word(word: &'static str) -> Kind {
    text().with("const", word.into())
}

/// An address of the web.
pub(crate) fn url() -> Kind {
    text().with("format", "uri".into())
}

/// A moment: RFC 3339 in UTC.
pub(crate) fn moment() -> Kind {
    text().with("format", "date-time".into())
}

/// Any whole number.
pub(crate) fn number() -> Kind {
    Kind::Leaf(json!({"type": "integer"}))
}

/// A whole number within these bounds.
pub(crate) fn whole(bounds: RangeInclusive<i64>) -> Kind {
    number().with("minimum", (*bounds.start()).into()).with("maximum", (*bounds.end()).into())
}

/// A whole number that is not negative.
pub(crate) fn count() -> Kind {
    number().with("minimum", 0.into())
}

/// Yes or no.
pub(crate) fn flag() -> Kind {
    Kind::Leaf(json!({"type": "boolean"}))
}

/// An object whose form is another's word.
pub(crate) fn foreign() -> Kind {
    Kind::Leaf(json!({"type": "object"}))
}

/// Anything at all.
pub(crate) fn anything() -> Kind {
    Kind::Leaf(json!({}))
}

/// An object with free keys, each of which has such a value.
pub(crate) fn map(values: &Kind) -> Kind {
    foreign().with("additionalProperties", values.schema())
}

/// The same with so many entries.
pub(crate) fn map_of(values: &Kind, entries: RangeInclusive<usize>) -> Kind {
    map(values)
        .with("minProperties", (*entries.start()).into())
        .with("maxProperties", (*entries.end()).into())
}

/// The same with keys of that form.
pub(crate) fn keyed(kind: Kind, keys: &str) -> Kind {
    kind.with("propertyNames", json!({"pattern": keys}))
}

/// A list.
pub(crate) fn list(of: Kind) -> Kind {
    Kind::ListOf(Box::new(of))
}

/// What that is written as.
pub(crate) fn written(view: &impl Serialize) -> Option<Value> {
    serde_json::to_value(view).ok()
}
