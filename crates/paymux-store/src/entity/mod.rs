//! The tables as sea-orm knows them: the one list of columns, in the order in which rows are
//! written and read.
//!
//! Not here: the schema itself ([`crate::migration`]), and what a row means ([`crate::rows`]).

#![expect(unreachable_pub, reason = "the derive wants its model as public as the entity it makes")]

pub(crate) mod attempts;
pub(crate) mod audit;
pub(crate) mod callbacks;
pub(crate) mod channel_capacity;
pub(crate) mod channel_day;
pub(crate) mod channels;
pub(crate) mod claims;
pub(crate) mod config_versions;
pub(crate) mod decisions;
pub(crate) mod deliveries;
pub(crate) mod endpoints;
pub(crate) mod events;
pub(crate) mod payments;
pub(crate) mod postings;
pub(crate) mod refunds;
pub(crate) mod transfers;
