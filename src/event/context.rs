//! Where an action came from (EVENTS §1).

use std::fmt;
use std::net::IpAddr;

/// Where an action came from: the session, the request, the way of authentication, the client.
///
/// What points at a person (`ip`, `forwarded_for`, `user_agent`, `location`, `device`) stands in `personal` and can be
/// erased; the rest stands in `event` and is kept. A host can make one context for a request and give a clone of it to
/// each event of the request.
///
/// ```
/// use std::net::Ipv4Addr;
/// use indelible::{Context, event::Auth};
///
/// let context = Context::new()
///     .request("req_7f3a")
///     .session("sess_19")
///     .auth(Auth::new().method("password").mfa(true).factor("totp"))
///     .ip(Ipv4Addr::new(203, 0, 113, 7));
/// assert_eq!(context.session_id.as_deref(), Some("sess_19"));
/// ```
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Context {
    /// The session, 1 to 256 bytes.
    pub session_id: Option<String>,
    /// The request, 1 to 256 bytes.
    pub request_id: Option<String>,
    /// The distributed trace, 1 to 256 bytes.
    pub trace_id: Option<String>,
    /// What ties events of several requests together, 1 to 256 bytes.
    pub correlation_id: Option<String>,
    /// How the actor was authenticated.
    pub auth: Auth,
    /// The HTTP request.
    pub http: Http,
    /// How risky it looked.
    pub risk: Risk,
    /// The client's IP address. Personal.
    pub ip: Option<IpAddr>,
    /// The addresses that proxies say the request was forwarded for. Personal.
    pub forwarded_for: Vec<String>,
    /// The client's user agent. Personal.
    pub user_agent: Option<String>,
    /// Where the client is. Personal.
    pub location: Location,
    /// The client's device. Personal.
    pub device: Device,
}

impl Context {
    /// A context that says nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The session. Its id is kept for good; the session's token is a secret and does not belong here.
    #[must_use]
    pub fn session(mut self, id: impl Into<String>) -> Self {
        self.session_id = Some(id.into());
        self
    }

    /// The request.
    #[must_use]
    pub fn request(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// The distributed trace, such as the trace-id of W3C Trace Context.
    #[must_use]
    pub fn trace(mut self, id: impl Into<String>) -> Self {
        self.trace_id = Some(id.into());
        self
    }

    /// What ties events of several requests together.
    #[must_use]
    pub fn correlation(mut self, id: impl Into<String>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }

    /// How the actor was authenticated.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// The HTTP request.
    #[must_use]
    pub fn http(mut self, http: Http) -> Self {
        self.http = http;
        self
    }

    /// How risky it looked.
    #[must_use]
    pub fn risk(mut self, risk: Risk) -> Self {
        self.risk = risk;
        self
    }

    /// The client's IP address. Personal: it can be erased.
    #[must_use]
    pub fn ip(mut self, ip: impl Into<IpAddr>) -> Self {
        self.ip = Some(ip.into());
        self
    }

    /// The addresses that proxies say the request was forwarded for, the client first. Personal: they can be erased.
    ///
    /// They are taken as they come, since a proxy may say what is no IP address: a port, `unknown`, or an obfuscated
    /// name (RFC 7239 §6).
    #[must_use]
    pub fn forwarded_for<T: ToString>(mut self, addresses: impl IntoIterator<Item = T>) -> Self {
        self.forwarded_for = addresses.into_iter().map(|address| address.to_string()).collect();
        self
    }

    /// The client's user agent. Personal: it can be erased.
    #[must_use]
    pub fn user_agent(mut self, agent: impl Into<String>) -> Self {
        self.user_agent = Some(agent.into());
        self
    }

    /// Where the client is. Personal: it can be erased.
    #[must_use]
    pub fn location(mut self, location: Location) -> Self {
        self.location = location;
        self
    }

    /// The client's device. Personal: it can be erased.
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }
}

/// Without what is personal.
impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("session_id", &self.session_id)
            .field("request_id", &self.request_id)
            .field("trace_id", &self.trace_id)
            .field("correlation_id", &self.correlation_id)
            .field("auth", &self.auth)
            .field("http", &self.http)
            .field("risk", &self.risk)
            .finish_non_exhaustive()
    }
}

/// How the actor was authenticated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Auth {
    /// The method, such as `password`, `passkey` or `saml`.
    pub method: Option<String>,
    /// Whether a second factor was proven.
    pub mfa: Option<bool>,
    /// The second factor, such as `totp` or `webauthn`.
    pub factor: Option<String>,
    /// The connection to an identity provider.
    pub connection: Option<String>,
    /// The OAuth client, 1 to 256 bytes.
    pub client_id: Option<String>,
}

impl Auth {
    /// One that says nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The method, such as `password`, `passkey` or `saml`.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// Whether a second factor was proven.
    #[must_use]
    pub fn mfa(mut self, mfa: bool) -> Self {
        self.mfa = Some(mfa);
        self
    }

    /// The second factor, such as `totp` or `webauthn`.
    #[must_use]
    pub fn factor(mut self, factor: impl Into<String>) -> Self {
        self.factor = Some(factor.into());
        self
    }

    /// The connection to an identity provider.
    #[must_use]
    pub fn connection(mut self, connection: impl Into<String>) -> Self {
        self.connection = Some(connection.into());
        self
    }

    /// The OAuth client.
    #[must_use]
    pub fn client(mut self, id: impl Into<String>) -> Self {
        self.client_id = Some(id.into());
        self
    }
}

/// The HTTP request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Http {
    /// The method, such as `POST`.
    pub method: Option<String>,
    /// The path, without query and fragment. Kept for good: no personal data.
    pub path: Option<String>,
    /// The status of the response.
    pub status: Option<u16>,
}

impl Http {
    /// One that says nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The method, such as `POST`.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// The path. A query and a fragment are cut off, since they often hold secrets.
    ///
    /// The path is kept for good, also when personal data is erased: where it holds an e-mail address, say, give the
    /// route (`/users/{email}`) in its place.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        let mut path = path.into();
        let length = without_query(&path).len();
        if length < path.len() {
            path.truncate(length);
            // A query may be long: its room is not kept while the event waits.
            path.shrink_to_fit();
        }
        self.path = Some(path);
        self
    }

    /// The status of the response.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }
}

/// How risky an action looked to the host.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Risk {
    /// The score, on the host's own scale.
    pub score: Option<f64>,
    /// What makes it risky, such as `new_device`.
    pub reasons: Vec<String>,
}

impl Risk {
    /// One that says nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The score, on the host's own scale; a number of I-JSON (RFC 7493 §2.2).
    #[must_use]
    pub fn score(mut self, score: f64) -> Self {
        self.score = Some(score);
        self
    }

    /// One thing that makes it risky, such as `new_device`. May be called more than once.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reasons.push(reason.into());
        self
    }
}

/// Where the client is. All of it is personal.
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Location {
    /// The country, such as `CH`.
    pub country: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The city.
    pub city: Option<String>,
    /// Degrees north, -90 to 90.
    pub latitude: Option<f64>,
    /// Degrees east, -180 to 180.
    pub longitude: Option<f64>,
}

impl Location {
    /// One that says nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The country, best as its code of ISO 3166-1, such as `CH`.
    #[must_use]
    pub fn country(mut self, country: impl Into<String>) -> Self {
        self.country = Some(country.into());
        self
    }

    /// The region.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// The city.
    #[must_use]
    pub fn city(mut self, city: impl Into<String>) -> Self {
        self.city = Some(city.into());
        self
    }

    /// Degrees north, -90 to 90, and degrees east, -180 to 180.
    #[must_use]
    pub fn coordinates(mut self, latitude: f64, longitude: f64) -> Self {
        self.latitude = Some(latitude);
        self.longitude = Some(longitude);
        self
    }
}

/// Without its values: they are personal.
impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Location").finish_non_exhaustive()
    }
}

/// The client's device. All of it is personal.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device {
    /// The id, 1 to 256 bytes.
    pub id: Option<String>,
    /// The type, such as `mobile`.
    pub device_type: Option<String>,
    /// The operating system.
    pub os: Option<String>,
}

impl Device {
    /// One that says nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The id.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The type, such as `mobile`.
    #[must_use]
    pub fn device_type(mut self, device_type: impl Into<String>) -> Self {
        self.device_type = Some(device_type.into());
        self
    }

    /// The operating system.
    #[must_use]
    pub fn os(mut self, os: impl Into<String>) -> Self {
        self.os = Some(os.into());
        self
    }
}

/// Without its values: they are personal.
impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").finish_non_exhaustive()
    }
}

/// What comes before the query and the fragment.
pub(super) fn without_query(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or_default()
}
