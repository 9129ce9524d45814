//! Which fields BeeCloud signs, in which order and with which secret, and what the signs leave open.
//!
//! How MD5 is fed and compared lives in paymux-sign. All schemes put nothing between the parts, so a
//! field's last byte can slide into the next one: whatever was verified is still compared with the
//! stored order. The last three sign what this plugin neither sends nor takes; they are here for whoever
//! builds a page or calls BeeCloud beside paymux.
//!
//! | sign | carried in | secret | covered | not covered |
//! |---|---|---|---|---|
//! | [`app_sign`] | `app_sign` of a call | app, master or test secret; V1 calls the app secret `app_key` | account, time | the whole body: channel, amount, number, addresses, buyer |
//! | [`notice_sign`] | `signature` of a webhook | master secret | account and the four fields of [`Notified`] | time, `sub_channel_type`, `bill_fee`, `discount`, `coupon_id`, `trade_success`, `message_detail`, `optional` |
//! | [`unbound_sign`] | `signature` or `sign` of a webhook | test secret; before January 2017 the app secret | account, time | every field of the message |
//! | [`button_sign`] | `sign` of the page button | app secret | account and the three fields of [`Button`] | buyer, coupon, return address; and which digits are of the amount |
//! | [`redeem_sign`] | `app_sign` of the coupon calls | master secret | account and the five fields of [`Redeem`] | `mobile` |
//! | [`payout_sign`] | `signature` of payouts to a bank by the gateway | master secret | account and the three fields of [`Payout`] | time (a captured one is good for ever), payee's name, bank |

use paymux_core::Secret;
use paymux_sign::{Decimal, Md5Digest};

/// `app_sign` of a call: account, the very digits of `timestamp`, and the secret of that call.
///
/// Source: BeeCloud reference V2, `app_sign`.
pub fn app_sign(app_id: &str, timestamp_ms: i64, secret: &Secret) -> Md5Digest {
    let time = Decimal::from(timestamp_ms);
    Md5Digest::of(&[app_id.as_bytes(), time.as_bytes(), secret.expose().as_bytes()])
}

/// The fields of a webhook that its `signature` covers.
#[derive(Debug, Clone, Copy)]
pub struct Notified<'a> {
    /// The merchant's number of the bill, refund or payout.
    pub transaction_id: &'a str,
    /// `PAY`, `REFUND`, `TRANSFER` and so on.
    pub transaction_type: &'a str,
    /// The channel's group, such as `WX`.
    pub channel_type: &'a str,
    /// Fen that really moved, as the decimal digits that stand in the message.
    pub transaction_fee: &'a str,
}

/// `signature` of a webhook.
///
/// Source: BeeCloud webhook guide, signature with the master secret (since January 2017).
pub fn notice_sign(app_id: &str, notified: Notified<'_>, master_secret: &Secret) -> Md5Digest {
    let Notified { transaction_id, transaction_type, channel_type, transaction_fee } = notified;
    let secret = master_secret.expose();
    let parts = [app_id, transaction_id, transaction_type, channel_type, transaction_fee, secret];
    Md5Digest::of(&parts.map(str::as_bytes))
}

/// The scheme that binds no field of the message: with the test secret on sandbox webhooks, with
/// the app secret on those from before January 2017.
///
/// Source: webhook demos of the Java and .NET SDKs.
pub fn unbound_sign(app_id: &str, secret: &Secret, timestamp: &str) -> Md5Digest {
    Md5Digest::of(&[app_id, secret.expose(), timestamp].map(str::as_bytes))
}

/// The fields of the page button that its `sign` covers.
#[derive(Debug, Clone, Copy)]
pub struct Button<'a> {
    /// What the payer sees. End it with another character than a digit: else its last digits can be taken
    /// for the first of the amount.
    pub title: &'a str,
    /// Fen, above 0.
    pub amount: u64,
    /// The merchant's number. Begin it with a letter, for the same reason.
    pub out_trade_no: &'a str,
}

/// `sign` of the page button, made on the merchant's server.
///
/// A payer can move the border between title and amount and pay less under the same sign: compare what came
/// in with the order.
///
/// Source: BeeCloud page button (秒支付), `sign`.
pub fn button_sign(app_id: &str, button: Button<'_>, app_secret: &Secret) -> Md5Digest {
    let Button { title, amount, out_trade_no } = button;
    let amount = Decimal::from(amount);
    Md5Digest::of(&[app_id, title, amount.as_str(), out_trade_no, app_secret.expose()].map(str::as_bytes))
}

/// The fields of the two coupon calls (redeem, undo) that their `app_sign` covers.
#[derive(Debug, Clone, Copy)]
pub struct Redeem<'a> {
    /// The merchant's account at BeeCloud, an address of mail.
    pub account: &'a str,
    /// The order's number.
    pub bill_no: &'a str,
    /// The coupon's template.
    pub template_id: &'a str,
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Whose coupon it is.
    pub user_id: &'a str,
}

/// `app_sign` of the two coupon calls: the fields in the order of their names.
///
/// Source: BeeCloud reference V2, coupons; the secret is called `master_key` there.
pub fn redeem_sign(app_id: &str, redeem: Redeem<'_>, master_secret: &Secret) -> Md5Digest {
    let Redeem { account, bill_no, template_id, timestamp_ms, user_id } = redeem;
    let time = Decimal::from(timestamp_ms);
    let parts = [app_id, account, bill_no, template_id, time.as_str(), user_id, master_secret.expose()];
    Md5Digest::of(&parts.map(str::as_bytes))
}

/// The fields of a payout to a bank that the gateway's `signature` covers.
#[derive(Debug, Clone, Copy)]
pub struct Payout<'a> {
    /// The merchant's number.
    pub bill_no: &'a str,
    /// Fen: `withdraw_amount` of one call, `total_fee` of the other.
    pub amount: u64,
    /// The payee's account.
    pub bank_account_no: &'a str,
}

/// `signature` of a payout to a bank by the gateway.
///
/// Number, amount and account are digits side by side: which are whose, the sign does not say.
///
/// Source: SDKs, `gateway/bc_transfer` and `t1express/transfer`.
pub fn payout_sign(app_id: &str, payout: Payout<'_>, master_secret: &Secret) -> Md5Digest {
    let Payout { bill_no, amount, bank_account_no } = payout;
    let amount = Decimal::from(amount);
    Md5Digest::of(
        &[app_id, bill_no, amount.as_str(), bank_account_no, master_secret.expose()].map(str::as_bytes),
    )
}

#[cfg(test)]
mod tests;
