//! Datadog Logs.

use std::time::{Duration, SystemTime};

use super::http::{Answer, Client, HttpOptions, Url, check_fixed, compressed, write_entry};
use super::window::Window;
use super::{Batch, Delivery, Encoded, Encoder, Limits, Message, Problem, Rejection, Secret, Sink};
use crate::error::Result;
use crate::event::Severity;
use crate::json;

/// Sends messages to Datadog Logs (`POST /api/v2/logs`).
///
/// A log's `message` is the message to the byte, as a text. Datadog reads such a text as JSON and makes attributes of it
/// (`@event.action`, `@seq`); what is copied out of it verifies still (FORMAT §10). `status` is the event's severity:
/// `info`, `notice`, `warning`, `error` or `critical`. `timestamp` is when it happened. Datadog takes no time of more than 18
/// hours ago or 2 hours ahead: such an event, after a long outage say, gets the time at which it is sent, and its own as the
/// attribute `original_time`.
///
/// # What Datadog needs
///
/// An API key (Organization Settings, API Keys), which may send logs; an application key is not needed. Exclusion filters and
/// the daily quota of an index make Datadog keep less than it has got: give these logs an index of their own (Logs
/// Configuration, Indexes) with the filter `source:indelible` and neither of them.
///
/// # What became of a batch
///
/// A request has at most 1,000 logs and 5 MB before it is compressed by gzip. Datadog cuts a log of more than 1 MB and
/// answers as if it had it: such a message is not sent but set aside (it counts as the text that it is in the request, with
/// its escapes). 202 is the only answer there is, and a page of a portal
/// before it is none; Datadog does not say of single logs what became of them, nor afterwards.
/// 400 halves the batch until the one log is found that it does not take. A key that is refused holds the delivery; it is
/// asked for with each batch, so a new one mends it. Datadog does not know a log again: one that is sent twice, after an
/// answer that was lost, stands there twice, with the same `seq` and `hash`.
///
/// Limits and answers are those of "[Send logs](https://docs.datadoghq.com/api/latest/logs/#send-logs)" in its API
/// reference.
///
/// ```
/// use indelible::sink::{Datadog, Feed, Secret};
///
/// let datadog = Datadog::new("datadoghq.eu", Secret::env("DD_API_KEY"))
///     .service("auth-service")
///     .hostname("auth-1")
///     .tag("env", "production");
/// let feed = Feed::new("datadog", datadog).without_personal_data();
/// ```
#[derive(Debug)]
pub struct Datadog {
    url: Url,
    key: Secret,
    encoding: Encoding,
    client: Client,
}

impl Datadog {
    /// The intake of a site, and an API key of it. The sites are `datadoghq.com` (US1), `us3.datadoghq.com`,
    /// `us5.datadoghq.com`, `datadoghq.eu` (EU1), `uk1.datadoghq.com`, `ap1.datadoghq.com`, `ap2.datadoghq.com`,
    /// `ddog-gov.com` and `us2.ddog-gov.com`: what `DD_SITE` is elsewhere.
    pub fn new(site: impl AsRef<str>, api_key: impl Into<Secret>) -> Self {
        Self {
            url: Url::new(format!("{SITE}{}/api/v2/logs", site.as_ref())),
            key: api_key.into(),
            encoding: Encoding {
                source: "indelible".to_owned(),
                service: None,
                hostname: None,
                tags: Vec::new(),
            },
            client: Client::new(HttpOptions::new()),
        }
    }

    /// Sends to this URL in place of the site's, path and all: to a proxy or a worker of Observability Pipelines.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Url::new(url);
        self
    }

    /// The logs' `source`; `indelible` if it is not given.
    pub fn source(mut self, name: impl Into<String>) -> Self {
        self.encoding.source = name.into();
        self
    }

    /// The logs' `service`.
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.encoding.service = Some(name.into());
        self
    }

    /// The logs' `host`.
    pub fn hostname(mut self, name: impl Into<String>) -> Self {
        self.encoding.hostname = Some(name.into());
        self
    }

    /// A tag of all logs. A comma in it would end it, and is sent as `_`.
    pub fn tag(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let tag = format!("{}:{}", key.as_ref(), value.as_ref());
        self.encoding.tags.push(tag.replace(',', "_"));
        self
    }

    /// How the target is reached.
    pub fn http(mut self, options: HttpOptions) -> Self {
        self.client = Client::new(options);
        self
    }
}

/// How logs are written.
#[derive(Debug, Clone)]
struct Encoding {
    source: String,
    service: Option<String>,
    hostname: Option<String>,
    tags: Vec<String>,
}

impl Encoding {
    /// What is the same in all logs, with a comma before each.
    fn attributes(&self) -> Vec<u8> {
        let tags = self.tags.join(",");
        let attributes = [
            ("ddsource", Some(&self.source)),
            ("ddtags", Some(&tags).filter(|tags| !tags.is_empty())),
            ("hostname", self.hostname.as_ref()),
            ("service", self.service.as_ref()),
        ];
        let mut text = Vec::new();
        for (key, value) in attributes {
            if let Some(value) = value {
                write_entry(&mut text, key, value);
            }
        }
        text
    }

    /// How many bytes a log has, at most.
    fn size_of(&self, message: &Message) -> usize {
        let named = [Some(&self.source), self.hostname.as_ref(), self.service.as_ref()];
        let named = named.into_iter().flatten().chain(&self.tags);
        // An attribute's escapes are at most six bytes for one.
        let attributes = named.map(|value| value.len() * 6 + 1).sum::<usize>();
        json::string_size(message.text()) + attributes + AROUND
    }

    /// Whether Datadog would cut it.
    fn is_large(&self, message: &Message) -> bool {
        self.size_of(message) > LOG_BYTES_MAX
    }
}

impl Encoder for Encoding {
    fn encode(&self, messages: &[Message]) -> Result<Encoded, Delivery> {
        let (now, attributes, mut body) = (SystemTime::now(), self.attributes(), Vec::new());
        for message in messages.iter().filter(|message| !self.is_large(message)) {
            let summary = message.summary();
            let placed = WINDOW.place(summary.occurred_at, now);
            let opening: &[u8] = if body.is_empty() { b"[{" } else { b",{" };
            body.extend_from_slice(opening);
            body.extend_from_slice(b"\"message\":");
            json::string(&mut body, message.text());
            body.extend_from_slice(&attributes);
            write_entry(&mut body, "status", status(summary.severity));
            if let Some(original) = placed.original {
                write_entry(&mut body, "original_time", &original.to_string());
            }
            let millis = placed.time.unix_micros().div_euclid(1000);
            body.extend_from_slice(format!(",\"timestamp\":{millis}}}").as_bytes());
        }
        body.push(b']');
        Ok(compressed(body))
    }
}

impl Sink for Datadog {
    fn check(&self) -> Result<()> {
        let is_site = self.url.starts_with(SITE);
        self.url.check(if is_site { "site" } else { "url" })?;
        check_fixed("api_key", &self.key)?;
        self.client.check()
    }

    fn limits(&self) -> Limits {
        Limits::new(LOGS_MAX, BODY_BYTES_MAX)
    }

    fn size_of(&self, message: &Message) -> usize {
        self.encoding.size_of(message)
    }

    fn encoder(&self) -> Option<Box<dyn Encoder>> {
        Some(Box::new(self.encoding.clone()))
    }

    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        let key = match self.key.get() {
            Ok(key) => key,
            Err(problem) => return Delivery::hold(problem),
        };
        let places = batch.messages.iter().enumerate();
        let large = places.filter(|(_, message)| self.encoding.is_large(message));
        let large: Vec<usize> = large.map(|(at, _)| at).collect();
        if large.len() < batch.messages.len() {
            let answer = batch.encoded(&self.encoding).and_then(|encoded| {
                let headers = [("dd-api-key", key.as_str())];
                self.client.post_json(&self.url, &headers, &encoded)
            });
            match answer.map_or_else(|delivery| delivery, |answer| delivery(&answer)) {
                Delivery::Delivered => {}
                other => return other,
            }
        }
        if large.is_empty() {
            return Delivery::Delivered;
        }
        let rejected = large
            .into_iter()
            .map(|at| Rejection::new(at, "Datadog cuts a log of more than 1 MB"));
        Delivery::Rejected {
            rejected: rejected.collect(),
            undelivered: Vec::new(),
        }
    }
}

/// What an answer says became of a batch. Datadog says 202, and a proxy before it, or a worker of Observability Pipelines,
/// may say 200, with JSON or with nothing; a page is neither's, and holds nothing against a log.
fn delivery(answer: &Answer) -> Delivery {
    match answer.status {
        202 => Delivery::Delivered,
        200..=299 if !answer.body.is_empty() && !answer.is_object() => {
            Delivery::retry(Problem::new("what answers does not do so as Datadog does").with_answer(answer.said()))
        }
        400 if !answer.is_object() => Delivery::hold(answer.problem()),
        _ => answer.delivery(),
    }
}

/// Datadog's names for a log's status.
fn status(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "info",
        Severity::Low => "notice",
        Severity::Medium => "warning",
        Severity::High => "error",
        Severity::Critical => "critical",
    }
}

const SITE: &str = "https://http-intake.logs.";

const LOGS_MAX: usize = 1000;

const BODY_BYTES_MAX: usize = 5_000_000 - 2;

const LOG_BYTES_MAX: usize = 1_000_000;

/// More than what stands around a message and its attributes.
const AROUND: usize = 256;

/// An hour less than what Datadog takes.
const WINDOW: Window = Window {
    past: Duration::from_secs(17 * 3600),
    ahead: Duration::from_secs(3600),
};

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;
    use crate::{AuditLog, MemoryStore, SigningKey, Timestamp};

    /// Messages with texts of so many bytes. No record is as large as what Datadog cuts, as it is stored.
    fn messages(sizes: [usize; 3]) -> Vec<Message> {
        let signer = SigningKey::generate("auth.example.com/audit".parse().expect("an origin")).expect("a key");
        let log = AuditLog::builder("auth.example.com/audit")
            .signer(signer)
            .without_checkpoint_file();
        let log = log.open(MemoryStore::new()).expect("opens");
        let checkpoint = log.checkpoint().expect("a checkpoint");
        let message = |size| Message::of_checkpoint(&checkpoint, "x".repeat(size), Timestamp::from(SystemTime::now()));
        sizes.map(message).into()
    }

    #[test]
    fn what_datadog_would_cut_is_set_aside_and_the_rest_goes() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let (mut request, mut part) = (Vec::new(), [0; 4096]);
            while !request.ends_with(b"}]") {
                let count = stream.read(&mut part).expect("a request");
                request.extend_from_slice(&part[..count]);
            }
            let answer = b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}";
            stream.write_all(answer).expect("answered");
            String::from_utf8(request).expect("not compressed")
        });
        let mut datadog = Datadog::new("datadoghq.com", "key").url(format!("http://{address}/"));
        let messages = messages([10, 1_000_000, 20]);
        let delivery = datadog.deliver(&Batch::new(&messages));
        let rejected = vec![Rejection::new(1, "Datadog cuts a log of more than 1 MB")];
        let undelivered = Vec::new();
        assert_eq!(delivery, Delivery::Rejected { rejected, undelivered });
        let request = server.join().expect("served");
        assert_eq!(request.matches("\"message\":\"x").count(), 2, "{request}");
        // Nothing listens there any more: what fails is all of the batch, and alone the large one needs no request.
        assert!(matches!(
            datadog.deliver(&Batch::new(&messages)),
            Delivery::Retry { .. }
        ));
        let delivery = datadog.deliver(&Batch::new(&messages[1..2]));
        assert!(matches!(delivery, Delivery::Rejected { .. }), "{delivery:?}");
    }
}
