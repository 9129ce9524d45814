//! What every store must do, as tests: each sentence of core's [`Store`] is a case here.
//!
//! A store runs all of them with [`store_contract!`](crate::store_contract!), each on a ledger of
//! its own, and [`random::compare`] against the store in memory.

#![expect(missing_docs, reason = "a case's name is the sentence that it proves")]
#![expect(clippy::assigning_clones, reason = "nothing here is hot, and an assignment reads best")]
#![expect(clippy::missing_panics_doc, reason = "a case panics when the store breaks its promise")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test's own values")]

pub mod books;
pub mod callbacks;
pub mod capacity;
pub mod changes;
pub mod channel_book;
pub mod claims;
pub mod day_book;
pub mod decisions;
pub mod desk;
pub mod endpoints;
pub mod events;
pub mod leases;
pub mod lists;
pub mod money_races;
pub mod openings;
pub mod outbox;
pub mod queue;
pub mod races;
pub mod random;
pub mod refund_steps;
pub mod refunds;
pub mod transfers;

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::day::Day;
use paymux_core::ids::{AppId, AttemptId, PaymentId, RefundId, TransferId};
use paymux_core::payment::Payment;
use paymux_core::posting::Posting;
use paymux_core::refund::Refund;
use paymux_core::store::{
    Applied, AuditRow, CallbackRow, CapacityFigure, Change, ChannelRecord, DayFigure, DecisionBook, Event,
    KeptDecision, Opened, Opening, Patience, QueueFilter, QueueItem, Store, StoreError,
};
use paymux_core::transfer::Transfer;

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
    async fn decision(&self, attempt: AttemptId) -> Option<KeptDecision>;
    /// Every movement of money, by id.
    async fn postings(&self) -> Vec<Posting>;
    /// What every channel has collected on every day, by day, channel and currency.
    async fn days(&self) -> Vec<(Day, DayFigure)>;
    /// How much of every channel's limits is used, by day, channel and currency, where it is anything.
    async fn capacity(&self) -> Vec<CapacityFigure>;
    /// Every address of an app that is gone for good, by app and address.
    async fn gone(&self) -> Vec<(AppId, String)>;
    /// The ids of all that the store shows by id.
    async fn ids(&self) -> Ids;
}

/// The ids of all that a store shows by id.
#[derive(Debug, Clone, Default)]
pub struct Ids {
    /// Of payments.
    pub payments: Vec<PaymentId>,
    /// Of refunds.
    pub refunds: Vec<RefundId>,
    /// Of transfers.
    pub transfers: Vec<TransferId>,
}

/// All that a store holds, but for decisions and claimed keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    payments: Vec<Payment>,
    refunds: Vec<Refund>,
    transfers: Vec<Transfer>,
    callbacks: Vec<CallbackRow>,
    events: Vec<Event>,
    deliveries: Vec<Delivery>,
    gone: Vec<(AppId, String)>,
    postings: Vec<Posting>,
    days: Vec<(Day, DayFigure)>,
    capacity: Vec<CapacityFigure>,
    audits: Vec<AuditRow>,
    channels: Vec<ChannelRecord>,
    queue: Vec<QueueItem>,
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

    async fn decision(&self, attempt: AttemptId) -> Option<KeptDecision> {
        DecisionBook::decision(self, attempt).await.ok().flatten()
    }

    async fn postings(&self) -> Vec<Posting> {
        self.postings()
    }

    async fn days(&self) -> Vec<(Day, DayFigure)> {
        self.days()
    }

    async fn capacity(&self) -> Vec<CapacityFigure> {
        self.capacity()
    }

    async fn gone(&self) -> Vec<(AppId, String)> {
        self.gone_endpoints()
    }

    async fn ids(&self) -> Ids {
        Ids {
            payments: self.payments().iter().map(|payment| payment.id).collect(),
            refunds: self.refunds().iter().map(|refund| refund.id).collect(),
            transfers: self.transfers().iter().map(|transfer| transfer.id).collect(),
        }
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
        let got = self.unchanged(self.store.apply(change)).await;
        assert_eq!(got.as_ref().map_err(kind), want.as_ref().map_err(|kind| *kind));
    }

    /// Makes a call that must leave everything as it was.
    async fn unchanged<T>(&self, call: impl Future<Output = T>) -> T {
        let before = self.snapshot().await;
        let answer = call.await;
        assert_eq!(self.snapshot().await, before);
        answer
    }

    /// All that the store holds.
    pub async fn snapshot(&self) -> Snapshot {
        let mut ids = self.look.ids().await;
        ids.payments.sort_unstable();
        ids.refunds.sort_unstable();
        ids.transfers.sort_unstable();
        let (mut payments, mut refunds, mut transfers) = (vec![], vec![], vec![]);
        for id in ids.payments {
            payments.extend(self.store.payment(id).await.unwrap());
        }
        for id in ids.refunds {
            refunds.extend(self.store.refund(id).await.unwrap());
        }
        for id in ids.transfers {
            transfers.extend(self.store.transfer(id).await.unwrap());
        }
        Snapshot {
            payments,
            refunds,
            transfers,
            callbacks: self.look.callbacks().await,
            events: self.look.events().await,
            deliveries: self.look.deliveries().await,
            gone: self.look.gone().await,
            postings: self.look.postings().await,
            days: self.look.days().await,
            capacity: self.look.capacity().await,
            audits: self.store.audit(None, 100_000).await.unwrap(),
            channels: self.store.channel_records().await.unwrap(),
            queue: self.store.queue(&all_that_waits()).await.unwrap(),
        }
    }
}

/// Whatever can wait does so at once.
pub(crate) const AT_ONCE: Patience = {
    let now = Timestamp::from_ms(i64::MAX);
    Patience { unknown_before: now, ended_before: now, sent_before: now }
};

/// What waits for a person, even if it began to do so just now.
fn all_that_waits() -> QueueFilter {
    QueueFilter { kind: None, patience: AT_ONCE, after: None, limit: 100_000 }
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
            openings: keeps_every_field, keeps_extreme_values, keeps_no_nul, finds_by_id_order_and_number, finds_by_each_attempt,
                finds_the_stored_one_by_its_order_number, takes_one_order_number_once_an_app,
                refuses_a_number_in_use, refuses_an_id_in_use, refuses_another_count_of_attempts,
                refuses_two_currencies, refuses_amounts_that_cannot_be, brings_its_money_with_it, answers_a_ping;
            decisions: keeps_every_field_of_a_version, the_first_of_a_digest_stays,
                of_equal_versions_at_once_one_is_kept, keeps_the_decision_of_each_attempt,
                an_opening_that_is_known_leaves_none;
            changes: writes_all_of_it, leaves_what_was_agreed, leaves_attempts_that_it_does_not_touch,
                is_stale_by_version, is_stale_by_state, is_stale_by_fence, is_stale_without_a_payment,
                is_stale_for_an_attempt_of_another_payment, ends_one_attempt_and_begins_the_next,
                refuses_a_second_live_attempt, moves_life_from_one_attempt_to_another,
                refuses_a_known_event_key, refuses_a_callback_that_claims_no_event,
                keys_are_of_a_channel_and_of_applied_ones,
                keeps_every_word, keeps_foreign_money, refuses_a_version_that_does_not_follow,
                refuses_attempts_that_are_not_there, refuses_a_used_event_id, refuses_a_used_sequence,
                refuses_a_number_in_use, keeps_no_nul;
            races: of_equal_openings_one_is_new, of_equal_changes_one_is_done,
                of_equal_event_keys_one_is_done, an_attempt_is_taken_by_one_worker,
                a_delivery_is_taken_by_one_worker, a_report_and_a_redelivery_both_end,
                a_dropped_call_is_done_wholly_or_not_at_all,
                reads_see_payment_and_attempts_of_one_moment;
            callbacks: keeps_them_byte_for_byte, keeps_unverified_ones_again,
                counts_a_verified_one_that_comes_again, keeps_a_verified_one_that_differs,
                keeps_the_first_of_each_key_and_a_ring_of_other_duplicates,
                keeps_the_first_of_each_key_and_a_ring_of_others_of_no_payment, refuses_an_applied_one,
                pushes_out_the_oldest_by_rows, pushes_out_the_oldest_by_bytes,
                pushes_out_no_verified_one, keeps_channels_apart, refuses_one_of_no_payment;
            leases: takes_the_earliest_first, takes_what_is_due_and_no_more, takes_again_after_the_lease,
                refuses_an_old_fence_after_a_taking, takes_without_a_new_version,
                takes_two_attempts_of_one_payment, takes_nothing_without_a_time, passes_over_busy_channels;
            outbox: takes_a_new_one_at_once, keeps_events_without_an_address, takes_again_after_the_lease,
                a_delivered_one_is_over, a_dead_one_is_over, tries_again_when_told,
                passes_over_old_fences_and_unknown_events, counts_a_report_once,
                a_dead_endpoint_holds_nobody_up, passes_over_busy_apps, takes_the_earliest_first,
                reports_many_at_once;
            refunds: keeps_every_field, keeps_extreme_values, keeps_no_nul, sets_its_amount_aside,
                wants_money_that_no_close_may_have_sent_back,
                disturbs_no_writer_of_its_payment, takes_all_that_is_left_and_no_more,
                wants_an_attempt_that_is_paid, wants_money_of_its_currency, keeps_attempts_apart,
                refuses_amounts_that_cannot_be, finds_the_stored_one_by_its_number,
                takes_one_refund_number_once_an_app, finds_by_the_providers_number,
                refuses_an_id_or_a_number_in_use, shows_those_of_a_payment_oldest_first,
                shows_those_of_an_app_newest_first,
                takes_the_earliest_first, takes_under_a_lease, refuses_an_old_fence_after_a_taking,
                the_same_call_again_changes_nothing;
            refund_steps: writes_all_of_it, leaves_what_was_agreed, gives_a_queued_refund_its_number_once,
                moves_money_with_every_step,
                is_stale_by_state, is_stale_by_fence_or_version, is_stale_with_its_attempt,
                is_stale_for_a_refund_that_is_not_its_own, begins_with_the_money_that_comes_with_it,
                begins_as_done_on_a_new_attempt, begins_in_any_state_of_its_attempt,
                is_stale_where_its_amount_does_not_fit, a_late_success_that_does_not_fit_is_stale,
                a_step_that_moves_no_money_needs_none, refuses_what_no_refund_can_be,
                refuses_what_is_in_use, keeps_every_field_of_a_beginning,
                begins_with_what_is_contested_no_more, a_change_fits_by_what_it_leaves,
                a_change_leaves_what_is_set_aside, a_change_takes_no_money_from_refunds;
            transfers: keeps_every_field, keeps_extreme_values, keeps_no_nul, keeps_every_word,
                finds_the_stored_one_by_its_number, finds_by_each_number,
                shows_those_of_an_app_newest_first,
                refuses_an_id_or_a_number_in_use, refuses_amounts_that_cannot_be, keeps_the_days_limit,
                limits_one_app_and_one_currency, counts_what_was_made_in_the_day,
                counts_all_but_failed_ones, a_change_writes_all_of_it, leaves_what_was_agreed,
                is_stale_by_state_or_fence, refuses_a_known_event_key, refuses_what_cannot_be_told,
                counts_its_own_events, takes_the_earliest_first, takes_under_a_lease;
            day_book: is_empty_at_first, adds_what_comes_in, keeps_days_channels_and_currencies_apart,
                tells_when_each_channel_last_completed_a_payment, adds_nothing_with_a_stale_change,
                refuses_less_than_nothing, adds_what_comes_in_at_once;
            capacity: is_empty_at_first, an_attempt_keeps_what_it_takes,
                an_opening_takes_up_to_the_last_of_it, an_opening_without_room_writes_nothing,
                of_several_limits_each_must_have_room,
                a_taken_order_number_is_found_without_room,
                what_has_happened_is_booked_above_any_limit, money_is_booked_without_a_row,
                what_is_given_back_can_be_taken_again, a_failover_takes_and_gives_back_at_once,
                a_failover_without_room_writes_nothing, a_stale_change_moves_nothing,
                keeps_channels_days_and_currencies_apart, openings_at_once_take_what_is_there,
                failovers_across_each_other_lose_nothing;
            channel_book: is_empty_at_first, keeps_every_field_by_id, binds_an_id_and_an_account_once,
                binds_all_or_none, refuses_new_ones_that_cannot_be, moves_with_a_line_of_the_trail,
                is_stale_by_version, a_line_of_the_trail_has_its_own_id,
                is_not_off_while_something_is_unended, of_moves_at_once_one_is_done,
                of_bindings_at_once_one_is_done;
            books: keeps_every_field, refuses_lines_that_cannot_be, books_nothing_with_a_stale_change;
            money_races: refunds_at_once_take_what_is_there, of_equal_refund_numbers_one_is_new,
                transfers_at_once_keep_the_days_limit, of_equal_transfer_numbers_one_is_new,
                refunds_and_changes_lose_nothing, refunds_and_less_money_never_meet,
                of_contradicting_steps_one_is_done, what_is_due_is_taken_by_one_worker,
                a_dropped_call_is_done_wholly_or_not_at_all;
            endpoints: an_endpoint_that_is_gone_is_passed_over, others_are_called_all_the_same,
                what_waits_there_holds_nobody_up, an_old_fence_makes_nothing_gone,
                what_is_under_way_may_still_report, one_is_delivered_again_whatever_became_of_it,
                who_tries_one_meanwhile_has_lost_its_lease, a_range_takes_what_was_not_delivered,
                a_range_takes_transfers_too, asking_lets_an_endpoint_be_called_again,
                asking_opens_only_that_endpoint, asks_for_nothing_that_is_not_its_own;
            events: shows_the_oldest_first, filters, pages_without_gaps_or_repeats,
                tells_how_deliveries_stand;
            queue: is_empty_at_first, an_attempt_that_is_unknown_for_long, an_attempt_that_is_said_to_be_paid_for_long,
                an_attempt_that_is_open_long_after_its_end, money_that_is_no_success,
                money_that_may_have_gone_back,
                money_that_came_beside, nothing_waits_under_two_kinds, money_that_goes_back,
                a_refund_that_is_unknown_or_needs_action, a_transfer_that_is_unknown_or_needs_action,
                a_callback_that_fits_nothing, a_notice_that_nobody_took, pages_without_gaps_or_repeats,
                counts_what_it_lists;
            desk: shows_callbacks_newest_first, filters_callbacks, settles_what_waits_and_once,
                a_line_of_the_trail_has_its_own_id, shows_the_trail_newest_first,
                shows_the_orders_of_a_while, shows_each_attempt_of_a_payment, shows_what_a_close_has_sent_back, shows_the_refunds_of_a_while,
                tells_what_a_channel_has_had_to_do_with_money;
            claims: has_one_key_of_digests, a_key_stands_for_one_request, keys_are_compared_byte_for_byte, takes_nul_too,
                a_key_is_free_once_its_time_is_over, of_many_at_once_one_is_new;
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
        let (modules, listed) = include_str!("mod.rs").split_once("macro_rules! store_contract").unwrap();
        let (listed, _) = listed.split_once("@tests $make:ident").unwrap();
        let files = [
            ("books", include_str!("books.rs")),
            ("callbacks", include_str!("callbacks.rs")),
            ("channel_book", include_str!("channel_book.rs")),
            ("changes", include_str!("changes.rs")),
            ("claims", include_str!("claims.rs")),
            ("capacity", include_str!("capacity.rs")),
            ("day_book", include_str!("day_book.rs")),
            ("decisions", include_str!("decisions.rs")),
            ("desk", include_str!("desk.rs")),
            ("endpoints", include_str!("endpoints.rs")),
            ("events", include_str!("events.rs")),
            ("leases", include_str!("leases.rs")),
            ("lists", include_str!("lists.rs")),
            ("money_races", include_str!("money_races.rs")),
            ("openings", include_str!("openings.rs")),
            ("outbox", include_str!("outbox.rs")),
            ("queue", include_str!("queue.rs")),
            ("races", include_str!("races.rs")),
            ("refund_steps", include_str!("refund_steps.rs")),
            ("refunds", include_str!("refunds.rs")),
            ("transfers", include_str!("transfers.rs")),
        ];
        for (group, file) in files {
            let (_, rest) = listed.split_once(&format!(" {group}: ")).unwrap();
            let (cases, _) = rest.split_once(';').unwrap();
            let cases: Vec<&str> = cases.split(',').map(str::trim).collect();
            for line in file.lines() {
                if let Some(rest) = line.strip_prefix("pub async fn ") {
                    let name = rest.split('(').next().unwrap();
                    assert!(cases.contains(&name), "{group}::{name} is not listed");
                }
            }
        }
        let modules = modules.lines().filter(|line| line.starts_with("pub mod ")).count();
        assert_eq!(modules, files.len() + 1, "`random` alone has no cases of its own");
    }
}
