//! What HTTP takes of a host's settings, told before anything is sent.

#[cfg(any(feature = "webhook", feature = "otlp"))]
use ureq::http::HeaderName;

#[cfg(any(feature = "webhook", feature = "splunk", feature = "datadog", feature = "otlp"))]
use crate::error::{Error, Result};
#[cfg(any(feature = "webhook", feature = "splunk", feature = "datadog", feature = "otlp"))]
use crate::sink::Secret;

/// Checks headers of a host's own, beside those of the sink.
#[cfg(any(feature = "webhook", feature = "otlp"))]
pub(in crate::sink) fn check_headers(headers: &[(String, Secret)], of_sink: &[&str]) -> Result<()> {
    for (name, value) in headers {
        let wrong = |problem: &str| Error::configuration("headers", format!("{name:?}: {problem}"));
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(wrong("it is no name of a header"));
        }
        if FRAMING.iter().chain(of_sink).any(|set| set.eq_ignore_ascii_case(name)) {
            return Err(wrong("this header is the sink's"));
        }
        if let Some(value) = value.fixed() {
            check_value(&value).map_err(|problem| wrong(&problem))?;
        }
    }
    Ok(())
}

/// Checks a secret that is the value of a header, or part of it.
#[cfg(any(feature = "splunk", feature = "datadog"))]
pub(in crate::sink) fn check_fixed(option: &'static str, secret: &Secret) -> Result<()> {
    let fixed = secret.fixed();
    let checked = fixed.map_or(Ok(()), |value| check_value(&value));
    checked.map_err(|problem| Error::configuration(option, problem))
}

/// Checks the value of a header, or part of it.
#[cfg(any(
    feature = "webhook",
    feature = "splunk",
    feature = "datadog",
    feature = "otlp",
    all(feature = "cloudwatch", feature = "config")
))]
pub(crate) fn check_value(value: &str) -> std::result::Result<(), String> {
    match ureq::http::HeaderValue::from_str(value) {
        Ok(_) => Ok(()),
        Err(_) => Err("it has a character that HTTP does not take".to_owned()),
    }
}

/// What says where a request ends, and what it is.
#[cfg(any(feature = "webhook", feature = "otlp"))]
const FRAMING: [&str; 4] = [
    "content-encoding",
    "content-length",
    "content-type",
    "transfer-encoding",
];
