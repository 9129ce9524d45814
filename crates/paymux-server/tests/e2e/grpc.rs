//! The real binary over gRPC: a client in Rust, a client in Python, and the same things seen over HTTP.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use paymux_grpc::v1::payment_service_client::PaymentServiceClient;
use paymux_grpc::v1::{self, CreatePaymentRequest, PaymentStatus};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{sleep, timeout};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::http::Http;
use crate::process::{PATIENCE, Running};
use crate::world::{OTHER, SHOP, Sandbox, free_address, order};

/// The client of another language, which is also the example that the crate shows.
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../paymux-grpc/examples/client.py");
/// What it needs, as its own first lines say.
const PACKAGES: [&str; 3] = ["grpcio==1.85.1", "grpcio-reflection==1.85.1", "grpcio-status==1.85.1"];
/// How long getting those may take.
const INSTALL: Duration = Duration::from_mins(5);

const OPERATOR: &str = "operator-0123456789abcdef";

/// A paymux with a sandbox behind it.
struct Node {
    sandbox: Sandbox,
    operator: Http,
    channel: Channel,
    grpc: SocketAddr,
}

impl Node {
    /// With more in the section `server`, and more sections.
    async fn start_with(server: &str, more: &str) -> Self {
        let (grpc, admin) = (free_address().await, free_address().await);
        let text = format!(
            "[server]\nhttp = \"ADDRESS\"\ngrpc = \"{grpc}\"\nadmin = \"{admin}\"\nadmin_token = \"{OPERATOR}\"\n\
             {server}\n{more}\
             [[apps]]\nid = \"other\"\napi_key = \"{OTHER}\"\n"
        );
        let sandbox = Sandbox::start(&text).await;
        let channel = Channel::from_shared(format!("http://{grpc}")).unwrap().connect().await.unwrap();
        Self { sandbox, operator: Http::new(&format!("http://{admin}")), channel, grpc }
    }

    fn client(&self) -> PaymentServiceClient<Channel> {
        PaymentServiceClient::new(self.channel.clone())
    }

    async fn created(&self, order_no: &str) -> v1::Payment {
        let answer = self.client().create_payment(by(SHOP, tea(order_no))).await.unwrap().into_inner();
        answer.payment.unwrap()
    }

    /// The payer pays.
    async fn pay(&self, number: &str) {
        let paid = self.operator.post(OPERATOR, &format!("/sandbox/box/pay/{number}"), "").await;
        assert_eq!(paid.status, 200, "{}", paid.text);
    }
}

/// A test channel, and a route to it.
const BOX: &str = "[[channels]]\nid = \"box\"\nprovider = \"sandbox\"\n\
                   [[routes]]\nname = \"test\"\nstrategy = \"priority\"\nchannels = [\"box\"]\n";

fn by<T>(key: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    request
}

/// The same order as [`order`].
fn tea(order_no: &str) -> CreatePaymentRequest {
    CreatePaymentRequest {
        order_no: order_no.to_owned(),
        amount: 1999,
        currency: "CNY".to_owned(),
        method: "wechat.native".to_owned(),
        subject: "A pot of tea".to_owned(),
        metadata: [("table".to_owned(), "7".to_owned())].into(),
        ..Default::default()
    }
}

fn reason(status: &Status) -> (Code, String, ErrorDetails) {
    let details = status.get_error_details();
    (status.code(), details.error_info().map(|info| info.reason.clone()).unwrap_or_default(), details)
}

#[tokio::test]
async fn a_payment_is_taken_watched_paid_and_sent_back() {
    let node = Node::start_with("test_mode = true", BOX).await;
    let mut client = node.client();
    let payment = node.created("A1001").await;
    assert_eq!(payment.status(), PaymentStatus::Pending);
    let watch = by(SHOP, v1::WatchPaymentRequest { id: payment.id.clone() });
    let mut states = client.watch_payment(watch).await.unwrap().into_inner();
    assert_eq!(states.message().await.unwrap().as_ref(), Some(&payment));
    node.pay(payment.provider_order_no.as_deref().unwrap()).await;
    let paid = timeout(PATIENCE, states.message()).await.unwrap().unwrap().unwrap();
    assert_eq!((paid.status(), paid.amount_received), (PaymentStatus::Succeeded, 1999));
    assert!(states.message().await.unwrap().is_none(), "the last state ends the stream");

    let refund = v1::CreateRefundRequest {
        payment: payment.id.clone(),
        refund_no: "R1".to_owned(),
        amount: 500,
        reason: None,
    };
    let refund = client.create_refund(by(SHOP, refund)).await.unwrap().into_inner().refund.unwrap();
    assert_eq!(refund.status(), v1::RefundStatus::Succeeded);

    // Over HTTP it is the same payment, and the same order finds it.
    let seen = node.sandbox.http.get(SHOP, &format!("/v1/payments/{}", payment.id)).await.body;
    assert_eq!((&seen["status"], &seen["amount_refunded"]), (&json!("succeeded"), &json!(500)), "{seen}");
    assert_eq!(seen["cashier_url"].as_str(), paid.cashier_url.as_deref());
    let again = node.sandbox.http.post(SHOP, "/v1/payments", order("A1001")).await;
    assert_eq!((again.status, again.body["id"].as_str()), (200, Some(payment.id.as_str())), "{}", again.text);
    node.sandbox.end().await;
}

#[tokio::test]
async fn a_refusal_has_one_reason_over_both() {
    let node = Node::start_with("test_mode = true", BOX).await;
    let payment = node.created("A1001").await;
    let mut client = node.client();
    let http = |answer: crate::http::Answer| answer.body["code"].as_str().unwrap_or_default().to_owned();

    let over_http = http(node.sandbox.http.post(SHOP, "/v1/payments", with(json!({"amount": 0}))).await);
    let nothing = CreatePaymentRequest { amount: 0, ..tea("A2") };
    let (code, over_grpc, details) = reason(&client.create_payment(by(SHOP, nothing)).await.unwrap_err());
    assert_eq!((code, &over_grpc), (Code::InvalidArgument, &over_http));
    assert_eq!(details.bad_request().unwrap().field_violations[0].field, "amount");

    let over_http = http(node.sandbox.http.post("wrong", "/v1/payments", order("A2")).await);
    let (code, over_grpc, _) = reason(&client.create_payment(by("wrong", tea("A2"))).await.unwrap_err());
    assert_eq!((code, &over_grpc), (Code::Unauthenticated, &over_http));

    let over_http = http(node.sandbox.http.get(OTHER, &format!("/v1/payments/{}", payment.id)).await);
    let get = v1::GetPaymentRequest { id: payment.id.clone() };
    let (code, over_grpc, _) = reason(&client.get_payment(by(OTHER, get)).await.unwrap_err());
    assert_eq!((code, &over_grpc), (Code::NotFound, &over_http));

    let other_method = with(json!({"order_no": "A3", "method": "paypal.card"}));
    let over_http = node.sandbox.http.post(SHOP, "/v1/payments", other_method).await;
    let request = CreatePaymentRequest { method: "paypal.card".to_owned(), ..tea("A3") };
    let (code, over_grpc, details) = reason(&client.create_payment(by(SHOP, request)).await.unwrap_err());
    assert_eq!((code, over_grpc.as_str()), (Code::FailedPrecondition, "no_channel"));
    assert_eq!(over_http.body["code"], "no_channel", "{}", over_http.text);
    let told = &details.precondition_failure().unwrap().violations[0];
    let by_http = &over_http.body["channels"][0];
    assert_eq!(told.subject, by_http["channel"].as_str().unwrap());
    assert_eq!(
        (told.r#type.as_str(), told.description.as_str()),
        (by_http["rule"].as_str().unwrap(), by_http["detail"].as_str().unwrap())
    );
    node.sandbox.end().await;
}

fn with(patch: Value) -> Value {
    let mut body = order("A2");
    let Value::Object(patch) = patch else { panic!("a patch is an object") };
    body.as_object_mut().unwrap().extend(patch);
    body
}

#[tokio::test]
async fn one_pace_holds_for_both() {
    let node = Node::start_with("test_mode = true", "[limits]\nrequests_per_second = 1\n").await;
    let mut client = node.client();
    let (mut by_grpc, mut by_http) = (None, None);
    for _ in 0..20 {
        let listed = client.list_payments(by(SHOP, v1::ListPaymentsRequest::default())).await;
        by_grpc = by_grpc.or(listed.err());
        let listed = node.sandbox.http.get(SHOP, "/v1/payments").await;
        by_http = by_http.or((listed.status != 200).then_some(listed));
    }
    let (code, word, details) = reason(&by_grpc.expect("too many calls"));
    assert_eq!((code, word.as_str()), (Code::ResourceExhausted, "rate_limited"));
    assert!(details.retry_info().unwrap().retry_delay.is_some());
    let by_http = by_http.expect("too many requests");
    assert_eq!((by_http.status, &by_http.body["code"]), (429, &json!("rate_limited")), "{}", by_http.text);
    let other = client.list_payments(by(OTHER, v1::ListPaymentsRequest::default())).await;
    assert!(other.is_ok(), "each app has a pace of its own: {other:?}");
    node.sandbox.end().await;
}

#[tokio::test]
async fn a_node_says_that_it_serves_and_not_what_unless_it_is_told_to() {
    let node = Node::start_with("", "").await;
    let request = HealthCheckRequest { service: "paymux.v1.PaymentService".to_owned() };
    let health = HealthClient::new(node.channel.clone()).check(request).await.unwrap().into_inner();
    assert_eq!(health.status(), ServingStatus::Serving);
    let told = python(&[&node.grpc.to_string(), SHOP, "A1"]).await.output().await.unwrap();
    assert!(!told.status.success());
    let why = String::from_utf8_lossy(&told.stderr);
    assert!(why.contains("UNIMPLEMENTED"), "{why}");
    node.sandbox.end().await;
}

#[tokio::test]
async fn a_stop_ends_streams_and_drops_no_call() {
    let node = Node::start_with("test_mode = true", BOX).await;
    let payment = node.created("A1001").await;
    let watch = by(SHOP, v1::WatchPaymentRequest { id: payment.id.clone() });
    let mut states = node.client().watch_payment(watch).await.unwrap().into_inner();
    states.message().await.unwrap();
    node.sandbox.process().send("TERM").await;
    let status = timeout(PATIENCE, states.message()).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    node.sandbox.end().await;
}

#[tokio::test]
async fn a_connection_on_which_somebody_watches_is_not_idle() {
    let node = Node::start_with("test_mode = true", &format!("[limits]\nidle_ms = 500\n{BOX}")).await;
    let payment = node.created("A1001").await;
    let watch = by(SHOP, v1::WatchPaymentRequest { id: payment.id.clone() });
    let mut states = node.client().watch_payment(watch).await.unwrap().into_inner();
    states.message().await.unwrap();
    sleep(Duration::from_secs(2)).await;
    node.pay(payment.provider_order_no.as_deref().unwrap()).await;
    let paid = timeout(PATIENCE, states.message()).await.unwrap().unwrap().unwrap();
    assert_eq!(paid.status(), PaymentStatus::Succeeded);
    node.sandbox.end().await;
}

#[tokio::test]
async fn a_client_needs_no_generated_code() {
    let node = Node::start_with("test_mode = true", BOX).await;
    let mut client = Running::start(python(&[&node.grpc.to_string(), SHOP, "P1001"]).await);
    let mut line = async || -> Option<Value> { Some(serde_json::from_str(&client.line().await?).unwrap()) };
    let refused = line().await.unwrap();
    assert_eq!(
        (&refused["refused"], &refused["reason"]),
        (&json!("INVALID_ARGUMENT"), &json!("invalid_request"))
    );
    let open = line().await.unwrap();
    assert_eq!(open["status"], "PAYMENT_STATUS_PENDING", "{open}");
    node.pay(open["number"].as_str().unwrap()).await;
    let paid = line().await.unwrap();
    assert_eq!((&paid["status"], &paid["id"]), (&json!("PAYMENT_STATUS_SUCCEEDED"), &open["id"]), "{paid}");
    assert_eq!(line().await, None, "it ends with the payment");
    node.sandbox.end().await;
}

/// The client in Python with these arguments, with all that it needs.
async fn python(arguments: &[&str]) -> Command {
    let mut command = Command::new(environment().await.join("bin/python"));
    command.arg(CLIENT).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// A place for Python's packages, made once for all tests and runs.
async fn environment() -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{}", PACKAGES[0]));
    if place.join("ready").exists() {
        return place;
    }
    // Two tests may make one at once: each makes its own, and the first to be done gives it the name.
    let own = tempfile::Builder::new().prefix("python-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let own = own.keep();
    let venv = ["-m", "venv", own.to_str().unwrap()];
    run(
        "python3",
        &venv,
        "on Debian `apt-get install python3-venv`, or .ci/run, which installs what is missing",
    )
    .await;
    let pip = own.join("bin/python");
    let install: Vec<&str> = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        .into_iter()
        .chain(PACKAGES)
        .collect();
    run(pip.to_str().unwrap(), &install, "the packages come from PyPI").await;
    std::fs::write(own.join("ready"), "").unwrap();
    if std::fs::rename(&own, &place).is_ok() { place } else { own }
}

async fn run(program: &str, arguments: &[&str], hint: &str) {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    let output =
        timeout(INSTALL, output).await.unwrap_or_else(|_| panic!("`{program}` takes too long: {hint}"));
    let output = output.unwrap_or_else(|error| panic!("`{program}` does not start ({error}): {hint}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{program} {}` failed: {hint}\n{told}", arguments.join(" "));
}
