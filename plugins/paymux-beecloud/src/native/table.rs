//! The operations that are not routed: one entry each, with its path and its fields.
//!
//! Source: BeeCloud API pages of 2018 (buyers, coupons) and SDKs (`auth`).

use paymux_core::Verb;
use serde_json::Value;

/// One operation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// Its name here; BeeCloud has none.
    pub name: &'static str,
    pub verb: Verb,
    /// `{id}` stands for the field `id`.
    pub path: &'static str,
    pub fields: &'static [Field],
}

/// One field of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub name: &'static str,
    pub form: Form,
    pub required: bool,
}

/// What is allowed in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Text of 1 to so many characters, none of them a control character.
    Text(usize),
    /// A number from 0 on.
    Number,
    /// A list of so many buyers at most.
    Buyers(usize),
    /// Orders by buyer.
    Bills,
}

/// The longest name of a buyer where one is made, and where orders are assigned.
const BUYER_CHARS_MAX: usize = 32;
const BILL_BUYER_CHARS_MAX: usize = 64;

impl Form {
    /// Whether the value is allowed; the rule if not.
    pub(crate) fn check(self, value: &Value) -> Result<(), &'static str> {
        match self {
            Self::Text(max) if is_text(value, max) => Ok(()),
            Self::Text(_) => Err("must be a short String without control characters"),
            Self::Number if value.as_i64().is_some_and(|number| number >= 0) => Ok(()),
            Self::Number => Err("must be an Integer of at least 0"),
            Self::Buyers(max) => {
                let good = |list: &Vec<Value>| {
                    (1..=max).contains(&list.len()) && list.iter().all(|id| is_text(id, BUYER_CHARS_MAX))
                };
                value.as_array().is_some_and(good).then_some(()).ok_or("must be a list of short Strings")
            }
            Self::Bills => {
                let good = |(buyer, bills): (&String, &Value)| {
                    let all_texts = |bills: &Vec<Value>| bills.iter().all(|bill| is_text(bill, 64));
                    (1..=BILL_BUYER_CHARS_MAX).contains(&buyer.chars().count())
                        && bills.as_array().is_some_and(all_texts)
                };
                let all = value.as_object().is_some_and(|map| !map.is_empty() && map.iter().all(good));
                all.then_some(()).ok_or("must be a Map of lists of Strings")
            }
        }
    }
}

fn is_text(value: &Value, max: usize) -> bool {
    let good = |text: &str| (1..=max).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    value.as_str().is_some_and(good)
}

const fn required(name: &'static str, form: Form) -> Field {
    Field { name, form, required: true }
}

const fn optional(name: &'static str, form: Form) -> Field {
    Field { name, form, required: false }
}

const ID: Form = Form::Text(64);
const TEXT: Form = Form::Text(128);

/// Whether a name belongs to an identity number, a card, a telephone.
pub(crate) static AUTH: Operation = Operation {
    name: "auth",
    verb: Verb::Post,
    path: "/2/auth",
    fields: &[required("name", TEXT), required("id_no", ID), optional("card_no", ID), optional("mobile", ID)],
};

/// Registers a buyer.
pub(crate) static ADD_USER: Operation = Operation {
    name: "add_user",
    verb: Verb::Post,
    path: "/2/rest/user",
    fields: &[required("buyer_id", Form::Text(BUYER_CHARS_MAX))],
};

/// Registers buyers.
pub(crate) static ADD_USERS: Operation = Operation {
    name: "add_users",
    verb: Verb::Post,
    path: "/2/rest/users",
    fields: &[optional("email", TEXT), required("buyer_ids", Form::Buyers(1000))],
};

/// Registered buyers.
pub(crate) static USERS: Operation = Operation {
    name: "users",
    verb: Verb::Get,
    path: "/2/rest/users",
    fields: &[
        optional("email", TEXT),
        optional("start_time", Form::Number),
        optional("end_time", Form::Number),
    ],
};

/// Assigns old orders to buyers.
pub(crate) static HISTORY_BILLS: Operation = Operation {
    name: "history_bills",
    verb: Verb::Put,
    path: "/2/rest/history_bills",
    fields: &[required("bill_info", Form::Bills)],
};

/// Gives a coupon to a buyer.
pub(crate) static ISSUE_COUPON: Operation = Operation {
    name: "issue_coupon",
    verb: Verb::Post,
    path: "/2/rest/coupon",
    fields: &[required("template_id", ID), required("user_id", ID)],
};

/// Coupons by filter.
pub(crate) static COUPONS: Operation = Operation {
    name: "coupons",
    verb: Verb::Get,
    path: "/2/rest/coupon",
    fields: &[
        optional("user_id", ID),
        optional("template_id", ID),
        optional("status", Form::Number),
        optional("limit_fee", Form::Number),
        optional("created_before", Form::Number),
        optional("created_after", Form::Number),
        optional("skip", Form::Number),
        optional("limit", Form::Number),
    ],
};

/// One coupon.
pub(crate) static COUPON: Operation =
    Operation { name: "coupon", verb: Verb::Get, path: "/2/rest/coupon/{id}", fields: &[required("id", ID)] };

/// Templates of coupons by filter.
pub(crate) static COUPON_TEMPLATES: Operation = Operation {
    name: "coupon_templates",
    verb: Verb::Get,
    path: "/2/rest/coupon/template",
    fields: &[
        optional("name", TEXT),
        optional("created_before", Form::Number),
        optional("created_after", Form::Number),
        optional("skip", Form::Number),
        optional("limit", Form::Number),
    ],
};

/// One template.
pub(crate) static COUPON_TEMPLATE: Operation = Operation {
    name: "coupon_template",
    verb: Verb::Get,
    path: "/2/rest/coupon/template/{id}",
    fields: &[required("id", ID)],
};

/// All of them.
pub(crate) static OPERATIONS: [&Operation; 10] = [
    &AUTH,
    &ADD_USER,
    &ADD_USERS,
    &USERS,
    &HISTORY_BILLS,
    &ISSUE_COUPON,
    &COUPONS,
    &COUPON,
    &COUPON_TEMPLATES,
    &COUPON_TEMPLATE,
];

impl Operation {
    /// The one of that name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        OPERATIONS.into_iter().find(|operation| operation.name == name)
    }
}
