//! Ending an order: asked first, then cancelled or closed, then asked again. Only the last answer counts.
//!
//! Source: FuFu interface 1.1.1, `cancel` and `close`: query first; a cancel only for orders of a till, 15 s or
//! more after they were made and from 01:00 to 23:00; a close only for the others.

use paymux_core::channel::{CancelAnswer, QueryAnswer};
use paymux_core::{ChannelError, Cx, OrderRef};

use super::Fufu;
use crate::map::codes::{self, Class, Step};
use crate::map::hours;
use crate::map::kinds::{CANCEL_NOT_BEFORE, Kind, Opening};
use crate::map::{self, check_echo};
use crate::wire::Reply;

/// What FuFu said to a cancel or a close. None of it ends an order by itself.
enum Word {
    /// Accepted, or done before.
    Accepted,
    /// It would not, with its reason.
    Refused(String),
    /// Nobody knows.
    Open(ChannelError),
}

impl Fufu {
    pub(super) async fn end(
        &self,
        cx: &Cx<'_>,
        kind: &Kind,
        order: &OrderRef,
    ) -> Result<CancelAnswer, ChannelError> {
        match self.ask(cx, order).await? {
            QueryAnswer::Paid(receipt) => return Ok(CancelAnswer::Paid(receipt)),
            QueryAnswer::Closed => return Ok(CancelAnswer::Closed),
            QueryAnswer::Returned(_) | QueryAnswer::Returning(_) => return Err(returned()),
            QueryAnswer::NotFound => {
                return Ok(CancelAnswer::Refused("FuFu shows no such order yet".to_owned()));
            }
            QueryAnswer::Open => {}
        }
        if let Some(why) = too_early(cx, kind, order) {
            return Ok(CancelAnswer::Refused(why));
        }
        let operation = if kind.opening == Opening::Scan { "cancel" } else { "close" };
        let word = self.undo(cx, operation, order).await;
        match (self.ask(cx, order).await, word) {
            (Ok(QueryAnswer::Paid(receipt)), _) => Ok(CancelAnswer::Paid(receipt)),
            (Ok(QueryAnswer::Closed), _) => Ok(CancelAnswer::Closed),
            (Ok(QueryAnswer::Returned(_) | QueryAnswer::Returning(_)), _) => Err(returned()),
            (_, Word::Refused(why)) => Ok(CancelAnswer::Refused(why)),
            (_, Word::Open(error)) => Err(error),
            (Ok(_), Word::Accepted) => {
                Err(ChannelError::unknown(format!("FuFu took the {operation} and does not show it yet")))
            }
            (Err(error), Word::Accepted) => Err(ChannelError::unknown(format!(
                "FuFu took the {operation} and could not be asked: {error}"
            ))),
        }
    }

    async fn undo(&self, cx: &Cx<'_>, operation: &str, order: &OrderRef) -> Word {
        let reply = match self.call(cx, operation, &self.by_number(order.number.as_str())).await {
            Ok(reply) => reply,
            Err(error) => return Word::Open(error),
        };
        let data = match &reply {
            Reply::Done(done) => &done.data,
            Reply::Failed(failed) => &failed.data,
        };
        if let Err(error) = check_echo(data, "out_trade_no", order.number.as_str()) {
            return Word::Open(error);
        }
        match reply {
            Reply::Done(done) if done.is_coded => Word::Accepted,
            Reply::Done(_) => Word::Open(ChannelError::unknown("`data` has no `return_code`")),
            Reply::Failed(failed) => match codes::class(failed.code, Step::Undo) {
                Class::Revoked => Word::Accepted,
                Class::Refused(_) => Word::Refused(map::told(&failed)),
                Class::Absent | Class::AskFirst | Class::Unknown => {
                    Word::Open(map::failure(&failed, Step::Undo))
                }
            },
        }
    }
}

/// Such an order has ended, but not unpaid: a query tells what became of it.
fn returned() -> ChannelError {
    ChannelError::unknown("the order was paid, and its money has gone back or is about to; query it")
}

/// Why a cancel cannot go now, if it cannot.
fn too_early(cx: &Cx<'_>, kind: &Kind, order: &OrderRef) -> Option<String> {
    if kind.opening != Opening::Scan {
        return None;
    }
    let from = order.created_at.plus(CANCEL_NOT_BEFORE);
    let from = hours::cancel_opens(cx.now().max(from)).unwrap_or(from);
    (cx.now() < from).then(|| format!("FuFu takes a cancel of this order from {from} on"))
}
