//! Free text without U+0000, which not every database can hold: kept as U+FFFD.

use paymux_core::payment::Payment;
use paymux_core::refund::Refund;
use paymux_core::store::{AuditRow, CallbackRow, ChannelRecord, Claim, Event};
use paymux_core::transfer::Transfer;

pub(super) fn plain(text: &mut String) {
    if text.contains('\0') {
        *text = text.replace('\0', "\u{fffd}");
    }
}

fn plain_all<const N: usize>(texts: [&mut Option<String>; N]) {
    texts.into_iter().flatten().for_each(plain);
}

pub(super) fn plain_payment(payment: &mut Payment) {
    plain(&mut payment.subject);
    plain(&mut payment.fingerprint);
    plain_all([&mut payment.return_url, &mut payment.notify_url]);
    for attempt in &mut payment.attempts {
        plain(&mut attempt.provider);
        plain(&mut attempt.memo);
        plain_all([&mut attempt.reference, &mut attempt.trade_no]);
        attempt.more.iter_mut().for_each(|sum| plain(&mut sum.trade_no));
    }
}

pub(super) fn plain_refund(refund: &mut Refund) {
    [&mut refund.number, &mut refund.reason, &mut refund.fingerprint].into_iter().for_each(plain);
    plain_all([&mut refund.action_url, &mut refund.reference]);
}

pub(super) fn plain_transfer(transfer: &mut Transfer) {
    [&mut transfer.provider, &mut transfer.number, &mut transfer.product].into_iter().for_each(plain);
    [&mut transfer.reason, &mut transfer.fingerprint].into_iter().for_each(plain);
    plain_all([&mut transfer.action_url, &mut transfer.reference]);
}

pub(super) fn plain_callback(row: &mut CallbackRow) {
    plain(&mut row.request.path);
    plain_all([&mut row.request.query, &mut row.event_key, &mut row.detail]);
}

pub(super) fn plain_event(event: &mut Event) {
    plain(&mut event.body);
    plain_all([&mut event.url]);
}

pub(super) fn plain_audit(row: &mut AuditRow) {
    [&mut row.operator, &mut row.action, &mut row.target].into_iter().for_each(plain);
    [&mut row.note, &mut row.request_id].into_iter().for_each(plain);
}

pub(super) fn plain_channel(record: &mut ChannelRecord) {
    [&mut record.provider, &mut record.account].into_iter().for_each(plain);
    plain_all([&mut record.by]);
}

pub(super) fn plain_claim(claim: &mut Claim) {
    [&mut claim.scope, &mut claim.key, &mut claim.digest].into_iter().for_each(plain);
}
