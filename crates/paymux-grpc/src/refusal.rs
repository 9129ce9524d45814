//! How a refusal looks: a gRPC status with details by which programs know it. [`of`] is the one table from core's
//! errors to statuses; HTTP's stands in paymux-http.

use std::collections::HashMap;
use std::time::Duration;

use paymux_core::PaymentError;
use paymux_core::bearer::KeyError;
use paymux_core::payment::request::InvalidField;
use paymux_core::router::NoChannel;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Whose reasons these are.
const DOMAIN: &str = "paymux";
/// The most bytes of channels that a refusal lists: a status travels in header fields, which clients bound.
const CHANNELS_BYTES_MAX: usize = 3 * 1024;
/// The longest message, and the longest name of a field, in characters.
const MESSAGE_CHARS_MAX: usize = 500;
const PARAM_CHARS_MAX: usize = 120;
/// How long a client waits that watches too much.
const WATCH_PAUSE: Duration = Duration::from_secs(5);

/// What programs may read beside the reason.
type Notes = HashMap<String, String>;

/// The status of an error of the core, with its details.
pub(crate) fn of(error: &PaymentError) -> Status {
    let mut notes = Notes::new();
    if let Some(param) = error.param() {
        notes.insert("param".to_owned(), cut(param, PARAM_CHARS_MAX));
    }
    let mut details = ErrorDetails::new();
    tell_more(error, &mut details, &mut notes);
    details.set_error_info(error.code(), DOMAIN, notes);
    if let Some(pause) = error.retry_after() {
        details.set_retry_info(Some(pause));
    }
    Status::with_error_details(code_of(error), cut(&error.told(), MESSAGE_CHARS_MAX), details)
}

/// The table.
fn code_of(error: &PaymentError) -> Code {
    match error {
        PaymentError::Invalid(_) => Code::InvalidArgument,
        PaymentError::NotFound(_) => Code::NotFound,
        // The number or key is there already, as another request's.
        PaymentError::OrderMismatch(_)
        | PaymentError::RefundMismatch(_)
        | PaymentError::TransferMismatch(_)
        | PaymentError::KeyMismatch => Code::AlreadyExists,
        PaymentError::NoChannel(nobody) if nobody.is_temporary() => Code::Unavailable,
        PaymentError::NoChannel(_)
        | PaymentError::AlreadyPaid
        | PaymentError::NotCancelable(_)
        | PaymentError::NotRefundable(_)
        | PaymentError::NotResolvable(_)
        | PaymentError::ChannelNeeded { .. }
        | PaymentError::RefundTooLarge { .. }
        | PaymentError::TransferTooLarge { .. }
        // Not UNIMPLEMENTED: the call is there, a channel's provider lacks something.
        | PaymentError::Unsupported { .. } => Code::FailedPrecondition,
        PaymentError::InFlight => Code::Aborted,
        PaymentError::Forbidden(_) => Code::PermissionDenied,
        PaymentError::RateLimited { .. } => Code::ResourceExhausted,
        PaymentError::Overloaded(_) => Code::Unavailable,
        PaymentError::Internal(_) => Code::Internal,
    }
}

/// What the HTTP problem tells in members of its own.
fn tell_more(error: &PaymentError, details: &mut ErrorDetails, notes: &mut Notes) {
    match error {
        PaymentError::Invalid(field) => {
            let (param, rule) = (cut(&field.param, PARAM_CHARS_MAX), cut(&field.rule, MESSAGE_CHARS_MAX));
            details.add_bad_request_violation(param, rule);
        }
        PaymentError::RefundTooLarge { left } => {
            notes.insert("amount_left".to_owned(), left.minor().to_string());
        }
        PaymentError::NoChannel(nobody) => tell_channels(nobody, details, notes),
        _ => {}
    }
}

/// Each channel that may not take a payment is an unmet condition: the rule, the channel, and why.
fn tell_channels(nobody: &NoChannel, details: &mut ErrorDetails, notes: &mut Notes) {
    let mut bytes = 0;
    for (index, (channel, removal)) in nobody.removed.iter().enumerate() {
        let (rule, why) = (removal.rule.to_string(), removal.detail.clone());
        bytes += channel.as_str().len() + rule.len() + why.len() + 16;
        if bytes > CHANNELS_BYTES_MAX {
            let left_out = nobody.removed.len() - index;
            notes.insert("channels_left_out".to_owned(), left_out.to_string());
            return;
        }
        details.add_precondition_failure_violation(rule, channel.to_string(), why);
    }
}

/// A text that a client has sent may be long, and a status may not.
fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// One field breaks its rule.
pub(crate) fn invalid(field: InvalidField) -> Status {
    of(&PaymentError::Invalid(field))
}

/// No key, or one that opens nothing.
pub(crate) fn unauthorized(error: KeyError) -> Status {
    plain(Code::Unauthenticated, "unauthorized", error.to_string())
}

/// More bytes than the limit.
pub(crate) fn body_too_large(bytes_max: usize) -> Status {
    let told = format!("a message may have at most {bytes_max} bytes");
    plain(Code::ResourceExhausted, "body_too_large", told)
}

/// The message came too slowly.
pub(crate) fn body_too_slow() -> Status {
    let told = "the message did not arrive in time; send it again".to_owned();
    plain(Code::DeadlineExceeded, "request_timeout", told)
}

/// The message cannot be read.
pub(crate) fn unreadable(rule: &str) -> Status {
    plain(Code::InvalidArgument, "invalid_request", format!("the message cannot be read: {rule}"))
}

/// The message broke off.
pub(crate) fn body_broke_off() -> Status {
    let told = "the message broke off; send the request again".to_owned();
    plain(Code::InvalidArgument, "invalid_request", told)
}

/// More streams than may be open at once.
pub(crate) fn too_many_watches(most: usize, whose: &str) -> Status {
    let mut details = details("rate_limited");
    details.set_retry_info(Some(WATCH_PAUSE));
    let told =
        format!("{whose} may watch at most {most} payments at once; end some, or look with GetPayment");
    Status::with_error_details(Code::ResourceExhausted, told, details)
}

/// A stream has lasted as long as one may.
pub(crate) fn watch_is_over() -> Status {
    plain(Code::Aborted, "watch_ended", "a stream lasts no longer; watch the payment again".to_owned())
}

/// This node takes nothing new.
pub(crate) fn stopping() -> Status {
    let mut details = details("overloaded");
    details.set_retry_info(Some(Duration::from_secs(1)));
    Status::with_error_details(Code::Unavailable, "this node is stopping; call again", details)
}

/// Something is broken here; what, stands in the log.
pub(crate) fn internal() -> Status {
    let told = "something that must not happen has happened; it was logged under this request's id";
    plain(Code::Internal, "internal", told.to_owned())
}

fn plain(code: Code, reason: &str, told: String) -> Status {
    Status::with_error_details(code, told, details(reason))
}

fn details(reason: &str) -> ErrorDetails {
    ErrorDetails::with_error_info(reason, DOMAIN, Notes::new())
}

#[cfg(test)]
mod tests {
    use paymux_core::ChannelId;
    use paymux_core::router::Removal;
    use paymux_testkit::refusals::every_refusal;

    use super::*;

    #[test]
    fn every_refusal_of_the_core_has_its_status_and_reason() {
        let mut seen: Vec<(&str, Code, Option<Duration>)> = Vec::new();
        for error in every_refusal() {
            let status = of(&error);
            let details = status.get_error_details();
            let info = details.error_info().unwrap();
            assert_eq!((info.reason.as_str(), info.domain.as_str()), (error.code(), "paymux"));
            assert_eq!(info.metadata.get("param").map(String::as_str), error.param());
            assert!(!status.message().contains("secret"), "{status:?}");
            let pause = details.retry_info().and_then(|info| info.retry_delay);
            assert_eq!(pause, error.retry_after());
            seen.push((error.code(), status.code(), pause));
        }
        let second = Some(Duration::from_secs(1));
        let want = [
            ("invalid_request", Code::InvalidArgument, None),
            ("not_found", Code::NotFound, None),
            ("order_mismatch", Code::AlreadyExists, None),
            ("no_channel", Code::FailedPrecondition, None),
            ("no_channel", Code::Unavailable, Some(Duration::from_secs(30))),
            ("already_paid", Code::FailedPrecondition, None),
            ("in_flight", Code::Aborted, None),
            ("not_cancelable", Code::FailedPrecondition, None),
            ("not_refundable", Code::FailedPrecondition, None),
            ("refund_too_large", Code::FailedPrecondition, None),
            ("refund_mismatch", Code::AlreadyExists, None),
            ("transfer_mismatch", Code::AlreadyExists, None),
            ("transfer_too_large", Code::FailedPrecondition, None),
            ("idempotency_mismatch", Code::AlreadyExists, None),
            ("forbidden", Code::PermissionDenied, None),
            ("not_resolvable", Code::FailedPrecondition, None),
            ("channel_needed", Code::FailedPrecondition, None),
            ("unsupported", Code::FailedPrecondition, None),
            ("rate_limited", Code::ResourceExhausted, second),
            ("overloaded", Code::Unavailable, second),
            ("internal", Code::Internal, None),
        ];
        assert_eq!(seen, want);
    }

    #[test]
    fn a_field_is_told_as_a_violation() {
        let status = invalid(InvalidField::new("payer.ip", "write it well"));
        let details = status.get_error_details();
        let violation = &details.bad_request().unwrap().field_violations[0];
        assert_eq!((violation.field.as_str(), violation.description.as_str()), ("payer.ip", "write it well"));
        let long = invalid(InvalidField::new("x".repeat(70_000), "write it well"));
        assert!(long.message().len() + long.details().len() < 4096, "{}", long.message().len());
    }

    #[test]
    fn what_is_left_is_told() {
        let error = PaymentError::RefundTooLarge { left: paymux_core::Money::fen(7) };
        let details = of(&error).get_error_details();
        assert_eq!(details.error_info().unwrap().metadata["amount_left"], "7");
    }

    #[test]
    fn channels_are_told_one_by_one_up_to_a_limit() {
        let nobody = |count: usize| {
            let removed = (0..count).map(|n| {
                let removal = Removal { rule: "amount", detail: "too much".to_owned(), temporary: false };
                (ChannelId::new(&format!("c{n}")).unwrap(), removal)
            });
            PaymentError::NoChannel(NoChannel { route: None, removed: removed.collect() })
        };
        let details = of(&nobody(2)).get_error_details();
        let told = &details.precondition_failure().unwrap().violations;
        assert_eq!((told.len(), told[1].r#type.as_str(), told[1].subject.as_str()), (2, "amount", "c1"));
        assert_eq!(told[1].description, "too much");
        assert!(!details.error_info().unwrap().metadata.contains_key("channels_left_out"));

        let status = of(&nobody(10_000));
        let details = status.get_error_details();
        let told = details.precondition_failure().unwrap().violations.len();
        let left_out: usize = details.error_info().unwrap().metadata["channels_left_out"].parse().unwrap();
        assert_eq!(told + left_out, 10_000);
        assert!(status.details().len() < 6 * 1024, "{}", status.details().len());
    }

    #[test]
    fn refusals_of_the_front_have_reasons_too() {
        check(&unauthorized(KeyError::Wrong), Code::Unauthenticated, "unauthorized");
        check(&body_too_large(7), Code::ResourceExhausted, "body_too_large");
        check(&body_too_slow(), Code::DeadlineExceeded, "request_timeout");
        check(&body_broke_off(), Code::InvalidArgument, "invalid_request");
        check(&too_many_watches(7, "an app"), Code::ResourceExhausted, "rate_limited");
        check(&watch_is_over(), Code::Aborted, "watch_ended");
        check(&stopping(), Code::Unavailable, "overloaded");
        check(&internal(), Code::Internal, "internal");

        #[track_caller]
        fn check(status: &Status, code: Code, reason: &str) {
            assert_eq!(status.code(), code);
            assert_eq!(status.get_error_details().error_info().unwrap().reason, reason);
        }
    }
}
