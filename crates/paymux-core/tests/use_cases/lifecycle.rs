//! Where channels stand in their lives: the ledger binds and knows them, an operator moves them, every node follows.

use std::sync::Arc;
use std::time::Duration;

use paymux_core::catalog::{App, Catalog, ChannelEntry, Lifecycle, Scope, Strategy};
use paymux_core::channel::Can;
use paymux_core::ids::RouteName;
use paymux_core::payment::Status;
use paymux_core::payments::lifecycle::Overruled;
use paymux_core::router::Health;
use paymux_core::store::{AuditRow, ChannelBook as _, ChannelRecord};
use paymux_core::{Clock as _, Money, Payment, PaymentError, Payments};
use paymux_testkit::ScriptedChannel;
use paymux_testkit::channel::callback;
use serde_json::json;

use crate::refunds;
use crate::transfers;
use crate::world::{Setting, World, app, channel, request, root};

/// How long a channel must have been closed to new payments before it can be off.
const QUIET: Duration = Duration::from_mins(2);

fn may_pay_out(app: &mut App) {
    app.scopes.push(Scope::Transfers);
    app.transfer_amount_max = Some(50_000);
}

/// Channel `a` can do everything.
fn setting() -> Setting {
    let can = |a: ScriptedChannel| {
        let can = Can::QUERY | Can::CANCEL | Can::REFUND | Can::QUERY_REFUND;
        a.that_can(can | Can::TRANSFER | Can::QUERY_TRANSFER)
    };
    Setting { a: can, app: may_pay_out, ..Setting::default() }
}

/// A node that knows its channels.
async fn world() -> World {
    let world = World::with(&setting());
    assert_eq!(world.payments.bind_channels().await.unwrap().unwrap(), []);
    world
}

async fn moves(node: &Payments, id: &str, state: Lifecycle) -> Result<ChannelRecord, PaymentError> {
    node.set_channel_state(root(), channel(id), state, "the bank asked for it".to_owned()).await
}

async fn record(world: &World, id: &str) -> ChannelRecord {
    let records = world.store.channel_records().await.unwrap();
    records.into_iter().find(|record| record.id == channel(id)).unwrap()
}

fn state_of(node: &Payments, id: &str) -> Lifecycle {
    let catalog = node.catalog();
    catalog.state(catalog.channel(&channel(id)).unwrap())
}

/// The channel that takes the next payment of a node.
async fn taker(node: &Payments, order_no: &str) -> String {
    let made = node.create(app(), request(json!({"order_no": order_no}))).await.unwrap();
    made.payment.attempts[0].channel.to_string()
}

/// The provider says that a payment on channel `a` was paid; `None` where nobody hears it.
async fn tell_paid(world: &World, payment: &Payment) -> Option<()> {
    let told = callback(payment.attempts[0].number.as_str(), Money::fen(1999), "T1");
    world.payments.take_callback(channel("a"), told).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn a_new_channel_begins_as_the_configuration_says_and_stays_as_the_ledger_knows_it() {
    let world = World::new();
    let drained = |catalog: &mut Catalog| catalog.edit().0[0].state = Lifecycle::Draining;
    world.reconfigure(&Setting::default(), drained);
    assert_eq!(world.payments.bind_channels().await.unwrap().unwrap(), []);
    let now = world.clock.now();
    let want = |id: &str, state| ChannelRecord {
        id: channel(id),
        provider: "scripted".to_owned(),
        account: format!("account-{id}"),
        state,
        since: now,
        by: None,
        version: 1,
    };
    let records = [want("a", Lifecycle::Draining), want("b", Lifecycle::Active)];
    assert_eq!(world.store.channel_records().await.unwrap(), records);
    assert!(world.store.audits().is_empty(), "nobody did anything");

    // Another node, whose file says otherwise by then.
    world.clock.advance(Duration::from_secs(1)).await;
    let other = world.node_apart(&Setting::default(), |catalog| catalog.edit().0[1].state = Lifecycle::Off);
    let told = other.bind_channels().await.unwrap().unwrap();
    let [a, b] = records.clone();
    let want = [
        Overruled { configured: Lifecycle::Active, record: a },
        Overruled { configured: Lifecycle::Off, record: b },
    ];
    assert_eq!(told, want);
    let text = told[0].to_string();
    for part in
        ["channel `a` stays draining", "by the configuration", "(active)", "/admin/api/channels/a/state"]
    {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(world.store.channel_records().await.unwrap(), records);
    assert_eq!((state_of(&other, "a"), state_of(&other, "b")), (Lifecycle::Draining, Lifecycle::Active));
    assert_eq!(taker(&other, "A1").await, "b");
}

#[tokio::test(start_paused = true)]
async fn an_id_keeps_its_account_and_an_account_its_id() {
    let world = world().await;
    let before = world.store.channel_records().await.unwrap();
    let as_account = |place: usize, account: &'static str| {
        move |catalog: &mut Catalog| catalog.edit().0[place].channel = Arc::new(ScriptedChannel::new(account))
    };
    check(&world, as_account(1, "account-x"), &[("b", "its id is bound to its account for ever")]).await;
    let renamed = |catalog: &mut Catalog| {
        catalog.edit().0[1].id = channel("c");
        catalog.edit().0.push(ChannelEntry::new(channel("new"), Arc::new(ScriptedChannel::new("new"))));
    };
    check(&world, renamed, &[("c", "its account is that of channel `b` for ever")]).await;
    // Both at once, and two new ones of one account.
    let mixed = |catalog: &mut Catalog| {
        as_account(0, "account-b")(catalog);
        let of = |id: &str| ChannelEntry::new(channel(id), Arc::new(ScriptedChannel::new("same")));
        catalog.edit().0.extend([of("x"), of("y")]);
    };
    check(&world, mixed, &[("a", "its id is bound"), ("y", "its account is that of channel `x`")]).await;
    assert_eq!(world.store.channel_records().await.unwrap(), before, "nothing of it was bound");

    async fn check(world: &World, change: impl Fn(&mut Catalog), want: &[(&str, &str)]) {
        let node = world.node_apart(&setting(), change);
        let obstacles = node.bind_channels().await.unwrap().unwrap_err();
        let seen: Vec<&str> = obstacles.iter().map(|obstacle| obstacle.channel.as_str()).collect();
        assert_eq!(seen, want.iter().map(|(id, _)| *id).collect::<Vec<_>>(), "{obstacles:?}");
        for (obstacle, (_, why)) in obstacles.iter().zip(want) {
            assert!(obstacle.why.starts_with(why), "{obstacle}");
        }
    }
}

/// As at a start, and the catalog in force stays.
#[tokio::test(start_paused = true)]
async fn a_reload_binds_too() {
    let world = world().await;
    let rebound = catalog_of(&world, |catalog| {
        catalog.edit().0.push(ChannelEntry::new(channel("c"), Arc::new(ScriptedChannel::new("account-a"))));
    });
    let obstacles = world.payments.replace_catalog(rebound).await.unwrap().unwrap_err();
    assert_eq!((obstacles.len(), obstacles[0].channel.as_str()), (1, "c"), "{obstacles:?}");
    assert_eq!(world.payments.catalog().channels().len(), 2);

    moves(&world.payments, "a", Lifecycle::Draining).await.unwrap();
    let more = catalog_of(&world, |catalog| {
        let closed = ChannelEntry::new(channel("c"), Arc::new(ScriptedChannel::new("account-c")));
        catalog.edit().0.insert(0, ChannelEntry { state: Lifecycle::VerifyOnly, ..closed });
        catalog.edit().1[0].channels = vec![0, 1, 2];
    });
    let told = world.payments.replace_catalog(more).await.unwrap().unwrap();
    assert_eq!((told.len(), told[0].record.id.as_str()), (1, "a"), "{told:?}");
    assert_eq!(record(&world, "c").await.state, Lifecycle::VerifyOnly);
    assert_eq!(taker(&world.payments, "A1").await, "b", "the state outlives the catalog");
    moves(&world.payments, "c", Lifecycle::Active).await.unwrap();
    assert_eq!(taker(&world.payments, "A2").await, "c");
}

/// The catalog of `setting`, with a change.
fn catalog_of(world: &World, change: impl FnOnce(&mut Catalog)) -> Catalog {
    world.catalog_apart(&setting(), change)
}

#[tokio::test(start_paused = true)]
async fn a_state_counts_here_at_once_and_elsewhere_once_it_was_read() {
    let world = world().await;
    let other = world.node_apart(&setting(), |_| {});
    other.bind_channels().await.unwrap().unwrap();
    assert_eq!((taker(&world.payments, "A1").await, taker(&other, "A2").await), ("a".into(), "a".into()));

    let moved = moves(&world.payments, "a", Lifecycle::Draining).await.unwrap();
    assert_eq!((moved.state, moved.version, moved.by.as_deref()), (Lifecycle::Draining, 2, Some("root")));
    assert_eq!((moved.since, &moved), (world.clock.now(), &record(&world, "a").await));
    assert_eq!((taker(&world.payments, "B1").await, taker(&other, "B2").await), ("b".into(), "a".into()));
    other.read_channels().await.unwrap();
    assert_eq!(taker(&other, "B3").await, "b");
    let pinned = other.create(app(), request(json!({"order_no": "B4", "channel": "a"}))).await;
    let Err(PaymentError::NoChannel(nobody)) = pinned else { panic!("{pinned:?}") };
    let (id, removal) = &nobody.removed[0];
    assert_eq!(
        (id.as_str(), removal.rule, removal.detail.as_str()),
        ("a", "state", "the channel is draining")
    );

    // And back, by the other one.
    moves(&other, "a", Lifecycle::Active).await.unwrap();
    assert_eq!((taker(&other, "C1").await, taker(&world.payments, "C2").await), ("a".into(), "b".into()));
    world.payments.read_channels().await.unwrap();
    assert_eq!(taker(&world.payments, "C3").await, "a");
}

/// The record of a decision says that it was the state, on the channel that was passed over.
#[tokio::test(start_paused = true)]
async fn the_record_tells_of_the_state_that_decided() {
    let world = world().await;
    moves(&world.payments, "a", Lifecycle::VerifyOnly).await.unwrap();
    let payment = world.created(json!({})).await;
    let decision = world.payments.decision(payment.attempts[0].id).await.unwrap().unwrap();
    let removed = json!({"rule": "state", "detail": "the channel is verify-only"});
    assert_eq!((&decision["picked"], &decision["candidates"][0]["removed_by"]), (&json!("b"), &removed));
    let replayed = paymux_core::router::replay(&decision).unwrap();
    assert_eq!(replayed, Some(channel("b")));
}

#[tokio::test(start_paused = true)]
async fn each_word_leaves_a_line_and_the_same_word_again_none() {
    let world = world().await;
    let first = moves(&world.payments, "a", Lifecycle::Draining).await.unwrap();
    world.clock.advance(Duration::from_secs(1)).await;
    assert_eq!(moves(&world.payments, "a", Lifecycle::Draining).await.unwrap(), first);
    moves(&world.payments, "a", Lifecycle::Active).await.unwrap();
    let lines = world.store.audits();
    let states = |line: &AuditRow| [line.before["state"].clone(), line.after["state"].clone()];
    assert_eq!(
        lines.iter().map(states).collect::<Vec<_>>(),
        [[json!("active"), json!("draining")], [json!("draining"), json!("active")]]
    );
    let AuditRow { operator, action, target, note, request_id, .. } = &lines[0];
    assert_eq!(
        [operator.as_str(), action, target, note, request_id],
        ["root", "channel.state", "a", "the bank asked for it", "req"]
    );
}

/// Every state on every other, for what a channel does in it.
#[tokio::test(start_paused = true)]
async fn what_each_state_allows() {
    // New payments, payouts, callbacks, refunds, closes and queries.
    Box::pin(check(Lifecycle::Active, [true, true, true, true, true, true])).await;
    Box::pin(check(Lifecycle::Draining, [false, true, true, true, true, true])).await;
    Box::pin(check(Lifecycle::VerifyOnly, [false, false, true, true, true, true])).await;

    async fn check(state: Lifecycle, want: [bool; 6]) {
        let world = world().await;
        let [paid, open, asked] =
            ["P1", "P2", "P3"].map(|order_no| json!({"order_no": order_no, "channel": "a"}));
        let (paid, open, asked) =
            (world.created(paid).await, world.created(open).await, world.created(asked).await);
        moves(&world.payments, "a", state).await.unwrap();
        let pays = world.create(json!({"order_no": "N1", "channel": "a"})).await.is_ok();
        let pays_out = world.payments.transfer(app(), transfers::request(json!({}))).await;
        let hears =
            tell_paid(&world, &paid).await.is_some() && world.stored(&paid).await.status == Status::Succeeded;
        let refunds = world.payments.refund(app(), paid.id, refunds::request(json!({}))).await.is_ok();
        let closes = world.payments.cancel(app(), open.id).await.is_ok();
        let before = world.a.asked();
        let queries = world.payments.sync(app(), asked.id).await.is_ok() && world.a.asked() > before;
        assert_eq!([pays, pays_out.is_ok(), hears, refunds, closes, queries], want, "{state}: {pays_out:?}");
    }
}

/// Off is nothing at all, and so nothing may need it.
#[tokio::test(start_paused = true)]
async fn a_channel_is_off_only_when_nobody_needs_it() {
    let world = world().await;
    let payment = world.created(json!({})).await;
    refused(&world, "it is active; let it be `draining` first").await;
    moves(&world.payments, "a", Lifecycle::Draining).await.unwrap();
    refused(&world, "other nodes may not know yet that it is draining; wait until 2024-03-01T00:02:00").await;
    world.clock.advance(QUIET).await;
    refused(&world, "payments, refunds or transfers of it have not ended; leave it `verify-only`").await;
    tell_paid(&world, &payment).await.unwrap();
    let refund = world.payments.refund(app(), payment.id, refunds::request(json!({}))).await.unwrap();
    assert_eq!(refund.refund.state.word(), "succeeded");
    refused(&world, "its provider may send callbacks until 2024-03-02T00:30:00").await;
    assert_eq!(record(&world, "a").await.state, Lifecycle::Draining);
    assert_eq!(world.store.audits().len(), 1, "what is refused was not done");

    world.clock.advance(Duration::from_hours(25)).await;
    moves(&world.payments, "a", Lifecycle::Off).await.unwrap();
    assert_eq!(tell_paid(&world, &payment).await, None, "nobody acknowledges");
    let error = world.payments.refund(app(), payment.id, refunds::request(json!({"refund_no": "R2"}))).await;
    assert_eq!(error.unwrap_err().code(), "unsupported");
    // It comes back by whatever way.
    moves(&world.payments, "a", Lifecycle::VerifyOnly).await.unwrap();
    assert!(tell_paid(&world, &payment).await.is_some());

    async fn refused(world: &World, why: &str) {
        let error = moves(&world.payments, "a", Lifecycle::Off).await.unwrap_err();
        assert_eq!(error.code(), "channel_needed");
        let text = error.to_string();
        assert!(text.starts_with(&format!("channel `a` cannot be turned off yet: {why}")), "{text}");
    }
}

/// A channel that took nothing needs no more than that every node knows.
#[tokio::test(start_paused = true)]
async fn any_state_follows_any_other() {
    for from in Lifecycle::ALL.iter().copied() {
        for to in Lifecycle::ALL.iter().copied() {
            let world = world().await;
            moves(&world.payments, "a", Lifecycle::Draining).await.unwrap();
            world.clock.advance(QUIET).await;
            moves(&world.payments, "a", from).await.unwrap();
            world.clock.advance(QUIET).await;
            let moved = moves(&world.payments, "a", to).await;
            let may = from != Lifecycle::Active || to != Lifecycle::Off;
            assert_eq!(moved.is_ok(), may, "{from} to {to}: {moved:?}");
            assert_eq!(state_of(&world.payments, "a"), if may { to } else { from });
        }
    }
}

/// Of words at once each is given on the one before it.
#[tokio::test(start_paused = true)]
async fn words_at_once_follow_each_other() {
    let world = world().await;
    let other = world.node_apart(&setting(), |_| {});
    let words = [Lifecycle::Draining, Lifecycle::VerifyOnly, Lifecycle::Draining, Lifecycle::VerifyOnly];
    let words = words.into_iter().zip([&world.payments, &other].into_iter().cycle());
    let done = futures_util::future::join_all(words.map(|(state, node)| moves(node, "a", state))).await;
    assert!(done.iter().all(Result::is_ok), "{done:?}");
    let lines = world.store.audits();
    let last = record(&world, "a").await;
    assert_eq!(usize::try_from(last.version).unwrap(), lines.len() + 1);
    // Whoever drew their ids, of lines of the same millisecond: each leaves a state that another one, or the
    // beginning, had led to.
    for state in Lifecycle::ALL.iter().copied() {
        let count = |value: &dyn Fn(&AuditRow) -> serde_json::Value| {
            lines.iter().filter(|line| value(line) == state.word()).count()
        };
        let (left, reached) =
            (count(&|line| line.before["state"].clone()), count(&|line| line.after["state"].clone()));
        let (is_first, is_last) = (state == Lifecycle::Active, state == last.state);
        assert_eq!(left + usize::from(is_last), reached + usize::from(is_first), "{state}: {lines:?}");
    }
    assert!(lines.iter().all(|line| line.before != line.after), "{lines:?}");
}

/// What was read of the ledger before a word was given takes nothing of it back.
#[tokio::test(start_paused = true)]
async fn an_older_reading_changes_nothing() {
    let world = world().await;
    let before = world.store.channel_records().await.unwrap();
    moves(&world.payments, "a", Lifecycle::Draining).await.unwrap();
    world.payments.catalog().live().read_channels(&before);
    assert_eq!(state_of(&world.payments, "a"), Lifecycle::Draining);
    assert_eq!(taker(&world.payments, "A1").await, "b");
}

#[tokio::test(start_paused = true)]
async fn without_the_ledger_nothing_is_moved() {
    let world = world().await;
    let unknown = moves(&world.payments, "nobody", Lifecycle::Draining).await.unwrap_err();
    assert_eq!(unknown.code(), "not_found");
    world.store.go_away();
    assert_eq!(moves(&world.payments, "a", Lifecycle::Draining).await.unwrap_err().code(), "overloaded");
    assert_eq!(world.payments.read_channels().await.unwrap_err().code(), "overloaded");
    assert_eq!(world.payments.bind_channels().await.unwrap_err().code(), "overloaded");
    world.store.come_back();
    assert_eq!((state_of(&world.payments, "a"), record(&world, "a").await.version), (Lifecycle::Active, 1));
}

/// Its row stays, and so does its state; new payments never go there, and nobody acknowledges its callbacks.
#[tokio::test(start_paused = true)]
async fn a_channel_that_was_taken_away_is_known_for_ever() {
    let world = world().await;
    moves(&world.payments, "a", Lifecycle::Draining).await.unwrap();
    world.clock.advance(QUIET).await;
    let without = catalog_of(&world, |catalog| {
        catalog.edit().0.remove(0);
        catalog.edit().1[0].channels = vec![0];
    });
    world.payments.replace_catalog(without).await.unwrap().unwrap();
    let told = callback("n", Money::fen(1), "T");
    assert!(world.payments.take_callback(channel("a"), told).await.is_none(), "nobody acknowledges");
    let channels = world.payments.channels().await.unwrap();
    let [gone, here] = channels.as_slice() else { panic!("{channels:?}") };
    assert_eq!((gone.record.id.as_str(), &gone.here), ("a", &None));
    assert!(here.here.is_some());
    let off = moves(&world.payments, "a", Lifecycle::Off).await.unwrap_err();
    assert!(off.to_string().contains("the configuration of this node lacks it"), "{off}");

    // Another account cannot take its id meanwhile, and it comes back as it went.
    let taken = catalog_of(&world, |catalog| {
        catalog.edit().0[0].channel = Arc::new(ScriptedChannel::new("account-x"));
    });
    assert!(world.payments.replace_catalog(taken).await.unwrap().is_err());
    world.payments.replace_catalog(catalog_of(&world, |_| {})).await.unwrap().unwrap();
    assert_eq!(state_of(&world.payments, "a"), Lifecycle::Draining);
    assert_eq!(taker(&world.payments, "A1").await, "b");
}

#[tokio::test(start_paused = true)]
async fn an_operator_sees_every_channel_and_what_it_does() {
    let world = world().await;
    let payment = world.created(json!({})).await;
    tell_paid(&world, &payment).await.unwrap();
    let paid_at = world.clock.now();
    let [a, b] = world.payments.channels().await.unwrap().try_into().unwrap();
    assert_eq!((&a.record, a.last_completed_at), (&record(&world, "a").await, Some(paid_at)));
    let sums: Vec<_> = a.today.iter().map(|f| (f.currency.code(), f.received, f.completed)).collect();
    assert_eq!(sums, [("CNY", 1999, 1)]);
    let here = a.here.unwrap();
    assert_eq!((here.livemode, here.health), (true, Health::Well));
    assert_eq!(here.routes.iter().map(RouteName::as_str).collect::<Vec<_>>(), ["default"]);
    assert_eq!((b.record.id.as_str(), b.today.len(), b.last_completed_at), ("b", 0, None));

    // The day after it has collected nothing, and the last payment is known all the same.
    world.clock.advance(Duration::from_hours(24)).await;
    world.reconfigure(&setting(), |catalog| catalog.edit().1[0].channels = vec![1]);
    let catalog = world.payments.catalog();
    for _ in 0..5 {
        let (live, ill) = (catalog.live(), paymux_core::router::Pulse::Ill);
        live.hear(&channel("b"), ill, world.clock.mono(), &catalog.health);
    }
    let [a, b] = world.payments.channels().await.unwrap().try_into().unwrap();
    assert_eq!((a.today.len(), a.last_completed_at), (0, Some(paid_at)));
    assert!(a.here.unwrap().routes.is_empty());
    assert_eq!(b.here.unwrap().health, Health::Out);
}

/// What changes while payments are routed keeps its place in every route.
#[tokio::test(start_paused = true)]
async fn every_strategy_passes_over_a_channel_that_is_drained() {
    for strategy in Strategy::ALL {
        let world = world().await;
        world.reconfigure(&setting(), |catalog| catalog.edit().1[0].strategy = *strategy);
        moves(&world.payments, "a", Lifecycle::Draining).await.unwrap();
        for place in 0..8 {
            assert_eq!(taker(&world.payments, &format!("A{place}")).await, "b", "{strategy}");
        }
        moves(&world.payments, "b", Lifecycle::Draining).await.unwrap();
        moves(&world.payments, "a", Lifecycle::Active).await.unwrap();
        assert_eq!(taker(&world.payments, "B1").await, "a", "{strategy}");
    }
}
