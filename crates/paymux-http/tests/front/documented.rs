//! The documents that both listeners serve, read as a client reads them: whole, true to themselves, and the same as
//! what is served. That every answer is as they say is looked at in each call of every test: see `contract`.

use std::collections::BTreeSet;

use axum::body::Body;
use http::Request;
use serde_json::Value;

use crate::contract::Contract;
use crate::world::{OPERATOR, SHOP, World};

/// Both documents.
async fn contracts(world: &World) -> [Contract; 2] {
    [world.contract().await, world.admin_contract().await]
}

#[tokio::test(start_paused = true)]
async fn every_example_is_of_its_own_form() {
    let mut seen = 0;
    for contract in contracts(&World::new()).await {
        for (name, schema) in contract.document()["components"]["schemas"].as_object().unwrap() {
            for example in schema["examples"].as_array().into_iter().flatten() {
                let faults = contract.faults(schema, example, name);
                assert!(faults.is_empty(), "{faults:#?}");
                seen += 1;
            }
        }
        each_content(&contract, |place, content| {
            if let Some(example) = content.get("example") {
                let faults = contract.faults(&content["schema"], example, place);
                assert!(faults.is_empty(), "{faults:#?}");
                seen += 1;
            }
        });
        for (name, example) in contract.document()["components"]["examples"].as_object().unwrap() {
            let problem = &contract.document()["components"]["schemas"]["Problem"];
            let faults = contract.faults(problem, &example["value"], name);
            assert!(faults.is_empty(), "{faults:#?}");
        }
    }
    assert!(seen > 60, "only {seen} examples were looked at");
}

fn each_content(contract: &Contract, mut look: impl FnMut(&str, &Value)) {
    for operation in contract.operations() {
        let bodies = operation.told["responses"].as_object().unwrap().values();
        for body in bodies.chain(operation.told.get("requestBody")) {
            for (media_type, content) in body["content"].as_object().into_iter().flatten() {
                look(&format!("{} {} {media_type}", operation.method, operation.path), content);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_operation_says_what_a_reader_needs() {
    for contract in contracts(&World::new()).await {
        let mut ids = BTreeSet::new();
        for operation in contract.operations() {
            let (told, what) = (operation.told, format!("{} {}", operation.method, operation.path));
            assert!(ids.insert(told["operationId"].as_str().unwrap()), "{what}: its id is another's too");
            assert!(!told["summary"].as_str().unwrap().is_empty(), "{what}");
            assert!(!told["responses"].as_object().unwrap().is_empty(), "{what}");
            let named: Vec<&str> = told["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|param| param["in"] == "path")
                .map(|param| param["name"].as_str().unwrap())
                .collect();
            let in_path: Vec<&str> = operation
                .path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            assert_eq!(named, in_path, "{what}");
        }
    }
}

/// A reference that leads nowhere, and a form that nobody uses, are both mistakes.
#[tokio::test(start_paused = true)]
async fn references_lead_somewhere_and_forms_are_used() {
    for contract in contracts(&World::new()).await {
        let document = contract.document();
        let mut used = BTreeSet::new();
        references(document, &mut used);
        for reference in &used {
            assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
        }
        for kind in ["schemas", "examples", "parameters"] {
            for name in document["components"][kind].as_object().into_iter().flatten().map(|(name, _)| name) {
                assert!(used.contains(&format!("#/components/{kind}/{name}")), "{kind} {name} is not used");
            }
        }
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Each on its own listener, and neither on the other's.
#[tokio::test(start_paused = true)]
async fn the_documents_stand_where_their_readers_are() {
    let world = World::new();
    let open = world.call(Request::get("/openapi.json").body(Body::empty()).unwrap()).await;
    assert_eq!((open.status.as_u16(), open.header("content-type")), (200, "application/json"));
    let admin = |key: Option<&str>| {
        let request = Request::get("/admin/openapi.json");
        let request = match key {
            Some(key) => request.header("authorization", format!("Bearer {key}")),
            None => request,
        };
        request.body(Body::empty()).unwrap()
    };
    world.call_admin(admin(None)).await.problem(401, "unauthorized");
    world.call_admin(admin(Some(SHOP))).await.problem(401, "unauthorized");
    assert_eq!(world.call_admin(admin(Some(OPERATOR))).await.status, 200);
    world.call(admin(Some(OPERATOR))).await.problem(404, "not_found");
}

#[tokio::test(start_paused = true)]
async fn the_page_tells_of_every_operation_object_and_error_and_loads_nothing_from_elsewhere() {
    let world = World::new();
    let page = world.call(Request::get("/docs").body(Body::empty()).unwrap()).await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; style-src 'self';"));
    let (html, contract) = (page.text(), world.contract().await);
    let is_there = |id: &str| html.matches(&format!("id=\"{id}\"")).count() == 1;
    for operation in contract.operations() {
        assert!(is_there(operation.told["operationId"].as_str().unwrap()), "{}", operation.path);
        assert!(html.contains(&format!("<code>{}</code>", operation.path)), "{}", operation.path);
    }
    for kind in ["schemas", "examples"] {
        for name in contract.document()["components"][kind].as_object().unwrap().keys() {
            assert!(is_there(name), "{kind} {name}");
        }
    }
    for link in html.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(is_there(link), "a link to {link} leads nowhere");
    }
    for bad in ["<script", "<img", "<iframe", " style=", " onclick=", "src=", "href=\"http"] {
        assert!(!html.contains(bad), "{bad}");
    }
    assert!(html.contains("curl -s &#39;https://pay.example/v1/payments&#39; -X POST"), "a call to paste");
    let style = world.call(Request::get("/docs/docs.css").body(Body::empty()).unwrap()).await;
    assert_eq!((style.status.as_u16(), style.header("content-type")), (200, "text/css; charset=utf-8"));
}
