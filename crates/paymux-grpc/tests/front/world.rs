//! One front with three apps and a few channels, and clients that call it without a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use paymux_core::catalog::{
    App, Catalog, CatalogHandle, ChannelEntry, FailoverUnknown, Route, Rules, Scope, Strategy, When,
};
use paymux_core::channel::{Can, QueryAnswer, Receipt};
use paymux_core::ids::{AppId, ChannelId, RouteName};
use paymux_core::payments::Ports;
use paymux_core::throttle::Allowance;
use paymux_core::wire::{Endpoint, PlainHttp};
use paymux_core::{Money, Payments, Secret};
use paymux_grpc::v1::payment_service_client::PaymentServiceClient;
use paymux_grpc::v1::routing_service_client::RoutingServiceClient;
use paymux_grpc::v1::{self, CreatePaymentRequest};
use paymux_grpc::{Grpc, GrpcConfig, Health, Nudges, Reflection};
use paymux_testkit::{MemoryStore, Script, ScriptedChannel, ScriptedTransport, SeededRng, TestClock};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The key of app `shop`, which may do all.
pub(crate) const SHOP: &str = "key-of-shop";
/// The key of app `rival`, which may do all.
pub(crate) const RIVAL: &str = "key-of-rival";
/// The key of app `narrow`, whose `scopes` are empty.
pub(crate) const NARROW: &str = "key-of-narrow";
/// The largest message that this front takes.
pub(crate) const BODY_BYTES: usize = 4096;

/// A front and what stands behind it.
pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) nudges: Nudges,
    pub(crate) shutdown: CancellationToken,
    /// The channel `main`, which can do everything.
    pub(crate) main: Arc<ScriptedChannel>,
    pub(crate) is_ready: Arc<AtomicBool>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::that_allows(Allowance::default())
    }

    /// A front whose apps may send no more than that.
    pub(crate) fn that_allows(allowance: Allowance) -> Self {
        let can = Can::QUERY | Can::CANCEL | Can::REFUND | Can::QUERY_REFUND;
        let can = can | Can::TRANSFER | Can::QUERY_TRANSFER;
        let main = Arc::new(ScriptedChannel::new("main").that_can(can));
        let ports = Ports {
            store: Arc::new(MemoryStore::new()),
            transport: Arc::new(ScriptedTransport::new()),
            clock: Arc::new(TestClock::new()),
            rng: Arc::new(SeededRng::new(7)),
        };
        let mut catalog = catalog(&main);
        catalog.allowance = allowance;
        let payments = Payments::new(ports, CatalogHandle::new(catalog));
        let (nudges, shutdown) = (Nudges::default(), CancellationToken::new());
        let is_ready = Arc::new(AtomicBool::new(true));
        let config =
            GrpcConfig { body_bytes: BODY_BYTES, body: Duration::from_secs(5), reflection: Reflection::On };
        let grpc = Grpc::new(config, payments, nudges.clone(), shutdown.clone());
        let (router, health) = grpc.open(Arc::new(Ready(Arc::clone(&is_ready)))).unwrap();
        tokio::spawn(health);
        Self { router, nudges, shutdown, main, is_ready }
    }

    pub(crate) fn client(&self) -> PaymentServiceClient<Router> {
        PaymentServiceClient::new(self.router.clone())
    }

    pub(crate) fn routing(&self) -> RoutingServiceClient<Router> {
        RoutingServiceClient::new(self.router.clone())
    }

    /// Creates a payment for `shop` that must be new.
    pub(crate) async fn created(&self, order_no: &str) -> v1::Payment {
        let answer = self.client().create_payment(by(SHOP, order(order_no))).await.unwrap().into_inner();
        assert!(answer.created, "{answer:?}");
        answer.payment.unwrap()
    }

    /// Creates a payment for `shop` that is paid at once.
    pub(crate) async fn paid(&self, order_no: &str) -> v1::Payment {
        self.main.on_create(Script::Paid(Money::fen(1999)));
        let payment = self.created(order_no).await;
        assert_eq!(payment.status(), v1::PaymentStatus::Succeeded);
        payment
    }

    /// From now on the provider says that orders are paid.
    pub(crate) fn finds_money(&self) {
        let money = Money::fen(1999);
        self.main.finds(QueryAnswer::Paid(Receipt::of(money)));
    }

    /// Asks the provider as `shop`.
    pub(crate) async fn sync(&self, id: &str) -> v1::Payment {
        let request = by(SHOP, v1::SyncPaymentRequest { id: id.to_owned() });
        self.client().sync_payment(request).await.unwrap().into_inner()
    }
}

/// A call with that key.
pub(crate) fn by<T>(key: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    request
}

/// The same with an idempotency key.
pub(crate) fn keyed<T>(key: &str, idempotency_key: &str, message: T) -> Request<T> {
    let mut request = by(key, message);
    request.metadata_mut().insert("idempotency-key", idempotency_key.parse().unwrap());
    request
}

/// A request that is right in every field.
pub(crate) fn order(order_no: &str) -> CreatePaymentRequest {
    CreatePaymentRequest {
        order_no: order_no.to_owned(),
        amount: 1999,
        currency: "CNY".to_owned(),
        method: "wechat.native".to_owned(),
        subject: "Tea".to_owned(),
        ..Default::default()
    }
}

/// A request for a transfer that is right in every field.
pub(crate) fn transfer(transfer_no: &str) -> v1::CreateTransferRequest {
    let payee = [("card_no", "6222020200010120123"), ("name", "Li Lei")];
    v1::CreateTransferRequest {
        transfer_no: transfer_no.to_owned(),
        amount: 500,
        currency: "CNY".to_owned(),
        product: "bank_card".to_owned(),
        payee: payee.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        channel: "main".to_owned(),
        ..Default::default()
    }
}

/// Asserts that the call was refused with that code and reason; gives the details.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(
    answer: Result<tonic::Response<T>, Status>,
    code: Code,
    reason: &str,
) -> ErrorDetails {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), code, "{status:?}");
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, "paymux"), "{status:?}");
    assert!(!status.message().is_empty());
    details
}

/// `main` can do everything; `bare` can neither query nor cancel. The sum says which route takes a payment.
fn catalog(main: &Arc<ScriptedChannel>) -> Catalog {
    let bare = Arc::new(ScriptedChannel::new("bare").that_can(Can::nothing_more()));
    let mut first = ChannelEntry::new(ChannelId::new("main").unwrap(), Arc::clone(main) as _);
    first.rules = Rules::default();
    let channels = vec![first, ChannelEntry::new(ChannelId::new("bare").unwrap(), bare)];
    let route = |name: &str, when: When, channels: Vec<usize>| Route {
        name: RouteName::new(name).unwrap(),
        when,
        strategy: Strategy::Priority,
        channels,
        failover: 0,
        failover_unknown: FailoverUnknown::Abandon,
    };
    let sums = |min, max| When { amount_min: Some(min), amount_max: Some(max), ..When::default() };
    let routes =
        vec![route("bare", sums(555, 555), vec![1]), route("default", sums(1000, 9_999_999), vec![0])];
    let public_url = Endpoint::parse("https://pay.example", PlainHttp::LoopbackOnly).unwrap();
    Catalog::new(apps().into(), channels, routes, public_url)
}

fn apps() -> [App; 3] {
    let app = |id: &str, key, scopes: &[Scope]| {
        let mut app = App::new(AppId::new(id).unwrap(), &[Secret::new(key)]);
        app.scopes = scopes.to_vec();
        app.transfer_amount_max = Some(500_000);
        app
    };
    [app("shop", SHOP, Scope::ALL), app("rival", RIVAL, Scope::ALL), app("narrow", NARROW, &[])]
}

struct Ready(Arc<AtomicBool>);

#[async_trait]
impl Health for Ready {
    async fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
