//! What every store must do, as tests: each sentence of core's [`Store`] is a case here.
//!
//! A store runs all of them with [`store_contract!`](crate::store_contract!), each on a ledger of
//! its own, and [`random::compare`] against the store in memory.

#![expect(missing_docs, reason = "a case's name is the sentence that it proves")]
#![expect(clippy::assigning_clones, reason = "nothing here is hot, and an assignment reads best")]
#![expect(clippy::missing_panics_doc, reason = "a case panics when the store breaks its promise")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test's own values")]

pub mod callbacks;
pub mod changes;
pub mod leases;
pub mod lists;
pub mod openings;
pub mod outbox;
pub mod races;
pub mod random;

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use paymux_core::ids::AttemptId;
use paymux_core::payment::Payment;
use paymux_core::store::{Applied, CallbackRow, Change, Event, Opened, Opening, Store, StoreError};

use crate::memory_store::{Delivery, MemoryStore};

/// A store under test, empty.
pub struct Subject {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What lies in it that the store itself does not show.
    pub look: Arc<dyn Look>,
    /// Whatever must live as long, such as a folder.
    pub keep: Box<dyn Any + Send>,
}

/// Looks past a store at what it holds.
#[async_trait]
pub trait Look: Send + Sync {
    /// Every callback, by time and id.
    async fn callbacks(&self) -> Vec<CallbackRow>;
    /// Every event, by id.
    async fn events(&self) -> Vec<Event>;
    /// Every delivery, by event.
    async fn deliveries(&self) -> Vec<Delivery>;
    /// The routing decision of an attempt.
    async fn decision(&self, attempt: AttemptId) -> Option<serde_json::Value>;
}

#[async_trait]
impl Look for MemoryStore {
    async fn callbacks(&self) -> Vec<CallbackRow> {
        let mut rows = self.callbacks();
        rows.sort_by_key(|row| (row.received_at, row.id));
        rows
    }

    async fn events(&self) -> Vec<Event> {
        self.events()
    }

    async fn deliveries(&self) -> Vec<Delivery> {
        self.deliveries()
    }

    async fn decision(&self, attempt: AttemptId) -> Option<serde_json::Value> {
        self.decision(attempt)
    }
}

impl Subject {
    /// The store in memory.
    pub fn memory() -> Self {
        let store = Arc::new(MemoryStore::new());
        Self { store: store.clone(), look: store, keep: Box::new(()) }
    }

    /// Stores a new payment and gives it back.
    async fn opened(&self, opening: Opening) -> Payment {
        let payment = opening.payment.clone();
        let opened = self.store.open(opening).await.unwrap();
        assert!(matches!(opened, Opened::New), "{opened:?}");
        payment
    }

    /// Applies a change that must succeed and gives the payment back as it is now.
    async fn done(&self, change: Change) -> Payment {
        let id = change.payment.id;
        assert_eq!(self.store.apply(change).await, Ok(Applied::Done));
        self.stored(&id).await
    }

    /// The payment as it is stored.
    async fn stored(&self, id: &paymux_core::ids::PaymentId) -> Payment {
        self.store.payment(*id).await.unwrap().expect("the payment is there")
    }

    /// Applies a change that must come to `want` and leave everything as it was.
    async fn writes_nothing(&self, change: Change, want: Result<Applied, &str>) {
        let id = change.payment.id;
        let before = (self.store.payment(id).await.unwrap(), self.rest().await);
        let got = self.store.apply(change).await;
        assert_eq!(got.as_ref().map_err(kind), want.as_ref().map_err(|kind| *kind));
        let after = (self.store.payment(id).await.unwrap(), self.rest().await);
        assert_eq!(after, before);
    }

    /// All that is not payments.
    async fn rest(&self) -> (Vec<CallbackRow>, Vec<Event>, Vec<Delivery>) {
        (self.look.callbacks().await, self.look.events().await, self.look.deliveries().await)
    }
}

/// Which error it is, without its words.
pub(crate) fn kind(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unavailable(_) => "unavailable",
        StoreError::Unconfirmed(_) => "unconfirmed",
        StoreError::Corrupt(_) => "corrupt",
    }
}

/// Writes one test for each case of the contract. `$make` is an async function without arguments
/// that makes a `Subject`.
#[macro_export]
macro_rules! store_contract {
    ($make:ident) => {
        $crate::store_contract! { @tests $make;
            openings: keeps_every_field, keeps_extreme_values, keeps_no_nul, finds_by_id_order_and_number,
                finds_the_stored_one_by_its_order_number, takes_one_order_number_once_an_app,
                refuses_a_number_in_use, refuses_an_id_in_use, refuses_another_count_of_attempts,
                refuses_two_currencies, refuses_amounts_that_cannot_be, keeps_the_decision, answers_a_ping;
            changes: writes_all_of_it, leaves_what_was_agreed, leaves_attempts_that_it_does_not_touch,
                is_stale_by_version, is_stale_by_state, is_stale_by_fence, is_stale_without_a_payment,
                is_stale_for_an_attempt_of_another_payment, ends_one_attempt_and_begins_the_next,
                refuses_a_second_live_attempt, moves_life_from_one_attempt_to_another,
                refuses_a_known_event_key, keys_are_of_a_channel_and_of_applied_ones,
                keeps_every_word, keeps_foreign_money, refuses_a_version_that_does_not_follow,
                refuses_attempts_that_are_not_there, refuses_a_used_event_id, refuses_a_used_sequence,
                refuses_a_number_in_use, keeps_no_nul;
            races: of_equal_openings_one_is_new, of_equal_changes_one_is_done,
                of_equal_event_keys_one_is_done, an_attempt_is_taken_by_one_worker,
                a_delivery_is_taken_by_one_worker, a_dropped_call_is_done_wholly_or_not_at_all,
                reads_see_payment_and_attempts_of_one_moment;
            callbacks: keeps_them_byte_for_byte, keeps_the_same_one_again, refuses_an_applied_one,
                pushes_out_the_oldest_by_rows, pushes_out_the_oldest_by_bytes,
                pushes_out_no_verified_one, keeps_channels_apart, refuses_one_of_no_payment;
            leases: takes_the_earliest_first, takes_what_is_due_and_no_more, takes_again_after_the_lease,
                refuses_an_old_fence_after_a_taking, takes_without_a_new_version,
                takes_two_attempts_of_one_payment, takes_nothing_without_a_time;
            outbox: takes_a_new_one_at_once, keeps_events_without_an_address, takes_again_after_the_lease,
                a_delivered_one_is_over, a_dead_one_is_over, tries_again_when_told,
                passes_over_old_fences_and_unknown_events, counts_a_report_once,
                a_dead_endpoint_holds_nobody_up, takes_the_earliest_first, reports_many_at_once;
            lists: shows_the_newest_first, pages_without_gaps_or_repeats, filters, shows_one_app_only,
                shows_no_more_than_asked;
        }
    };
    (@tests $make:ident; $($group:ident: $($case:ident),+;)+) => { $(
        mod $group { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::store_contract::$group::$case(&super::$make().await).await;
            }
        )+ }
    )+ };
}

#[cfg(test)]
mod tests {
    /// A case that is written but not listed would never run.
    #[test]
    fn the_macro_lists_every_case() {
        let (listed, _) = include_str!("mod.rs").split_once("@tests $make:ident").unwrap();
        let files = [
            include_str!("openings.rs"),
            include_str!("changes.rs"),
            include_str!("races.rs"),
            include_str!("callbacks.rs"),
            include_str!("leases.rs"),
            include_str!("outbox.rs"),
            include_str!("lists.rs"),
        ];
        for line in files.iter().flat_map(|file| file.lines()) {
            if let Some(rest) = line.strip_prefix("pub async fn ") {
                let name = rest.split('(').next().unwrap();
                assert!(listed.contains(&format!(" {name}")), "{name} is not listed");
            }
        }
    }
}
