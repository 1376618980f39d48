//! The URL of a target.

use std::fmt;
use std::ops::Deref;

use ureq::http::Uri;

use crate::error::{Error, Result};

/// The URL of a target. `Debug` tells scheme, host and port alone: the rest may hold a secret.
#[derive(Clone)]
pub(in crate::sink) struct Url(String);

impl Url {
    pub(in crate::sink) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Checks it; `option` is what sets it.
    pub(in crate::sink) fn check(&self, option: &'static str) -> Result<()> {
        match self.0.parse::<Uri>() {
            Ok(url) if matches!(url.scheme_str(), Some("https" | "http")) => Ok(()),
            _ => {
                let problem = "it is no URL that begins with https:// or http://";
                Err(Error::configuration(option, problem))
            }
        }
    }
}

impl Deref for Url {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else {
            return f.write_str("Url");
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        write!(f, "{scheme}://{host}")
    }
}

#[cfg(test)]
mod tests {
    use super::Url;

    #[test]
    fn only_the_place_is_told() {
        for (url, told) in [
            (
                "https://example.com:8088/hooks/T0KEN?key=T0KEN",
                "https://example.com:8088",
            ),
            ("https://user:T0KEN@example.com#T0KEN", "https://example.com"),
            ("http://[::1]?T0KEN", "http://[::1]"),
            ("T0KEN", "Url"),
        ] {
            assert_eq!(format!("{:?}", Url::new(url)), told);
        }
    }
}
