//! What a request for a transfer must keep to: what its app may pay out, and what its channel offers.

use crate::catalog::{Catalog, ChannelEntry, Lifecycle, Scope};
use crate::channel::{Can, Descriptor, PayoutSpec};
use crate::error::PaymentError;
use crate::ids::AppId;
use crate::payment::request::InvalidField;
use crate::transfer::NewTransfer;

/// The most that the app may pay out at once and in a day, in minor units. An app without a limit may
/// pay out nothing.
pub(super) fn amount_max(catalog: &Catalog, app: &AppId) -> Result<i64, PaymentError> {
    let limit = catalog.app(app).and_then(|app| app.transfer_amount_max);
    limit.ok_or(PaymentError::Forbidden(Scope::Transfers))
}

/// Whether the app may pay out so much at once.
pub(super) fn amount(request: &NewTransfer, amount_max: i64) -> Result<(), PaymentError> {
    if request.amount.minor() > amount_max {
        let per = "in one transfer".to_owned();
        return Err(PaymentError::TransferTooLarge { max_minor: amount_max, per });
    }
    Ok(())
}

/// The channel that the request names, if it pays out what is asked.
pub(super) fn channel<'a>(
    catalog: &'a Catalog,
    request: &NewTransfer,
) -> Result<&'a ChannelEntry, PaymentError> {
    let Some(entry) = catalog.channel(&request.channel) else {
        return Err(InvalidField::new("channel", unknown_channel(catalog)).into());
    };
    let state = catalog.state(entry);
    if !matches!(state, Lifecycle::Active | Lifecycle::Draining) {
        let rule = format!("`{}` is {state}; only an active or a draining channel pays out", entry.id);
        return Err(InvalidField::new("channel", rule).into());
    }
    let descriptor = entry.channel.descriptor();
    if !descriptor.can.has(Can::TRANSFER) {
        return Err(PaymentError::Unsupported { channel: entry.id.clone(), operation: "transfer" });
    }
    check_payout(descriptor, request)?;
    check_extra(descriptor, request)?;
    Ok(entry)
}

fn unknown_channel(catalog: &Catalog) -> String {
    let pays_out = |entry: &&ChannelEntry| entry.channel.descriptor().can.has(Can::TRANSFER);
    let known = catalog.channels().iter().filter(pays_out).map(|entry| entry.id.as_str());
    match listed(known) {
        Some(known) => format!("no channel has that id; those that pay out: {known}"),
        None => "no channel has that id, and none pays out".to_owned(),
    }
}

fn check_payout(descriptor: &Descriptor, request: &NewTransfer) -> Result<(), InvalidField> {
    let spec = descriptor.payouts.iter().find(|spec| spec.product == request.product);
    let Some(spec) = spec else {
        let known = listed(descriptor.payouts.iter().map(|spec| spec.product)).unwrap_or_default();
        return Err(InvalidField::new("product", format!("the channel pays out by: {known}")));
    };
    let currency = request.amount.currency();
    if !descriptor.currencies.contains(&currency) {
        return Err(InvalidField::new("currency", format!("the channel pays out no {currency}")));
    }
    if !(spec.amount_min..=spec.amount_max).contains(&request.amount.minor()) {
        let rule = format!("`{}` takes {} to {} minor units", spec.product, spec.amount_min, spec.amount_max);
        return Err(InvalidField::new("amount", rule));
    }
    check_payee(spec, request)
}

fn check_payee(spec: &PayoutSpec, request: &NewTransfer) -> Result<(), InvalidField> {
    let is_missing = |name: &&&str| !request.payee.contains_key(**name);
    match listed(spec.payee.iter().filter(is_missing).copied()) {
        Some(missing) => Err(InvalidField::new("payee", format!("`{}` also needs: {missing}", spec.product))),
        None => Ok(()),
    }
}

fn check_extra(descriptor: &Descriptor, request: &NewTransfer) -> Result<(), InvalidField> {
    let Some(name) = request.extra.keys().find(|name| !descriptor.takes_extra(name)) else { return Ok(()) };
    let rule = match listed(descriptor.extra.iter().map(|field| field.name)) {
        Some(known) => format!("unknown field; the channel takes: {known}"),
        None => "the channel takes no extra fields".to_owned(),
    };
    Err(InvalidField::new(format!("extra.{name}"), rule))
}

/// The names one after another; `None` where there is none.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<&str> = names.collect();
    (!names.is_empty()).then(|| names.join(", "))
}
