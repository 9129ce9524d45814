//! No secret in anything that is shown: errors, `Debug`, log lines, answers to callbacks.

use std::time::Duration;

use paymux_core::WireResponse;
use paymux_core::acceptor::FrontFact;
use paymux_core::channel::Verdict as Taken;
use paymux_core::provider::{ChannelSite, Settings};
use paymux_core::transport::NoAnswer;
use serde_json::Value;

use super::case::{Case, Verdict};
use super::ears::Ears;
use super::rig::{Mishap, NUMBER, Op, Rig, after, site};
use super::subject::{Key, Subject};

pub(super) const CASES: &[Case] = &[Case::calls("call::silent", |subject| Box::pin(silent(subject)))];

/// A secret must be so long that it cannot stand somewhere by chance.
const SECRET_CHARS_MIN: usize = 8;
/// So must a query or a body.
const MESSAGE_CHARS_MIN: usize = 16;

async fn silent(subject: &dyn Subject) -> Verdict {
    let secrets = secrets(subject)?;
    let ears = Ears::open();
    let mut shown = mistakes(subject)?;
    for op in Op::ALL {
        for mishap in mishaps() {
            shown.extend(after_a_call(subject, op, mishap).await?);
        }
    }
    shown.extend(after_callbacks(subject)?);
    shown.extend(ears.heard());
    for (key, secret) in &secrets {
        for text in &shown {
            ensure!(
                !text.contains(secret.as_str()),
                "`{key}` stands in: {}",
                text.replace(secret.as_str(), "****")
            );
        }
    }
    Ok(())
}

/// The secrets of the subject's account, by the names of their keys.
fn secrets(subject: &dyn Subject) -> Result<Vec<(&'static str, String)>, String> {
    let settings = subject.settings();
    let provider = subject.provider();
    let mut secrets: Vec<(&'static str, String)> = Vec::new();
    for key in provider.settings().iter().filter(|key| key.secret) {
        let value =
            settings.get(key.name).and_then(Value::as_str).filter(|text| text.len() >= SECRET_CHARS_MIN);
        let value = value.ok_or_else(|| {
            format!(
                "`settings()`: give the secret `{}` a text of {SECRET_CHARS_MIN} characters or more",
                key.name
            )
        })?;
        let is_known = secrets.iter().any(|(_, other)| other == value);
        ensure!(!is_known, "`settings()`: give the secret `{}` a value of its own", key.name);
        secrets.push((key.name, value.to_owned()));
    }
    ensure!(!secrets.is_empty(), "the plugin lists no setting as a secret: what signs callbacks?");
    Ok(secrets)
}

/// What the plugin says to secrets of a wrong form.
fn mistakes(subject: &dyn Subject) -> Result<Vec<String>, String> {
    let (settings, provider) = (subject.settings(), subject.provider());
    let mut shown = Vec::new();
    for (key, secret) in secrets(subject)? {
        for wrong in [Value::from(format!(" {secret}\n")), Value::from(vec![secret.clone()])] {
            let changed: Settings = [(key.to_owned(), wrong)].into_iter().collect();
            let settings = settings.clone().into_iter().chain(changed).collect();
            if let Err(errors) = provider.channel(ChannelSite { id: site()? }, settings) {
                shown.extend(errors.iter().map(|error| format!("{error} {error:?}")));
            }
        }
    }
    Ok(shown)
}

fn mishaps() -> Vec<Option<Mishap>> {
    let says = |status, text: &str| {
        Some(Mishap::Says(WireResponse::with_status(status, "text/plain", text.to_owned())))
    };
    vec![
        None,
        Some(Mishap::NotSent),
        Some(Mishap::Cut(NoAnswer::Broken)),
        Some(Mishap::Alters(|answer| WireResponse { status: 500, ..answer })),
        Some(Mishap::Alters(|answer| WireResponse { status: 400, ..answer })),
        says(200, "no"),
        says(401, "{\"error\": \"bad sign\"}"),
    ]
}

/// What a call shows, whatever became of it; of an error neither the query nor the body of what was sent.
async fn after_a_call(subject: &dyn Subject, op: Op, mishap: Option<Mishap>) -> Result<Vec<String>, String> {
    let rig = Rig::for_op(subject, op)?;
    if !rig.can(op) {
        return Ok(Vec::new());
    }
    rig.ready(op).await?;
    if let Some(mishap) = mishap {
        rig.line.strike(mishap);
    }
    let told = rig.call(op).await?;
    let sent = rig.line.sent();
    let mut shown = vec![format!("{:?}", rig.channel.descriptor()), format!("{told:?}")];
    shown.extend(sent.iter().map(|(_, request)| format!("{request:?}")));
    if let Err(error) = told {
        let text = format!("{error} {error:?}");
        for (_, request) in &sent {
            let body = String::from_utf8_lossy(&request.body);
            let query = request.query.as_deref().unwrap_or_default();
            for (what, message) in [("query", query), ("body", body.as_ref())] {
                let is_shown = message.len() >= MESSAGE_CHARS_MIN && text.contains(message);
                ensure!(!is_shown, "the {what} of a {op:?} stands in its error");
            }
        }
        shown.push(text);
    }
    Ok(shown)
}

/// What callbacks show, believed or not.
fn after_callbacks(subject: &dyn Subject) -> Result<Vec<String>, String> {
    let rig = Rig::new(subject)?;
    let fact = FrontFact::Paid(Box::new(rig.paid_order(NUMBER)?));
    let mut shown = Vec::new();
    let good = subject.callback(Key::Current, &fact, after(Duration::ZERO));
    let sign = subject.signing().sign;
    let mut requests = vec![good.clone(), subject.callback(Key::Stranger, &fact, after(Duration::ZERO))];
    requests.extend(sign.changed(&good).unwrap_or_default());
    requests.extend(sign.in_other_case(&good));
    requests.extend(sign.removed(&good).into_iter().flatten());
    for request in requests {
        let claim = rig.channel.verify_callback(&request);
        shown.push(format!("{claim:?} {request:?}"));
        shown.extend(claim.err().map(|error| error.to_string()));
    }
    let answers =
        [Taken::Accepted, Taken::Rejected, Taken::TryAgain].map(|taken| rig.channel.acknowledge(taken));
    for answer in answers.into_iter().chain([rig.channel.acknowledge_misfit()]) {
        shown.push(format!("{answer:?} {}", String::from_utf8_lossy(&answer.body)));
    }
    Ok(shown)
}
