//! What must hold of payments and their attempts.

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "set_aside_for_what_may_come",
        rule: "Nothing of a channel's limits is set aside for an attempt that took money or can take none, and only what is being placed, open or unknown is under way.",
        why: "The channel is left out although it has room.",
        todo: "Look at the change that ended the attempt: it did not give back what was set aside.",
        sql: "SELECT id FROM attempts WHERE (reserved > 0 AND (limits_day IS NULL OR received IS NOT NULL OR more <> '[]' \
            OR state IN ('refused', 'not_sent', 'closed', 'paid', 'duplicate_paid') \
            OR (state IN ('abandoned', 'lapsed') AND check_at IS NULL))) \
            OR (in_flight AND state NOT IN ('sending', 'open', 'unknown'))",
    },
    Check {
        name: "success_has_one_paid_attempt",
        rule: "A payment has succeeded exactly if one attempt of it is paid.",
        why: "A success without money was given away, and money without a success was not credited.",
        todo: "Ask the provider about each attempt (POST /v1/payments/{id}/sync), then resolve what is wrong by hand.",
        sql: "SELECT p.id FROM payments p \
            LEFT JOIN (SELECT payment, count(*) AS paid FROM attempts WHERE state = 'paid' GROUP BY payment) a \
            ON a.payment = p.id \
            WHERE coalesce(a.paid, 0) <> CASE WHEN p.status = 'succeeded' THEN 1 ELSE 0 END",
    },
    Check {
        name: "one_live_attempt",
        rule: "At most one attempt of a payment is live.",
        why: "Two live attempts can both take the payer's money.",
        todo: "Close all but one at their providers at once; the index attempts_live is missing from this database.",
        sql: "SELECT payment FROM attempts WHERE state IN ({live}) GROUP BY payment HAVING count(*) > 1",
    },
    Check {
        name: "unended_payment_is_alive",
        rule: "A payment that has not ended has an attempt that can still end it.",
        why: "Without one it waits for ever, and nobody is told.",
        todo: "Look at its attempts and their decisions; then cancel it or let the merchant begin anew.",
        sql: "SELECT p.id FROM payments p WHERE p.status IN ('processing', 'pending') \
            AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.payment = p.id AND a.state IN ({live}))",
    },
    Check {
        name: "unended_attempt_is_watched",
        rule: "An attempt that is being sent, open or unknown has a time at which a worker looks at it.",
        why: "Nobody would ever ask what became of it.",
        todo: "Ask the provider about it (POST /v1/payments/{id}/sync): that plans the next look too.",
        sql: "SELECT id FROM attempts WHERE state IN ('sending', 'open', 'unknown') AND check_at IS NULL",
    },
    Check {
        name: "duplicate_has_a_paid_sibling",
        rule: "An attempt is paid twice over only where another attempt of its payment is paid.",
        why: "Its money would go back although nothing else paid the payment.",
        todo: "Stop its refund if one is under way, and resolve the attempt by hand.",
        sql: "SELECT d.id FROM attempts d WHERE d.state = 'duplicate_paid' \
            AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.payment = d.payment AND a.state = 'paid')",
    },
    Check {
        name: "amount_received",
        rule: "What a payment shows as received is what its paid attempt received; without one, no more than came in.",
        why: "Merchants are told this amount and deliver by it.",
        todo: "Compare both with the provider's record of the order (paymux reconcile), and tell the merchant.",
        sql: "SELECT p.id FROM payments p JOIN attempts a ON a.payment = p.id AND a.state = 'paid' \
            WHERE p.status = 'succeeded' AND (a.received IS DISTINCT FROM p.amount_received \
                OR a.received_currency IS DISTINCT FROM p.currency) \
            UNION SELECT p.id FROM payments p WHERE p.status <> 'succeeded' AND p.amount_received <> 0 \
            AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.payment = p.id \
                AND a.received >= p.amount_received AND a.received_currency = p.currency)",
    },
    Check {
        name: "paid_at",
        rule: "A payment has a time of its success exactly if it has succeeded.",
        why: "Statements by day count it on no day, or count what was not paid.",
        todo: "Take the time of its payment.succeeded event.",
        sql: "SELECT id FROM payments WHERE (status = 'succeeded') <> (paid_at IS NOT NULL)",
    },
    Check {
        name: "nothing_to_pay_after_the_end",
        rule: "A payment that has ended, or whose money waits for a person, shows its payer nothing to pay.",
        why: "A payer who sees it would pay a second time.",
        todo: "Close its orders at the provider, and clear the column next_action.",
        sql: "SELECT id FROM payments WHERE next_action IS NOT NULL \
            AND (status NOT IN ('processing', 'pending') OR held IS NOT NULL)",
    },
    Check {
        name: "held_has_money",
        rule: "A payment is held only where money came in on one of its attempts.",
        why: "A hold without money keeps an operator busy and a payer waiting for nothing.",
        todo: "Look at the callbacks of the payment; a sum that they tell of is missing in the ledger.",
        sql: "SELECT p.id FROM payments p WHERE p.held IS NOT NULL AND NOT EXISTS (SELECT 1 FROM attempts a \
            WHERE a.payment = p.id AND (a.received IS NOT NULL OR a.more <> '[]'))",
    },
    Check {
        name: "held_waits",
        rule: "Where a payment is held and money came in, some of that waits for a person or is on its way back.",
        why: "A merchant is told that something is wrong, and nobody sees to it.",
        todo: "Look at the audit trail of its attempts; then clear the column held.",
        sql: "SELECT p.id FROM payments p WHERE p.held IS NOT NULL AND EXISTS (SELECT 1 FROM attempts a \
            WHERE a.payment = p.id AND (a.received IS NOT NULL OR a.more <> '[]')) \
            AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.payment = p.id AND (a.contested > 0 \
                OR (a.state <> 'paid' AND a.received > a.refunded))) \
            AND NOT EXISTS (SELECT 1 FROM {beside} b JOIN attempts a ON a.id = b.attempt \
                WHERE a.payment = p.id AND b.settled = 0)",
    },
    Check {
        name: "contested_is_held",
        rule: "Only booked money is contested, and where it is the payment's success the payment is held.",
        why: "A merchant goes on delivering for money that may be gone.",
        todo: "Look at the provider's record of the order, and resolve the attempt.",
        sql: "SELECT a.id FROM attempts a JOIN payments p ON p.id = a.payment WHERE a.contested > 0 \
            AND (a.state NOT IN ('paid', 'duplicate_paid') OR (a.state = 'paid' AND p.held IS DISTINCT FROM 'reversed'))",
    },
    Check {
        name: "crossing_is_looked_at",
        rule: "Booked money that a close may have crossed has a time at which a worker looks at it.",
        why: "Nobody would ever learn that the close has sent the money back.",
        todo: "Look at the provider's record of the order; where it was closed, resolve the attempt.",
        sql: "SELECT id FROM attempts WHERE state IN ('paid', 'duplicate_paid') AND closing_until IS NOT NULL \
            AND check_at IS NULL",
    },
    Check {
        name: "attempts_are_numbered",
        rule: "A payment has at least one attempt, and they are numbered from 0 without a gap.",
        why: "An attempt is missing, and with it what it may have moved.",
        todo: "Look for the missing number in the provider's records and in a backup.",
        sql: "SELECT p.id FROM payments p LEFT JOIN (SELECT payment, count(*) AS n, min(ordinal) AS least, \
            max(ordinal) AS most FROM attempts GROUP BY payment) a ON a.payment = p.id \
            WHERE a.n IS NULL OR a.least <> 0 OR a.most <> a.n - 1",
    },
    Check {
        name: "attempt_has_a_decision",
        rule: "Every attempt has the record of the decision that made it.",
        why: "Nobody can say why this channel was picked.",
        todo: "Look for the row in a backup; it was written together with the attempt.",
        sql: "SELECT a.id FROM attempts a LEFT JOIN decisions d ON d.attempt = a.id WHERE d.attempt IS NULL",
    },
    Check {
        name: "decision_has_its_version",
        rule: "A decision that is read with a version of the configuration finds it.",
        why: "Nobody can say any more why the payment went where it went.",
        todo: "Look for the row of config_versions in a backup: its digest is that of its content.",
        sql: "SELECT d.attempt FROM decisions d LEFT JOIN config_versions v ON v.digest = d.version \
            WHERE d.version IS NOT NULL AND v.digest IS NULL",
    },
];
