//! Another configuration while payments run.

use std::fmt;
use std::time::Duration;

use super::Payments;
use super::lifecycle::{BOUND, Overruled};
use crate::catalog::{Catalog, ChannelEntry};
use crate::error::PaymentError;
use crate::ids::ChannelId;

/// Why a channel cannot be taken away, or given to another account, just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// Which.
    pub channel: ChannelId,
    /// Why, and what to do.
    pub why: String,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "channel `{}`: {}", self.channel, self.why)
    }
}

impl Payments {
    /// Puts another catalog in the place of this one, for everything that begins from then on; work under way keeps
    /// the old one. Refused where it lacks a channel of which something is unended, or whose provider may still
    /// send callbacks, and where it gives a channel's id to another account, or an account to another id: then
    /// nothing changes, and every obstacle is told. Else gives its states that do not count, since the ledger's do.
    pub async fn replace_catalog(
        &self,
        catalog: Catalog,
    ) -> Result<Result<Vec<Overruled>, Vec<Obstacle>>, PaymentError> {
        let old = self.catalog();
        let mut obstacles = Vec::new();
        for entry in old.channels() {
            obstacles.extend(self.obstacle(entry, catalog.channel(&entry.id)).await?);
        }
        if !obstacles.is_empty() {
            return Ok(Err(obstacles));
        }
        let bound = self.bind(&catalog).await?;
        if bound.is_ok() {
            self.0.catalog.replace(catalog);
        }
        Ok(bound)
    }

    async fn obstacle(
        &self,
        old: &ChannelEntry,
        new: Option<&ChannelEntry>,
    ) -> Result<Option<Obstacle>, PaymentError> {
        let account = |entry: &ChannelEntry| {
            let descriptor = entry.channel.descriptor();
            (descriptor.provider, descriptor.account_key.clone())
        };
        let why = match new {
            Some(new) if account(old) == account(new) => return Ok(None),
            Some(_) => Some(BOUND.to_owned()),
            None => {
                let still = self.in_use(old).await?;
                still.map(|still| {
                    format!("{still}; leave it in the configuration, and let it be `verify-only`")
                })
            }
        };
        Ok(why.map(|why| Obstacle { channel: old.id.clone(), why }))
    }

    /// What money still needs a channel for, if anything.
    pub(super) async fn in_use(&self, entry: &ChannelEntry) -> Result<Option<String>, PaymentError> {
        let channel_use = self.store().channel_use(&entry.id).await?;
        if channel_use.is_unended {
            return Ok(Some("payments, refunds or transfers of it have not ended".to_owned()));
        }
        let watches = entry.channel.descriptor().methods.iter().map(|spec| spec.watch);
        let watch = watches.max().unwrap_or(Duration::ZERO);
        let until = channel_use.last_end.map(|end| end.plus(watch)).filter(|until| *until > self.now());
        Ok(until.map(|until| format!("its provider may send callbacks until {until}")))
    }
}
