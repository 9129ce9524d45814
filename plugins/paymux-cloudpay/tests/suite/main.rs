//! cloudpay through the doors that everybody uses: its provider, its channels, its acceptor.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::needless_pass_by_value, reason = "rows read better with values")]

mod borders;
mod callback;
mod codes;
mod create;
mod decisions;
mod descriptor;
mod diagnosis;
mod front;
mod front_notices;
mod life;
mod returns;
mod rig;
mod rotation;
mod round_trip;
mod world;
