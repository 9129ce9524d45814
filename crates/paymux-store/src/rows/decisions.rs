//! Rows of `decisions` and `config_versions`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use paymux_core::payment::Attempt;
use paymux_core::store::{ConfigVersion, KeptDecision};
use sea_orm::Value;

use super::{Cells, from_json, json, text, word};
use crate::fault::Fault;

/// A row of `decisions`.
pub(crate) fn decision_values(attempt: &Attempt, decision: &KeptDecision) -> Result<Vec<Value>, Fault> {
    let (decision, version) = match decision {
        KeptDecision::Compact { version, record } => {
            (STANDARD_NO_PAD.encode(record).into(), Some(version.to_string()))
        }
        KeptDecision::Told(record) => (json(record)?, None),
    };
    Ok(vec![word(attempt.id), decision, version.into()])
}

/// Reads a row of `decisions`.
pub(crate) fn read_decision(cells: &mut Cells<'_>) -> Result<KeptDecision, Fault> {
    let _attempt: String = cells.next()?;
    let decision: String = cells.next()?;
    Ok(match cells.maybe_parsed()? {
        Some(version) => {
            let record = STANDARD_NO_PAD.decode(decision);
            KeptDecision::Compact { version, record: record.map_err(|_| Fault::Corrupt("a record's bytes"))? }
        }
        None => KeptDecision::Told(from_json(&decision)?),
    })
}

/// A row of `config_versions`.
pub(crate) fn version_values(version: &ConfigVersion) -> Vec<Value> {
    vec![word(&version.digest), text(&version.content), version.since.ms().into()]
}

/// Reads a row of `config_versions`.
pub(crate) fn read_version(cells: &mut Cells<'_>) -> Result<ConfigVersion, Fault> {
    Ok(ConfigVersion { digest: cells.parsed()?, content: cells.next()?, since: cells.moment()? })
}
