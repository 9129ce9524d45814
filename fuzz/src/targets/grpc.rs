//! paymux-grpc: messages to every method, as far behind hyper as ours begins, over a ledger in memory.
//!
//! Whatever a message says, no answer calls it a fault of ours, and none tells a key. Seeds are written by hand: what
//! makes messages from types would only make good ones.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::{Request, Version};
use http_body_util::BodyExt as _;
use paymux_core::Payments;
use paymux_core::catalog::CatalogHandle;
use paymux_core::channel::Can;
use paymux_core::payments::Ports;
use paymux_grpc::{Grpc, GrpcConfig, Health, Nudges, Reflection};
use paymux_testkit::{MemoryStore, ScriptedChannel, ScriptedTransport, SeededRng, TestClock};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::merchant::{KEY, catalog};
use crate::{Exam, Seen, Target};

/// An input's first byte says which of them it is for.
const METHODS: [&str; 11] = [
    "PaymentService/CreatePayment",
    "PaymentService/GetPayment",
    "PaymentService/ListPayments",
    "PaymentService/CancelPayment",
    "PaymentService/SyncPayment",
    "PaymentService/CreateRefund",
    "PaymentService/GetRefund",
    "PaymentService/CreateTransfer",
    "PaymentService/GetTransfer",
    "PaymentService/WatchPayment",
    "RoutingService/Explain",
];
/// Of that one, which goes on for half an hour, the beginning is looked at.
const WATCH: usize = 9;
/// After so many inputs the ledger is thrown away.
const INPUTS: u32 = 512;

pub(super) fn targets() -> Vec<Target> {
    vec![Target {
        name: "grpc/merchant".to_owned(),
        about: "messages to every method of gRPC: an answer or a status with a reason, never our fault",
        seeds: seeds(),
        words: WORDS,
        begin: Box::new(begin),
    }]
}

const WORDS: &[&str] = &["wechat.native", "CNY", "A1001", "pay_", "main", "\u{7ea2}", "7", "bank_card"];

fn seeds() -> Vec<Vec<u8>> {
    let (text, number) = (text_field, number_field);
    let payer = text(9, &[text(1, b"203.0.113.7"), text(2, b"CN-31")].concat());
    let metadata = text(10, &[text(1, b"shop"), text(2, b"7")].concat());
    let value = text(3, b"x");
    let extra = text(12, &text(1, &[text(1, b"k"), text(2, &value)].concat()));
    let order = [
        text(1, b"A1001"),
        number(2, 1999),
        text(3, b"CNY"),
        text(4, b"wechat.native"),
        text(5, b"Tea"),
        number(6, 600),
    ]
    .concat();
    let payee = text(5, &[text(1, b"card_no"), text(2, b"6222020200010120123")].concat());
    let transfer =
        [text(1, b"T1"), number(2, 500), text(3, b"CNY"), text(4, b"bank_card"), payee, text(6, b"main")];
    let list = [number(2, 3), text(3, &number(1, 1)), number(5, 10)];
    let id = text(1, b"pay_018df74f840000000000000000000007");
    let refund = [id.clone(), text(2, b"R1"), number(3, 1), text(4, b"too sweet")];
    let explain = [text(1, &order), text(2, b"7"), number(3, 10)];
    vec![
        to(0, &order),
        to(0, &[order.clone(), payer, metadata].concat()),
        to(0, &[order, extra].concat()),
        to(1, &id),
        to(2, &list.concat()),
        to(2, &[]),
        to(3, &id),
        to(4, &id),
        to(5, &refund.concat()),
        to(6, &text(1, b"rfd_018df74f840000000000000000000007")),
        to(7, &transfer.concat()),
        to(8, &text(1, b"trf_018df74f840000000000000000000007")),
        to(9, &id),
        to(10, &explain.concat()),
    ]
}

fn to(method: u8, message: &[u8]) -> Vec<u8> {
    [&[method][..], message].concat()
}

/// A field that says its length, below 128.
fn text_field(number: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).ok().filter(|length| *length < 128).expect("a short literal");
    [&[(number << 3) | 2, length][..], content].concat()
}

/// A number below 2^14, in as many bytes as the longest takes.
fn number_field(number: u8, value: u16) -> Vec<u8> {
    let low = u8::try_from(value & 0x7f).expect("seven bits");
    let high = u8::try_from(value >> 7).ok().filter(|high| *high < 128).expect("a small literal");
    vec![number << 3, low | 0x80, high]
}

fn begin() -> Exam {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime of one thread");
    let (mut router, mut left) = (host(&runtime), INPUTS);
    Box::new(move |input| {
        let Some((method, message)) = input.split_first() else { return Seen::Refused };
        if left == 0 {
            (router, left) = (host(&runtime), INPUTS);
        }
        left -= 1;
        runtime.block_on(look(&router, usize::from(*method) % METHODS.len(), message))
    })
}

fn host(runtime: &Runtime) -> Router {
    runtime.block_on(async {
        let can = Can::QUERY | Can::CANCEL | Can::REFUND | Can::QUERY_REFUND;
        let channel = ScriptedChannel::new("main").that_can(can | Can::TRANSFER | Can::QUERY_TRANSFER);
        let ports = Ports {
            store: Arc::new(MemoryStore::new()),
            transport: Arc::new(ScriptedTransport::new()),
            clock: Arc::new(TestClock::new()),
            rng: Arc::new(SeededRng::new(7)),
        };
        let payments = Payments::new(ports, CatalogHandle::new(catalog(Arc::new(channel))));
        let config =
            GrpcConfig { body_bytes: 65_536, body: Duration::from_secs(5), reflection: Reflection::Off };
        let grpc = Grpc::new(config, payments, Nudges::default(), CancellationToken::new());
        // Nobody asks for its health here.
        grpc.open(Arc::new(Always)).expect("services that are described").0
    })
}

async fn look(router: &Router, method: usize, message: &[u8]) -> Seen {
    let length = u32::try_from(message.len()).expect("inputs are short");
    let body = [&[0][..], &length.to_be_bytes()[..], message].concat();
    let asked = Request::post(format!("/paymux.v1.{}", METHODS[method]))
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("authorization", format!("Bearer {KEY}"))
        .body(Body::from(body))
        .expect("a request that is right");
    let Ok(answer) = router.clone().oneshot(asked).await;
    let code = |value: Option<&http::HeaderValue>| value.map(|value| value.as_bytes().to_vec());
    let mut status = code(answer.headers().get("grpc-status"));
    let has_reason = answer.headers().contains_key("grpc-status-details-bin");
    if method != WATCH || status.is_some() {
        let whole = answer.into_body().collect().await.expect("a body of ours ends");
        status = status.or_else(|| code(whole.trailers().and_then(|trailers| trailers.get("grpc-status"))));
        let bytes = whole.to_bytes();
        assert!(!bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()), "an answer tells a key");
    }
    let is_taken = status.as_deref().is_none_or(|status| status == b"0");
    let status = String::from_utf8(status.unwrap_or_default()).expect("a number");
    // UNKNOWN, INTERNAL, DATA_LOSS.
    assert!(!["2", "13", "15"].contains(&status.as_str()), "status {status} of {}", METHODS[method]);
    assert!(is_taken || has_reason, "status {status} of {} has no reason", METHODS[method]);
    Seen::taken_if(is_taken)
}

struct Always;

#[async_trait]
impl Health for Always {
    async fn is_ready(&self) -> bool {
        true
    }
}
