//! paymux as another service embeds it: payments under layers of tower's, an observer, workers that run and stop.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use paymux::core::payments::Obstacle;
use paymux::core::store::Event;
use paymux::{
    App, AppId, Attempt, AttemptState, Builder, CancellationToken, ChannelPlan, Ended, NewPayment, Observer,
    OpenError, Payment, PaymentError, PaymentRequest, Paymux, RoutePlan, Scope, Settings, Status, Strategy,
    json,
};
use paymux_testkit::{MemoryStore, ScriptedTransport, SeededRng, TestClock};
use tower::{Service as _, ServiceBuilder, ServiceExt as _};

/// Writes down all that it hears.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn add(&self, note: String) {
        self.0.lock().unwrap().push(note);
    }

    fn read(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Observer for Notes {
    fn decided(&self, payment: &Payment, attempt: &Attempt) {
        self.add(format!("{} goes to {}", payment.order_no, attempt.channel));
    }

    fn moved(&self, payment: &Payment, attempt: &Attempt, before: AttemptState) {
        self.add(format!("{} was {before}, is {}", payment.order_no, attempt.state));
    }

    fn happened(&self, event: &Event) {
        self.add(event.kind.to_string());
    }
}

fn shop() -> AppId {
    AppId::new("shop").unwrap()
}

fn order(order_no: &str, script: &str) -> NewPayment {
    let mut request = PaymentRequest::new(order_no, 1999, "CNY", "wechat.native", "Tea");
    request.metadata.insert("sandbox".to_owned(), script.to_owned());
    NewPayment::check(&request).unwrap()
}

/// Two sandboxes, of which the second is tried when the first refuses.
fn set_up(store: &Arc<MemoryStore>) -> Builder {
    let bank = paymux::sandbox::provider();
    let channel = |id| ChannelPlan::of(id, &bank, Settings::new());
    Paymux::builder()
        .test_mode()
        .app("shop")
        .channel(channel("main"))
        .channel(channel("spare"))
        .route(RoutePlan::new("default", Strategy::Priority, ["main", "spare"]).failover(1))
        .store(store.clone())
        .clock(Arc::new(TestClock::new()))
        .rng(Arc::new(SeededRng::new(7)))
        .transport(Arc::new(ScriptedTransport::new()))
}

#[tokio::test(start_paused = true)]
async fn payments_go_through_layers() {
    let paymux = set_up(&Arc::default()).open().await.unwrap();
    let mut service = ServiceBuilder::new()
        .concurrency_limit(2)
        .timeout(Duration::from_secs(30))
        .service(paymux.service(shop()));

    let first = service.ready().await.unwrap().call(order("A1", "paid")).await.unwrap();
    assert_eq!((first.order_no.as_str(), first.status), ("A1", Status::Succeeded));
    let again = service.ready().await.unwrap().call(order("A1", "paid")).await.unwrap();
    assert_eq!(again.id, first.id, "the same request finds the same payment");
    let other = service.ready().await.unwrap().call(order("A1", "open")).await.unwrap_err();
    let other = other.downcast::<PaymentError>().unwrap();
    assert_eq!(other.code(), "order_mismatch");
}

#[tokio::test(start_paused = true)]
async fn a_service_is_of_an_app_that_may_pay() {
    let store = Arc::default();
    let mut closed = App::new(AppId::new("closed").unwrap(), &[]);
    closed.scopes = vec![Scope::Refunds];
    let paymux = set_up(&store).app_with(closed).open().await.unwrap();
    check(&paymux, "closed", "forbidden").await;
    check(&paymux, "gone", "not_found").await;
    assert_eq!(
        paymux.payments().find_by_order(&shop(), &order("A1", "open").order_no).await.unwrap_err().code(),
        "not_found"
    );

    async fn check(paymux: &Paymux, app: &str, want: &str) {
        let service = paymux.service(AppId::new(app).unwrap());
        let refused = service.oneshot(order("A1", "open")).await.unwrap_err();
        assert_eq!(refused.code(), want, "{app}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_hears_what_is_durable_in_its_order() {
    let notes = Notes::default();
    let paymux = set_up(&Arc::default()).observer(notes.clone()).open().await.unwrap();
    paymux.payments().create(shop(), order("A1", "refused")).await.unwrap();
    let want = [
        "A1 goes to main",
        "A1 was sending, is refused",
        "A1 goes to spare",
        "A1 was sending, is refused",
        "payment.failed",
    ];
    assert_eq!(notes.read(), want);
}

#[tokio::test(start_paused = true)]
async fn workers_find_what_nobody_tells_and_stop_in_order() {
    let paymux = set_up(&Arc::default()).open().await.unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(paymux.clone().run(stop.clone()));

    let payments = paymux.payments();
    let open = payments.create(shop(), order("A1", "open")).await.unwrap().payment;
    assert_eq!(open.status, Status::Pending);
    let attempt = open.live().unwrap();
    payments
        .native(attempt.channel.clone(), "pay".to_owned(), json!({"number": attempt.number.as_str()}))
        .await
        .unwrap();
    let paid = async {
        while payments.find(&shop(), open.id).await.unwrap().status != Status::Succeeded {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_hours(1), paid).await.expect("the sweeper asks the sandbox");

    stop.cancel();
    assert_eq!(running.await.unwrap(), Ended::Drained);
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_or_bound_otherwise_opens_nothing() {
    let store = Arc::default();
    let bank = paymux::sandbox::provider();
    let channel = |id| ChannelPlan::of(id, &bank, Settings::new());
    let without = Builder::new().test_mode().channel(channel("main"));
    let told = without.open().await.unwrap_err().to_string();
    assert!(told.starts_with("payments need a store: give one with `store`"), "{told}");

    set_up(&store).open().await.unwrap();
    let unknown = set_up(&store).route(RoutePlan::new("more", Strategy::Random, ["gone"])).open().await;
    assert_eq!(unknown.unwrap_err().to_string(), "route `more`: unknown channel `gone`; known: main, spare");

    let live = ChannelPlan::own("main", paymux_testkit::ScriptedChannel::new("another"));
    let other = Builder::new()
        .channel(live.clone())
        .store(store.clone())
        .clock(Arc::new(TestClock::new()))
        .transport(Arc::new(ScriptedTransport::new()));
    let told = other.open().await.unwrap_err().to_string();
    assert!(told.starts_with("public_url: required: `main` moves real money"), "{told}");
    let other = Builder::new()
        .channel(live)
        .public_url("https://pay.example.com")
        .store(store)
        .clock(Arc::new(TestClock::new()))
        .transport(Arc::new(ScriptedTransport::new()));
    let Err(OpenError::Bound(obstacles)) = other.open().await else { panic!("another account has that id") };
    let channels: Vec<&str> = obstacles.iter().map(|Obstacle { channel, .. }| channel.as_str()).collect();
    assert_eq!(channels, ["main"]);
}
