//! What must hold of events, deliveries and callbacks, and of the workers.

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "events_are_gapless",
        rule: "The events of a payment or transfer are numbered from 1 without a gap, up to the number that it shows.",
        why: "A merchant waits for a number that never comes, or was told something that is not kept.",
        todo: "Look for the missing event in a backup.",
        sql: "SELECT p.id FROM payments p LEFT JOIN (SELECT payment, count(*) AS n, count(DISTINCT sequence) AS numbers, \
                min(sequence) AS least, max(sequence) AS most FROM events GROUP BY payment) e ON e.payment = p.id \
            WHERE p.events <> coalesce(e.n, 0) OR e.numbers <> e.n OR e.least <> 1 OR e.most <> e.n \
            UNION ALL SELECT t.id FROM transfers t LEFT JOIN (SELECT transfer, count(*) AS n, \
                count(DISTINCT sequence) AS numbers, min(sequence) AS least, max(sequence) AS most FROM events \
                GROUP BY transfer) e ON e.transfer = t.id \
            WHERE t.events <> coalesce(e.n, 0) OR e.numbers <> e.n OR e.least <> 1 OR e.most <> e.n",
    },
    Check {
        name: "end_of_a_payment_is_told",
        rule: "Every payment that has ended here has an event of its end.",
        why: "The merchant was never told.",
        todo: "Tell the merchant; state and event are written together, so find out what changed the state alone.",
        // Nobody is told the end of what was taken over with its money: it had ended elsewhere.
        sql: "SELECT p.id FROM payments p WHERE p.status NOT IN ('processing', 'pending') AND NOT EXISTS \
            (SELECT 1 FROM events e WHERE e.payment = p.id AND e.kind = 'payment.' || p.status) \
            AND NOT (p.origin = 'imported' AND p.status = 'succeeded')",
    },
    Check {
        name: "told_success_stands",
        rule: "A payment whose success was told has succeeded.",
        why: "The merchant has delivered for money that the ledger no longer shows.",
        todo: "Ask the provider about it (POST /v1/payments/{id}/sync), and find out what took the success back.",
        sql: "SELECT p.id FROM payments p WHERE p.status <> 'succeeded' AND EXISTS \
            (SELECT 1 FROM events e WHERE e.payment = p.id AND e.kind = 'payment.succeeded')",
    },
    Check {
        name: "end_of_a_refund_is_told",
        rule: "Every refund that is done by its provider, has failed or waits for a person has an event of that.",
        why: "The merchant was never told.",
        todo: "Tell the merchant; state and event are written together, so find out what changed the state alone.",
        sql: "SELECT r.id FROM refunds r WHERE (r.state IN ('failed', 'needs_action') OR (r.state = 'succeeded' \
            AND NOT EXISTS (SELECT 1 FROM postings x WHERE x.payment = r.payment AND x.refund = r.id \
                AND x.kind = 'returned_outside'))) \
            AND NOT EXISTS (SELECT 1 FROM events e WHERE e.payment = r.payment AND e.kind = 'refund.' || r.state \
                AND {told} = r.id)",
    },
    Check {
        name: "end_of_a_transfer_is_told",
        rule: "Every transfer that is done, has failed or waits for a person has an event of that.",
        why: "The merchant was never told.",
        todo: "Tell the merchant; state and event are written together, so find out what changed the state alone.",
        sql: "SELECT t.id FROM transfers t WHERE t.state IN ('succeeded', 'failed', 'needs_action') AND NOT EXISTS \
            (SELECT 1 FROM events e WHERE e.transfer = t.id AND e.kind = 'transfer.' || t.state)",
    },
    Check {
        name: "event_has_a_delivery",
        rule: "Every event with an address has a delivery, and no other has one.",
        why: "A notice without a delivery is never sent.",
        todo: "Ask for its delivery (POST /v1/events/{id}/redeliver).",
        sql: "SELECT e.id FROM events e LEFT JOIN deliveries d ON d.event = e.id \
            WHERE (e.url IS NOT NULL) <> (d.event IS NOT NULL)",
    },
    Check {
        name: "applied_callback_has_money",
        rule: "A callback that was applied has its key, and names what it moved: an attempt with money, or a refund or transfer, on its channel.",
        why: "A callback was acknowledged, and what it told is not in the ledger.",
        todo: "Read the callback, and ask the provider about its number.",
        sql: "SELECT c.id FROM callbacks c WHERE c.verdict = 'applied' AND (c.event_key IS NULL OR NOT CASE \
            WHEN c.payment IS NULL THEN EXISTS (SELECT 1 FROM transfers t WHERE t.channel = c.channel) \
            ELSE EXISTS (SELECT 1 FROM attempts a WHERE a.payment = c.payment AND a.channel = c.channel \
                AND (a.received IS NOT NULL OR a.more <> '[]')) END)",
    },
    Check {
        name: "nothing_is_overdue",
        rule: "Nothing that a worker is to look at is overdue by more than an hour.",
        why: "The workers stand still or cannot keep up: expiries, lost callbacks and notices wait.",
        todo: "See whether the service runs and what its log says; after a longer stop this ends by itself.",
        sql: "SELECT id FROM attempts WHERE check_at < {late} \
            UNION ALL SELECT id FROM refunds WHERE check_at < {late} \
            UNION ALL SELECT id FROM transfers WHERE check_at < {late} \
            UNION ALL SELECT event FROM deliveries WHERE state = 'pending' AND next_at < {late}",
    },
];
