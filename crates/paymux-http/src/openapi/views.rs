//! The forms of core's requests and views, beside which they cannot stand: core knows no documentation.

use paymux_core::Method;
use paymux_core::ids::{AttemptId, EventId, PaymentId, RefundId, TransferId};
use paymux_core::money::AMOUNT_MAX;
use paymux_core::outflow::OutflowState;
use paymux_core::payment::request::{
    AUTH_CODE_CHARS_MAX, EXPIRES_IN_DEFAULT, EXPIRES_IN_MAX, EXTRA_KEYS_MAX, METADATA_KEY_BYTES_MAX,
    METADATA_KEYS_MAX, METADATA_VALUE_CHARS_MAX, OPENID_CHARS_MAX, PAYER_ID_CHARS_MAX, SUBJECT_CHARS_MAX,
    URL_BYTES_MAX,
};
use paymux_core::payment::{AttemptState, Held, PaymentRequest, Status};
use paymux_core::payments::Explained;
use paymux_core::refund::{REASON_CHARS_MAX, RefundOrigin, RefundRequest};
use paymux_core::store::{DeliveryState, EventKind};
use paymux_core::transfer::{PAYEE_CHARS_MAX, PAYEE_KEYS_MAX, PRODUCT_BYTES_MAX, TransferRequest};
use paymux_core::view::{EventView, PaymentView, RefundView, TransferView, refund_status, transfer_status};
use serde_json::{Value, json};

use super::samples;
use super::schema::{
    Described, Field, Kind, Object, anything, count, currency, flag, foreign, id, keyed, letters, line, list,
    map, map_of, moment, name, number, pattern, printable, text, text_of, url, whole, word, words, written,
};

/// An amount that may be asked for, in minor units.
pub(crate) fn amount() -> Kind {
    whole(1..=AMOUNT_MAX)
}

/// `wallet.product`.
fn method() -> Kind {
    Kind::Leaf(json!({"type": "string", "enum": Method::all().map(|m| m.to_string()).collect::<Vec<_>>()}))
}

/// An address of at most so many bytes.
fn short_url() -> Kind {
    Kind::Leaf(json!({"type": "string", "format": "uri", "minLength": 1, "maxLength": URL_BYTES_MAX}))
}

fn region() -> Kind {
    pattern("^[A-Z]{2}-[A-Z0-9]{1,3}$")
}

fn ip() -> Kind {
    Kind::Leaf(json!({"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}))
}

/// Provider fields.
fn extra() -> Field {
    let says = "Provider fields by the provider's own names; the channel's README lists them.";
    Field::new("extra", map_of(&anything(), 0..=EXTRA_KEYS_MAX), says).optional()
}

impl Described for PaymentRequest {
    fn object() -> Object {
        let metadata = map_of(&text_of(0..=METADATA_VALUE_CHARS_MAX), 0..=METADATA_KEYS_MAX);
        let metadata = keyed(metadata, &format!("^[A-Za-z0-9._-]{{1,{METADATA_KEY_BYTES_MAX}}}$"));
        let life = whole(1..=EXPIRES_IN_MAX.into()).or_default(EXPIRES_IN_DEFAULT);
        Object::of::<Self>(
            "PaymentRequest",
            "A payment to take.",
            vec![
                Field::new("order_no", name(), "Your number, unique in your app for ever."),
                Field::new("amount", amount(), "Minor units of the currency: 1999 is 19.99 CNY."),
                Field::new("currency", currency(), "ISO 4217, such as `CNY`."),
                Field::new("method", method(), "What the payer uses: `wallet.product`."),
                Field::new("subject", line(SUBJECT_CHARS_MAX), "What is bought, in one line."),
                Field::new("expires_in", life, "Seconds until it expires.").may_be_left_out(),
                Field::new("return_url", short_url(), "Where the payer's browser goes in the end.")
                    .may_be_left_out(),
                Field::new("notify_url", short_url(), "Where its notices go instead of your app's address.")
                    .may_be_left_out(),
                Field::new("payer", Kind::Of(payer), "What is known of the payer; nothing of it is stored.")
                    .may_be_left_out(),
                Field::new("metadata", metadata, "Your own data.").optional(),
                Field::new("channel", name(), "A channel that must take it; there is no failover then.")
                    .may_be_left_out(),
                extra(),
            ],
        )
    }

    fn sample() -> Option<Value> {
        Some(samples::payment_request())
    }
}

fn payer() -> Object {
    Object::part(
        "PayerRequest",
        "What is known of the payer.",
        vec![
            Field::new("ip", ip(), "The payer's address, version 4 or 6.").may_be_left_out(),
            Field::new("region", region(), "ISO 3166-2, such as `CN-31`.").may_be_left_out(),
            Field::new("id", printable(PAYER_ID_CHARS_MAX), "Your own stable id of the payer.")
                .may_be_left_out(),
            Field::new(
                "openid",
                printable(OPENID_CHARS_MAX),
                "The payer's id inside the wallet: for `jsapi` and `mini`.",
            )
            .may_be_left_out(),
            Field::new(
                "auth_code",
                letters("0-9A-Za-z", 1..=AUTH_CODE_CHARS_MAX),
                "The digits of the payer's barcode: for `barcode`. Passed on once.",
            )
            .may_be_left_out(),
        ],
    )
}

impl Described for RefundRequest {
    fn object() -> Object {
        Object::of::<Self>(
            "RefundRequest",
            "Money to send back.",
            vec![
                Field::new("refund_no", name(), "Your number, unique in your app for ever."),
                Field::new(
                    "amount",
                    amount(),
                    "Minor units of the payment's currency, at most what is left.",
                ),
                Field::new("reason", line(REASON_CHARS_MAX), "Why, in one line.").may_be_left_out(),
            ],
        )
    }

    fn sample() -> Option<Value> {
        Some(samples::refund_request())
    }
}

impl Described for TransferRequest {
    fn object() -> Object {
        let payee = map_of(&line(PAYEE_CHARS_MAX), 1..=PAYEE_KEYS_MAX);
        Object::of::<Self>(
            "TransferRequest",
            "Money to pay out.",
            vec![
                Field::new("transfer_no", name(), "Your number, unique in your app for ever."),
                Field::new("amount", amount(), "Minor units of the currency."),
                Field::new("currency", currency(), "ISO 4217, such as `CNY`."),
                Field::new(
                    "product",
                    letters("A-Za-z0-9._-", 1..=PRODUCT_BYTES_MAX),
                    "The provider's product, such as `bank_card`.",
                ),
                Field::new(
                    "payee",
                    payee,
                    "Who receives, by the provider's field names; not stored as it is.",
                ),
                Field::new("channel", name(), "The channel that pays."),
                Field::new("reason", line(REASON_CHARS_MAX), "Why, in one line.").may_be_left_out(),
                extra(),
            ],
        )
    }

    fn sample() -> Option<Value> {
        Some(samples::transfer_request())
    }
}

impl Described for PaymentView<'_> {
    fn object() -> Object {
        Object::of::<Self>(
            "Payment",
            "A payment as it stands.",
            vec![
                Field::new("id", id(PaymentId::PREFIX), "Ours."),
                Field::new("object", word("payment"), "What this is."),
                Field::new("app", name(), "Your app."),
                Field::new("order_no", text(), "Your number."),
                Field::new("status", words(Status::ALL, Status::word), "Where it stands."),
                Field::new("amount", number(), "What was asked, in minor units."),
                Field::new("amount_received", number(), "What came in on the attempt that settled it."),
                Field::new("amount_discount", number(), "What the provider took off for the payer."),
                Field::new("amount_refunded", number(), "What went back."),
                Field::new("currency", currency(), "ISO 4217."),
                Field::new("method", method(), "What the payer uses."),
                Field::new("subject", text(), "What is bought."),
                Field::new("livemode", flag(), "Whether real money moves."),
                Field::new(
                    "held",
                    words(Held::ALL, Held::word),
                    "Why money that came in waits for a person.",
                )
                .or_null(),
                Field::new("channel", name(), "The account that has it.").or_null(),
                Field::new("provider", text(), "Whose account that is.").or_null(),
                Field::new("provider_order_no", text(), "Its number there.").or_null(),
                Field::new("provider_trade_no", text(), "The wallet's or bank's number of the money.")
                    .or_null(),
                Field::new("next_action", Kind::OneOf(ACTIONS), "What the payer must do.").or_null(),
                Field::new("cashier_url", url(), "The page on which the payer does it; null in notices.")
                    .or_null(),
                Field::new("created_at", moment(), "When it was made."),
                Field::new("expires_at", moment(), "When its time runs out."),
                Field::new("paid_at", moment(), "When the money was there.").or_null(),
                Field::new("failure", Kind::Of(failure), "Why it failed.").or_null(),
                Field::new("metadata", map(&text()), "Your own data."),
                Field::new("attempts", list(Kind::Of(attempt)), "Its tries, in the order of their making."),
            ],
        )
    }

    fn sample() -> Option<Value> {
        written(&PaymentView::of(&samples::payment()?).with_cashier(samples::cashier()))
    }
}

fn attempt() -> Object {
    Object::part(
        "Attempt",
        "One try of a payment on one channel.",
        vec![
            Field::new("id", id(AttemptId::PREFIX), "Ours."),
            Field::new("channel", name(), "The account."),
            Field::new("provider_order_no", text(), "The order's number there."),
            Field::new("state", words(AttemptState::ALL, AttemptState::word), "Where it stands."),
            Field::new(
                "outcome",
                Kind::Of(failure),
                "How its last answer read, where that was not plain success.",
            )
            .or_null(),
            Field::new("received", number(), "What came in, in minor units of `received_currency`.")
                .or_null(),
            Field::new("received_currency", currency(), "ISO 4217.").or_null(),
            Field::new("refunded", number(), "How much of it went back."),
            Field::new("created_at", moment(), "When it was made."),
        ],
    )
}

fn failure() -> Object {
    Object::part(
        "Failure",
        "Why something ended badly.",
        vec![
            Field::new("code", text(), "Our word, such as `refused`, `not_sent`, `unknown` or `reversed`."),
            Field::new("message", text(), "For a person."),
            Field::new("provider_code", text(), "The provider's own code.").or_null(),
        ],
    )
}

/// What a payer may have to do.
const ACTIONS: &[fn() -> Object] = &[
    || action("RedirectAction", "Go to an address.", "redirect", Field::new("url", text(), "The address.")),
    || action("QrAction", "Scan a code.", "qr", Field::new("qr", text(), "The text to draw as a QR code.")),
    || {
        let says = "The page that the provider wrote: executable markup. Serve it as a page of its own, or send the \
                    payer to `cashier_url`.";
        action("HtmlAction", "Load a page.", "html", Field::new("html", text(), says))
    },
    || {
        let says = "For the wallet's SDK in your app, unchanged.";
        action("AppAction", "Go on in the wallet's app.", "app", Field::new("params", anything(), says))
    },
    || {
        let says = "For the wallet's bridge in its own browser, unchanged.";
        action("JsapiAction", "Go on in the wallet.", "jsapi", Field::new("params", anything(), says))
    },
];

fn action(name: &'static str, says: &'static str, kind: &'static str, what: Field) -> Object {
    Object::part(name, says, vec![Field::new("type", word(kind), "Which kind of action."), what])
}

impl Described for RefundView<'_> {
    fn object() -> Object {
        Object::of::<Self>(
            "Refund",
            "A refund as it stands.",
            vec![
                Field::new("id", id(RefundId::PREFIX), "Ours."),
                Field::new("object", word("refund"), "What this is."),
                Field::new("payment", id(PaymentId::PREFIX), "The payment."),
                Field::new("attempt", id(AttemptId::PREFIX), "The attempt whose money goes back."),
                Field::new("refund_no", text(), "Your number; null where you did not ask for it.").or_null(),
                Field::new("origin", words(RefundOrigin::ALL, RefundOrigin::word), "Who wanted it."),
                Field::new("amount", number(), "How much goes back, in minor units."),
                Field::new("currency", currency(), "ISO 4217."),
                Field::new("reason", text(), "Why."),
                Field::new(
                    "status",
                    outflow(refund_status),
                    "Where it stands. `unknown` keeps its amount aside.",
                ),
                Field::new("action_url", text(), "What a person must open, where it is `needs_action`.")
                    .or_null(),
                Field::new("failure", Kind::Of(failure), "How it failed.").or_null(),
                Field::new("channel", name(), "The account."),
                Field::new("provider_refund_no", text(), "Its number there.").or_null(),
                Field::new("created_at", moment(), "When it was made."),
                Field::new("ended_at", moment(), "When its end was booked.").or_null(),
            ],
        )
    }

    fn sample() -> Option<Value> {
        written(&RefundView::of(&samples::refund()?))
    }
}

/// The words of a refund's or a transfer's status, each once.
fn outflow(word: fn(OutflowState) -> &'static str) -> Kind {
    let mut all: Vec<&'static str> = OutflowState::ALL.iter().map(|state| word(*state)).collect();
    all.sort_unstable();
    all.dedup();
    words(&all, |word| word)
}

impl Described for TransferView<'_> {
    fn object() -> Object {
        Object::of::<Self>(
            "Transfer",
            "A transfer as it stands.",
            vec![
                Field::new("id", id(TransferId::PREFIX), "Ours."),
                Field::new("object", word("transfer"), "What this is."),
                Field::new("transfer_no", text(), "Your number."),
                Field::new("amount", number(), "How much, in minor units."),
                Field::new("currency", currency(), "ISO 4217."),
                Field::new("product", text(), "The provider's product."),
                Field::new(
                    "payee",
                    map(&text()),
                    "Who receives, masked but for each field's last characters.",
                ),
                Field::new("reason", text(), "Why."),
                Field::new("livemode", flag(), "Whether real money moves."),
                Field::new("status", outflow(transfer_status), "Where it stands."),
                Field::new("action_url", text(), "What a person must open, where it is `needs_action`.")
                    .or_null(),
                Field::new("failure", Kind::Of(failure), "How it failed.").or_null(),
                Field::new("channel", name(), "The account that pays."),
                Field::new("provider", text(), "Whose account that is."),
                Field::new("provider_transfer_no", text(), "Its number there."),
                Field::new("created_at", moment(), "When it was made."),
                Field::new("ended_at", moment(), "When its end was booked.").or_null(),
            ],
        )
    }

    fn sample() -> Option<Value> {
        written(&TransferView::of(&samples::transfer()?))
    }
}

impl Described for EventView<'_> {
    fn object() -> Object {
        Object::of::<Self>(
            "Event",
            "Something that your app was told.",
            vec![
                Field::new("id", id(EventId::PREFIX), "Ours: the `webhook-id` of its notice."),
                Field::new("object", word("event"), "What this is."),
                Field::new("type", words(EventKind::ALL, EventKind::word), "What has happened."),
                Field::new("created_at", moment(), "When."),
                Field::new("sequence", number(), "Counts the events of one payment or transfer, from 1."),
                Field::new("delivery", Kind::Of(delivery), "How its notice fares."),
                Field::new(
                    "data",
                    foreign(),
                    "The `data` of the notice; null where it is told in another's protocol.",
                )
                .or_null(),
            ],
        )
    }

    fn sample() -> Option<Value> {
        written(&EventView::of(&samples::event()?))
    }
}

fn delivery() -> Object {
    Object::part(
        "Delivery",
        "How a notice fares.",
        vec![
            Field::new(
                "state",
                words(DeliveryState::ALL, DeliveryState::word),
                "Where it stands; null without an address.",
            )
            .or_null(),
            Field::new("tries", count(), "How often it was tried."),
            Field::new("detail", text(), "What was seen last.").or_null(),
        ],
    )
}

impl Described for Explained {
    fn object() -> Object {
        Object::of::<Self>(
            "Decision",
            "The record of one choice of channel.",
            vec![
                Field::new("route", name(), "The route that matched.").or_null(),
                Field::new("strategy", text(), "Its strategy.").or_null(),
                Field::new("seed", number_of_16(), "What the strategy drew from."),
                Field::new("turn", count(), "Which turn of the route it was, where channels take turns.")
                    .optional(),
                Field::new("sticks_to", number_of_16(), "What the payment sticks to, where that counts.")
                    .optional(),
                Field::new(
                    "probe_percent",
                    whole(0..=100),
                    "Which share may go anywhere, where channels are tried out.",
                )
                .optional(),
                Field::new("picked", name(), "The channel that takes it; null where none may.").or_null(),
                Field::new("candidates", list(Kind::Of(candidate)), "Every channel of the route."),
                Field::new(
                    "spread",
                    map(&count()),
                    "How often each channel was picked, where `times` was asked.",
                )
                .optional(),
            ],
        )
    }

    fn sample() -> Option<Value> {
        written(&Self { decision: samples::decision()?, spread: None })
    }
}

/// A number of 64 bits, which JSON readers would not keep exact.
fn number_of_16() -> Kind {
    pattern("^[0-9a-f]{16}$")
}

fn candidate() -> Object {
    Object::part(
        "Candidate",
        "One channel, as the choice saw it.",
        vec![
            Field::new("channel", name(), "Which."),
            Field::new("eligible", flag(), "Whether it was left after the rules."),
            Field::new("removed_by", Kind::Of(removal), "The rule that removed it.").or_null(),
            Field::new("weight", count(), "Its weight.").or_null(),
            Field::new("fee_bp", count(), "What its provider takes, in hundredths of a percent.").or_null(),
            Field::new("collected_today", number(), "What it had collected that day, where that counts.")
                .optional(),
            Field::new(
                "last_completed",
                flag(),
                "Whether it completed the route's last payment, where that counts.",
            )
            .optional(),
            Field::new(
                "success_ppm",
                number(),
                "How often its calls went well, in parts of a million, where that counts.",
            )
            .optional(),
        ],
    )
}

fn removal() -> Object {
    Object::part(
        "Removal",
        "Why a channel is left out.",
        vec![
            Field::new(
                "rule",
                text(),
                "The rule, such as `state`, `method`, `amount`, `hours`, `cap` or `health`.",
            ),
            Field::new("detail", text(), "What was seen, for a person."),
        ],
    )
}

#[cfg(test)]
mod tests {
    use paymux_core::{NewPayment, NewRefund, NewTransfer};

    use super::*;
    use crate::openapi::proof;

    #[test]
    fn what_is_told_of_a_payments_request_holds() {
        proof::request(|request: PaymentRequest| NewPayment::check(&request).map(drop));
    }

    #[test]
    fn what_is_told_of_a_refunds_request_holds() {
        proof::request(|request: RefundRequest| NewRefund::check(&request).map(drop));
    }

    #[test]
    fn what_is_told_of_a_transfers_request_holds() {
        proof::request(|request: TransferRequest| NewTransfer::check(&request).map(drop));
    }
}
