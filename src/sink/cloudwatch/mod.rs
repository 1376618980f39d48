//! AWS CloudWatch Logs.

mod answer;
mod body;
mod credentials;
mod sigv4;

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use self::answer::{Refusal, dropped};
use self::body::{Encoding, write_names};
pub use self::credentials::{AwsCredentials, AwsKeys};
use self::sigv4::{Scope, Signable};
use super::http::{Answer, Client, HttpOptions, Lease, NEARBY_TIMEOUT, Request, Url, check_credential};
use super::{Batch, Delivery, Encoded, Encoder, Limits, Message, Rejection, Sink};
use crate::error::{Error, Result};
use crate::timestamp::Timestamp;

/// Puts messages into a log stream of AWS CloudWatch Logs, by `PutLogEvents`.
///
/// An event there is the message's text, byte for byte; Logs Insights finds its JSON fields by itself, such as
/// `event.actor.id`. Its time is `recorded_at`. Credentials are those that AWS's own clients find
/// ([`AwsCredentials::find`]), unless they are given.
///
/// # In AWS
///
/// Who delivers needs `logs:PutLogEvents`, and for [`create_missing`](Self::create_missing) the two others:
///
/// ```json
/// {"Version": "2012-10-17", "Statement": [{
///   "Effect": "Allow",
///   "Action": ["logs:PutLogEvents", "logs:CreateLogStream", "logs:CreateLogGroup"],
///   "Resource": "arn:aws:logs:eu-central-1:123456789012:log-group:audit:*"
/// }]}
/// ```
///
/// ```sh
/// aws logs create-log-group --log-group-name audit
/// aws logs put-retention-policy --log-group-name audit --retention-in-days 400
/// aws logs create-log-stream --log-group-name audit --log-stream-name auth-service
/// ```
///
/// # Limits
///
/// A batch is 1,048,576 bytes, with 26 for each event, 10,000 events and 24 hours, in the order of time
/// ([`PutLogEvents`](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html)). AWS drops
/// events that are older than 14 days or than the retention of the group, or more than two hours ahead, and yet answers 200.
/// Such a batch is put with the time of now, and what AWS says it has dropped is put again so: when it was recorded stands
/// in the record. What is delivered twice stands there twice, with the same `seq` and `hash`.
///
/// ```
/// use indelible::sink::{AwsCredentials, CloudWatch, Feed};
///
/// let logs = CloudWatch::new("eu-central-1", "audit", "auth-service")
///     .credentials(AwsCredentials::profile("audit"))
///     .create_missing();
/// let feed = Feed::new("cloudwatch", logs);
/// ```
pub struct CloudWatch {
    region: String,
    encoding: Encoding,
    credentials: AwsCredentials,
    endpoint: Option<Url>,
    creates: bool,
    options: HttpOptions,
    keys: Lease<AwsKeys>,
    client: Option<Client>,
    /// Credentials are asked for close by: no proxy, and little patience.
    nearby: Client,
    /// What was recorded until then is known to be too old for the group.
    too_old: Option<Timestamp>,
}

impl CloudWatch {
    /// The stream `stream` of the group `group`, in a region such as `eu-central-1`.
    pub fn new(region: impl Into<String>, group: impl Into<String>, stream: impl Into<String>) -> Self {
        Self {
            region: region.into(),
            encoding: Encoding {
                group: group.into(),
                stream: stream.into(),
            },
            credentials: AwsCredentials::find(),
            endpoint: None,
            creates: false,
            options: HttpOptions::new(),
            keys: Lease::new(),
            client: None,
            nearby: Client::new(HttpOptions::new().timeout(NEARBY_TIMEOUT)),
            too_old: None,
        }
    }

    /// With these credentials.
    pub fn credentials(mut self, credentials: impl Into<AwsCredentials>) -> Self {
        self.credentials = credentials.into();
        self
    }

    /// At this URL, such as `https://vpce-1234.logs.eu-central-1.vpce.amazonaws.com`, rather than the region's.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(Url::new(url));
        self
    }

    /// Creates the group and the stream where they are missing.
    pub fn create_missing(mut self) -> Self {
        self.creates = true;
        self
    }

    /// How the target is reached.
    pub fn http(mut self, options: HttpOptions) -> Self {
        self.options = options;
        self
    }

    /// AWS refuses a wrong name as it refuses a wrong event; these are no event's fault.
    fn check_names(&self) -> Result<()> {
        let is_region = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        let is_group = |letter: char| letter.is_ascii_alphanumeric() || "._/#-".contains(letter);
        let is_named = |name: &str, is_letter: &dyn Fn(char) -> bool| {
            (1..=NAME_CHARS_MAX).contains(&name.chars().count()) && name.chars().all(is_letter)
        };
        if !is_named(&self.region, &is_region) {
            return Err(Error::configuration("region", "it is none of AWS"));
        }
        if !is_named(&self.encoding.group, &is_group) {
            return Err(Error::configuration(
                "group",
                "a group has 1 to 512 letters, digits and . _ / # -",
            ));
        }
        if !is_named(&self.encoding.stream, &|letter| !matches!(letter, ':' | '*')) {
            return Err(Error::configuration(
                "stream",
                "a stream has 1 to 512 characters, and neither : nor *",
            ));
        }
        Ok(())
    }

    fn url(&self) -> String {
        let region = &self.region;
        match &self.endpoint {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None if region.starts_with("cn-") => format!("https://logs.{region}.amazonaws.com.cn"),
            None if region.starts_with("eusc-") => format!("https://logs.{region}.amazonaws.eu"),
            None => format!("https://logs.{region}.amazonaws.com"),
        }
    }

    /// Whether AWS drops an event of this time.
    fn drops(&self, recorded_at: Timestamp, now: Timestamp) -> bool {
        let age = now.unix_micros().saturating_sub(recorded_at.unix_micros());
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        age > micros(AGE_MAX) || age < -micros(AHEAD_MAX) || self.too_old.is_some_and(|time| recorded_at <= time)
    }

    /// Puts events, and gives the places of those that AWS drops for their time.
    fn put(&mut self, body: &[u8], count: usize) -> Result<Vec<usize>, Delivery> {
        let answer = self.call("PutLogEvents", body)?;
        let answer = match Refusal::of(&answer) {
            Refusal::Missing if answer.status != 200 && self.creates => {
                self.create()?;
                self.call("PutLogEvents", body)?
            }
            _ => answer,
        };
        match (answer.status, Refusal::of(&answer)) {
            (200, _) => dropped(&answer, count),
            (_, Refusal::Taken) => Ok(Vec::new()),
            (_, refusal) => Err(refusal.delivery(&answer)),
        }
    }

    /// Puts events, and those that AWS drops for their time once more.
    fn put_all(&mut self, batch: &Batch<'_>) -> Delivery {
        if let Err(error) = self.check_names() {
            return Delivery::hold(error.to_string());
        }
        let (all, now) = (batch.messages, Timestamp::from(SystemTime::now()));
        let is_outside = all.iter().any(|message| self.drops(message.recorded_at(), now));
        let encoded = match is_outside {
            true => Ok(Cow::Owned(Encoded::new(self.encoding.write(all, Some(now))))),
            false => batch.encoded(&self.encoding),
        };
        let dropped = match encoded.and_then(|encoded| self.put(&encoded.body, all.len())) {
            Ok(dropped) if dropped.is_empty() => return Delivery::Delivered,
            Ok(dropped) => dropped,
            Err(delivery) => return delivery,
        };
        let again: Vec<&Message> = dropped.iter().filter_map(|at| all.get(*at)).collect();
        // What is too old comes first, and what is ahead has no such time.
        let old = dropped.iter().enumerate().take_while(|(place, at)| place == *at).last();
        let old = old
            .and_then(|(place, _)| again.get(place))
            .map(|message| message.recorded_at());
        self.too_old = self.too_old.max(old.filter(|time| *time < SystemTime::now().into()));
        let now = Timestamp::from(SystemTime::now());
        let body = self.encoding.write(again, Some(now));
        match self.put(&body, dropped.len()) {
            Ok(still) if still.is_empty() => Delivery::Delivered,
            Ok(still) => Delivery::Rejected {
                rejected: still
                    .iter()
                    .filter_map(|place| dropped.get(*place))
                    .map(|at| Rejection::new(*at, "AWS drops it for its time, and also with the time of now"))
                    .collect(),
                undelivered: Vec::new(),
            },
            Err(delivery) if dropped.len() == all.len() => delivery,
            Err(_) => Delivery::Partly { undelivered: dropped },
        }
    }

    fn create(&mut self) -> Result<(), Delivery> {
        let stream = write_names(&[
            ("logGroupName", &self.encoding.group),
            ("logStreamName", &self.encoding.stream),
        ]);
        let group = write_names(&[("logGroupName", &self.encoding.group)]);
        for (operation, body) in [
            ("CreateLogStream", &stream),
            ("CreateLogGroup", &group),
            ("CreateLogStream", &stream),
        ] {
            let answer = self.call(operation, body)?;
            let is_there = answer.status == 200 || Refusal::of(&answer) == Refusal::Exists;
            match Refusal::of(&answer) {
                _ if is_there && operation == "CreateLogStream" => return Ok(()),
                _ if is_there => {}
                // There is no group either.
                Refusal::Missing if operation == "CreateLogStream" => {}
                // Whatever is wrong with it, it is no message.
                Refusal::Batch => return Err(Refusal::Missing.delivery(&answer)),
                refusal => return Err(refusal.delivery(&answer)),
            }
        }
        Err(Delivery::retry("the stream was created, and is not there yet"))
    }

    /// Calls an operation. Where AWS refuses the credentials, once more with new ones.
    fn call(&mut self, operation: &str, body: &[u8]) -> Result<Answer, Delivery> {
        let answer = self.call_once(operation, body)?;
        if answer.status < 400 || Refusal::of(&answer) != Refusal::Credentials {
            return Ok(answer);
        }
        self.keys.forget();
        self.call_once(operation, body)
    }

    fn call_once(&mut self, operation: &str, body: &[u8]) -> Result<Answer, Delivery> {
        let url = self.url();
        let (credentials, nearby) = (&self.credentials, &mut self.nearby);
        let now = SystemTime::now();
        let keys = self.keys.get(now, || {
            let keys = credentials.get(nearby)?;
            check_credential(keys.access_key_id())?;
            keys.token().map_or(Ok(()), check_credential)?;
            let ends = keys.ends();
            Ok((keys, ends))
        })?;
        let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (date, target) = (sigv4::amz_date(now.into()), format!("Logs_20140328.{operation}"));
        let mut headers = vec![
            ("content-type", "application/x-amz-json-1.1"),
            ("host", host),
            ("x-amz-date", &date),
        ];
        headers.extend(keys.token().map(|token| ("x-amz-security-token", token)));
        headers.push(("x-amz-target", &target));
        let signable = Signable {
            method: "POST",
            path: if path.is_empty() { "/" } else { path },
            query: "",
            headers: &headers,
            body,
        };
        let scope = Scope {
            region: &self.region,
            service: "logs",
        };
        let authorization = sigv4::authorization(&signable, keys, scope, &date);
        headers.push(("authorization", &authorization));
        let client = self.client.get_or_insert_with(|| Client::new(self.options.clone()));
        client.send(&Request {
            method: "POST",
            url: &url,
            headers: &headers,
            body,
        })
    }
}

impl Sink for CloudWatch {
    fn check(&self) -> Result<()> {
        self.check_names()?;
        self.endpoint.as_ref().map_or(Ok(()), |url| url.check("endpoint"))?;
        self.options.check()
    }

    fn limits(&self) -> Limits {
        Limits::new(EVENTS_MAX, BATCH_BYTES_MAX).within(SPAN_MAX)
    }

    fn size_of(&self, message: &Message) -> usize {
        message.text().len() + AROUND
    }

    fn encoder(&self) -> Option<Box<dyn Encoder>> {
        Some(Box::new(self.encoding.clone()))
    }

    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        let delivery = self.put_all(batch);
        self.keys.forget_if_held(&delivery);
        delivery
    }
}

impl fmt::Debug for CloudWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudWatch")
            .field("region", &self.region)
            .field("group", &self.encoding.group)
            .field("stream", &self.encoding.stream)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

const EVENTS_MAX: usize = 10_000;

const BATCH_BYTES_MAX: usize = 1_048_576;

const SPAN_MAX: Duration = Duration::from_secs(24 * 3600);

/// What AWS counts for an event beside its message.
const AROUND: usize = 26;

const NAME_CHARS_MAX: usize = 512;

/// Fourteen days, less what a request may take.
const AGE_MAX: Duration = Duration::from_secs(14 * 24 * 3600 - 300);

/// Two hours, less as much.
const AHEAD_MAX: Duration = Duration::from_secs(2 * 3600 - 300);
