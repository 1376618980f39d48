//! The logs of clouds as targets.

use super::ConfigError;
use super::section::Section;
#[cfg(any(feature = "cloudwatch", feature = "azure"))]
use super::sinks::any;
use super::sinks::{Secrets, http, secret};

#[cfg(feature = "cloudwatch")]
pub(super) fn cloudwatch(section: &mut Section, secrets: &mut Secrets) -> Result<crate::sink::CloudWatch, ConfigError> {
    let (region, group) = (section.needed("region")?.value, section.needed("group")?.value);
    let mut logs = crate::sink::CloudWatch::new(region, group, section.needed("stream")?.value);
    if let Some(credentials) = aws_credentials(section, secrets)? {
        logs = logs.credentials(credentials);
    }
    if let Some(endpoint) = section.text("endpoint")? {
        logs = logs.endpoint(endpoint.value);
    }
    if section.boolean("create_missing")? == Some(true) {
        logs = logs.create_missing();
    }
    Ok(logs.http(http(section, secrets)?))
}

/// Where they come from, if it is said.
#[cfg(feature = "cloudwatch")]
fn aws_credentials(
    section: &mut Section,
    secrets: &mut Secrets,
) -> Result<Option<crate::sink::AwsCredentials>, ConfigError> {
    use crate::sink::{AwsCredentials, AwsKeys};

    let mut text = |key| Ok::<_, ConfigError>(section.text(key)?.map(|found| found.value));
    let (identity, profile, id) = (text("identity")?, text("profile")?, text("access_key_id")?);
    let key = secret(section, "secret_access_key", secrets, any)?;
    let token = secret(section, "session_token", secrets, crate::sink::http::check::check_value)?;
    Ok(match (identity.as_deref(), profile, id, key, token) {
        (None, None, None, None, None) => None,
        (None, Some(profile), None, None, None) => Some(AwsCredentials::profile(profile)),
        (Some("environment"), None, None, None, None) => Some(AwsCredentials::environment()),
        (Some("container"), None, None, None, None) => Some(AwsCredentials::container()),
        (Some("instance"), None, None, None, None) => Some(AwsCredentials::instance()),
        (None, None, Some(id), Some(key), token) => Some(AwsCredentials::from_fn(move || {
            let keys = AwsKeys::new(&id, key.get()?.as_str());
            Ok(match &token {
                Some(token) => keys.session_token(token.get()?.as_str()),
                None => keys,
            })
        })),
        _ => {
            return Err(section.wrong(
                "the credentials are a profile; or identity, which is \"environment\", \"container\" or \"instance\"; or \
                 access_key_id and secret_access_key, with or without session_token",
            ));
        }
    })
}

#[cfg(feature = "azure")]
pub(super) fn azure(section: &mut Section, secrets: &mut Secrets) -> Result<crate::sink::AzureMonitor, ConfigError> {
    use crate::sink::AzureCredentials;

    let endpoint = section.needed("endpoint")?.value;
    let rule = section.needed("rule")?.value;
    let stream = section.needed("stream")?.value;
    let mut text = |key| Ok::<_, ConfigError>(section.text(key)?.map(|found| found.value));
    let (identity, tenant, client) = (text("identity")?, text("tenant")?, text("client")?);
    let secret = secret(section, "client_secret", secrets, any)?;
    let credentials = match (identity.as_deref(), tenant, client, secret) {
        (None, Some(tenant), Some(client), Some(secret)) => AzureCredentials::client_secret(tenant, client, secret),
        (None | Some("managed"), None, None, None) => AzureCredentials::managed_identity(),
        (None | Some("managed"), None, Some(client), None) => AzureCredentials::managed_identity_of(client),
        (Some("workload"), None, None, None) => AzureCredentials::workload_identity(),
        _ => {
            return Err(section.wrong(
                "the credentials are tenant, client and client_secret; or identity, which is \"managed\", alone or with \
                 client, or \"workload\"",
            ));
        }
    };
    let mut table = crate::sink::AzureMonitor::new(endpoint, rule, stream, credentials);
    if section.boolean("auxiliary")? == Some(true) {
        table = table.auxiliary();
    }
    Ok(table.http(http(section, secrets)?))
}

#[cfg(feature = "google")]
pub(super) fn google(section: &mut Section, secrets: &mut Secrets) -> Result<crate::sink::GoogleLogging, ConfigError> {
    let (project, name) = (section.needed("project")?.value, section.needed("log")?.value);
    let mut log = crate::sink::GoogleLogging::new(project, name);
    let identity = section.text("identity")?.map(|found| found.value);
    match (
        identity.as_deref(),
        secret(section, "key", secrets, crate::sink::google::check_key)?,
    ) {
        (None, None) => {}
        (None, Some(key)) => log = log.credentials(crate::sink::GoogleCredentials::service_account(key)),
        (Some("metadata"), None) => log = log.credentials(crate::sink::GoogleCredentials::metadata()),
        _ => return Err(section.wrong("the credentials are a key; or identity, which is \"metadata\"")),
    }
    let labels = super::sinks::texts(section, "labels")?;
    match section.text("resource")? {
        Some(kind) => log = log.resource(kind.value, labels),
        None if labels.is_empty() => {}
        None => return Err(section.wrong("labels are those of a resource")),
    }
    if let Some(retention) = section.duration("retention")? {
        log = log.retention(retention);
    }
    if let Some(endpoint) = section.text("endpoint")? {
        log = log.endpoint(endpoint.value);
    }
    Ok(log.http(http(section, secrets)?))
}
