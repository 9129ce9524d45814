//! The lines that lead out of paymux, each through a proxy that a test can break: to the provider, to
//! the merchant, and to the database where it is one that is dialled.

use paymux_testkit::ChaosProxy;
use tokio::net::lookup_host;

/// Where paymux is told that the others are, each as a URL.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    pub(crate) provider: String,
    pub(crate) merchant: String,
    pub(crate) store: String,
}

/// A proxy in each line.
pub(crate) struct Lines {
    pub(crate) provider: ChaosProxy,
    pub(crate) merchant: ChaosProxy,
    pub(crate) database: Option<ChaosProxy>,
}

impl Lines {
    /// Lays a proxy into each line; returns where paymux is to dial instead.
    pub(crate) async fn lay(addresses: Addresses) -> (Addresses, Self) {
        let (provider, to_provider) = through(&addresses.provider).await;
        let (merchant, to_merchant) = through(&addresses.merchant).await;
        let is_dialled = addresses.store.starts_with("postgres");
        let (store, to_database) = if is_dialled {
            let (store, proxy) = through(&addresses.store).await;
            (store, Some(proxy))
        } else {
            (addresses.store, None)
        };
        let lines = Self { provider: to_provider, merchant: to_merchant, database: to_database };
        (Addresses { provider, merchant, store }, lines)
    }

    /// The proxy before PostgreSQL.
    pub(crate) fn database(&mut self) -> &mut ChaosProxy {
        self.database.as_mut().expect("a ledger that is dialled")
    }
}

/// The URL with a new proxy's address in place of its own host and port.
async fn through(url: &str) -> (String, ChaosProxy) {
    let authority = url.find("://").unwrap() + 3;
    let end = url[authority..].find('/').map_or(url.len(), |at| authority + at);
    let host = authority + url[authority..end].rfind('@').map_or(0, |at| at + 1);
    let named = &url[host..end];
    let dialled = if named.contains(':') { named.to_owned() } else { format!("{named}:5432") };
    let target = lookup_host(dialled).await.unwrap().next().unwrap();
    let proxy = ChaosProxy::start(target, 1).await.unwrap();
    (format!("{}{}{}", &url[..host], proxy.address(), &url[end..]), proxy)
}
