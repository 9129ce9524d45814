//! The one door for every front: create, look up, explain, cancel and sync payments, take callbacks in.
//!
//! Each use case runs in a task of its own, so that a client that hangs up cuts nothing in half.
//! What changes a payment goes through `draft`, and there through the state table.

mod adopt;
mod call;
mod cancel;
mod create;
mod crossing;
mod decisions;
pub mod desk;
mod draft;
mod events;
pub mod explain;
mod figures;
mod front;
pub mod keys;
pub mod lifecycle;
mod native;
mod outflows;
mod place;
mod probe;
mod refund;
mod reload;
mod schedule;
mod transfer;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures_util::future::{Either, select};
use paymux_sign::DigestKey;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::catalog::{Catalog, CatalogHandle, ChannelEntry};
use crate::channel::MethodSpec;
use crate::clock::{Clock, Timestamp};
use crate::error::PaymentError;
use crate::flight::Flight;
use crate::ids::{AppId, ChannelId, OrderNo, PaymentId, RequestId};
use crate::payment::{Attempt, Payment};
use crate::random::Rng;
use crate::store::{Applied, Change, PaymentFilter, Store, StoreError};
use crate::transport::Transport;

pub use adopt::{Adoption, Left, Wanted};
pub(crate) use cancel::{CloseEnd, can_close, closable_from};
pub(crate) use create::may_be_given_up;
pub(crate) use draft::{Draft, Facts, Queued, TradeNo, storable};
pub use explain::{Explained, Question, Times};
pub use figures::read_figures;
pub(crate) use front::{front_of, order_of, payout_of, refund_of};
pub use keys::{IdempotencyKey, RequestDigest};
pub use lifecycle::read_channels;
pub use native::NativeError;
pub(crate) use probe::{can_ask, order_ref};
pub use refund::{Approval, RefundAnswer};
pub use reload::Obstacle;
pub use transfer::TransferAnswer;

/// What payments need from outside.
#[derive(Clone)]
pub struct Ports {
    /// The ledger.
    pub store: Arc<dyn Store>,
    /// The way out.
    pub transport: Arc<dyn Transport>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
}

/// Payments: every use case of every front. Cheap to clone.
#[derive(Clone)]
pub struct Payments(Arc<Inner>);

struct Inner {
    ports: Ports,
    catalog: CatalogHandle,
    tasks: TaskTracker,
    halted: CancellationToken,
    /// Payments whose cancel is running in this process.
    canceling: Mutex<BTreeSet<PaymentId>>,
    running_keys: Mutex<RunningKeys>,
    /// The ledger's own, once it was asked for.
    digest_key: OnceLock<DigestKey>,
    /// Notices under way in this process.
    notices: Arc<Flight<AppId>>,
    /// Looks at attempts under way in this process.
    looks: Arc<Flight<ChannelId>>,
}

/// The `Idempotency-Key`s whose requests are running in this process.
type RunningKeys = BTreeSet<(AppId, IdempotencyKey)>;

/// The answer to a create.
#[derive(Debug, Clone)]
pub struct CreateAnswer {
    /// The payment as it is stored.
    pub payment: Payment,
    /// Whether this request made it; otherwise it stood there before.
    pub is_new: bool,
}

impl std::fmt::Debug for Payments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Payments(..)")
    }
}

impl Payments {
    /// Payments by that catalog, over those ports.
    pub fn new(ports: Ports, catalog: CatalogHandle) -> Self {
        Self(Arc::new(Inner {
            ports,
            catalog,
            tasks: TaskTracker::new(),
            halted: CancellationToken::new(),
            canceling: Mutex::default(),
            running_keys: Mutex::default(),
            digest_key: OnceLock::new(),
            notices: Arc::default(),
            looks: Arc::default(),
        }))
    }

    /// What is configured at this moment.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.0.catalog.load()
    }

    /// The payment of that id, if it is this app's.
    pub async fn find(&self, app: &AppId, id: PaymentId) -> Result<Payment, PaymentError> {
        let payment = self.store().payment(id).await?;
        payment.filter(|payment| payment.app == *app).ok_or(PaymentError::NotFound("payment"))
    }

    /// The payment of that id, whosever it is: for its payer's page. Whoever knows the id may see the page; nobody can
    /// guess it.
    pub async fn find_for_payer(&self, id: PaymentId) -> Result<Payment, PaymentError> {
        self.store().payment(id).await?.ok_or(PaymentError::NotFound("payment"))
    }

    /// The payment of that order number in this app.
    pub async fn find_by_order(&self, app: &AppId, order_no: &OrderNo) -> Result<Payment, PaymentError> {
        self.store().payment_by_order(app, order_no).await?.ok_or(PaymentError::NotFound("payment"))
    }

    /// The payment behind a number that a provider's page came back with.
    pub async fn find_by_number(&self, channel: &ChannelId, number: &str) -> Result<Payment, PaymentError> {
        self.store().payment_by_number(channel, number).await?.ok_or(PaymentError::NotFound("payment"))
    }

    /// Payments of one app, newest first.
    pub async fn list(&self, filter: &PaymentFilter) -> Result<Vec<Payment>, PaymentError> {
        Ok(self.store().payments(filter).await?)
    }

    /// Waits until everything under way has ended; nothing new is refused meanwhile.
    pub async fn drain(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.tasks.reopen();
    }

    /// Drops everything under way wherever it stands, and whatever is begun later, as the death of the
    /// process would. For tests of crashes: a node that stops in earnest drains.
    pub fn halt(&self) {
        self.0.halted.cancel();
    }

    /// The ledger.
    pub(crate) fn store(&self) -> &dyn Store {
        self.0.ports.store.as_ref()
    }

    pub(crate) fn ports(&self) -> &Ports {
        &self.0.ports
    }

    pub(crate) fn notices_under_way(&self) -> &Arc<Flight<AppId>> {
        &self.0.notices
    }

    pub(crate) fn looks_under_way(&self) -> &Arc<Flight<ChannelId>> {
        &self.0.looks
    }

    /// Time, for what a front waits and measures.
    pub fn clock(&self) -> &dyn Clock {
        self.0.ports.clock.as_ref()
    }

    /// A name for a request that came without one.
    pub fn request_id(&self) -> RequestId {
        RequestId::make(self.now(), self.0.ports.rng.as_ref())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock().now()
    }

    /// The key under which digests of requests are made.
    pub(crate) async fn digest_key(&self) -> Result<&DigestKey, StoreError> {
        if let Some(key) = self.0.digest_key.get() {
            return Ok(key);
        }
        let text = self.store().digest_key().await?;
        let key = DigestKey::new(text.expose().as_bytes());
        let key = key.ok_or_else(|| StoreError::Corrupt("a key of digests of another length".to_owned()))?;
        Ok(self.0.digest_key.get_or_init(|| key))
    }

    /// Runs a piece of work to its end even if nobody waits for it any more.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, PaymentError>> + Send + 'static,
    ) -> Result<T, PaymentError> {
        self.spawn(work).await.unwrap_or_else(|| Err(PaymentError::Internal("a use case died".to_owned())))
    }

    /// Starts a piece of work that ends even if nobody waits for it; `None` when it died or was halted.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = Option<T>> + Send + 'static {
        let halted = self.0.halted.clone();
        let work = async move {
            let (halted, work) = (std::pin::pin!(halted.cancelled()), std::pin::pin!(work));
            // The token is looked at first: nothing takes another step after a halt.
            match select(halted, work).await {
                Either::Left(_) => None,
                Either::Right((done, _)) => Some(done),
            }
        };
        let handle = self.0.tasks.spawn(work.in_current_span());
        async move {
            handle.await.unwrap_or_else(|error| {
                tracing::error!(%error, "a piece of work died");
                None
            })
        }
    }

    /// Starts a draft of a change to that payment.
    pub(crate) fn draft<'a>(&'a self, catalog: &'a Catalog, payment: &'a Payment) -> Draft<'a> {
        Draft::new(catalog, payment, self.now(), self.0.ports.rng.as_ref())
    }

    /// Stores what a draft changed. `None` when somebody was faster, or the callback was known;
    /// the payment as it is now otherwise. A draft that changed nothing is not stored.
    pub(crate) async fn commit(&self, draft: Draft<'_>) -> Result<Option<Payment>, StoreError> {
        // Boxed, since a draft holds a payment twice, and its callers hold one too.
        Ok(match Box::pin(self.try_commit(draft)).await? {
            Committed::Done(payment) => Some(*payment),
            Committed::Stale | Committed::Full => None,
        })
    }

    /// As [`Self::commit`], of a draft that may begin an attempt.
    async fn try_commit(&self, draft: Draft<'_>) -> Result<Committed, StoreError> {
        let Some(change) = draft.into_change() else { return Ok(Committed::Stale) };
        let payment = Box::new(change.payment.clone());
        Ok(match self.apply(change).await? {
            Applied::Done => Committed::Done(payment),
            Applied::Stale | Applied::CallbackKnown => Committed::Stale,
            Applied::Full => Committed::Full,
        })
    }

    /// Stores a change; what it brings in, and takes of limits, counts here at once.
    pub(crate) async fn apply(&self, change: Change) -> Result<Applied, StoreError> {
        let (incomes, capacity) = (change.incomes.clone(), change.capacity.clone());
        let applied = self.store().apply(change).await?;
        if applied == Applied::Done {
            let catalog = self.catalog();
            catalog.live().book(&incomes);
            catalog.live().take(&capacity);
        }
        Ok(applied)
    }

    /// Takes the right to cancel that payment in this process; `None` when somebody has it.
    fn begin_cancel(&self, id: PaymentId) -> Option<CancelGuard> {
        let mut canceling = self.0.canceling.lock().unwrap_or_else(PoisonError::into_inner);
        canceling.insert(id).then(|| CancelGuard { payments: self.clone(), id })
    }
}

/// What became of a draft.
enum Committed {
    /// It is stored: the payment as it is now.
    Done(Box<Payment>),
    /// Somebody was faster, or it changed nothing.
    Stale,
    /// The channel of the attempt that it begins has no room for it.
    Full,
}

/// Gives the right to cancel back when dropped.
struct CancelGuard {
    payments: Payments,
    id: PaymentId,
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        let mut canceling = self.payments.0.canceling.lock().unwrap_or_else(PoisonError::into_inner);
        canceling.remove(&self.id);
    }
}

/// The channel of an attempt and how its method works there; `None` when the configuration has
/// lost either.
pub(crate) fn site<'a>(
    catalog: &'a Catalog,
    payment: &Payment,
    attempt: &Attempt,
) -> Option<(&'a ChannelEntry, &'a MethodSpec)> {
    let entry = catalog.channel(&attempt.channel)?;
    Some((entry, entry.channel.descriptor().method(payment.method)?))
}
