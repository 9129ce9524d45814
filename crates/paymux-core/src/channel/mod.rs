//! What a provider plugin implements: one [`Channel`] is one account at one provider.

mod claim;
mod descriptor;
mod error;
mod order;

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

pub use claim::{CallbackError, Claim, ClaimKind, Evidence, Verdict};
pub use descriptor::{
    Can, Descriptor, ExtraField, FinalAfter, MethodSpec, Needs, OrderEnd, PayoutSpec, Privacy,
};
pub use error::{Blame, ChannelError, Effect, Refusal};
pub use order::{
    CancelAnswer, Created, ListedOrder, ListedRefund, ListedTerms, Opened, Order, OrderRef, OutflowAnswer,
    QueryAnswer, Receipt, RefundOrder, TransferOrder, TransferRef,
};

use crate::clock::{Clock, Timestamp};
use crate::ids::{RefundId, TransferId};
use crate::method::Method;
use crate::transport::{Deadline, Destination, Outgoing, Transport, Undelivered};
use crate::wire::{Endpoint, WireRequest, WireResponse};

/// The largest provider answer that is read, in bytes (1 MiB).
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// One account at one provider.
///
/// What a provider cannot do is absent from [`Descriptor::can`]; the core then refuses it and
/// never calls the method. Nothing is faked.
///
/// Each line of a section on behaviour begins with the name of the case that tests it, in the suite
/// `conformance` of paymux-testkit; a test there sees that no line lacks its case and no case its line.
///
/// # Behaviour of every call
/// - `absent`: What needs an ability that [`Descriptor::can`] lacks is [`ChannelError::Unsupported`], and sends
///   nothing.
/// - `not_sent`: It uses the network only through [`Cx::send`], so that the core knows whether a byte left; what that
///   could not send is [`ChannelError::NotSent`].
/// - `once`: It never sends the same money-moving request twice, whatever became of the first.
/// - `cut`: It is [`ChannelError::Unknown`] where no whole answer came back.
/// - `server_error`: So it is where the answer is 5xx, whatever stands in its body.
/// - `unreadable`: So it is where the answer cannot be read.
/// - `deadline`: It ends by [`Deadline::answer_by`], and sends nothing after that.
/// - `silent`: No secret stands in an error, a `Debug`, a log line or an answer to a callback; no query or body in an
///   error.
#[async_trait]
pub trait Channel: Send + Sync + 'static {
    /// What this account is and can do.
    ///
    /// # Behaviour
    /// - `sound`: What it says holds together: each method once, with a range that holds amounts; a close exactly
    ///   where orders end by a call; products exactly where it pays out.
    /// - `constant`: It is the same for the channel's life, and for the same settings.
    /// - `timers`: A life that a timer gives is inside the timer's range, and no order ends before a call may end it.
    fn descriptor(&self) -> &Descriptor;

    /// What the plugin must remember of an order before it goes out, such as the provider's code
    /// for the method. Stored with the attempt and handed back in [`OrderRef::memo`].
    ///
    /// # Behaviour
    /// - `same`: Pure: the same settings make the same memo.
    fn memo(&self, method: Method) -> String {
        let _ = method;
        String::new()
    }

    /// Opens a payment at the provider and returns what the payer must do next.
    ///
    /// # Behaviour
    /// - `number`: `order.number` goes out unchanged, so that a repeat cannot open a second order; and so does the
    ///   amount.
    /// - `opens`: [`Created::Open`] carries what the payer must act on, where the descriptor says that they must;
    ///   [`Created::Paid`] pays the whole order.
    /// - `range`: Both ends of the method's range are taken; one minor unit outside is refused, and nothing is sent.
    /// - `life`: The life that is set at the provider ends with the payment's, or before it.
    /// - `refused`: [`ChannelError::Refused`] promises that no order exists there, and says whose fault it is.
    /// - `unlisted`: A code that the plugin's table does not list is [`ChannelError::Unknown`].
    /// - `signed`: It signs as the recorded messages are signed.
    async fn create(&self, cx: &Cx<'_>, order: &Order) -> Result<Created, ChannelError>;

    /// Asks what became of an order. Needs [`Can::QUERY`].
    ///
    /// # Behaviour
    /// - `reads`: Reads only; any number of calls changes nothing.
    /// - `open`: An order that nobody paid is [`QueryAnswer::Open`].
    /// - `paid`: [`QueryAnswer::Paid`] names the amount that the provider says it received.
    /// - `absent`: An order that the provider does not have is never paid, open or closed; where the descriptor calls
    ///   absence final, it is [`QueryAnswer::NotFound`] then.
    async fn query(&self, cx: &Cx<'_>, order: &OrderRef) -> Result<QueryAnswer, ChannelError> {
        let _ = (cx, order);
        Err(ChannelError::Unsupported)
    }

    /// Until when the close of an order of that method is better kept back at that moment; `None` = it can
    /// go. For providers that take it at some hours of the day only. Pure.
    ///
    /// # Behaviour
    /// - `opens`: The moment is a later one, at most a day away, and then the close can go.
    fn cancel_not_before(&self, method: Method, at: Timestamp) -> Option<Timestamp> {
        let _ = (method, at);
        None
    }

    /// Closes or revokes an unpaid order. Needs [`Can::CANCEL`].
    ///
    /// # Behaviour
    /// - `closed`: [`CancelAnswer::Closed`] promises that the order can take no money any more.
    /// - `paid`: A paid order is never closed.
    /// - `early`: Nor is one that is younger than the descriptor's `not_before`; one that is as old is.
    async fn cancel(&self, cx: &Cx<'_>, order: &OrderRef) -> Result<CancelAnswer, ChannelError> {
        let _ = (cx, order);
        Err(ChannelError::Unsupported)
    }

    /// The number under which a refund will be known at the provider: stored with the refund before
    /// anything is sent, never used twice. By default the 32 digits of its id.
    ///
    /// # Behaviour
    /// - `unique`: Each id has a number of its own, and the same one again: 1 to 64 printable ASCII characters.
    fn refund_number(&self, id: RefundId, at: Timestamp) -> String {
        let _ = at;
        id.digits()
    }

    /// Until when a refund that waits to be sent is better kept back at that moment; `None` = it can go.
    /// For providers whose numbers carry the day: one that is made just before midnight would be of
    /// another day when it arrives. The number is made when the refund is sent, not before. Pure.
    ///
    /// # Behaviour
    /// - `opens`: The moment is a later one, at most a day away, and then the refund can go.
    fn refund_not_before(&self, at: Timestamp) -> Option<Timestamp> {
        let _ = at;
        None
    }

    /// Asks for money to go back. Needs [`Can::REFUND`].
    ///
    /// Moves money: never sent again by itself. [`ChannelError::Refused`] and [`OutflowAnswer::Failed`] promise that
    /// nothing goes back under that number, now or later.
    ///
    /// # Behaviour
    /// - `number`: `refund.number` goes out unchanged, and so does the amount.
    /// - `unpaid`: Of an order without money nothing goes back.
    async fn refund(&self, cx: &Cx<'_>, refund: &RefundOrder) -> Result<OutflowAnswer, ChannelError> {
        let _ = (cx, refund);
        Err(ChannelError::Unsupported)
    }

    /// Asks what became of a refund. Needs [`Can::QUERY_REFUND`].
    ///
    /// # Behaviour
    /// - `known`: Reads only: a refund that was taken in is found, as often as it is asked for.
    /// - `absent`: A refund that the provider does not have is never done, under way or failed.
    async fn query_refund(&self, cx: &Cx<'_>, refund: &RefundOrder) -> Result<OutflowAnswer, ChannelError> {
        let _ = (cx, refund);
        Err(ChannelError::Unsupported)
    }

    /// The number under which a payout will be known at the provider, as [`Channel::refund_number`].
    ///
    /// # Behaviour
    /// - `unique`: Each id has a number of its own, and the same one again: 1 to 64 printable ASCII characters.
    fn transfer_number(&self, id: TransferId, at: Timestamp) -> String {
        let _ = at;
        id.digits()
    }

    /// Pays out. Needs [`Can::TRANSFER`]. Moves money, as [`Channel::refund`].
    ///
    /// # Behaviour
    /// - `number`: The payout's number goes out unchanged.
    /// - `range`: Both ends of each product's range are taken; one minor unit outside is refused.
    async fn transfer(&self, cx: &Cx<'_>, transfer: &TransferOrder) -> Result<OutflowAnswer, ChannelError> {
        let _ = (cx, transfer);
        Err(ChannelError::Unsupported)
    }

    /// Asks what became of a payout. Needs [`Can::QUERY_TRANSFER`]. Reads only.
    ///
    /// # Behaviour
    /// - `known`: A payout that was taken in is found.
    /// - `absent`: A payout that the provider does not have is never done, under way or failed.
    async fn query_transfer(
        &self,
        cx: &Cx<'_>,
        transfer: &TransferRef,
    ) -> Result<OutflowAnswer, ChannelError> {
        let _ = (cx, transfer);
        Err(ChannelError::Unsupported)
    }

    /// The provider's own records of orders created in `from..to`, for reconciliation, all of them.
    /// Needs [`Can::LIST`]. Reads only.
    ///
    /// # Behaviour
    /// - `window`: Each order that was made in that time stands there once, and no other; what came in is said.
    async fn list(
        &self,
        cx: &Cx<'_>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<ListedOrder>, ChannelError> {
        let _ = (cx, from, to);
        Err(ChannelError::Unsupported)
    }

    /// The provider's own record of an order by its number there, whoever made it, with its terms; `None` where it
    /// shows none. Needs [`Can::FIND`]. Reads only.
    async fn find(&self, cx: &Cx<'_>, number: &str) -> Result<Option<ListedOrder>, ChannelError> {
        let _ = (cx, number);
        Err(ChannelError::Unsupported)
    }

    /// The provider's own records of refunds created in `from..to`, for reconciliation, all of them.
    /// Needs [`Can::LIST_REFUNDS`]. Reads only.
    ///
    /// # Behaviour
    /// - `window`: Each refund that was made in that time stands there once, and no other.
    async fn list_refunds(
        &self,
        cx: &Cx<'_>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<ListedRefund>, ChannelError> {
        let _ = (cx, from, to);
        Err(ChannelError::Unsupported)
    }

    /// Verifies a provider's callback and reads what it claims. Pure: works on the raw bytes as
    /// they were received, before anything parses or re-serialises them.
    ///
    /// `Ok` means that the sign is right. It does not mean that the order is ours or the amount is right: the core
    /// compares those.
    ///
    /// # Behaviour
    /// - `good`: A message with a right sign is believed, and its claim says what it says.
    /// - `recorded`: So is each recorded one.
    /// - `forged`: One whose sign, or any part that the sign covers, differs by a byte is not believed.
    /// - `sign_missing`: Nor is one without its sign.
    /// - `sign_case`: Nor is one whose sign is written in the other letter case.
    /// - `other_account`: Nor is another account's.
    /// - `previous`: During a change of secrets both verify; after it the old one does not.
    /// - `repeated`: The same fact has the same `event_key` whenever it is told, and another order another one.
    /// - `wrong_amount`: The claim says what the message says came in, whatever the order costs.
    /// - `unsigned`: What the sign does not cover decides nothing: the claim stays the same, or the provider is asked.
    fn verify_callback(&self, request: &WireRequest) -> Result<Claim, CallbackError>;

    /// Whether a verified callback fits the order that it names, as far as only the plugin can tell: a sign that
    /// puts nothing between its fields leaves open where one ends and the next begins. Pure, as
    /// [`Channel::verify_callback`], and asked only of what that has verified. By default it fits.
    ///
    /// # Behaviour
    /// - `good`: A callback fits the order that it was sent for.
    ///
    /// # Errors
    /// What differs, for a person. Nothing is booked then; the callback is kept and waits for somebody to look.
    fn fits(&self, request: &WireRequest, claim: &Claim, order: &OrderRef) -> Result<(), &'static str> {
        let _ = (request, claim, order);
        Ok(())
    }

    /// The exact answer that this provider expects for that verdict.
    ///
    /// # Behaviour
    /// - `exact`: What was stored is answered byte by byte as the provider wants it, and nothing else is.
    fn acknowledge(&self, verdict: Verdict) -> WireResponse;

    /// The answer to a verified callback that is kept for a person, since it fits nothing that we know: another
    /// number, amount or order. By default as to one that was applied: a repeat would change nothing. One that
    /// fits its order and is only not confirmed by the provider is answered as accepted: it is stored.
    fn acknowledge_misfit(&self) -> WireResponse {
        self.acknowledge(Verdict::Accepted)
    }

    /// Verifies what a payer's browser brings back from the provider's page, where the provider signs that, and
    /// reads our number of the order. Pure. It decides which page is shown, and nothing else. By default nothing
    /// is signed, so nothing is read.
    ///
    /// # Behaviour
    /// - `signed`: Only what the account's own sign covers is read.
    fn verify_return(&self, request: &WireRequest) -> Result<String, CallbackError> {
        let _ = request;
        Err(CallbackError::Unreadable("this provider signs no way back".to_owned()))
    }

    /// An operation that is not routed, by the provider's own name. The body and the answer are
    /// JSON of the provider's own shape.
    ///
    /// # Behaviour
    /// - `unknown`: An operation that the plugin does not have is [`ChannelError::Unsupported`], and sends nothing.
    async fn native(
        &self,
        cx: &Cx<'_>,
        operation: &str,
        body: serde_json::Value,
    ) -> Result<serde_json::Value, ChannelError> {
        let _ = (cx, operation, body);
        Err(ChannelError::Unsupported)
    }
}

/// What one call of a channel may use: the way out, the time, and how long it may take.
pub struct Cx<'a> {
    transport: &'a dyn Transport,
    clock: &'a dyn Clock,
    deadline: Deadline,
    /// Set once a send was started, cleared again only by a sure "not sent".
    exposed: AtomicBool,
}

impl<'a> Cx<'a> {
    /// A context for one call.
    pub fn new(transport: &'a dyn Transport, clock: &'a dyn Clock, deadline: Deadline) -> Self {
        Self { transport, clock, deadline, exposed: AtomicBool::new(false) }
    }

    /// Wall time, for what is signed.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Until when this call must end.
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Sends one request to the provider. At most one request goes out for each `send`.
    pub async fn send(&self, endpoint: &Endpoint, request: WireRequest) -> Result<WireResponse, Undelivered> {
        let was_exposed = self.exposed.swap(true, Ordering::AcqRel);
        let call = Outgoing {
            destination: Destination::Provider,
            endpoint: endpoint.clone(),
            request,
            deadline: self.deadline,
            response_bytes_max: ANSWER_BYTES_MAX,
        };
        let answer = self.transport.send(call).await;
        if matches!(answer, Err(Undelivered::NotSent(_))) {
            self.exposed.store(was_exposed, Ordering::Release);
        }
        answer
    }

    /// Whether a byte may have reached the provider: the core's check on a plugin's word.
    pub fn is_exposed(&self) -> bool {
        self.exposed.load(Ordering::Acquire)
    }
}

impl std::fmt::Debug for Cx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cx")
            .field("deadline", &self.deadline)
            .field("exposed", &self.exposed)
            .finish_non_exhaustive()
    }
}
