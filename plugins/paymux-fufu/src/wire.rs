//! Requests and answers, spelt exactly as FuFu spells them. Nothing here is seen outside.
//!
//! What the fields mean to us lives in `map`; what the server side reads and writes lives in `acceptor`.

pub(crate) mod fields;

use paymux_core::transport::NotSent;
use paymux_core::{ChannelError, Secret, Timestamp, Verb, WireRequest, WireResponse};
use serde::Serialize;

use self::fields::Fields;
use crate::map::codes::{self, CodeRow};
use crate::sign;

/// The media type of every body.
pub(crate) const JSON: &str = "application/json";
/// The one word for success, at either level. The document's table of codes spells it `SUCESS`.
pub(crate) const SUCCESS: &str = "SUCCESS";

/// A payer's code that was scanned.
#[derive(Serialize)]
pub(crate) struct Scan<'a> {
    pub busi_id: &'a str,
    pub operator_id: &'a str,
    pub terminal_id: &'a str,
    pub total_fee: String,
    pub channel_type: &'static str,
    pub auth_code: &'a str,
    pub pay_subject: String,
    pub out_trade_no: &'a str,
    pub fee_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant_param: Option<&'a str>,
}

/// An order that the payer scans or that is paid inside a wallet.
#[derive(Serialize)]
pub(crate) struct PreOrder<'a> {
    pub busi_id: &'a str,
    pub operator_id: &'a str,
    pub total_fee: String,
    pub channel_type: &'static str,
    pub pay_subject: String,
    pub out_trade_no: &'a str,
    pub fee_type: &'static str,
    pub trade_type: &'static str,
    /// Minutes.
    pub time_expire: u64,
    #[serde(rename = "notifyUrl")]
    pub notify_url: &'a str,
    #[serde(rename = "openId", skip_serializing_if = "Option::is_none")]
    pub open_id: Option<&'a str>,
    #[serde(rename = "subAppId", skip_serializing_if = "Option::is_none")]
    pub sub_app_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant_param: Option<&'a str>,
}

/// A question about an order.
#[derive(Serialize)]
pub(crate) struct Query<'a> {
    pub busi_id: &'a str,
    pub out_trade_no: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trade_no: Option<&'a str>,
}

/// A cancel, a close, or a question about a refund, whose `out_trade_no` is the refund's number.
#[derive(Serialize)]
pub(crate) struct ByNumber<'a> {
    pub busi_id: &'a str,
    pub operator_id: &'a str,
    pub terminal_id: &'a str,
    pub out_trade_no: &'a str,
}

/// Money that goes back.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are the protocol's")]
pub(crate) struct Refund<'a> {
    pub busi_id: &'a str,
    pub operator_id: &'a str,
    pub terminal_id: &'a str,
    pub refund_fee: String,
    pub refund_subject: String,
    pub out_trade_no: &'a str,
    pub out_refund_no: &'a str,
    pub fee_type: &'static str,
}

/// Writes and signs a call of that operation.
pub(crate) fn request<T: Serialize>(
    operation: &str,
    call: &T,
    at: Timestamp,
    key: &Secret,
) -> Result<WireRequest, ChannelError> {
    let unbuildable = || ChannelError::NotSent(NotSent::Unbuildable);
    let body = serde_json::to_vec(call).map_err(|_| unbuildable())?;
    let sign = sign::sign(&body, at, key).map_err(|_| unbuildable())?;
    Ok(WireRequest::new(Verb::Post, format!("/{operation}")).query(sign::query(sign)).body(JSON, body))
}

/// What an answer says at both of its levels.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Both say `SUCCESS`, or the lower one says nothing.
    Done(Done),
    /// One of them says something else.
    Failed(Failed),
}

/// The `data` of an answer that says `SUCCESS`.
#[derive(Debug)]
pub(crate) struct Done {
    pub data: Fields,
    /// Whether `data` itself says `SUCCESS`, which one table leaves out.
    pub is_coded: bool,
}

/// An answer that says something else than `SUCCESS`.
#[derive(Debug)]
pub(crate) struct Failed {
    /// What its code is, if the document lists it.
    pub code: Option<&'static CodeRow>,
    /// What it says beside, if anything: any text.
    pub said: Option<String>,
    /// What else stands there; empty where `data` is no object.
    pub data: Fields,
}

/// Reads an answer. Whatever is not HTTP 2xx with one JSON object of the known envelope is not believed.
pub(crate) fn read(response: &WireResponse) -> Result<Reply, ChannelError> {
    let status = response.status;
    if !(200..300).contains(&status) {
        return Err(ChannelError::unknown(format!("FuFu answered HTTP {status}")));
    }
    let envelope = Fields::parse(&response.body)
        .map_err(|what| ChannelError::unknown(format!("an answer that is {what}")))?;
    read_envelope(&envelope).map_err(ChannelError::unknown)
}

/// Reads the two levels that answers and notifications have.
pub(crate) fn read_envelope(envelope: &Fields) -> Result<Reply, &'static str> {
    let result = envelope.object("result")?.ok_or("the answer has no `result`")?;
    let code = result.text("return_code").ok_or("`result` has no `return_code`")?;
    if code != SUCCESS {
        // Of a refused request `data` may be absent, null, empty or anything else.
        let data = envelope.object("data").ok().flatten().unwrap_or_default();
        return Ok(Reply::Failed(failed(&result, &code, data)));
    }
    let data = envelope.object("data")?.ok_or("`result` says SUCCESS, and there is no `data`")?;
    let code = data.text("return_code");
    Ok(match code.as_deref() {
        Some(SUCCESS) => Reply::Done(Done { data, is_coded: true }),
        None if data.is_absent("return_code") => Reply::Done(Done { data, is_coded: false }),
        None => return Err("`data.return_code` is no text"),
        Some(code) => {
            let level = data.clone();
            Reply::Failed(failed(&level, code, data))
        }
    })
}

/// The code of a failure is in `return_msg` where a listed one stands there, else in `return_code`; but where
/// that only says `FAIL`, another text beside it is a code that nobody lists.
fn failed(level: &Fields, return_code: &str, data: Fields) -> Failed {
    let said = level.text("return_msg");
    let by_message = said.as_deref().and_then(codes::row);
    let by_code = codes::row(return_code).filter(|row| row.name != "FAIL" || said.is_none());
    Failed { code: by_message.or(by_code), said, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an answer is: done, the listed code of its failure, unlisted, or not read.
    fn kind(status: u16, body: &str) -> String {
        match read(&WireResponse::with_status(status, JSON, body.to_owned())) {
            Ok(Reply::Done(done)) if done.is_coded => "done".to_owned(),
            Ok(Reply::Done(_)) => "uncoded".to_owned(),
            Ok(Reply::Failed(failed)) => failed.code.map_or("unlisted", |row| row.name).to_owned(),
            Err(ChannelError::Unknown(_)) => "unread".to_owned(),
            Err(other) => panic!("{other}"),
        }
    }

    #[track_caller]
    fn check(body: &str, want: &str) {
        assert_eq!(kind(200, body), want, "{body}");
    }

    /// F5 and F35.
    #[test]
    fn both_levels_are_looked_at() {
        check(
            r#"{"result":{"return_code":"SUCCESS","return_msg":"OK"},"data":{"return_code":"SUCCESS"}}"#,
            "done",
        );
        check(r#"{"result":{"return_code":"SUCCESS"},"data":{}}"#, "uncoded");
        check(r#"{"result":{"return_code":"SUCCESS"},"data":{"return_code":null}}"#, "uncoded");
        check(r#"{"result":{"return_code":"SUCCESS"},"data":{"return_code":""}}"#, "uncoded");
        check(r#"{"result":{"return_code":"SUCCESS"},"data":{"return_code":{}}}"#, "unread");
        let data = |code: &str, msg: &str| {
            format!(
                r#"{{"result":{{"return_code":"SUCCESS","return_msg":"OK"}},"data":{{"return_code":"{code}","return_msg":"{msg}"}}}}"#
            )
        };
        check(&data("FAIL", "CHARGE_NONEXISTENT"), "CHARGE_NONEXISTENT");
        check(&data("FAIL", ""), "FAIL");
        check(&data("FAIL", "FAIL"), "FAIL");
        check(&data("AMT_ERROR", "the amount"), "AMT_ERROR");
        check(&data("AMT_ERROR", "SERIAL_REPEAT"), "SERIAL_REPEAT");
        check(&data("FAIL", "SOUNDWAVE_PARSER_FAIL"), "unlisted");
        check(&data("FAIL", "订单已成功"), "unlisted");
        check(&data("SUCESS", ""), "SUCESS");
        check(&data("success", ""), "unlisted");
        check(&data("OK", ""), "unlisted");
        let result = |data: &str| {
            format!(r#"{{"result":{{"return_code":"FAIL","return_msg":"INVALID_SIGN"}}{data}}}"#)
        };
        for data in ["", ",\"data\":null", ",\"data\":{}", ",\"data\":\"\"", ",\"data\":[1]", ",\"data\":7"] {
            check(&result(data), "INVALID_SIGN");
        }
        check(r#"{"result":{"return_code":"INVALID_SIGN"}}"#, "INVALID_SIGN");
        check(r#"{"result":{"return_code":"FAIL"},"data":{"return_code":"SUCCESS"}}"#, "FAIL");
    }

    #[test]
    fn what_is_not_surely_understood_is_not_believed() {
        let good = r#"{"result":{"return_code":"SUCCESS"},"data":{"return_code":"SUCCESS"}}"#;
        assert_eq!(kind(200, &format!(" {good}\r\n")), "done");
        for status in [100, 301, 400, 401, 404, 500, 502, 503] {
            assert_eq!(kind(status, good), "unread", "{status}");
        }
        for bad in [
            String::new(),
            "[]".to_owned(),
            "null".to_owned(),
            "{}".to_owned(),
            "<html>502</html>".to_owned(),
            good[..good.len() - 1].to_owned(),
            format!("{good}x"),
            format!("{good}{good}"),
            r#"{"result":"SUCCESS","data":{"return_code":"SUCCESS"}}"#.to_owned(),
            r#"{"result":{},"data":{"return_code":"SUCCESS"}}"#.to_owned(),
            r#"{"result":{"return_code":"SUCCESS"}}"#.to_owned(),
            r#"{"result":{"return_code":"SUCCESS"},"data":null}"#.to_owned(),
            r#"{"result":{"return_code":"SUCCESS"},"data":[]}"#.to_owned(),
            r#"{"result":{"return_code":"SUCCESS"},"data":{},"data":{"return_code":"SUCCESS"}}"#.to_owned(),
        ] {
            check(&bad, "unread");
        }
        let mut raw = good.as_bytes().to_vec();
        raw.push(0xff);
        assert!(read(&WireResponse::ok(JSON, raw)).is_err());
    }
}
