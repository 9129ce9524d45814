//! `[server]`, `[store]`, `[routing]`, `[outbound]`, `[timeouts]`, `[sweeper]`, `[health]`, `[notices]`, `[desk]` and
//! `[limits]`.

use std::net::SocketAddr;
use std::time::Duration;

use paymux_core::Secret;
use paymux_core::catalog::Timing;
use paymux_core::day::DayZone;
use paymux_core::router::HealthRules;
use paymux_core::store::Ring;
use paymux_core::wire::{Endpoint, PlainHttp};
use paymux_http::{FrontsInTheOpen, Limits, MetricsPlace, Network, NoNetwork, Proxies};

use super::compat::ALLOW_PLAIN_HTTP;
use super::{Check, Told, unknown};
use crate::config::path::KeyPath;
use crate::config::raw::{self, Raw};
use crate::config::{Admin, PublicUrl, Settings};

/// The longest time that any key takes: ten minutes.
const MS_MAX: i64 = 600_000;
/// The longest time that may pass before a person is called, or may speak: a day.
const DAY_MS: i64 = 86_400_000;
/// The longest that an `Idempotency-Key` may be remembered: a year.
const YEAR_MS: i64 = 365 * DAY_MS;
/// How many times a notice can be repeated.
const RETRIES_MAX: usize = 32;
/// The largest body that any key takes: 16 MiB.
const BYTES_MAX: i64 = 16 * 1024 * 1024;
/// The shortest operator token, in characters.
const TOKEN_MIN: usize = 24;

/// What the core takes from these sections.
pub(super) struct Site {
    pub(super) public_url: Endpoint,
    pub(super) timing: Timing,
    pub(super) health: HealthRules,
    pub(super) day_zone: DayZone,
    pub(super) notice_schedule: Vec<Duration>,
    pub(super) callback_ring: Ring,
}

impl Check<'_, '_> {
    pub(super) fn server(&mut self, raw: &Raw) -> Option<(Settings, Site)> {
        let server = KeyPath::of("server");
        let test_mode = raw.server.test_mode.unwrap_or_default();
        let http = self.listener(&server.key("http"), raw.server.http.as_deref());
        let admin = self.admin(&server, &raw.server, http);
        let tls = self.tls(&server, &raw.server);
        let proxies = self.proxies(&server.key("trusted_proxies"), &raw.server);
        let public_url = self.public_url(&server.key("public_url"), &raw.server, http);
        let store_url = self.store_url(&KeyPath::of("store").key("url"), &raw.store);
        let timing = self.timing(raw);
        let health = self.health(&raw.health);
        let day_zone = self.day_zone(&raw.routing);
        let notice_schedule = self.notice_schedule(&raw.notices);
        let connect = self.milliseconds(
            &KeyPath::of("timeouts").key("connect_ms"),
            raw.timeouts.connect_ms,
            1..=MS_MAX,
        );
        let sweep_interval = self.milliseconds(
            &KeyPath::of("sweeper").key("interval_ms"),
            raw.sweeper.interval_ms,
            10..=MS_MAX,
        );
        let snapshot_interval = self.milliseconds(
            &KeyPath::of("routing").key("snapshot_ms"),
            raw.routing.snapshot_ms,
            50..=60_000,
        );
        let limits = self.limits(&raw.limits);
        let metrics = self.metrics(&server.key("metrics"), &raw.server);
        let callback_ring = self.callback_ring(&raw.limits);
        let settings = Settings {
            http: http?,
            public_url: if raw.server.public_url.is_some() {
                PublicUrl::Written
            } else {
                PublicUrl::OfListener
            },
            admin: admin.ok()?,
            tls: tls.ok()?,
            proxies,
            fronts_in_the_open: if raw.compat.get(ALLOW_PLAIN_HTTP) == Some(&true) {
                FrontsInTheOpen::Allowed
            } else {
                FrontsInTheOpen::Refused
            },
            test_mode,
            store_url: store_url?,
            allow_private_addresses: raw.outbound.allow_private_addresses.unwrap_or_default(),
            allow_plain_http: raw.apps.iter().any(|app| app.allow_http_notify.unwrap_or_default()),
            connect: connect?,
            sweep_interval: sweep_interval?,
            snapshot_interval: snapshot_interval?,
            limits: limits?,
            metrics: metrics?,
        };
        let site = Site {
            public_url: public_url?,
            timing: timing?,
            health: health?,
            day_zone: day_zone?,
            notice_schedule: notice_schedule?,
            callback_ring: callback_ring?,
        };
        Some((settings, site))
    }

    fn day_zone(&mut self, raw: &raw::Routing) -> Option<DayZone> {
        let path = KeyPath::of("routing").key("day_zone");
        let name = self.required(&path, raw.day_zone.as_ref())?;
        let zone = DayZone::named(name);
        if zone.is_none() {
            self.wrong(&path, format!("`{name}`: write the IANA name of a zone, like Asia/Shanghai"));
        }
        zone
    }

    fn listener(&mut self, path: &KeyPath, text: Option<&str>) -> Option<SocketAddr> {
        let text = self.required(path, text.as_ref())?;
        let address = text.parse();
        if address.is_err() {
            self.wrong(path, format!("`{text}`: write an address and a port, like 127.0.0.1:8080"));
        }
        address.ok()
    }

    fn admin(
        &mut self,
        server: &KeyPath,
        raw: &raw::Server,
        http: Option<SocketAddr>,
    ) -> Result<Option<Admin>, Told> {
        let (address_path, token_path) = (server.key("admin"), server.key("admin_token"));
        let token = self.secret(&token_path, raw.admin_token.as_ref());
        let Some(text) = raw.admin.as_deref() else { return Ok(None) };
        let address = self.listener(&address_path, Some(text));
        if address.is_some_and(|address| Some(address) == http && address.port() != 0) {
            self.wrong(&address_path, "the operators' listener needs another port than `server.http`");
        }
        if raw.admin_token.is_none() {
            self.wrong(&token_path, "required where `server.admin` is set");
        }
        let token = self.key_text(&token_path, token, TOKEN_MIN);
        let admin = || Some(Admin { address: address?, token: token? });
        admin().map(Some).ok_or(Told)
    }

    fn proxies(&mut self, path: &KeyPath, raw: &raw::Server) -> Proxies {
        let judge = |text: &str| text.parse::<Network>().map_err(|error: NoNetwork| error.to_string());
        Proxies::new(self.each(path, raw.trusted_proxies.as_deref(), judge).unwrap_or_default())
    }

    fn metrics(&mut self, path: &KeyPath, raw: &raw::Server) -> Option<MetricsPlace> {
        match *self.required(path, raw.metrics.as_deref().as_ref())? {
            "main" => Some(MetricsPlace::Main),
            "admin" => {
                if raw.admin.is_none() {
                    self.wrong(path, "`admin` needs the operators' listener: write `server.admin`");
                }
                Some(MetricsPlace::Admin)
            }
            word => {
                self.wrong(path, unknown("word", word, ["main", "admin"]));
                None
            }
        }
    }

    /// A key that travels in a header: long enough not to be guessed, and printable.
    pub(super) fn key_text(
        &mut self,
        path: &KeyPath,
        key: Option<Secret>,
        characters_min: usize,
    ) -> Option<Secret> {
        let key = key?;
        let text = key.expose();
        if text.len() < characters_min || !text.bytes().all(|b| b.is_ascii_graphic()) {
            let rule = format!(
                "write at least {characters_min} printable ASCII characters without blanks; \
                 `paymux keys new` makes one"
            );
            self.wrong(path, rule);
            return None;
        }
        Some(key)
    }

    /// Providers call this address and sign it: it must be one that they reach, unless all is a test. Where the
    /// listener speaks TLS nothing plain would reach it.
    fn public_url(
        &mut self,
        path: &KeyPath,
        raw: &raw::Server,
        http: Option<SocketAddr>,
    ) -> Option<Endpoint> {
        let is_tls = raw.tls_cert.is_some();
        let Some(text) = raw.public_url.as_deref() else {
            let http = http?;
            if !http.ip().is_loopback() {
                self.wrong(path, "required unless `server.http` is a loopback address");
                return None;
            }
            return self.address(path, &format!("{}://{http}", scheme(is_tls)), PlainHttp::LoopbackOnly);
        };
        let test_mode = raw.test_mode.unwrap_or_default();
        let plain = if test_mode { PlainHttp::Anywhere } else { PlainHttp::LoopbackOnly };
        let url = self.address(path, text, plain)?;
        if is_tls && !url.is_tls() {
            self.wrong(path, "must be https where `server.tls_cert` is set");
            return None;
        }
        if url.path_and_query().1.is_some() {
            self.wrong(path, "no ?query may stand in it: some providers cannot carry one");
            return None;
        }
        Some(url)
    }

    fn store_url(&mut self, path: &KeyPath, raw: &raw::Store) -> Option<Secret> {
        let url = self.required(path, raw.url.as_ref())?;
        let url = self.secret(path, Some(url))?;
        let known = ["sqlite://", "postgres://", "postgresql://"];
        if !known.iter().any(|scheme| url.expose().strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
        {
            self.wrong(path, "write sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE");
            return None;
        }
        Some(url)
    }

    /// Each pause is judged by itself, so that every mistake is told.
    fn notice_schedule(&mut self, raw: &raw::Notices) -> Option<Vec<Duration>> {
        let path = KeyPath::of("notices").key("retry_ms");
        let written = self.required(&path, raw.retry_ms.as_ref())?;
        if !(1..=RETRIES_MAX).contains(&written.len()) {
            self.wrong(&path, format!("write 1 to {RETRIES_MAX} pauses"));
            return None;
        }
        let mut pause =
            |(place, ms): (usize, &i64)| self.milliseconds(&path.index(place), Some(*ms), 1000..=7 * DAY_MS);
        let pauses: Vec<_> = written.iter().enumerate().map(&mut pause).collect();
        pauses.into_iter().collect()
    }

    fn timing(&mut self, raw: &Raw) -> Option<Timing> {
        let (desk, key) = (KeyPath::of("desk"), KeyPath::of("limits").key("idempotency_key_ms"));
        let settle = self.milliseconds(&desk.key("settle_ms"), raw.desk.settle_ms, 0..=DAY_MS);
        let patience = self.milliseconds(&desk.key("patience_ms"), raw.desk.patience_ms, 0..=DAY_MS);
        let key_life = self.milliseconds(&key, raw.limits.idempotency_key_ms, DAY_MS..=YEAR_MS);
        let (path, raw) = (KeyPath::of("timeouts"), &raw.timeouts);
        let request = self.milliseconds(&path.key("request_ms"), raw.request_ms, 1..=MS_MAX);
        let answer = self.milliseconds(&path.key("answer_ms"), raw.answer_ms, 1..=MS_MAX);
        let budget = &path.key("failover_budget_ms");
        let failover_budget = self.milliseconds(budget, raw.failover_budget_ms, 0..=MS_MAX);
        let notice = self.milliseconds(&path.key("notice_ms"), raw.notice_ms, 1..=60_000);
        Some(Timing {
            request: request?,
            answer: answer?,
            failover_budget: failover_budget?,
            notice: notice?,
            settle: settle?,
            patience: patience?,
            key_life: key_life?,
        })
    }

    fn health(&mut self, raw: &raw::Health) -> Option<HealthRules> {
        let path = KeyPath::of("health");
        let errors = self.number(&path.key("errors"), raw.errors, 0..=1000);
        let window = self.milliseconds(&path.key("window_ms"), raw.window_ms, 1..=MS_MAX);
        let cooldown = self.milliseconds(&path.key("cooldown_ms"), raw.cooldown_ms, 1..=MS_MAX);
        // Without probes nobody would find out that a channel works again.
        let probe_percent = self.number(&path.key("probe_percent"), raw.probe_percent, 1..=100);
        let slow = self.milliseconds(&path.key("slow_ms"), raw.slow_ms, 0..=MS_MAX);
        Some(HealthRules {
            errors: errors?,
            window: window?,
            cooldown: cooldown?,
            probe_percent: probe_percent?,
            slow: slow.map(|slow| Some(slow).filter(|slow| !slow.is_zero()))?,
        })
    }

    fn limits(&mut self, raw: &raw::Limits) -> Option<Limits> {
        let path = KeyPath::of("limits");
        let body_bytes = self.number(&path.key("body_bytes"), raw.body_bytes, 1024..=BYTES_MAX);
        let callback_bytes = self.number(&path.key("callback_bytes"), raw.callback_bytes, 1024..=BYTES_MAX);
        let connections = self.number(&path.key("connections"), raw.connections, 1..=1_000_000);
        let mut wait = |key, value, least| self.milliseconds(&path.key(key), value, least..=MS_MAX);
        let first_byte = wait("first_byte_ms", raw.first_byte_ms, 1);
        let header = wait("header_ms", raw.header_ms, 1);
        let body = wait("body_ms", raw.body_ms, 1);
        let idle = wait("idle_ms", raw.idle_ms, 1);
        let drain = wait("drain_ms", raw.drain_ms, 0);
        Some(Limits {
            body_bytes: body_bytes?,
            callback_bytes: callback_bytes?,
            connections: connections?,
            first_byte: first_byte?,
            header: header?,
            body: body?,
            idle: idle?,
            drain: drain?,
        })
    }

    fn callback_ring(&mut self, raw: &raw::Limits) -> Option<Ring> {
        let path = KeyPath::of("limits");
        let rows = self.number(&path.key("unverified_callbacks"), raw.unverified_callbacks, 1..=1_000_000);
        let bytes = &path.key("unverified_bytes");
        let bytes = self.number(bytes, raw.unverified_bytes, 1024..=1024 * 1024 * 1024);
        Some(Ring { rows: rows?, bytes: bytes? })
    }
}

/// How addresses of a listener begin.
pub(crate) fn scheme(is_tls: bool) -> &'static str {
    if is_tls { "https" } else { "http" }
}
