//! Who may call what: every operation of both documents with every kind of key. Made from the documents, so that an
//! operation which is added is tried too.

use axum::body::Body;
use http::Request;
use serde_json::Value;

use crate::contract::Operation;
use crate::world::{NARROW, OPERATOR, PREVIOUS, REVOKED, RIVAL, SHOP, Seen, World};

/// Ids of things that are `shop`'s.
struct Things {
    payment: String,
    refund: String,
    transfer: String,
    event: String,
}

impl Things {
    async fn of(world: &World) -> Self {
        let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
        let payment = world.paid("A1").await;
        let refund = serde_json::json!({"refund_no": "R1", "amount": 1});
        let path = format!("/v1/payments/{}/refunds", id(&payment));
        let refund = world.post(SHOP, &path, &refund).await.json();
        let transfer = world.post(SHOP, "/v1/transfers", &crate::world::transfer("T1")).await.json();
        let events = world.get(SHOP, "/v1/events").await.json();
        Self {
            payment: id(&payment),
            refund: id(&refund),
            transfer: id(&transfer),
            event: id(&events["data"][0]),
        }
    }

    /// The one that a path parameter of that schema is about.
    fn one(&self, schema: &Value) -> Option<&str> {
        let pattern = schema["pattern"].as_str().unwrap_or_default();
        let all = [&self.payment, &self.refund, &self.transfer, &self.event];
        all.into_iter().find(|id| pattern.starts_with(&format!("^{}", &id[..4]))).map(String::as_str)
    }

    /// Path and query of a call that is right, and whether the path names something of theirs.
    fn place(&self, operation: &Operation<'_>) -> (bool, String) {
        let mut path = operation.path.to_owned();
        let (mut is_theirs, mut query) = (false, Vec::new());
        for param in operation.told["parameters"].as_array().unwrap() {
            let name = param["name"].as_str().unwrap_or_default();
            let example = param["example"].as_str().unwrap_or_default();
            if param["in"] == "path" {
                let own = self.one(&param["schema"]);
                is_theirs |= own.is_some();
                path = path.replace(&format!("{{{name}}}"), own.unwrap_or(example));
            } else if param["required"] == true {
                query.push(format!("{name}={example}"));
            }
        }
        (is_theirs, if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) })
    }
}

fn request(operation: &Operation<'_>, place: &str, key: Option<&str>) -> Request<Body> {
    let mut request = Request::builder().method(operation.method.to_uppercase().as_str()).uri(place);
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let example = &operation.told["requestBody"]["content"]["application/json"]["example"];
    let body = if example.is_null() { String::new() } else { example.to_string() };
    request.header("content-type", "application/json").body(Body::from(body)).unwrap()
}

/// Whether the router has no such path, or the path has no such method.
fn is_missing(seen: &Seen) -> bool {
    let problem: Option<Value> = serde_json::from_slice(&seen.body).ok();
    seen.status == 405 || problem.is_some_and(|problem| problem["detail"] == "no such path")
}

/// The scope that an operation needs, if it needs one.
fn scope<'a>(operation: &Operation<'a>) -> Option<&'a str> {
    operation.told["security"][0]["apiKey"][0].as_str()
}

fn needs_key(operation: &Operation<'_>) -> bool {
    operation.told["security"][0]["apiKey"].is_array()
}

#[tokio::test(start_paused = true)]
async fn every_merchant_operation_opens_to_its_app_alone() {
    let (mut keyed, mut scoped, mut theirs) = (0, 0, 0);
    let contract = World::new().contract().await;
    for operation in contract.operations().iter().filter(|operation| needs_key(operation)) {
        // A world each: what one call changes is no business of the next.
        let world = World::new();
        let things = Things::of(&world).await;
        let (is_theirs, place) = things.place(operation);
        let call = async |key: Option<&str>| world.call(request(operation, &place, key)).await;
        let what = format!("{} {place}", operation.method);

        call(None).await.problem(401, "unauthorized");
        for wrong in ["key-of-nobody", "", OPERATOR, REVOKED] {
            call(Some(wrong)).await.problem(401, "unauthorized");
        }
        if let Some(scope) = scope(operation) {
            let problem = call(Some(NARROW)).await.problem(403, "forbidden");
            assert!(problem["detail"].as_str().unwrap().contains(&format!("may not use {scope}")), "{what}");
            scoped += 1;
        }
        if is_theirs {
            call(Some(RIVAL)).await.problem(404, "not_found");
            theirs += 1;
        }
        for right in [SHOP, PREVIOUS] {
            let seen = call(Some(right)).await;
            assert!(![401, 403, 404, 405].contains(&seen.status.as_u16()), "{what}: {seen:?}");
        }
        keyed += 1;
    }
    assert!(keyed >= 18 && scoped >= 15 && theirs >= 9, "{keyed} {scoped} {theirs}");
}

#[tokio::test(start_paused = true)]
async fn every_open_operation_is_there_and_minds_no_key() {
    let world = World::new();
    let things = Things::of(&world).await;
    let (contract, mut open) = (world.contract().await, 0);
    for operation in contract.operations().iter().filter(|operation| !needs_key(operation)) {
        assert_eq!(operation.told["security"], serde_json::json!([]), "{}", operation.path);
        let (_, place) = things.place(operation);
        let bare = world.call(request(operation, &place, None)).await;
        assert!(!is_missing(&bare) && bare.status != 401, "{} {place}: {bare:?}", operation.method);
        for key in ["key-of-nobody", RIVAL, OPERATOR] {
            let seen = world.call(request(operation, &place, Some(key))).await;
            assert_eq!(seen.status, bare.status, "{} {place}: {seen:?}", operation.method);
        }
        open += 1;
    }
    assert!(open >= 15, "{open}");
}

#[tokio::test(start_paused = true)]
async fn every_admin_operation_opens_to_the_operator_alone_and_on_its_own_listener() {
    let contract = World::new().admin_contract().await;
    let (mut guarded, mut open) = (0, 0);
    for operation in contract.operations() {
        let world = World::new();
        let things = Things::of(&world).await;
        let (_, place) = things.place(&operation);
        let call = async |key: Option<&str>| world.call_admin(request(&operation, &place, key)).await;
        let what = format!("{} {place}", operation.method);
        if operation.told["security"] == serde_json::json!([]) {
            assert_eq!(call(None).await.status, 200, "{what}");
            open += 1;
            continue;
        }
        call(None).await.problem(401, "unauthorized");
        for wrong in ["token-of-nobody", "", SHOP, RIVAL, NARROW, PREVIOUS, REVOKED] {
            call(Some(wrong)).await.problem(401, "unauthorized");
        }
        let seen = call(Some(OPERATOR)).await;
        assert!(!is_missing(&seen) && ![401, 403].contains(&seen.status.as_u16()), "{what}: {seen:?}");
        for key in [None, Some(SHOP), Some(OPERATOR)] {
            world.call(request(&operation, &place, key)).await.problem(404, "not_found");
        }
        guarded += 1;
    }
    assert!(guarded >= 14 && open == 2, "{guarded} {open}");
}

/// Nothing of the merchants' stands where operators are.
#[tokio::test(start_paused = true)]
async fn no_merchant_operation_is_on_the_admin_listener() {
    let world = World::new();
    let things = Things::of(&world).await;
    let contract = world.contract().await;
    for operation in contract.operations().iter().filter(|operation| needs_key(operation)) {
        let (_, place) = things.place(operation);
        for key in [None, Some(SHOP), Some(OPERATOR)] {
            world.call_admin(request(operation, &place, key)).await.problem(404, "not_found");
        }
    }
}
