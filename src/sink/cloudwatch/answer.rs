//! What CloudWatch answers
//! (<https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>).

use std::time::{Duration, SystemTime};

use crate::json::{JsonError, Kind, Reader};
use crate::sink::http::Answer;
use crate::sink::{Delivery, Problem};

/// What an answer other than 200 means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The credentials have ended, or are not known any more.
    Credentials,
    /// The group or the stream is not there.
    Missing,
    /// What is to be created is there.
    Exists,
    /// It has the batch.
    Taken,
    Throttled,
    Passing,
    /// One of the messages, or their number.
    Batch,
    Other,
}

/// The type of an error, without the name space before it.
pub(super) fn error_type(answer: &Answer) -> String {
    let mut found = None;
    let read = Reader::new(&answer.body, DEPTH_MAX).and_then(|mut reader| {
        reader.object::<JsonError>(|key, value| match (key, value.kind()?) {
            ("__type" | "code", Kind::String) => {
                found = Some(value.string()?.into_owned());
                Ok(())
            }
            _ => value.skip(),
        })
    });
    let name = match (read, found) {
        (Ok(()), Some(name)) => name,
        _ => answer.header("x-amzn-errortype").unwrap_or_default().to_owned(),
    };
    let name = name.split(':').next().unwrap_or_default();
    name.rsplit('#').next().unwrap_or_default().to_owned()
}

impl Refusal {
    pub(super) fn of(answer: &Answer) -> Self {
        match error_type(answer).as_str() {
            "ExpiredToken"
            | "ExpiredTokenException"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch" => Self::Credentials,
            "ResourceNotFoundException" => Self::Missing,
            "ResourceAlreadyExistsException" => Self::Exists,
            "DataAlreadyAcceptedException" => Self::Taken,
            "ThrottlingException"
            | "Throttling"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "RequestLimitExceeded"
            | "TooManyRequestsException"
            | "LimitExceededException"
            | "SlowDown" => Self::Throttled,
            "RequestExpired"
            | "RequestTimeTooSkewed"
            | "RequestTimeout"
            | "RequestTimeoutException"
            | "OperationAbortedException"
            | "ServiceUnavailable"
            | "ServiceUnavailableException"
            | "InternalFailure"
            | "InternalServerError"
            | "InvalidSequenceTokenException" => Self::Passing,
            "InvalidParameterException" | "SerializationException" | "ValidationException" => Self::Batch,
            _ => Self::Other,
        }
    }

    /// What becomes of a batch that is refused so.
    pub(super) fn delivery(self, answer: &Answer) -> Delivery {
        let name = error_type(answer);
        let what = match name.chars().all(|letter| letter.is_ascii_alphanumeric()) && !name.is_empty() {
            true => format!("HTTP {}: {name:.64}", answer.status),
            false => format!("HTTP {}", answer.status),
        };
        let what = match clock_off(answer) {
            Some(off) => format!("{what}: the clock here is {} s off that of AWS", off.as_secs()),
            None => what,
        };
        let problem = Problem::new(what).with_answer(answer.said());
        let pause = answer.pause();
        match self {
            Self::Throttled => Delivery::Throttled { pause, problem },
            Self::Passing if pause.is_some() => Delivery::Throttled { pause, problem },
            Self::Passing => Delivery::Retry { problem },
            Self::Batch => Delivery::Split { problem },
            // What is not known is not held against a message.
            Self::Other if answer.status == 400 => Delivery::Hold { problem },
            // AWS says 200, and that is asked before.
            Self::Other if answer.status < 300 => Delivery::retry(NO_ANSWER),
            Self::Other => answer.delivery(),
            Self::Credentials | Self::Missing | Self::Exists | Self::Taken => Delivery::Hold { problem },
        }
    }
}

/// The places, of `count` events, of those that are dropped inside a 200 for their time: too old, past the retention of
/// the group, or too far ahead.
///
/// # Errors
///
/// When it is none of CloudWatch's answers: a proxy may say 200 too.
pub(super) fn dropped(answer: &Answer, count: usize) -> Result<Vec<usize>, Delivery> {
    let (mut old, mut new) = (0, count);
    let index = |value: &mut Reader<'_>| Ok::<_, JsonError>(usize::try_from(value.unsigned()?).unwrap_or(count));
    let read = Reader::new(&answer.body, DEPTH_MAX).and_then(|mut reader| {
        reader.object::<JsonError>(|key, value| {
            if key != "rejectedLogEventsInfo" || value.kind()? != Kind::Object {
                return value.skip();
            }
            value.object::<JsonError>(|key, value| {
                match (key, value.kind()?) {
                    ("tooOldLogEventEndIndex" | "expiredLogEventEndIndex", Kind::Number) => {
                        old = old.max(index(value)?)
                    }
                    ("tooNewLogEventStartIndex", Kind::Number) => new = new.min(index(value)?),
                    _ => value.skip()?,
                }
                Ok(())
            })
        })?;
        reader.end()
    });
    match read {
        Ok(()) => Ok((0..count).filter(|at| *at < old || *at >= new).collect()),
        Err(_) => Err(Delivery::retry(NO_ANSWER)),
    }
}

/// How far the clock here is from that of AWS, where it is too far for a signature.
fn clock_off(answer: &Answer) -> Option<Duration> {
    let date = answer.date()?;
    let now = SystemTime::now();
    let off = date.duration_since(now).or_else(|_| now.duration_since(date)).ok()?;
    (off > CLOCK_OFF_MAX).then_some(off)
}

/// What a proxy's answer, or a portal's, is called.
const NO_ANSWER: &str = "the answer is none of CloudWatch Logs";

/// AWS takes a signature of five minutes ago, or ahead; the request itself takes a while.
const CLOCK_OFF_MAX: Duration = Duration::from_secs(4 * 60);

const DEPTH_MAX: usize = 16;
