//! Splunk, by its HTTP Event Collector.

mod acknowledgement;
mod answer;
mod event;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use zeroize::Zeroizing;

use self::acknowledgement::Channel;
use self::event::Encoding;
use super::http::{Client, HttpOptions, Url, check_fixed};
use super::{Batch, Delivery, Encoder, Limits, Message, Secret, Sink};
use crate::error::Result;

/// Sends messages to the HTTP Event Collector (HEC) of Splunk, to its event endpoint.
///
/// An event's `event` is the message as an object, so that people search its fields; what is copied out of Splunk verifies
/// still (FORMAT §10). Its `time` is when it happened. Splunk keeps no times of more than 2,000 days ago or 2 days ahead
/// (`MAX_DAYS_AGO`, `MAX_DAYS_HENCE` of `props.conf`): such an event gets the time at which it is sent, and its own as the
/// indexed field `original_time`.
///
/// # What Splunk needs
///
/// A token that may write to the index (Settings, Data inputs, HTTP Event Collector), or in `inputs.conf`:
///
/// ```text
/// [http://audit]
/// token = 00000000-0000-0000-0000-000000000001
/// index = audit
/// indexes = audit
/// useACK = true                 # only with Splunk::acknowledged
/// ```
///
/// and in `props.conf`, so that no event is cut (the default is 10,000 bytes) and its fields are found:
///
/// ```text
/// [indelible:audit]
/// TRUNCATE = 0
/// KV_MODE = json
/// ```
///
/// # What became of a batch
///
/// A request has at most 900 KB before it is compressed by gzip: Splunk Cloud takes 1 MB. Splunk answers as soon as it has a
/// request in memory, and what it had not indexed yet is lost if it crashes then. With [`acknowledged`](Self::acknowledged)
/// a batch is delivered once Splunk has indexed it.
///
/// Where Splunk refuses an event and says which, it has those before it: only the one is set aside, and the rest is sent
/// again. A token that is refused, and an index that is missing, hold the delivery; a token is asked for with each batch, so
/// a new one mends it. Splunk does not know an event again: one that is sent twice, after an answer that was lost, stands
/// there twice, with the same `seq` and `hash` (`| dedup hash`).
///
/// ```
/// use std::time::Duration;
/// use indelible::sink::{Feed, Secret, Splunk};
///
/// let splunk = Splunk::new("https://splunk.example.com:8088", Secret::env("SPLUNK_HEC_TOKEN"))
///     .index("audit")
///     .host("auth-1")
///     .acknowledged(Duration::from_secs(60));
/// let feed = Feed::new("splunk", splunk).without_personal_data();
/// ```
#[derive(Debug)]
pub struct Splunk {
    url: Url,
    token: Secret,
    encoding: Encoding,
    client: Client,
    channel: Option<Channel>,
}

impl Splunk {
    /// The collector at a URL, such as `https://splunk.example.com:8088` or
    /// `https://http-inputs-acme.splunkcloud.com`, and a token of it. The path of the event endpoint may stand in it.
    pub fn new(url: impl Into<String>, token: impl Into<Secret>) -> Self {
        let url = url.into();
        let url = url.trim_end_matches('/');
        let above = url.strip_suffix("/event").unwrap_or(url);
        let url = above.strip_suffix(PATH).unwrap_or(url);
        let metadata = [("source", "indelible"), ("sourcetype", "indelible:audit")];
        Self {
            url: Url::new(url),
            token: token.into(),
            encoding: Encoding {
                metadata: metadata.map(|(key, value)| (key, value.to_owned())).into(),
                fields: BTreeMap::new(),
            },
            client: Client::new(HttpOptions::new()),
            channel: None,
        }
    }

    /// The index to write to; the token's own if it is not given.
    pub fn index(self, name: impl Into<String>) -> Self {
        self.with("index", name.into())
    }

    /// The events' `host`; Splunk's own choice if it is not given.
    pub fn host(self, name: impl Into<String>) -> Self {
        self.with("host", name.into())
    }

    /// The events' `source`; `indelible` if it is not given.
    pub fn source(self, name: impl Into<String>) -> Self {
        self.with("source", name.into())
    }

    /// The events' `sourcetype`; `indelible:audit` if it is not given.
    pub fn sourcetype(self, name: impl Into<String>) -> Self {
        self.with("sourcetype", name.into())
    }

    /// A field that is indexed with each event, such as the environment.
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.encoding.fields.insert(name.into(), value.into());
        self
    }

    /// Waits until Splunk has indexed what it has got, asking every 250 ms, for so long at most; then it is sent again.
    ///
    /// It needs a token with `useACK`, which Splunk Cloud does not have, and, behind a load balancer, that this host's
    /// connections all reach the same Splunk. Up to eight requests are sent before it waits for all of them.
    pub fn acknowledged(mut self, within: Duration) -> Self {
        self.channel = Some(Channel::new(within));
        self
    }

    /// How the target is reached.
    pub fn http(mut self, options: HttpOptions) -> Self {
        self.client = Client::new(options);
        self
    }

    fn with(mut self, key: &'static str, value: String) -> Self {
        self.encoding.metadata.insert(key, value);
        self
    }

    /// Sends one request, and gives the id under which Splunk tells what became of it, where it has one.
    fn post(&mut self, batch: &Batch<'_>, headers: &[(&str, &str)]) -> Result<Option<u64>, Delivery> {
        let encoded = batch.encoded(&self.encoding)?;
        let url = format!("{}{PATH}/event", &*self.url);
        let answer = self.client.post_json(&url, headers, &encoded)?;
        answer::taken(&answer, batch.messages.len(), self.channel.is_some())
    }

    /// Sends a batch in as many requests as it takes, and waits until all that Splunk has taken is indexed.
    fn deliver_acknowledged(&mut self, messages: &[Message], headers: &[(&str, &str)]) -> Result<(), Delivery> {
        let limits = Limits::new(usize::MAX, REQUEST_BYTES_MAX);
        let (mut start, mut sent, mut failed) = (0, Vec::new(), None);
        while let Some(rest) = messages.get(start..).filter(|rest| !rest.is_empty()) {
            let end = start + limits.prefix(rest, |message| self.size_of(message));
            let part = Batch::new(messages.get(start..end).unwrap_or_default());
            match self.post(&part, headers) {
                // It was restarted, or there are several that count for themselves: which of the two requests would be
                // confirmed?
                Ok(Some(id)) if sent.iter().any(|(other, _)| *other == id) => {
                    self.channel.iter_mut().for_each(Channel::forget);
                    return Err(Delivery::retry("Splunk gave the same id to two requests"));
                }
                Ok(Some(id)) => sent.push((id, start..end)),
                Ok(None) => failed = Some(Delivery::retry("Splunk gave no id to ask for")),
                Err(delivery) => failed = Some(and_not(delivery, end..messages.len())),
            }
            if failed.is_some() {
                break;
            }
            start = end;
        }
        // What failed is tried again as the first of the next batch, and says there what is wrong.
        let mut undelivered: Vec<usize> = (start..messages.len()).collect();
        if let (Some(failed), true) = (&failed, sent.is_empty()) {
            return Err(failed.clone());
        }
        let Some(channel) = &mut self.channel else {
            return Ok(());
        };
        let ids = sent.iter().map(|(id, _)| *id).collect();
        let url = format!("{}{PATH}/ack", &*self.url);
        let open = channel.wait(ids, |body| self.client.post_json(&url, headers, body));
        let is_open = |id: &u64| open.as_ref().map_or(true, |open| open.contains(id));
        let unconfirmed = sent.iter().filter(|(id, _)| is_open(id));
        undelivered.extend(unconfirmed.flat_map(|(_, range)| range.clone()));
        match open {
            Err(delivery) => Err(delivery),
            Ok(_) if undelivered.is_empty() => Ok(()),
            Ok(_) if undelivered.len() == messages.len() => {
                Err(Delivery::retry("Splunk has not said that it is indexed"))
            }
            Ok(_) => Err(Delivery::Partly { undelivered }),
        }
    }
}

impl Sink for Splunk {
    fn check(&self) -> Result<()> {
        self.url.check("url")?;
        check_fixed("token", &self.token)?;
        self.client.check()
    }

    fn limits(&self) -> Limits {
        let requests = if self.channel.is_some() { REQUESTS_MAX } else { 1 };
        Limits::new(MESSAGES_MAX, requests * REQUEST_BYTES_MAX)
    }

    fn size_of(&self, message: &Message) -> usize {
        self.encoding.size_of(message)
    }

    fn encoder(&self) -> Option<Box<dyn Encoder>> {
        // What is acknowledged goes in several requests.
        match self.channel {
            Some(_) => None,
            None => Some(Box::new(self.encoding.clone())),
        }
    }

    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        let token = match self.token.get() {
            Ok(token) => Zeroizing::new(format!("Splunk {}", token.as_str())),
            Err(problem) => return Delivery::hold(problem),
        };
        let authorization = ("authorization", token.as_str());
        let delivered = match &mut self.channel {
            None => self.post(batch, &[authorization]).map(|_| ()),
            Some(channel) => {
                let url = format!("{}{PATH}/ack", &*self.url);
                let client = &mut self.client;
                let opened = channel.open(|id, body| client.post_json(&url, &[authorization, (CHANNEL, id)], body));
                opened.and_then(|id| self.deliver_acknowledged(batch.messages, &[authorization, (CHANNEL, &id)]))
            }
        };
        delivered.err().unwrap_or(Delivery::Delivered)
    }
}

/// What became of a batch of which these were not sent either.
fn and_not(mut delivery: Delivery, unsent: Range<usize>) -> Delivery {
    if let Delivery::Rejected { undelivered, .. } = &mut delivery {
        undelivered.extend(unsent);
    }
    delivery
}

const PATH: &str = "/services/collector";

/// The header that names a channel.
const CHANNEL: &str = "x-splunk-request-channel";

/// Splunk Cloud takes 1 MB in a request.
const REQUEST_BYTES_MAX: usize = 900_000;

/// How many requests go before their acknowledgements are waited for.
const REQUESTS_MAX: usize = 8;

const MESSAGES_MAX: usize = 10_000;
