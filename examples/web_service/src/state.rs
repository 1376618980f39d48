//! What all handlers share.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indelible::{Actor, AuditLog};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard};

/// The service: its audit log, users, sessions and settings. A cheap clone.
#[derive(Clone)]
pub struct Service {
    log: AuditLog,
    shared: Arc<Shared>,
}

struct Shared {
    sessions: Mutex<HashMap<String, User>>,
    settings: Mutex<BTreeMap<&'static str, String>>,
    changing: AsyncMutex<()>,
}

/// A user of the service.
#[derive(Clone, Copy)]
pub(crate) struct User {
    pub(crate) id: &'static str,
    name: &'static str,
    email: &'static str,
    password: &'static str,
    pub(crate) is_admin: bool,
}

impl Service {
    /// The service that records in `log`.
    pub fn new(log: AuditLog) -> Self {
        let shared = Arc::new(Shared {
            sessions: Mutex::default(),
            settings: Mutex::default(),
            changing: AsyncMutex::default(),
        });
        Self { log, shared }
    }

    /// Its audit log.
    pub fn log(&self) -> &AuditLog {
        &self.log
    }

    pub(crate) fn sessions(&self) -> MutexGuard<'_, HashMap<String, User>> {
        self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn settings(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.shared.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who changes a setting holds this until the change is recorded and made: the log has the changes in their order, and whoever reads does not wait for the disk.
    pub(crate) async fn changing(&self) -> AsyncMutexGuard<'_, ()> {
        self.shared.changing.lock().await
    }
}

/// The setting of this name, if there is one.
pub(crate) fn setting(name: &str) -> Option<&'static str> {
    SETTINGS.into_iter().find(|setting| *setting == name)
}

impl User {
    pub(crate) fn find(name: &str) -> Option<User> {
        USERS.iter().find(|user| user.name == name).copied()
    }

    /// In a service of yours: the password's hash, in constant time.
    pub(crate) fn has_password(&self, password: &str) -> bool {
        self.password == password
    }

    pub(crate) fn actor(&self) -> Actor {
        let actor = match self.is_admin {
            true => Actor::admin(self.id),
            false => Actor::user(self.id),
        };
        actor.name(self.name).email(self.email)
    }
}

const SETTINGS: [&str; 2] = ["mfa", "session_minutes"];

const USERS: [User; 2] = [
    User {
        id: "usr_alice",
        name: "alice",
        email: "alice@example.com",
        password: "wonderland",
        is_admin: false,
    },
    User {
        id: "usr_bob",
        name: "bob",
        email: "bob@example.com",
        password: "builder",
        is_admin: true,
    },
];
