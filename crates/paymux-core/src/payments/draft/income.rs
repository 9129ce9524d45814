//! What a change adds to the days of its channels.

use std::collections::BTreeMap;

use super::{Draft, Notice};
use crate::ids::ChannelId;
use crate::money::Money;
use crate::payment::AttemptState;
use crate::posting::{Account, PostingKind};
use crate::store::{EventKind, Income};

impl Draft<'_> {
    /// One for each channel and currency: the money that its postings bring in, and whether the payment is a
    /// success from now on.
    pub(super) fn incomes(&self) -> Vec<Income> {
        let day = self.catalog.day_zone.day(self.now);
        let fresh = |channel: &ChannelId, currency| Income {
            channel: channel.clone(),
            day,
            money: Money::zero(currency),
            completed_at: None,
        };
        let mut incomes = BTreeMap::new();
        for posting in &self.postings {
            let Account::Channel(channel) = &posting.debit else { continue };
            if !matches!(posting.kind, PostingKind::Received | PostingKind::Held) {
                continue;
            }
            let currency = posting.amount.currency();
            let income: &mut Income =
                incomes.entry((channel, currency.code())).or_insert_with(|| fresh(channel, currency));
            match income.money.checked_add(posting.amount) {
                Ok(sum) => income.money = sum,
                Err(error) => tracing::error!(%channel, %error, "what came in cannot be added up"),
            }
        }
        if self.has_succeeded()
            && let Some(paid) = self.after.attempts.iter().find(|a| a.state == AttemptState::Paid)
        {
            let currency = paid.received.unwrap_or(self.after.amount).currency();
            let income = incomes
                .entry((&paid.channel, currency.code()))
                .or_insert_with(|| fresh(&paid.channel, currency));
            income.completed_at = Some(self.now);
        }
        incomes.into_values().collect()
    }

    fn has_succeeded(&self) -> bool {
        self.events.iter().any(|notice| matches!(notice, Notice::Payment(EventKind::PaymentSucceeded)))
    }
}
