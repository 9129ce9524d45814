//! An operator beside the customers: says of each transfer whose end nobody can tell any more that it has left, if
//! the pretend provider was called for it. A build without crash points keeps no calls, so that nothing is said there.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use paymux_core::{Verb, WireRequest};
use serde_json::json;

use crate::http::{Answer, Http};
use crate::world::{ADMIN_TOKEN, World};

/// How long the operator rests between two looks at the queue.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Operator {
    admin: Http,
    calls: PathBuf,
    stopping: AtomicBool,
    said: Mutex<Said>,
}

/// What was said.
#[derive(Debug, Default, Clone)]
pub(super) struct Said {
    /// Transfers of which a word was acknowledged, by id.
    pub(super) transfers: BTreeSet<String>,
    pub(super) faults: Vec<String>,
}

impl Operator {
    pub(super) fn beside(world: &World) -> Self {
        let admin = Http::new(&format!("http://{}", world.admin()));
        Self { admin, calls: world.payouts(), stopping: AtomicBool::new(false), said: Mutex::default() }
    }

    /// Works until told to stop.
    pub(super) async fn work(self: Arc<Self>) {
        while !self.stopping.load(Ordering::Relaxed) {
            for id in self.waiting().await {
                self.say_paid(&id).await;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(super) fn said(&self) -> Said {
        self.said.lock().unwrap().clone()
    }

    /// The transfers in the queue that the provider was called for.
    async fn waiting(&self) -> Vec<String> {
        let look = WireRequest::new(Verb::Get, "/admin/api/queue").query("kind=transfer_unknown&limit=100");
        let Some(queue) = self.ask(look).await else { return Vec::new() };
        if queue.status != 200 {
            self.said.lock().unwrap().faults.push(format!("the queue: {}: {}", queue.status, queue.text));
        }
        let calls = std::fs::read_to_string(&self.calls).unwrap_or_default();
        let called: BTreeSet<&str> = calls.lines().collect();
        let items = queue.body["data"].as_array().into_iter().flatten();
        let ids = items.filter_map(|item| item["id"].as_str());
        // A transfer's number there are the digits of its id.
        ids.filter(|id| called.contains(&id["trf_".len()..])).map(str::to_owned).collect()
    }

    async fn say_paid(&self, id: &str) {
        let word = json!({"outcome": "paid", "note": "seen on the bank's list"}).to_string();
        let path = format!("/admin/api/transfers/{id}/resolve");
        let word = WireRequest::new(Verb::Post, path).body("application/json", word);
        let Some(answer) = self.ask(word).await else { return };
        let mut said = self.said.lock().unwrap();
        match (answer.status, answer.body["status"].as_str()) {
            (200, Some("succeeded")) => {
                said.transfers.insert(id.to_owned());
            }
            // A query was faster.
            (409, _) => {}
            _ => said.faults.push(format!("{id}: a word became {}: {}", answer.status, answer.text)),
        }
    }

    /// `None` when nobody is there.
    async fn ask(&self, request: WireRequest) -> Option<Answer> {
        self.admin.send(ADMIN_TOKEN, request).await.ok().filter(|answer| answer.status != 503)
    }
}
