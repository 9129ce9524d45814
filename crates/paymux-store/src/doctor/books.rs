//! What must hold of the books: each line by itself, the lines of one attempt, refund or transfer against
//! its state, and in the end each account against all of that.
//!
//! The sums are differences that must be zero: what the books say is added, what the states say is taken
//! away, by currency.

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "posting_is_sound",
        rule: "A line of the books is of more than zero, has two different accounts, and those that its kind and its cause call for.",
        why: "Money stands in an account of somebody else, or in none.",
        todo: "Lines are never changed: find out what wrote this one before anything else.",
        sql: "SELECT x.id FROM postings x LEFT JOIN attempts a ON a.id = x.attempt \
            LEFT JOIN payments p ON p.id = x.payment LEFT JOIN transfers t ON t.id = x.transfer \
            WHERE x.amount <= 0 OR x.debit = x.credit OR NOT coalesce(CASE x.kind \
            WHEN 'received' THEN x.refund IS NULL AND x.debit = 'channel:' || a.channel AND x.credit = 'app:' || p.app \
            WHEN 'held' THEN x.refund IS NULL AND x.debit = 'channel:' || a.channel AND x.credit = 'held:' || p.app \
            WHEN 'contested' THEN x.refund IS NULL AND x.debit = 'app:' || p.app AND x.credit = 'held:' || p.app \
            WHEN 'released' THEN x.refund IS NULL AND x.debit = 'held:' || p.app AND x.credit = 'app:' || p.app \
            WHEN 'refunded' THEN x.refund IS NOT NULL AND x.debit IN ('app:' || p.app, 'held:' || p.app) \
                AND x.credit = 'channel:' || a.channel \
            WHEN 'returned_outside' THEN x.debit = 'held:' || p.app AND x.credit = 'channel:' || a.channel \
            WHEN 'paid_out' THEN x.debit = 'app:' || t.app AND x.credit = 'channel:' || t.channel END, false)",
    },
    Check {
        name: "booked_what_came_in",
        rule: "What the books say came in on an attempt is what it received, and all that came in beside.",
        why: "Money came in that the books do not know, or the books know of money that did not come in.",
        todo: "Compare the attempt with the provider's record of its order (paymux reconcile).",
        sql: "SELECT DISTINCT id FROM (SELECT id, currency FROM (\
            SELECT attempt AS id, currency, amount FROM postings WHERE kind IN ('received', 'held') \
            UNION ALL SELECT id, received_currency, -received FROM attempts WHERE received IS NOT NULL \
            UNION ALL SELECT b.attempt, b.currency, -b.amount FROM {beside} b) l \
            GROUP BY id, currency HAVING sum(amount) <> 0) d",
    },
    Check {
        name: "booked_what_is_the_apps",
        rule: "The app has in the books what its paid attempt received without what waits or went back, and nothing of an attempt that is not paid.",
        why: "The merchant owns money that waits for a person, or lacks money that is its own.",
        todo: "Look at the attempt's lines and at who resolved it (the audit trail).",
        sql: "SELECT DISTINCT id FROM (SELECT id, currency FROM (\
            SELECT attempt AS id, currency, amount FROM postings WHERE kind IN ('received', 'released') \
            UNION ALL SELECT attempt, currency, -amount FROM postings WHERE kind = 'contested' \
            UNION ALL SELECT id, received_currency, contested - received FROM attempts WHERE state = 'paid' \
            UNION ALL SELECT a.id, r.currency, r.amount FROM refunds r JOIN attempts a ON a.id = r.attempt \
                WHERE a.state = 'paid' AND r.origin <> 'merchant' AND r.state IN ({reserving}) \
            UNION ALL SELECT a.id, x.currency, x.amount FROM postings x JOIN attempts a ON a.id = x.attempt \
                WHERE a.state = 'paid' AND x.refund IS NOT NULL AND x.debit LIKE 'held:%') l \
            GROUP BY id, currency HAVING sum(amount) <> 0) d",
    },
    Check {
        name: "days_are_the_books",
        rule: "What the days of a channel say came in is what its lines in the books say.",
        why: "Strategies that look at what a channel has collected look at a wrong sum.",
        todo: "Compare the channel's days with its lines: a change of one was written without the other.",
        sql: "SELECT channel || ' ' || currency FROM (\
            SELECT channel, currency, received AS amount FROM channel_day \
            UNION ALL SELECT a.channel, x.currency, -x.amount FROM postings x JOIN attempts a ON a.id = x.attempt \
                WHERE x.kind IN ('received', 'held')) l \
            GROUP BY channel, currency HAVING sum(amount) <> 0",
    },
    Check {
        name: "limits_are_the_attempts",
        rule: "What is used of a channel's limits is what its attempts have set aside and taken in, and how many there are.",
        why: "A channel collects more than it may, or is left out although it has room.",
        todo: "Compare the attempts of that day with the sums: a change of one was written without the other.",
        sql: "SELECT day || ' ' || channel || ' ' || currency FROM (\
            SELECT day, channel, currency, reserved, booked, counted FROM channel_capacity \
            UNION ALL SELECT a.limits_day, a.channel, p.currency, -a.reserved, 0, \
                CASE WHEN a.reserved > 0 OR a.received IS NOT NULL OR a.more <> '[]' THEN -1 ELSE 0 END \
                FROM attempts a JOIN payments p ON p.id = a.payment WHERE a.limits_day IS NOT NULL \
            UNION ALL SELECT a.limits_day, a.channel, p.currency, 0, -x.amount, 0 FROM postings x \
                JOIN attempts a ON a.id = x.attempt JOIN payments p ON p.id = a.payment \
                WHERE a.limits_day IS NOT NULL AND x.kind IN ('received', 'held') AND x.currency = p.currency \
            UNION ALL SELECT 0, channel, '', 0, 0, -1 FROM attempts WHERE in_flight) l \
            GROUP BY day, channel, currency \
            HAVING sum(reserved) <> 0 OR sum(booked) <> 0 OR sum(counted) <> 0",
    },
    Check {
        name: "booked_refunds",
        rule: "A refund that is done has its amount in the books once, of the merchant's money where the merchant asked for it; any other has none.",
        why: "The books show more or less with the provider than there is.",
        todo: "Ask the provider what became of the refund, then resolve it.",
        sql: "SELECT DISTINCT id FROM (SELECT id, currency FROM (\
            SELECT refund AS id, currency, amount FROM postings WHERE refund IS NOT NULL \
            UNION ALL SELECT id, currency, -amount FROM refunds WHERE state = 'succeeded') l \
            GROUP BY id, currency HAVING sum(amount) <> 0) d \
            UNION SELECT r.id FROM refunds r JOIN postings x ON x.refund = r.id \
            WHERE r.origin = 'merchant' AND x.debit NOT LIKE 'app:%'",
    },
    Check {
        name: "booked_second_sums",
        rule: "A sum that came in beside an attempt's money has left the books exactly if a person has settled it.",
        why: "Money waits that is gone, or is gone while it waits.",
        todo: "Look at the audit trail of the attempt, and at the provider's record of the trade number.",
        sql: "SELECT DISTINCT id FROM (SELECT id, currency FROM (\
            SELECT attempt AS id, currency, amount FROM postings WHERE kind = 'returned_outside' AND refund IS NULL \
            UNION ALL SELECT b.attempt, b.currency, -b.amount FROM {beside} b WHERE b.settled = 1) l \
            GROUP BY id, currency HAVING sum(amount) <> 0) d",
    },
    Check {
        name: "booked_transfers",
        rule: "A transfer that is done has its amount in the books once; any other has none.",
        why: "Money was paid out that the books do not know, or the other way round.",
        todo: "Ask the provider what became of the transfer, then resolve it.",
        sql: "SELECT DISTINCT id FROM (SELECT id, currency FROM (\
            SELECT transfer AS id, currency, amount FROM postings WHERE transfer IS NOT NULL \
            UNION ALL SELECT id, currency, -amount FROM transfers WHERE state = 'succeeded') l \
            GROUP BY id, currency HAVING sum(amount) <> 0) d",
    },
    Check {
        name: "accounts_balance",
        rule: "The balance of every account is what the states of all attempts, refunds and transfers come to.",
        why: "The books as a whole and the ledger as a whole tell different sums.",
        todo: "Begin with what the other checks of the books found; what they did not find stands in another account than it should.",
        sql: "SELECT account || ' ' || currency FROM (\
            SELECT debit AS account, currency, amount FROM postings \
            UNION ALL SELECT credit, currency, -amount FROM postings \
            UNION ALL SELECT 'channel:' || channel, received_currency, -received FROM attempts WHERE received IS NOT NULL \
            UNION ALL SELECT CASE WHEN a.state = 'paid' THEN 'app:' ELSE 'held:' END || p.app, a.received_currency, \
                a.received FROM attempts a JOIN payments p ON p.id = a.payment WHERE a.received IS NOT NULL \
            UNION ALL SELECT 'app:' || p.app, a.received_currency, -a.contested FROM attempts a \
                JOIN payments p ON p.id = a.payment WHERE a.state = 'paid' AND a.contested > 0 \
            UNION ALL SELECT 'held:' || p.app, a.received_currency, a.contested FROM attempts a \
                JOIN payments p ON p.id = a.payment WHERE a.state = 'paid' AND a.contested > 0 \
            UNION ALL SELECT 'channel:' || a.channel, b.currency, -b.amount FROM {beside} b \
                JOIN attempts a ON a.id = b.attempt WHERE b.settled = 0 \
            UNION ALL SELECT 'held:' || p.app, b.currency, b.amount FROM {beside} b \
                JOIN attempts a ON a.id = b.attempt JOIN payments p ON p.id = a.payment WHERE b.settled = 0 \
            UNION ALL SELECT 'channel:' || channel, currency, amount FROM refunds WHERE state = 'succeeded' \
            UNION ALL SELECT CASE WHEN a.state = 'paid' THEN 'app:' ELSE 'held:' END || r.app, r.currency, -r.amount \
                FROM refunds r JOIN attempts a ON a.id = r.attempt WHERE r.state = 'succeeded' \
            UNION ALL SELECT 'app:' || r.app, r.currency, -r.amount FROM refunds r JOIN attempts a ON a.id = r.attempt \
                WHERE a.state = 'paid' AND r.origin <> 'merchant' AND r.state IN ({reserving}) \
            UNION ALL SELECT 'held:' || r.app, r.currency, r.amount FROM refunds r JOIN attempts a ON a.id = r.attempt \
                WHERE a.state = 'paid' AND r.origin <> 'merchant' AND r.state IN ({reserving}) \
            UNION ALL SELECT 'channel:' || channel, currency, amount FROM transfers WHERE state = 'succeeded' \
            UNION ALL SELECT 'app:' || app, currency, -amount FROM transfers WHERE state = 'succeeded') l \
            GROUP BY account, currency HAVING sum(amount) <> 0",
    },
];
