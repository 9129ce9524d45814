//! Which channels there are, and where each stands in its life.

use async_trait::async_trait;
use paymux_core::catalog::Lifecycle;
use paymux_core::ids::ChannelId;
use paymux_core::store::{AuditRow, BOUND_AT_ONCE, ChannelBook, ChannelRecord, StoreError};

use super::plain::{plain_audit, plain_channel};
use super::{Books, MemoryStore, corrupt};

#[async_trait]
impl ChannelBook for MemoryStore {
    async fn channel_records(&self) -> Result<Vec<ChannelRecord>, StoreError> {
        Ok(self.books()?.channels.values().cloned().collect())
    }

    async fn bind_channels(&self, mut new: Vec<ChannelRecord>) -> Result<bool, StoreError> {
        new.iter_mut().for_each(plain_channel);
        self.books()?.bind_channels(new)
    }

    async fn move_channel(
        &self,
        id: &ChannelId,
        seen_version: i64,
        state: Lifecycle,
        mut audit: AuditRow,
    ) -> Result<bool, StoreError> {
        plain_audit(&mut audit);
        self.books()?.move_channel(id, seen_version, state, audit)
    }
}

impl Books {
    fn bind_channels(&mut self, new: Vec<ChannelRecord>) -> Result<bool, StoreError> {
        if new.len() > BOUND_AT_ONCE || new.iter().any(|record| record.version != 1) {
            return corrupt("too many new channels at once, or one that was changed before");
        }
        let mut channels = self.channels.clone();
        for record in new {
            let is_taken = |known: &ChannelRecord| {
                known.id == record.id
                    || (&known.provider, &known.account) == (&record.provider, &record.account)
            };
            if channels.values().any(is_taken) {
                return Ok(false);
            }
            channels.insert(record.id.clone(), record);
        }
        self.channels = channels;
        Ok(true)
    }

    fn move_channel(
        &mut self,
        id: &ChannelId,
        seen_version: i64,
        state: Lifecycle,
        audit: AuditRow,
    ) -> Result<bool, StoreError> {
        let Some(version) = seen_version.checked_add(1) else { return corrupt("a count without bounds") };
        let is_needed = state == Lifecycle::Off && self.is_unended(id);
        let seen = self.channels.get(id).filter(|record| record.version == seen_version && !is_needed);
        let Some(mut record) = seen.cloned() else { return Ok(false) };
        self.check_audit(audit.id)?;
        (record.state, record.since, record.version) = (state, audit.at, version);
        record.by = Some(audit.operator.clone());
        self.channels.insert(id.clone(), record);
        self.audits.insert(audit.id, audit);
        Ok(true)
    }
}
