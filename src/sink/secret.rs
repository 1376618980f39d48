//! Secrets of a target: tokens, keys, passwords.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

/// A secret of a target, such as a token, and where it comes from. It is asked for each time that it is used, so it can be
/// rotated, and is never in `Debug`, an error or a log.
///
/// ```
/// use indelible::sink::Secret;
///
/// let fixed = Secret::from("00000000-0000-0000-0000-000000000001");
/// let rotated = Secret::file("/run/secrets/hec-token");
/// let vault = Secret::from_fn(|| Ok("from the vault".to_owned()));
/// assert_eq!(format!("{fixed:?} {rotated:?} {vault:?}"), "Secret Secret Secret");
/// ```
#[derive(Clone)]
pub struct Secret {
    give: Arc<dyn Fn() -> Result<Zeroizing<String>, String> + Send + Sync>,
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "for targets over HTTP"))]
    is_fixed: bool,
}

impl Secret {
    /// What this gives each time. Where it fails it says why, in words without a secret; delivery is then held.
    pub fn from_fn(secret: impl Fn() -> Result<String, String> + Send + Sync + 'static) -> Self {
        Self {
            give: Arc::new(move || secret().map(Zeroizing::new)),
            is_fixed: false,
        }
    }

    /// The value of an environment variable.
    pub fn env(name: impl Into<String>) -> Self {
        let name = name.into();
        Self::from_fn(move || match std::env::var(&name) {
            Ok(value) => Ok(value),
            Err(std::env::VarError::NotPresent) => Err(format!("the environment variable {name} is not set")),
            Err(std::env::VarError::NotUnicode(_)) => Err(format!("the environment variable {name} is no text")),
        })
    }

    /// The content of a file, of up to 64 KiB, without the line end.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self::from_fn(move || match read(&path) {
            Ok(content) if content.len() as u64 > FILE_BYTES_MAX => Err(format!(
                "the file {} has more than {FILE_BYTES_MAX} bytes",
                path.display()
            )),
            Ok(mut content) => {
                content.truncate(content.trim_end_matches(['\r', '\n']).len());
                Ok(content)
            }
            Err(error) => Err(format!("the file {} cannot be read: {}", path.display(), error.kind())),
        })
    }

    /// The secret as it is now. A panic in the host's code is a failure of it.
    #[cfg_attr(
        not(any(feature = "http", feature = "syslog", feature = "config")),
        expect(dead_code, reason = "for targets with secrets")
    )]
    pub(crate) fn get(&self) -> Result<Zeroizing<String>, String> {
        let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (self.give)()));
        asked.unwrap_or_else(|_| Err("what gives the secret panicked".to_owned()))
    }

    /// The secret, where it stays the same: another may come later, or cost something.
    #[cfg(feature = "http")]
    pub(crate) fn fixed(&self) -> Option<Zeroizing<String>> {
        match self.is_fixed {
            true => self.get().ok(),
            false => None,
        }
    }
}

impl<T: Into<String>> From<T> for Secret {
    /// One that stays the same.
    fn from(secret: T) -> Self {
        let secret = Zeroizing::new(secret.into());
        Self {
            give: Arc::new(move || Ok(secret.clone())),
            is_fixed: true,
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A byte more than there may be tells that there is more.
fn read(path: &Path) -> io::Result<String> {
    let mut content = String::new();
    File::open(path)?
        .take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut content)?;
    Ok(content)
}

/// No token or key is longer.
const FILE_BYTES_MAX: u64 = 64 * 1024;
