//! The sinks: what each gets, and its target.

use super::ConfigError;
use super::log::filter;
use super::section::{At, Section};
use super::tree::Value;
use crate::error::{Cause, Error};
#[cfg(any(feature = "webhook", feature = "splunk", feature = "datadog", feature = "otlp"))]
use crate::sink::http::check::check_value;
use crate::sink::{Feed, FileSink, Form, Secret, StdoutSink};

/// The secrets that were met, and what each must be.
pub(super) type Secrets = Vec<(At<Secret>, Check)>;

/// What is wrong with a secret, in words that do not tell it.
pub(super) type Check = fn(&str) -> Result<(), String>;

/// A feed, and where its name stands.
pub(super) fn feed(mut section: Section, secrets: &mut Secrets) -> Result<(At<String>, Feed), ConfigError> {
    let whole = section.at(section.lines());
    let named = section.needed("name")?;
    let name = named.value.as_str();
    let kind = section.needed("type")?;
    let filter = filter(&mut section)?;
    let form = section.parsed("form", str::parse::<Form>)?;
    let (personal, proofs) = (section.boolean("personal_data")?, section.boolean("proofs")?);
    let checkpoints = section.boolean("checkpoints")?;
    let start = start(&mut section)?;
    let mut feed = match kind.value.as_str() {
        "file" => Feed::new(name, FileSink::new(needed(section.path("path")?, "path", &section)?)),
        "stdout" => Feed::new(name, StdoutSink::new()),
        #[cfg(feature = "cloudwatch")]
        "cloudwatch" => Feed::new(name, super::clouds::cloudwatch(&mut section, secrets)?),
        #[cfg(feature = "azure")]
        "azure" => Feed::new(name, super::clouds::azure(&mut section, secrets)?),
        #[cfg(feature = "google")]
        "google" => Feed::new(name, super::clouds::google(&mut section, secrets)?),
        #[cfg(feature = "syslog")]
        "syslog" => Feed::new(name, super::syslog::syslog(&mut section, secrets)?),
        #[cfg(feature = "webhook")]
        "webhook" => Feed::new(name, webhook(&mut section, secrets)?),
        #[cfg(feature = "splunk")]
        "splunk" => Feed::new(name, splunk(&mut section, secrets)?),
        #[cfg(feature = "datadog")]
        "datadog" => Feed::new(name, datadog(&mut section, secrets)?),
        #[cfg(feature = "otlp")]
        "otlp" => Feed::new(name, otlp(&mut section, secrets)?),
        _ => {
            return Err(kind.wrong(format!(
                "it is one of {}; others need the feature of their name",
                TYPES.join(", ")
            )));
        }
    };
    section.end()?;
    let _ = secrets;
    feed = feed.filter(filter.value.clone()).form(form.unwrap_or_default());
    feed.check_filter().map_err(|error| filter.wrong(error))?;
    feed.check_sink().map_err(|error| wrong(&whole, &error))?;
    if personal == Some(false) {
        feed = feed.without_personal_data();
    }
    if proofs == Some(true) {
        feed = feed.with_proofs();
    }
    if checkpoints == Some(false) {
        feed = feed.without_checkpoints();
    }
    feed = match start {
        Some(Begin::Now) => feed.from_now_on(),
        Some(Begin::Seq(seq)) => feed.from_seq(seq),
        None => feed,
    };
    Ok((named, feed))
}

/// An error of a sink, by the key that is named as the option.
fn wrong(sink: &At<Vec<(String, usize)>>, error: &Error) -> ConfigError {
    let Cause::Configuration { option, problem } = error.cause() else {
        return sink.wrong(error);
    };
    match sink.value.iter().find(|(key, _)| key == option) {
        Some((key, line)) => ConfigError::new(format!("{}.{key}", sink.key), Some(*line), problem),
        None => sink.wrong(error),
    }
}

/// Where a sink begins that has no position.
enum Begin {
    Now,
    Seq(u64),
}

fn start(section: &mut Section) -> Result<Option<Begin>, ConfigError> {
    let taken = section.take("start", "\"now\" or a seq", |value| match value {
        Value::Text(text) if text == "now" => Ok(Begin::Now),
        Value::Number(seq) => Ok(Begin::Seq(seq)),
        other => Err(other),
    })?;
    Ok(taken.map(|taken| taken.value))
}

/// What must be there.
pub(super) fn needed<T>(value: Option<T>, key: &str, section: &Section) -> Result<T, ConfigError> {
    value.ok_or_else(|| section.wrong(format!("{key} is needed")))
}

#[cfg(feature = "webhook")]
fn webhook(section: &mut Section, secrets: &mut Secrets) -> Result<crate::sink::Webhook, ConfigError> {
    let url = section.needed("url")?.value;
    let secret = secret(section, "secret", secrets, crate::sink::webhook::check_secret)?;
    let mut webhook = crate::sink::Webhook::new(url, needed(secret, "secret", section)?);
    if let Some(old) = self::secret(section, "old_secret", secrets, crate::sink::webhook::check_secret)? {
        webhook = webhook.also_signed_by(old);
    }
    for (name, value) in headers(section, secrets)? {
        webhook = webhook.header(name, value);
    }
    if let Some(messages_max) = section.whole("in_lists")? {
        webhook = webhook.in_lists(messages_max);
    }
    if section.boolean("allow_private_addresses")? == Some(true) {
        webhook = webhook.allow_private_addresses();
    }
    Ok(webhook.http(http(section, secrets)?))
}

#[cfg(feature = "splunk")]
fn splunk(section: &mut Section, secrets: &mut Secrets) -> Result<crate::sink::Splunk, ConfigError> {
    let url = section.needed("url")?.value;
    let token = secret(section, "token", secrets, check_value)?;
    let mut splunk = crate::sink::Splunk::new(url, needed(token, "token", section)?);
    if let Some(index) = section.text("index")? {
        splunk = splunk.index(index.value);
    }
    if let Some(host) = section.text("host")? {
        splunk = splunk.host(host.value);
    }
    if let Some(source) = section.text("source")? {
        splunk = splunk.source(source.value);
    }
    if let Some(sourcetype) = section.text("sourcetype")? {
        splunk = splunk.sourcetype(sourcetype.value);
    }
    for (name, value) in texts(section, "fields")? {
        splunk = splunk.field(name, value);
    }
    if let Some(within) = section.duration("acknowledged")? {
        splunk = splunk.acknowledged(within);
    }
    Ok(splunk.http(http(section, secrets)?))
}

#[cfg(feature = "datadog")]
fn datadog(section: &mut Section, secrets: &mut Secrets) -> Result<crate::sink::Datadog, ConfigError> {
    let site = section.needed("site")?.value;
    let key = secret(section, "api_key", secrets, check_value)?;
    let mut datadog = crate::sink::Datadog::new(site, needed(key, "api_key", section)?);
    if let Some(url) = section.text("url")? {
        datadog = datadog.url(url.value);
    }
    if let Some(source) = section.text("source")? {
        datadog = datadog.source(source.value);
    }
    if let Some(service) = section.text("service")? {
        datadog = datadog.service(service.value);
    }
    if let Some(hostname) = section.text("hostname")? {
        datadog = datadog.hostname(hostname.value);
    }
    for (key, value) in texts(section, "tags")? {
        datadog = datadog.tag(key, value);
    }
    Ok(datadog.http(http(section, secrets)?))
}

#[cfg(feature = "otlp")]
fn otlp(section: &mut Section, secrets: &mut Secrets) -> Result<crate::sink::Otlp, ConfigError> {
    let mut otlp = crate::sink::Otlp::new(section.needed("url")?.value);
    for (name, value) in headers(section, secrets)? {
        otlp = otlp.header(name, value);
    }
    for (name, value) in texts(section, "resource")? {
        otlp = otlp.resource(name, value);
    }
    Ok(otlp.http(http(section, secrets)?))
}

/// A table of texts.
#[cfg(any(feature = "splunk", feature = "datadog", feature = "otlp", feature = "google"))]
pub(super) fn texts(section: &mut Section, key: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let Some(mut table) = section.table(key)? else {
        return Ok(Vec::new());
    };
    let names = table.keys().into_iter();
    let entry = |name: String| Ok((name.clone(), table.needed(&name)?.value));
    names.map(entry).collect()
}

/// Headers, whose values may be secrets.
#[cfg(any(feature = "webhook", feature = "otlp"))]
fn headers(section: &mut Section, secrets: &mut Secrets) -> Result<Vec<(String, Secret)>, ConfigError> {
    let Some(mut table) = section.table("headers")? else {
        return Ok(Vec::new());
    };
    let names = table.keys().into_iter();
    let entry = |name: String| {
        let value = needed(secret(&mut table, &name, secrets, check_value)?, &name, section)?;
        Ok((name, value))
    };
    names.map(entry).collect()
}

/// How a target over HTTP is reached.
#[cfg(feature = "http")]
pub(super) fn http(section: &mut Section, secrets: &mut Secrets) -> Result<crate::sink::HttpOptions, ConfigError> {
    let mut options = crate::sink::HttpOptions::new();
    if let Some(pem) = section.certificates("roots")? {
        options = options.roots(pem);
    }
    if let Some((certificate, key)) = client_certificate(section, secrets)? {
        options = options.client_certificate(certificate, key);
    }
    if let Some(proxy) = secret(section, "proxy", secrets, crate::sink::http::check_proxy)? {
        options = options.proxy(proxy);
    }
    if let Some(name) = section.text("user_agent")? {
        options = options.user_agent(name.value);
    }
    if let Some(timeout) = section.duration("timeout")? {
        options = options.timeout(timeout);
    }
    Ok(options)
}

/// What is shown to a target that asks who connects: a certificate, and its key.
#[cfg(any(feature = "http", feature = "syslog"))]
pub(super) fn client_certificate(
    section: &mut Section,
    secrets: &mut Secrets,
) -> Result<Option<(Vec<u8>, Secret)>, ConfigError> {
    let key = secret(section, "client_key", secrets, private_key)?;
    match (section.certificates("client_certificate")?, key) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        _ => Err(section.wrong("client_certificate and client_key go together")),
    }
}

#[cfg(any(feature = "http", feature = "syslog"))]
pub(super) fn secret(
    section: &mut Section,
    key: &str,
    secrets: &mut Secrets,
    check: Check,
) -> Result<Option<Secret>, ConfigError> {
    let Some(found) = section.secret(key)? else {
        return Ok(None);
    };
    let secret = found.value.clone();
    secrets.push((found, check));
    Ok(Some(secret))
}

#[cfg(any(feature = "http", feature = "syslog"))]
fn private_key(pem: &str) -> Result<(), String> {
    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject;

    let read = PrivateKeyDer::from_pem_slice(pem.as_bytes());
    read.map(drop).map_err(|_| "it is no PEM of a private key".to_owned())
}

/// A secret of which nothing can be told.
#[cfg(any(feature = "cloudwatch", feature = "azure"))]
pub(super) fn any(_: &str) -> Result<(), String> {
    Ok(())
}

/// The types of this build.
const TYPES: &[&str] = &[
    "file",
    "stdout",
    #[cfg(feature = "cloudwatch")]
    "cloudwatch",
    #[cfg(feature = "azure")]
    "azure",
    #[cfg(feature = "google")]
    "google",
    #[cfg(feature = "syslog")]
    "syslog",
    #[cfg(feature = "webhook")]
    "webhook",
    #[cfg(feature = "splunk")]
    "splunk",
    #[cfg(feature = "datadog")]
    "datadog",
    #[cfg(feature = "otlp")]
    "otlp",
];
