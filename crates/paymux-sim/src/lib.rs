//! The providers as real HTTP servers with faults: the same wire as theirs, a pretend bank behind it.
//!
//! A simulator is a plugin's acceptor (which reads, checks and answers in the provider's protocol),
//! a bank that keeps books in memory, a sender of signed webhooks with the provider's repeats, and
//! faults that can be scripted or drawn from a seed. `paymux sim` and `paymux demo` run it, tests
//! and load runs too.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use paymux_sim::{BeeCloudSim, SimConfig};
//!
//! let hook = Some("http://127.0.0.1:8080/notify/bee-main".to_owned());
//! let account = BeeCloudSim::account("main", 7, hook);
//! let sim = BeeCloudSim::start(SimConfig { accounts: vec![account], ..SimConfig::default() }).await?;
//! println!("a channel's base_url is {}", sim.base_url());
//! sim.bank().pay("PMX20240301000001")?;
//! sim.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # How money goes back
//! A refund of a till order is done by its call. Alipay's online refund waits until somebody opens the
//! address in its answer and lets it go, or until `POST /sim/refund/{number}`. The others end by
//! themselves, [`SimConfig::refunds`], or by the same call with `{"outcome": "failed"}`. Of WeChat,
//! Yeepay, 99Bill and Baidu no webhook tells, and the records show an end only once their state was
//! asked for. One refund of an order may succeed, unless [`SimConfig::refunds_per_order`] says more;
//! in all never more than was paid.
//!
//! # How a payer pays
//! By [`Bank::pay`], by `POST /sim/pay/{number}`, or on the page that the create's QR code or
//! address leads to. A barcode pays by its last digit: 0 2 4 6 8 at once; 9 after a password (2 s);
//! 7 is asked for one and leaves; 5 has too little money; 3 leaves the create in doubt and is paid;
//! 1 leaves it in doubt and is not.
//!
//! Where the provider's own page leads the payer back, the page has a link with what the protocol adds and signs,
//! once the webhook was acknowledged. The picture of a page's code is at the page's path with `/qr.svg` behind it.
//!
//! # What can go wrong
//! See [`CallFault`] and [`NoticeFault`]; [`Rule`] says which calls they meet, how often and how
//! likely. `POST /sim/faults` takes the same as JSON:
//! ```json
//! {"calls":   [{"operation": "pay", "times": 2, "fault": {"kind": "close_after"}},
//!              {"per_million": 10000, "fault": {"kind": "latency", "ms": 300}}],
//!  "notices": [{"number": "PMX20240301000001", "fault": {"kind": "bad_signature"}}]}
//! ```
//!
//! FuFu's codes are words: `code` is a code's place in the document's table, from 0 on, so that 8 is `EXCEPTION`
//! and 15 `SERIAL_REPEAT`.
//!
//! # What is FuFu's own
//! A scan that nobody pays is cancelled after 80 s; a `cancel` ends scans alone, 15 s after they were made and
//! from 01:00 to 23:00 in China, a `close` the other orders. Of scans and refunds nothing is sent; refunds end by
//! themselves, as many of one order as its money allows. A barcode in doubt is answered with state 0.
//!
//! It is a test tool: whoever reaches its address can pay, read the books and break things. It
//! listens on this machine only unless told otherwise, and no real money moves through it.
//!
//! Not here: any provider's wire, which is its plugin's.

mod barcode;
mod beecloud;
mod books;
mod call;
mod cloudpay;
mod config;
mod courier;
mod dialect;
mod dice;
mod engine;
mod faults;
mod fufu;
mod guarded;
mod shell;
mod simulator;
mod stats;

pub use beecloud::BeeCloudSim;
pub use books::refunds::{REFUNDS_MAX, RefundEnd, RefundError, RefundState, RefundView};
pub use books::{NoticeOutcome, NoticeTry, ORDERS_MAX, OrderState, OrderView, Pay, PayError};
pub use call::Reply;
pub use cloudpay::CloudPaySim;
pub use config::{PayerHabit, RefundHabit, SimAccount, SimConfig, StartError};
pub use faults::{CallFault, FaultEffect, FaultPlan, NoticeFault, RULES_MAX, Rule, TooManyRules};
pub use fufu::FufuSim;
pub use simulator::{Bank, Running};
pub use stats::Stats;
