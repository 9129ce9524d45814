//! Payouts that clients of fronts ask for: each a transfer of the ledger, on the channel that the client's account
//! names. Several in one call are looked at before any is sent, and then go a few at a time.

use futures_util::stream::{self, StreamExt};

use crate::acceptor::{FrontAnswer, FrontPayOut, FrontPayee, FrontPayoutFilter};
use crate::clock::{Timestamp, within};
use crate::error::PaymentError;
use crate::ids::{AppId, ChannelId, TransferId, TransferNo};
use crate::outflow::OutflowState;
use crate::payment::FrontNote;
use crate::payment::request::{InvalidField, notify_url};
use crate::payments::Payments;
use crate::transfer::{NewTransfer, Transfer};

use super::facts::standing;
use super::lists::{PAGE, ROWS_MAX, TOO_MANY, count};
use super::{CLOCKS_APART, Call, payout_of, refused};

/// How many of one call are under way at once.
const AT_ONCE: usize = 8;

/// What became of one of several.
type Outcome = (TransferNo, Result<Transfer, PaymentError>);

impl Payments {
    pub(super) async fn pay_out_in_front(
        &self,
        call: &Call<'_>,
        asked: &FrontPayOut,
    ) -> Result<FrontAnswer, PaymentError> {
        let requests = self.new_transfers_in_front(call, asked)?;
        let Some(channel) = requests.first().map(|request| request.channel.clone()) else {
            return Ok(FrontAnswer::Payouts(Vec::new()));
        };
        if let [request] = requests.as_slice() {
            let answer = Box::pin(self.transfer(call.app.clone(), request.clone())).await;
            return Ok(single(&answer.map_err(|error| unavailable(call, &channel, error))?.transfer));
        }
        self.check_all(call, &requests).await?;
        let (this, app) = (self.clone(), call.app.clone());
        // In a task of its own: what was begun goes on when its client waits no longer.
        let task = self.spawn(async move { this.transfer_all(&app, requests).await });
        match within(self.clock(), call.catalog.timing.answer, task).await {
            Some(Some(outcomes)) => Ok(several(call, &channel, outcomes)),
            Some(None) | None => Ok(FrontAnswer::InDoubt),
        }
    }

    fn new_transfers_in_front(
        &self,
        call: &Call<'_>,
        asked: &FrontPayOut,
    ) -> Result<Vec<NewTransfer>, PaymentError> {
        let channel = ChannelId::new(&asked.channel).map_err(|e| InvalidField::new("channel", e.rule))?;
        let Some(entry) = call.catalog.channel(&channel) else {
            return Err(PaymentError::Unsupported { channel, operation: "transfer" });
        };
        let url = asked.notify_url.as_deref().map(notify_url).transpose()?;
        if let Some(url) = &url {
            self.check_notice_address(call.catalog, &call.app, url)?;
        }
        let note = FrontNote {
            notify_url: url.map(|url| url.as_str().to_owned()),
            ..FrontNote::new(call.acceptor.slug(), &call.read.memo, &asked.echo)
        };
        let descriptor = entry.channel.descriptor();
        let request = |item: &FrontPayee| {
            // A client sends its protocol's fields, whoever pays: those go on that the channel takes.
            let mut item = item.clone();
            item.extra.retain(|name, _| descriptor.takes_extra(name));
            NewTransfer::of_front(&channel, &item, &note)
        };
        Ok(asked.items.iter().map(request).collect::<Result<_, _>>()?)
    }

    /// Nothing of several is sent where one of them breaks a rule that is known before; a repeat of what is stored
    /// breaks none.
    async fn check_all(&self, call: &Call<'_>, requests: &[NewTransfer]) -> Result<(), PaymentError> {
        for request in requests {
            let Err(no) = self.check_transfer(&call.app, request) else { continue };
            if self.store().transfer_by_no(&call.app, &request.transfer_no).await?.is_none() {
                return Err(unavailable(call, &request.channel, no));
            }
        }
        Ok(())
    }

    async fn transfer_all(&self, app: &AppId, requests: Vec<NewTransfer>) -> Vec<Outcome> {
        let each = requests.into_iter().map(|request| self.transfer_one(app.clone(), request));
        stream::iter(each).buffered(AT_ONCE).collect().await
    }

    async fn transfer_one(&self, app: AppId, request: NewTransfer) -> Outcome {
        let no = request.transfer_no.clone();
        let answer = Box::pin(self.transfer(app, request)).await;
        (no, answer.map(|answer| answer.transfer))
    }

    pub(super) async fn list_payouts_in_front(
        &self,
        call: &Call<'_>,
        filter: &FrontPayoutFilter,
    ) -> Result<FrontAnswer, PaymentError> {
        let (skip, limit) = (count(filter.skip), count(filter.limit));
        let rows = self.payouts(call, filter, skip.saturating_add(limit)).await?;
        Ok(FrontAnswer::Payouts(rows.iter().skip(skip).take(limit).map(payout_of).collect()))
    }

    pub(super) async fn count_payouts_in_front(
        &self,
        call: &Call<'_>,
        filter: &FrontPayoutFilter,
    ) -> Result<FrontAnswer, PaymentError> {
        let rows = self.payouts(call, filter, usize::MAX).await?;
        Ok(FrontAnswer::Count(u64::try_from(rows.len()).unwrap_or(u64::MAX)))
    }

    /// Newest first, until there are enough.
    async fn payouts(
        &self,
        call: &Call<'_>,
        filter: &FrontPayoutFilter,
        enough: usize,
    ) -> Result<Vec<Transfer>, PaymentError> {
        if let Some(number) = &filter.number {
            let Ok(number) = TransferNo::given(number) else { return Ok(Vec::new()) };
            let one = self.store().transfer_by_no(&call.app, &number).await?;
            return Ok(one.into_iter().filter(|transfer| fits(filter, transfer)).collect());
        }
        let (mut rows, mut seen, mut after) = (Vec::new(), 0, None::<TransferId>);
        loop {
            let read = self.store().transfers_of_app(&call.app, after, PAGE).await?;
            seen += read.len();
            let Some(last) = read.last() else { return Ok(rows) };
            after = Some(last.id);
            // An id begins with the time of its making, by one node's clock.
            let is_over = filter.from.is_some_and(|from| last.created_at.plus(CLOCKS_APART) < from);
            rows.extend(
                read.into_iter().filter(|transfer| is_ours(call, transfer) && fits(filter, transfer)),
            );
            if is_over || rows.len() >= enough {
                return Ok(rows);
            }
            if seen >= ROWS_MAX {
                return Err(InvalidField::new("from", TOO_MANY).into());
            }
        }
    }
}

fn is_ours(call: &Call<'_>, transfer: &Transfer) -> bool {
    transfer.front.as_ref().is_some_and(|note| note.slug == call.acceptor.slug())
}

fn fits(filter: &FrontPayoutFilter, transfer: &Transfer) -> bool {
    let at: Timestamp = transfer.created_at;
    filter.standing.is_none_or(|wanted| wanted == standing(transfer.state))
        && filter.from.is_none_or(|from| at >= from)
        && filter.to.is_none_or(|to| at <= to)
}

/// While nobody knows whether money has left, the client asks.
fn single(transfer: &Transfer) -> FrontAnswer {
    match transfer.state {
        OutflowState::Queued | OutflowState::Sending | OutflowState::Unknown => FrontAnswer::InDoubt,
        OutflowState::Pending
        | OutflowState::NeedsAction
        | OutflowState::Succeeded
        | OutflowState::Failed => FrontAnswer::Payouts(vec![payout_of(transfer)]),
    }
}

/// What is in the ledger was taken, wherever it stands: the client asks for each. Of the others it is told; where
/// nobody knows of one whether it was stored, the client sends all of them again, and each moves money once.
fn several(call: &Call<'_>, channel: &ChannelId, outcomes: Vec<Outcome>) -> FrontAnswer {
    let (mut taken, mut not_taken) = (Vec::new(), Vec::new());
    for (no, outcome) in outcomes {
        match outcome {
            Ok(transfer) => taken.push(payout_of(&transfer)),
            // It is being sent.
            Err(PaymentError::InFlight) => {}
            Err(error) => match refused(call, unavailable(call, channel, error)) {
                FrontAnswer::Refused(why) => not_taken.push((no.to_string(), why)),
                doubt => return doubt,
            },
        }
    }
    if not_taken.is_empty() { FrontAnswer::Payouts(taken) } else { FrontAnswer::PartlyPaidOut(not_taken) }
}

/// That the channel of the client's account cannot pay that out is no fault of the client's fields; the log says what
/// it is.
fn unavailable(call: &Call<'_>, channel: &ChannelId, error: PaymentError) -> PaymentError {
    match error {
        PaymentError::Invalid(field)
            if matches!(field.param.as_str(), "channel" | "product" | "currency") =>
        {
            tracing::warn!(
                front = call.acceptor.slug(), app = %call.app, %channel, %field, "the channel cannot pay that out"
            );
            PaymentError::Unsupported { channel: channel.clone(), operation: "transfer" }
        }
        error => error,
    }
}
