//! Which channels there are, and where each stands in its life.

use std::sync::Arc;

use paymux_core::catalog::Lifecycle;
use paymux_core::clock::Timestamp;
use paymux_core::refund::Refund;
use paymux_core::store::{AuditRow, BOUND_AT_ONCE, ChannelRecord, StoreError};
use paymux_core::transfer::Transfer;

use super::Subject;
use super::refunds::{begun, paid_one};
use crate::fixtures::{Fixtures, change_of, channel, edit_attempt};

fn record(id: &str, account: &str) -> ChannelRecord {
    ChannelRecord {
        id: channel(id),
        provider: "p".to_owned(),
        account: account.to_owned(),
        state: Lifecycle::Active,
        since: Timestamp::from_ms(1000),
        by: None,
        version: 1,
    }
}

async fn bind(subject: &Subject, new: &[ChannelRecord]) -> bool {
    subject.store.bind_channels(new.to_vec()).await.unwrap()
}

async fn records(subject: &Subject) -> Vec<ChannelRecord> {
    subject.store.channel_records().await.unwrap()
}

/// Moves channel `main` from that version, and tells whether it was done.
async fn moves(subject: &Subject, fixtures: &Fixtures, seen_version: i64, state: Lifecycle) -> bool {
    let audit = fixtures.audit("channel.state");
    subject.store.move_channel(&channel("main"), seen_version, state, audit).await.unwrap()
}

pub async fn is_empty_at_first(subject: &Subject) {
    assert_eq!(records(subject).await, []);
    assert!(bind(subject, &[]).await);
}

pub async fn keeps_every_field_by_id(subject: &Subject) {
    let mut want = vec![];
    for (id, state) in ["B", "a-1", "a1", "b"].into_iter().zip(Lifecycle::ALL) {
        let since = Timestamp::from_ms(if id == "B" { -1 } else { i64::MAX });
        want.push(ChannelRecord { state: *state, since, ..record(id, &format!("账 {id}")) });
    }
    let mut given = want.clone();
    given.reverse();
    assert!(bind(subject, &given).await);
    assert_eq!(records(subject).await, want);
}

pub async fn binds_an_id_and_an_account_once(subject: &Subject) {
    let first = record("main", "one");
    assert!(bind(subject, std::slice::from_ref(&first)).await);
    assert!(!bind(subject, std::slice::from_ref(&first)).await, "the same again");
    assert!(!bind(subject, &[record("main", "two")]).await, "another account");
    assert!(!bind(subject, &[record("other", "one")]).await, "another id");
    let elsewhere = ChannelRecord { provider: "q".to_owned(), ..record("other", "one") };
    // A key in other letters is another account, and so is that of another provider.
    assert!(bind(subject, &[elsewhere.clone(), record("third", "One")]).await);
    assert_eq!(records(subject).await, [first, elsewhere, record("third", "One")]);
}

pub async fn binds_all_or_none(subject: &Subject) {
    assert!(bind(subject, &[record("b", "two")]).await);
    for wrong in [record("b", "x"), record("x", "two"), record("c", "y")] {
        let new = [record("a", "one"), record("c", "three"), wrong];
        assert!(!bind(subject, &new).await);
        assert_eq!(records(subject).await, [record("b", "two")]);
    }
    let many = |count| (0..count).map(|i| record(&format!("m{i}"), &format!("{i}"))).collect::<Vec<_>>();
    assert!(bind(subject, &many(BOUND_AT_ONCE)).await);
    assert_eq!(records(subject).await.len(), BOUND_AT_ONCE + 1);
}

pub async fn refuses_new_ones_that_cannot_be(subject: &Subject) {
    let many: Vec<_> = (0..=BOUND_AT_ONCE).map(|i| record(&format!("m{i}"), &format!("{i}"))).collect();
    let changed = ChannelRecord { version: 2, ..record("a", "one") };
    for wrong in [many, vec![changed]] {
        let refused = subject.unchanged(subject.store.bind_channels(wrong)).await;
        assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
    }
    assert_eq!(records(subject).await, []);
}

pub async fn moves_with_a_line_of_the_trail(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let other = record("other", "two");
    assert!(bind(subject, &[record("main", "one"), other.clone()]).await);
    let mut trail = vec![];
    for (place, state) in [Lifecycle::Draining, Lifecycle::Off, Lifecycle::VerifyOnly, Lifecycle::Active]
        .into_iter()
        .enumerate()
    {
        let seen_version = i64::try_from(place).unwrap() + 1;
        let at = Timestamp::from_ms(5000 - seen_version);
        let audit = AuditRow { at, operator: format!("operator {place}"), ..fixtures.audit("channel.state") };
        let moved = subject.store.move_channel(&channel("main"), seen_version, state, audit.clone()).await;
        assert_eq!(moved, Ok(true));
        let by = Some(audit.operator.clone());
        let version = seen_version + 1;
        let want = ChannelRecord { state, since: at, by, version, ..record("main", "one") };
        assert_eq!(records(subject).await, [want, other.clone()]);
        trail.insert(0, audit);
    }
    assert_eq!(subject.store.audit(None, 9).await, Ok(trail));
}

pub async fn is_stale_by_version(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    assert!(!moves(subject, &fixtures, 1, Lifecycle::Draining).await, "there is none");
    assert!(bind(subject, &[record("main", "one")]).await);
    assert!(moves(subject, &fixtures, 1, Lifecycle::Draining).await);
    let now = records(subject).await;
    for seen_version in [0, 1, 3] {
        let stale = moves(subject, &fixtures, seen_version, Lifecycle::Active);
        assert!(!subject.unchanged(stale).await, "{seen_version}");
        assert_eq!(records(subject).await, now);
    }
}

pub async fn a_line_of_the_trail_has_its_own_id(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    assert!(bind(subject, &[record("main", "one")]).await);
    let audit = fixtures.audit("channel.state");
    let id = channel("main");
    let to = |version, state| subject.store.move_channel(&id, version, state, audit.clone());
    assert_eq!(to(1, Lifecycle::Draining).await, Ok(true));
    let again = subject.unchanged(to(2, Lifecycle::Active)).await;
    assert!(matches!(again, Err(StoreError::Corrupt(_))), "{again:?}");
    assert_eq!(records(subject).await[0].state, Lifecycle::Draining);
}

/// What has still to be looked at keeps a channel from being off, and from nothing else.
pub async fn is_not_off_while_something_is_unended(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    assert!(bind(subject, &[record("main", "one"), record("second", "two")]).await);
    let seen = paid_one(subject, &fixtures, "A1").await;
    let mut open = change_of(&seen);
    edit_attempt(&mut open, 0, |attempt| attempt.check_at = Some(Timestamp::from_ms(1)));
    let seen = subject.done(open).await;
    assert!(!subject.unchanged(moves(subject, &fixtures, 1, Lifecycle::Off)).await, "an attempt");
    assert!(moves(subject, &fixtures, 1, Lifecycle::VerifyOnly).await);
    let mut ended = change_of(&seen);
    edit_attempt(&mut ended, 0, |attempt| attempt.check_at = None);
    let seen = subject.done(ended).await;
    assert!(moves(subject, &fixtures, 2, Lifecycle::Off).await);

    let due = Some(Timestamp::from_ms(1));
    let refund = begun(subject, Refund { check_at: due, ..fixtures.refund(&seen, "R1", 7) }).await;
    assert_eq!(refund.channel, channel("main"));
    assert!(moves(subject, &fixtures, 3, Lifecycle::Draining).await);
    assert!(!subject.unchanged(moves(subject, &fixtures, 4, Lifecycle::Off)).await, "a refund");

    let transfer = fixtures.transfer("shop", "T1", 7);
    let transfer = Transfer { check_at: due, channel: channel("second"), ..transfer };
    super::transfers::begun(subject, transfer).await;
    let audit = fixtures.audit("channel.state");
    let moved = subject.store.move_channel(&channel("second"), 1, Lifecycle::Off, audit).await;
    assert_eq!(moved, Ok(false), "a transfer");
}

/// Of many who saw the same, one moves it.
pub async fn of_moves_at_once_one_is_done(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    assert!(bind(subject, &[record("main", "one")]).await);
    let mut writes = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (store, audit) = (Arc::clone(&subject.store), fixtures.audit("channel.state"));
        writes.spawn(async move {
            store.move_channel(&channel("main"), 1, Lifecycle::Draining, audit).await.unwrap()
        });
    }
    let done = writes.join_all().await.into_iter().filter(|done| *done).count();
    assert_eq!((done, subject.store.audit(None, 99).await.unwrap().len()), (1, 1));
}

/// Of many nodes that bind the same at once, one does.
pub async fn of_bindings_at_once_one_is_done(subject: &Subject) {
    let mut writes = tokio::task::JoinSet::new();
    for place in 0..16 {
        let store = Arc::clone(&subject.store);
        let new = vec![record(&format!("own{place}"), &format!("own{place}")), record("main", "one")];
        writes.spawn(async move { store.bind_channels(new).await.unwrap() });
    }
    let done = writes.join_all().await.into_iter().filter(|done| *done).count();
    assert_eq!((done, records(subject).await.len()), (1, 2));
}
