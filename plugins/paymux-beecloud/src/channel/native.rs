//! What is not routed: one call, made once, its fields and its answer in BeeCloud's own names.

use paymux_core::channel::{Blame, Refusal};
use paymux_core::{ChannelError, Cx};
use serde_json::{Map, Value, json};

use super::{BeeCloud, failure};
use crate::config::Books;
use crate::map::results::{self, Class, Step};
use crate::native::table::{AUTH, Operation};
use crate::wire;

/// Fields of every answer.
const SPOKEN: [&str; 3] = ["result_code", "result_msg", "err_detail"];

impl BeeCloud {
    pub(super) async fn call_native(
        &self,
        cx: &Cx<'_>,
        operation: &str,
        body: &Value,
    ) -> Result<Value, ChannelError> {
        // The first version and the test mode have none of it.
        if self.account.books != Books::V2 {
            return Err(ChannelError::Unsupported);
        }
        let operation = Operation::named(operation).ok_or(ChannelError::Unsupported)?;
        let mut fields = checked(operation, body)?;
        let id = fields.remove("id");
        let id = id.as_ref().and_then(Value::as_str).unwrap_or_default();
        let path = operation.path.replace("{id}", &wire::segment(id));
        let reply = self.call(cx, operation.verb, &path, &fields).await?;
        match results::class(reply.code, Step::Query) {
            Class::Done => Ok(answered(reply.fields)),
            // What is said of a person's check may repeat the person's data.
            _ if *operation == AUTH => Err(failure(&reply.without_detail(), Step::Query, cx.now())),
            _ => Err(failure(&reply, Step::Query, cx.now())),
        }
    }
}

/// The fields that the operation has. Nothing is sent where one is missing, wrong or of no operation.
fn checked(operation: &Operation, body: &Value) -> Result<Map<String, Value>, ChannelError> {
    let fields = body.as_object().ok_or_else(|| refusal(5, "the body must be one JSON object"))?;
    let known = |name: &String| operation.fields.iter().any(|field| field.name == name.as_str());
    if let Some(strange) = fields.keys().find(|name| !known(name)) {
        return Err(refusal(5, &format!("`{strange}` is no field of `{}`", operation.name)));
    }
    for field in operation.fields {
        match fields.get(field.name).filter(|value| !value.is_null()) {
            Some(value) => {
                let wrong = |rule: &str| refusal(5, &format!("{}: {rule}", field.name));
                field.form.check(value).map_err(wrong)?;
            }
            None if field.required => return Err(refusal(4, &format!("{} is missing", field.name))),
            None => {}
        }
    }
    Ok(fields.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect())
}

/// Our own no, with the code that BeeCloud has for it.
fn refusal(code: i64, message: &str) -> ChannelError {
    let message = format!("not sent: {message}");
    ChannelError::Refused(Refusal { code: code.to_string(), message, blame: Blame::Request })
}

/// Without what every answer has. Buyers come as maps or as texts; here they are maps always.
fn answered(mut fields: Map<String, Value>) -> Value {
    fields.retain(|name, _| !SPOKEN.contains(&name.as_str()));
    if let Some(users) = fields.get_mut("users").and_then(Value::as_array_mut) {
        for user in users {
            if let Some(id) = user.as_str() {
                *user = json!({"buyer_id": id});
            }
        }
    }
    Value::Object(fields)
}
