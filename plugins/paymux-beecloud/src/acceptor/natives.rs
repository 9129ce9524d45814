//! What only BeeCloud itself does, as a client asks for it: the fields that the call has, and nothing else, for the
//! channel at BeeCloud that the client's account names.
//!
//! Source: BeeCloud API pages of 2018 and SDKs: `auth`, buyers, `history_bills`, coupons.

use paymux_core::acceptor::{FrontAccount, FrontCall};
use serde_json::{Map, Value};

use super::fields::{Fault, Fields};
use super::{NATIVE_CHANNEL, channel_of};
use crate::native::table::Operation;

/// A call, with its fields checked as far as the table says: SDKs send the fields of earlier calls again, and a path's
/// id in the body too.
pub(super) fn read(
    account: &FrontAccount,
    fields: &Fields,
    operation: &Operation,
    id: Option<&str>,
) -> Result<(FrontCall, String), Fault> {
    let mut kept = Map::new();
    for field in operation.fields {
        let value = match (field.name, id) {
            ("id", Some(id)) => Some(Value::from(id)),
            (name, _) if field.required => Some(fields.required(name)?.clone()),
            (name, _) => fields.value(name).filter(|value| value.as_str() != Some("")).cloned(),
        };
        let Some(value) = value else { continue };
        field.form.check(&value).map_err(|rule| Fault::invalid(field.name, rule))?;
        kept.insert(field.name.to_owned(), value);
    }
    let channel = channel_of(account, NATIVE_CHANNEL);
    if channel.is_none() {
        let why = "it is not offered to this app: its configuration names no `native_channel` at BeeCloud";
        return Err(Fault::new(3, why));
    }
    let call = FrontCall::Native { channel, operation: operation.name, fields: Value::Object(kept) };
    Ok((call, format!("native {}", operation.name)))
}
