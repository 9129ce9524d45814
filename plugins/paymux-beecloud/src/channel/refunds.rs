//! Money that goes back: one call that is never repeated, and the questions about it.

use paymux_core::channel::{Blame, OutflowAnswer, RefundOrder};
use paymux_core::{ChannelError, Cx, Verb};

use super::{BeeCloud, failure, told};
use crate::map::codes::{Code, Family};
use crate::map::refunds;
use crate::map::results::{self, Class, Step};
use crate::wire::Reply;
use crate::wire::refunds::{RefundRow, RefundStatus, RefundsQuery};

impl BeeCloud {
    /// Asks for money to go back, on the path family that made the order.
    pub(super) async fn send_refund(
        &self,
        cx: &Cx<'_>,
        refund: &RefundOrder,
    ) -> Result<OutflowAnswer, ChannelError> {
        let (_, family) = self.code(&refund.order.memo, refund.order.method)?;
        refunds::check_day(refund, self.its_now(cx))?;
        let reply = self.call_refund(cx, family, refund).await?;
        match results::class(reply.code, Step::Refund) {
            Class::Done => refunds::accepted(family, &reply),
            Class::AskFirst => self.after_already_refunding(cx, refund, &reply).await,
            _ => Err(failure(&reply, Step::Refund, cx.now())),
        }
    }

    async fn call_refund(
        &self,
        cx: &Cx<'_>,
        family: Family,
        refund: &RefundOrder,
    ) -> Result<Reply, ChannelError> {
        let secret = self.account.money_secret().ok_or(ChannelError::Unsupported)?;
        let prefix = self.account.books.prefix();
        match family {
            Family::Bill => {
                let path = format!("{prefix}/refund");
                self.call_with(secret, cx, Verb::Post, &path, &refunds::online(refund)?).await
            }
            Family::Till => {
                let path = format!("{prefix}/offline/refund");
                self.call_with(secret, cx, Verb::Post, &path, &refunds::at_till(refund)?).await
            }
        }
    }

    /// After code 11: a refund of the order is in progress. If that is another one, or if others have used up
    /// what the account takes of one order, this one was refused; it can also be this very one.
    async fn after_already_refunding(
        &self,
        cx: &Cx<'_>,
        refund: &RefundOrder,
        reply: &Reply,
    ) -> Result<OutflowAnswer, ChannelError> {
        let of_order = RefundsQuery { bill_no: Some(refund.order.number.as_str()), refund_no: None };
        let unclear = |what: &str| ChannelError::unknown(format!("{}; {what}", told(reply, cx.now())));
        let Ok(rows) = self.refund_rows(cx, &of_order).await else {
            return Err(unclear("and the order's refunds could not be asked for"));
        };
        match refunds::found(refund, &rows)? {
            OutflowAnswer::NotFound
                if refunds::leave_no_room(refund, &rows, self.account.refunds_per_order) =>
            {
                Err(crate::map::refusal(reply, Blame::Request))
            }
            OutflowAnswer::NotFound => Err(unclear("and no other refund of the order explains it")),
            known => Ok(known),
        }
    }

    /// What became of a refund: its record, and while that is not over, for groups whose state must be
    /// pulled, the wallet's own word. The record comes first, so that a status call that hangs hides
    /// nothing that is known.
    pub(super) async fn ask_refund(
        &self,
        cx: &Cx<'_>,
        refund: &RefundOrder,
    ) -> Result<OutflowAnswer, ChannelError> {
        if self.account.money_secret().is_none() {
            return Err(ChannelError::Unsupported);
        }
        let (code, _) = self.code(&refund.order.memo, refund.order.method)?;
        let by_number = RefundsQuery { refund_no: Some(&refund.number), bill_no: None };
        let recorded = refunds::found(refund, &self.refund_rows(cx, &by_number).await?)?;
        let is_over = matches!(recorded, OutflowAnswer::Done { .. } | OutflowAnswer::Failed { .. });
        if is_over || !refunds::is_pulled(code) {
            return Ok(recorded);
        }
        match self.pull_refund(cx, code, &refund.number).await {
            Ok(Some(end)) => Ok(end),
            Ok(None) | Err(_) => Ok(recorded),
        }
    }

    async fn refund_rows(
        &self,
        cx: &Cx<'_>,
        query: &RefundsQuery<'_>,
    ) -> Result<Vec<RefundRow>, ChannelError> {
        let path = format!("{}/refunds", self.account.books.prefix());
        let reply = self.call(cx, Verb::Get, &path, query).await?;
        match results::class(reply.code, Step::AskRefund) {
            Class::Done => refunds::rows(&reply),
            Class::Absent => Ok(Vec::new()),
            _ => Err(failure(&reply, Step::AskRefund, cx.now())),
        }
    }

    /// Has BeeCloud ask the wallet; `None` when that is not over, or not surely.
    async fn pull_refund(
        &self,
        cx: &Cx<'_>,
        code: &Code,
        number: &str,
    ) -> Result<Option<OutflowAnswer>, ChannelError> {
        let path = format!("{}/refund/status", self.account.books.prefix());
        let call = RefundStatus { channel: code.group, refund_no: number, bill_update_flag: "1" };
        let reply = self.call(cx, Verb::Get, &path, &call).await?;
        match results::class(reply.code, Step::AskRefund) {
            Class::Done => Ok(refunds::pulled(&reply)),
            Class::Absent => Ok(None),
            _ => Err(failure(&reply, Step::AskRefund, cx.now())),
        }
    }
}
