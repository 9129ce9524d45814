//! Routing alone: no ledger, no network, no clock. The same seed makes the same choice.

use std::error::Error;
use std::io::{self, Write};

use paymux::{
    AppId, Ask, Builder, ChannelPlan, NewPayment, PaymentRequest, RoutePlan, Router, Settings, Strategy,
    Timestamp,
};

fn main() -> Result<(), Box<dyn Error>> {
    tell(&mut io::stdout())
}

pub(crate) fn tell(out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let bank = paymux::sandbox::provider();
    let channel = |id, weight| ChannelPlan::of(id, &bank, Settings::new()).weight(weight);
    let route = RoutePlan::new("default", Strategy::Weighted, ["north", "south"]);
    let set_up =
        Builder::new().test_mode().channel(channel("north", 6)).channel(channel("south", 3)).route(route);
    let catalog = set_up.catalog()?;

    let tea = NewPayment::check(&PaymentRequest::new("A1001", 1999, "CNY", "wechat.native", "Tea"))?;
    let ask = Ask::of(&catalog, &AppId::new("shop")?, &tea, Timestamp::from_ms(0));
    let decision = Router::new(&catalog).explain(&ask, 7);
    writeln!(out, "{} takes {}", decision.picked.ok_or("nobody may take it")?, tea.amount)?;
    for (channel, picks) in Router::new(&catalog).spread(&ask, 7, 9000) {
        writeln!(out, "{picks} of 9000 go to {channel}")?;
    }
    Ok(())
}
