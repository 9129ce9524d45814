//! Provider fields that a merchant may pass in `extra`: one row each with its form.
//!
//! An allow-list. Account, sign, amount, number, URLs and whatever names the payer are not on it,
//! so nothing here can replace what the router decided. Which code takes which field stands in
//! `codes`.

use paymux_core::channel::{ExtraField, Privacy};
use serde_json::Value;

/// One field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    /// Its name and what it is for.
    pub extra: ExtraField,
    /// What is allowed in it.
    pub form: Form,
    /// Where it goes in the call.
    pub place: Place,
}

/// Where a field stands in a create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Beside the others.
    Top,
    /// Inside `optional`.
    Optional,
}

/// What is allowed in a field.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    /// true or false.
    Flag,
    /// Text of 1 to so many characters, none of them a control character.
    Text(usize),
    /// So many digits at most, as text.
    Digits(usize),
    /// An http or https address.
    Url,
    /// One of these texts.
    One(&'static [&'static str]),
    /// A comma list of these words.
    List(&'static [&'static str]),
    /// One of these numbers.
    Number(&'static [i64]),
}

impl Form {
    /// Whether the value is allowed; the rule if not.
    pub(crate) fn check(self, value: &Value) -> Result<(), String> {
        let text = value.as_str().unwrap_or_default();
        let good = match self {
            Self::Flag => value.is_boolean(),
            Self::Text(max) => {
                (1..=max).contains(&text.chars().count()) && !text.chars().any(char::is_control)
            }
            Self::Digits(max) => (1..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()),
            Self::Url => is_web_address(text) && text.len() <= 512,
            Self::One(words) => words.contains(&text),
            Self::List(words) => text.split(',').all(|word| words.contains(&word)),
            Self::Number(numbers) => value.as_i64().is_some_and(|number| numbers.contains(&number)),
        };
        if good { Ok(()) } else { Err(self.rule()) }
    }

    fn rule(self) -> String {
        match self {
            Self::Flag => "write true or false".to_owned(),
            Self::Text(max) => format!("write text of 1 to {max} characters"),
            Self::Digits(max) => format!("write 1 to {max} digits as text"),
            Self::Url => "write an address that begins with http:// or https://".to_owned(),
            Self::One(words) => format!("write one of {}", words.join(", ")),
            Self::List(words) => format!("write a comma list of {}", words.join(", ")),
            Self::Number(numbers) => {
                let known: Vec<_> = numbers.iter().map(ToString::to_string).collect();
                format!("write one of the numbers {}", known.join(", "))
            }
        }
    }
}

/// Whether a text begins as an address of the web does.
pub(crate) fn is_web_address(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// Fields that every code takes.
pub(crate) const EVERYWHERE: &[&str] = &["store_id", "seller_id"];

/// The field of that name.
pub(crate) fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.extra.name == name)
}

/// The list for the descriptor.
pub(crate) static EXTRA: [ExtraField; FIELDS.len()] = {
    let mut list = [FIELDS[0].extra; FIELDS.len()];
    let mut i = 0;
    while i < FIELDS.len() {
        list[i] = FIELDS[i].extra;
        i += 1;
    }
    list
};

const fn top(name: &'static str, form: Form, about: &'static str) -> Field {
    Field { extra: ExtraField { name, about, privacy: Privacy::Plain }, form, place: Place::Top }
}

const fn optional(name: &'static str, form: Form, about: &'static str) -> Field {
    Field { extra: ExtraField { name, about, privacy: Privacy::Plain }, form, place: Place::Optional }
}

const fn card(name: &'static str, form: Form, about: &'static str) -> Field {
    Field { extra: ExtraField { name, about, privacy: Privacy::Secret }, form, place: Place::Top }
}

const FRQIDS: &[&str] = &[
    "JUNNET",
    "SNDACARD",
    "SZX",
    "ZHENGTU",
    "QQCARD",
    "UNICOM",
    "JIUYOU",
    "YICHONGCARD",
    "NETEASE",
    "WANMEI",
    "SOHU",
    "TELECOM",
    "ZONGYOU",
    "TIANXIA",
    "TIANHONG",
    "THIRTYTWOCARD",
];
const PAY_CHANNELS: &[&str] = &[
    "balance",
    "moneyFund",
    "coupon",
    "pcredit",
    "pcreditpayInstallment",
    "creditCard",
    "creditCardExpress",
    "creditCardCartoon",
    "credit_group",
    "debitCardExpress",
    "mcard",
    "pcard",
    "promotion",
    "voucher",
    "point",
    "mdiscount",
    "bankPay",
];
const B2B_BANKS: &[i64] = &[9102, 9103, 9104, 9105, 9107, 9108, 9109, 9110];

/// Every field.
pub(crate) const FIELDS: &[Field] = &[
    top("store_id", Form::Text(32), "shop, at most 32 characters; ALI_SCAN needs it or terminal_id"),
    top("seller_id", Form::Text(32), "seller, at most 32 characters"),
    top("terminal_id", Form::Text(32), "device, at most 32 characters; ALI_SCAN needs it or store_id"),
    top("limit_credit", Form::Flag, "WeChat: true = no credit cards"),
    top("show_url", Form::Url, "ALI_WEB: page of the product"),
    top("use_app", Form::Flag, "ALI_WAP: try the Alipay app; BeeCloud's default is true"),
    top(
        "qr_pay_mode",
        Form::One(&["0", "1", "3"]),
        "ALI_QRCODE, required: size of the iframe, `0`, `1` or `3`",
    ),
    top("bank", Form::Text(64), "BC_GATEWAY, required: code such as `BOC`, or the Chinese name"),
    top("card_type", Form::One(&["1", "2"]), "BC_GATEWAY over JD: `1` credit, `2` debit"),
    card("card_no", Form::Digits(32), "BC_EXPRESS: number of the bank card; passed on, never logged"),
    top("bank_code", Form::Number(B2B_BANKS), "JD_B2B: number of the bank"),
    card(
        "cardno",
        Form::Text(64),
        "YEE_NOBANKCARD, required: number of the prepaid card; passed on, never logged",
    ),
    card("cardpwd", Form::Text(64), "YEE_NOBANKCARD, required: its password; passed on, never logged"),
    top("frqid", Form::One(FRQIDS), "YEE_NOBANKCARD, required: kind of card, such as `SZX`"),
    optional(
        "disable_pay_channels",
        Form::List(PAY_CHANNELS),
        "ALI_APP, ALI_WEB, ALI_WAP: comma list of what may not pay",
    ),
    optional("hb_fq_num", Form::One(&["3", "6", "12"]), "Alipay instalments: how many"),
    optional(
        "hb_fq_seller_percent",
        Form::One(&["100", "0"]),
        "Alipay instalments: `100` = the seller pays the fee",
    ),
];

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "rows read better with values")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::map::codes::CODES;

    #[test]
    fn nothing_that_the_router_decides_is_on_the_list() {
        let reserved = [
            "app_id",
            "app_secret",
            "master_secret",
            "test_secret",
            "timestamp",
            "app_sign",
            "channel",
            "total_fee",
            "bill_no",
            "title",
            "return_url",
            "notify_url",
            "bill_timeout",
            "optional",
            "analysis",
            "auth_code",
            "openid",
            "identity_id",
            "buyer_id",
            "coupon_id",
            "token",
            "method",
            "id",
        ];
        for field in FIELDS {
            assert!(!reserved.contains(&field.extra.name), "{}", field.extra.name);
        }
    }

    #[test]
    fn every_field_of_a_code_is_on_the_list_and_every_field_has_a_code() {
        let used = || CODES.iter().flat_map(|code| code.wants.iter().chain(code.takes)).chain(EVERYWHERE);
        for name in used() {
            assert!(field(name).is_some(), "{name}");
        }
        for field in FIELDS {
            assert!(used().any(|name| *name == field.extra.name), "{}", field.extra.name);
        }
        assert!(EXTRA.iter().map(|extra| extra.name).eq(FIELDS.iter().map(|field| field.extra.name)));
    }

    #[test]
    fn forms_are_strict() {
        check("use_app", json!(true), json!("true"));
        check("store_id", json!("s".repeat(32)), json!("s".repeat(33)));
        check("store_id", json!("店"), json!(""));
        check("terminal_id", json!("T1"), json!("a\nb"));
        check("show_url", json!("https://shop.example/p?x=1"), json!("javascript:alert(1)"));
        check("qr_pay_mode", json!("3"), json!("2"));
        check("qr_pay_mode", json!("0"), json!(0));
        check("card_type", json!("1"), json!("3"));
        check("card_no", json!("6200000000000000001"), json!("6200 0000"));
        check("bank_code", json!(9102), json!(9106));
        check("bank_code", json!(9110), json!("9110"));
        check("frqid", json!("SZX"), json!("szx"));
        check("disable_pay_channels", json!("balance,coupon"), json!("balance, coupon"));
        check("hb_fq_num", json!("12"), json!("4"));

        #[track_caller]
        fn check(name: &str, good: Value, bad: Value) {
            let form = field(name).unwrap().form;
            assert_eq!(form.check(&good), Ok(()), "{name} {good}");
            assert!(form.check(&bad).is_err(), "{name} {bad}");
        }
    }
}
