//! Configuration: defaults, then the file, then the environment, checked whole before anything starts.
//!
//! [`load`] makes of it what the core and the server work by, or tells every mistake at once, each
//! with its line. Nothing is opened here but the file and the files that secrets and certificates are written in.

mod check;
mod later;
mod layers;
mod mistake;
mod path;
mod place;
mod raw;
mod secret;
#[cfg(test)]
mod tests;
mod typed;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use paymux_core::{Catalog, Provider, Secret};
use paymux_http::{FrontsInTheOpen, Identity, Limits, MetricsPlace, Proxies};
use sha2::{Digest, Sha256};

pub(crate) use check::scheme;
pub use mistake::{Mistake, Mistakes};
pub use place::Place;

use crate::environment::Environment;

/// The largest file that is read, in bytes (1 MiB).
const FILE_BYTES_MAX: usize = 1024 * 1024;

/// All that a configuration says.
#[derive(Debug)]
pub struct Config {
    /// What the process around the core works by.
    pub settings: Settings,
    /// What the core works by.
    pub catalog: Catalog,
    /// What is allowed and yet looks like an oversight.
    pub remarks: Vec<String>,
    /// Tells this configuration from others, for comparing nodes.
    pub hash: String,
}

/// What the process around the core works by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the main listener stands.
    pub http: SocketAddr,
    /// Where the public address comes from.
    pub public_url: PublicUrl,
    /// Where the operators' listener stands, if there is one.
    pub admin: Option<Admin>,
    /// Who the main listener proves to be; `None` where it speaks plain HTTP.
    pub tls: Option<Identity>,
    /// Whose word is believed of who calls, and how.
    pub proxies: Proxies,
    /// Whether fronts are served over an open line.
    pub fronts_in_the_open: FrontsInTheOpen,
    /// Whether test-mode channels may be configured.
    pub test_mode: bool,
    /// The ledger's address; may hold a password.
    pub store_url: Secret,
    /// Whether notices may go to private addresses.
    pub allow_private_addresses: bool,
    /// Whether notices may go by plain HTTP: some app asked for it.
    pub allow_plain_http: bool,
    /// The longest that connecting may take.
    pub connect: Duration,
    /// The pause between two looks for attempts that are due.
    pub sweep_interval: Duration,
    /// The pause between two looks at what channels have collected.
    pub snapshot_interval: Duration,
    /// What one client may ask of a listener.
    pub limits: Limits,
    /// Which listener serves the metrics.
    pub metrics: MetricsPlace,
}

impl Settings {
    /// The keys of these that are others in `new`: they count from the next start on.
    pub fn changed_in(&self, new: &Self) -> Vec<&'static str> {
        let admin = |settings: &Self| settings.admin.as_ref().map(|admin| admin.address);
        let is_same_token = match (&self.admin, &new.admin) {
            (Some(old), Some(new)) => old.token.matches(new.token.expose()),
            _ => true,
        };
        let keys = [
            ("server.http", self.http != new.http),
            ("server.admin", admin(self) != admin(new)),
            ("server.admin_token", !is_same_token),
            // Another certificate counts at once.
            ("server.tls_cert", self.tls.is_some() != new.tls.is_some()),
            ("server.trusted_proxies", self.proxies != new.proxies),
            ("compat.allow_plain_http", self.fronts_in_the_open != new.fronts_in_the_open),
            ("server.metrics", self.metrics != new.metrics),
            ("store.url", !self.store_url.matches(new.store_url.expose())),
            ("outbound.allow_private_addresses", self.allow_private_addresses != new.allow_private_addresses),
            ("apps[].allow_http_notify", self.allow_plain_http != new.allow_plain_http),
            ("timeouts.connect_ms", self.connect != new.connect),
            ("sweeper.interval_ms", self.sweep_interval != new.sweep_interval),
            ("routing.snapshot_ms", self.snapshot_interval != new.snapshot_interval),
            ("limits", self.limits != new.limits),
        ];
        keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }
}

/// The operators' listener.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Where it stands.
    pub address: SocketAddr,
    /// What opens it.
    pub token: Secret,
}

/// Where the public address comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicUrl {
    /// It was written down.
    Written,
    /// It is the main listener's own address, known for sure once that has its port.
    OfListener,
}

/// Reads and checks the file at `path`.
///
/// # Errors
/// Every mistake that was found.
pub fn load(
    path: &Path,
    environment: &Environment,
    providers: &[Arc<dyn Provider>],
) -> Result<Config, Mistakes> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path)
        .map_err(|error| Mistakes::one(&name, Place::File, format!("cannot be read: {error}")))?;
    read(&name, bytes, environment, providers)
}

/// Checks the text of a file that is called `name`.
///
/// # Errors
/// Every mistake that was found.
pub fn read(
    name: &str,
    bytes: Vec<u8>,
    environment: &Environment,
    providers: &[Arc<dyn Provider>],
) -> Result<Config, Mistakes> {
    if bytes.len() > FILE_BYTES_MAX {
        let rule = format!("a configuration has at most {FILE_BYTES_MAX} bytes");
        return Err(Mistakes::one(name, Place::File, rule));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good =
            String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]).into_owned();
        Mistakes::one(name, Place::spot(&good, good.len()), "not UTF-8")
    })?;
    let places = place::Places::read(name, &text, environment)
        .map_err(|(place, rule)| Mistakes::one(name, place, rule))?;
    let mut mistakes = mistake::Gathering::new(&places);
    let tree = layers::merged(&places, environment, &mut mistakes);
    let raw = tree.and_then(|tree| typed::read(tree, &mut mistakes));
    let config = raw.and_then(|raw| check::whole(&raw, environment, providers, &mut mistakes));
    let hash = hash(&text, environment);
    mistakes.end(config.map(|config| Config { hash, ..config }))
}

/// Short, and the same wherever file and overrides are the same. Everybody may read it on `/readyz`, so
/// overrides that are secrets take no part: a weak password could be guessed by it.
fn hash(text: &str, environment: &Environment) -> String {
    const SECRET: [&str; 2] = ["PAYMUX__STORE__URL", "PAYMUX__SERVER__ADMIN_TOKEN"];
    let mut hasher = Sha256::new_with_prefix(text);
    for name in environment.overrides() {
        let is_secret = SECRET.iter().any(|secret| name.starts_with(secret));
        let value = if is_secret { "" } else { environment.text(name).unwrap_or_default() };
        for part in ["\0", name, "\0", value] {
            hasher.update(part);
        }
    }
    let digest = hasher.finalize();
    digest.iter().take(6).fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}
