//! What an answer says became of a batch.

use std::fmt;
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use ureq::http::HeaderMap;
use zeroize::Zeroizing;

use super::client::Request;
#[cfg(any(feature = "datadog", feature = "otlp"))]
use crate::json::{self, JsonError, Reader};
use crate::sink::{Delivery, Problem};

/// The answer of a target.
pub(in crate::sink) struct Answer {
    pub(in crate::sink) status: u16,
    headers: HeaderMap,
    pub(in crate::sink) body: Vec<u8>,
    /// What of the request may be a secret.
    asked_with: Vec<Zeroizing<String>>,
}

impl Answer {
    pub(in crate::sink) fn new(status: u16, headers: HeaderMap, body: Vec<u8>) -> Self {
        Self {
            status,
            headers,
            body,
            asked_with: Vec::new(),
        }
    }

    /// The answer to this request.
    pub(super) fn to(mut self, request: &Request<'_>) -> Self {
        let headers = request.headers.iter().filter(|(name, _)| !OPEN.contains(name));
        let words = headers.flat_map(|(_, value)| std::iter::once(*value).chain(value.split(' ')));
        let rest = request.url.split_once("://").map_or(request.url, |(_, rest)| rest);
        let path = rest.split_at_checked(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let parts = path.map_or("", |(_, path)| path).split(['?', '#']);
        let secrets = words.chain(parts).filter(|text| text.len() >= SECRET_BYTES_MIN);
        self.asked_with = secrets.map(|secret| Zeroizing::new(secret.to_owned())).collect();
        self
    }

    pub(in crate::sink) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The status, and what the target says to it.
    pub(in crate::sink) fn problem(&self) -> Problem {
        Problem::new(format!("HTTP {}", self.status)).with_answer(self.said())
    }

    /// What the target says, less what it has from the request: AWS says back what was signed, with the session token, and
    /// others the path.
    pub(in crate::sink) fn said(&self) -> String {
        let said = String::from_utf8_lossy(&self.body).into_owned();
        let without = |said: String, secret: &Zeroizing<String>| said.replace(secret.as_str(), "…");
        self.asked_with.iter().fold(said, without)
    }

    /// How long the target asks to wait: `Retry-After` as seconds or as a date (RFC 9110 §10.2.3), or what clouds have for
    /// it. Not at all says nothing: by the clock here, a date may be over that is still to come there.
    pub(in crate::sink) fn pause(&self) -> Option<Duration> {
        let millis = |name| Some(Duration::from_millis(self.header(name)?.trim().parse().ok()?));
        let seconds = |name| Some(Duration::from_secs(self.header(name)?.trim().parse().ok()?));
        let date = || {
            let date = self.time("retry-after")?;
            Some(date.duration_since(SystemTime::now()).unwrap_or_default())
        };
        millis("x-ms-retry-after-ms")
            .or_else(|| millis("retry-after-ms"))
            .or_else(|| millis("x-amz-retry-after"))
            .or_else(|| seconds("retry-after"))
            .or_else(date)
            .filter(|pause| !pause.is_zero())
    }

    /// The target's clock.
    #[cfg(feature = "cloudwatch")]
    pub(in crate::sink) fn date(&self) -> Option<SystemTime> {
        self.time("date")
    }

    /// A header that is a time (RFC 9110 §5.6.7).
    fn time(&self, name: &str) -> Option<SystemTime> {
        let time = OffsetDateTime::parse(self.header(name)?.trim(), &Rfc2822).ok()?;
        Some(SystemTime::from(time))
    }

    /// Whether it gives what it was asked for, a token say. What else it says may hold a secret, and is told to nobody.
    #[cfg(feature = "cloud")]
    pub(in crate::sink) fn gives(&self, who: &str) -> Result<(), Delivery> {
        let what = format!("{who} answers HTTP {}", self.status);
        match self.status {
            200..=299 => Ok(()),
            408 | 429 | 500.. => Err(retry(what)),
            _ => Err(hold(what)),
        }
    }

    /// Whether it is one JSON object, as the targets with an API of JSON answer. What is not is another's: a proxy's, a
    /// portal's, or that of a port for TLS which is spoken to without it.
    #[cfg(any(feature = "datadog", feature = "otlp"))]
    pub(in crate::sink) fn is_object(&self) -> bool {
        let read = Reader::new(&self.body, json::DEPTH_MAX).and_then(|mut reader| {
            reader.object::<JsonError>(|_, value| value.skip())?;
            reader.end()
        });
        read.is_ok()
    }

    /// What the status says, where the target has no rules of its own.
    pub(in crate::sink) fn delivery(&self) -> Delivery {
        let problem = self.problem();
        match (self.status, self.pause()) {
            (200..=299, _) => Delivery::Delivered,
            (429, pause) | (408 | 425 | 500 | 502..=504 | 506..=599, pause @ Some(_)) => {
                Delivery::Throttled { pause, problem }
            }
            (408 | 425 | 500 | 502..=504 | 506..=599, None) => Delivery::Retry { problem },
            // What is wrong may stand in one message alone.
            (400 | 413 | 422, _) => Delivery::Split { problem },
            // No credentials, no permission, no such target, a redirect: nothing of the batch.
            _ => Delivery::Hold { problem },
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may hold a token.
        f.debug_struct("Answer")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

pub(super) fn hold(what: impl Into<String>) -> Delivery {
    Delivery::hold(Problem::new(what))
}

pub(super) fn retry(what: impl Into<String>) -> Delivery {
    Delivery::retry(Problem::new(what))
}

/// Headers without secrets.
const OPEN: [&str; 4] = ["content-type", "host", "x-amz-date", "x-amz-target"];

/// No secret is shorter, and words of a language mostly are.
const SECRET_BYTES_MIN: usize = 8;

#[cfg(test)]
mod tests {
    use ureq::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn a_pause_is_read_in_each_form_and_none_at_all_says_nothing() {
        let pause = |name: &'static str, value: &'static str| {
            let headers = [(HeaderName::from_static(name), HeaderValue::from_static(value))];
            Answer::new(503, headers.into_iter().collect(), Vec::new()).pause()
        };
        assert_eq!(pause("retry-after", " 120 "), Some(Duration::from_secs(120)));
        assert_eq!(pause("x-amz-retry-after", "1500"), Some(Duration::from_millis(1500)));
        let far = pause("retry-after", "Sat, 01 Jan 2250 00:00:00 GMT");
        assert!(far > Some(Duration::from_secs(86_400)), "{far:?}");
        for nothing in ["0", "", "-1", "soon", "Sun, 06 Nov 1994 08:49:37 GMT"] {
            assert_eq!(pause("retry-after", nothing), None, "{nothing}");
        }
    }
}
