//! What the documentation says of an answer, held against the answer: its status, its code and its form. Every call of
//! every test here is looked at. Reads the document as a client does, and shares no code with what wrote it.

use serde_json::Value;

use crate::world::Seen;

/// A document with its operations.
#[derive(Debug)]
pub(crate) struct Contract(Value);

/// One operation of a document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) told: &'a Value,
}

impl Contract {
    pub(crate) fn new(document: Value) -> Self {
        assert_eq!(document["openapi"], "3.1.0");
        Self(document)
    }

    /// All operations.
    pub(crate) fn operations(&self) -> Vec<Operation<'_>> {
        let mut operations = Vec::new();
        for (path, methods) in self.0["paths"].as_object().unwrap() {
            for (method, told) in methods.as_object().unwrap() {
                operations.push(Operation { method, path, told });
            }
        }
        operations
    }

    /// Holds an answer against what is told of its operation. What is not told of is not there.
    #[track_caller]
    pub(crate) fn check(&self, method: &str, path: &str, seen: &Seen) {
        let method = method.to_lowercase();
        let operations = self.operations();
        // The path without parameters comes first, as in the router.
        let mut found: Vec<_> =
            operations.iter().filter(|told| told.method == method && is_at(told.path, path)).collect();
        found.sort_by_key(|told| told.path.matches('{').count());
        let Some(operation) = found.first() else {
            assert!(
                [404, 405].contains(&seen.status.as_u16()),
                "{method} {path} is not documented: {seen:?}"
            );
            return;
        };
        self.answer(operation, seen);
    }

    #[track_caller]
    fn answer(&self, operation: &Operation<'_>, seen: &Seen) {
        let Operation { method, path, told } = operation;
        let responses = &told["responses"];
        let status = seen.status.as_u16().to_string();
        let Some(response) = responses.get(&status).or(responses.get("default")) else {
            panic!("{method} {path} answers {status}, of which nothing is told: {seen:?}");
        };
        let media_type = seen.header("content-type");
        let content = response["content"].as_object();
        match content.and_then(|content| content.get(media_type)) {
            Some(content) if media_type.ends_with("json") => {
                if let Some(schema) = content.get("schema") {
                    let faults = self.faults(schema, &seen.json(), "");
                    assert!(faults.is_empty(), "{method} {path} {status}: {faults:#?} in {}", seen.text());
                }
            }
            Some(_) => {}
            None => {
                // Whoever answers in another's words may do so with any status.
                let is_any = responses.get("default").is_some();
                let is_bare = content.is_none() && seen.body.is_empty();
                assert!(is_any || is_bare, "{method} {path} {status} is {media_type}: {content:?}");
            }
        }
    }

    /// Where a value is not as the schema says. A field that is not told of is a fault too.
    pub(crate) fn faults(&self, schema: &Value, value: &Value, place: &str) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(name) = schema["$ref"].as_str() {
            let pointer = name.strip_prefix('#').unwrap();
            let named = self.0.pointer(pointer).unwrap_or_else(|| panic!("{name} leads nowhere"));
            return self.faults(named, value, place);
        }
        let mut must = |holds: bool, what: &str| {
            if !holds {
                faults.push(format!("{place}: {value} breaks {what} of {schema}"));
            }
        };
        must(schema.get("type").is_none_or(|kinds| is_of_kind(kinds, value)), "type");
        must(schema.get("const").is_none_or(|only| only == value), "const");
        must(schema["enum"].as_array().is_none_or(|words| words.contains(value)), "enum");
        if let Some(number) = value.as_i64() {
            must(schema["minimum"].as_i64().is_none_or(|least| least <= number), "minimum");
            must(schema["maximum"].as_i64().is_none_or(|most| number <= most), "maximum");
        }
        if let Some(text) = value.as_str() {
            let length = u64::try_from(text.chars().count()).unwrap();
            must(schema["minLength"].as_u64().is_none_or(|least| least <= length), "minLength");
            must(schema["maxLength"].as_u64().is_none_or(|most| length <= most), "maxLength");
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let fits = choices.iter().filter(|choice| self.faults(choice, value, place).is_empty());
            must(fits.count() == 1, "oneOf");
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            faults.extend(self.faults(part, value, place));
        }
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            faults.extend(self.faults(&schema["items"], item, &format!("{place}[{index}]")));
        }
        faults.extend(self.faults_of_object(schema, value, place));
        faults
    }

    fn faults_of_object(&self, schema: &Value, value: &Value, place: &str) -> Vec<String> {
        let Some(object) = value.as_object() else { return Vec::new() };
        let mut faults = Vec::new();
        let required = schema["required"].as_array();
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                faults.push(format!("{place}.{name} is missing"));
            }
        }
        for (name, item) in object {
            let place = format!("{place}.{name}");
            match schema["properties"].get(name).or(schema.get("additionalProperties")) {
                Some(schema) => faults.extend(self.faults(schema, item, &place)),
                // What is told whole names its fields and which of them must be there.
                None if required.is_some() => faults.push(format!("{place} is not told of")),
                None => {}
            }
        }
        faults
    }

    /// The document itself.
    pub(crate) fn document(&self) -> &Value {
        &self.0
    }
}

/// Whether a path is of that form: `/v1/payments/{id}`.
fn is_at(form: &str, path: &str) -> bool {
    let (form, path) = (form.split('/'), path.split('/'));
    form.clone().count() == path.clone().count()
        && form.zip(path).all(|(form, path)| form == path || (form.starts_with('{') && !path.is_empty()))
}

fn is_of_kind(kinds: &Value, value: &Value) -> bool {
    let is = |kind: &Value| match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("no answer is of kind {other}"),
    };
    kinds.as_array().map_or_else(|| is(kinds), |kinds| kinds.iter().any(is))
}
