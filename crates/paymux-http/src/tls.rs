//! TLS on a listener: a certificate chain with its key, read from PEM, and changed while connections are open.
//!
//! Knows nothing of HTTP: whatever listens can take a [`Tls`].

use std::fmt;
use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{InconsistentKeys, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What the accept loop speaks over TLS, the better one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Who a listener proves to be: a certificate chain and the key to it, checked against each other.
#[derive(Clone)]
pub struct Identity(Arc<ServerConfig>);

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(****)")
    }
}

/// Why a certificate and a key are no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The first file is not what it should be.
    #[error("{0}")]
    Certificate(String),
    /// The second is not.
    #[error("{0}")]
    Key(String),
    /// Each is right, and they are not of one pair.
    #[error(
        "the key is not that of the first certificate: the server's own must stand before those of its issuers"
    )]
    Mismatch,
}

impl Identity {
    /// Reads the certificates, the server's own before those of its issuers, and the key, all in PEM.
    ///
    /// # Errors
    /// When either holds none or one that cannot be used, or the two do not belong together.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let chain = chain(certificates)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| IdentityError::Key(no_key(&error)))?;
        // Named, not the process's default: a listener works the same in whatever process it stands.
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| IdentityError::Key(error.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(unusable)?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(Self(Arc::new(config)))
    }
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|error| IdentityError::Certificate(format!("is not PEM: {error}")))?;
    if chain.is_empty() {
        let rule = "holds no certificate: write `-----BEGIN CERTIFICATE-----` and what follows";
        return Err(IdentityError::Certificate(rule.to_owned()));
    }
    Ok(chain)
}

/// What the library says of a key holds no part of it.
fn no_key(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::NoItemsFound => {
            "holds no private key: write one in PEM (PKCS#8, PKCS#1 or SEC1) that no password protects"
                .to_owned()
        }
        other => format!("is not PEM: {other}"),
    }
}

fn unusable(error: rustls::Error) -> IdentityError {
    match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => IdentityError::Mismatch,
        rustls::Error::InvalidCertificate(error) => {
            IdentityError::Certificate(format!("the first certificate cannot be read: {error:?}"))
        }
        other => IdentityError::Key(format!("cannot be used: {other}")),
    }
}

/// How a listener speaks TLS. Clones are one: who it proves to be changes for all of them.
#[derive(Clone)]
pub struct Tls(Arc<ArcSwap<ServerConfig>>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// With that certificate.
    pub fn new(identity: Identity) -> Self {
        Self(Arc::new(ArcSwap::new(identity.0)))
    }

    /// Connections from now on see that certificate; those that are open stay as they are.
    pub fn replace(&self, identity: Identity) {
        self.0.store(identity.0);
    }

    /// The handshake of one connection. Whoever calls sets the limit on its time.
    ///
    /// # Errors
    /// When the other side speaks no TLS, or none that we do, or leaves.
    pub async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        TlsAcceptor::from(self.0.load_full()).accept(stream).await
    }
}
