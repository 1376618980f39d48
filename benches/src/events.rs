//! Logins as an auth service sees them: about 500 bytes of event and personal data.

use std::net::Ipv4Addr;

use indelible::event::Auth;
use indelible::{Actor, AuditLog, Event, MemoryStore, Record, SigningKey, Target, action};

/// What differs from login to login.
#[derive(Debug, Clone)]
pub struct Login {
    /// The user's id.
    pub user: String,
    /// The user's e-mail address.
    pub email: String,
    /// The client's address.
    pub ip: Ipv4Addr,
    /// The session's id.
    pub session: String,
    /// The request's id.
    pub request: String,
    /// What the client says that it is.
    pub agent: &'static str,
    /// Whether it succeeded.
    pub succeeded: bool,
}

/// The organization of all logins.
pub const TENANT: &str = "org_acme";
/// The application of all logins.
pub const APPLICATION: &str = "app_dashboard";

impl Login {
    /// The login of this number. The same number gives the same login.
    pub fn new(number: u64) -> Self {
        let random = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let random = (random ^ (random >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        let user = random % 90_000 + 10_000;
        let [_, b, c, d] = ((random >> 24) as u32).to_be_bytes();
        Self {
            user: format!("usr_{user}"),
            email: format!("user{user}@example.com"),
            ip: Ipv4Addr::new(203, b, c, d),
            session: format!("ses_{random:016x}"),
            request: format!("req_{:016x}", random.rotate_left(17)),
            agent: AGENTS[(random >> 7) as usize % AGENTS.len()],
            succeeded: !random.is_multiple_of(8),
        }
    }

    /// The action's name.
    pub fn action(&self) -> &'static str {
        if self.succeeded {
            "auth.login.succeeded"
        } else {
            "auth.login.failed"
        }
    }

    /// The event, as a host builds it from what it has.
    pub fn event(&self) -> Event {
        let action = if self.succeeded {
            action::AUTH_LOGIN_SUCCEEDED
        } else {
            action::AUTH_LOGIN_FAILED
        };
        let event = Event::new(action)
            .actor(Actor::user(&*self.user).email(&*self.email))
            .target(Target::new("application", APPLICATION))
            .tenant(TENANT)
            .ip(self.ip)
            .user_agent(self.agent)
            .auth(Auth::new().method("password"))
            .session(&*self.session)
            .request(&*self.request);
        if self.succeeded {
            event
        } else {
            event.reason("invalid_credentials")
        }
    }
}

/// Logins of which a benchmark takes one after the other, made before it begins.
#[derive(Debug)]
pub struct Logins {
    all: Vec<Login>,
}

impl Logins {
    /// As many as do not all fit into a processor's cache.
    pub fn new() -> Self {
        Self {
            all: (0..4096).map(Login::new).collect(),
        }
    }

    /// One of them.
    pub fn get(&self, number: usize) -> &Login {
        &self.all[number % self.all.len()]
    }
}

impl Default for Logins {
    fn default() -> Self {
        Self::new()
    }
}

/// The lines that a log makes of the logins, with their LF, and the checkpoint line of a commit: what raw writes.
#[derive(Debug)]
pub struct Lines {
    all: Vec<Vec<u8>>,
    /// The line of a checkpoint.
    pub checkpoint: Vec<u8>,
    /// The mean length of `event` and `personal` together.
    pub event_bytes: f64,
    /// The mean length of a line.
    pub line_bytes: f64,
}

impl Lines {
    /// Records the logins in a log in memory and takes its lines.
    pub fn of(logins: &Logins) -> Self {
        let log = in_memory();
        let tickets: Vec<_> = logins
            .all
            .iter()
            .map(|login| log.submit(login.event()).expect("submit"))
            .collect();
        tickets.into_iter().for_each(|ticket| {
            ticket.wait().expect("a receipt");
        });
        let reader = log.reader();
        let records: Vec<Record> = reader
            .records(2..)
            .expect("records")
            .map(|record| record.expect("a record"))
            .collect();
        let text = |record: &Record| format!("{}\n", record.line().unwrap_or_default()).into_bytes();
        let all: Vec<Vec<u8>> = records.iter().map(text).collect();
        let parts =
            |record: &Record| record.event_json().map_or(0, str::len) + record.personal_json().map_or(0, str::len);
        let count = records.len() as f64;
        let note = log.checkpoint().expect("a checkpoint").to_string();
        Self {
            event_bytes: records.iter().map(parts).sum::<usize>() as f64 / count,
            line_bytes: all.iter().map(Vec::len).sum::<usize>() as f64 / count,
            checkpoint: format!("{{\"checkpoint\":\"{}\"}}\n", note.replace('\n', "\\n")).into_bytes(),
            all,
        }
    }

    /// One of them.
    pub fn get(&self, number: usize) -> &[u8] {
        &self.all[number % self.all.len()]
    }
}

/// A log in memory.
pub fn in_memory() -> AuditLog {
    let key = SigningKey::generate(ORIGIN.parse().expect("an origin")).expect("a key");
    let builder = AuditLog::builder(ORIGIN).signer(key).without_checkpoint_file();
    builder.open(MemoryStore::new()).expect("a log")
}

/// The origin of all logs here.
pub const ORIGIN: &str = "auth.example.com/audit";

const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) Version/17.5 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Mobile/15E148",
];
