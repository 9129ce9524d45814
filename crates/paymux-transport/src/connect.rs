//! From an address to an open connection: name, TCP, TLS, and HTTP/1.1 on top.
//!
//! Not here: which connection a call gets (`pool.rs`) and what goes over it (`line.rs`).

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use paymux_core::clock::Clock;
use paymux_core::transport::NotSent;
use paymux_core::wire::Endpoint;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tower::{BoxError, ServiceExt};

use crate::guard::Refusal;
use crate::line::Line;
use crate::names::GuardedNames;
use crate::socket::{Socket, Wire};

/// Which certificate authorities are believed. Verification itself cannot be switched off.
#[derive(Debug, Clone, Default)]
pub enum Roots {
    /// Those of the operating system; `SSL_CERT_FILE` and `SSL_CERT_DIR` point elsewhere.
    #[default]
    Native,
    /// These alone, in DER.
    Only(Vec<CertificateDer<'static>>),
}

/// What TCP or TLS gives to HTTP.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Opens connections.
#[derive(Clone)]
pub(crate) struct Connector {
    tcp: HttpConnector<GuardedNames>,
    tls: TlsConnector,
    clock: Arc<dyn Clock>,
}

impl Connector {
    /// `patience` is the time that one connect may take; TCP shares it out among the addresses of a
    /// host, so that a dead one leaves time for the next.
    pub(crate) fn new(
        names: GuardedNames,
        tls: Arc<ClientConfig>,
        patience: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(names);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(patience));
        Self { tcp, tls: tls.into(), clock }
    }

    /// Opens a connection on which no request has gone yet.
    pub(crate) async fn open(&self, endpoint: &Endpoint) -> Result<Line, NotSent> {
        self.try_open(endpoint).await.map_err(|error| {
            let refused = is_refusal(&*error);
            tracing::debug!(
                host = endpoint.host(),
                port = endpoint.port(),
                error = &*error,
                "could not connect"
            );
            if refused { NotSent::AddressRefused } else { NotSent::Connect }
        })
    }

    async fn try_open(&self, endpoint: &Endpoint) -> Result<Line, BoxError> {
        let scheme = if endpoint.is_tls() { "https" } else { "http" };
        let at = format!("{scheme}://{}:{}/", endpoint.host(), endpoint.port()).parse()?;
        let tcp = self.tcp.clone().oneshot(at).await?.into_inner();
        let socket = Arc::new(Socket::new(tcp, self.clock.clone()));
        let wire = Wire(socket.clone());
        let stream: Box<dyn Stream> = if endpoint.is_tls() {
            let host = endpoint.host().trim_matches(['[', ']']).trim_end_matches('.');
            let name = ServerName::try_from(host.to_owned())?;
            Box::new(self.tls.connect(name, wire).await?)
        } else {
            Box::new(wire)
        };
        Ok(Line::over(TokioIo::new(stream), socket).await?)
    }
}

/// The TLS settings of every connection.
///
/// # Errors
/// When an authority in `roots` is not a certificate.
pub(crate) fn tls_config(roots: Roots) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(root_store(roots)?)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Early data would leave with the handshake, uncounted, and can be replayed.
    config.enable_early_data = false;
    Ok(config)
}

fn root_store(roots: Roots) -> Result<RootCertStore, rustls::Error> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::Only(certificates) => {
            for certificate in certificates {
                store.add(certificate)?;
            }
        }
        Roots::Native => {
            let found = rustls_native_certs::load_native_certs();
            let (added, _) = store.add_parsable_certificates(found.certs);
            if added == 0 {
                // Not an error: a demo on loopback needs none. Every https call will fail, unsent.
                tracing::warn!(
                    errors = ?found.errors,
                    "no certificate authority found, so no https call can succeed: install ca-certificates"
                );
            }
        }
    }
    Ok(store)
}

/// Whether the guard is what stopped the connector, somewhere down the chain of causes.
fn is_refusal(error: &(dyn Error + 'static)) -> bool {
    error.is::<Refusal>() || error.source().is_some_and(is_refusal)
}
