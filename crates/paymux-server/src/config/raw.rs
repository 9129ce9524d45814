//! The tables of a configuration as they are written: every key that there is, none of them judged yet.
//!
//! An absent key is `None`; its default stands in `config/default.toml`, which is merged in before, or,
//! inside of a list, where the element is checked.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::secret::RawSecret;

/// A whole configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) server: Server,
    pub(super) store: Store,
    pub(super) routing: Routing,
    pub(super) outbound: Outbound,
    pub(super) timeouts: Timeouts,
    pub(super) sweeper: Sweeper,
    pub(super) health: Health,
    pub(super) notices: Notices,
    pub(super) desk: Desk,
    pub(super) limits: Limits,
    /// Which fronts are served, by their slugs, which are the plugins'; and `allow_plain_http`.
    pub(super) compat: BTreeMap<String, bool>,
    pub(super) apps: Vec<App>,
    pub(super) channels: Vec<Channel>,
    pub(super) routes: Vec<Route>,
}

/// `[server]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Server {
    pub(super) http: Option<String>,
    pub(super) admin: Option<String>,
    pub(super) admin_token: Option<RawSecret>,
    pub(super) public_url: Option<String>,
    pub(super) tls_cert: Option<String>,
    pub(super) tls_key: Option<String>,
    pub(super) trusted_proxies: Option<Vec<String>>,
    pub(super) test_mode: Option<bool>,
    pub(super) metrics: Option<String>,
}

/// `[store]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Store {
    pub(super) url: Option<RawSecret>,
}

/// `[routing]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Routing {
    pub(super) day_zone: Option<String>,
    pub(super) snapshot_ms: Option<i64>,
}

/// `[outbound]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Outbound {
    pub(super) allow_private_addresses: Option<bool>,
}

/// `[timeouts]`
#[expect(clippy::struct_field_names, reason = "keys are written with their unit")]
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Timeouts {
    pub(super) connect_ms: Option<i64>,
    pub(super) request_ms: Option<i64>,
    pub(super) answer_ms: Option<i64>,
    pub(super) failover_budget_ms: Option<i64>,
    pub(super) notice_ms: Option<i64>,
}

/// `[sweeper]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Sweeper {
    pub(super) interval_ms: Option<i64>,
}

/// `[health]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Health {
    pub(super) errors: Option<i64>,
    pub(super) window_ms: Option<i64>,
    pub(super) cooldown_ms: Option<i64>,
    pub(super) probe_percent: Option<i64>,
    pub(super) slow_ms: Option<i64>,
}

/// `[notices]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Notices {
    pub(super) retry_ms: Option<Vec<i64>>,
}

/// `[desk]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Desk {
    pub(super) settle_ms: Option<i64>,
    pub(super) patience_ms: Option<i64>,
}

/// `[limits]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) body_bytes: Option<i64>,
    pub(super) callback_bytes: Option<i64>,
    pub(super) unverified_callbacks: Option<i64>,
    pub(super) unverified_bytes: Option<i64>,
    pub(super) connections: Option<i64>,
    pub(super) first_byte_ms: Option<i64>,
    pub(super) header_ms: Option<i64>,
    pub(super) body_ms: Option<i64>,
    pub(super) idle_ms: Option<i64>,
    pub(super) drain_ms: Option<i64>,
    pub(super) idempotency_key_ms: Option<i64>,
}

/// `[[apps]]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct App {
    pub(super) id: Option<String>,
    pub(super) api_key: Option<RawSecret>,
    pub(super) api_key_previous: Option<RawSecret>,
    pub(super) notify_url: Option<String>,
    pub(super) timeout_url: Option<String>,
    pub(super) notify_secret: Option<RawSecret>,
    pub(super) notify_secret_previous: Option<RawSecret>,
    pub(super) allow_http_notify: Option<bool>,
    pub(super) scopes: Option<Vec<String>>,
    pub(super) duplicate_paid: Option<String>,
    pub(super) late_success: LateSuccess,
    pub(super) transfer_amount_max: Option<i64>,
    /// Credentials in the protocols of fronts, by their slugs; the keys of each are the plugin's.
    pub(super) compat: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
}

/// `apps.late_success`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LateSuccess {
    pub(super) expired: Option<String>,
    pub(super) canceled: Option<String>,
}

/// `[[channels]]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Channel {
    pub(super) id: Option<String>,
    pub(super) provider: Option<String>,
    pub(super) state: Option<String>,
    pub(super) weight: Option<i64>,
    pub(super) fee_bp: Option<i64>,
    pub(super) methods: Option<Vec<String>>,
    pub(super) request_ms: Option<i64>,
    pub(super) rules: Rules,
    /// The plugin's own table; its keys are the plugin's.
    pub(super) settings: serde_json::Map<String, serde_json::Value>,
}

/// `[channels.rules]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Rules {
    pub(super) currency: Option<String>,
    pub(super) amount_min: Option<i64>,
    pub(super) amount_max: Option<i64>,
    pub(super) day_amount_max: Option<i64>,
    pub(super) day_count_max: Option<i64>,
    pub(super) in_flight_max: Option<i64>,
    pub(super) hours: Option<Vec<String>>,
    pub(super) regions: Option<Vec<String>>,
}

/// `[[routes]]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Route {
    pub(super) name: Option<String>,
    pub(super) when: When,
    pub(super) strategy: Option<String>,
    pub(super) channels: Option<Vec<String>>,
    pub(super) failover: Option<i64>,
    pub(super) failover_unknown: Option<String>,
}

/// `routes.when`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct When {
    pub(super) apps: Option<Vec<String>>,
    pub(super) methods: Option<Vec<String>>,
    pub(super) amount_min: Option<i64>,
    pub(super) amount_max: Option<i64>,
    pub(super) currency: Option<String>,
    pub(super) metadata: Option<BTreeMap<String, Values>>,
    pub(super) payers: Option<Vec<String>>,
    pub(super) regions: Option<Vec<String>>,
}

/// What a field of a payment's metadata must be: this, or one of these.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "write a text, or a list of texts")]
pub(super) enum Values {
    One(String),
    Any(Vec<String>),
}

impl Values {
    pub(super) fn as_slice(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Any(values) => values,
        }
    }
}
