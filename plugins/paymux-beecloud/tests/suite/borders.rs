//! The signature has no borders between fields. Every way to cut the signed text into other fields is tried, and
//! only the true one is believed: type and group are known words, none of which ends another, and the amount is
//! plain digits.

use paymux_core::channel::ClaimKind;
use paymux_core::{Currency, Money};
use proptest::prelude::{ProptestConfig, prop, proptest};
use serde_json::{Value, json};

use crate::callback::{md5, verify};
use crate::rig::{APP_ID, MASTER_SECRET, NUMBER};

/// Number, type, group, amount.
type Fields<'a> = [&'a str; 4];

fn signature(text: &str) -> String {
    md5(&[APP_ID, text, MASTER_SECRET])
}

/// A message of these fields. An amount that is no number goes out as a text, as a sender would have to.
fn message([id, kind, group, fee]: Fields<'_>, signature: &str) -> String {
    let fee: Value = serde_json::from_str(fee).ok().filter(Value::is_number).unwrap_or_else(|| json!(fee));
    json!({
        "signature": signature,
        "transaction_id": id,
        "transaction_type": kind,
        "channel_type": group,
        "transaction_fee": fee,
    })
    .to_string()
}

/// Every way to cut a text of ASCII into three and the digits behind them: an amount of another form is refused as
/// such, whatever stands before it.
fn cuts(text: &str) -> impl Iterator<Item = Fields<'_>> {
    let digits = text.len() - text.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    (text.len() - digits..text.len()).flat_map(move |c| {
        (0..=c).flat_map(move |b| (0..=b).map(move |a| [&text[..a], &text[a..b], &text[b..c], &text[c..]]))
    })
}

/// How many cuts of the fields' text are believed as anything else than the fields.
fn others_believed(right: Fields<'_>) -> usize {
    let text = right.concat();
    let digest = signature(&text);
    let believed = |fields: &Fields<'_>| verify(json!({}), message(*fields, &digest)).is_ok();
    assert!(believed(&right), "{right:?}");
    cuts(&text).filter(|fields| *fields != right && believed(fields)).count()
}

#[test]
fn only_the_true_borders_are_believed() {
    let kinds = ["PAY", "REFUND", "TRANSFER", "SUBSCRIPTION", "SIGN"];
    let groups = ["WX", "ALI", "UN", "KUAIQIAN", "JD", "BD", "YEE", "PAYPAL", "BC"];
    for (kind, group) in kinds.into_iter().cycle().zip(groups) {
        assert_eq!(others_believed(["PAYWX8", kind, group, "1023"]), 0, "{kind} {group}");
    }
    // Numbers that end as types do, and with digits as amounts do.
    for id in [NUMBER, "1", "PAY", "A1PAYWX", "PAYPAYPAL", "SUBSCRIPTIONBC0"] {
        assert_eq!(others_believed([id, "PAY", "PAYPAL", "0"]), 0, "{id}");
    }
}

/// What is believed says of its order what stands in the message, which is what the core compares.
#[test]
fn what_is_believed_is_what_the_message_says() {
    let body = message([NUMBER, "PAY", "WX", "1023"], &signature(&format!("{NUMBER}PAYWX1023")));
    let claim = verify(json!({}), body).unwrap();
    assert_eq!((claim.number.as_str(), claim.kind), (NUMBER, ClaimKind::Paid));
    assert_eq!(claim.received, Money::new(1023, Currency::CNY));
}

proptest! {
    // Each draw is verified some hundred times.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn of_any_number_and_amount_only_the_true_borders_are_believed(
        id in "[0-9A-Z]{1,8}",
        kind in prop::sample::select(vec!["PAY", "REFUND", "SIGN"]),
        group in prop::sample::select(vec!["WX", "ALI", "BC", "PAYPAL"]),
        fee in 0_u32..100_000,
    ) {
        assert_eq!(others_believed([id.as_str(), kind, group, fee.to_string().as_str()]), 0);
    }
}
