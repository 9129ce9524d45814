//! A line to the provider that keeps what paymux sends: our signatures must stand nowhere else.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::Canary;

/// How long a signature is: MD5 in hexadecimal.
const SIGN_DIGITS: usize = 32;

/// A running tap. It ends with the test's runtime.
pub(super) struct Tap {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    /// Before what listens at that URL.
    pub(super) async fn before(url: &str) -> Self {
        let target: SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let tap = Self { address: listener.local_addr().unwrap(), heard: Arc::default() };
        let heard = tap.heard.clone();
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let (from_caller, mut to_caller) = caller.into_split();
                let (mut from_bank, to_bank) = TcpStream::connect(target).await.unwrap().into_split();
                tokio::spawn(hear(from_caller, to_bank, heard.clone()));
                tokio::spawn(async move { tokio::io::copy(&mut from_bank, &mut to_caller).await });
            }
        });
        tap
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that was sent.
    pub(super) fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned()
    }

    /// Every signature that was sent.
    pub(super) fn signatures(&self) -> Vec<Canary> {
        signatures(&self.heard()).into_iter().map(|sign| Canary::of("a signature of ours", sign)).collect()
    }
}

async fn hear(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, heard: Arc<Mutex<Vec<u8>>>) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        heard.lock().unwrap().extend_from_slice(&bytes[..count]);
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

/// What follows each `app_sign`, in a body as in a URL: there each mark stands as `%` and two digits.
fn signatures(sent: &str) -> BTreeSet<String> {
    let after = sent.split("app_sign").skip(1);
    let sign = |text: &str| -> String {
        let text = text.replace("%22", "\"").replace("%3A", ":");
        text.trim_start_matches(['"', ':', ' ', '=']).chars().take_while(char::is_ascii_hexdigit).collect()
    };
    after.map(sign).filter(|sign| sign.len() == SIGN_DIGITS).collect()
}

#[test]
fn signatures_are_found_in_bodies_and_urls() {
    let (one, other) = ("0123456789abcdef".repeat(2), "fedcba9876543210".repeat(2));
    let sent =
        format!("x {{\"app_sign\":\"{one}\"}} GET /?para=%7B%22app_sign%22%3A%22{other}%22%7D app_sign");
    assert_eq!(signatures(&sent), BTreeSet::from([one, other]));
}
