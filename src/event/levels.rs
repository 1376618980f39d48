//! How an action ended, and how much it matters.

use std::fmt;

/// How what was tried ended (EVENTS §1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was tried and failed.
    Failure,
    /// It was refused by policy.
    Denied,
    /// How it ended is not known, or it has no end to speak of.
    Unknown,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Outcome; 4] = [Self::Success, Self::Failure, Self::Denied, Self::Unknown];

    /// Its name in an event: `success`, `failure`, `denied` or `unknown`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Denied => "denied",
            Self::Unknown => "unknown",
        }
    }

    /// Its OCSF 1.8.0 `status_id`: success 1, failure and denied 2, unknown 0.
    pub const fn ocsf_status_id(self) -> u32 {
        match self {
            Self::Success => 1,
            Self::Failure | Self::Denied => 2,
            Self::Unknown => 0,
        }
    }

    /// Its ECS `event.outcome`, which has no `denied`: that is a `failure`.
    pub const fn ecs_outcome(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure | Self::Denied => "failure",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How much an event matters to those who watch (EVENTS §1), from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// What happens all day.
    Informational,
    /// Worth a look among others of its kind.
    Low,
    /// Worth a look by itself.
    Medium,
    /// To be looked at soon.
    High,
    /// To be looked at now.
    Critical,
}

impl Severity {
    /// All severities, from the least to the most.
    pub const ALL: [Severity; 5] = [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// Its name in an event: `informational`, `low`, `medium`, `high` or `critical`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// That with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == name)
    }

    /// Its OCSF 1.8.0 `severity_id`: 1 to 5.
    pub const fn ocsf_severity_id(self) -> u32 {
        match self {
            Self::Informational => 1,
            Self::Low => 2,
            Self::Medium => 3,
            Self::High => 4,
            Self::Critical => 5,
        }
    }

    /// Its severity in syslog (RFC 5424 §6.2.1): informational 6, low 5 (notice), medium 4 (warning), high 3 (error),
    /// critical 2.
    pub const fn syslog(self) -> u8 {
        match self {
            Self::Informational => 6,
            Self::Low => 5,
            Self::Medium => 4,
            Self::High => 3,
            Self::Critical => 2,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
