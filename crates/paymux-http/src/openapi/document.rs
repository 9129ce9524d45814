//! Operations and forms as an OpenAPI 3.1 document.

use std::collections::{BTreeMap, BTreeSet};

use paymux_core::payments::keys::KEY_CHARS_MAX;
use serde_json::{Map, Value, json};

use super::Book;
use super::operation::{Access, Body, Content, Operation, Param, Reply};
use super::samples;
use super::schema::{self, Described as _, Kind, Object};
use crate::problem::{ProblemView, Refusal};

/// The version of the specification that tools read best.
const OPENAPI: &str = "3.1.0";
const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
/// Under which name the header field of a merchant's key for one request stands in the document.
const IDEMPOTENCY_KEY: &str = "#/components/parameters/IdempotencyKey";

/// The whole document.
pub(super) fn document(book: Book, operations: &[Operation]) -> Value {
    let mut document = json!({
        "openapi": OPENAPI,
        "info": {
            "title": book.title(),
            "version": env!("CARGO_PKG_VERSION"),
            "description": book.says(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The listener that serves this document."}],
        "tags": tags(operations),
        "paths": paths(book, operations),
        "components": components(book, operations),
    });
    if book == Book::Merchant {
        document["webhooks"] = json!({"notice": {"post": notice()}});
    }
    document
}

fn tags(operations: &[Operation]) -> Value {
    let groups: BTreeSet<_> = operations.iter().map(|operation| operation.group).collect();
    let tag = |(name, says): (&str, &str)| json!({"name": name, "description": says});
    groups.into_iter().map(|group| tag(group.words())).collect()
}

fn paths(book: Book, operations: &[Operation]) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in operations {
        let path = paths.entry(operation.path).or_default();
        path.insert(operation.verb.key().to_owned(), written(book, operation));
    }
    json!(paths)
}

fn written(book: Book, operation: &Operation) -> Value {
    let mut value = json!({
        "operationId": operation.id,
        "tags": [operation.group.words().0],
        "summary": operation.title,
        "description": operation.says,
        "parameters": parameters(operation),
        "responses": responses(operation),
        "security": security(book, operation.access),
    });
    if let Some(body) = body(operation) {
        value["requestBody"] = body;
    }
    value
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let places = operation.places.iter().map(|param| parameter(param, "path"));
    let asked = operation.query.iter().map(|param| parameter(param, "query"));
    let key = operation.is_keyed.then(|| json!({"$ref": IDEMPOTENCY_KEY}));
    places.chain(asked).chain(key).collect()
}

fn parameter(param: &Param, place: &str) -> Value {
    let mut value = json!({
        "name": param.name, "in": place, "required": param.is_required,
        "description": param.says, "schema": (param.kind)().schema(),
    });
    if !param.example.is_empty() {
        value["example"] = param.example.into();
    }
    value
}

fn body(operation: &Operation) -> Option<Value> {
    match operation.body {
        Body::None | Body::Unread => None,
        Body::Empty => {
            let schema = json!({"type": "object", "maxProperties": 0});
            Some(json!({"required": false, "content": {JSON: {"schema": schema}}}))
        }
        Body::Json(object) => Some(json!({"required": true, "content": {JSON: content_of(&object())}})),
        Body::Raw => Some(json!({"required": false, "content": {"*/*": {}}})),
    }
}

/// An object with an example of it, where it has one.
fn content_of(object: &Object) -> Value {
    let mut content = json!({"schema": object.reference()});
    if let Some(example) = object.example() {
        content["example"] = example;
    }
    content
}

/// By status. What is refused with the status of an answer stands beside it.
fn responses(operation: &Operation) -> Value {
    let mut responses: BTreeMap<String, Value> = BTreeMap::new();
    for reply in operation.replies {
        let status = reply.status.map_or_else(|| "default".to_owned(), |status| status.to_string());
        let response = response(&mut responses, status, reply.says);
        add_content(response, reply);
    }
    for (status, refusals) in by_status(&operation.all_refusals()) {
        let says: Vec<String> = refusals.iter().copied().map(said).collect();
        let response = response(&mut responses, status.to_string(), &says.join(" "));
        response["content"][PROBLEM] = problem_of(&refusals);
        match status {
            401 => response["headers"]["WWW-Authenticate"] = header("How to show a key."),
            503 => response["headers"]["Retry-After"] = header("Seconds until it may be tried again."),
            _ => {}
        }
    }
    json!(responses)
}

/// The response of that status, which also means this.
fn response<'a>(all: &'a mut BTreeMap<String, Value>, status: String, says: &str) -> &'a mut Value {
    let response = all.entry(status).or_insert_with(|| json!({"description": ""}));
    let before = response["description"].as_str().unwrap_or_default();
    response["description"] = format!("{before} {says}").trim().into();
    response
}

fn add_content(response: &mut Value, reply: &Reply) {
    match reply.content {
        Content::None => {}
        Content::Json(object) => response["content"][JSON] = content_of(&object()),
        Content::List(object) => response["content"][JSON] = list_of(&object()),
        Content::Media(media_type) => response["content"][media_type] = json!({}),
    }
}

/// A page of a list.
fn list_of(object: &Object) -> Value {
    let schema = json!({
        "type": "object",
        "required": ["data", "next_cursor"],
        "properties": {
            "data": {"type": "array", "items": object.reference()},
            "next_cursor": {
                "type": ["string", "null"],
                "description": "What to send as `cursor` for the next page; null on the last one.",
            },
        },
    });
    json!({"schema": schema, "example": {"data": [object.example()], "next_cursor": null}})
}

fn by_status(refusals: &[Refusal]) -> BTreeMap<u16, Vec<Refusal>> {
    let mut by_status: BTreeMap<u16, Vec<Refusal>> = BTreeMap::new();
    for refusal in refusals {
        by_status.entry(refusal.row().status.as_u16()).or_default().push(*refusal);
    }
    by_status
}

fn said(refusal: Refusal) -> String {
    let row = refusal.row();
    format!("`{}`: {}", row.code, row.when)
}

/// A problem whose code is one of these.
fn problem_of(refusals: &[Refusal]) -> Value {
    let codes: Vec<&str> = refusals.iter().map(|refusal| refusal.row().code).collect();
    let examples: Map<String, Value> = refusals.iter().map(|refusal| example_of(*refusal)).collect();
    let schema = json!({"allOf": [
        ProblemView::object().reference(),
        {"type": "object", "properties": {"code": {"enum": codes}}},
    ]});
    json!({"schema": schema, "examples": examples})
}

fn example_of(refusal: Refusal) -> (String, Value) {
    let name = refusal.name();
    (name.to_owned(), json!({"$ref": format!("#/components/examples/{name}")}))
}

fn header(says: &str) -> Value {
    json!({"description": says, "schema": {"type": "string"}})
}

/// Who may call: the roles of an app are its scopes.
fn security(book: Book, access: Access) -> Value {
    let scheme = book.scheme();
    match access {
        Access::Open => json!([]),
        Access::App | Access::Operator => json!([{scheme: []}]),
        Access::Scope(scope) => json!([{scheme: [scope.word()]}]),
    }
}

fn components(book: Book, operations: &[Operation]) -> Value {
    let schemas: Map<String, Value> = objects(book, operations)
        .into_iter()
        .map(|(name, object)| (name.to_owned(), object.schema()))
        .collect();
    let used: BTreeSet<Refusal> = operations.iter().flat_map(Operation::all_refusals).collect();
    let examples: Map<String, Value> = used
        .into_iter()
        .map(|refusal| {
            let example = json!({"summary": said(refusal), "value": samples::problem(refusal)});
            (refusal.name().to_owned(), example)
        })
        .collect();
    let mut components = json!({
        "schemas": schemas,
        "examples": examples,
        "securitySchemes": {
            book.scheme(): {"type": "http", "scheme": "bearer", "description": book.key()},
        },
    });
    if operations.iter().any(|operation| operation.is_keyed) {
        components["parameters"] = json!({"IdempotencyKey": idempotency_key()});
    }
    components
}

fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": "Stands for this request alone for 30 days: the same request again is answered as things \
                        stand then, and another under it is refused.",
        "schema": schema::letters(" -~", 1..=KEY_CHARS_MAX).schema(),
    })
}

/// Every form that is named, with those that they name.
pub(super) fn objects(book: Book, operations: &[Operation]) -> BTreeMap<&'static str, Object> {
    let mut found = BTreeMap::new();
    add(&mut found, ProblemView::object());
    if book == Book::Merchant {
        add(&mut found, samples::Notice::object());
    }
    for operation in operations {
        if let Body::Json(object) = operation.body {
            add(&mut found, object());
        }
        for reply in operation.replies {
            if let Content::Json(object) | Content::List(object) = reply.content {
                add(&mut found, object());
            }
        }
    }
    found
}

fn add(found: &mut BTreeMap<&'static str, Object>, object: Object) {
    if found.contains_key(object.name) {
        return;
    }
    let parts: Vec<Kind> = object.fields.iter().map(|field| field.kind.clone()).collect();
    found.insert(object.name, object);
    for part in parts.iter().flat_map(Kind::objects) {
        add(found, part);
    }
}

/// What an app's address gets.
fn notice() -> Value {
    let says = "By Standard Webhooks 1.0: `webhook-id`, `webhook-timestamp` and `webhook-signature` come with it, \
                and any 2xx takes it. At least once, in any order, over about three days.";
    json!({
        "operationId": "notice",
        "summary": "A notice to your app",
        "description": says,
        "requestBody": {"required": true, "content": {JSON: content_of(&samples::Notice::object())}},
        "responses": {"2XX": {"description": "It was taken."}},
    })
}
