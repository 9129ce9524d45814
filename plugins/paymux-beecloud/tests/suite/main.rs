//! BeeCloud through the doors that everybody uses: its provider, its channels, its acceptor.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::needless_pass_by_value, reason = "rows read better with values")]

mod borders;
mod callback;
mod codes;
mod create;
mod diagnosis;
mod front;
mod front_answers;
mod front_payouts;
mod front_refunds;
mod front_v1;
mod lists;
mod native;
mod query;
mod refunds;
mod rig;
mod round_trip;
