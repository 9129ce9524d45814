//! Channels that are drained and put back by an operator while payments run, on one node and on two, and over a
//! restart; and what a node refuses to start with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use paymux_sim::SimConfig;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::database::Kind;
use crate::http::{Answer, Http};
use crate::process::{PATIENCE, ended};
use crate::reload::{Node, TOKEN, channels};
use crate::world::{ADMIN_TOKEN, SHOP, Sandbox, World, order};

/// How often a channel is drained and put back under load.
const ROUNDS: u64 = 40;

async fn moved(operator: &Http, token: &str, id: &str, state: &str) -> Answer {
    let word = json!({"state": state, "note": "the bank asked for it"});
    operator.post(token, &format!("/admin/api/channels/{id}/state"), word).await
}

/// The channel of that id, as an operator sees it.
async fn seen(operator: &Http, token: &str, id: &str) -> Value {
    let list = operator.get(token, "/admin/api/channels").await;
    let found = list.body["data"].as_array().unwrap().iter().find(|channel| channel["id"] == id);
    found.unwrap_or_else(|| panic!("{}", list.text)).clone()
}

#[tokio::test]
async fn channels_are_drained_under_load_and_nothing_is_lost_or_begun_there() {
    let route = "[[routes]]\nname = \"default\"\nstrategy = \"random\"\nchannels = [\"a\", \"b\"]\n";
    let node = Node::start(&(channels(&["a", "b"]) + route)).await;
    // Even: both are active, or are on the way to it. Odd: one is drained, 1 mod 4 `a` and 3 mod 4 `b`.
    let phase = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    for client in 0..4 {
        let (paymux, phase) = (Arc::clone(&node.paymux), Arc::clone(&phase));
        clients.spawn(async move { create_until_done(client, &paymux, &phase).await });
    }
    for round in 0..ROUNDS {
        let id = if round % 2 == 0 { "a" } else { "b" };
        assert_eq!(moved(&node.operator, TOKEN, id, "draining").await.status, 200);
        phase.store(2 * round + 1, Ordering::SeqCst);
        sleep(Duration::from_millis(20)).await;
        phase.store(2 * round + 2, Ordering::SeqCst);
        assert_eq!(moved(&node.operator, TOKEN, id, "active").await.status, 200);
        sleep(Duration::from_millis(5)).await;
    }
    phase.store(u64::MAX, Ordering::SeqCst);
    let (mut while_drained, mut by_channel) = (0, [0, 0]);
    for (id, channel, begun, done) in clients.join_all().await.into_iter().flatten() {
        let stored = node.paymux.http.get(SHOP, &format!("/v1/payments/{id}")).await;
        assert_eq!((stored.status, &stored.body["channel"]), (200, &json!(channel)));
        assert_eq!(stored.body["status"], "succeeded", "{}", stored.text);
        by_channel[usize::from(channel == "b")] += 1;
        if begun == done && begun % 2 == 1 {
            while_drained += 1;
            assert_eq!(channel, if begun % 4 == 1 { "b" } else { "a" }, "in phase {begun}");
        }
    }
    assert!(
        while_drained > 20 && by_channel.iter().all(|count| *count > 20),
        "{while_drained} {by_channel:?}"
    );
    let audit = node.operator.get(TOKEN, "/admin/api/audit?limit=100").await.body;
    assert_eq!(audit["data"].as_array().unwrap().len(), 2 * usize::try_from(ROUNDS).unwrap());
    node.end().await;
}

/// Creates orders that are paid at once, until the last phase; every one must be taken. Of each: its id, its channel,
/// and the phases in which it was asked for and answered.
async fn create_until_done(
    client: u64,
    paymux: &Sandbox,
    phase: &AtomicU64,
) -> Vec<(String, String, u64, u64)> {
    let mut taken = Vec::new();
    loop {
        let begun = phase.load(Ordering::SeqCst);
        if begun == u64::MAX {
            return taken;
        }
        let mut body = order(&format!("C{client}-{}", taken.len()));
        body["metadata"] = json!({"sandbox": "paid"});
        let created = paymux.http.post(SHOP, "/v1/payments", body).await;
        assert_eq!(created.status, 201, "{}", created.text);
        let text = |key: &str| created.body[key].as_str().unwrap().to_owned();
        taken.push((text("id"), text("channel"), begun, phase.load(Ordering::SeqCst)));
    }
}

#[tokio::test]
async fn a_state_outlives_a_restart_and_the_files_own_word() {
    let mut world = World::start_hasty(Kind::Sqlite, SimConfig::default()).await;
    let operator = Http::new(&format!("http://{}", world.admin()));
    let open = world.create(&order("A1")).await;
    assert_eq!(open.status, 201, "{}", open.text);
    assert_eq!(moved(&operator, ADMIN_TOKEN, "bee", "draining").await.status, 200);
    check_drained(&world, &operator, "A2").await;
    world.restart().await;
    check_drained(&world, &operator, "A3").await;

    // What was begun goes on.
    world.bank().pay(open.body["provider_order_no"].as_str().unwrap()).unwrap();
    let id = open.body["id"].as_str().unwrap();
    world.payment_once(id, |payment| payment["status"] == "succeeded").await;
    let off = moved(&operator, ADMIN_TOKEN, "bee", "off").await;
    assert_eq!((off.status, &off.body["code"]), (409, &json!("channel_needed")), "{}", off.text);

    // Whoever reads the file again is told that its word does not count.
    let reloaded = operator.post(ADMIN_TOKEN, "/admin/api/reload", "").await;
    let remarks = reloaded.body["remarks"].as_array().unwrap();
    let told =
        |remark: &Value| remark.as_str().is_some_and(|text| text.starts_with("channel `bee` stays draining"));
    assert!(remarks.iter().any(told), "{}", reloaded.text);
    let explained = world.http.post(SHOP, "/v1/routes/explain", order("A4")).await;
    let file = world.file();
    let arguments = ["explain", "-c", file.to_str().unwrap(), "--app", "shop", "--method", "wechat.native"];
    let by_command = ended(arguments.into_iter().chain(["--amount", "1999", "--json"])).await;
    let by_command: Value = serde_json::from_str(&by_command.out).unwrap();
    let want = json!({"rule": "state", "detail": "the channel is draining"});
    for record in [&explained.body, &by_command] {
        assert_eq!(record["candidates"][0]["removed_by"], want, "{record}");
    }
    assert_eq!(moved(&operator, ADMIN_TOKEN, "bee", "active").await.status, 200);
    assert_eq!(world.create(&order("A5")).await.status, 201);
    world.end().await;
}

async fn check_drained(world: &World, operator: &Http, order_no: &str) {
    let bee = seen(operator, ADMIN_TOKEN, "bee").await;
    assert_eq!((&bee["state"], &bee["by"]), (&json!("draining"), &json!("root")));
    let refused = world.create(&order(order_no)).await;
    assert_eq!((refused.status, &refused.body["code"]), (422, &json!("no_channel")), "{}", refused.text);
    assert_eq!(refused.body["channels"][0]["rule"], "state");
}

#[tokio::test]
async fn another_node_follows_within_its_interval() {
    let world = World::start_hasty(Kind::Postgres, SimConfig::default()).await;
    let other = world.another().await;
    let text = std::fs::read_to_string(world.file().with_file_name("another.toml")).unwrap();
    let address = text.lines().find_map(|line| line.strip_prefix("http = ")).unwrap();
    let there = Http::new(&format!("http://{}", address.trim_matches('"')));
    let operator = Http::new(&format!("http://{}", world.admin()));
    assert_eq!(there.post(SHOP, "/v1/payments", order("A1")).await.status, 201);
    assert_eq!(moved(&operator, ADMIN_TOKEN, "bee", "verify-only").await.status, 200);
    assert_eq!(world.create(&order("B0")).await.status, 422, "at once where it was said");
    let follows = async |from: u16, to: u16| {
        let mut place = 0;
        let following = async {
            loop {
                place += 1;
                let answer = there.post(SHOP, "/v1/payments", order(&format!("{from}-{place}"))).await;
                if answer.status == to {
                    return;
                }
                assert_eq!(answer.status, from, "{}", answer.text);
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, following).await.expect("the other node hears of it");
    };
    follows(201, 422).await;
    assert_eq!(moved(&operator, ADMIN_TOKEN, "bee", "active").await.status, 200);
    follows(422, 201).await;
    assert_eq!(other.signal("TERM").await, Some(0), "an orderly end");
    world.end().await;
}

#[tokio::test]
async fn a_file_that_renames_an_account_is_not_started_with() {
    let mut world = World::start_hasty(Kind::Sqlite, SimConfig::default()).await;
    world.down().await;
    let text = std::fs::read_to_string(world.file()).unwrap();
    std::fs::write(world.file(), text.replace("\"bee\"", "\"wasp\"")).unwrap();
    let refused = ended(["serve", "-c", world.file().to_str().unwrap()]).await;
    assert_eq!(refused.code, Some(3), "{}", refused.err);
    let why = "channel `wasp`: its account is that of channel `bee` for ever; call it by that id";
    assert!(refused.err.contains(why), "{}", refused.err);

    // A sandbox is an account by its name: another one is new, and the one before it stays known.
    std::fs::write(world.file(), text.replace("\"box\"", "\"crate\"")).unwrap();
    world.up().await;
    let operator = Http::new(&format!("http://{}", world.admin()));
    let gone = seen(&operator, ADMIN_TOKEN, "box").await;
    assert_eq!((&gone["configured"], &gone["livemode"]), (&json!(false), &Value::Null));
    assert_eq!(seen(&operator, ADMIN_TOKEN, "crate").await["configured"], true);
    assert_eq!(seen(&operator, ADMIN_TOKEN, "bee").await["state"], "active");
    let callback = world.http.post("", "/notify/box", "").await;
    assert_eq!(callback.status, 503, "nobody acknowledges: {}", callback.text);
    world.end().await;
}
