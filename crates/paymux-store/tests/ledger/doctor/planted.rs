//! One fault for each rule, written past the ledger: in a sound ledger, that rule finds it and no other.

/// A fault.
pub(super) struct Planted {
    /// The rule that it breaks.
    pub(super) check: &'static str,
    /// What takes the schema's own guard away on SQLite and on PostgreSQL.
    pub(super) unguard: [&'static str; 2],
    /// What is written; each statement changes something.
    pub(super) sql: &'static [&'static str],
}

const fn fault(check: &'static str, sql: &'static [&'static str]) -> Planted {
    Planted { check, unguard: ["", ""], sql }
}

pub(super) const FAULTS: &[Planted] = &[
    fault(
        "success_has_one_paid_attempt",
        &[
            "UPDATE events SET kind = 'payment.succeeded' WHERE kind = 'payment.expired' AND payment = ({unpaid})",
            "UPDATE payments SET status = 'succeeded', paid_at = 1 WHERE id = ({unpaid})",
        ],
    ),
    Planted {
        check: "one_live_attempt",
        unguard: ["DROP INDEX attempts_live", "DROP INDEX attempts_live"],
        sql: &[
            "INSERT INTO attempts (id, payment, ordinal, channel, provider, number, state, fence, memo, created_at, \
                ends_at, check_at, checks) SELECT 'att_other', payment, \
                (SELECT count(*) FROM attempts o WHERE o.payment = a.payment), channel, provider, 'other', state, \
                fence, memo, created_at, ends_at, check_at, checks FROM attempts a WHERE id = ({open})",
            "INSERT INTO decisions (attempt, decision) VALUES ('att_other', '{}')",
        ],
    },
    fault(
        "unended_payment_is_alive",
        &["UPDATE attempts SET state = 'closed', check_at = NULL WHERE id = ({open})"],
    ),
    fault("unended_attempt_is_watched", &["UPDATE attempts SET check_at = NULL WHERE id = ({open})"]),
    fault(
        "duplicate_has_a_paid_sibling",
        &[
            "UPDATE attempts SET state = 'duplicate_paid', closing_until = NULL WHERE id = (SELECT min(a.id) FROM attempts a \
            WHERE a.state IN ('closed', 'lapsed', 'abandoned') AND a.received > 0 AND NOT EXISTS \
            (SELECT 1 FROM attempts o WHERE o.payment = a.payment AND o.state = 'paid'))",
        ],
    ),
    fault(
        "amount_received",
        &["UPDATE payments SET amount_received = amount_received + 1 WHERE id = ({succeeded})"],
    ),
    fault("paid_at", &["UPDATE payments SET paid_at = NULL WHERE id = ({succeeded})"]),
    fault("nothing_to_pay_after_the_end", &["UPDATE payments SET next_action = '{}' WHERE id = ({unpaid})"]),
    fault("held_has_money", &["UPDATE payments SET held = 'late' WHERE id = ({unpaid})"]),
    fault(
        "held_waits",
        &["UPDATE payments SET held = 'late' WHERE id = (SELECT min(p.id) FROM payments p \
            WHERE p.status = 'succeeded' AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.payment = p.id \
            AND (a.contested > 0 OR a.more <> '[]' OR (a.state <> 'paid' AND a.received IS NOT NULL))))"],
    ),
    fault(
        "contested_is_held",
        &["UPDATE attempts SET contested = 1 WHERE id = (SELECT min(id) FROM attempts \
            WHERE state = 'closed' AND received > refunding + refunded)"],
    ),
    fault(
        "crossing_is_looked_at",
        &["UPDATE attempts SET closing_until = 1 WHERE id = (SELECT min(id) FROM attempts \
            WHERE state = 'paid' AND check_at IS NULL)"],
    ),
    fault(
        "attempts_are_numbered",
        &["UPDATE attempts SET ordinal = ordinal + 5 WHERE id = (SELECT max(id) FROM attempts)"],
    ),
    fault(
        "attempt_has_a_decision",
        &["DELETE FROM decisions WHERE attempt = (SELECT min(attempt) FROM decisions)"],
    ),
    fault(
        "decision_has_its_version",
        &["UPDATE decisions SET version = 'other' WHERE attempt = (SELECT min(attempt) FROM decisions)"],
    ),
    Planted {
        check: "refunds_fit",
        unguard: [
            "PRAGMA ignore_check_constraints = ON",
            "ALTER TABLE attempts DROP CONSTRAINT attempts_refundable, DROP CONSTRAINT attempts_contested",
        ],
        sql: &[
            "INSERT INTO refunds (id, app, payment, attempt, origin, channel, number, amount, currency, reason, state, \
                fence, fingerprint, created_at, checks) SELECT 'rfd_other', p.app, p.id, a.id, 'merchant', a.channel, \
                'other', 10000, 'CNY', '', 'queued', 0, '', 1, 0 FROM attempts a JOIN payments p ON p.id = a.payment \
                WHERE a.id = (SELECT min(id) FROM attempts WHERE state = 'paid')",
            "UPDATE attempts SET refunding = refunding + 10000 WHERE id = (SELECT min(id) FROM attempts WHERE state = 'paid')",
        ],
    },
    fault(
        "refunding_is_the_sum",
        &["UPDATE attempts SET refunding = refunding + 1 WHERE id = ({refundable})"],
    ),
    fault("refunded_is_the_sum", &["UPDATE attempts SET refunded = refunded + 1 WHERE id = ({refundable})"]),
    fault(
        "amount_refunded",
        &["UPDATE payments SET amount_refunded = amount_refunded + 1 WHERE id = ({succeeded})"],
    ),
    fault(
        "refund_is_in_its_currency",
        &[
            "UPDATE refunds SET currency = 'JPY' WHERE id = (SELECT min(id) FROM refunds WHERE origin = 'merchant' \
            AND state IN ('sending', 'pending', 'needs_action', 'unknown'))",
        ],
    ),
    fault(
        "ended_outflow_is_over",
        &[
            "UPDATE transfers SET ended_at = NULL WHERE id = (SELECT min(id) FROM transfers WHERE state = 'succeeded')",
        ],
    ),
    fault(
        "refund_is_sent_or_queued",
        &[
            "UPDATE refunds SET sent_at = NULL WHERE id = (SELECT min(id) FROM refunds WHERE origin = 'merchant' \
            AND state IN ('sending', 'pending', 'needs_action', 'unknown'))",
        ],
    ),
    fault(
        "posting_is_sound",
        &["UPDATE postings SET kind = 'returned_outside' WHERE id = (SELECT min(id) FROM postings \
            WHERE kind = 'refunded' AND debit LIKE 'app:%')"],
    ),
    // From here on, a line of the books is moved to something else of the same accounts.
    fault("booked_what_came_in", &["{move} 'held'"]),
    fault("booked_what_is_the_apps", &["{move} 'released'"]),
    fault(
        "booked_refunds",
        &[
            "UPDATE postings SET (payment, attempt, refund) = (SELECT o.payment, o.attempt, o.id FROM refunds o \
            JOIN refunds r ON r.id <> o.id AND r.app = o.app AND r.channel = o.channel AND r.origin = o.origin \
            WHERE r.id = postings.refund ORDER BY o.id LIMIT 1) WHERE id = (SELECT min(x.id) FROM postings x \
            WHERE x.kind = 'refunded' AND x.debit LIKE 'app:%')",
        ],
    ),
    fault(
        "days_are_the_books",
        &[
            "UPDATE channel_day SET received = received + 1 WHERE received = (SELECT max(received) FROM channel_day)",
        ],
    ),
    fault(
        "limits_are_the_attempts",
        &["INSERT INTO channel_capacity (day, channel, currency, reserved, booked, counted) \
            VALUES (19783, 'main', 'CNY', 0, 0, 1)"],
    ),
    fault("set_aside_for_what_may_come", &["UPDATE attempts SET reserved = 5 WHERE id = ({open})"]),
    fault("booked_second_sums", &["{move} 'returned_outside'"]),
    fault(
        "booked_transfers",
        &[
            "UPDATE postings SET transfer = (SELECT min(o.id) FROM transfers o JOIN transfers t ON t.id <> o.id \
            AND t.app = o.app AND t.channel = o.channel WHERE t.id = postings.transfer) \
            WHERE id = (SELECT min(id) FROM postings WHERE kind = 'paid_out')",
        ],
    ),
    fault(
        "accounts_balance",
        &[
            "UPDATE postings SET debit = replace(debit, 'held:', 'app:') WHERE id = (SELECT min(x.id) FROM postings x \
            JOIN attempts a ON a.id = x.attempt WHERE x.kind = 'refunded' AND x.debit LIKE 'held:%' AND a.state <> 'paid')",
        ],
    ),
    fault("events_are_gapless", &["UPDATE payments SET events = events + 1 WHERE id = ({succeeded})"]),
    fault(
        "end_of_a_payment_is_told",
        &[
            "UPDATE events SET kind = 'payment.underpaid' WHERE kind = 'payment.expired' AND payment = ({unpaid})",
        ],
    ),
    fault(
        "told_success_stands",
        &["UPDATE events SET kind = 'payment.succeeded' WHERE id = (SELECT min(e.id) FROM events e \
            JOIN payments p ON p.id = e.payment WHERE p.status IN ('expired', 'canceled') \
            AND e.kind IN ('payment.held', 'payment.underpaid'))"],
    ),
    fault(
        "end_of_a_refund_is_told",
        &["UPDATE events SET kind = 'refund.needs_action' WHERE id = (SELECT min(id) FROM events \
            WHERE kind = 'refund.succeeded')"],
    ),
    fault(
        "end_of_a_transfer_is_told",
        &["UPDATE events SET kind = 'transfer.needs_action' WHERE id = (SELECT min(id) FROM events \
            WHERE kind = 'transfer.succeeded')"],
    ),
    fault(
        "event_has_a_delivery",
        &["DELETE FROM deliveries WHERE event = (SELECT min(event) FROM deliveries)"],
    ),
    fault(
        "applied_callback_has_money",
        &["UPDATE callbacks SET payment = ({unpaid}) WHERE id = (SELECT min(id) FROM callbacks \
            WHERE verdict = 'applied' AND payment IS NOT NULL)"],
    ),
    fault(
        "off_channels_are_idle",
        &[
            "INSERT INTO channels SELECT channel, provider, 'account', 'off', 1, 'root', 2 FROM attempts WHERE id = ({open})",
        ],
    ),
    fault("nothing_is_overdue", &["UPDATE attempts SET check_at = 1 WHERE id = ({open})"]),
    fault(
        "rows_agree",
        &[
            "UPDATE deliveries SET app = 'market' WHERE event = (SELECT min(event) FROM deliveries WHERE app = 'shop')",
        ],
    ),
    Planted {
        check: "rows_have_owners",
        unguard: [
            "PRAGMA foreign_keys = OFF",
            "ALTER TABLE decisions DROP CONSTRAINT decisions_attempt_fkey",
        ],
        sql: &["INSERT INTO decisions (attempt, decision) VALUES ('att_nobody', '{}')"],
    },
];

/// What stands for the `{words}` of a fault.
const WORDS: [(&str, &str); 5] = [
    (
        "{unpaid}",
        "SELECT min(p.id) FROM payments p WHERE p.status = 'expired' AND NOT EXISTS (SELECT 1 FROM attempts a \
            WHERE a.payment = p.id AND a.received IS NOT NULL)",
    ),
    ("{open}", "SELECT min(id) FROM attempts WHERE state = 'open' AND received IS NULL"),
    ("{succeeded}", "SELECT min(id) FROM payments WHERE status = 'succeeded'"),
    ("{refundable}", "SELECT min(id) FROM attempts WHERE state = 'paid' AND received > refunding + refunded"),
    (
        "{move}",
        "UPDATE postings SET (payment, attempt) = (SELECT o.payment, o.id FROM attempts o \
            JOIN payments op ON op.id = o.payment JOIN attempts a ON a.id <> o.id AND a.channel = o.channel \
            JOIN payments p ON p.id = a.payment AND p.app = op.app WHERE a.id = postings.attempt \
            ORDER BY o.id LIMIT 1) WHERE id = (SELECT min(x.id) FROM postings x WHERE x.refund IS NULL AND x.kind = ",
    ),
];

impl Planted {
    /// The statements, ready to be run.
    pub(super) fn statements(&self) -> Vec<String> {
        self.sql.iter().map(|text| ready(text)).collect()
    }
}

fn ready(text: &str) -> String {
    let closing = if text.starts_with("{move}") { ")" } else { "" };
    WORDS.iter().fold(text.to_owned() + closing, |text, (word, with)| text.replace(word, with))
}
