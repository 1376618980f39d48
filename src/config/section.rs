//! A table of a configuration, key by key: what is there must be of the right kind, and nothing else may be there.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ConfigError;
use super::tree::{Node, Value};
use crate::query::period;
#[cfg(any(feature = "http", feature = "syslog"))]
use crate::sink::Secret;

/// A table whose keys are taken one by one.
#[derive(Debug)]
pub(super) struct Section {
    /// What its keys are called by errors: empty, or `sinks[0].`.
    prefix: String,
    line: usize,
    entries: Vec<(String, Node)>,
    folder: PathBuf,
}

/// A value that was taken, and where it stood.
#[derive(Debug)]
pub(super) struct At<T> {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) value: T,
}

impl<T> At<T> {
    /// An error of this value.
    pub(super) fn wrong(&self, problem: impl Display) -> ConfigError {
        ConfigError::new(&self.key, Some(self.line), problem.to_string())
    }
}

impl Section {
    pub(super) fn root(node: Node, folder: &Path) -> Result<Self, ConfigError> {
        match node.value {
            Value::Table(entries) => Ok(Self {
                prefix: String::new(),
                line: node.line,
                entries,
                folder: folder.to_owned(),
            }),
            other => Err(ConfigError::new(
                "",
                Some(node.line),
                format!("it is {}, not a table", other.name()),
            )),
        }
    }

    fn inner(&self, prefix: String, line: usize, entries: Vec<(String, Node)>) -> Self {
        Self {
            prefix,
            line,
            entries,
            folder: self.folder.clone(),
        }
    }

    /// Takes a key that need not be there.
    pub(super) fn take<T>(
        &mut self,
        key: &str,
        expected: &str,
        read: impl FnOnce(Value) -> Result<T, Value>,
    ) -> Result<Option<At<T>>, ConfigError> {
        let Some(at) = self.entries.iter().position(|(name, _)| name == key) else {
            return Ok(None);
        };
        let (_, node) = self.entries.remove(at);
        let (key, line) = (format!("{}{key}", self.prefix), node.line);
        match read(node.value) {
            Ok(value) => Ok(Some(At { key, line, value })),
            Err(other) => {
                let problem = format!("it is {}, not {expected}", other.name());
                Err(ConfigError::new(key, Some(line), problem))
            }
        }
    }

    pub(super) fn text(&mut self, key: &str) -> Result<Option<At<String>>, ConfigError> {
        self.take(key, "a text", |value| match value {
            Value::Text(text) => Ok(text),
            other => Err(other),
        })
    }

    /// A text that must be there.
    pub(super) fn needed(&mut self, key: &str) -> Result<At<String>, ConfigError> {
        let (name, line) = (format!("{}{key}", self.prefix), self.line);
        self.text(key)?
            .ok_or_else(|| ConfigError::new(name, Some(line), "it is needed"))
    }

    /// A text that reads as something.
    pub(super) fn parsed<T, E: Display>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, ConfigError> {
        let text = self.text(key)?;
        text.map(|text| parse(&text.value).map_err(|error| text.wrong(error)))
            .transpose()
    }

    fn number(&mut self, key: &str) -> Result<Option<At<u64>>, ConfigError> {
        self.take(key, "a number", |value| match value {
            Value::Number(number) => Ok(number),
            other => Err(other),
        })
    }

    /// A number that fits into a type.
    pub(super) fn whole<T: TryFrom<u64>>(&mut self, key: &str) -> Result<Option<T>, ConfigError> {
        let number = self.number(key)?;
        let fits = |number: At<u64>| T::try_from(number.value).map_err(|_| number.wrong("it is too large"));
        number.map(fits).transpose()
    }

    /// The same, and no less than `least`.
    #[cfg(feature = "syslog")]
    pub(super) fn at_least<T>(&mut self, key: &str, least: T) -> Result<Option<T>, ConfigError>
    where
        T: TryFrom<u64> + PartialOrd + Display,
    {
        let number = self.number(key)?;
        let fits = |number: At<u64>| match T::try_from(number.value) {
            Ok(fits) if fits >= least => Ok(fits),
            Ok(_) => Err(number.wrong(format!("it is {least} at least"))),
            Err(_) => Err(number.wrong("it is too large")),
        };
        number.map(fits).transpose()
    }

    pub(super) fn boolean(&mut self, key: &str) -> Result<Option<bool>, ConfigError> {
        let taken = self.take(key, "true or false", |value| match value {
            Value::Boolean(is) => Ok(is),
            other => Err(other),
        })?;
        Ok(taken.map(|taken| taken.value))
    }

    /// A period of seconds to weeks.
    pub(super) fn duration(&mut self, key: &str) -> Result<Option<Duration>, ConfigError> {
        let problem = "a period is a number and s, m, h, d or w, such as 90s or 7d";
        self.parsed(key, |text| period(text).ok_or(problem))
    }

    /// A path, from the folder of the file.
    pub(super) fn path(&mut self, key: &str) -> Result<Option<PathBuf>, ConfigError> {
        let text = self.text(key)?;
        match text {
            Some(text) if text.value.is_empty() => Err(text.wrong("it is empty")),
            text => Ok(text.map(|text| self.in_folder(&text.value))),
        }
    }

    /// Where a path leads that is taken from the folder of the file.
    pub(super) fn in_folder(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// The certificates in the file at a path, as PEM.
    #[cfg(any(feature = "http", feature = "syslog"))]
    pub(super) fn certificates(&mut self, key: &str) -> Result<Option<Vec<u8>>, ConfigError> {
        use rustls::pki_types::CertificateDer;
        use rustls::pki_types::pem::PemObject;

        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        let path = self.in_folder(&text.value);
        let wrong = |problem: String| text.wrong(format!("{}: {problem}", path.display()));
        let pem = std::fs::read(&path).map_err(|error| wrong(error.to_string()))?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        match found.is_ok_and(|found| !found.is_empty()) {
            true => Ok(Some(pem)),
            false => Err(wrong("there is no certificate in it, as PEM".into())),
        }
    }

    /// Texts, one or many.
    pub(super) fn texts(&mut self, key: &str) -> Result<Vec<At<String>>, ConfigError> {
        let taken = self.take(key, "a list of texts", |value| match value {
            Value::List(list) => Ok(list),
            other => Err(other),
        })?;
        let Some(At { key, value, .. }) = taken else {
            return Ok(Vec::new());
        };
        let each = value.into_iter().enumerate().map(|(at, node)| {
            let (key, line) = (format!("{key}[{at}]"), node.line);
            match node.value {
                Value::Text(value) => Ok(At { key, line, value }),
                other => {
                    let problem = format!("it is {}, not a text", other.name());
                    Err(ConfigError::new(key, Some(line), problem))
                }
            }
        });
        each.collect()
    }

    pub(super) fn table(&mut self, key: &str) -> Result<Option<Self>, ConfigError> {
        let taken = self.take(key, "a table", |value| match value {
            Value::Table(entries) => Ok(entries),
            other => Err(other),
        })?;
        Ok(taken.map(|taken| self.inner(format!("{}.", taken.key), taken.line, taken.value)))
    }

    pub(super) fn tables(&mut self, key: &str) -> Result<Vec<Self>, ConfigError> {
        let taken = self.take(key, "a list of tables", |value| match value {
            Value::List(list) => Ok(list),
            other => Err(other),
        })?;
        let Some(At { key, value, .. }) = taken else {
            return Ok(Vec::new());
        };
        let each = value.into_iter().enumerate().map(|(at, node)| match node.value {
            Value::Table(entries) => Ok(self.inner(format!("{key}[{at}]."), node.line, entries)),
            other => {
                let problem = format!("it is {}, not a table", other.name());
                Err(ConfigError::new(format!("{key}[{at}]"), Some(node.line), problem))
            }
        });
        each.collect()
    }

    /// A secret, by where it stands. One that is written down is refused, and not repeated.
    #[cfg(any(feature = "http", feature = "syslog"))]
    pub(super) fn secret(&mut self, key: &str) -> Result<Option<At<Secret>>, ConfigError> {
        let (name, line) = (format!("{}{key}", self.prefix), self.line);
        let written = || {
            let problem = "a secret is not written down here: it is { env = \"NAME\" } or { file = \"/path\" }";
            ConfigError::new(&name, Some(line), problem)
        };
        if self
            .entries
            .iter()
            .any(|(entry, node)| entry == key && matches!(node.value, Value::Text(_)))
        {
            return Err(written());
        }
        let Some(mut table) = self.table(key)? else {
            return Ok(None);
        };
        let (env, file) = (table.text("env")?, table.path("file")?);
        let line = table.line;
        table.end()?;
        let value = match (env, file) {
            (Some(env), None) => Secret::env(env.value),
            (None, Some(file)) => Secret::file(file),
            _ => return Err(written()),
        };
        Ok(Some(At { key: name, line, value }))
    }

    /// Where each key stands that is not taken yet.
    pub(super) fn lines(&self) -> Vec<(String, usize)> {
        let each = self.entries.iter().map(|(key, node)| (key.clone(), node.line));
        each.collect()
    }

    /// The keys that are left, for tables whose keys are names.
    #[cfg(any(
        feature = "webhook",
        feature = "splunk",
        feature = "datadog",
        feature = "otlp",
        feature = "google"
    ))]
    pub(super) fn keys(&self) -> Vec<String> {
        self.entries.iter().map(|(key, _)| key.clone()).collect()
    }

    /// Nothing else may be there.
    pub(super) fn end(self) -> Result<(), ConfigError> {
        match self.entries.first() {
            None => Ok(()),
            Some((key, node)) => {
                let key = format!("{}{key}", self.prefix);
                Err(ConfigError::new(key, Some(node.line), "there is no such key here"))
            }
        }
    }

    /// What is said by the whole table.
    pub(super) fn at<T>(&self, value: T) -> At<T> {
        let key = self.prefix.trim_end_matches('.').to_owned();
        At {
            key,
            line: self.line,
            value,
        }
    }

    /// An error of the whole table.
    pub(super) fn wrong(&self, problem: impl Display) -> ConfigError {
        self.at(()).wrong(problem)
    }
}
