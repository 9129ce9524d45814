//! What waits for a person, each kind found by an index of its own.

use paymux_core::clock::Timestamp;
use paymux_core::ids::{AppId, PaymentId};
use paymux_core::payment::Failure;
use paymux_core::store::{Patience, QueueCounts, QueueFilter, QueueItem, QueueKind, Subject};
use sea_orm::ConnectionTrait;

use crate::entity::{attempts, callbacks, events, refunds, transfers};
use crate::fault::Fault;
use crate::rows::{self, Cells};
use crate::script::Sql;

/// Where the items of a kind are found.
struct Source {
    /// The table, whose rows are `x`.
    table: &'static str,
    /// The column of the time by which they are sorted.
    since: &'static str,
    /// The column of the id.
    id: &'static str,
    /// Which of them wait, as the index on them says it.
    waits: &'static str,
    /// Since when: what may still end by itself waits only from then on.
    age: Option<Age>,
    /// The rows that are read beside.
    join: &'static str,
    /// What is read.
    columns: String,
    read: fn(QueueKind, &mut Cells<'_>) -> Result<QueueItem, Fault>,
}

/// How old something must be to wait.
#[derive(Clone, Copy)]
struct Age {
    /// Its moments, each of which must lie back.
    moments: &'static [&'static str],
    before: fn(&Patience) -> Timestamp,
}

/// Of what is unknown.
const MADE: Age = Age { moments: &["x.created_at"], before: |patience| patience.unknown_before };
/// Of what is open.
const ENDED: Age = Age { moments: &["x.ends_at"], before: |patience| patience.ended_before };
/// Of a refund that is under way. The first moment is that of the index.
const SENT: Age = Age {
    moments: &["x.created_at", "coalesce(x.sent_at, x.created_at)"],
    before: |patience| patience.sent_before,
};
/// Of a transfer that is: it is sent as soon as it is stored.
const SENT_AT_ONCE: Age = Age { moments: &["x.created_at"], before: |patience| patience.sent_before };

impl Source {
    /// Where the items of a kind are found, each of them in one of these alone.
    fn all_of(kind: QueueKind) -> Vec<Self> {
        match kind {
            QueueKind::AttemptUnknown => {
                vec![Self::of_attempts(UNKNOWN).of_age(MADE), Self::of_attempts(OVERDUE).of_age(ENDED)]
            }
            QueueKind::RefundUnknown => vec![
                Self::of_refunds("x.state = 'unknown'").of_age(MADE),
                Self::of_refunds("x.state = 'pending'").of_age(SENT),
            ],
            QueueKind::TransferUnknown => vec![
                Self::of_transfers("x.state = 'unknown'").of_age(MADE),
                Self::of_transfers("x.state = 'pending'").of_age(SENT_AT_ONCE),
            ],
            QueueKind::MoneyHeld => vec![Self::of_attempts(HELD)],
            QueueKind::RefundNeedsAction => vec![Self::of_refunds("x.state = 'needs_action'")],
            QueueKind::TransferNeedsAction => vec![Self::of_transfers("x.state = 'needs_action'")],
            QueueKind::CallbackUnmatched => vec![Self {
                table: "callbacks x",
                since: "x.received_at",
                id: "x.id",
                waits: "x.verdict IN ('orphan', 'quarantined') AND x.settled_at IS NULL",
                age: None,
                join: "LEFT JOIN payments p ON p.id = x.payment",
                columns: format!("p.app, {}", rows::columns::<callbacks::Column>("x.")),
                read: callback,
            }],
            QueueKind::NoticeDead => vec![Self {
                table: "deliveries x",
                since: "x.created_at",
                id: "x.event",
                waits: "x.state = 'dead'",
                age: None,
                join: "JOIN events e ON e.id = x.event",
                columns: format!("x.detail, {}", rows::columns::<events::Column>("e.")),
                read: notice,
            }],
        }
    }

    fn of_age(self, age: Age) -> Self {
        Self { age: Some(age), ..self }
    }

    /// Adds which rows these are.
    fn push_condition(&self, sql: &mut Sql, patience: &Patience) {
        sql.push(self.waits);
        let Some(age) = self.age else { return };
        for moment in age.moments {
            sql.push(" AND ").push(moment).push(" < ").bind((age.before)(patience).ms());
        }
    }

    fn of_attempts(waits: &'static str) -> Self {
        Self {
            table: "attempts x",
            since: "x.created_at",
            id: "x.id",
            waits,
            age: None,
            join: "JOIN payments p ON p.id = x.payment",
            columns: format!(
                "p.id, p.app, p.amount, p.currency, {}",
                rows::columns::<attempts::Column>("x.")
            ),
            read: attempt,
        }
    }

    fn of_refunds(waits: &'static str) -> Self {
        let columns = rows::columns::<refunds::Column>("x.");
        Self {
            table: "refunds x",
            since: "x.created_at",
            id: "x.id",
            waits,
            age: None,
            join: "",
            columns,
            read: refund,
        }
    }

    fn of_transfers(waits: &'static str) -> Self {
        let columns = rows::columns::<transfers::Column>("x.");
        Self {
            table: "transfers x",
            since: "x.created_at",
            id: "x.id",
            waits,
            age: None,
            join: "",
            columns,
            read: transfer,
        }
    }
}

/// As the index `attempts_unknown`: unknown, or as [`paymux_core::payment::Attempt::is_said_paid`].
const UNKNOWN: &str = "(x.state = 'unknown' OR (x.said_paid_at IS NOT NULL AND x.received IS NULL \
    AND x.state IN ('open', 'abandoned', 'lapsed')))";

/// As the index `attempts_overdue`, and as [`paymux_core::payment::Attempt::is_overdue`].
const OVERDUE: &str = "x.state = 'open' AND x.received IS NULL AND x.said_paid_at IS NULL";

/// As the index `attempts_held`, and as [`paymux_core::payment::Attempt::holds_money`].
const HELD: &str = r#"((x.state <> 'paid' AND x.received > x.refunding + x.refunded) OR x.contested > 0 OR x.more LIKE '%"settled":false%')"#;

/// What waits for a person, oldest first.
pub(crate) async fn list<C: ConnectionTrait>(db: &C, filter: &QueueFilter) -> Result<Vec<QueueItem>, Fault> {
    let mut items = Vec::new();
    for kind in QueueKind::ALL.iter().filter(|kind| filter.kind.is_none_or(|only| only == **kind)) {
        for source in Source::all_of(*kind) {
            items.extend(of_source(db, *kind, &source, filter).await?);
        }
    }
    items.sort_by(|one, other| (one.since, &one.id).cmp(&(other.since, &other.id)));
    items.truncate(usize::try_from(filter.limit).unwrap_or(usize::MAX));
    Ok(items)
}

async fn of_source<C: ConnectionTrait>(
    db: &C,
    kind: QueueKind,
    source: &Source,
    filter: &QueueFilter,
) -> Result<Vec<QueueItem>, Fault> {
    let mut sql = Sql::new(db.get_database_backend());
    sql.push("SELECT ").push(&source.columns).push(" FROM ").push(source.table).push(" ").push(source.join);
    waiting(&mut sql, kind, source, &filter.patience);
    if let Some((since, id)) = &filter.after {
        sql.push(" AND (").push(source.since).push(", ").push(source.id).push(") > (");
        sql.bind(since.ms()).push(", ").bind(rows::text(id)).push(")");
    }
    sql.push(" ORDER BY ").push(source.since).push(", ").push(source.id);
    sql.push(" LIMIT ").bind(i64::from(filter.limit));
    sql.rows(db).await?.iter().map(|row| (source.read)(kind, &mut Cells::new(row))).collect()
}

/// Adds which rows of that source wait under that kind. What nobody knows enough of waits as that alone.
fn waiting(sql: &mut Sql, kind: QueueKind, source: &Source, patience: &Patience) {
    sql.push(" WHERE ");
    source.push_condition(sql, patience);
    if kind == QueueKind::MoneyHeld {
        for other in Source::all_of(QueueKind::AttemptUnknown) {
            sql.push(" AND NOT (");
            other.push_condition(sql, patience);
            sql.push(")");
        }
    }
}

/// How much waits for a person.
pub(crate) async fn counts<C: ConnectionTrait>(db: &C, patience: Patience) -> Result<QueueCounts, Fault> {
    let mut sql = Sql::new(db.get_database_backend());
    let sources =
        QueueKind::ALL.iter().flat_map(|kind| Source::all_of(*kind).into_iter().map(|of| (*kind, of)));
    for (place, (kind, source)) in sources.enumerate() {
        sql.push(if place == 0 { "SELECT '" } else { " UNION ALL SELECT '" }).push(kind.word());
        sql.push("', count(*) FROM ").push(source.table);
        waiting(&mut sql, kind, &source, &patience);
    }
    let mut counts = QueueCounts::new();
    for row in &sql.rows(db).await? {
        let mut cells = Cells::new(row);
        let kind = cells.word(QueueKind::from_word)?;
        let count = u64::try_from(cells.next::<i64>()?).map_err(|_| Fault::Corrupt("a count below zero"))?;
        if count > 0 {
            *counts.entry(kind).or_default() += count;
        }
    }
    Ok(counts)
}

fn message(failure: Option<Failure>) -> Option<String> {
    failure.map(|failure| failure.message)
}

fn attempt(kind: QueueKind, cells: &mut Cells<'_>) -> Result<QueueItem, Fault> {
    let payment: PaymentId = cells.parsed()?;
    let app = cells.name(AppId::new)?;
    let asked = cells.money()?;
    let attempt = rows::read_attempt(cells)?;
    Ok(QueueItem {
        kind,
        id: attempt.id.to_string(),
        app: Some(app),
        payment: Some(payment),
        amount: Some(attempt.held().unwrap_or(asked)),
        channel: Some(attempt.channel),
        since: attempt.created_at,
        detail: message(attempt.failure),
    })
}

fn refund(kind: QueueKind, cells: &mut Cells<'_>) -> Result<QueueItem, Fault> {
    let refund = rows::read_refund(cells)?;
    Ok(QueueItem {
        kind,
        id: refund.id.to_string(),
        app: Some(refund.app),
        payment: Some(refund.payment),
        channel: Some(refund.channel),
        amount: Some(refund.amount),
        since: refund.created_at,
        detail: message(refund.failure),
    })
}

fn transfer(kind: QueueKind, cells: &mut Cells<'_>) -> Result<QueueItem, Fault> {
    let transfer = rows::read_transfer(cells)?;
    Ok(QueueItem {
        kind,
        id: transfer.id.to_string(),
        app: Some(transfer.app),
        payment: None,
        channel: Some(transfer.channel),
        amount: Some(transfer.amount),
        since: transfer.created_at,
        detail: message(transfer.failure),
    })
}

fn callback(kind: QueueKind, cells: &mut Cells<'_>) -> Result<QueueItem, Fault> {
    let app = cells.maybe_name(AppId::new)?;
    let row = rows::read_callback(cells)?;
    Ok(QueueItem {
        kind,
        id: row.id.to_string(),
        app,
        payment: row.payment,
        channel: Some(row.channel),
        amount: None,
        since: row.received_at,
        detail: row.detail,
    })
}

fn notice(kind: QueueKind, cells: &mut Cells<'_>) -> Result<QueueItem, Fault> {
    let detail = cells.next()?;
    let event = rows::read_event(cells)?;
    let payment = match event.subject {
        Subject::Payment(id) => Some(id),
        Subject::Transfer(_) => None,
    };
    Ok(QueueItem {
        kind,
        id: event.id.to_string(),
        app: Some(event.app),
        payment,
        channel: None,
        amount: None,
        since: event.created_at,
        detail,
    })
}
