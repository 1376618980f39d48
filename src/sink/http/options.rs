//! How a target is reached over HTTP.

use std::fmt;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::http::HeaderValue;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, parse_pem};

use super::client::proxy;
use crate::error::{Error, Result};
use crate::sink::Secret;

/// How a target is reached over HTTP: trust, proxy, time limits.
///
/// Unless it is told otherwise, TLS trusts what the platform trusts, no proxy is used, and each step of a request (name,
/// connection, sending, answer) may take 15 seconds. A target without TLS needs a URL that begins with `http:`.
///
/// ```
/// use std::time::Duration;
/// use indelible::sink::HttpOptions;
///
/// let options = HttpOptions::new().proxy("http://proxy.example.com:3128").timeout(Duration::from_secs(5));
/// # assert!(format!("{options:?}").contains("5s"));
/// ```
#[derive(Clone)]
#[must_use]
pub struct HttpOptions {
    pub(super) roots: Option<Vec<u8>>,
    pub(super) client: Option<(Vec<u8>, PrivateKeyPem)>,
    pub(super) proxy: Option<Secret>,
    pub(super) timeout: Duration,
    pub(super) user_agent: String,
    pub(super) refuses_private_addresses: bool,
}

/// The private key of a client certificate, PEM.
pub type PrivateKeyPem = Secret;

impl HttpOptions {
    /// What suits most.
    pub fn new() -> Self {
        Self {
            roots: None,
            client: None,
            proxy: None,
            timeout: Duration::from_secs(15),
            user_agent: concat!("indelible/", env!("CARGO_PKG_VERSION")).to_owned(),
            refuses_private_addresses: false,
        }
    }

    /// Trusts these certificate authorities (PEM, one or more) and no others.
    pub fn roots(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots = Some(pem.into());
        self
    }

    /// Shows this certificate (PEM, with its chain) to a target that asks for one. The key is PEM too, PKCS #8, SEC 1 or
    /// PKCS #1.
    pub fn client_certificate(mut self, pem: impl Into<Vec<u8>>, key: impl Into<PrivateKeyPem>) -> Self {
        self.client = Some((pem.into(), key.into()));
        self
    }

    /// Goes through an HTTP proxy: `http://USER:PASSWORD@HOST:PORT`. That of the environment is not used by itself.
    pub fn proxy(mut self, url: impl Into<Secret>) -> Self {
        self.proxy = Some(url.into());
        self
    }

    /// How long each step of a request may take.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The value of `User-Agent`.
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = name.into();
        self
    }

    /// Connects to no address of a private network, of this host or of its link (RFC 6890), whatever a name resolves to at
    /// that moment.
    #[cfg_attr(not(feature = "webhook"), expect(dead_code, reason = "for targets that others name"))]
    pub(in crate::sink) fn refuse_private_addresses(mut self) -> Self {
        self.refuses_private_addresses = true;
        self
    }

    /// Checks it, but for secrets that may come later.
    pub(in crate::sink) fn check(&self) -> Result<()> {
        self.agent_name()?;
        self.root_certs()?;
        if let Some((chain, key)) = &self.client {
            certificates("client_certificate", chain)?;
            key.fixed().map_or(Ok(None), |_| self.client_cert())?;
        }
        match &self.proxy {
            Some(url) if self.refuses_private_addresses || url.fixed().is_some() => proxy(self).map(drop),
            _ => Ok(()),
        }
    }

    pub(super) fn agent_name(&self) -> Result<&str> {
        match HeaderValue::from_str(&self.user_agent) {
            Ok(_) => Ok(&self.user_agent),
            Err(_) => Err(Error::configuration(
                "user_agent",
                "it has a character that HTTP does not take",
            )),
        }
    }

    /// The certificates as TLS takes them.
    pub(super) fn root_certs(&self) -> Result<RootCerts> {
        match &self.roots {
            Some(pem) => Ok(RootCerts::from(certificates("roots", pem)?)),
            None => Ok(RootCerts::PlatformVerifier),
        }
    }

    pub(super) fn client_cert(&self) -> Result<Option<ClientCert>> {
        let Some((chain, key)) = &self.client else {
            return Ok(None);
        };
        let wrong = |problem: String| Error::configuration("client_certificate", problem);
        let pem = key.get().map_err(wrong)?;
        let key =
            PrivateKey::from_pem(pem.as_bytes()).map_err(|_| wrong("the key is no PEM of a private key".into()))?;
        let chain = certificates("client_certificate", chain)?;
        check_pair(&chain, &pem).map_err(|error| wrong(error.to_string()))?;
        Ok(Some(ClientCert::new_with_certs(&chain, key)))
    }
}

/// Where a key is not that of the certificate, or of a kind that TLS does not have, [`ureq`] panics.
fn check_pair(chain: &[Certificate<'_>], key: &str) -> std::result::Result<(), rustls::Error> {
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|_| rustls::Error::General("the key is no PEM of a private key".into()))?;
    let chain = chain
        .iter()
        .map(|certificate| CertificateDer::from(certificate.der().to_vec()));
    let provider = rustls::crypto::ring::default_provider();
    CertifiedKey::from_der(chain.collect(), key, &provider).map(drop)
}

fn certificates(option: &'static str, pem: &[u8]) -> Result<Vec<Certificate<'static>>> {
    let found: Vec<_> = parse_pem(pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    match found.is_empty() {
        true => Err(Error::configuration(option, "there is no certificate in the PEM")),
        false => Ok(found),
    }
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpOptions")
            .field("roots", &self.roots.is_some())
            .field("client_certificate", &self.client.is_some())
            .field("proxy", &self.proxy.is_some())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
