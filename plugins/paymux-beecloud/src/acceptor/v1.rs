//! The first version of the protocol, as far as it differs: it signs everything with the one secret that it has (see
//! `operation`), asks for a channel in lists and refunds, knows no code above 14, and has other words in its lists.
//!
//! Source: BeeCloud V1 beta document.

use paymux_core::WireResponse;
use serde_json::{Map, Value};

use super::fields::{Fault, Fields};
use super::operation::{Operation, V1_MARK};
use crate::map::results;

/// The groups that it has.
const V1_GROUPS: [&str; 3] = ["WX", "ALI", "UN"];

/// Whether a call of that note was one of the first version.
pub(super) fn is_marked(memo: &str) -> bool {
    memo.ends_with(V1_MARK)
}

/// What it asks for and the second does not.
pub(super) fn check(operation: &Operation, fields: &Fields) -> Result<(), Fault> {
    match operation {
        Operation::Bills | Operation::Refunds => fields.required_text("channel").map(drop),
        Operation::Refund(_) => group(fields.required_text("channel")?, &V1_GROUPS),
        Operation::RefundStatus => group(fields.required_text("channel")?, &V1_GROUPS[..1]),
        _ => Ok(()),
    }
}

fn group(name: &str, groups: &[&str]) -> Result<(), Fault> {
    if groups.contains(&name) {
        return Ok(());
    }
    Err(Fault::new(3, format!("channel: version 1 takes {} here", groups.join(", "))))
}

/// An answer in its words, beside those of the second version, which it passes over.
pub(super) fn worded(mut response: WireResponse) -> WireResponse {
    let Ok(mut fields) = serde_json::from_slice::<Map<String, Value>>(&response.body) else {
        return response;
    };
    if let Some(code) = fields.get("result_code").and_then(Value::as_i64) {
        let code = known(code);
        fields.insert("result_code".to_owned(), Value::from(code));
        if let Some(row) = results::row(code) {
            let name = if code == 14 { "RUN_TIME_ERROR" } else { row.name };
            fields.insert("result_msg".to_owned(), Value::from(name));
        }
    }
    for list in ["bills", "refunds"] {
        let Some(rows) = fields.get_mut(list).and_then(Value::as_array_mut) else { continue };
        for row in rows.iter_mut() {
            timed(row, "created_time");
        }
        let count = rows.len();
        fields.insert("count".to_owned(), Value::from(count));
    }
    if let Some(pay) = fields.get_mut("pay") {
        timed(pay, "created_time");
    }
    if let Some(refund) = fields.get_mut("refund") {
        timed(refund, "createdat");
    }
    response.body = Value::Object(fields).to_string().into();
    response
}

/// The code that says the same there: a number that is in use is the wallet's no, an open outcome its failure inside.
const fn known(code: i64) -> i64 {
    match code {
        17 => 7,
        15 | 16 => 14,
        code => code,
    }
}

fn timed(row: &mut Value, name: &str) {
    if let Some(row) = row.as_object_mut()
        && let Some(at) = row.get("create_time").cloned()
    {
        row.insert(name.to_owned(), at);
    }
}
