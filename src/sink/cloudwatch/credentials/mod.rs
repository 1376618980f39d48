//! Credentials of AWS, and where they come from.

mod metadata;
mod profile;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::sink::http::{Client, Variables, ask_host};
use crate::sink::{Delivery, Problem};

/// An access key of AWS. Neither it nor its secret is in `Debug`, an error or a log.
#[derive(Clone)]
pub struct AwsKeys {
    access_key_id: String,
    secret: Zeroizing<String>,
    session_token: Option<Zeroizing<String>>,
    ends: Option<SystemTime>,
}

impl AwsKeys {
    /// The id of an access key and its secret.
    pub fn new(access_key_id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret: Zeroizing::new(secret.into()),
            session_token: None,
            ends: None,
        }
    }

    /// With the session token that temporary keys have.
    pub fn session_token(mut self, token: impl Into<String>) -> Self {
        self.session_token = Some(Zeroizing::new(token.into()));
        self
    }

    /// Good until then. They are asked for anew when four fifths of their life are over, and whenever AWS refuses them.
    pub fn until(mut self, ends: SystemTime) -> Self {
        self.ends = Some(ends);
        self
    }

    pub(super) fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.session_token.as_ref().map(|token| token.as_str())
    }

    pub(super) fn ends(&self) -> Option<SystemTime> {
        self.ends
    }
}

impl fmt::Debug for AwsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsKeys")
    }
}

/// Where the credentials of AWS come from. They are asked for again before they end, and when AWS refuses them.
///
/// ```
/// use indelible::sink::{AwsCredentials, AwsKeys};
///
/// let found = AwsCredentials::find();
/// let vault = AwsCredentials::from_fn(|| Ok(AwsKeys::new("AKIDEXAMPLE", "from the vault")));
/// assert!(!format!("{vault:?}").contains("vault"));
/// ```
#[derive(Clone)]
pub struct AwsCredentials {
    source: Source,
    variables: Variables,
}

#[derive(Clone)]
enum Source {
    Find,
    Environment,
    Profile(String),
    Container,
    Instance,
    Host(Arc<dyn Fn() -> Result<AwsKeys, String> + Send + Sync>),
}

impl AwsCredentials {
    /// The first that there are, in the order of AWS's own clients: of the environment (`AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`), of the shared files (`~/.aws/credentials` and `~/.aws/config`, the
    /// profile of `AWS_PROFILE` or `default`), of the container (ECS, EKS Pod Identity), of the EC2 instance.
    ///
    /// Roles that are assumed by a profile or with a web identity, single sign-on and `credential_process` are for
    /// [`from_fn`](Self::from_fn): where the environment asks for one of them, delivery is held and says so.
    pub fn find() -> Self {
        Self::of(Source::Find)
    }

    /// Those of the environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`.
    pub fn environment() -> Self {
        Self::of(Source::Environment)
    }

    /// Those of a profile in the shared files, `AWS_SHARED_CREDENTIALS_FILE` (`~/.aws/credentials`) and `AWS_CONFIG_FILE`
    /// (`~/.aws/config`).
    pub fn profile(name: impl Into<String>) -> Self {
        Self::of(Source::Profile(name.into()))
    }

    /// Those that the container's agent gives: `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or
    /// `AWS_CONTAINER_CREDENTIALS_FULL_URI`, with `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE` or
    /// `AWS_CONTAINER_AUTHORIZATION_TOKEN`.
    pub fn container() -> Self {
        Self::of(Source::Container)
    }

    /// Those of the role of the EC2 instance, by version 2 of its metadata service.
    pub fn instance() -> Self {
        Self::of(Source::Instance)
    }

    /// What this gives. Where it fails it says why, in words without a secret; delivery is then held.
    pub fn from_fn(keys: impl Fn() -> Result<AwsKeys, String> + Send + Sync + 'static) -> Self {
        Self::of(Source::Host(Arc::new(keys)))
    }

    /// Looks these variables up, rather than those of the process.
    pub fn variables(mut self, variables: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.variables = Variables::of(variables);
        self
    }

    fn of(source: Source) -> Self {
        Self {
            source,
            variables: Variables::default(),
        }
    }

    /// The credentials as they are now.
    ///
    /// # Errors
    ///
    /// What becomes of a batch without them.
    pub(super) fn get(&self, client: &mut Client) -> Result<AwsKeys, Delivery> {
        let variables = &self.variables;
        let none = |what: &str| hold(format!("there are no AWS credentials in {what}"));
        match &self.source {
            Source::Find => self.find_first(client),
            Source::Environment => of_environment(variables)?.ok_or_else(|| none("the environment")),
            Source::Profile(name) => {
                profile::keys(variables, name)?.ok_or_else(|| none(&format!("the profile {name:?}")))
            }
            Source::Container => metadata::of_container(variables, client)?.ok_or_else(|| none("the container")),
            Source::Instance => metadata::of_instance(variables, client)?.ok_or_else(|| none("the instance")),
            Source::Host(keys) => ask_host(&**keys),
        }
    }

    fn find_first(&self, client: &mut Client) -> Result<AwsKeys, Delivery> {
        let variables = &self.variables;
        if let Some(keys) = of_environment(variables)? {
            return Ok(keys);
        }
        let named = variables.get("AWS_PROFILE");
        match (profile::keys(variables, named.as_deref().unwrap_or("default"))?, named) {
            (Some(keys), _) => return Ok(keys),
            (None, Some(name)) => {
                return Err(hold(format!("there are no AWS credentials in the profile {name:?}")));
            }
            (None, None) => {}
        }
        if variables.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_some() {
            return Err(hold(
                "AWS_WEB_IDENTITY_TOKEN_FILE asks for a role by a web identity: give its keys by AwsCredentials::from_fn",
            ));
        }
        if let Some(keys) = metadata::of_container(variables, client)? {
            return Ok(keys);
        }
        let none = "there are no AWS credentials in the environment, the shared files, the container or the instance";
        match metadata::of_instance(variables, client) {
            Ok(keys) => keys.ok_or_else(|| hold(none)),
            Err(_) => Err(hold(none)),
        }
    }
}

impl Default for AwsCredentials {
    fn default() -> Self {
        Self::find()
    }
}

impl From<AwsKeys> for AwsCredentials {
    /// Those that stay the same.
    fn from(keys: AwsKeys) -> Self {
        Self::from_fn(move || Ok(keys.clone()))
    }
}

impl fmt::Debug for AwsCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsCredentials")
    }
}

fn of_environment(variables: &Variables) -> Result<Option<AwsKeys>, Delivery> {
    let Some(id) = variables.get("AWS_ACCESS_KEY_ID") else {
        return Ok(None);
    };
    let secret = variables.get("AWS_SECRET_ACCESS_KEY");
    let secret = secret.ok_or_else(|| hold("AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not"))?;
    Ok(Some(with_token(
        AwsKeys::new(id, secret),
        variables.get("AWS_SESSION_TOKEN"),
    )))
}

fn with_token(keys: AwsKeys, token: Option<String>) -> AwsKeys {
    match token {
        Some(token) => keys.session_token(token),
        None => keys,
    }
}

fn hold(what: impl Into<String>) -> Delivery {
    Delivery::hold(Problem::new(what))
}
