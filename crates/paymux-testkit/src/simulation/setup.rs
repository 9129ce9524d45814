//! What the nodes of a run are configured with: apps, channels and routes, some of it by the seed.

use std::sync::Arc;
use std::time::Duration;

use paymux_core::catalog::{
    App, Catalog, ChannelEntry, DuplicatePaid, FailoverUnknown, Late, LateSuccess, Route, Rules, Scope,
    Strategy, When,
};
use paymux_core::ids::{AppId, ChannelId, RouteName};
use paymux_core::wire::{Endpoint, PlainHttp};
use paymux_core::{MethodPattern, Secret};
use paymux_sign::WebhookSecret;

use super::accounts::{ACCOUNTS, Form};
use super::bank::Bank;
use super::dice::Dice;
use super::limits::Limit;
use super::merchant::Merchant;
use super::wire::PretendChannel;

/// The merchants' names.
const APPS: [&str; 2] = ["shop", "market"];

/// The merchants.
pub(super) fn merchants(seed: u64) -> Vec<Arc<Merchant>> {
    APPS.iter().map(|name| Arc::new(Merchant::new(name, seed))).collect()
}

/// Names and addresses that are written in this file.
#[expect(clippy::expect_used, reason = "each text stands in this module, and a run of any seed reads all")]
pub(super) fn catalog(
    dice: &Dice,
    banks: &[Arc<Bank>],
    limits: &[Limit],
    merchants: &[Arc<Merchant>],
) -> Catalog {
    let apps = merchants.iter().map(|merchant| app(dice, merchant)).collect();
    let channel = |(bank, limit): (&Arc<Bank>, &Limit)| {
        let channel = PretendChannel::new(bank.account, &bank.host(), &bank.secret);
        let id = ChannelId::new(bank.account.id).expect("a channel's name");
        let mut entry = ChannelEntry::new(id, Arc::new(channel));
        entry.rules = rules(*limit);
        entry
    };
    let channels = banks.iter().zip(limits).map(channel).collect();
    let routes = vec![
        route(dice, "codes", "wechat.native", Form::Qr, &[0, 1, 2, 3, 3]),
        route(dice, "tills", "wechat.barcode", Form::Barcode, &[0, 1]),
    ];
    let public = Endpoint::parse("https://pay.example", PlainHttp::LoopbackOnly).expect("an address");
    let mut catalog = Catalog::new(apps, channels, routes, public);
    catalog.timing.request = Duration::from_secs(dice.one_of(&[5, 15]));
    catalog
}

#[expect(clippy::expect_used, reason = "each text stands in this module, and a run of any seed reads all")]
fn app(dice: &Dice, merchant: &Merchant) -> App {
    let mut app = App::new(merchant.app.clone(), &[Secret::new(merchant.host())]);
    let url = format!("https://{}/hook", merchant.host());
    app.notify_url = Some(Endpoint::parse(&url, PlainHttp::LoopbackOnly).expect("an address"));
    app.notify_secrets = vec![WebhookSecret::parse(&merchant.secret_text()).expect("a secret")];
    app.scopes = vec![Scope::Payments, Scope::Refunds, Scope::Transfers];
    app.duplicate_paid = dice.one_of(&[DuplicatePaid::Hold, DuplicatePaid::Refund, DuplicatePaid::Refund]);
    app.late_success = LateSuccess {
        expired: dice.one_of(&[Late::Accept, Late::Hold]),
        canceled: dice.one_of(&[Late::Accept, Late::Hold]),
    };
    app.transfer_amount_max = Some(20_000);
    app
}

fn rules(limit: Limit) -> Rules {
    Rules {
        day_amount_max: limit.amount,
        day_count_max: limit.count,
        in_flight_max: limit.in_flight,
        ..Rules::default()
    }
}

/// A route over some of the accounts of that form, in some order.
#[expect(clippy::expect_used, reason = "each text stands in this module, and a run of any seed reads all")]
fn route(dice: &Dice, name: &str, methods: &str, form: Form, failovers: &[u32]) -> Route {
    let places: Vec<usize> = ACCOUNTS
        .iter()
        .enumerate()
        .filter(|(_, account)| account.form == form)
        .map(|(place, _)| place)
        .collect();
    let mut channels = dice.shuffled(places);
    channels.truncate(usize::try_from(dice.between(2, 4)).unwrap_or(2));
    let unknown = [FailoverUnknown::Abandon, FailoverUnknown::Abandon, FailoverUnknown::Never];
    Route {
        name: RouteName::new(name).expect("a route's name"),
        when: When {
            methods: Some(vec![methods.parse::<MethodPattern>().expect("a method")]),
            ..When::default()
        },
        strategy: dice.one_of(&[Strategy::Random, Strategy::Priority]),
        channels,
        failover: dice.one_of(failovers),
        failover_unknown: dice.one_of(&unknown),
    }
}

/// The id of that app.
#[expect(clippy::expect_used, reason = "the names stand in this module")]
pub(super) fn app_id(name: &str) -> AppId {
    AppId::new(name).expect("an app's name")
}
