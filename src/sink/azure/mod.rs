//! Azure Monitor.

mod credentials;
mod row;

use std::fmt;
use std::time::Duration;

pub use self::credentials::AzureCredentials;
use self::credentials::Cloud;
use self::row::Rows;
use super::http::{Answer, Client, HttpOptions, Lease, NEARBY_TIMEOUT, Token, Url, percent, post_with_token};
use super::{Batch, Delivery, Encoded, Encoder, Limits, Message, Rejection, Sink};
use crate::error::{Error, Result};
use crate::timestamp::Timestamp;

/// Puts messages into a table of Azure Monitor (Log Analytics, Microsoft Sentinel), by the
/// [Logs Ingestion API](https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview).
///
/// A message is a row: `TimeGenerated`, `Action`, `Severity`, `OccurredAt`, `RecordedAt`, `MessageId`, `Seq`, `Hash`, and
/// `Message`, the text byte for byte. Azure cuts off what a column has beyond 64 KB, and says nothing. So a text of more
/// than 32,000 bytes goes on in `Message2` to `Message9`; together they take the largest record that a log has.
///
/// # In Azure
///
/// A table and a data collection rule, with the columns
///
/// ```json
/// {"streamDeclarations": {"Custom-Audit_CL": {"columns": [
///   {"name": "TimeGenerated", "type": "datetime"}, {"name": "OccurredAt", "type": "datetime"},
///   {"name": "RecordedAt", "type": "datetime"}, {"name": "Action", "type": "string"},
///   {"name": "Severity", "type": "string"}, {"name": "MessageId", "type": "string"},
///   {"name": "Seq", "type": "long"}, {"name": "Hash", "type": "string"},
///   {"name": "Message", "type": "string"}, {"name": "Message2", "type": "string"},
///   {"name": "Message3", "type": "string"}, {"name": "Message4", "type": "string"},
///   {"name": "Message5", "type": "string"}, {"name": "Message6", "type": "string"},
///   {"name": "Message7", "type": "string"}, {"name": "Message8", "type": "string"},
///   {"name": "Message9", "type": "string"}
/// ]}},
/// "destinations": {"logAnalytics": [{"workspaceResourceId": "/subscriptions/…/workspaces/audit", "name": "audit"}]},
/// "dataFlows": [{"streams": ["Custom-Audit_CL"], "destinations": ["audit"], "outputStream": "Custom-Audit_CL"}]}
/// ```
///
/// ```sh
/// az monitor log-analytics workspace table create -g audit --workspace-name audit -n Audit_CL --columns \
///     TimeGenerated=datetime OccurredAt=datetime RecordedAt=datetime Action=string Severity=string MessageId=string \
///     Seq=long Hash=string Message=string Message2=string Message3=string Message4=string Message5=string Message6=string \
///     Message7=string Message8=string Message9=string
/// az monitor data-collection rule create -g audit -n audit -l westeurope --kind Direct --rule-file rule.json
/// az role assignment create --role "Monitoring Metrics Publisher" --assignee CLIENT-ID --scope RULE-RESOURCE-ID
/// ```
///
/// The role is on the rule, and takes up to half an hour to be known; until then delivery is held and tried again.
/// Azure drops columns that the rule does not have without a word: all of them must be there.
///
/// ```kql
/// Audit_CL
/// | summarize arg_min(TimeGenerated, *) by MessageId // what was delivered twice has the same
/// | extend record = parse_json(strcat(Message, Message2, Message3, Message4, Message5, Message6, Message7, Message8, Message9))
/// | where record.event.actor.id == "usr_alice123"
/// ```
///
/// # Limits
///
/// A request has at most 1 MiB, compressed and not
/// ([limits](https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#logs-ingestion-api)).
/// `TimeGenerated` is `recorded_at`, or now where that is more than two days ago or more than one day ahead: another Azure
/// replaces. The cloud of the endpoint's name, `.com`, `.us` or `.cn`, is the one that is asked for tokens.
///
/// ```
/// use indelible::sink::{AzureCredentials, AzureMonitor, Feed};
///
/// let table = AzureMonitor::new(
///     "https://audit-1234.westeurope-1.ingest.monitor.azure.com",
///     "dcr-00000000000000000000000000000001",
///     "Custom-Audit_CL",
///     AzureCredentials::managed_identity(),
/// );
/// let feed = Feed::new("sentinel", table).without_personal_data();
/// ```
pub struct AzureMonitor {
    endpoint: Url,
    rule: String,
    stream: String,
    credentials: AzureCredentials,
    is_auxiliary: bool,
    options: HttpOptions,
    token: Lease<Token>,
    clients: Option<Clients>,
}

#[derive(Debug)]
struct Clients {
    target: Client,
    tokens: Client,
    nearby: Client,
}

impl AzureMonitor {
    /// The stream of a data collection rule, such as `Custom-Audit_CL`, at the logs ingestion endpoint of the rule, or a
    /// data collection endpoint. `rule` is the rule's immutable id, `dcr-…`.
    pub fn new(
        endpoint: impl Into<String>,
        rule: impl Into<String>,
        stream: impl Into<String>,
        credentials: AzureCredentials,
    ) -> Self {
        Self {
            endpoint: Url::new(endpoint),
            rule: rule.into(),
            stream: stream.into(),
            credentials,
            is_auxiliary: false,
            options: HttpOptions::new(),
            token: Lease::new(),
            clients: None,
        }
    }

    /// The table has the plan Auxiliary, which takes no more than half an hour of `TimeGenerated` in one request.
    pub fn auxiliary(mut self) -> Self {
        self.is_auxiliary = true;
        self
    }

    /// How the target, and who gives its tokens, is reached.
    pub fn http(mut self, options: HttpOptions) -> Self {
        self.options = options;
        self
    }

    fn send(&mut self, text: &Encoded) -> Result<Answer, Delivery> {
        let endpoint = self.endpoint.trim_end_matches('/');
        let (rule, stream) = (percent(&self.rule), percent(&self.stream));
        let url = format!("{endpoint}/dataCollectionRules/{rule}/streams/{stream}?api-version=2023-01-01");
        let (credentials, cloud) = (&self.credentials, Cloud::of(endpoint));
        let Clients { target, tokens, nearby } = self.clients.get_or_insert_with(|| Clients {
            target: Client::new(self.options.clone()),
            tokens: Client::new(self.options.clone()),
            nearby: Client::new(HttpOptions::new().timeout(NEARBY_TIMEOUT)),
        });
        post_with_token(target, &mut self.token, &url, text, || {
            credentials.token(cloud, tokens, nearby)
        })
    }
}

impl Sink for AzureMonitor {
    fn check(&self) -> Result<()> {
        self.endpoint.check("endpoint")?;
        for (option, name) in [("rule", &self.rule), ("stream", &self.stream)] {
            if name.is_empty() {
                return Err(Error::configuration(option, "it is empty"));
            }
        }
        self.options.check()
    }

    fn limits(&self) -> Limits {
        let limits = Limits::new(MESSAGES_MAX, BODY_BYTES_MAX);
        match self.is_auxiliary {
            true => limits.within(AUXILIARY_SPAN_MAX),
            false => limits,
        }
    }

    fn size_of(&self, message: &Message) -> usize {
        row::size(message)
    }

    fn encoder(&self) -> Option<Box<dyn Encoder>> {
        Some(Box::new(Rows))
    }

    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        let (mut rejected, mut undelivered) = (Vec::new(), Vec::new());
        for (at, message) in batch.messages.iter().enumerate() {
            match row::too_long(message) {
                Some(problem) => rejected.push(Rejection::new(at, problem)),
                None => undelivered.push(at),
            }
        }
        if !rejected.is_empty() {
            return Delivery::Rejected { rejected, undelivered };
        }
        let sent = batch.encoded(&Rows).and_then(|encoded| self.send(&encoded));
        let delivery = match sent {
            Ok(answer) => delivery(&answer, batch.messages),
            Err(delivery) => delivery,
        };
        self.token.forget_if_held(&delivery);
        delivery
    }
}

/// What became of a batch.
fn delivery(answer: &Answer, messages: &[Message]) -> Delivery {
    let (problem, is_alone) = (answer.problem(), messages.len() == 1);
    let is_large = || messages.iter().map(row::size).sum::<usize>() > LARGE;
    match answer.status {
        204 => Delivery::Delivered,
        // A proxy's, or a portal's: Azure says 204.
        200..=299 => Delivery::retry("the answer is none of Azure Monitor"),
        // One message is no reason to set it aside: it may be the rule, or the URL.
        400 if is_alone => Delivery::Hold { problem },
        // Azure has answered so to what is too large.
        404 if !is_alone && is_large() => Delivery::Split { problem },
        404 => Delivery::Hold { problem },
        _ => answer.delivery(),
    }
}

impl fmt::Debug for AzureMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureMonitor")
            .field("endpoint", &self.endpoint)
            .field("rule", &self.rule)
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

/// The time of a row: Azure replaces what is too old, or too far ahead.
fn time_generated(recorded_at: Timestamp, now: Timestamp) -> Timestamp {
    let age = now.unix_micros().saturating_sub(recorded_at.unix_micros());
    let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    match age > micros(AGE_MAX) || age < -micros(AHEAD_MAX) {
        true => now,
        false => recorded_at,
    }
}

const MESSAGES_MAX: usize = 2_000;

/// Below 1 MiB, of 1,048,576 bytes, also where gzip makes it larger.
const BODY_BYTES_MAX: usize = 1_000_000;

/// What may be too large for a target that takes less.
const LARGE: usize = 256 * 1024;

const AUXILIARY_SPAN_MAX: Duration = Duration::from_secs(29 * 60);

/// Two days, less what a request may take.
const AGE_MAX: Duration = Duration::from_secs(48 * 3600 - 300);

/// One day, less as much.
const AHEAD_MAX: Duration = Duration::from_secs(24 * 3600 - 300);
