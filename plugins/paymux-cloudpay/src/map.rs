//! Between cloudpay's words and ours: methods, creates, create answers and status codes, a table each.
//!
//! How a call travels lives in `wire` and `channel`; what a notification means lives in `callback`.

use std::time::Duration;

use paymux_core::channel::{Blame, ExtraField, MethodSpec, Needs, Opened, OrderEnd, Privacy, Refusal};
use paymux_core::money::AMOUNT_MAX;
use paymux_core::{ChannelError, Created, Method, NextAction, Order, Product, Wallet};
use serde_json::Value;

use crate::config::{Account, Types};
use crate::sign::{self, Message, SIGN};
use crate::wire::{Fields, Reply, is_own_number};

/// The products of each wallet: one page serves desktop and mobile, and its address may be shown as a code.
///
/// Source: cloudpay's integration document, payment page.
const PRODUCTS: [Product; 3] = [Product::Web, Product::Wap, Product::Native];

/// How long after its end an order can still surprise us with money. The document gives no life time and no time
/// for notifications, and they can be pushed again by hand: three days, so that a weekend is in it.
pub(crate) const WATCH: Duration = Duration::from_hours(3 * 24);

/// The longest `custom`, in characters.
const CUSTOM_CHARS_MAX: usize = 128;

/// The provider fields that a merchant may pass.
pub(crate) const EXTRA: &[ExtraField] = &[ExtraField {
    name: "custom",
    about: "Free text of one line, 1 to 128 characters, which notifications repeat as `extend`. No secrets.",
    privacy: Privacy::Plain,
}];

/// How the methods of an account work.
pub(crate) fn methods(types: &Types) -> Vec<MethodSpec> {
    let products = |wallet| PRODUCTS.iter().map(move |product| spec(Method::new(wallet, *product)));
    types.wallets().flat_map(products).collect()
}

fn spec(method: Method) -> MethodSpec {
    MethodSpec {
        method,
        code: code(method.wallet),
        amounts: 1..=AMOUNT_MAX,
        // Nobody can pay without the page, and only the answer says where it is.
        payer_must_act: true,
        needs: Needs::nothing(),
        // Nothing closes an order and no life time is known.
        end: OrderEnd::None,
        request_min: None,
        // Nothing can be asked.
        not_found_final_after: None,
        watch: WATCH,
    }
}

/// The gateway's code as it is shown in lists; the word that travels is the account's own.
const fn code(wallet: Wallet) -> &'static str {
    match wallet {
        Wallet::Alipay => "alipay",
        _ => "type",
    }
}

/// The fields of a create, signed. What the gateway would surely refuse is not sent.
pub(crate) fn create(account: &Account, order: &Order) -> Result<Fields, ChannelError> {
    let number = order.number.as_str();
    if !is_own_number(number) {
        return Err(unsendable("the order number: at most 32 letters and digits are sent"));
    }
    if order.amount.currency() != paymux_core::Currency::CNY {
        return Err(unsendable("the currency: cloudpay takes yuan"));
    }
    let word = type_of(&account.types, &order.memo, order.method).ok_or(ChannelError::Unsupported)?;
    let price = order.amount.to_decimal();
    let fields = Fields::of_pairs([
        ("appkey", account.appkey.as_str()),
        ("price", &price),
        ("type", word),
        ("out_order_id", number),
        ("custom", custom(order)?),
    ]);
    let digest = sign::sign(Message::Create, &account.appkey, &fields, &account.appsecret).to_hex();
    Ok(fields.with(SIGN, digest.as_str()))
}

/// The gateway's word of an order: as remembered, else as the settings say today.
pub(crate) fn type_of<'a>(types: &'a Types, memo: &'a str, method: Method) -> Option<&'a str> {
    if memo.is_empty() { types.word(method.wallet) } else { Some(memo) }
}

fn custom(order: &Order) -> Result<&str, ChannelError> {
    if let Some(name) = order.extra.keys().find(|name| *name != "custom") {
        return Err(unsendable(format!("`extra.{name}`: cloudpay does not take it")));
    }
    match order.extra.get("custom") {
        None => Ok(""),
        Some(Value::String(text))
            if (1..=CUSTOM_CHARS_MAX).contains(&text.chars().count())
                && !text.chars().any(char::is_control) =>
        {
            Ok(text)
        }
        Some(_) => Err(unsendable("`extra.custom`: write one line of 1 to 128 characters")),
    }
}

/// Nothing was sent, since the request could not be right anywhere.
fn unsendable(what: impl Into<String>) -> ChannelError {
    let message = format!("not sent, {}", what.into());
    ChannelError::Refused(Refusal { code: "invalid_request".to_owned(), message, blame: Blame::Request })
}

/// What an answer with code 100 means.
pub(crate) fn created(order: &Order, reply: &Reply) -> Result<Created, ChannelError> {
    let url = reply.data.get("pay_url").and_then(Value::as_str).filter(|url| is_web_address(url));
    let url = url.ok_or_else(|| ChannelError::unknown("code 100 without a web address in `data.pay_url`"))?;
    // The answer is not signed. Where it repeats another number, its page would take another order's money.
    if reply
        .data
        .get("params")
        .and_then(|params| params.get("out_order_id"))
        .is_some_and(|own| own != order.number.as_str())
    {
        return Err(ChannelError::unknown(
            "code 100 with the `out_order_id` of another order in `data.params`",
        ));
    }
    let url = url.to_owned();
    let action = match order.method.product {
        Product::Native => NextAction::Qr { qr: url },
        _ => NextAction::Redirect { url },
    };
    Ok(Created::Open(Opened { action: Some(action), reference: None }))
}

/// Whether a browser may be sent there. Beyond that the address is the gateway's own business.
pub(crate) fn is_web_address(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && !url.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// What a status code means for a create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// A page was made.
    Created,
    /// No page was made, and whose fault that is.
    Refused(Blame),
    /// It may have been.
    Unknown,
}

/// One row of the gateway's table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Code {
    /// The number.
    pub number: i64,
    /// The gateway's own words.
    pub zh: &'static str,
    /// What it means, and where something is to be done, what.
    pub about: &'static str,
    /// What becomes of the create.
    pub class: Class,
}

const fn row(number: i64, class: Class, zh: &'static str, about: &'static str) -> Code {
    Code { number, zh, about, class }
}

const REQUEST: Class = Class::Refused(Blame::Request);
const ACCOUNT: Class = Class::Refused(Blame::Account);
const PROVIDER: Class = Class::Refused(Blame::Provider);

/// Every code of the document. What is not in it is Unknown.
///
/// Source: cloudpay's integration document, status codes; 100 from its sample of a success.
pub(crate) const CODES: [Code; 21] = [
    row(100, Class::Created, "请求成功", "success"),
    row(101, REQUEST, "秘钥必须", "the key is missing"),
    row(102, ACCOUNT, "无效的秘钥", "the key is not valid: compare `appkey` with the back office"),
    row(
        103,
        ACCOUNT,
        "秘钥已过期",
        "the key has expired, or the sign is missing: see to the account in the back office",
    ),
    row(104, ACCOUNT, "无效的签名", "the sign is wrong: has a new login password made a new `appsecret`?"),
    row(105, REQUEST, "参数缺失", "a parameter is missing"),
    row(106, REQUEST, "存在禁止传递的参数", "a parameter is not allowed"),
    row(107, PROVIDER, "api已关闭", "the API is switched off for this merchant"),
    row(108, ACCOUNT, "回调接口url未填写", "the back office lacks the asynchronous callback URL"),
    row(109, ACCOUNT, "通知接口url未填写", "the back office lacks the synchronous callback URL"),
    row(110, PROVIDER, "套餐已超额", "the merchant's plan is used up"),
    row(199, Class::Unknown, "未知错误", "unknown error"),
    row(201, REQUEST, "价格无效", "the price is not valid"),
    row(202, REQUEST, "无效的支付方式", "the type is not valid: see `types` in the settings"),
    row(203, PROVIDER, "当前支付方式已关闭", "this type is switched off at present"),
    row(204, PROVIDER, "无可用支付方式", "no session can take this payment now"),
    row(205, PROVIDER, "分类创建错误", "the gateway failed on the way: category"),
    row(206, PROVIDER, "产品创建错误", "the gateway failed on the way: product"),
    row(207, PROVIDER, "库存创建错误", "the gateway failed on the way: stock"),
    row(208, PROVIDER, "队列创建错误", "the gateway failed on the way: queue"),
    row(209, ACCOUNT, "非代理用户", "the account is no agent's"),
];

/// The row of a code, if the document has it.
pub(crate) fn code_row(number: i64) -> Option<&'static Code> {
    CODES.iter().find(|row| row.number == number)
}

/// What a code other than 100 means for a create.
pub(crate) fn failure(reply: &Reply) -> ChannelError {
    match code_row(reply.code).map(|row| row.class) {
        Some(Class::Refused(blame)) => {
            ChannelError::Refused(Refusal { code: reply.code.to_string(), message: told(reply), blame })
        }
        Some(Class::Created | Class::Unknown) | None => {
            ChannelError::unknown(format!("cloudpay answered code {}: {}", reply.code, told(reply)))
        }
    }
}

/// The most characters of the gateway's text that an error repeats.
const MSG_CHARS_MAX: usize = 80;
/// A run of letters and digits of ASCII from this length on can be a key, a sign or a number.
const RUN_MIN: usize = 12;

/// The table's words, then the gateway's own.
fn told(reply: &Reply) -> String {
    let row = code_row(reply.code).map_or("a code that cloudpay's document does not list", |row| row.about);
    match reply.msg.as_deref().map(masked).filter(|msg| !msg.is_empty()) {
        Some(msg) => format!("{row} ({msg})"),
        None => row.to_owned(),
    }
}

/// The gateway's text as it may stand in an error: one line, every long run masked, then cut.
fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut run = String::new();
    for c in text.chars().take(8 * MSG_CHARS_MAX).chain(['\n']) {
        if c.is_ascii_alphanumeric() {
            run.push(c);
            continue;
        }
        out.push_str(if run.len() >= RUN_MIN { "****" } else { &run });
        run.clear();
        out.push(if c.is_control() { ' ' } else { c });
    }
    let cut: String = out.chars().take(MSG_CHARS_MAX).collect();
    cut.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_document_has_one_row() {
        let numbers: Vec<i64> = CODES.iter().map(|row| row.number).collect();
        let want: Vec<i64> = (100..=110).chain([199]).chain(201..=209).collect();
        assert_eq!(numbers, want);
    }

    #[test]
    fn addresses_are_web_addresses_and_nothing_else() {
        for good in
            ["https://pay.example/pay/api?id=1&type=alipay", "http://127.0.0.1:1/x", "https://支付.example/"]
        {
            assert!(is_web_address(good), "{good}");
        }
        for bad in [
            "",
            "https://",
            "https:///x",
            "javascript:alert(1)",
            "//pay.example",
            "ftp://x",
            "alipays://x",
            " https://x",
            "https://x y",
            "https://x\n",
            "HTTPS://x",
        ] {
            assert!(!is_web_address(bad), "{bad}");
        }
    }

    #[test]
    fn the_gateways_text_is_cut_and_its_long_runs_are_masked() {
        check("无效的签名", "无效的签名");
        check("key 0f1e2d3c4b5a69788796a5b4c3d2e1f0 x\ny", "key **** x y");
        check(&"长".repeat(200), &"长".repeat(80));
        check("\n", "");

        #[track_caller]
        fn check(text: &str, want: &str) {
            assert_eq!(masked(text), want);
        }
    }
}
