//! Sending a request, and reading its answer.

use std::io::Read;

use ureq::config::Config;
use ureq::tls::{TlsConfig, TlsProvider};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Proxy};

use super::addresses::{Addresses, PRIVATE};
use super::answer::{Answer, hold, retry};
use super::options::HttpOptions;
use crate::error::{Error, Result};
use crate::sink::Delivery;

/// Speaks HTTP to one target. Its connections stay open.
#[derive(Debug)]
pub(in crate::sink) struct Client {
    options: HttpOptions,
    agent: Option<Agent>,
}

/// A request with a body.
#[derive(Debug)]
pub(in crate::sink) struct Request<'a> {
    pub(in crate::sink) method: &'static str,
    pub(in crate::sink) url: &'a str,
    /// Values may hold secrets.
    pub(in crate::sink) headers: &'a [(&'a str, &'a str)],
    pub(in crate::sink) body: &'a [u8],
}

impl Client {
    pub(in crate::sink) fn new(options: HttpOptions) -> Self {
        Self { options, agent: None }
    }

    /// Begins anew with the next request: certificates and secrets are read again.
    pub(in crate::sink) fn forget(&mut self) {
        self.agent = None;
    }

    /// Sends a request and reads the answer, whatever its status.
    ///
    /// # Errors
    ///
    /// What became of a batch whose request got no answer.
    pub(in crate::sink) fn send(&mut self, request: &Request<'_>) -> Result<Answer, Delivery> {
        let agent = match &mut self.agent {
            Some(agent) => agent,
            none => none.insert(agent(&self.options).map_err(|error| hold(error.to_string()))?),
        };
        let mut http = ureq::http::Request::builder().method(request.method).uri(request.url);
        for (name, value) in request.headers {
            http = http.header(*name, *value);
        }
        let http = http
            .body(request.body)
            .map_err(|_| hold("the URL or a header has a character that HTTP does not take"))?;
        let answer = agent.run(http).and_then(|answer| {
            let (parts, body) = answer.into_parts();
            let mut text = Vec::new();
            body.into_reader().take(ANSWER_BYTES_MAX).read_to_end(&mut text)?;
            Ok(Answer::new(parts.status.as_u16(), parts.headers, text))
        });
        answer.map_err(|error| {
            // A connection of which the rest of the answer is not read is not used again.
            self.forget();
            unanswered(&error)
        })
    }
}

fn agent(options: &HttpOptions) -> Result<Agent> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(options.root_certs()?)
        .client_cert(options.client_cert()?);
    let step = Some(options.timeout);
    let config = Config::builder()
        .tls_config(tls.build())
        .proxy(proxy(options)?)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(options.user_agent.as_str())
        .accept_encoding("")
        .max_idle_age(IDLE_MAX)
        .timeout_resolve(step)
        .timeout_connect(step)
        .timeout_send_request(step)
        .timeout_send_body(step)
        .timeout_recv_response(step)
        .timeout_recv_body(step)
        .build();
    let addresses = Addresses::new(options.refuses_private_addresses);
    Ok(Agent::with_parts(config, DefaultConnector::default(), addresses))
}

fn proxy(options: &HttpOptions) -> Result<Option<Proxy>> {
    let wrong = |problem: String| Error::configuration("proxy", problem);
    let Some(url) = &options.proxy else {
        return Ok(None);
    };
    if options.refuses_private_addresses {
        return Err(wrong(
            "what the proxy connects to cannot be told: allow private addresses".into(),
        ));
    }
    let url = url.get().map_err(wrong)?;
    Proxy::new(&url)
        .map(Some)
        .map_err(|_| wrong("it is no URL of an HTTP proxy".into()))
}

/// What becomes of a batch whose request got no answer: in words that tell no secret.
fn unanswered(error: &ureq::Error) -> Delivery {
    match error {
        ureq::Error::Timeout(step) => retry(format!("the target took too long: {step}")),
        ureq::Error::HostNotFound => retry("the target's name is not known"),
        ureq::Error::Rustls(error) => untrusted(error),
        ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => untrusted(error),
            None if error.to_string() == PRIVATE => hold(PRIVATE),
            None => retry(format!("the connection failed: {}", error.kind())),
        },
        ureq::Error::BadUri(_) | ureq::Error::InvalidProxyUrl | ureq::Error::Tls(_) => {
            hold("the URL is none that can be reached")
        }
        _ => retry("the target does not speak HTTP as it should"),
    }
}

/// A certificate that is not trusted is not trusted the next time either.
fn untrusted(error: &rustls::Error) -> Delivery {
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_) => hold(format!("TLS: {error}")),
        _ => retry(format!("TLS: {error}")),
    }
}

/// More of an answer is not read.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;

/// A connection that was idle for so long is not used again: load balancers close them unseen after a minute.
const IDLE_MAX: std::time::Duration = std::time::Duration::from_secs(45);
