//! Environment variables, as the credentials of clouds are found by them.

use std::fmt;
use std::sync::Arc;

/// Where variables are looked up: the process's environment, unless the host says otherwise.
#[derive(Clone)]
pub(in crate::sink) struct Variables(Arc<Lookup>);

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Variables {
    pub(in crate::sink) fn of(variables: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(variables))
    }

    /// The value; `None` where there is none, or it is empty.
    pub(in crate::sink) fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }
}

impl Default for Variables {
    fn default() -> Self {
        Self::of(|name| std::env::var(name).ok())
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Variables")
    }
}
