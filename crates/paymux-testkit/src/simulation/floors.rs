//! How often each fault and each state must be hit in the commit tier, at the least: without that, a run
//! without a violation says little.

/// For how many seeds the floors hold.
const FLOORS_SEEDS: u64 = 10_000;

/// From which floor on half of what is expected tells that too little was hit, whatever chance does.
const SCALED_MIN: u64 = 8;
/// How many hits must be expected at the least where none at all tells that.
const EXPECTED_MIN: u64 = 6;

/// How often what has that floor must be hit in so many seeds; `None` where so few hits are to be expected of
/// fewer seeds that none would mean nothing. About twice its floor is what is hit.
pub fn floor_of(floor: u64, seeds: u64) -> Option<u64> {
    let scaled = floor * seeds / FLOORS_SEEDS;
    if seeds >= FLOORS_SEEDS || scaled >= SCALED_MIN {
        return Some(scaled);
    }
    (2 * floor * seeds >= EXPECTED_MIN * FLOORS_SEEDS).then_some(1)
}

/// Name and least count, each about half of what those seeds really hit, where a change that moves all dice
/// leaves it far above. One that is not hit at all any more fails the run. What is hit less often than ten times,
/// as a duplicate's refund of which nobody knows, stands not here: chance alone could miss it.
pub const FLOORS: &[(&str, u64)] = &[
    ("attempt: abandoned", 2_000),
    ("attempt: closed", 8_000),
    ("attempt: duplicate_paid", 120),
    ("attempt: lapsed", 2_600),
    ("attempt: not_sent", 1_800),
    ("attempt: open", 140),
    ("attempt: paid", 11_000),
    ("attempt: refused", 1_600),
    ("attempt: unknown", 730),
    ("callback: applied", 11_000),
    ("callback: duplicate", 6_000),
    ("callback: forged", 2_800),
    ("callback: orphan", 630),
    ("callback: quarantined", 140),
    ("callback: unreadable", 220),
    ("crash after a call has left", 430),
    ("crash after a callback was taken, before the bank knows", 40),
    ("crash after a store write, before its answer", 690),
    ("crash after an answer came", 420),
    ("crash before a call", 470),
    ("crash before a store write", 740),
    ("crash while a store write waits", 680),
    ("event: payment.canceled", 400),
    ("event: payment.duplicate_paid (late)", 120),
    ("event: payment.expired", 11_000),
    ("event: payment.failed", 3_500),
    ("event: payment.held", 43),
    ("event: payment.held (late)", 1_500),
    ("event: payment.succeeded", 10_000),
    ("event: payment.succeeded (late)", 1_500),
    ("event: payment.underpaid", 180),
    ("event: payment.underpaid (late)", 12),
    ("event: refund.failed", 1_100),
    ("event: refund.needs_action", 430),
    ("event: refund.succeeded", 1_300),
    ("event: transfer.failed", 3_900),
    ("event: transfer.needs_action", 1_100),
    ("event: transfer.succeeded", 3_600),
    ("fault: 5xx after effect", 6_400),
    ("fault: 5xx before effect", 7_400),
    ("fault: answer delayed beyond the deadline", 6_700),
    ("fault: answer lost after effect", 6_400),
    ("fault: answer of another request", 2_700),
    ("fault: answer truncated or garbled", 6_200),
    ("fault: answers reordered", 5_300),
    ("fault: bank refuses an order", 1_200),
    ("fault: bank refuses an outflow", 3_500),
    ("fault: bank refuses to close", 660),
    ("fault: callback cut", 660),
    ("fault: callback delayed or reordered", 680),
    ("fault: callback duplicated", 640),
    ("fault: callback for an unknown number", 650),
    ("fault: callback lost", 1_000),
    ("fault: callback lost for good", 490),
    ("fault: callback replayed with another trade number", 650),
    ("fault: callback with a bad sign", 1_800),
    ("fault: callback with a wrong amount", 660),
    ("fault: client gives up and repeats", 10_000),
    ("fault: client repeats with another body", 3_200),
    ("fault: concurrent equal creates", 1_900),
    ("fault: concurrent refunds", 860),
    ("fault: connection refused", 9_900),
    ("fault: merchant cancels", 2_400),
    ("fault: merchant endpoint down for days", 500),
    ("fault: merchant endpoint fails", 2_200),
    ("fault: merchant endpoint is slow", 1_900),
    ("fault: merchant endpoint says 410", 92),
    ("fault: merchant endpoint says 429", 2_000),
    ("fault: merchant refunds", 2_500),
    ("fault: merchant syncs", 2_300),
    ("fault: merchant transfers", 9_300),
    ("fault: node crash", 3_400),
    ("fault: node frozen with its clock", 3_300),
    ("fault: node paused", 3_600),
    ("fault: operator calls a payout not done by mistake", 1_200),
    ("fault: outflow fails after it was taken in", 1_000),
    ("fault: payer pays a superseded order", 130),
    ("fault: payer pays after the end", 2_500),
    ("fault: payer pays an order that nobody showed", 840),
    ("fault: payer pays an order twice", 180),
    ("fault: payer pays in another currency", 58),
    ("fault: payer pays too little", 240),
    ("fault: payer pays too much", 240),
    ("fault: query says not found for a while", 1_100),
    ("fault: request delayed beyond its deadline", 7_200),
    ("fault: request delivered twice", 6_000),
    ("fault: request lost before effect", 8_000),
    ("fault: store away", 840),
    ("fault: store slow", 1_300),
    ("fault: store unconfirmed", 1_400),
    ("fault: wall clock jump", 3_400),
    ("fault: wall clock skew", 370),
    ("held: late", 1_300),
    ("held: mismatch", 26),
    ("held: reversed", 17),
    ("held: second_payment", 68),
    ("held: underpaid", 100),
    ("operator under way: attempt accept_underpaid", 36),
    ("operator under way: attempt not_paid", 2_400),
    ("operator under way: attempt paid", 35),
    ("operator under way: attempt refund", 65),
    ("operator under way: attempt returned_outside", 200),
    ("operator under way: callback seen to", 270),
    ("operator under way: refund done", 98),
    ("operator under way: refund not done", 340),
    ("operator under way: transfer done", 280),
    ("operator under way: transfer not done", 2_300),
    ("operator: attempt accept_underpaid", 52),
    ("operator: attempt not_paid", 730),
    ("operator: attempt paid", 420),
    ("operator: attempt refund", 420),
    ("operator: attempt returned_outside", 740),
    ("operator: callback seen to", 520),
    ("operator: refund done", 60),
    ("operator: refund not done", 290),
    ("operator: transfer done", 180),
    ("operator: transfer not done", 1_100),
    ("payment: canceled", 360),
    ("payment: expired", 10_000),
    ("payment: failed", 3_500),
    ("payment: pending", 140),
    ("payment: processing", 730),
    ("payment: succeeded", 11_000),
    ("queue: attempt_unknown", 3_200),
    ("queue: callback_unmatched", 800),
    ("queue: money_held", 1_900),
    ("queue: notice_dead", 650),
    ("queue: refund_needs_action", 170),
    ("queue: refund_unknown", 590),
    ("queue: transfer_needs_action", 400),
    ("queue: transfer_unknown", 2_300),
    ("refund: failed (duplicate)", 7),
    ("refund: failed (merchant)", 1_000),
    ("refund: failed (operator)", 13),
    ("refund: needs_action (merchant)", 79),
    ("refund: succeeded (duplicate)", 59),
    ("refund: succeeded (merchant)", 1_200),
    ("refund: succeeded (operator)", 160),
    ("refund: succeeded (reversal)", 6),
    ("refund: unknown (merchant)", 240),
    ("refused: already_paid", 530),
    ("refused: idempotency_mismatch", 460),
    ("refused: not_refundable", 230),
    ("refused: refund_too_large", 2_800),
    ("refused: transfer_too_large", 85),
    ("state: bank takes money on an ended order", 1_800),
    ("state: change stale", 6_700),
    ("state: client gave up for good", 1_100),
    ("state: close sent money back", 110),
    ("state: create under a key", 8_700),
    ("state: failover", 3_000),
    ("state: merchant asks for what it missed", 480),
    ("state: operator's word refused", 8),
    ("state: operator's word refused under way", 1_600),
    ("state: operator's word taken", 4_500),
    ("state: operator's word taken under way", 3_200),
    ("state: outflow succeeded after it was failed", 63),
    ("state: payer pays a lapsed order", 460),
    ("state: provider asked about a payout", 310),
    ("state: provider asked about a refund", 110),
    ("state: repeat with another body refused", 1_700),
    ("state: store write done after its node died", 310),
    ("state: store write lost in a crash", 840),
    ("state: succeeded after it was canceled", 38),
    ("state: succeeded after it was expired", 1_400),
    ("state: succeeded after it was failed", 8),
    ("state: zombie sender stopped by its deadline", 520),
    ("transfer: failed", 3_900),
    ("transfer: needs_action", 250),
    ("transfer: succeeded", 3_600),
    ("transfer: unknown", 1_300),
    ("waits: attempt_unknown", 730),
    ("waits: callback_unmatched", 510),
    ("waits: money_held", 1_700),
    ("waits: notice_dead", 160),
    ("waits: refund_needs_action", 79),
    ("waits: refund_unknown", 250),
    ("waits: transfer_needs_action", 250),
    ("waits: transfer_unknown", 1_300),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_with_the_seeds_and_leaves_out_what_is_too_rare() {
        let check = |floor, seeds, want| assert_eq!(floor_of(floor, seeds), want, "{floor} of {seeds}");
        check(1_000, 10_000, Some(1_000));
        check(1_000, 2_500, Some(250));
        check(1, 10_000, Some(1));
        check(3, 20_000, Some(6));
        check(40, 2_000, Some(8));
        check(39, 2_000, Some(1));
        check(15, 2_000, Some(1));
        check(14, 2_000, None);
        check(1, 9_999, None);
    }
}
