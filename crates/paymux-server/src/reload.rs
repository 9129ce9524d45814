//! The configuration file, read again while everything runs: at SIGHUP or at an operator's word. One that is wrong, or
//! that takes a channel away too early, changes nothing; nor does one whose certificate or key is wrong.

use std::path::PathBuf;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use async_trait::async_trait;
use paymux_core::wire::Endpoint;
use paymux_core::{Payments, Provider};
use paymux_http::Tls;
use paymux_http::admin::{NotReloaded, Reload, Reloaded};
use tokio::sync::Mutex;

use crate::config::{self, Config, Mistakes, PublicUrl, Settings};
use crate::environment::Environment;

/// Where a configuration comes from.
#[derive(Clone)]
pub struct Source {
    /// The file.
    pub file: PathBuf,
    /// The process's environment, as it was at the start: what goes over the file, and secrets.
    pub environment: Environment,
    /// The providers that it was read with: some keep what outlives a reload.
    pub providers: Vec<Arc<dyn Provider>>,
}

impl Source {
    /// Reads it.
    ///
    /// # Errors
    /// Every mistake that was found.
    pub fn load(&self) -> Result<Config, Mistakes> {
        config::load(&self.file, &self.environment, &self.providers)
    }
}

/// The hash of the configuration in force.
#[derive(Debug, Clone)]
pub(crate) struct InForce(Arc<StdMutex<String>>);

impl InForce {
    pub(crate) fn new(hash: String) -> Self {
        Self(Arc::new(StdMutex::new(hash)))
    }

    pub(crate) fn hash(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_now(&self, hash: &str) {
        hash.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Reads a node's configuration again.
pub(crate) struct Reloader {
    /// `None` where the node was not started from a file.
    pub(crate) source: Option<Source>,
    pub(crate) payments: Payments,
    /// What the process was started with.
    pub(crate) settings: Settings,
    /// The address that callbacks come back to, where it is the listener's own.
    pub(crate) own_address: Option<Endpoint>,
    /// How the main listener speaks TLS, where it does.
    pub(crate) tls: Option<Tls>,
    pub(crate) in_force: InForce,
    /// One reload at a time: what is put in force last is what was read last.
    pub(crate) turn: Mutex<()>,
}

#[async_trait]
impl Reload for Reloader {
    async fn reload(&self) -> Result<Reloaded, NotReloaded> {
        let _turn = self.turn.lock().await;
        let outcome = self.reload_now().await;
        match &outcome {
            Ok(done) => {
                for remark in &done.remarks {
                    tracing::warn!("{remark}");
                }
                for key in &done.at_next_start {
                    tracing::warn!(key, "a changed key counts only from the next start on");
                }
                tracing::info!(config = done.config, "another configuration is in force");
            }
            Err(NotReloaded::Refused(mistakes)) => {
                for mistake in mistakes {
                    tracing::error!("{mistake}");
                }
                tracing::error!("the configuration is not taken; the one in force stays");
            }
            Err(NotReloaded::Failed(error)) => {
                tracing::error!(%error, "the configuration could not be taken; the one in force stays");
            }
        }
        outcome
    }
}

impl Reloader {
    async fn reload_now(&self) -> Result<Reloaded, NotReloaded> {
        let source = self.source.as_ref();
        let source = source
            .ok_or_else(|| NotReloaded::Refused(vec!["this node was not started from a file".to_owned()]))?;
        let lines = |mistakes: Mistakes| mistakes.to_string().lines().map(str::to_owned).collect();
        let config = source.load().map_err(|mistakes| NotReloaded::Refused(lines(mistakes)))?;
        let mut catalog = config.catalog;
        if config.settings.public_url == PublicUrl::OfListener
            && let Some(own) = &self.own_address
        {
            catalog.public_url = own.clone();
        }
        let overruled = match self.payments.replace_catalog(catalog).await {
            Ok(Ok(overruled)) => overruled,
            Ok(Err(obstacles)) => {
                return Err(NotReloaded::Refused(obstacles.iter().map(ToString::to_string).collect()));
            }
            Err(error) => return Err(NotReloaded::Failed(error)),
        };
        if let (Some(tls), Some(identity)) = (&self.tls, config.settings.tls.clone()) {
            tls.replace(identity);
        }
        self.in_force.is_now(&config.hash);
        Ok(Reloaded {
            config: config.hash,
            remarks: config.remarks.into_iter().chain(overruled.iter().map(ToString::to_string)).collect(),
            at_next_start: self.settings.changed_in(&config.settings),
        })
    }
}
