//! Who may call what, in figures: the status of each call with each kind of key. That no operation is missing is seen
//! in `authorisation`, which is made from the documents.

use axum::body::Body;
use http::Request;

use crate::world::{NARROW, OPERATOR, RIVAL, SHOP, World, order};

/// What a caller shows.
const KEYS: [(&str, Option<&str>); 6] = [
    ("none", None),
    ("wrong", Some("Bearer key-of-nobody")),
    ("other scheme", Some("Basic a2V5LW9mLXNob3A6")),
    ("other app", Some("Bearer key-of-rival")),
    ("operator", Some("Bearer token-of-the-operator")),
    ("right", Some("Bearer key-of-shop")),
];

#[tokio::test(start_paused = true)]
async fn merchant_routes_open_to_their_app_only() {
    assert_eq!((SHOP, RIVAL, OPERATOR), ("key-of-shop", "key-of-rival", "token-of-the-operator"));
    for (method, path, statuses) in [
        // In the order of KEYS. A create or a list of another app is its own, not ours.
        ("POST", "/v1/payments", [401, 401, 401, 201, 401, 200]),
        ("GET", "/v1/payments", [401, 401, 401, 200, 401, 200]),
        ("GET", "/v1/payments/ID", [401, 401, 401, 404, 401, 200]),
        ("POST", "/v1/payments/ID/sync", [401, 401, 401, 404, 401, 200]),
        ("POST", "/v1/payments/ID/cancel", [401, 401, 401, 404, 401, 200]),
        ("POST", "/v1/routes/explain", [401, 401, 401, 400, 401, 400]),
        ("GET", "/v1/payments/ID/refunds", [401, 401, 401, 404, 401, 200]),
        // An empty body comes to nothing where something must be said, but only for who may come so far.
        ("POST", "/v1/payments/ID/refunds", [401, 401, 401, 400, 401, 400]),
        ("GET", "/v1/refunds?refund_no=R", [401, 401, 401, 200, 401, 200]),
        ("GET", "/v1/refunds/ID", [401, 401, 401, 404, 401, 404]),
        ("POST", "/v1/refunds/ID/sync", [401, 401, 401, 404, 401, 404]),
        ("POST", "/v1/transfers", [401, 401, 401, 400, 401, 400]),
        ("GET", "/v1/transfers?transfer_no=T", [401, 401, 401, 200, 401, 200]),
        ("GET", "/v1/transfers/ID", [401, 401, 401, 404, 401, 404]),
        ("POST", "/v1/transfers/ID/sync", [401, 401, 401, 404, 401, 404]),
        ("GET", "/v1/events", [401, 401, 401, 200, 401, 200]),
        ("POST", "/v1/events/ID/redeliver", [401, 401, 401, 404, 401, 404]),
        ("POST", "/v1/events/redeliver", [401, 401, 401, 400, 401, 400]),
    ] {
        for ((who, key), status) in KEYS.into_iter().zip(statuses) {
            let world = World::new();
            let id = world.created("A1").await["id"].as_str().unwrap().to_owned();
            let body = if path == "/v1/payments" && method == "POST" {
                order("A1").to_string()
            } else {
                String::new()
            };
            let request = request(method, &path.replace("ID", &id), key, body);
            let seen = world.call(request).await;
            assert_eq!(seen.status, status, "{method} {path} {who}: {seen:?}");
            if status == 401 {
                seen.problem(401, "unauthorized");
                assert!(seen.header("www-authenticate").starts_with("Bearer realm="), "{who}");
                let wrong = seen.header("www-authenticate").contains("invalid_token");
                assert_eq!(wrong, key.is_some_and(|key| key.starts_with("Bearer")), "{who}");
                assert!(world.main.canceled() + world.main.asked() == 0);
            }
        }
    }
}

/// What else an app without scopes may not do is in `authorisation`.
#[tokio::test(start_paused = true)]
async fn an_app_without_scopes_may_know_what_it_was_told() {
    assert_eq!(World::new().get(NARROW, "/v1/events").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn open_routes_need_no_key_and_mind_none() {
    for (method, path, status) in [
        ("POST", "/notify/main", 200),
        ("GET", "/notify/main", 200),
        ("GET", "/return/main", 200),
        ("POST", "/return/main", 200),
        ("GET", "/return/main/n", 200),
        ("POST", "/return/main/n", 200),
        ("GET", "/pay/nobody", 404),
        ("GET", "/pay/nobody/state", 404),
        ("GET", "/pay/nobody/qr.svg", 404),
        ("GET", "/pay/nobody/form", 404),
        ("GET", "/pay/cashier.css", 200),
        ("GET", "/pay/cashier.js", 200),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/metrics", 200),
    ] {
        for (who, key) in KEYS {
            let seen = World::new().call(request(method, path, key, String::new())).await;
            assert_eq!(seen.status, status, "{method} {path} {who}: {seen:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn admin_routes_open_to_the_operator_only() {
    for (method, path, statuses) in [
        ("POST", "/sandbox/main/pay/n", [401, 401, 401, 401, 404, 401]),
        ("POST", "/admin/api/payments/x/confirm", [401, 401, 401, 401, 400, 401]),
        ("POST", "/admin/api/attempts/x/resolve", [401, 401, 401, 401, 400, 401]),
        ("POST", "/admin/api/refunds/x/resolve", [401, 401, 401, 401, 400, 401]),
        ("POST", "/admin/api/transfers/x/resolve", [401, 401, 401, 401, 400, 401]),
        ("POST", "/admin/api/callbacks/x/settle", [401, 401, 401, 401, 400, 401]),
        ("GET", "/admin/api/channels", [401, 401, 401, 401, 200, 401]),
        ("POST", "/admin/api/channels/main/state", [401, 401, 401, 401, 400, 401]),
        ("POST", "/admin/api/reload", [401, 401, 401, 401, 422, 401]),
        ("GET", "/admin/api/queue", [401, 401, 401, 401, 200, 401]),
        ("GET", "/admin/api/attempts?state=unknown", [401, 401, 401, 401, 200, 401]),
        ("GET", "/admin/api/attempts/x/decision", [401, 401, 401, 401, 404, 401]),
        ("GET", "/admin/api/callbacks", [401, 401, 401, 401, 200, 401]),
        ("GET", "/admin/api/audit", [401, 401, 401, 401, 200, 401]),
        ("GET", "/metrics", [200, 200, 200, 200, 200, 200]),
        ("GET", "/healthz", [200, 200, 200, 200, 200, 200]),
        ("GET", "/v1/payments", [404, 404, 404, 404, 404, 404]),
        ("POST", "/notify/main", [404, 404, 404, 404, 404, 404]),
    ] {
        for ((who, key), status) in KEYS.into_iter().zip(statuses) {
            let seen = World::new().call_admin(request(method, path, key, String::new())).await;
            assert_eq!(seen.status, status, "{method} {path} {who}: {seen:?}");
        }
    }
}

fn request(method: &str, path: &str, key: Option<&str>, body: String) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    if let Some(key) = key {
        request = request.header("authorization", key);
    }
    request.body(Body::from(body)).unwrap()
}
