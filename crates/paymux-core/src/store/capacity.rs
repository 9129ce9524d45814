//! What channels' limits have been used up: of a day, and of what is under way at once.

use crate::day::Day;
use crate::ids::ChannelId;
use crate::money::Currency;

/// What a limit is counted over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CapacitySpan {
    /// The attempts that were made on that day, in the day zone, in that currency.
    Day(Day, Currency),
    /// The attempts that are under way at this moment: only [`CapacityUse::count`] is counted.
    Flight,
}

/// What attempts use of a channel's limit, or by how much one change makes that more or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CapacityUse {
    /// What is set aside for attempts that may still take it, in minor units.
    pub reserved: i64,
    /// What came in, in minor units, and however late.
    pub booked: i64,
    /// How many attempts there are that may still take money, or have taken some.
    pub count: i64,
}

impl CapacityUse {
    /// Nothing.
    pub const NONE: Self = Self { reserved: 0, booked: 0, count: 0 };

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            reserved: self.reserved.saturating_add(other.reserved),
            booked: self.booked.saturating_add(other.booked),
            count: self.count.saturating_add(other.count),
        }
    }

    /// What is left of this without the other.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self {
            reserved: self.reserved.saturating_sub(other.reserved),
            booked: self.booked.saturating_sub(other.booked),
            count: self.count.saturating_sub(other.count),
        }
    }

    /// What is set aside and what came in, in minor units.
    pub fn amount(self) -> i64 {
        self.reserved.saturating_add(self.booked)
    }
}

/// How much of a channel may be used at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CapacityLimits {
    /// In minor units, set aside and come in together; `None` = any.
    pub amount: Option<i64>,
    /// Attempts; `None` = any.
    pub count: Option<i64>,
}

impl CapacityLimits {
    /// Whether so much may be used.
    pub fn hold(self, used: CapacityUse) -> bool {
        self.amount.is_none_or(|most| used.amount() <= most)
            && self.count.is_none_or(|most| used.count <= most)
    }
}

/// By how much a change makes more or less of what one channel's limit has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapacityMove {
    /// The channel.
    pub channel: ChannelId,
    /// Which of its limits.
    pub span: CapacitySpan,
    /// By how much.
    pub by: CapacityUse,
    /// What must hold with it, or else nothing of the change is written. `None` for what has happened already:
    /// money that came in is booked whatever the limit says.
    pub within: Option<CapacityLimits>,
}

/// How much of one channel's limit is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapacityFigure {
    /// The channel.
    pub channel: ChannelId,
    /// Which of its limits.
    pub span: CapacitySpan,
    /// How much.
    pub used: CapacityUse,
}
