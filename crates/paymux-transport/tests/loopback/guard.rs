//! Merchants' URLs that would reach machines beside us. A canary listens on loopback and must hear
//! nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use paymux_core::transport::{Destination, Outgoing, Transport};
use paymux_core::wire::{Endpoint, PlainHttp};
use paymux_transport::{Guard, Names, Settings};

use crate::support::{ADDRESS_REFUSED, AllAre, CONNECT, OK, Server, body, dialler, post};

/// `PORT` stands for the canary's.
const HOSTILE: [&str; 86] = [
    // Loopback in many spellings.
    "https://127.0.0.1:PORT/",
    "https://127.0.0.1/",
    "https://127.1:PORT/",
    "https://127.0.1:PORT/",
    "https://127.255.255.254:PORT/",
    "https://2130706433:PORT/",
    "https://0x7f000001:PORT/",
    "https://0x7f.0.0.1:PORT/",
    "https://0x7F.1:PORT/",
    "https://0177.0.0.1:PORT/",
    "https://017700000001:PORT/",
    "https://0177.0.0x0.1:PORT/",
    "https://127.0.0.1.:PORT/",
    "https://%31%32%37.0.0.1:PORT/",
    "https://127%2e0%2e0%2e1:PORT/",
    "https://127\u{3002}0\u{3002}0\u{3002}1:PORT/",
    "https://\u{ff11}\u{ff12}\u{ff17}.0.0.1:PORT/",
    "https://\u{2460}27.0.0.1:PORT/",
    "https:\\\\127.0.0.1:PORT\\",
    "https:127.0.0.1:PORT",
    "https:///127.0.0.1:PORT/",
    "  https://127.0.0.1:PORT/",
    "https://127.0.0\t.1:PORT/",
    "https://0.0.0.0:PORT/",
    "https://0:PORT/",
    "https://0/",
    "https://[::1]:PORT/",
    "https://[::]:PORT/",
    "https://[0:0:0:0:0:0:0:1]:PORT/",
    // IPv4 in IPv6's clothes.
    "https://[::ffff:127.0.0.1]:PORT/",
    "https://[::ffff:7f00:1]:PORT/",
    "https://[::127.0.0.1]:PORT/",
    "https://[::ffff:0:127.0.0.1]:PORT/",
    "https://[64:ff9b::127.0.0.1]:PORT/",
    "https://[64:ff9b::7f00:1]:PORT/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[64:ff9b:1::127.0.0.1]:PORT/",
    "https://[2002:7f00:1::]:PORT/",
    "https://[2002:a9fe:a9fe::]/",
    "https://[2001:0:7f00:1::]/",
    // Names for this machine and its network.
    "https://localhost:PORT/",
    "https://LOCALHOST:PORT/",
    "https://localhost.:PORT/",
    "https://\u{24db}ocalhost:PORT/",
    "https://shop.localhost:PORT/",
    "https://localhost.localdomain:PORT/",
    "https://printer.local:PORT/",
    "https://metadata.google.internal/",
    "https://router.home.arpa/",
    "https://postgres:PORT/",
    "https://kubernetes/",
    "https://shop.onion/",
    // Private and special networks, metadata services.
    "https://10.0.0.1/",
    "https://10.255.255.255:PORT/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.0.1/",
    "https://100.64.0.1/",
    "https://100.100.100.200/",
    "https://169.254.169.254/latest/meta-data/",
    "https://0xa9fea9fe/",
    "https://2852039166/",
    "https://[::ffff:169.254.169.254]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[100::1]/",
    "https://[2001:db8::1]/",
    "https://[3fff::1]/",
    "https://168.63.129.16/",
    "https://192.0.0.192/",
    "https://192.0.2.1/",
    "https://192.88.99.1/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    // Public names with a wrong scheme, port, or more than a host before the path.
    "http://shop.example.com:PORT/",
    "http://127.0.0.1:PORT/",
    "https://shop.example.com:22/",
    "https://shop.example.com:25/",
    "https://shop.example.com:0/",
    "ftp://shop.example.com/",
    "https://user:pass@127.0.0.1:PORT/",
    "https://shop.example.com@127.0.0.1:PORT/",
];

#[tokio::test]
async fn hostile_urls_reach_nothing() {
    let canary = Server::answering(OK).await;
    // Every name stands for loopback: one that the guard let pass would arrive.
    let (dialler, _clock) = dialler(&strict(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]));
    for url in HOSTILE {
        let url = url.replace("PORT", &canary.at.port().to_string());
        let Ok(endpoint) = Endpoint::parse(&url, PlainHttp::Anywhere) else { continue };
        assert!(dialler.check(Destination::Merchant, &endpoint).is_err(), "{url}");
        assert_eq!(dialler.send(notice(endpoint)).await, ADDRESS_REFUSED, "{url}");
    }
    assert_eq!(canary.connections_at_last().await, 0);
}

#[test]
fn hostile_urls_are_many_and_most_are_well_formed() {
    let parsed = HOSTILE
        .iter()
        .filter(|url| Endpoint::parse(&url.replace("PORT", "8443"), PlainHttp::Anywhere).is_ok());
    assert!(parsed.count() >= 75);
}

#[tokio::test]
async fn names_that_resolve_to_machines_beside_us_reach_nothing() {
    let canary = Server::answering(OK).await;
    for hidden in [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "169.254.169.254",
        "fd00::1",
        "64:ff9b::7f00:1",
    ] {
        let (dialler, _clock) = dialler(&strict(vec![hidden.parse().unwrap()]));
        let endpoint = https("rebind.example.com", canary.at.port());
        assert_eq!(dialler.check(Destination::Merchant, &endpoint), Ok(()), "the text alone is harmless");
        assert_eq!(dialler.send(notice(endpoint)).await, ADDRESS_REFUSED, "{hidden}");
    }
    assert_eq!(canary.connections_at_last().await, 0);
}

/// A name that changes its mind between two look-ups gains nothing: each connect looks up once, and dials
/// what was judged.
#[tokio::test]
async fn a_thousand_rebinding_flips_reach_nothing() {
    let canary = Server::answering(OK).await;
    let names = Arc::new(Flipping::default());
    let (dialler, _clock) = dialler(&Settings { names: names.clone(), ..Settings::default() });
    for flip in 1..=1000 {
        let result = dialler.send(notice(https("rebind.example.com", canary.at.port()))).await;
        assert!(result == ADDRESS_REFUSED || result == CONNECT, "{result:?}");
        assert_eq!(names.asked.load(Ordering::SeqCst), flip, "one look-up for each connect");
    }
    assert_eq!(canary.connections_at_last().await, 0);
}

#[tokio::test]
async fn demos_and_tests_may_call_loopback() {
    let server = Server::answering(OK).await;
    let settings = Settings {
        guard: Guard { allow_private_addresses: true, ..Guard::default() },
        names: Arc::new(AllAre(vec![Ipv4Addr::LOCALHOST.into()])),
        ..Settings::default()
    };
    let (dialler, _clock) = dialler(&settings);
    for host in ["127.0.0.1", "localhost", "shop.example"] {
        let url = format!("http://{host}:{}", server.at.port());
        let endpoint = Endpoint::parse(&url, PlainHttp::Anywhere).unwrap();
        assert_eq!(dialler.check(Destination::Merchant, &endpoint), Ok(()));
        assert_eq!(body(&dialler.send(notice(endpoint)).await), "ok", "{host}");
    }
}

#[tokio::test]
async fn operators_may_write_any_address_for_a_provider() {
    let server = Server::answering(OK).await;
    let (dialler, _clock) = dialler(&strict(vec![Ipv4Addr::LOCALHOST.into()]));
    for host in ["127.0.0.1", "gateway"] {
        let call = post(&format!("http://{host}:{}", server.at.port()));
        assert_eq!(dialler.check(Destination::Provider, &call.endpoint), Ok(()));
        assert_eq!(body(&dialler.send(call).await), "ok", "{host}");
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    let (dialler, _clock) = dialler(&Settings::default());
    for (url, want) in [
        ("http://shop.example.com/", "the scheme must be https"),
        ("https://shop.example.com:22/", "port `22` is not allowed: use 443 or one from 1024 up"),
        ("https://shop/", "the host must be a public name with a dot, like shop.example.com"),
        ("https://0x7f.1/", "address `127.0.0.1` is not public: use one that the whole Internet can reach"),
    ] {
        let endpoint = Endpoint::parse(url, PlainHttp::Anywhere).unwrap();
        assert_eq!(dialler.check(Destination::Merchant, &endpoint).unwrap_err(), want);
    }
}

fn strict(all_are: Vec<IpAddr>) -> Settings {
    Settings { names: Arc::new(AllAre(all_are)), ..Settings::default() }
}

fn https(host: &str, port: u16) -> Endpoint {
    Endpoint::parse(&format!("https://{host}:{port}/"), PlainHttp::LoopbackOnly).unwrap()
}

fn notice(endpoint: Endpoint) -> Outgoing {
    Outgoing { destination: Destination::Merchant, endpoint, ..post("http://127.0.0.1") }
}

/// No answer and loopback in turns.
#[derive(Default)]
struct Flipping {
    asked: AtomicUsize,
}

#[async_trait]
impl Names for Flipping {
    async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(if asked.is_multiple_of(2) { Vec::new() } else { vec![Ipv4Addr::LOCALHOST.into()] })
    }
}
