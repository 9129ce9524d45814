//! From a host's name to addresses, and the guard between the two.
//!
//! Not here: literal addresses. The connector does not resolve them, so the guard looks at them
//! before it dials (`guard.rs`).

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use hyper_util::client::legacy::connect::dns::Name;
use tower::{BoxError, Service};

use crate::guard::{Guard, Refusal};

/// Resolves host names. Injectable, so that a name that changes its mind can be tested.
#[async_trait]
pub trait Names: Send + Sync + 'static {
    /// All addresses of `host`, in the order in which they are to be tried.
    ///
    /// # Errors
    /// When the name does not exist or cannot be looked up now.
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver.
#[derive(Debug, Clone, Copy)]
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|found| found.ip()).collect())
    }
}

/// The resolver that the connector asks: it answers only addresses that may be called, and the
/// connector dials what was answered here, so that no second look-up can say something else.
#[derive(Clone)]
pub(crate) struct GuardedNames {
    pub(crate) names: Arc<dyn Names>,
    /// `None` lets every address pass.
    pub(crate) guard: Option<Guard>,
}

impl GuardedNames {
    async fn resolve(self, host: Name) -> Result<std::vec::IntoIter<SocketAddr>, BoxError> {
        let mut found = self.names.lookup(host.as_str()).await?;
        if let Some(guard) = self.guard {
            let first = found.first().copied();
            found.retain(|ip| guard.admits(*ip));
            if let (Some(refused), true) = (first, found.is_empty()) {
                return Err(Refusal::Address(refused).into());
            }
        }
        // Port 0 makes the connector take the port of the URL, never one of the resolver's.
        let found: Vec<_> = found.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
        Ok(found.into_iter())
    }
}

impl Service<Name> for GuardedNames {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, host: Name) -> Self::Future {
        Box::pin(self.clone().resolve(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_addresses_that_may_be_called_are_answered() {
        check(
            Some(Guard::default()),
            &["93.184.215.14", "127.0.0.1", "2606:4700::1111"],
            Some(&["93.184.215.14", "2606:4700::1111"]),
        )
        .await;
        check(Some(Guard::default()), &["10.0.0.1", "::1"], None).await;
        check(Some(Guard { allow_private_addresses: true, ..Guard::default() }), &["::1"], Some(&["::1"]))
            .await;
        check(None, &["10.0.0.1"], Some(&["10.0.0.1"])).await;

        async fn check(guard: Option<Guard>, found: &[&str], want: Option<&[&str]>) {
            let ips =
                |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
            let names = GuardedNames { names: Arc::new(Fixed(ips(found))), guard };
            match (names.resolve("shop.example".parse().unwrap()).await, want) {
                (Ok(got), Some(want)) => assert_eq!(got.map(|at| at.ip()).collect::<Vec<_>>(), ips(want)),
                (Err(error), None) => assert!(error.is::<Refusal>(), "{error}"),
                (got, want) => panic!("{found:?}: {got:?}, not {want:?}"),
            }
        }
    }

    #[tokio::test]
    async fn no_port_of_the_resolver_is_used() {
        let names = GuardedNames { names: Arc::new(Fixed(vec![IpAddr::from([1, 1, 1, 1])])), guard: None };
        let found: Vec<_> = names.resolve("shop.example".parse().unwrap()).await.unwrap().collect();
        assert_eq!(found, ["1.1.1.1:0".parse().unwrap()]);
    }

    #[tokio::test]
    async fn the_machine_knows_itself() {
        let found = SystemNames.lookup("localhost").await.unwrap();
        assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
    }

    struct Fixed(Vec<IpAddr>);

    #[async_trait]
    impl Names for Fixed {
        async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            Ok(self.0.clone())
        }
    }
}
