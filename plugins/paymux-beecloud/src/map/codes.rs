//! BeeCloud's create codes, one row each, with the method of ours that each one is.
//!
//! Source: BeeCloud V2 document, tables of `channel` values, and the SDKs where it is silent.
//! What an answer's result code means lives in `results`.

use std::time::Duration;

use paymux_core::channel::{Needs, OrderEnd};
use paymux_core::{Method, Product, Wallet};

use crate::config::{Books, Contract};

/// The largest `total_fee`: BeeCloud's SDKs hold it in 32 signed bits.
pub(crate) const FEE_MAX: i64 = i32::MAX as i64;
/// The largest `total_fee` that WeChat took in the vendor's own tests.
pub(crate) const FEE_WECHAT_MAX: i64 = 10_000_000;

/// One create code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Code {
    /// As it travels in `channel`.
    pub name: &'static str,
    /// What we call it.
    pub method: Method,
    /// What webhooks and queries call its group.
    pub group: &'static str,
    /// The path that we send it to.
    pub family: Family,
    /// Whether the other path takes it as well.
    pub paths: Paths,
    /// What a create answers.
    pub reply: Reply,
    /// Whether a page comes back to `return_url`.
    pub page: Page,
    /// What a payment must carry.
    pub needs: Needs,
    /// How an unpaid order ends.
    pub end: End,
    /// Whether money can move only after the payer acted on the create answer.
    pub moves: Moves,
    /// Provider fields that must stand in `extra`.
    pub wants: &'static [&'static str],
    /// Provider fields that may stand in `extra`, beyond those of every code.
    pub takes: &'static [&'static str],
}

/// Which of the two create paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// `/bill`
    Bill,
    /// `/offline/bill`
    Till,
}

impl Family {
    /// The word in an order's memo.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Bill => "bill",
            Self::Till => "offline",
        }
    }
}

/// On which create paths a code is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paths {
    /// On its family's only.
    One,
    /// On both.
    Both,
}

/// What stands in the answer to a create with code 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// `url`, `html` or both.
    Page,
    /// `code_url`, a text to be drawn as a QR code.
    Qr,
    /// `code_url`, an address for the payer's browser.
    Link,
    /// The six fields for the bridge in WeChat's own browser.
    WechatBridge,
    /// These fields, for a wallet's bridge.
    Bridge(&'static [&'static str]),
    /// These fields, for a wallet's SDK in the merchant's app.
    App(&'static [&'static str]),
    /// Not documented: everything that is there goes to the merchant's app.
    Unstated,
    /// `pay_result`: paid, or the payer is typing a password.
    Scan,
    /// Nothing: the webhook tells.
    Nothing,
}

/// What becomes of `return_url`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// Not sent.
    None,
    /// Sent, though BeeCloud does not ask for it.
    Returns,
    /// Sent; BeeCloud asks for it.
    MustReturn,
}

/// How an unpaid order of a code ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// By `bill_timeout`.
    Timer,
    /// By a revert.
    Revert,
    /// Never: the code takes no `bill_timeout` and no revert.
    Never,
}

/// What moves the money of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moves {
    /// The payer, with what the create answer carries.
    Payer,
    /// The payer or BeeCloud without it: the create names the payer, or its answer is not documented.
    Unsure,
    /// The create itself.
    Create,
}

/// How long after an order's end money or a webhook can still come: the last of BeeCloud's repeats
/// leaves about 36.4 h after the first try.
pub(crate) const WATCH: Duration = Duration::from_hours(37);
/// The shortest `bill_timeout` that we send: "more than 360" is advised.
const TIMEOUT_MIN: Duration = Duration::from_secs(361);
/// The longest: our own payments' longest life; BeeCloud names no limit.
const TIMEOUT_MAX: Duration = Duration::from_hours(24 * 30);
/// How long after `bill_timeout` an unpaid query is believed.
const TIMEOUT_MARGIN: Duration = Duration::from_mins(10);

impl Code {
    /// The row of that code.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        CODES.iter().find(|code| code.name == name)
    }

    /// The code that an account uses for a method: of two, the one of the wished contract.
    pub(crate) fn for_method(method: Method, books: Books, contract: Contract) -> Option<&'static Self> {
        let mut rows = CODES.iter().filter(|code| code.method == method && code.is_in(books));
        let first = rows.next()?;
        Some(rows.next().filter(|_| contract == Contract::BeeCloud).unwrap_or(first))
    }

    /// Whether the code exists in those books: V1 knows three groups and no till, the test mode no
    /// till and no page inside WeChat.
    fn is_in(&self, books: Books) -> bool {
        match books {
            Books::V2 => true,
            Books::V1 => self.family == Family::Bill && matches!(self.group, "WX" | "ALI" | "UN"),
            Books::Sandbox => {
                self.family == Family::Bill && !matches!(self.method.product, Product::Jsapi | Product::Mini)
            }
        }
    }

    /// The largest amount, in fen.
    pub(crate) fn fee_max(&self) -> i64 {
        match self.method.wallet {
            Wallet::Wechat | Wallet::Any => FEE_WECHAT_MAX,
            _ => FEE_MAX,
        }
    }

    /// How an unpaid order ends. The V1 document has no `bill_timeout`.
    pub(crate) fn order_end(&self, books: Books) -> OrderEnd {
        match self.end {
            End::Timer if books != Books::V1 => OrderEnd::ProviderTimer {
                min: TIMEOUT_MIN,
                max: TIMEOUT_MAX,
                step: Duration::from_secs(1),
                margin: TIMEOUT_MARGIN,
            },
            End::Revert => OrderEnd::Call { not_before: Duration::ZERO, lives: None },
            End::Timer | End::Never => OrderEnd::None,
        }
    }

    /// Whether a create carries a card, of a bank or prepaid: nothing of its answer is repeated.
    pub(crate) fn carries_card(&self) -> bool {
        matches!(self.method.product, Product::Card | Product::Express)
    }

    /// Whether that path takes the code.
    pub(crate) fn is_taken_by(&self, family: Family) -> bool {
        self.family == family || self.paths == Paths::Both
    }

    /// What is remembered of an order: path, code, group.
    pub(crate) fn memo(&self, family: Family) -> String {
        format!("{} {} {}", family.word(), self.name, self.group)
    }
}

/// The code and path that [`Code::memo`] wrote down.
pub(crate) fn from_memo(memo: &str) -> Option<(&'static Code, Family)> {
    let mut words = memo.split(' ');
    let family = match words.next()? {
        "bill" => Family::Bill,
        "offline" => Family::Till,
        _ => return None,
    };
    Code::named(words.next()?).map(|code| (code, family))
}

/// Codes that BeeCloud has or had and this crate does not offer, and why.
pub(crate) const OTHER_CODES: &[&str] = &[
    // Apple Pay over UnionPay: no method of ours.
    "APPLE",
    "APPLE_TEST",
    // Book a payment that was made in PayPal's SDK.
    "PAYPAL_LIVE",
    "PAYPAL_SANDBOX",
    // Seen in SDKs only.
    "BC_QQ_NATIVE",
    "BC_JD_QRCODE",
    "BC_CARD_CHARGE",
    "BC_SUBSCRIPTION",
    "CP_WEB",
];

/// The groups, which stand in webhooks, queries and refunds.
pub(crate) const GROUPS: &[&str] = &["WX", "ALI", "UN", "KUAIQIAN", "JD", "BD", "YEE", "PAYPAL", "BC"];

const fn bill(
    name: &'static str,
    wallet: Wallet,
    product: Product,
    group: &'static str,
    reply: Reply,
) -> Code {
    Code {
        name,
        method: Method::new(wallet, product),
        group,
        family: Family::Bill,
        paths: Paths::One,
        reply,
        page: Page::None,
        needs: Needs::nothing(),
        end: End::Timer,
        moves: Moves::Payer,
        wants: &[],
        takes: &[],
    }
}

const fn till(
    name: &'static str,
    wallet: Wallet,
    product: Product,
    group: &'static str,
    reply: Reply,
) -> Code {
    Code { family: Family::Till, end: End::Never, ..bill(name, wallet, product, group, reply) }
}

const fn scan(name: &'static str, wallet: Wallet, group: &'static str) -> Code {
    let row = till(name, wallet, Product::Barcode, group, Reply::Scan);
    Code { needs: Needs::AUTH_CODE, moves: Moves::Create, ..row }
}

impl Code {
    const fn returns(self) -> Self {
        Self { page: Page::Returns, ..self }
    }

    const fn must_return(self) -> Self {
        Self { page: Page::MustReturn, ..self }
    }

    /// The payer is named in the create.
    const fn names_payer(self, needs: Needs) -> Self {
        Self { needs, moves: Moves::Unsure, ..self }
    }

    const fn needs(self, needs: Needs) -> Self {
        Self { needs, ..self }
    }

    const fn end(self, end: End) -> Self {
        Self { end, ..self }
    }

    const fn moves(self, moves: Moves) -> Self {
        Self { moves, ..self }
    }

    const fn on_both_paths(self) -> Self {
        Self { paths: Paths::Both, ..self }
    }

    const fn wants(self, wants: &'static [&'static str]) -> Self {
        Self { wants, ..self }
    }

    const fn takes(self, takes: &'static [&'static str]) -> Self {
        Self { takes, ..self }
    }
}

const WX_APP_REPLY: Reply =
    Reply::App(&["app_id", "partner_id", "package", "nonce_str", "timestamp", "pay_sign", "prepay_id"]);
const NO_CREDIT: &[&str] = &["limit_credit"];
const INSTALMENTS: &[&str] = &["hb_fq_num", "hb_fq_seller_percent"];
const ALIPAY_APP: &[&str] = &["disable_pay_channels", "hb_fq_num", "hb_fq_seller_percent"];
const ALIPAY_WEB: &[&str] = &["show_url", "disable_pay_channels", "hb_fq_num", "hb_fq_seller_percent"];
const ALIPAY_WAP: &[&str] = &["use_app", "disable_pay_channels", "hb_fq_num", "hb_fq_seller_percent"];
const ALIPAY_SCAN: &[&str] = &["terminal_id", "hb_fq_num", "hb_fq_seller_percent"];

/// Every code that is offered. Where a method has two, the merchant's own contract comes first.
pub(crate) const CODES: &[Code] = {
    use Product as P;
    use Wallet as W;
    &[
        // WeChat
        bill("WX_APP", W::Wechat, P::App, "WX", WX_APP_REPLY).takes(NO_CREDIT),
        bill("WX_NATIVE", W::Wechat, P::Native, "WX", Reply::Qr).on_both_paths().takes(NO_CREDIT),
        bill("WX_JSAPI", W::Wechat, P::Jsapi, "WX", Reply::WechatBridge)
            .names_payer(Needs::OPENID)
            .takes(NO_CREDIT),
        bill("WX_MINI", W::Wechat, P::Mini, "WX", Reply::WechatBridge)
            .names_payer(Needs::OPENID)
            .takes(NO_CREDIT),
        bill("WX_WAP", W::Wechat, P::Wap, "WX", Reply::Page).returns().needs(Needs::IP).takes(NO_CREDIT),
        scan("WX_SCAN", W::Wechat, "WX").end(End::Revert).takes(NO_CREDIT),
        // Alipay
        bill("ALI_APP", W::Alipay, P::App, "ALI", Reply::App(&["order_string"])).takes(ALIPAY_APP),
        bill("ALI_WEB", W::Alipay, P::Web, "ALI", Reply::Page).must_return().takes(ALIPAY_WEB),
        bill("ALI_WAP", W::Alipay, P::Wap, "ALI", Reply::Page).returns().takes(ALIPAY_WAP),
        bill("ALI_QRCODE", W::Alipay, P::Embed, "ALI", Reply::Page)
            .must_return()
            .wants(&["qr_pay_mode"])
            .takes(INSTALMENTS),
        till("ALI_OFFLINE_QRCODE", W::Alipay, P::Native, "ALI", Reply::Qr)
            .on_both_paths()
            .end(End::Revert)
            .takes(INSTALMENTS),
        scan("ALI_SCAN", W::Alipay, "ALI").end(End::Revert).takes(ALIPAY_SCAN),
        // UnionPay
        bill("UN_APP", W::Unionpay, P::App, "UN", Reply::App(&["tn"])),
        bill("UN_WEB", W::Unionpay, P::Web, "UN", Reply::Page).must_return(),
        bill("UN_WAP", W::Unionpay, P::Wap, "UN", Reply::Page).must_return(),
        // JD, Yeepay, 99Bill, Baidu
        bill("JD_WAP", W::Jd, P::Wap, "JD", Reply::Page).must_return().end(End::Never),
        bill("JD_WEB", W::Jd, P::Web, "JD", Reply::Page).must_return().end(End::Never),
        bill("JD_B2B", W::Jd, P::Gateway, "JD", Reply::Page)
            .must_return()
            .end(End::Never)
            .takes(&["bank_code"]),
        bill("YEE_WAP", W::Yeepay, P::Wap, "YEE", Reply::Page).returns().names_payer(Needs::PAYER_ID),
        bill("YEE_WEB", W::Yeepay, P::Web, "YEE", Reply::Page).returns(),
        bill("YEE_NOBANKCARD", W::Yeepay, P::Card, "YEE", Reply::Nothing)
            .moves(Moves::Create)
            .end(End::Never)
            .wants(&["cardno", "cardpwd", "frqid"]),
        bill("KUAIQIAN_WAP", W::Kuaiqian, P::Wap, "KUAIQIAN", Reply::Page).returns().end(End::Never),
        bill("KUAIQIAN_WEB", W::Kuaiqian, P::Web, "KUAIQIAN", Reply::Page).returns().end(End::Never),
        bill("BD_APP", W::Baidu, P::App, "BD", Reply::App(&["orderInfo"])),
        bill("BD_WAP", W::Baidu, P::Wap, "BD", Reply::Page).returns(),
        bill("BD_WEB", W::Baidu, P::Web, "BD", Reply::Page).returns(),
        // BeeCloud's own contract
        bill("BC_WX_APP", W::Wechat, P::App, "BC", Reply::Unstated).moves(Moves::Unsure).takes(NO_CREDIT),
        bill("BC_NATIVE", W::Wechat, P::Native, "BC", Reply::Qr).takes(NO_CREDIT),
        bill("BC_WX_JSAPI", W::Wechat, P::Jsapi, "BC", Reply::WechatBridge)
            .names_payer(Needs::OPENID)
            .takes(NO_CREDIT),
        bill("BC_WX_MINI", W::Wechat, P::Mini, "BC", Reply::WechatBridge)
            .names_payer(Needs::OPENID)
            .takes(NO_CREDIT),
        bill("BC_WX_WAP", W::Wechat, P::Wap, "BC", Reply::Page)
            .must_return()
            .needs(Needs::IP)
            .takes(NO_CREDIT),
        scan("BC_WX_SCAN", W::Wechat, "BC").takes(NO_CREDIT),
        bill("BC_ALI_APP", W::Alipay, P::App, "BC", Reply::App(&["code_url"])),
        bill("BC_ALI_WEB", W::Alipay, P::Web, "BC", Reply::Page).must_return(),
        bill("BC_ALI_WAP", W::Alipay, P::Wap, "BC", Reply::Link),
        bill("BC_ALI_QRCODE", W::Alipay, P::Native, "BC", Reply::Qr).on_both_paths(),
        bill("BC_ALI_JSAPI", W::Alipay, P::Jsapi, "BC", Reply::Bridge(&["trade_no"]))
            .names_payer(Needs::OPENID),
        scan("BC_ALI_SCAN", W::Alipay, "BC"),
        scan("BC_SCAN", W::Any, "BC"),
        bill("BC_APP", W::Any, P::App, "BC", Reply::Unstated).moves(Moves::Unsure),
        bill("BC_GATEWAY", W::Bank, P::Gateway, "BC", Reply::Page)
            .must_return()
            .wants(&["bank"])
            .takes(&["card_type"]),
        bill("BC_EXPRESS", W::Bank, P::Express, "BC", Reply::Page)
            .returns()
            .moves(Moves::Create)
            .takes(&["card_no"]),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_has_at_most_one_code_of_each_contract() {
        for (i, code) in CODES.iter().enumerate() {
            let same: Vec<_> = CODES.iter().filter(|other| other.method == code.method).collect();
            assert!(same.len() <= 2, "{}", code.name);
            if let [own, other] = same[..] {
                assert!(own.group != "BC" && other.group == "BC", "{} before {}", own.name, other.name);
            }
            assert!(CODES[..i].iter().all(|other| other.name != code.name), "{} twice", code.name);
            assert!(GROUPS.contains(&code.group), "{}", code.name);
        }
    }

    #[test]
    fn the_contract_chooses_where_both_exist() {
        check("wechat.native", Contract::Merchant, Some("WX_NATIVE"));
        check("wechat.native", Contract::BeeCloud, Some("BC_NATIVE"));
        check("wechat.barcode", Contract::BeeCloud, Some("BC_WX_SCAN"));
        check("alipay.native", Contract::Merchant, Some("ALI_OFFLINE_QRCODE"));
        check("alipay.native", Contract::BeeCloud, Some("BC_ALI_QRCODE"));
        check("alipay.embed", Contract::BeeCloud, Some("ALI_QRCODE"));
        check("alipay.jsapi", Contract::Merchant, Some("BC_ALI_JSAPI"));
        check("bank.gateway", Contract::Merchant, Some("BC_GATEWAY"));
        check("paypal.app", Contract::Merchant, None);

        #[track_caller]
        fn check(method: &str, contract: Contract, want: Option<&str>) {
            let code = Code::for_method(method.parse().unwrap(), Books::V2, contract);
            assert_eq!(code.map(|code| code.name), want, "{method} {contract:?}");
        }
    }

    #[test]
    fn older_and_test_books_have_fewer_codes() {
        check("wechat.native", Books::V1, Some("WX_NATIVE"));
        check("unionpay.web", Books::V1, Some("UN_WEB"));
        check("alipay.native", Books::V1, None);
        check("jd.web", Books::V1, None);
        check("bank.gateway", Books::V1, None);
        check("wechat.native", Books::Sandbox, Some("WX_NATIVE"));
        check("alipay.native", Books::Sandbox, Some("BC_ALI_QRCODE"));
        check("wechat.jsapi", Books::Sandbox, None);
        check("wechat.barcode", Books::Sandbox, None);

        #[track_caller]
        fn check(method: &str, books: Books, want: Option<&str>) {
            let code = Code::for_method(method.parse().unwrap(), books, Contract::Merchant);
            assert_eq!(code.map(|code| code.name), want, "{method} {books:?}");
        }
    }

    #[test]
    fn only_codes_whose_answer_the_payer_must_hold_are_the_payers_move() {
        for code in CODES {
            let held = matches!(code.reply, Reply::Page | Reply::Qr | Reply::Link | Reply::App(_));
            let named = code.needs.has(Needs::OPENID) || code.needs.has(Needs::PAYER_ID);
            let express = code.method.product == Product::Express;
            assert_eq!(code.moves == Moves::Payer, held && !named && !express, "{}", code.name);
        }
    }

    #[test]
    fn memos_read_back() {
        for code in CODES {
            let (read, family) = from_memo(&code.memo(code.family)).unwrap();
            assert_eq!((read.name, family), (code.name, code.family));
        }
        for bad in ["", "bill", "bill X", "status", "offline  WX_SCAN"] {
            assert!(from_memo(bad).is_none(), "{bad}");
        }
    }
}
