//! Who did it, and what it was done to (EVENTS §1).

use std::fmt;

/// Who did it, or in whose name.
///
/// `type` and `id` stand in `event` and are kept for good; `name` and `email` are personal data, which can be erased.
/// So an id must not itself be personal: use an opaque one of your own, never an e-mail address, a telephone number or
/// what somebody typed into a form.
///
/// ```
/// use indelible::Actor;
///
/// let alice = Actor::user("usr_alice123").name("Alice").email("alice@example.com");
/// assert_eq!(alice.id, "usr_alice123");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Actor {
    /// What kind of actor it is.
    pub actor_type: ActorType,
    /// The id, 1 to 256 bytes. Kept for good: no personal data.
    pub id: String,
    /// The name for display. Personal.
    pub name: Option<String>,
    /// The e-mail address. Personal.
    pub email: Option<String>,
}

impl Actor {
    /// An actor of this type.
    ///
    /// The id is kept for good, also when personal data is erased: an e-mail address, for one, does not belong here.
    pub fn new(actor_type: ActorType, id: impl Into<String>) -> Self {
        Self {
            actor_type,
            id: id.into(),
            name: None,
            email: None,
        }
    }

    /// A person who uses the service. The id is kept for good: no personal data.
    pub fn user(id: impl Into<String>) -> Self {
        Self::new(ActorType::User, id)
    }

    /// A person who administers the service. The id is kept for good: no personal data.
    pub fn admin(id: impl Into<String>) -> Self {
        Self::new(ActorType::Admin, id)
    }

    /// A program with an account of its own.
    pub fn service_account(id: impl Into<String>) -> Self {
        Self::new(ActorType::ServiceAccount, id)
    }

    /// The bearer of an API key. The id names the key and is not the key itself.
    pub fn api_key(id: impl Into<String>) -> Self {
        Self::new(ActorType::ApiKey, id)
    }

    /// An OAuth client that acts for itself.
    pub fn oauth_client(id: impl Into<String>) -> Self {
        Self::new(ActorType::OauthClient, id)
    }

    /// An agent: a program that acts by its own judgement, such as a language model with tools.
    pub fn agent(id: impl Into<String>) -> Self {
        Self::new(ActorType::Agent, id)
    }

    /// The service itself, or one of its jobs.
    pub fn system(id: impl Into<String>) -> Self {
        Self::new(ActorType::System, id)
    }

    /// Someone unknown, such as whoever failed to log in as a user that does not exist. Its id is `anonymous`.
    ///
    /// What was typed into the field is often a password: never record it.
    pub fn anonymous() -> Self {
        Self::new(ActorType::Anonymous, "anonymous")
    }

    /// The name for display. Personal: it can be erased.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The e-mail address. Personal: it can be erased.
    #[must_use]
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }
}

/// Without the name and the e-mail address.
impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor")
            .field("actor_type", &self.actor_type)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What kind of actor acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ActorType {
    /// A person who uses the service.
    User,
    /// A person who administers it.
    Admin,
    /// A program with an account of its own.
    ServiceAccount,
    /// The bearer of an API key.
    ApiKey,
    /// An OAuth client that acts for itself.
    OauthClient,
    /// A program that acts by its own judgement.
    Agent,
    /// The service itself.
    System,
    /// Someone unknown.
    Anonymous,
}

impl ActorType {
    /// All types.
    pub const ALL: [ActorType; 8] = [
        Self::User,
        Self::Admin,
        Self::ServiceAccount,
        Self::ApiKey,
        Self::OauthClient,
        Self::Agent,
        Self::System,
        Self::Anonymous,
    ];

    /// Its name in an event, such as `service_account`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
            Self::ServiceAccount => "service_account",
            Self::ApiKey => "api_key",
            Self::OauthClient => "oauth_client",
            Self::Agent => "agent",
            Self::System => "system",
            Self::Anonymous => "anonymous",
        }
    }
}

impl fmt::Display for ActorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What it was done to: a user, an application, a document, whatever the host calls it.
///
/// As with an [`Actor`], `type` and `id` are kept for good, `name` and `email` are personal.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Target {
    /// What kind of thing it is, in the host's own words.
    pub target_type: String,
    /// The id, 1 to 256 bytes. Kept for good: no personal data.
    pub id: String,
    /// The name for display. Personal.
    pub name: Option<String>,
    /// The e-mail address. Personal.
    pub email: Option<String>,
}

impl Target {
    /// A target of this type, such as `application`, with this id.
    ///
    /// The id is kept for good, also when personal data is erased: an e-mail address, for one, does not belong here.
    pub fn new(target_type: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            target_type: target_type.into(),
            id: id.into(),
            name: None,
            email: None,
        }
    }

    /// A user. The id is kept for good: no personal data.
    pub fn user(id: impl Into<String>) -> Self {
        Self::new("user", id)
    }

    /// The name for display. Personal: it can be erased.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The e-mail address. Personal: it can be erased.
    #[must_use]
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }
}

/// Without the name and the e-mail address.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("target_type", &self.target_type)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
