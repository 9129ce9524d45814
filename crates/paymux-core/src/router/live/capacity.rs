//! How much of one channel's limits is used, as far as this process knows.

use std::collections::BTreeMap;

use crate::catalog::Rules;
use crate::store::{CapacityLimits, CapacitySpan, CapacityUse};

/// What is used of today's limits, and what is under way.
#[derive(Debug, Default)]
pub(super) struct Used {
    /// By the currency's code.
    today: BTreeMap<&'static str, CapacityUse>,
    flight: CapacityUse,
}

impl Used {
    /// Another day begins.
    pub(super) fn clear_day(&mut self) {
        self.today.clear();
    }

    /// So much more of it is used.
    pub(super) fn add(&mut self, span: CapacitySpan, by: CapacityUse) {
        let sum = match span {
            CapacitySpan::Day(_, currency) => self.today.entry(currency.code()).or_default(),
            CapacitySpan::Flight => &mut self.flight,
        };
        *sum = sum.plus(by);
    }

    /// The largest payment that fits under those rules, in minor units; 0 where none does.
    pub(super) fn room(&self, rules: &Rules) -> i64 {
        let today = self.today.get(rules.currency.code()).copied().unwrap_or_default();
        let (day, flight) = (rules.day_limits(), rules.flight_limits());
        if !(takes_one_more(day, today) && takes_one_more(flight, self.flight)) {
            return 0;
        }
        day.amount.map_or(i64::MAX, |most| most.saturating_sub(today.amount()).max(0))
    }
}

fn takes_one_more(limits: CapacityLimits, used: CapacityUse) -> bool {
    CapacityLimits { amount: None, ..limits }.hold(used.plus(CapacityUse { count: 1, ..CapacityUse::NONE }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::Day;
    use crate::money::Currency;

    #[test]
    fn what_is_left_is_the_largest_payment_that_fits() {
        let today = CapacitySpan::Day(Day::from_number(1), Currency::CNY);
        let rules = |amount, count, flight| Rules {
            day_amount_max: amount,
            day_count_max: count,
            in_flight_max: flight,
            ..Rules::default()
        };
        let mut used = Used::default();
        used.add(today, CapacityUse { reserved: 300, booked: 500, count: 2 });
        used.add(CapacitySpan::Flight, CapacityUse { count: 1, ..CapacityUse::NONE });
        for (rules, want) in [
            (rules(None, None, None), i64::MAX),
            (rules(Some(1000), None, None), 200),
            (rules(Some(800), None, None), 0),
            // Late money went above it.
            (rules(Some(700), None, None), 0),
            (rules(Some(1000), Some(3), None), 200),
            (rules(Some(1000), Some(2), None), 0),
            (rules(None, None, Some(2)), i64::MAX),
            (rules(None, None, Some(1)), 0),
        ] {
            assert_eq!(used.room(&rules), want, "{rules:?}");
        }
        used.clear_day();
        assert_eq!(used.room(&rules(Some(800), Some(2), Some(2))), 800);
        let in_yen = Rules { currency: Currency::from_code("JPY").unwrap(), ..rules(Some(9), None, None) };
        used.add(today, CapacityUse { reserved: 5, booked: 0, count: 1 });
        assert_eq!(used.room(&in_yen), 9, "each currency has a day of its own");
    }
}
