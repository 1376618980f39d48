//! Tokens of Microsoft Entra
//! (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>,
//! <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>).

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::sink::http::{Client, Request, Token, Variables, ask_host, percent};
use crate::sink::{Delivery, Secret};

/// Where the tokens for Azure Monitor come from.
///
/// ```
/// use indelible::sink::{AzureCredentials, Secret};
///
/// let of_an_app = AzureCredentials::client_secret(
///     "00000000-0000-0000-0000-000000000001", // the directory (tenant)
///     "00000000-0000-0000-0000-000000000002", // the application (client)
///     Secret::env("AZURE_CLIENT_SECRET"),
/// );
/// let of_a_machine = AzureCredentials::managed_identity();
/// assert_eq!(format!("{of_an_app:?} {of_a_machine:?}"), "AzureCredentials AzureCredentials");
/// ```
#[derive(Clone)]
pub struct AzureCredentials {
    source: Source,
    variables: Variables,
}

#[derive(Clone)]
enum Source {
    ClientSecret {
        tenant: String,
        client: String,
        secret: Secret,
    },
    ManagedIdentity {
        client: Option<String>,
    },
    WorkloadIdentity,
    Host(Arc<dyn Fn() -> Result<Token, String> + Send + Sync>),
}

/// One of Microsoft's clouds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cloud {
    /// What the token is for.
    resource: &'static str,
    /// Who gives it.
    authority: &'static str,
}

impl Cloud {
    /// The cloud of an endpoint, by the end of its name.
    pub(super) fn of(endpoint: &str) -> Self {
        let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        let (resource, authority) = match host.rsplit('.').next() {
            Some("us") => ("https://monitor.azure.us", "https://login.microsoftonline.us"),
            Some("cn") => ("https://monitor.azure.cn", "https://login.chinacloudapi.cn"),
            _ => ("https://monitor.azure.com", "https://login.microsoftonline.com"),
        };
        Self { resource, authority }
    }
}

impl AzureCredentials {
    /// Those of an application: the ids of its directory and of itself, and a secret of it.
    pub fn client_secret(tenant: impl Into<String>, client: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self::of(Source::ClientSecret {
            tenant: tenant.into(),
            client: client.into(),
            secret: secret.into(),
        })
    }

    /// The identity that Azure gives the machine, or the app (App Service, Functions, Container Apps).
    pub fn managed_identity() -> Self {
        Self::of(Source::ManagedIdentity { client: None })
    }

    /// Of several such identities, that of this client id.
    pub fn managed_identity_of(client: impl Into<String>) -> Self {
        let client = Some(client.into());
        Self::of(Source::ManagedIdentity { client })
    }

    /// The identity of a pod in Kubernetes: `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_FEDERATED_TOKEN_FILE`, as the
    /// webhook of Microsoft Entra Workload ID sets them.
    pub fn workload_identity() -> Self {
        Self::of(Source::WorkloadIdentity)
    }

    /// What this gives: a token for `https://monitor.azure.com/.default`. Where it fails it says why, in words without a
    /// secret; delivery is then held.
    pub fn from_fn(token: impl Fn() -> Result<Token, String> + Send + Sync + 'static) -> Self {
        Self::of(Source::Host(Arc::new(token)))
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

    /// A token. `far` reaches who gives tokens, `nearby` what is on the machine.
    pub(super) fn token(&self, cloud: Cloud, far: &mut Client, nearby: &mut Client) -> Result<Token, Delivery> {
        let variable = |name: &str| {
            let value = self.variables.get(name);
            value.ok_or_else(|| Delivery::hold(format!("the environment variable {name} is not set")))
        };
        match &self.source {
            Source::ClientSecret { tenant, client, secret } => {
                let secret = secret.get().map_err(Delivery::hold)?;
                let proof = Zeroizing::new(format!("client_secret={}", percent(&secret)));
                self.ask_authority(cloud, far, tenant, client, &proof)
            }
            Source::WorkloadIdentity => {
                let (tenant, client) = (variable("AZURE_TENANT_ID")?, variable("AZURE_CLIENT_ID")?);
                let assertion = Secret::file(variable("AZURE_FEDERATED_TOKEN_FILE")?).get();
                let assertion = assertion.map_err(Delivery::hold)?;
                let kind = percent("urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
                let proof = format!("client_assertion_type={kind}&client_assertion={}", percent(&assertion));
                self.ask_authority(cloud, far, &tenant, &client, &Zeroizing::new(proof))
            }
            Source::ManagedIdentity { client } => self.ask_machine(cloud, nearby, client.as_deref()),
            Source::Host(token) => ask_host(&**token),
        }
    }

    fn ask_authority(
        &self,
        cloud: Cloud,
        far: &mut Client,
        tenant: &str,
        client: &str,
        proof: &str,
    ) -> Result<Token, Delivery> {
        let authority = self.variables.get("AZURE_AUTHORITY_HOST");
        let authority = authority.as_deref().unwrap_or(cloud.authority).trim_end_matches('/');
        let url = format!("{authority}/{}/oauth2/v2.0/token", percent(tenant));
        let (client, scope) = (percent(client), percent(&format!("{}/.default", cloud.resource)));
        let body = format!("grant_type=client_credentials&client_id={client}&scope={scope}&{proof}");
        let body = Zeroizing::new(body);
        let answer = far.send(&Request {
            method: "POST",
            url: &url,
            headers: &[("content-type", "application/x-www-form-urlencoded")],
            body: body.as_bytes(),
        })?;
        Token::read(&answer, "Microsoft Entra")
    }

    fn ask_machine(&self, cloud: Cloud, nearby: &mut Client, client: Option<&str>) -> Result<Token, Delivery> {
        let app = self
            .variables
            .get("IDENTITY_ENDPOINT")
            .zip(self.variables.get("IDENTITY_HEADER"));
        let (endpoint, version, header, value) = match app {
            Some((endpoint, value)) => (endpoint, "2019-08-01", "x-identity-header", value),
            None => {
                let host = self.variables.get("AZURE_POD_IDENTITY_AUTHORITY_HOST");
                let host = host
                    .as_deref()
                    .unwrap_or("http://169.254.169.254")
                    .trim_end_matches('/');
                let endpoint = format!("{host}/metadata/identity/oauth2/token");
                (endpoint, "2018-02-01", "metadata", "true".to_owned())
            }
        };
        let value = Zeroizing::new(value);
        let mut url = format!("{endpoint}?api-version={version}&resource={}", percent(cloud.resource));
        if let Some(client) = client {
            url.push_str(&format!("&client_id={}", percent(client)));
        }
        let answer = nearby.send(&Request {
            method: "GET",
            url: &url,
            headers: &[(header, &value)],
            body: b"",
        })?;
        Token::read(&answer, "the managed identity")
    }
}

impl fmt::Debug for AzureCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AzureCredentials")
    }
}
