//! Google Cloud Logging.

mod answer;
mod credentials;
mod entry;

use std::fmt;
use std::time::Duration;

pub use self::credentials::GoogleCredentials;
#[cfg(feature = "config")]
pub(crate) use self::credentials::check_key;
use self::entry::Encoding;
use super::http::{Answer, Client, HttpOptions, Lease, NEARBY_TIMEOUT, Token, Url, post_with_token};
use super::{Batch, Delivery, Encoded, Encoder, Limits, Message, Sink};
use crate::error::Result;

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
    encoding: Encoding,
    credentials: GoogleCredentials,
    endpoint: Url,
    options: HttpOptions,
    token: Lease<Token>,
    clients: Option<(Client, Client)>,
}

impl GoogleLogging {
    /// The log `log` of a project; or of what `organizations/ID`, `folders/ID` or `billingAccounts/ID` names.
    pub fn new(project: impl Into<String>, log: impl Into<String>) -> Self {
        Self {
            encoding: Encoding::new(project.into(), log.into()),
            credentials: GoogleCredentials::find(),
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
        self.encoding.resource = kind.into();
        self.encoding.labels = labels
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        self
    }

    /// How long the bucket keeps entries, where that is not 30 days.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.encoding.retention = retention;
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

    fn send(&mut self, text: &Encoded) -> Result<Answer, Delivery> {
        let url = format!("{}/v2/entries:write", self.endpoint.trim_end_matches('/'));
        let (target, nearby) = self.clients.get_or_insert_with(|| {
            let nearby = HttpOptions::new().timeout(NEARBY_TIMEOUT);
            (Client::new(self.options.clone()), Client::new(nearby))
        });
        let credentials = &self.credentials;
        post_with_token(target, &mut self.token, &url, text, || credentials.token(nearby))
    }
}

impl Sink for GoogleLogging {
    fn check(&self) -> Result<()> {
        self.encoding.log_name()?;
        self.endpoint.check("endpoint")?;
        self.options.check()
    }

    fn limits(&self) -> Limits {
        Limits::new(ENTRIES_MAX, BODY_BYTES_MAX)
    }

    fn size_of(&self, message: &Message) -> usize {
        self.encoding.size_of(message)
    }

    fn encoder(&self) -> Option<Box<dyn Encoder>> {
        Some(Box::new(self.encoding.clone()))
    }

    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        let sent = batch.encoded(&self.encoding).and_then(|encoded| self.send(&encoded));
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
            .field("parent", &self.encoding.parent)
            .field("log", &self.encoding.log)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

const ENTRIES_MAX: usize = 1_000;

/// Well below the 10 MB of a request, which Google counts in a form of its own.
const BODY_BYTES_MAX: usize = 4_000_000;
