//! The configuration, read again while payments run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::http::{Answer, Http};
use crate::process::PATIENCE;
use crate::world::{SHOP, Sandbox, free_address, order};

pub(crate) const TOKEN: &str = "operator-0123456789abcdef";
/// How often the file is read again under load.
const RELOADS: u64 = 1000;

/// A paymux with operators, and what stands in its file.
pub(crate) struct Node {
    pub(crate) paymux: Arc<Sandbox>,
    pub(crate) operator: Http,
}

impl Node {
    /// With these channels and routes.
    pub(crate) async fn start(text: &str) -> Self {
        let admin = free_address().await;
        let server = format!(
            "[server]\nhttp = \"ADDRESS\"\nadmin = \"{admin}\"\nadmin_token = \"{TOKEN}\"\ntest_mode = true\n"
        );
        let paymux = Sandbox::start(&format!("{server}# channels\n{text}# the rest\n")).await;
        Self { paymux: Arc::new(paymux), operator: Http::new(&format!("http://{admin}")) }
    }

    /// Writes these channels and routes in place of those before.
    fn write(&self, text: &str) {
        let old = std::fs::read_to_string(&self.paymux.file).unwrap();
        let (before, rest) = old.split_once("# channels\n").unwrap();
        let (_, after) = rest.split_once("# the rest\n").unwrap();
        std::fs::write(&self.paymux.file, format!("{before}# channels\n{text}# the rest\n{after}")).unwrap();
    }

    async fn reload(&self) -> Answer {
        self.operator.post(TOKEN, "/admin/api/reload", "").await
    }

    /// Why a file with these channels and routes is not taken.
    #[track_caller]
    fn refused(&self, text: &str) -> impl Future<Output = Vec<String>> {
        self.write(text);
        async {
            let before = self.config().await;
            let refused = self.reload().await;
            assert_eq!((refused.status, &refused.body["code"]), (422, &json!("not_reloaded")));
            assert_eq!(self.config().await, before, "the one in force stays");
            let mistakes = refused.body["mistakes"].as_array().unwrap();
            mistakes.iter().map(|mistake| mistake.as_str().unwrap().to_owned()).collect()
        }
    }

    /// Which configuration is in force.
    async fn config(&self) -> Value {
        self.paymux.http.get("", "/readyz").await.body["config"].clone()
    }

    /// The channel that takes an order of that amount.
    async fn channel(&self, order_no: &str, amount: i64) -> String {
        let mut body = order(order_no);
        body["amount"] = json!(amount);
        let created = self.paymux.http.post(SHOP, "/v1/payments", body).await;
        assert_eq!(created.status, 201, "{}", created.text);
        created.body["channel"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn end(self) {
        Arc::into_inner(self.paymux).unwrap().end().await;
    }
}

pub(crate) fn channels(ids: &[&str]) -> String {
    let channel = |id: &&str| format!("[[channels]]\nid = \"{id}\"\nprovider = \"sandbox\"\n");
    ids.iter().map(channel).collect::<Vec<_>>().concat()
}

fn routed_to(id: &str) -> String {
    format!("[[routes]]\nname = \"default\"\nstrategy = \"priority\"\nchannels = [\"{id}\"]\n")
}

#[tokio::test]
async fn a_reload_changes_what_comes_after_it() {
    let node = Node::start(&(channels(&["a"]) + &routed_to("a"))).await;
    assert_eq!(node.channel("A1", 100).await, "a");
    let before = node.config().await;

    node.write(&(channels(&["a", "b"]) + &routed_to("b")));
    let done = node.reload().await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_ne!(done.body["config"], before);
    assert_eq!(node.config().await, done.body["config"]);
    assert_eq!(done.body["remarks"], json!(["channel `a` is active and stands in no route"]));
    assert_eq!(done.body["at_next_start"], json!([]));
    assert_eq!(node.channel("A2", 100).await, "b");

    // By signal, as well, and what only a start can change is told.
    node.write(&(channels(&["a", "b"]) + &routed_to("a") + "[sweeper]\ninterval_ms = 77\n"));
    node.paymux.process().send("HUP").await;
    let changed = async {
        while node.config().await == done.body["config"] {
            sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, changed).await.expect("the signal is heard");
    assert_eq!(node.channel("A3", 100).await, "a");
    assert_eq!(node.reload().await.body["at_next_start"], json!(["sweeper.interval_ms"]));
    node.end().await;
}

#[tokio::test]
async fn a_wrong_file_changes_nothing_and_every_mistake_is_told() {
    let node = Node::start(&(channels(&["a"]) + &routed_to("a"))).await;
    let wrong = channels(&["a"]) + "weigth = 3\n" + &routed_to("b");
    let mistakes = node.refused(&wrong).await;
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    assert!(mistakes[0].contains("channels[0].weigth: unknown key"), "{mistakes:?}");
    assert!(mistakes[1].contains("routes[0].channels[0]: unknown channel `b`"), "{mistakes:?}");
    assert_eq!(node.channel("A1", 100).await, "a");
    assert_eq!(node.operator.post("", "/admin/api/reload", "").await.status, 401);
    node.end().await;
}

#[tokio::test]
async fn a_channel_with_unended_payments_cannot_be_taken_away() {
    let node = Node::start(&(channels(&["a", "b"]) + &routed_to("a"))).await;
    assert_eq!(node.channel("A1", 100).await, "a");
    let without = channels(&["b"]) + &routed_to("b");
    let mistakes = node.refused(&without).await;
    assert!(matches!(mistakes.as_slice(), [why] if why.starts_with("channel `a`: payments")), "{mistakes:?}");
    // One that never took a payment goes.
    node.write(&(channels(&["a"]) + &routed_to("a")));
    assert_eq!(node.reload().await.status, 200);
    node.end().await;
}

/// Small orders of one file go to `a1` and large ones to `a2`, of the other to `b1` and `b2`.
fn split(letter: char) -> String {
    let other = if letter == 'a' { ["b2", "a1", "a2", "b1"] } else { ["a2", "b1", "a1", "b2"] };
    let route = |name: &str, when: &str, channel: String| {
        format!("[[routes]]\nname = \"{name}\"\n{when}strategy = \"random\"\nchannels = [\"{channel}\"]\n")
    };
    channels(&other)
        + &route("small", "when = { amount_max = 1000 }\n", format!("{letter}1"))
        + &route("large", "", format!("{letter}2"))
}

#[tokio::test]
async fn a_thousand_reloads_under_load_lose_nothing_and_route_nothing_wrong() {
    let node = Node::start(&split('a')).await;
    let done = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    for client in 0..4 {
        let (paymux, done) = (Arc::clone(&node.paymux), Arc::clone(&done));
        clients.spawn(async move { create_until_done(client, &paymux, &done).await });
    }
    for place in 0..RELOADS {
        node.write(&split(if place % 2 == 0 { 'b' } else { 'a' }));
        let reloaded = node.reload().await;
        assert_eq!(reloaded.status, 200, "{}", reloaded.text);
        done.store(place + 1, Ordering::Relaxed);
    }
    let taken: Vec<Vec<(String, i64, String)>> = clients.join_all().await;
    let mut seen = std::collections::BTreeSet::new();
    for (id, amount, channel) in taken.iter().flatten() {
        let stored = node.paymux.http.get(SHOP, &format!("/v1/payments/{id}")).await;
        assert_eq!((stored.status, &stored.body["channel"]), (200, &json!(channel)));
        let want = if *amount <= 1000 { ["a1", "b1"] } else { ["a2", "b2"] };
        assert!(want.contains(&channel.as_str()), "{amount} went to {channel}");
        seen.insert(channel.clone());
    }
    assert_eq!(seen.len(), 4, "payments were made under both files");
    node.end().await;
}

/// Creates small and large orders until the last reload; every one must be taken.
async fn create_until_done(client: u64, paymux: &Sandbox, done: &AtomicU64) -> Vec<(String, i64, String)> {
    let mut taken = Vec::new();
    while done.load(Ordering::Relaxed) < RELOADS {
        let amount = if taken.len() % 2 == 0 { 500 } else { 5000 };
        let mut body = order(&format!("C{client}-{}", taken.len()));
        body["amount"] = json!(amount);
        let created = paymux.http.post(SHOP, "/v1/payments", body).await;
        assert_eq!(created.status, 201, "{}", created.text);
        let text = |key: &str| created.body[key].as_str().unwrap().to_owned();
        taken.push((text("id"), amount, text("channel")));
        sleep(std::time::Duration::from_millis(2)).await;
    }
    taken
}
