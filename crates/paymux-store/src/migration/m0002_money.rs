//! Refunds, transfers, the books, the audit trail, claimed keys and endpoints that are gone; and what
//! the tables before them need for it.
//!
//! One text serves both databases wherever they allow it. SQLite cannot make a column nullable, so
//! `events` is written anew there, and with it `deliveries`, whose rows point at it: the new tables are
//! filled before the old ones go, so that every foreign key holds at every moment. All of it is part of
//! one transaction: a start that is killed in the middle leaves what was there before.

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use super::dialect;

pub(super) struct Money;

impl MigrationName for Money {
    fn name(&self) -> &'static str {
        "m0002_money"
    }
}

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Money {
    #[expect(elided_lifetimes_in_paths, reason = "the trait leaves it out, and async_trait wants the same")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for part in parts(db.get_database_backend()) {
            db.execute_unprepared(&part).await?;
        }
        Ok(())
    }
}

/// The statements of this step, in their order.
pub(super) fn parts(backend: DbBackend) -> Vec<String> {
    let outbox = if backend == DbBackend::Postgres { OUTBOX_POSTGRES } else { OUTBOX_SQLITE };
    let texts = [GROWN, NEW, outbox, OUTBOX_INDEXES];
    texts.iter().map(|text| dialect(backend, text)).collect()
}

/// Columns of tables that were there. A sum of an attempt that was set aside or given back is never
/// more than what came in on it. A callback that was applied has the key by which it is known again; the
/// rule stands at a new column since SQLite takes none for a table that is there.
///
/// `settled` of a second sum is written by the core as `\"settled\":false`: a quote inside of a value is
/// escaped, so that the text with plain quotes is found where a sum waits and nowhere else.
const GROWN: &str = r#"
ALTER TABLE attempts ADD COLUMN more {text} NOT NULL DEFAULT '[]';
ALTER TABLE attempts ADD COLUMN refunding {int} NOT NULL DEFAULT 0 CHECK (refunding >= 0);
ALTER TABLE attempts ADD COLUMN refunded {int} NOT NULL DEFAULT 0 CONSTRAINT attempts_refundable
    CHECK (refunded >= 0 AND refunding + refunded <= coalesce(received, 0));
CREATE INDEX attempts_unknown ON attempts (created_at, id) WHERE state = 'unknown';
CREATE INDEX attempts_held ON attempts (created_at, id)
    WHERE (state <> 'paid' AND received > refunding + refunded) OR more LIKE '%"settled":false%';
CREATE INDEX attempts_window ON attempts (channel, created_at, number);

ALTER TABLE callbacks ADD COLUMN settled_at {int} CONSTRAINT callbacks_claim
    CHECK (verdict <> 'applied' OR event_key IS NOT NULL);
CREATE INDEX callbacks_unmatched ON callbacks (received_at, id)
    WHERE verdict IN ('orphan', 'quarantined') AND settled_at IS NULL;
CREATE INDEX callbacks_list ON callbacks (received_at, id);
CREATE INDEX callbacks_channel ON callbacks (channel, received_at, id);
CREATE INDEX callbacks_verdict ON callbacks (verdict, received_at, id) WHERE verdict <> 'applied';
"#;

const NEW: &str = "
CREATE TABLE refunds (
    id {text} NOT NULL PRIMARY KEY,
    app {text} NOT NULL,
    payment {text} NOT NULL REFERENCES payments (id),
    attempt {text} NOT NULL REFERENCES attempts (id),
    refund_no {text},
    origin {text} NOT NULL,
    channel {text} NOT NULL,
    number {text} NOT NULL,
    amount {int} NOT NULL CHECK (amount > 0),
    currency {text} NOT NULL CHECK (length(currency) = 3),
    reason {text} NOT NULL,
    state {text} NOT NULL,
    fence {int} NOT NULL CHECK (fence >= 0),
    action_url {text},
    failure {text},
    reference {text},
    fingerprint {text} NOT NULL,
    created_at {int} NOT NULL,
    ended_at {int},
    check_at {int},
    checks {int} NOT NULL CHECK (checks >= 0)
){strict};
CREATE UNIQUE INDEX refunds_no ON refunds (app, refund_no) WHERE refund_no IS NOT NULL;
CREATE UNIQUE INDEX refunds_number ON refunds (channel, number);
CREATE INDEX refunds_payment ON refunds (payment, created_at, id);
CREATE INDEX refunds_window ON refunds (channel, created_at, number);
CREATE INDEX refunds_due ON refunds (check_at, id) WHERE check_at IS NOT NULL;
CREATE INDEX refunds_unknown ON refunds (created_at, id) WHERE state = 'unknown';
CREATE INDEX refunds_needs_action ON refunds (created_at, id) WHERE state = 'needs_action';

CREATE TABLE transfers (
    id {text} NOT NULL PRIMARY KEY,
    app {text} NOT NULL,
    transfer_no {text} NOT NULL,
    channel {text} NOT NULL,
    provider {text} NOT NULL,
    number {text} NOT NULL,
    amount {int} NOT NULL CHECK (amount > 0),
    currency {text} NOT NULL CHECK (length(currency) = 3),
    product {text} NOT NULL,
    payee_masked {text} NOT NULL,
    reason {text} NOT NULL,
    livemode {bool} NOT NULL,
    state {text} NOT NULL,
    fence {int} NOT NULL CHECK (fence >= 0),
    action_url {text},
    failure {text},
    reference {text},
    fingerprint {text} NOT NULL,
    events {int} NOT NULL CHECK (events >= 0),
    created_at {int} NOT NULL,
    ended_at {int},
    check_at {int},
    checks {int} NOT NULL CHECK (checks >= 0)
){strict};
CREATE UNIQUE INDEX transfers_no ON transfers (app, transfer_no);
CREATE UNIQUE INDEX transfers_number ON transfers (channel, number);
CREATE INDEX transfers_limit ON transfers (app, currency, created_at, amount) WHERE state <> 'failed';
CREATE INDEX transfers_due ON transfers (check_at, id) WHERE check_at IS NOT NULL;
CREATE INDEX transfers_unknown ON transfers (created_at, id) WHERE state = 'unknown';
CREATE INDEX transfers_needs_action ON transfers (created_at, id) WHERE state = 'needs_action';

-- A line belongs to an attempt, to a refund of an attempt's money, or to a transfer.
CREATE TABLE postings (
    id {text} NOT NULL PRIMARY KEY,
    at {int} NOT NULL,
    kind {text} NOT NULL,
    debit {text} NOT NULL,
    credit {text} NOT NULL,
    amount {int} NOT NULL CHECK (amount > 0),
    currency {text} NOT NULL CHECK (length(currency) = 3),
    payment {text} REFERENCES payments (id),
    attempt {text} REFERENCES attempts (id),
    refund {text} REFERENCES refunds (id),
    transfer {text} REFERENCES transfers (id),
    CHECK ((payment IS NULL) = (attempt IS NULL)),
    CHECK ((payment IS NULL) <> (transfer IS NULL)),
    CHECK (refund IS NULL OR payment IS NOT NULL)
){strict};
CREATE INDEX postings_payment ON postings (payment, id) WHERE payment IS NOT NULL;
CREATE INDEX postings_transfer ON postings (transfer, id) WHERE transfer IS NOT NULL;

CREATE TABLE audit (
    id {text} NOT NULL PRIMARY KEY,
    at {int} NOT NULL,
    operator {text} NOT NULL,
    action {text} NOT NULL,
    target {text} NOT NULL,
    before {text} NOT NULL,
    after {text} NOT NULL,
    note {text} NOT NULL,
    request_id {text} NOT NULL
){strict};

CREATE TABLE claims (
    scope {text} NOT NULL,
    key {text} NOT NULL,
    digest {text} NOT NULL,
    at {int} NOT NULL,
    until {int} NOT NULL,
    PRIMARY KEY (scope, key)
){strict};
CREATE INDEX claims_over ON claims (until);

-- Addresses of an app that said that they are gone for good.
CREATE TABLE endpoints (
    app {text} NOT NULL,
    url {text} NOT NULL,
    disabled_at {int} NOT NULL,
    reason {text} NOT NULL,
    PRIMARY KEY (app, url)
){strict};
";

const OUTBOX_POSTGRES: &str = "
ALTER TABLE events ALTER COLUMN payment DROP NOT NULL;
ALTER TABLE events ADD COLUMN transfer {text} REFERENCES transfers (id);
ALTER TABLE events ADD CONSTRAINT events_subject CHECK ((payment IS NULL) <> (transfer IS NULL));
ALTER TABLE deliveries ADD COLUMN created_at {int} NOT NULL DEFAULT 0;
UPDATE deliveries SET created_at = events.created_at FROM events WHERE events.id = deliveries.event;
ALTER TABLE deliveries DROP CONSTRAINT deliveries_state_check;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_state
    CHECK (state IN ('pending', 'parked', 'delivered', 'dead'));
";

const OUTBOX_SQLITE: &str = "
CREATE TABLE new_events (
    id {text} NOT NULL PRIMARY KEY,
    app {text} NOT NULL,
    payment {text} REFERENCES payments (id),
    kind {text} NOT NULL,
    sequence {int} NOT NULL CHECK (sequence > 0),
    created_at {int} NOT NULL,
    body {text} NOT NULL,
    url {text},
    transfer {text} REFERENCES transfers (id),
    CONSTRAINT events_subject CHECK ((payment IS NULL) <> (transfer IS NULL))
){strict};
INSERT INTO new_events SELECT id, app, payment, kind, sequence, created_at, body, url, NULL FROM events;
CREATE TABLE new_deliveries (
    event {text} NOT NULL PRIMARY KEY REFERENCES new_events (id),
    app {text} NOT NULL,
    state {text} NOT NULL CONSTRAINT deliveries_state
        CHECK (state IN ('pending', 'parked', 'delivered', 'dead')),
    next_at {int} NOT NULL,
    tries {int} NOT NULL CHECK (tries >= 0),
    fence {int} NOT NULL CHECK (fence >= 0),
    delivered_at {int},
    detail {text},
    created_at {int} NOT NULL DEFAULT 0
){strict};
INSERT INTO new_deliveries SELECT d.event, d.app, d.state, d.next_at, d.tries, d.fence, d.delivered_at,
    d.detail, e.created_at FROM deliveries d JOIN events e ON e.id = d.event;
DROP TABLE deliveries;
DROP TABLE events;
ALTER TABLE new_events RENAME TO events;
ALTER TABLE new_deliveries RENAME TO deliveries;
CREATE UNIQUE INDEX events_sequence ON events (payment, sequence);
CREATE INDEX events_list ON events (app, id);
CREATE INDEX deliveries_due ON deliveries (app, next_at, event) WHERE state = 'pending';
";

/// A delivery is `parked` while it is pending and its endpoint is known to be gone: so a backlog that
/// nobody will take is not looked through again and again. `created_at` is its event's.
const OUTBOX_INDEXES: &str = "
CREATE UNIQUE INDEX events_transfer ON events (transfer, sequence);
CREATE INDEX deliveries_parked ON deliveries (app, event) WHERE state = 'parked';
CREATE INDEX deliveries_undelivered ON deliveries (app, created_at, event) WHERE state <> 'delivered';
CREATE INDEX deliveries_dead ON deliveries (created_at, event) WHERE state = 'dead';
";
