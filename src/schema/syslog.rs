//! Facility, severity and the priority made of both, under which a record goes by syslog (RFC 5424 §6.2.1).
//!
//! | severity of the event | syslog |
//! | --- | --- |
//! | `critical` | 2, critical |
//! | `high` | 3, error |
//! | `medium` | 4, warning |
//! | `low` | 5, notice |
//! | `informational` | 6, informational |
//!
//! ```
//! use indelible::Severity;
//! use indelible::schema::syslog::{Facility, priority};
//!
//! assert_eq!(priority(Facility::Audit, Severity::High), 107); // <107>1 2026-02-01T00:00:04.156010Z …
//! ```

use std::fmt;
use std::str::FromStr;

use crate::event::Severity;

/// The facilities that suit an audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Facility {
    /// 10: security and authorization, where daemons that log people in write.
    AuthPriv,
    /// 13: log audit.
    #[default]
    Audit,
    /// 16: local use 0.
    Local0,
    /// 17: local use 1.
    Local1,
    /// 18: local use 2.
    Local2,
    /// 19: local use 3.
    Local3,
    /// 20: local use 4.
    Local4,
    /// 21: local use 5.
    Local5,
    /// 22: local use 6.
    Local6,
    /// 23: local use 7.
    Local7,
}

impl Facility {
    /// Its name: `authpriv`, `audit`, or `local0` to `local7`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthPriv => "authpriv",
            Self::Audit => "audit",
            Self::Local0 => "local0",
            Self::Local1 => "local1",
            Self::Local2 => "local2",
            Self::Local3 => "local3",
            Self::Local4 => "local4",
            Self::Local5 => "local5",
            Self::Local6 => "local6",
            Self::Local7 => "local7",
        }
    }

    /// Its number.
    pub const fn code(self) -> u8 {
        match self {
            Self::AuthPriv => 10,
            Self::Audit => 13,
            Self::Local0 => 16,
            Self::Local1 => 17,
            Self::Local2 => 18,
            Self::Local3 => 19,
            Self::Local4 => 20,
            Self::Local5 => 21,
            Self::Local6 => 22,
            Self::Local7 => 23,
        }
    }
}

impl fmt::Display for Facility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Facility {
    type Err = String;

    /// Reads a facility by its name.
    fn from_str(name: &str) -> Result<Self, String> {
        let all = [
            Self::AuthPriv,
            Self::Audit,
            Self::Local0,
            Self::Local1,
            Self::Local2,
            Self::Local3,
            Self::Local4,
            Self::Local5,
            Self::Local6,
            Self::Local7,
        ];
        let found = all.into_iter().find(|facility| facility.as_str() == name);
        found.ok_or_else(|| "a facility is authpriv, audit, or local0 to local7".to_owned())
    }
}

/// The priority (PRI): facility × 8 + severity.
pub const fn priority(facility: Facility, severity: Severity) -> u8 {
    facility.code() * 8 + severity.syslog()
}
