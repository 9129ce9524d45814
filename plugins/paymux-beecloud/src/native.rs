//! What BeeCloud does beside payments, for whoever embeds paymux: real-name checks, buyers and their old orders,
//! coupons. Nothing of it is routed; each call names the channel at BeeCloud that makes it.
//!
//! ```no_run
//! # use paymux_core::{Payments, ids::ChannelId, payments::NativeError};
//! use paymux_beecloud::native::{Auth, ask};
//!
//! # async fn check(payments: &Payments, channel: ChannelId) -> Result<(), NativeError> {
//! let checked = ask(payments, channel, &Auth::two_factors("王五", "11010519491231002X")).await?;
//! println!("{}", checked.auth_result);
//! # Ok(())
//! # }
//! ```
//!
//! A real-name check costs money and moves personal data: it is sent once, and nothing of it is logged or stored.

pub(crate) mod table;

use std::collections::BTreeMap;
use std::fmt;

use paymux_core::channel::ChannelError;
use paymux_core::ids::ChannelId;
use paymux_core::payments::NativeError;
use paymux_core::{Payments, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Number, Value};

/// One kind of call.
pub trait Call: Serialize + Sync {
    /// The operation, as [`Payments::native`] has it.
    const OPERATION: &'static str;
    /// What it gives.
    type Answer: DeserializeOwned;
}

/// Makes a call through that channel.
///
/// # Errors
/// [`ChannelError::Refused`] with BeeCloud's own code, [`ChannelError::Unknown`] where nobody knows whether it was done,
/// and what keeps a channel from being asked at all.
pub async fn ask<C: Call>(
    payments: &Payments,
    channel: ChannelId,
    call: &C,
) -> Result<C::Answer, NativeError> {
    let unbuildable = |_| ChannelError::NotSent(paymux_core::transport::NotSent::Unbuildable);
    let body = serde_json::to_value(call).map_err(unbuildable)?;
    let answer = payments.native(channel, C::OPERATION.to_owned(), body).await?;
    let unreadable =
        |_| ChannelError::unknown(format!("the answer to `{}` is of another shape", C::OPERATION));
    Ok(serde_json::from_value(answer).map_err(unreadable)?)
}

/// Does a name belong to an identity number, to a card, to a telephone?
#[derive(Clone, Serialize)]
pub struct Auth {
    name: String,
    id_no: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    card_no: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mobile: Option<String>,
}

impl Auth {
    /// Name and identity number.
    pub fn two_factors(name: impl Into<String>, id_no: impl Into<String>) -> Self {
        Self { name: name.into(), id_no: id_no.into(), card_no: None, mobile: None }
    }

    /// These and the number of a bank card.
    #[must_use]
    pub fn with_card(self, card_no: impl Into<String>) -> Self {
        Self { card_no: Some(card_no.into()), ..self }
    }

    /// All of these, and the telephone that the bank knows.
    #[must_use]
    pub fn with_mobile(self, mobile: impl Into<String>) -> Self {
        Self { mobile: Some(mobile.into()), ..self }
    }
}

impl fmt::Debug for Auth {
    /// How many factors, and none of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let factors = 2 + usize::from(self.card_no.is_some()) + usize::from(self.mobile.is_some());
        f.debug_struct("Auth").field("factors", &factors).finish_non_exhaustive()
    }
}

impl Call for Auth {
    const OPERATION: &'static str = "auth";
    type Answer = Authenticated;
}

/// What a check found. That it was made says nothing of that.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Authenticated {
    /// Whether all of it belongs together.
    pub auth_result: bool,
    /// What to tell the person.
    #[serde(default)]
    pub auth_msg: String,
    /// BeeCloud's id of the card, where one was asked about.
    #[serde(default)]
    pub card_id: Option<String>,
}

/// Registers a buyer.
#[derive(Debug, Clone, Serialize)]
pub struct AddUser {
    /// At most 32 characters.
    pub buyer_id: String,
}

impl Call for AddUser {
    const OPERATION: &'static str = "add_user";
    type Answer = Done;
}

/// Registers buyers.
#[derive(Debug, Clone, Serialize)]
pub struct AddUsers {
    /// The merchant's account at BeeCloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// At most 32 characters each.
    pub buyer_ids: Vec<String>,
}

impl Call for AddUsers {
    const OPERATION: &'static str = "add_users";
    type Answer = Done;
}

/// It is done, and there is no more to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Done {}

/// Which buyers are registered?
#[derive(Debug, Clone, Default, Serialize)]
pub struct Users {
    /// The merchant's account; without it those of the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Registered from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<i64>,
    /// Registered until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<i64>,
}

impl Call for Users {
    const OPERATION: &'static str = "users";
    type Answer = UserList;
}

/// Registered buyers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct UserList {
    /// One each.
    #[serde(default)]
    pub users: Vec<User>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct User {
    /// The merchant's own id.
    pub buyer_id: String,
}

/// Assigns old orders to buyers.
#[derive(Debug, Clone, Serialize)]
pub struct HistoryBills {
    /// Numbers of orders by buyer.
    pub bill_info: BTreeMap<String, Vec<String>>,
}

impl Call for HistoryBills {
    const OPERATION: &'static str = "history_bills";
    type Answer = Assigned;
}

/// What could not be assigned: only that is to be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Assigned {
    /// Numbers of orders by buyer; empty when all is well.
    #[serde(default)]
    pub failed_bills: BTreeMap<String, Vec<String>>,
}

/// Gives a coupon to a buyer.
#[derive(Debug, Clone, Serialize)]
pub struct IssueCoupon {
    /// What kind of coupon.
    pub template_id: String,
    /// The buyer.
    pub user_id: String,
}

impl Call for IssueCoupon {
    const OPERATION: &'static str = "issue_coupon";
    type Answer = OneCoupon;
}

/// Which coupon has that id?
#[derive(Debug, Clone, Serialize)]
pub struct CouponById {
    /// BeeCloud's id.
    pub id: String,
}

impl Call for CouponById {
    const OPERATION: &'static str = "coupon";
    type Answer = OneCoupon;
}

/// A coupon.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OneCoupon {
    /// It.
    pub coupon: Coupon,
}

/// Which coupons are there?
#[derive(Debug, Clone, Default, Serialize)]
pub struct Coupons {
    /// Of that buyer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Of that kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_id: Option<String>,
    /// 0 unused, 1 used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<i64>,
    /// Those for which an order of so many fen qualifies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_fee: Option<i64>,
    /// How many to pass over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip: Option<i64>,
    /// How many at most; 10 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

impl Call for Coupons {
    const OPERATION: &'static str = "coupons";
    type Answer = CouponList;
}

/// Coupons.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CouponList {
    /// One each.
    #[serde(default)]
    pub coupons: Vec<Coupon>,
}

/// A coupon of a buyer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Coupon {
    /// BeeCloud's id.
    pub id: String,
    /// The buyer; an order that uses it must be the same buyer's.
    pub user_id: String,
    /// 0 unused, 1 used.
    pub status: i64,
    /// What kind of coupon; `None` where the answer has text that is no template.
    #[serde(default, deserialize_with = "template")]
    pub template: Option<Template>,
    /// From when on it can be used.
    #[serde(default, deserialize_with = "moment")]
    pub start_time: Option<Timestamp>,
    /// Until when.
    #[serde(default, deserialize_with = "moment")]
    pub end_time: Option<Timestamp>,
    /// When it was used.
    #[serde(default, deserialize_with = "moment")]
    pub use_time: Option<Timestamp>,
}

/// Which kind of coupon has that id?
#[derive(Debug, Clone, Serialize)]
pub struct TemplateById {
    /// BeeCloud's id.
    pub id: String,
}

impl Call for TemplateById {
    const OPERATION: &'static str = "coupon_template";
    type Answer = OneTemplate;
}

/// A kind of coupon.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OneTemplate {
    /// It.
    pub coupon_template: Template,
}

/// Which kinds of coupons are there?
#[derive(Debug, Clone, Default, Serialize)]
pub struct Templates {
    /// Of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many to pass over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip: Option<i64>,
    /// How many at most; 10 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

impl Call for Templates {
    const OPERATION: &'static str = "coupon_templates";
    type Answer = TemplateList;
}

/// Kinds of coupons.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TemplateList {
    /// One each.
    #[serde(default)]
    pub coupon_templates: Vec<Template>,
}

/// A kind of coupon.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Template {
    /// BeeCloud's id.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// 0 takes an amount off, 1 a part.
    pub r#type: i64,
    /// What an order must come to, in fen; 0 = any.
    #[serde(default)]
    pub limit_fee: i64,
    /// Yuan for type 0, a factor such as 0.9 for type 1: as digits, which are for showing. How it is rounded is not
    /// said, so only what was charged counts.
    pub discount: Number,
    /// 0 off, 1 on, -1 stopped.
    #[serde(default)]
    pub status: i64,
}

fn template<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Template>, D::Error> {
    let value = Value::deserialize(from)?;
    if value.is_object() {
        serde_json::from_value(value).map(Some).map_err(serde::de::Error::custom)
    } else {
        Ok(None)
    }
}

fn moment<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(Option::<i64>::deserialize(from)?.map(Timestamp::from_ms))
}
