//! What an account is and can do, as data.

use std::num::NonZeroU32;
use std::ops::{BitOr, RangeInclusive};
use std::time::Duration;

use super::error::{Blame, ChannelError, Refusal};
use super::order::Order;
use crate::method::Method;
use crate::money::{Currency, Money};

/// What an account can do. A set; join with `|`.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Can(u16);

impl Can {
    /// Orders can be asked about.
    pub const QUERY: Self = Self(1);
    /// Unpaid orders can be closed or revoked.
    pub const CANCEL: Self = Self(1 << 1);
    /// Money can go back.
    pub const REFUND: Self = Self(1 << 2);
    /// Refunds can be asked about.
    pub const QUERY_REFUND: Self = Self(1 << 3);
    /// Money can be paid out.
    pub const TRANSFER: Self = Self(1 << 4);
    /// Payouts can be asked about.
    pub const QUERY_TRANSFER: Self = Self(1 << 5);
    /// The provider's records of orders can be listed.
    pub const LIST: Self = Self(1 << 6);
    /// The provider's records of refunds can be listed.
    pub const LIST_REFUNDS: Self = Self(1 << 7);

    /// Records of orders that others made can be looked up by their numbers.
    pub const FIND: Self = Self(1 << 8);

    const NAMES: [(Self, &'static str); 9] = [
        (Self::QUERY, "query"),
        (Self::CANCEL, "cancel"),
        (Self::REFUND, "refund"),
        (Self::QUERY_REFUND, "query_refund"),
        (Self::TRANSFER, "transfer"),
        (Self::QUERY_TRANSFER, "query_transfer"),
        (Self::LIST, "list"),
        (Self::LIST_REFUNDS, "list_refunds"),
        (Self::FIND, "find"),
    ];

    /// Nothing but creating payments and reading callbacks.
    pub const fn nothing_more() -> Self {
        Self(0)
    }

    /// Whether all of `other` is in this.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of all that is in this.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(can, _)| self.has(*can)).map(|(_, name)| *name)
    }
}

impl BitOr for Can {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl std::fmt::Debug for Can {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// What an account is.
#[derive(Debug, Clone)]
pub struct Descriptor {
    /// The provider's one slug: crate suffix, configuration, metric label, database value.
    pub provider: &'static str,
    /// Which account it is there. A channel id is bound to it for ever, and no two channels share one.
    pub account_key: String,
    /// Whether real money moves.
    pub livemode: bool,
    /// What it can do beyond creating payments.
    pub can: Can,
    /// How many refunds of one order may succeed there; `None` where only its money bounds them. One more is
    /// refused before anything is sent.
    pub refunds_per_order: Option<NonZeroU32>,
    /// What it takes money in.
    pub currencies: Vec<Currency>,
    /// The methods it offers; one entry each.
    pub methods: Vec<MethodSpec>,
    /// The products that it pays out by; empty without [`Can::TRANSFER`].
    pub payouts: &'static [PayoutSpec],
    /// How long after one look at an order, a refund or a payout the next one comes, by how many
    /// there were; the last one repeats. Empty = the core's own schedule.
    pub looks: &'static [Duration],
    /// Provider fields that a merchant may pass in `extra`.
    pub extra: &'static [ExtraField],
}

/// One product of paying out.
#[derive(Debug, Clone, Copy)]
pub struct PayoutSpec {
    /// Its name, such as `bank_card`.
    pub product: &'static str,
    /// The fields of `payee` that it needs, by the provider's own names.
    pub payee: &'static [&'static str],
    /// The least amount, in minor units.
    pub amount_min: i64,
    /// The largest amount, in minor units.
    pub amount_max: i64,
}

impl Descriptor {
    /// The entry of that method, if it is offered.
    pub fn method(&self, method: Method) -> Option<&MethodSpec> {
        self.methods.iter().find(|spec| spec.method == method)
    }

    /// The entry of the order's method, where that takes the order's amount: a plugin's own look before it sends
    /// anything, after the core's.
    ///
    /// # Errors
    /// [`ChannelError::Unsupported`] for a method that is not offered; a refusal for an amount outside of its range.
    pub fn taking(&self, order: &Order) -> Result<&MethodSpec, ChannelError> {
        let spec = self.method(order.method).ok_or(ChannelError::Unsupported)?;
        if spec.takes_amount(order.amount) {
            return Ok(spec);
        }
        let (method, min, max) = (order.method, spec.amounts.start(), spec.amounts.end());
        Err(ChannelError::Refused(Refusal {
            code: "invalid_request".to_owned(),
            message: format!("not sent, the amount: {method} takes {min} to {max} minor units"),
            blame: Blame::Request,
        }))
    }

    /// Whether the value of `name` in `extra` must leave no trace.
    pub fn is_secret_extra(&self, name: &str) -> bool {
        self.extra.iter().any(|field| field.name == name && field.privacy == Privacy::Secret)
    }

    /// Whether `name` may stand in `extra`.
    pub fn takes_extra(&self, name: &str) -> bool {
        self.extra.iter().any(|field| field.name == name)
    }
}

/// One provider field that a merchant may pass through.
#[derive(Debug, Clone, Copy)]
pub struct ExtraField {
    /// The provider's own name.
    pub name: &'static str,
    /// What it is for, and its form.
    pub about: &'static str,
    /// Whether its value may leave a trace.
    pub privacy: Privacy,
}

/// Whether a value may leave a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    /// It may be compared by digest.
    Plain,
    /// Passed on in memory, and nothing of it stored but, of a transfer's, a keyed digest: card numbers and
    /// the like.
    Secret,
}

/// How one method works at one account.
#[derive(Debug, Clone)]
pub struct MethodSpec {
    /// The method.
    pub method: Method,
    /// The provider's code for it.
    pub code: &'static str,
    /// The amounts it takes, in minor units.
    pub amounts: RangeInclusive<i64>,
    /// Whether money can move only after the payer acted on something in the create answer.
    /// False where the create names the payer, moves money or books it.
    pub payer_must_act: bool,
    /// What a payment must carry.
    pub needs: Needs,
    /// How an unpaid order ends.
    pub end: OrderEnd,
    /// The least time that a create call must be given, where the protocol needs one.
    pub request_min: Option<Duration>,
    /// From when on "not found" proves that an order does not exist; `None` = never.
    pub not_found_final_after: Option<FinalAfter>,
    /// How long after its end an order can still surprise us with money.
    pub watch: Duration,
}

impl MethodSpec {
    /// Whether this amount is inside the range; the currency is checked apart.
    pub fn takes_amount(&self, amount: Money) -> bool {
        self.amounts.contains(&amount.minor())
    }
}

/// What a payment must carry for a method. A set; join with `|`. The numbers stand in records of decisions: none ever
/// gets another meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs(u8);

impl Needs {
    /// `payer.auth_code`, the digits of the payer's barcode.
    pub const AUTH_CODE: Self = Self(1);
    /// `payer.openid`, the payer's id inside the wallet.
    pub const OPENID: Self = Self(1 << 1);
    /// `payer.ip`, the payer's address.
    pub const IP: Self = Self(1 << 2);
    /// `payer.id`, the merchant's own stable id of the payer.
    pub const PAYER_ID: Self = Self(1 << 3);

    /// The name of each need's field.
    pub const FIELDS: [(Self, &'static str); 4] = [
        (Self::AUTH_CODE, "payer.auth_code"),
        (Self::OPENID, "payer.openid"),
        (Self::IP, "payer.ip"),
        (Self::PAYER_ID, "payer.id"),
    ];

    /// Nothing.
    pub const fn nothing() -> Self {
        Self(0)
    }

    /// Whether all of `other` is in this.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The set as a number below `1 << FIELDS.len()`.
    pub(crate) const fn to_bits(self) -> usize {
        self.0 as usize
    }

    /// The set of that number.
    pub(crate) const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }
}

impl BitOr for Needs {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// How long after which moment of an order its absence is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinalAfter {
    /// So long after it was made: where all orders live equally long.
    Creation(Duration),
    /// So long after its end: where the life is its own.
    End(Duration),
}

/// How an unpaid order ends at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderEnd {
    /// By a call: close, then query.
    Call {
        /// How long after creation the provider takes the call.
        not_before: Duration,
        /// How long an order lives there at the most, whatever its payment has left; `None` = as long as that.
        lives: Option<Duration>,
    },
    /// By the provider's own timer, set when the order is created.
    ProviderTimer {
        /// The shortest life it can be given.
        min: Duration,
        /// The longest.
        max: Duration,
        /// Lives are whole multiples of this.
        step: Duration,
        /// How long after the timer an unpaid query is final.
        margin: Duration,
    },
    /// Not at all: expiry is ours alone, and late money is still booked.
    None,
}

impl OrderEnd {
    /// The life to set at the provider for a payment with `left` to live, rounded down so that it
    /// never outlives the payment. `None` when this kind of end cannot keep to it.
    pub fn life(self, left: Duration) -> Option<Duration> {
        match self {
            Self::Call { lives: Some(lives), .. } => Some(left.min(lives)),
            Self::Call { lives: None, .. } | Self::None => Some(left),
            Self::ProviderTimer { min, max, step, .. } => {
                let step_ms = step.as_millis().max(1);
                let whole = left.as_millis() / step_ms * step_ms;
                let life = Duration::from_millis(u64::try_from(whole).unwrap_or(u64::MAX)).min(max);
                (life >= min).then_some(life)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_join_and_name_themselves() {
        let can = Can::QUERY | Can::LIST;
        assert!(can.has(Can::QUERY) && !can.has(Can::CANCEL) && !can.has(Can::QUERY | Can::CANCEL));
        assert_eq!(can.names().collect::<Vec<_>>(), ["query", "list"]);
        assert_eq!(Can::nothing_more().names().count(), 0);
    }

    #[test]
    fn a_provider_timer_is_rounded_down_and_never_too_short() {
        let seconds = Duration::from_secs;
        let end = OrderEnd::ProviderTimer {
            min: seconds(361),
            max: seconds(7200),
            step: seconds(60),
            margin: seconds(600),
        };
        assert_eq!(end.life(seconds(1800)), Some(seconds(1800)));
        assert_eq!(end.life(seconds(1799)), Some(seconds(1740)));
        assert_eq!(end.life(seconds(99_999)), Some(seconds(7200)));
        assert_eq!(end.life(seconds(360)), None);
        assert_eq!(OrderEnd::None.life(seconds(1)), Some(seconds(1)));
    }

    #[test]
    fn an_order_that_is_closed_by_a_call_may_have_a_life_of_its_own() {
        let seconds = Duration::from_secs;
        let end = |lives| OrderEnd::Call { not_before: seconds(15), lives };
        assert_eq!(end(None).life(seconds(99_999)), Some(seconds(99_999)));
        assert_eq!(end(Some(seconds(90))).life(seconds(99_999)), Some(seconds(90)));
        assert_eq!(end(Some(seconds(90))).life(seconds(60)), Some(seconds(60)));
    }
}
