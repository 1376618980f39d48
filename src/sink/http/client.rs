//! Sending a request, and reading its answer.

use std::io::Read;

use ureq::config::Config;
use ureq::tls::{TlsConfig, TlsProvider};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, RustlsConnector, TcpConnector};
use ureq::{Agent, Proxy, ProxyProtocol};

use super::addresses::{Addresses, PRIVATE};
use super::answer::{Answer, hold, retry};
use super::awaiting::AwaitedAnswers;
use super::early::{EarlyAnswers, Unheard};
use super::options::HttpOptions;
use crate::error::{Error, Result};
use crate::sink::{Delivery, Problem};

/// Speaks HTTP to one target. Its connections stay open.
#[derive(Debug)]
pub(in crate::sink) struct Client {
    options: HttpOptions,
    agent: Option<Agent>,
    unheard: Unheard,
}

/// A request with a body.
pub(in crate::sink) struct Request<'a> {
    pub(in crate::sink) method: &'static str,
    pub(in crate::sink) url: &'a str,
    /// Values may hold secrets.
    pub(in crate::sink) headers: &'a [(&'a str, &'a str)],
    pub(in crate::sink) body: &'a [u8],
}

impl Client {
    pub(in crate::sink) fn new(options: HttpOptions) -> Self {
        Self {
            options,
            agent: None,
            unheard: Unheard::default(),
        }
    }

    /// Checks how the target is reached.
    #[cfg_attr(
        not(any(feature = "splunk", feature = "datadog", feature = "otlp")),
        expect(dead_code)
    )]
    pub(in crate::sink) fn check(&self) -> Result<()> {
        self.options.check()
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
            none => none.insert(agent(&self.options, self.unheard.clone()).map_err(|error| hold(error.to_string()))?),
        };
        let mut http = ureq::http::Request::builder().method(request.method).uri(request.url);
        for (name, value) in request.headers {
            http = http.header(*name, *value);
        }
        let http = http
            .body(request.body)
            .map_err(|_| hold("the URL or a header has a character that HTTP does not take"))?;
        self.unheard.take();
        let answer = agent.run(http).and_then(|answer| {
            let (parts, body) = answer.into_parts();
            let mut text = Vec::new();
            body.into_reader().take(ANSWER_BYTES_MAX).read_to_end(&mut text)?;
            Ok(Answer::new(parts.status.as_u16(), parts.headers, text).to(request))
        });
        match answer {
            Ok(answer) if self.unheard.take() && answer.status < 300 => {
                Err(retry("the target answered before it had the request"))
            }
            Ok(answer) => Ok(answer),
            Err(error) => {
                // A connection of which the rest of the answer is not read is not used again.
                self.forget();
                Err(unanswered(&error))
            }
        }
    }
}

fn agent(options: &HttpOptions, unheard: Unheard) -> Result<Agent> {
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
        .user_agent(options.agent_name()?)
        .accept_encoding("")
        .max_idle_age(IDLE_MAX)
        .timeout_resolve(step)
        .timeout_connect(step)
        .timeout_send_request(step)
        .timeout_send_body(step)
        .timeout_recv_response(step)
        .timeout_recv_body(step)
        .build();
    let connector =
        ().chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(EarlyAnswers(unheard))
            .chain(RustlsConnector::default())
            .chain(AwaitedAnswers);
    let addresses = Addresses::new(DefaultResolver::default(), options.refuses_private_addresses);
    Ok(Agent::with_parts(config, connector, addresses))
}

pub(super) fn proxy(options: &HttpOptions) -> Result<Option<Proxy>> {
    let wrong = |problem: String| Error::configuration("proxy", problem);
    let Some(url) = &options.proxy else {
        return Ok(None);
    };
    if options.refuses_private_addresses {
        return Err(wrong(
            "what the proxy connects to cannot be told: allow private addresses".into(),
        ));
    }
    let proxy = url.get().and_then(|url| proxy_at(&url)).map_err(wrong)?;
    Ok(Some(proxy))
}

/// Checks where a proxy is.
#[cfg_attr(not(feature = "config"), expect(dead_code, reason = "for a file of settings"))]
pub(crate) fn check_proxy(url: &str) -> Result<(), String> {
    proxy_at(url).map(drop)
}

fn proxy_at(url: &str) -> Result<Proxy, String> {
    match Proxy::new(url) {
        Ok(proxy) if matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) => Ok(proxy),
        _ => Err("it is no URL of an HTTP proxy".to_owned()),
    }
}

/// What becomes of a batch whose request got no answer: in words that tell no secret.
fn unanswered(error: &ureq::Error) -> Delivery {
    match error {
        ureq::Error::Timeout(step) => retry(format!("the target took too long: {step}")),
        ureq::Error::HostNotFound => retry("the target's name is not known"),
        ureq::Error::ConnectProxyFailed(_) => retry("the proxy refuses to connect to the target"),
        ureq::Error::Rustls(error) => untrusted(error),
        ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => untrusted(error),
            None if error.to_string() == PRIVATE => hold(PRIVATE),
            None => retry(format!("the connection failed: {}", error.kind())),
        },
        ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::InvalidProxyUrl | ureq::Error::Tls(_) => {
            hold("the URL is none that can be reached")
        }
        _ => retry("the target does not speak HTTP as it should"),
    }
}

/// A certificate that is not trusted is not trusted the next time either. What it says of itself is the target's word.
fn untrusted(error: &rustls::Error) -> Delivery {
    use rustls::CertificateError::{Expired, ExpiredContext, NotValidForName, NotValidForNameContext};
    use rustls::CertificateError::{Revoked, UnknownIssuer};

    let what = match error {
        rustls::Error::InvalidCertificate(error) => match error {
            NotValidForName | NotValidForNameContext { .. } => "the certificate is not one of this name",
            Expired | ExpiredContext { .. } => "the certificate has expired",
            UnknownIssuer => "the certificate is of an authority that is not trusted",
            Revoked => "the certificate is revoked",
            _ => "the certificate is not trusted",
        },
        rustls::Error::AlertReceived(_) => "the target refuses the connection",
        _ => return Delivery::retry(Problem::new("TLS: it fails").with_answer(error.to_string())),
    };
    Delivery::hold(Problem::new(format!("TLS: {what}")).with_answer(error.to_string()))
}

/// More of an answer is not read: a thousand entries that are refused, each with its reason, are less.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// A connection that was idle for so long is not used again: load balancers close them unseen after a minute.
const IDLE_MAX: std::time::Duration = std::time::Duration::from_secs(45);

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_target_that_says_200_and_has_not_read_the_request_has_not_taken_it() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let lines = BufReader::new(&stream).lines().map_while(|line| line.ok());
                lines.take_while(|line| !line.is_empty()).for_each(drop);
                let answer = b"HTTP/1.1 200 Said\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer).expect("answered");
            }
        });
        // More than the buffers of two sockets.
        let body = vec![b'a'; 64 * 1024 * 1024];
        let mut client = Client::new(HttpOptions::new());
        for _ in 0..3 {
            let request = Request {
                method: "POST",
                url: &url,
                headers: &[],
                body: &body,
            };
            let sent = client.send(&request);
            assert!(matches!(sent, Err(Delivery::Retry { .. })), "{sent:?}");
        }
    }
}
