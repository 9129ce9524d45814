//! What must hold between rows: that they belong to what they say, and that it is there.

use super::Check;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "off_channels_are_idle",
        rule: "Of a channel that is off no attempt, refund or transfer is still to be looked at.",
        why: "Its callbacks are not taken and its refunds not asked about, so that nobody learns what became of that money.",
        todo: "Let the channel be `verify-only` until all of it has ended (POST /admin/api/channels/{id}/state).",
        sql: "SELECT c.id FROM channels c WHERE c.state = 'off' AND (\
            EXISTS (SELECT 1 FROM attempts WHERE channel = c.id AND check_at IS NOT NULL) \
            OR EXISTS (SELECT 1 FROM refunds WHERE channel = c.id AND check_at IS NOT NULL) \
            OR EXISTS (SELECT 1 FROM transfers WHERE channel = c.id AND check_at IS NOT NULL))",
    },
    Check {
        name: "rows_agree",
        rule: "A row names the same app, channel and payment as the row that it belongs to.",
        why: "One merchant would see, or be charged for, what is another's.",
        todo: "Find out what wrote it before anything else.",
        sql: "SELECT r.id FROM refunds r JOIN attempts a ON a.id = r.attempt JOIN payments p ON p.id = a.payment \
                WHERE r.payment <> a.payment OR r.channel <> a.channel OR r.app <> p.app \
            UNION ALL SELECT e.id FROM events e JOIN payments p ON p.id = e.payment WHERE e.app <> p.app \
            UNION ALL SELECT e.id FROM events e JOIN transfers t ON t.id = e.transfer WHERE e.app <> t.app \
            UNION ALL SELECT d.event FROM deliveries d JOIN events e ON e.id = d.event WHERE d.app <> e.app \
            UNION ALL SELECT x.id FROM postings x JOIN attempts a ON a.id = x.attempt WHERE x.payment <> a.payment \
            UNION ALL SELECT x.id FROM postings x JOIN refunds r ON r.id = x.refund WHERE x.attempt <> r.attempt",
    },
    Check {
        name: "rows_have_owners",
        rule: "A row that belongs to another one finds it.",
        why: "A row of money was deleted, or this one was never part of the ledger.",
        todo: "Look for the missing row in a backup.",
        sql: "SELECT a.id FROM attempts a LEFT JOIN payments p ON p.id = a.payment WHERE p.id IS NULL \
            UNION ALL SELECT d.attempt FROM decisions d LEFT JOIN attempts a ON a.id = d.attempt WHERE a.id IS NULL \
            UNION ALL SELECT r.id FROM refunds r LEFT JOIN attempts a ON a.id = r.attempt WHERE a.id IS NULL \
            UNION ALL SELECT c.id FROM callbacks c LEFT JOIN payments p ON p.id = c.payment \
                WHERE c.payment IS NOT NULL AND p.id IS NULL \
            UNION ALL SELECT e.id FROM events e LEFT JOIN payments p ON p.id = e.payment \
                LEFT JOIN transfers t ON t.id = e.transfer WHERE p.id IS NULL AND t.id IS NULL \
            UNION ALL SELECT d.event FROM deliveries d LEFT JOIN events e ON e.id = d.event WHERE e.id IS NULL \
            UNION ALL SELECT x.id FROM postings x LEFT JOIN attempts a ON a.id = x.attempt \
                LEFT JOIN refunds r ON r.id = x.refund LEFT JOIN transfers t ON t.id = x.transfer \
                WHERE (a.id IS NULL AND t.id IS NULL) OR (x.refund IS NOT NULL AND r.id IS NULL)",
    },
];
