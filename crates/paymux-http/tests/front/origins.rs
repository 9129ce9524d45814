//! From where a client of another protocol calls: what a proxy says is believed of it alone, and nothing that went
//! over an open line is.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use paymux_core::acceptor::{
    Acceptor, FrontAccount, FrontAccounts, FrontAnswer, FrontFact, FrontRead, FrontRoute,
};
use paymux_core::fronts::{Front, Fronts, Service};
use paymux_core::provider::{SettingError, SettingKey, Settings};
use paymux_core::{Timestamp, Verb, WireRequest, WireResponse};
use paymux_http::{FrontConfig, FrontsInTheOpen, Peer, Proxies};

use crate::world::World;

/// What a refused client is told.
const REFUSED: &str =
    "unread: this call came by plain http, which anybody on the way can read; call by https";

/// A protocol whose every call is answered with its sender.
struct Echo;

impl Acceptor for Echo {
    fn slug(&self) -> &'static str {
        "echo"
    }

    fn settings(&self) -> &'static [SettingKey] {
        &[]
    }

    fn check_settings(&self, _settings: &Settings) -> Vec<SettingError> {
        Vec::new()
    }

    fn routes(&self) -> &'static [FrontRoute] {
        &[]
    }

    fn trees(&self) -> &'static [&'static str] {
        &["/echo/"]
    }

    fn unread(&self, _request: &WireRequest, what: &str) -> WireResponse {
        WireResponse::ok("text/plain", format!("unread: {what}"))
    }

    fn read(
        &self,
        _accounts: &dyn FrontAccounts,
        request: &WireRequest,
        _now: Timestamp,
    ) -> Result<FrontRead, WireResponse> {
        let sender = request.sender.as_ref().map_or_else(|| "nobody".to_owned(), IpAddr::to_string);
        Err(WireResponse::ok("text/plain", sender))
    }

    fn answer(&self, _read: &FrontRead, _answer: &FrontAnswer, _now: Timestamp) -> WireResponse {
        WireResponse::with_status(500, "text/plain", "nothing is ever read")
    }

    fn not_found(&self, _request: &WireRequest) -> WireResponse {
        WireResponse::with_status(404, "text/plain", "")
    }

    fn notice(&self, _account: &FrontAccount, _fact: &FrontFact, _now: Timestamp) -> WireRequest {
        WireRequest::new(Verb::Post, "/")
    }

    fn acknowledged(&self, _response: &WireResponse) -> bool {
        true
    }

    fn schedule(&self) -> &'static [Duration] {
        &[]
    }
}

fn world(config: FrontConfig) -> World {
    let mut fronts = Fronts::default();
    fronts.add(Front::new(Arc::new(Echo), Service::On));
    World::with_fronts(config, fronts)
}

/// What a call from there is answered, which the proxy at 10.0.0.1 may have passed on with these fields.
async fn answered(world: &World, peer: Option<(&str, bool)>, fields: &[(&str, &str)]) -> String {
    let mut request = Request::post("/echo/call");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::from("a=1")).unwrap();
    if let Some((ip, is_tls)) = peer {
        request.extensions_mut().insert(Peer { ip: ip.parse().unwrap(), is_tls });
    }
    let seen = world.speak(request).await;
    assert_eq!((seen.status.as_u16(), seen.header("cache-control")), (200, "no-store"));
    seen.text()
}

#[tokio::test(start_paused = true)]
async fn an_open_line_is_refused_in_the_protocols_words() {
    let world = world(FrontConfig::default());
    let forwarded = [("x-forwarded-for", "203.0.113.7"), ("x-forwarded-proto", "https")];
    assert_eq!(answered(&world, Some(("198.51.100.1", false)), &[]).await, REFUSED);
    assert_eq!(
        answered(&world, Some(("198.51.100.1", false)), &forwarded).await,
        REFUSED,
        "no proxy of ours"
    );
    assert_eq!(answered(&world, Some(("198.51.100.1", true)), &forwarded).await, "198.51.100.1");
    assert_eq!(answered(&world, Some(("127.0.0.1", false)), &[]).await, "127.0.0.1");
    assert_eq!(answered(&world, Some(("::1", false)), &[]).await, "::1");
    assert_eq!(answered(&world, None, &forwarded).await, "nobody", "its host answers for the line");
}

#[tokio::test(start_paused = true)]
async fn a_trusted_proxy_says_who_calls_and_how() {
    let proxies = Proxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
    let world = world(FrontConfig { proxies, ..FrontConfig::default() });
    let proxy = Some(("10.0.0.1", false));
    let client = ("x-forwarded-for", "192.0.2.1, 203.0.113.7");
    assert_eq!(answered(&world, proxy, &[client, ("x-forwarded-proto", "https")]).await, "203.0.113.7");
    assert_eq!(answered(&world, proxy, &[client]).await, "203.0.113.7");
    assert_eq!(answered(&world, proxy, &[client, ("x-forwarded-proto", "http")]).await, REFUSED);
    let encrypted = Some(("10.0.0.1", true));
    assert_eq!(answered(&world, encrypted, &[client, ("x-forwarded-proto", "http")]).await, REFUSED);
    assert_eq!(answered(&world, Some(("11.0.0.1", false)), &[client]).await, REFUSED);
}

#[tokio::test(start_paused = true)]
async fn whoever_wants_it_has_open_lines() {
    let fronts_in_the_open = FrontsInTheOpen::Allowed;
    let world = world(FrontConfig { fronts_in_the_open, ..FrontConfig::default() });
    let fields = [("x-forwarded-for", "203.0.113.7")];
    assert_eq!(answered(&world, Some(("198.51.100.1", false)), &fields).await, "198.51.100.1");
}
