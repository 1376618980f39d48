//! Google Cloud Logging.

mod answer;
mod credentials;

use std::fmt;
use std::time::{Duration, SystemTime};

pub use self::credentials::GoogleCredentials;
use super::http::{Answer, Client, HttpOptions, Lease, NEARBY_TIMEOUT, Token, Url, percent, post_with_token};
use super::{Batch, Delivery, Limits, Message, Sink};
use crate::event::Severity;
use crate::json;
use crate::timestamp::Timestamp;

/// Writes messages into a log of Google Cloud Logging, by `entries.write`.
///
/// An entry's `jsonPayload` is the message, to be searched by `jsonPayload.event.actor.id="usr_alice123"`. Google keeps
/// every number of it as a double; the record verifies all the same (FORMAT §10). What is not JSON is its `textPayload`. Its
/// `insertId` is the message's own, its `timestamp` is `recorded_at`, its `severity` that of the event: `INFO`, `NOTICE`,
/// `WARNING`, `ERROR` or `CRITICAL`.
///
/// Credentials are found ([`GoogleCredentials::find`]) unless they are given.
///
/// # In Google Cloud
///
/// Who delivers needs `logging.logEntries.create`, which the role *Logs Writer* has. What is written into the bucket
/// `_Default` is kept for 30 days; a sink of Google's own leads it elsewhere.
///
/// ```sh
/// gcloud iam service-accounts create audit-writer
/// gcloud projects add-iam-policy-binding my-project --role roles/logging.logWriter \
///     --member serviceAccount:audit-writer@my-project.iam.gserviceaccount.com
/// gcloud logging buckets create audit --location global --retention-days 400
/// gcloud logging sinks create audit logging.googleapis.com/projects/my-project/locations/global/buckets/audit \
///     --log-filter 'logName="projects/my-project/logs/audit"'
/// ```
///
/// # Limits
///
/// An entry has at most 256 KB and a request 10 MB ([quotas](https://cloud.google.com/logging/quotas)), as Google counts
/// them; an entry that is refused is set aside, and the others are written (`partialSuccess`). Google answers 200 to an entry
/// that is older than the retention of its bucket, and drops it: such an entry gets the time of now, see
/// [`retention`](Self::retention); when it was recorded stands in the record. Of entries with the same `timestamp` and
/// `insertId` a query shows one, so what is delivered twice is seen once there; exports have both.
///
/// ```
/// use indelible::sink::{Feed, GoogleCredentials, GoogleLogging, Secret};
///
/// let log = GoogleLogging::new("my-project", "audit")
///     .credentials(GoogleCredentials::service_account(Secret::file("/run/secrets/audit-writer.json")))
///     .resource("generic_node", [("location", "eu"), ("namespace", "auth"), ("node_id", "auth-1")]);
/// let feed = Feed::new("google", log);
/// ```
pub struct GoogleLogging {
    parent: String,
    log: String,
    credentials: GoogleCredentials,
    resource: String,
    labels: Vec<(String, String)>,
    retention: Duration,
    endpoint: Url,
    options: HttpOptions,
    token: Lease<Token>,
    clients: Option<(Client, Client)>,
}

impl GoogleLogging {
    /// The log `log` of a project; or of what `organizations/ID`, `folders/ID` or `billingAccounts/ID` names.
    pub fn new(project: impl Into<String>, log: impl Into<String>) -> Self {
        Self {
            parent: project.into(),
            log: log.into(),
            credentials: GoogleCredentials::find(),
            resource: "global".to_owned(),
            labels: Vec::new(),
            retention: RETENTION,
            endpoint: Url::new("https://logging.googleapis.com"),
            options: HttpOptions::new(),
            token: Lease::new(),
            clients: None,
        }
    }

    /// With these credentials.
    pub fn credentials(mut self, credentials: GoogleCredentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Of a [monitored resource](https://cloud.google.com/logging/docs/api/v2/resource-list) of this type, with its labels,
    /// rather than of `global`.
    pub fn resource<K: Into<String>, V: Into<String>>(
        mut self,
        kind: impl Into<String>,
        labels: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.resource = kind.into();
        self.labels = labels
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        self
    }

    /// How long the bucket keeps entries, where that is not 30 days.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// At this URL, such as that of a private endpoint, rather than `https://logging.googleapis.com`.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Url::new(url);
        self
    }

    /// How the target is reached.
    pub fn http(mut self, options: HttpOptions) -> Self {
        self.options = options;
        self
    }

    /// The whole name of the log.
    fn log_name(&self) -> Result<String, Delivery> {
        let is_parent = |letter: char| letter.is_ascii_alphanumeric() || "-_.:/".contains(letter);
        if self.parent.is_empty() || !self.parent.chars().all(is_parent) {
            return Err(Delivery::hold("the project has other than letters, digits and - _ . :"));
        }
        let is_log = |letter: char| letter.is_ascii_alphanumeric() || "/_-.".contains(letter);
        if !(1..=LOG_CHARS_MAX).contains(&self.log.len()) || !self.log.chars().all(is_log) {
            return Err(Delivery::hold("a log has 1 to 511 letters, digits and / _ - ."));
        }
        let log = percent(&self.log);
        Ok(match self.parent.contains('/') {
            true => format!("{}/logs/{log}", self.parent),
            false => format!("projects/{}/logs/{log}", self.parent),
        })
    }

    fn write_body(&self, messages: &[Message], log_name: &str) -> Vec<u8> {
        let now = Timestamp::from(SystemTime::now());
        let mut body = b"{\"entries\":[".to_vec();
        for (at, message) in messages.iter().enumerate() {
            body.extend_from_slice(if at > 0 { b",{\"insertId\":" } else { b"{\"insertId\":" });
            json::string(&mut body, &message.id());
            match message.is_json() {
                true => {
                    body.extend_from_slice(b",\"jsonPayload\":");
                    body.extend_from_slice(message.text().as_bytes());
                }
                false => {
                    body.extend_from_slice(b",\"textPayload\":");
                    json::string(&mut body, message.text());
                }
            }
            body.extend_from_slice(b",\"severity\":");
            json::string(&mut body, severity(message.summary().severity));
            body.extend_from_slice(b",\"timestamp\":");
            json::string(&mut body, &self.time(message.recorded_at(), now).to_string());
            body.push(b'}');
        }
        body.extend_from_slice(b"],\"logName\":");
        json::string(&mut body, log_name);
        body.extend_from_slice(b",\"partialSuccess\":true,\"resource\":{\"labels\":{");
        for (at, (key, value)) in self.labels.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            json::string(&mut body, key);
            body.push(b':');
            json::string(&mut body, value);
        }
        body.extend_from_slice(b"},\"type\":");
        json::string(&mut body, &self.resource);
        body.extend_from_slice(b"}}");
        body
    }

    /// The time of an entry: that of which Google drops it is not used.
    fn time(&self, recorded_at: Timestamp, now: Timestamp) -> Timestamp {
        let age = now.unix_micros().saturating_sub(recorded_at.unix_micros());
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        match age > micros(self.retention.saturating_sub(MARGIN)) || age < -micros(AHEAD_MAX) {
            true => now,
            false => recorded_at,
        }
    }

    fn send(&mut self, body: &[u8]) -> Result<Answer, Delivery> {
        let url = format!("{}/v2/entries:write", self.endpoint.trim_end_matches('/'));
        let (target, nearby) = self.clients.get_or_insert_with(|| {
            let nearby = HttpOptions::new().timeout(NEARBY_TIMEOUT);
            (Client::new(self.options.clone()), Client::new(nearby))
        });
        let credentials = &self.credentials;
        post_with_token(target, &mut self.token, &url, body, || credentials.token(nearby))
    }
}

impl Sink for GoogleLogging {
    fn limits(&self) -> Limits {
        Limits::new(ENTRIES_MAX, BODY_BYTES_MAX)
    }

    fn size_of(&self, message: &Message) -> usize {
        let text = match message.is_json() {
            true => message.text().len(),
            false => json::string_size(message.text()),
        };
        text + AROUND
    }

    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        let sent = self.log_name().and_then(|log_name| {
            let body = self.write_body(batch.messages, &log_name);
            self.send(&body)
        });
        let delivery = match sent {
            Ok(answer) => answer::delivery(&answer, batch.messages.len()),
            Err(delivery) => delivery,
        };
        self.token.forget_if_held(&delivery);
        delivery
    }
}

impl fmt::Debug for GoogleLogging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoogleLogging")
            .field("parent", &self.parent)
            .field("log", &self.log)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// Of Google's `LogSeverity`.
fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "INFO",
        Severity::Low => "NOTICE",
        Severity::Medium => "WARNING",
        Severity::High => "ERROR",
        Severity::Critical => "CRITICAL",
    }
}

const ENTRIES_MAX: usize = 1_000;

/// Well below the 10 MB of a request, which Google counts in a form of its own.
const BODY_BYTES_MAX: usize = 4_000_000;

/// More than what stands around a message in a body.
const AROUND: usize = 256;

const LOG_CHARS_MAX: usize = 511;

/// That of the bucket `_Default`.
const RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a request may take, and the clocks may differ by.
const MARGIN: Duration = Duration::from_secs(3600);

/// A day, less as much.
const AHEAD_MAX: Duration = Duration::from_secs(23 * 3600);
