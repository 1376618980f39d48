//! Whom TLS trusts, and what it shows.

use std::fmt;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::error::{Error, Result};
use crate::sink::Secret;

/// Certificates of TLS, as a host gives them.
#[derive(Clone, Default)]
pub(super) struct Trust {
    /// PEM.
    pub(super) roots: Option<Vec<u8>>,
    /// PEM of the chain and of the key.
    pub(super) client: Option<(Vec<u8>, Secret)>,
}

impl Trust {
    /// Checks the certificates.
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |option| move |problem: String| Error::configuration(option, problem);
        if let Some(pem) = &self.roots {
            certificates(pem).map_err(wrong("roots"))?;
        }
        match &self.client {
            Some((chain, _)) => certificates(chain).map(drop).map_err(wrong("client_certificate")),
            None => Ok(()),
        }
    }

    pub(super) fn is_given(&self) -> bool {
        self.roots.is_some() || self.client.is_some()
    }

    /// The same as TLS takes it. Secrets and the platform's roots are read anew each time.
    ///
    /// # Errors
    ///
    /// What of it cannot be used.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, String> {
        let refused = |error: rustls::Error| format!("TLS: {error}");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(refused)?;
        let builder = match &self.roots {
            None => builder.with_platform_verifier().map_err(refused)?,
            Some(pem) => {
                let mut roots = rustls::RootCertStore::empty();
                for certificate in certificates(pem).map_err(|problem| format!("roots: {problem}"))? {
                    roots.add(certificate).map_err(|error| format!("roots: {error}"))?;
                }
                builder.with_root_certificates(roots)
            }
        };
        let config = match &self.client {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let wrong = |problem: String| format!("client_certificate: {problem}");
                let pem = key.get().map_err(wrong)?;
                let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
                    .map_err(|_| wrong("the key is no PEM of a private key".into()))?;
                let chain = certificates(chain).map_err(wrong)?;
                let config = builder.with_client_auth_cert(chain, key);
                config.map_err(|error| wrong(error.to_string()))?
            }
        };
        Ok(Arc::new(config))
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err("there is no certificate in the PEM".to_owned()),
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust")
            .field("roots", &self.roots.is_some())
            .field("client", &self.client.is_some())
            .finish()
    }
}
