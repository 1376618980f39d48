//! A log and all around it from one file, TOML or JSON: where it is, its key, its retention, its sinks, its exports.
//!
//! ```toml
//! origin = "auth.example.com/audit"
//! path = "/var/lib/auth/audit"
//! key_file = "/etc/auth/audit.key"
//! source = "auth-service/1.4.2"
//!
//! [retention]
//! keep = "1y"
//! rules = ["7y category=authentication", "forever tenant_id=org_acme"]
//! delivery_limit = "30d"
//! every = "1d"
//!
//! [[sinks]]
//! name = "siem"
//! type = "webhook"
//! url = "https://siem.example.com/audit"
//! secret = { env = "AUDIT_WEBHOOK_SECRET" }
//! filter = "severity_min=medium"
//! personal_data = false
//! proofs = true
//!
//! [[exports]]
//! every = "day"
//! to = "/srv/exports"
//! format = "csv"
//! ```
//!
//! | key | what |
//! | --- | --- |
//! | `origin` | the log's identity; needed |
//! | `path` | its directory; needed |
//! | `key_file` | [`Builder::key_file`](crate::Builder::key_file) |
//! | `checkpoint_file` | [`Builder::checkpoint_file`](crate::Builder::checkpoint_file) |
//! | `source` | [`Builder::source`](crate::Builder::source) |
//! | `rotate_key_after` | [`Builder::rotate_key_after`](crate::Builder::rotate_key_after), such as `90d` |
//! | `queue_bytes` | [`Builder::queue_bytes`](crate::Builder::queue_bytes) |
//! | `segment_bytes` | [`FileStore::segment_size`](crate::FileStore::segment_size) |
//! | `[retention]` | `keep` and `rules` as [`Retention`](crate::Retention) and [`Rule`](crate::retention::Rule) print themselves, `delivery_limit`, and `every`, the time between two runs |
//! | `[[exports]]` | `every` (`hour`, `day`), `to` (a folder or the URL of a bucket), and of an [`Export`](crate::Export) `filter`, `format`, `compression`, `formula_guard` |
//! | `[[sinks]]` | `name`, `type` (both needed), and of a [`Feed`] `filter`, `form`, `personal_data`, `proofs`, `checkpoints`, `start` (`"now"` or a `seq`, a number); the rest is the target's, below |
//!
//! A period is a number and `s`, `m`, `h`, `d` or `w`; those of a retention are of the calendar (`d`, `m`, `y`). A filter is
//! that of a URL ([`Query::parse`](crate::Query::parse)). A secret is never written down: it is `{ env = "NAME" }` or
//! `{ file = "/path" }`. A path is taken from the folder of the file.
//!
//! Of the targets, what is bold is needed. As a rule a key is the method of that name of the target, or of `HttpOptions`, in
//! [`sink`](crate::sink): its docs say what it means, and what there is without it.
//!
//! | type | keys |
//! | --- | --- |
//! | `file` | **`path`** |
//! | `stdout` | |
//! | `syslog` | **`host`**, **`port`**, `transport` (`tls`, where it is not given, `tcp` or `udp`), with TLS `roots` (the path of a PEM), `client_certificate` and `client_key`; `facility`, `hostname`, `app_name`, `enterprise_number`, `message_bytes_max`, `resend_bytes`, `newlines`, `timeout` |
//! | `webhook` | **`url`**, **`secret`**, `old_secret` while it is rotated, `headers` (a table of secrets), `in_lists`, `allow_private_addresses`, and those over HTTP: `roots`, `client_certificate` (paths of a PEM), `client_key`, `proxy` (secrets), `user_agent`, `timeout` |
//! | `splunk` | **`url`**, **`token`**, `index`, `host`, `source`, `sourcetype`, `fields` (a table of texts), `acknowledged` (a period), and those over HTTP |
//! | `datadog` | **`site`**, **`api_key`**, `url`, `source`, `service`, `hostname`, `tags` (a table of texts), and those over HTTP |
//! | `otlp` | **`url`**, `headers`, `resource` (a table of texts), and those over HTTP |
//! | `cloudwatch` | **`region`**, **`group`**, **`stream`**; `profile`, or `identity` (`environment`, `container` or `instance`), or `access_key_id` with `secret_access_key` and, if need be, `session_token` (secrets), and without them what AWS's own clients find; `create_missing`, `endpoint`, and those over HTTP |
//! | `azure` | **`endpoint`**, **`rule`**, **`stream`**; `tenant`, `client` and `client_secret`, or `identity` (`managed`, with or without `client`, or `workload`); `auxiliary`, and those over HTTP |
//! | `google` | **`project`**, **`log`**, `key` (a secret) or `identity` (`metadata`), `resource`, `labels` (a table of texts), `retention`, `endpoint`, and those over HTTP |
//!
//! The service that writes the log opens it with [`Config::open`]. Where a process of its own delivers, with
//! [`Config::ship`] or `indelible ship`, the service opens it with [`Config::without_sinks`].

#[cfg(feature = "cloud")]
mod clouds;
mod error;
mod log;
mod section;
mod sinks;
#[cfg(feature = "syslog")]
mod syslog;
mod tree;

use std::path::{Path, PathBuf};

pub use error::ConfigError;

use crate::error::{Error, Result};
use crate::log::{AuditLog, Builder};
use crate::reader::LogReader;
use crate::sink::{Feed, Shipper};
use crate::store::FileStore;
use section::Section;

/// A log and all around it, as a file says.
///
/// ```
/// use indelible::config::Config;
///
/// # let folder = tempfile::tempdir()?;
/// let text = r#"
///     origin = "auth.example.com/audit"
///     path = "audit"
///     key_file = "audit.key"
///
///     [retention]
///     keep = "90d"
///
///     [[sinks]]
///     name = "copy"
///     type = "file"
///     path = "copy.jsonl"
/// "#;
/// let log = Config::from_toml(text, folder.path())?.open()?;
/// assert_eq!(log.state().sinks[0].name, "copy");
/// # log.close(std::time::Duration::from_secs(5))?;
///
/// let wrong = Config::from_toml("origin = 'a'\npath = 'b'\nkeyfile = 'c'", folder.path()).unwrap_err();
/// assert_eq!(wrong.to_string(), "line 3: keyfile: there is no such key here");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a configuration does nothing until it is opened"]
pub struct Config {
    builder: Builder,
    path: PathBuf,
    segment_bytes: Option<u64>,
    feeds: Vec<Feed>,
    secrets: sinks::Secrets,
}

impl Config {
    /// Reads a file: JSON where its name ends in `.json`, else TOML.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the key and the line, where there is one.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::new("", None, error.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        match path.extension().is_some_and(|extension| extension == "json") {
            true => Self::from_json(&text, folder),
            false => Self::from_toml(&text, folder),
        }
    }

    /// Reads TOML. Paths in it are taken from `folder`.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn from_toml(text: &str, folder: impl AsRef<Path>) -> Result<Self, ConfigError> {
        log::config(Section::root(tree::toml(text)?, folder.as_ref())?)
    }

    /// Reads JSON. Paths in it are taken from `folder`.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn from_json(text: &str, folder: impl AsRef<Path>) -> Result<Self, ConfigError> {
        log::config(Section::root(tree::json(text)?, folder.as_ref())?)
    }

    /// The same for the log in another directory.
    pub fn at(mut self, path: impl AsRef<Path>) -> Self {
        self.path = path.as_ref().to_owned();
        self
    }

    /// The same without its sinks: another process delivers.
    pub fn without_sinks(mut self) -> Self {
        self.feeds.clear();
        self
    }

    /// Checks what only this machine can tell: that each secret is there, and can be one.
    ///
    /// # Errors
    ///
    /// The first one that is not, by its key.
    pub fn check_secrets(&self) -> Result<(), ConfigError> {
        self.secrets.iter().try_for_each(|(secret, check)| {
            let found = secret.value.get().map_err(|problem| secret.wrong(problem))?;
            match found.is_empty() {
                true => Err(secret.wrong("it is empty")),
                false => check(&found).map_err(|problem| secret.wrong(problem)),
            }
        })
    }

    /// What it says of the log, for what only code can say: a signer, a clock, callbacks. The sinks are in it.
    pub fn into_parts(self) -> (Builder, FileStore) {
        let store = self.store();
        (self.feeds.into_iter().fold(self.builder, Builder::sink), store)
    }

    /// Opens the log for writing.
    ///
    /// # Errors
    ///
    /// As [`Builder::open`].
    pub fn open(self) -> Result<AuditLog> {
        let (builder, store) = self.into_parts();
        builder.open(store)
    }

    /// Delivers the log to its sinks, beside the process that writes it.
    ///
    /// # Errors
    ///
    /// As [`Shipper::start`]; [`Cause::Configuration`](crate::Cause::Configuration) where there is no sink.
    pub fn ship(self) -> Result<Shipper> {
        if self.feeds.is_empty() {
            return Err(Error::configuration("sinks", "there is none"));
        }
        Shipper::start(self.reader(), self.feeds)
    }

    /// Reads the log.
    pub fn reader(&self) -> LogReader {
        LogReader::new(self.store())
    }

    fn store(&self) -> FileStore {
        let store = FileStore::new(&self.path);
        match self.segment_bytes {
            Some(bytes) => store.segment_size(bytes),
            None => store,
        }
    }
}
