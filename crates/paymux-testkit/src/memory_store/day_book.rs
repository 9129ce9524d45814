//! What channels have collected day by day.

use std::collections::BTreeMap;

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::day::Day;
use paymux_core::ids::ChannelId;
use paymux_core::store::{CapacityFigure, DayBook, DayFigure, Income, StoreError};

use super::{Books, MemoryStore, corrupt};

/// The days, by channel and currency code.
pub(super) type Days = BTreeMap<(Day, ChannelId, &'static str), DayFigure>;

#[async_trait]
impl DayBook for MemoryStore {
    async fn day_figures(&self, day: Day) -> Result<Vec<DayFigure>, StoreError> {
        let books = self.books()?;
        Ok(books.days.iter().filter(|((of, ..), _)| *of == day).map(|(_, figure)| figure.clone()).collect())
    }

    async fn last_completed(&self) -> Result<Vec<(ChannelId, Timestamp)>, StoreError> {
        let mut last: BTreeMap<ChannelId, Timestamp> = BTreeMap::new();
        for figure in self.books()?.days.values() {
            if let Some(at) = figure.last_completed_at {
                let latest = last.entry(figure.channel.clone()).or_insert(at);
                *latest = at.max(*latest);
            }
        }
        Ok(last.into_iter().collect())
    }

    async fn capacity_figures(&self, day: Day) -> Result<Vec<CapacityFigure>, StoreError> {
        Ok(self.books()?.capacity_of(day))
    }
}

/// What is wrong with it, whatever is stored.
pub(super) fn check_income(income: &Income) -> Result<(), StoreError> {
    if income.money.minor() < 0 { corrupt("an income of less than nothing") } else { Ok(()) }
}

impl Books {
    pub(super) fn add_income(&mut self, income: Income) {
        let Income { channel, day, money, completed_at } = income;
        let key = (day, channel.clone(), money.currency().code());
        let figure = self.days.entry(key).or_insert(DayFigure {
            channel,
            currency: money.currency(),
            received: 0,
            completed: 0,
            last_completed_at: None,
        });
        figure.received += money.minor();
        figure.completed += i64::from(completed_at.is_some());
        figure.last_completed_at = figure.last_completed_at.max(completed_at);
    }
}
