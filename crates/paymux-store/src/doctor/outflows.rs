//! What must hold of refunds and transfers, and of what attempts have set aside for them.

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "refunds_fit",
        rule: "What of an attempt is being refunded, was refunded and may have gone back with a close is never more than it received.",
        why: "More has gone back than came in: the difference is a loss.",
        todo: "Stop refunds of this payment, and ask the provider about each; the column's own check is missing.",
        sql: "SELECT id FROM attempts WHERE refunding < 0 OR refunded < 0 OR contested < 0 \
            OR refunding + refunded + contested > coalesce(received, 0)",
    },
    Check {
        name: "refunding_is_the_sum",
        rule: "What an attempt has set aside is the sum of its refunds that may still leave.",
        why: "Too little lets more go back than came in; too much refuses refunds that are due.",
        todo: "Find the refund whose state is wrong by asking the provider, then resolve it.",
        sql: "SELECT a.id FROM attempts a LEFT JOIN (SELECT attempt, sum(amount) AS amount FROM refunds \
            WHERE state IN ({reserving}) GROUP BY attempt) r ON r.attempt = a.id \
            WHERE a.refunding <> coalesce(r.amount, 0)",
    },
    Check {
        name: "refunded_is_the_sum",
        rule: "What an attempt has given back is the sum of its refunds that are done.",
        why: "The same money could go back once more, or not at all.",
        todo: "Compare its refunds with the provider's list (paymux reconcile).",
        sql: "SELECT a.id FROM attempts a LEFT JOIN (SELECT attempt, sum(amount) AS amount FROM refunds \
            WHERE state = 'succeeded' GROUP BY attempt) r ON r.attempt = a.id \
            WHERE a.refunded <> coalesce(r.amount, 0)",
    },
    Check {
        name: "amount_refunded",
        rule: "What a payment shows as refunded is the sum of the merchant's refunds that are done, and of what a close sent back.",
        why: "Merchants are told this amount; a duplicate's refund is not their business.",
        todo: "Compare its refunds with the provider's list (paymux reconcile), and tell the merchant.",
        sql: "SELECT p.id FROM payments p LEFT JOIN (SELECT payment, sum(amount) AS amount FROM refunds \
            WHERE state = 'succeeded' AND origin IN ('merchant', 'reversal') GROUP BY payment) r ON r.payment = p.id \
            WHERE p.amount_refunded <> coalesce(r.amount, 0)",
    },
    Check {
        name: "refund_is_in_its_currency",
        rule: "A refund that may leave or has left is in the currency that its attempt received.",
        why: "Sums of two currencies were added up as if they were one.",
        todo: "Stop it if it can be stopped, and resolve it by hand.",
        sql: "SELECT r.id FROM refunds r JOIN attempts a ON a.id = r.attempt \
            WHERE r.state <> 'failed' AND r.currency IS DISTINCT FROM a.received_currency",
    },
    Check {
        name: "ended_outflow_is_over",
        rule: "A refund or transfer has a time of its end exactly if it has ended, and is not looked at then; \
            but for one that a person alone has called failed.",
        why: "What is not over may still leave, and what is over must not be sent or asked about again.",
        todo: "Ask the provider what became of it, then resolve it.",
        sql: "SELECT id FROM refunds WHERE (state IN ({over})) <> (ended_at IS NOT NULL) \
                OR (state IN ({over}) AND check_at IS NOT NULL AND NOT ({doubted})) \
            UNION ALL SELECT id FROM transfers WHERE (state IN ({over})) <> (ended_at IS NOT NULL) \
                OR (state IN ({over}) AND check_at IS NOT NULL AND NOT ({doubted}))",
    },
    Check {
        name: "refund_is_sent_or_queued",
        rule: "A refund that may still leave has a time of its sending exactly if it is no longer queued.",
        why: "From that moment on it is counted how long its money may still be on its way.",
        todo: "Ask the provider what became of it before anybody says that it was not done.",
        sql: "SELECT id FROM refunds WHERE state IN ({reserving}) AND (state = 'queued') = (sent_at IS NOT NULL)",
    },
];
