//! One day of the ledger against a provider that lists what a test says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use paymux_core::catalog::{Catalog, ChannelEntry};
use paymux_core::channel::{
    CallbackError, Can, Channel, ChannelError, Claim, Created, Cx, Descriptor, ListedOrder, ListedRefund,
    Order, Verdict,
};
use paymux_core::outflow::OutflowState;
use paymux_core::payment::Payment;
use paymux_core::payments::Ports;
use paymux_core::reconcile::{Comparison, Day, Kind, Part, Records, Report, Stage, Step};
use paymux_core::refund::RefundOrigin;
use paymux_core::store::{PaymentLedger as _, RefundLedger as _, RefundWrite};
use paymux_core::{
    CatalogHandle, Money, PaymentError, Payments, Refund, Timestamp, WireRequest, WireResponse,
};
use paymux_testkit::fixtures::{change_of, opening_of, paid, refund_change, step_to};
use paymux_testkit::{Fixtures, MemoryStore, ScriptedChannel, ScriptedTransport, SeededRng, TestClock};

use crate::world::{channel, endpoint};

/// What a provider's list does.
type Listing = Box<dyn Fn() -> Result<Vec<ListedOrder>, ChannelError> + Send + Sync>;

/// A provider that lists.
struct Lister {
    descriptor: Descriptor,
    orders: Mutex<Listing>,
    refunds: Mutex<Vec<ListedRefund>>,
    windows: Mutex<Vec<(Timestamp, Timestamp)>>,
}

#[async_trait]
impl Channel for Lister {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn create(&self, _: &Cx<'_>, _: &Order) -> Result<Created, ChannelError> {
        Err(ChannelError::Unsupported)
    }

    async fn list(
        &self,
        _: &Cx<'_>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<ListedOrder>, ChannelError> {
        self.windows.lock().unwrap().push((from, to));
        (self.orders.lock().unwrap())()
    }

    async fn list_refunds(
        &self,
        _: &Cx<'_>,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Vec<ListedRefund>, ChannelError> {
        Ok(self.refunds.lock().unwrap().clone())
    }

    fn verify_callback(&self, _: &WireRequest) -> Result<Claim, CallbackError> {
        Err(CallbackError::Unreadable("it sends none".to_owned()))
    }

    fn acknowledge(&self, _: Verdict) -> WireResponse {
        WireResponse::ok("text/plain", "")
    }
}

struct World {
    payments: Payments,
    store: Arc<MemoryStore>,
    lister: Arc<Lister>,
    fixtures: Fixtures,
}

/// The day on which fixtures are made.
fn day() -> Day {
    "2024-03-01".parse().unwrap()
}

impl World {
    fn that_can(can: Can) -> Self {
        let lister = Arc::new(Lister {
            descriptor: Descriptor { can, ..ScriptedChannel::new("main").descriptor().clone() },
            orders: Mutex::new(Box::new(|| Ok(vec![]))),
            refunds: Mutex::default(),
            windows: Mutex::default(),
        });
        let store = Arc::new(MemoryStore::new());
        let entry = ChannelEntry::new(channel("main"), lister.clone());
        let catalog = Catalog::new(vec![], vec![entry], vec![], endpoint("https://pay.example"));
        let ports = Ports {
            store: store.clone(),
            transport: Arc::new(ScriptedTransport::new()),
            clock: Arc::new(TestClock::new()),
            rng: Arc::new(SeededRng::new(7)),
        };
        let payments = Payments::new(ports, CatalogHandle::new(catalog));
        Self { payments, store, lister, fixtures: Fixtures::new(1) }
    }

    fn new() -> Self {
        Self::that_can(Can::LIST | Can::REFUND | Can::LIST_REFUNDS)
    }

    /// A payment whose attempt was made at that moment, or when it was its turn.
    async fn unpaid(&self, at: Option<Timestamp>) -> Payment {
        let mut payment = self.fixtures.payment("shop", &format!("A{}", self.fixtures.now().ms()));
        if let Some(at) = at {
            payment.attempts[0].created_at = at;
        }
        self.store.open(opening_of(payment.clone())).await.unwrap();
        payment
    }

    async fn paid(&self, at: Option<Timestamp>) -> Payment {
        let change = paid(&self.fixtures, &self.unpaid(at).await);
        let payment = change.payment.clone();
        self.store.apply(change).await.unwrap();
        payment
    }

    async fn refunded(&self) -> Refund {
        let payment = self.paid(None).await;
        self.sent_back(&payment, RefundOrigin::Merchant, 100).await
    }

    async fn sent_back(&self, payment: &Payment, origin: RefundOrigin, minor: i64) -> Refund {
        let refund = self.fixtures.refund(payment, &format!("R{}", self.fixtures.now().ms()), minor);
        let refund = Refund { origin, ..refund };
        self.store.open_refund(refund.clone()).await.unwrap();
        let write = step_to(&refund, OutflowState::Succeeded);
        let refund = Refund { fence: 1, ..write.refund().clone() };
        let write =
            RefundWrite::Step { refund: refund.clone(), seen_state: OutflowState::Queued, seen_fence: 0 };
        self.store.apply(refund_change(payment, write)).await.unwrap();
        refund
    }

    fn lists(&self, orders: Vec<ListedOrder>) {
        *self.lister.orders.lock().unwrap() = Box::new(move || Ok(orders.clone()));
    }

    async fn report(&self) -> Report {
        self.payments.reconcile(&channel("main"), day(), &|_, _| {}).await.unwrap()
    }

    async fn compared(&self, records: Records) -> Comparison {
        let report = self.report().await;
        match report.parts.into_iter().find(|(of, _)| *of == records) {
            Some((_, Part::Compared(comparison))) => comparison,
            other => panic!("{other:?}"),
        }
    }

    /// How many orders there are of each kind.
    async fn counts(&self) -> Vec<(Kind, u64)> {
        self.compared(Records::Orders).await.counts.into_iter().collect()
    }
}

/// How the provider shows that payment's order.
fn listed(payment: &Payment) -> ListedOrder {
    let attempt = &payment.attempts[0];
    ListedOrder {
        number: attempt.number.to_string(),
        amount: Some(payment.amount),
        received: attempt.received,
        reverted: false,
        flaw: None,
        created_at: attempt.created_at,
        terms: None,
    }
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_difference_is_told_with_both_sides() {
    let world = World::new();
    let [good, gone, less, late] =
        [world.paid(None).await, world.paid(None).await, world.paid(None).await, world.unpaid(None).await];
    let quiet = world.unpaid(None).await;
    let strange = ListedOrder { number: "strange".to_owned(), ..listed(&good) };
    world.lists(vec![
        listed(&good),
        ListedOrder { received: Some(Money::fen(1500)), ..listed(&less) },
        ListedOrder { received: Some(Money::fen(1999)), ..listed(&late) },
        strange,
    ]);
    let comparison = world.compared(Records::Orders).await;
    let mut kinds: BTreeMap<String, (Kind, bool, bool)> = BTreeMap::new();
    for told in &comparison.differences {
        kinds.insert(told.number.clone(), (told.kind, told.here.is_some(), told.there.is_some()));
    }
    let number = |payment: &Payment| payment.attempts[0].number.to_string();
    let want = BTreeMap::from([
        (number(&gone), (Kind::MissingThere, true, false)),
        (number(&less), (Kind::AmountDiffers, true, true)),
        (number(&late), (Kind::StateDiffers, true, true)),
        ("strange".to_owned(), (Kind::MissingHere, false, true)),
    ]);
    assert_eq!(kinds, want);
    assert_eq!((comparison.counts[&Kind::Matched], comparison.counts[&Kind::NotListed]), (1, 1));
    assert!(!kinds.contains_key(&number(&quiet)));
    let moved = comparison.moved["CNY"];
    assert_eq!((moved.here, moved.there), (3 * 1999, 1999 + 1500 + 1999 + 1999));
}

#[tokio::test(start_paused = true)]
async fn what_its_provider_has_undone_is_told_and_counts_as_no_money_there() {
    let world = World::new();
    let (paid, closed) = (world.paid(None).await, world.unpaid(None).await);
    let reverted = |payment: &Payment| ListedOrder {
        received: Some(Money::fen(1999)),
        reverted: true,
        ..listed(payment)
    };
    world.lists(vec![reverted(&paid), reverted(&closed)]);
    let comparison = world.compared(Records::Orders).await;
    assert_eq!(comparison.counts, BTreeMap::from([(Kind::Matched, 1), (Kind::StateDiffers, 1)]));
    let there = comparison.differences[0].there.as_ref().unwrap();
    assert_eq!((there.stage, there.moved), (Stage::Reverted, None));
    assert_eq!((comparison.moved["CNY"].here, comparison.moved["CNY"].there), (1999, 0));
}

#[tokio::test(start_paused = true)]
async fn a_record_may_lie_on_the_other_side_of_midnight() {
    let world = World::new();
    let (before, first) =
        (moment("2024-03-01T00:00:00+08:00").ms() - 1, moment("2024-03-01T00:00:00+08:00").ms());
    let at = |ms| Some(Timestamp::from_ms(ms));
    // Ours of yesterday, theirs of today; and the other way round.
    let (ours, theirs) = (world.paid(at(before)).await, world.paid(at(first)).await);
    world.lists(vec![
        ListedOrder { created_at: Timestamp::from_ms(first), ..listed(&ours) },
        ListedOrder { created_at: Timestamp::from_ms(before), ..listed(&theirs) },
    ]);
    assert_eq!(world.counts().await, [(Kind::Matched, 2)]);
    let hour = 3_600_000;
    let to = moment("2024-03-02T00:00:00+08:00").ms() + hour;
    let asked = (Timestamp::from_ms(first - hour), Timestamp::from_ms(to));
    assert_eq!(*world.lister.windows.lock().unwrap(), [asked]);
}

#[tokio::test(start_paused = true)]
async fn what_neither_side_has_in_the_day_is_another_days() {
    let world = World::new();
    let yesterday = moment("2024-02-29T23:59:00+08:00");
    let payment = world.paid(Some(yesterday)).await;
    let strange = ListedOrder { number: "strange".to_owned(), ..listed(&payment) };
    world.lists(vec![listed(&payment), strange]);
    assert_eq!(world.counts().await, []);
}

#[tokio::test(start_paused = true)]
async fn money_that_comes_in_meanwhile_is_no_difference() {
    let world = World::new();
    let payment = world.unpaid(None).await;
    let change = paid(&world.fixtures, &payment);
    let order = ListedOrder { received: Some(Money::fen(1999)), ..listed(&payment) };
    let store = world.store.clone();
    *world.lister.orders.lock().unwrap() = Box::new(move || {
        // The callback comes while the provider is listing; the store in memory never waits.
        let applied = futures_util::FutureExt::now_or_never(store.apply(change.clone()));
        assert!(matches!(applied, Some(Ok(paymux_core::store::Applied::Done))));
        Ok(vec![order.clone()])
    });
    assert_eq!(world.counts().await, [(Kind::Matched, 1)]);
}

#[tokio::test(start_paused = true)]
async fn what_came_in_beside_is_part_of_what_the_provider_shows() {
    let world = World::new();
    let payment = world.paid(None).await;
    let mut change = change_of(&payment);
    change.payment.attempts[0].more = vec![paymux_core::payment::SecondSum {
        trade_no: "T2".to_owned(),
        amount: 1,
        currency: "CNY".to_owned(),
        settled: false,
    }];
    let seen = &payment.attempts[0];
    change.touched =
        vec![paymux_core::store::Touched { id: seen.id, seen_state: seen.state, seen_fence: seen.fence }];
    world.store.apply(change).await.unwrap();
    for (received, kind) in [(1999, Kind::Matched), (2000, Kind::Matched), (2001, Kind::AmountDiffers)] {
        world.lists(vec![ListedOrder { received: Some(Money::fen(received)), ..listed(&payment) }]);
        assert_eq!(world.counts().await, [(kind, 1)], "{received}");
    }
}

#[tokio::test(start_paused = true)]
async fn refunds_are_compared_too() {
    let world = World::new();
    let [good, gone] = [world.refunded().await, world.refunded().await];
    let listed = |refund: &Refund, done| ListedRefund {
        number: refund.number.clone(),
        amount: refund.amount,
        done,
        created_at: refund.created_at,
    };
    *world.lister.refunds.lock().unwrap() = vec![listed(&good, Some(true))];
    let comparison = world.compared(Records::Refunds).await;
    assert_eq!(comparison.counts, BTreeMap::from([(Kind::Matched, 1), (Kind::MissingThere, 1)]));
    assert_eq!(comparison.differences[0].number, gone.number);
    *world.lister.refunds.lock().unwrap() = vec![listed(&good, None), listed(&gone, Some(false))];
    let comparison = world.compared(Records::Refunds).await;
    assert_eq!(comparison.counts, BTreeMap::from([(Kind::StateDiffers, 2)]));
}

#[tokio::test(start_paused = true)]
async fn money_that_went_back_by_another_way_is_not_missed_at_the_provider() {
    let world = World::new();
    let payment = world.paid(None).await;
    let refund = world.fixtures.refund(&payment, "R1", 100);
    world.store.open_refund(refund.clone()).await.unwrap();
    let write = step_to(&refund, OutflowState::Succeeded);
    world.store.apply(refund_change(&payment, write)).await.unwrap();
    let comparison = world.compared(Records::Refunds).await;
    assert_eq!(comparison.counts, BTreeMap::from([(Kind::NotListed, 1)]));
}

/// A person has found that a close had sent its money back, and its provider shows just that.
#[tokio::test(start_paused = true)]
async fn an_order_that_was_reversed_on_both_sides_is_no_difference() {
    let world = World::new();
    let [reversed, given_back] = [world.paid(None).await, world.paid(None).await];
    world.sent_back(&reversed, RefundOrigin::Reversal, 1999).await;
    world.sent_back(&given_back, RefundOrigin::Merchant, 1999).await;
    let reverted = |payment| ListedOrder { reverted: true, ..listed(payment) };
    world.lists(vec![reverted(&reversed), listed(&given_back)]);
    assert_eq!(world.counts().await, [(Kind::Matched, 2)]);
    world.lists(vec![listed(&reversed), reverted(&given_back)]);
    assert_eq!(world.counts().await, [(Kind::StateDiffers, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_long_day_is_read_page_by_page() {
    let world = World::new();
    let mut orders = Vec::new();
    for _ in 0..2001 {
        orders.push(listed(&world.paid(None).await));
    }
    orders.reverse();
    world.lists(orders);
    assert_eq!(world.counts().await, [(Kind::Matched, 2001)]);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_hears_how_far_it_is() {
    let world = World::new();
    let payment = world.unpaid(None).await;
    world.lists(vec![ListedOrder { received: Some(Money::fen(1999)), ..listed(&payment) }]);
    let heard = Mutex::new(Vec::new());
    let listener = |records, step| heard.lock().unwrap().push((records, step));
    world.payments.reconcile(&channel("main"), day(), &listener).await.unwrap();
    let of_orders =
        [Step::Read(1), Step::Asking, Step::LookedAgain(1, 1)].map(|step| (Records::Orders, step));
    let of_refunds = [Step::Read(0), Step::Asking].map(|step| (Records::Refunds, step));
    assert_eq!(heard.into_inner().unwrap(), [&of_orders[..], &of_refunds[..]].concat());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_compared_says_why() {
    async fn check(can: Can, want: [&str; 2]) {
        let told: Vec<String> =
            World::that_can(can).report().await.parts.iter().map(|(_, part)| words(part)).collect();
        assert_eq!(told, want);
    }
    check(Can::nothing_more(), ["its provider has no list of orders", "its provider has no refunds"]).await;
    check(Can::LIST | Can::REFUND, ["compared", "its provider has no list of refunds"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_gives_no_list_is_told_and_does_not_stop_the_rest() {
    let world = World::new();
    *world.lister.orders.lock().unwrap() = Box::new(|| Err(ChannelError::unknown("its answer is cut")));
    let told: Vec<String> = world.report().await.parts.iter().map(|(_, part)| words(part)).collect();
    assert!(told[0].contains("its answer is cut") && told[1] == "compared", "{told:?}");

    let world = World::new();
    *world.lister.orders.lock().unwrap() = Box::new(|| panic!("a plugin with a bug"));
    let told: Vec<String> = world.report().await.parts.iter().map(|(_, part)| words(part)).collect();
    assert_eq!(told[1], "compared", "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_channel_must_be_configured() {
    let none = World::new().payments.reconcile(&channel("other"), day(), &|_, _| {}).await;
    assert!(matches!(none, Err(PaymentError::NotFound("channel"))), "{none:?}");
}

fn words(part: &Part) -> String {
    match part {
        Part::Compared(_) => "compared".to_owned(),
        Part::NotReconcilable(reason) => (*reason).to_owned(),
        Part::Failed(reason) => reason.clone(),
    }
}
