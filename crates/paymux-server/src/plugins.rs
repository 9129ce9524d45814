//! The one list of providers and of their simulators: nothing else in this crate names a plugin. A provider is one
//! line of it, which `cargo xtask new-channel` writes.

#[cfg(test)]
mod catalogue;

use std::sync::Arc;

use clap::ValueEnum;
use paymux_core::Provider;
use paymux_sim::{BeeCloudSim, CloudPaySim, FufuSim, Running, SimAccount, SimConfig, StartError};

/// Every provider that this binary knows, in the order in which lists show them. A sandbox keeps its
/// books in the provider, so a process makes this list once.
pub fn providers() -> Vec<Arc<dyn Provider>> {
    vec![
        paymux_beecloud::provider(),
        paymux_cloudpay::provider(),
        paymux_fufu::provider(),
        paymux_sandbox::provider(),
    ]
}

/// A provider that can be simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Simulated {
    /// BeeCloud.
    #[value(name = "beecloud")]
    BeeCloud,
    /// cloudpay.
    #[value(name = "cloudpay")]
    CloudPay,
    /// FuFu.
    #[value(name = "fufu")]
    Fufu,
}

impl Simulated {
    /// The provider's slug.
    pub fn slug(self) -> &'static str {
        match self {
            Self::BeeCloud => paymux_beecloud::ID,
            Self::CloudPay => paymux_cloudpay::ID,
            Self::Fufu => paymux_fufu::ID,
        }
    }

    /// What the sign of a create covers and what it leaves open, in a sentence for the demo.
    pub fn sign_covers(self) -> &'static str {
        match self {
            // Source: BeeCloud V2 document, common parameters, `app_sign`.
            Self::BeeCloud => {
                "app_sign is MD5 over app_id, timestamp and app_secret: it proves who asks and when, not how \
                 much, so what is paid is compared with the ledger"
            }
            // Source: cloudpay's integration document, signature.
            Self::CloudPay => {
                "sign is MD5 over the MD5 of appkey, price, type, out_order_id and custom, and appsecret: nothing \
                 stands between them, so each is compared with the ledger too"
            }
            // Source: FuFu interface 1.1.1, signature.
            Self::Fufu => {
                "sign is MD5 over timestamp, key and the body without its blanks: it proves what is asked and by \
                 whom, and an answer carries none, so each is compared with what was asked"
            }
        }
    }

    /// An account with made-up credentials: the same seed gives the same ones.
    pub fn account(self, key: &str, seed: u64, notify_url: Option<String>) -> SimAccount {
        match self {
            Self::BeeCloud => BeeCloudSim::account(key, seed, notify_url),
            Self::CloudPay => CloudPaySim::account(key, seed, notify_url),
            Self::Fufu => FufuSim::account(key, seed, notify_url),
        }
    }

    /// Starts its simulator.
    ///
    /// # Errors
    /// When its address cannot be had or its set-up is wrong.
    pub async fn start(self, config: SimConfig) -> Result<Running, StartError> {
        match self {
            Self::BeeCloud => BeeCloudSim::start(config).await,
            Self::CloudPay => CloudPaySim::start(config).await,
            Self::Fufu => FufuSim::start(config).await,
        }
    }
}
