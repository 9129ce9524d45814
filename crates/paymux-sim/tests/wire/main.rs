//! Drives the simulated BeeCloud over real sockets with requests that are written here byte by byte,
//! signed by a digest computed here: neither the plugin's client nor its signing takes part. `channel`
//! and `channel_refunds` are the exception: they put the plugin's channel against the simulator. `cloudpay` does both
//! for the other provider.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy lets tests unwrap, and does not see that these are helpers of tests"
)]

mod channel;
mod channel_refunds;
mod cloudpay;
mod control;
mod faults;
mod fufu;
mod notices;
mod orders;
mod refunds;
mod support;
