//! OpenTelemetry logs over HTTP.

use std::collections::BTreeMap;

use super::http::{Answer, Client, HttpOptions, Url, check_headers, compressed};
use super::{Batch, Delivery, Encoded, Encoder, Limits, Message, Problem, Secret, Sink};
use crate::error::Result;
use crate::event::Severity;
use crate::json::{self, JsonError, Kind, Reader};
use crate::timestamp::Timestamp;

/// Sends messages as OpenTelemetry log records: OTLP over HTTP, in JSON ([OTLP
/// 1.0](https://opentelemetry.io/docs/specs/otlp/#otlphttp)). It reaches every OpenTelemetry Collector and whatever else has
/// an OTLP endpoint.
///
/// A record's body is the message to the byte, as a text. `eventName` is the event's action, `timeUnixNano` when it happened
/// (left out where 64 bits do not hold it), `observedTimeUnixNano` when the log took it, and the severity is 9 (INFO), 10
/// (INFO2), 13 (WARN), 17 (ERROR) or 18 (ERROR2), as OpenTelemetry maps syslog's. Attributes are `log.record.uid`, which is
/// the message's own and stays the same when it is sent again, `audit.seq` and `audit.hash`.
///
/// # What the target needs
///
/// A Collector:
///
/// ```text
/// receivers:
///   otlp:
///     protocols:
///       http:
///         endpoint: 127.0.0.1:4318
/// exporters:
///   file:
///     path: /var/log/audit.json
/// service:
///   pipelines:
///     logs:
///       receivers: [otlp]
///       exporters: [file]
/// ```
///
/// Without a `batch` processor, and with a `sending_queue` that has a `storage`, its answer means that it will not lose what
/// it has got. A service that wants a token gets it by [`header`](Self::header).
///
/// # What became of a batch
///
/// A request has at most 4 MB before it is compressed by gzip. 2xx is an acknowledgement, unless `partialSuccess` says that
/// records are rejected. It does not say which: the batch is halved, and so sent again, until they are found and set aside;
/// others of it may stand there twice. 400 with a `Status`, and 413, halve it too. 429, 502, 503 and 504 are tried again, with
/// the pause of `Retry-After`. Everything else holds the delivery: OTLP says that it must not be tried again, and what is not
/// delivered is not dropped here either. Headers are asked for with each batch, so a new token mends one that is refused.
///
/// ```
/// use indelible::sink::{Feed, Otlp, Secret};
///
/// let otlp = Otlp::new("https://otlp.example.com")
///     .header("authorization", Secret::file("/run/secrets/otlp-authorization"))
///     .resource("service.name", "auth-service");
/// let feed = Feed::new("otlp", otlp).without_personal_data();
/// ```
#[derive(Debug)]
pub struct Otlp {
    url: Url,
    headers: Vec<(String, Secret)>,
    encoding: Encoding,
    client: Client,
}

impl Otlp {
    /// The endpoint at a URL, such as `http://127.0.0.1:4318`, to which `/v1/logs` is added where it does not end so.
    pub fn new(url: impl AsRef<str>) -> Self {
        let url = url.as_ref().trim_end_matches('/');
        let url = url.strip_suffix(PATH).unwrap_or(url);
        Self {
            url: Url::new(format!("{url}{PATH}")),
            headers: Vec::new(),
            encoding: Encoding {
                resource: BTreeMap::from([("service.name".to_owned(), "indelible".to_owned())]),
            },
            client: Client::new(HttpOptions::new()),
        }
    }

    /// Sends a header of your own, such as one that authorizes.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// An attribute of the resource that the records come from; `service.name` is `indelible` if it is not given.
    pub fn resource(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.encoding.resource.insert(name.into(), value.into());
        self
    }

    /// How the target is reached.
    pub fn http(mut self, options: HttpOptions) -> Self {
        self.client = Client::new(options);
        self
    }
}

/// How a request is written: `ExportLogsServiceRequest` as JSON, in which integers of 64 bits are texts.
#[derive(Debug, Clone)]
struct Encoding {
    resource: BTreeMap<String, String>,
}

impl Encoder for Encoding {
    fn encode(&self, messages: &[Message]) -> Result<Encoded, Delivery> {
        let mut body = b"{\"resourceLogs\":[{\"resource\":{\"attributes\":[".to_vec();
        for (at, (name, value)) in self.resource.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            write_attribute(&mut body, name, "stringValue", value);
        }
        let version = env!("CARGO_PKG_VERSION");
        let scope = format!(
            "]}},\"scopeLogs\":[{{\"scope\":{{\"name\":\"indelible\",\"version\":\"{version}\"}},\"logRecords\":["
        );
        body.extend_from_slice(scope.as_bytes());
        for (at, message) in messages.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            write_record(&mut body, message);
        }
        body.extend_from_slice(b"]}]}]}");
        Ok(compressed(body))
    }
}

impl Sink for Otlp {
    fn check(&self) -> Result<()> {
        self.url.check("url")?;
        check_headers(&self.headers, &[])?;
        self.client.check()
    }

    fn limits(&self) -> Limits {
        Limits::new(MESSAGES_MAX, BODY_BYTES_MAX)
    }

    fn size_of(&self, message: &Message) -> usize {
        json::string_size(message.text()) + AROUND
    }

    fn encoder(&self) -> Option<Box<dyn Encoder>> {
        Some(Box::new(self.encoding.clone()))
    }

    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        let encoded = match batch.encoded(&self.encoding) {
            Ok(encoded) => encoded,
            Err(delivery) => return delivery,
        };
        let mut secrets = Vec::new();
        for (name, value) in &self.headers {
            match value.get() {
                Ok(value) => secrets.push((name, value)),
                Err(problem) => return Delivery::hold(problem),
            }
        }
        let headers: Vec<_> = secrets
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        match self.client.post_json(&self.url, &headers, &encoded) {
            Ok(answer) => delivery(&answer),
            Err(delivery) => delivery,
        }
    }
}

/// A `LogRecord`.
fn write_record(body: &mut Vec<u8>, message: &Message) {
    let summary = message.summary();
    let (number, text) = (severity_number(summary.severity), summary.severity.as_str());
    body.push(b'{');
    for (key, time) in [
        ("timeUnixNano", summary.occurred_at),
        ("observedTimeUnixNano", message.recorded_at()),
    ] {
        if let Some(nanos) = unix_nanos(time) {
            body.extend_from_slice(format!("\"{key}\":\"{nanos}\",").as_bytes());
        }
    }
    let severity = format!("\"severityNumber\":{number},\"severityText\":\"{text}\",\"eventName\":");
    body.extend_from_slice(severity.as_bytes());
    json::string(body, &summary.action);
    body.extend_from_slice(b",\"body\":{\"stringValue\":");
    json::string(body, message.text());
    body.extend_from_slice(b"},\"attributes\":[");
    write_attribute(body, "log.record.uid", "stringValue", &message.id());
    if let (Some(seq), Some(hash)) = (message.seq(), message.hash()) {
        body.push(b',');
        write_attribute(body, "audit.seq", "intValue", &seq.to_string());
        body.push(b',');
        write_attribute(body, "audit.hash", "stringValue", &hash.to_string());
    }
    body.extend_from_slice(b"]}");
}

/// A `KeyValue` whose value is a text, or an integer as a text.
fn write_attribute(body: &mut Vec<u8>, key: &str, kind: &str, value: &str) {
    body.extend_from_slice(b"{\"key\":");
    json::string(body, key);
    body.extend_from_slice(b",\"value\":{");
    json::string(body, kind);
    body.push(b':');
    json::string(body, value);
    body.extend_from_slice(b"}}");
}

/// Nanoseconds since 1970, as far as 64 bits hold them (until 2554).
fn unix_nanos(time: Timestamp) -> Option<u64> {
    u64::try_from(time.unix_micros()).ok()?.checked_mul(1000)
}

/// As OpenTelemetry's log data model (appendix B) maps the severities of syslog.
fn severity_number(severity: Severity) -> u8 {
    match severity {
        Severity::Informational => 9,
        Severity::Low => 10,
        Severity::Medium => 13,
        Severity::High => 17,
        Severity::Critical => 18,
    }
}

/// What an answer says became of a batch.
fn delivery(answer: &Answer) -> Delivery {
    match answer.status {
        200..=299 => match rejected_records(&answer.body) {
            Ok(0) => Delivery::Delivered,
            Ok(count) => Delivery::split(
                Problem::new(format!("the target rejects {count} of the records")).with_answer(answer.said()),
            ),
            Err(_) => {
                Delivery::retry(Problem::new("what answers does not do so as OTLP says").with_answer(answer.said()))
            }
        },
        // Not a `Status`, as OTLP says it: what is wrong is no record.
        400 | 422 if !answer.is_object() => Delivery::hold(answer.problem()),
        400 | 413 | 422 | 429 | 502..=504 => answer.delivery(),
        _ => Delivery::hold(answer.problem()),
    }
}

/// `partialSuccess.rejectedLogRecords` of an `ExportLogsServiceResponse`, as a number or a text; 0 where there is none.
fn rejected_records(body: &[u8]) -> Result<u64, JsonError> {
    if body.is_empty() {
        return Ok(0);
    }
    let mut rejected = 0;
    let mut reader = Reader::new(body, json::DEPTH_MAX)?;
    reader.object::<JsonError>(|key, value| match (key, value.kind()?) {
        ("partialSuccess" | "partial_success", Kind::Object) => value.object(|key, value| {
            match (key, value.kind()?) {
                ("rejectedLogRecords" | "rejected_log_records", Kind::String) => {
                    rejected = value.string()?.parse().map_err(JsonError::other)?;
                }
                ("rejectedLogRecords" | "rejected_log_records", Kind::Number) => rejected = value.unsigned()?,
                _ => value.skip()?,
            }
            Ok(())
        }),
        _ => value.skip(),
    })?;
    reader.end()?;
    Ok(rejected)
}

const PATH: &str = "/v1/logs";

/// Far below what a Collector takes (20 MB, `max_request_body_size`).
const BODY_BYTES_MAX: usize = 4_000_000;

const MESSAGES_MAX: usize = 4_000;

/// More than what stands around a message.
const AROUND: usize = 768;
