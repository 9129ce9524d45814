//! Another configuration while payments run.

use std::fmt;
use std::time::Duration;

use super::Payments;
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
    /// send callbacks, or where it gives a channel's id to another account: then nothing changes, and every
    /// obstacle is told.
    pub async fn replace_catalog(&self, catalog: Catalog) -> Result<Result<(), Vec<Obstacle>>, PaymentError> {
        let old = self.catalog();
        let mut obstacles = Vec::new();
        for entry in old.channels() {
            obstacles.extend(self.obstacle(entry, catalog.channel(&entry.id)).await?);
        }
        if obstacles.is_empty() {
            self.0.catalog.replace(catalog);
            return Ok(Ok(()));
        }
        Ok(Err(obstacles))
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
            Some(_) => Some(
                "its id is bound to its account for ever; give the other account an id of its own".to_owned(),
            ),
            None => self.why_it_must_stay(old).await?,
        };
        Ok(why.map(|why| Obstacle { channel: old.id.clone(), why }))
    }

    async fn why_it_must_stay(&self, entry: &ChannelEntry) -> Result<Option<String>, PaymentError> {
        let channel_use = self.store().channel_use(&entry.id).await?;
        if channel_use.is_unended {
            let why = "payments, refunds or transfers of it have not ended; leave it in, with state = \"verify-only\"";
            return Ok(Some(why.to_owned()));
        }
        let watches = entry.channel.descriptor().methods.iter().map(|spec| spec.watch);
        let watch = watches.max().unwrap_or(Duration::ZERO);
        let until = channel_use.last_end.map(|end| end.plus(watch)).filter(|until| *until > self.now());
        Ok(until.map(|until| {
            format!(
                "its provider may send callbacks until {until}; leave it in until then, with state = \"verify-only\""
            )
        }))
    }
}
