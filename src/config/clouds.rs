//! The logs of clouds as targets.

use super::ConfigError;
use super::section::Section;
#[cfg(feature = "token")]
use super::sinks::secret;
use super::sinks::{Secrets, http};

#[cfg(feature = "cloudwatch")]
pub(super) fn cloudwatch(section: &mut Section, secrets: &mut Secrets) -> Result<crate::sink::CloudWatch, ConfigError> {
    let (region, group) = (section.needed("region")?.value, section.needed("group")?.value);
    let mut logs = crate::sink::CloudWatch::new(region, group, section.needed("stream")?.value);
    if let Some(profile) = section.text("profile")? {
        logs = logs.credentials(crate::sink::AwsCredentials::profile(profile.value));
    }
    if let Some(endpoint) = section.text("endpoint")? {
        logs = logs.endpoint(endpoint.value);
    }
    if section.boolean("create_missing")? == Some(true) {
        logs = logs.create_missing();
    }
    Ok(logs.http(http(section, secrets)?))
}

#[cfg(feature = "azure")]
pub(super) fn azure(section: &mut Section, secrets: &mut Secrets) -> Result<crate::sink::AzureMonitor, ConfigError> {
    use crate::sink::AzureCredentials;

    let (endpoint, rule) = (section.needed("endpoint")?.value, section.needed("rule")?.value);
    let stream = section.needed("stream")?.value;
    let mut text = |key| Ok::<_, ConfigError>(section.text(key)?.map(|found| found.value));
    let (identity, tenant, client) = (text("identity")?, text("tenant")?, text("client")?);
    let secret = secret(section, "client_secret", secrets)?;
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
    if let Some(key) = secret(section, "key", secrets)? {
        log = log.credentials(crate::sink::GoogleCredentials::service_account(key));
    }
    let mut labels = Vec::new();
    if let Some(mut table) = section.table("labels")? {
        for name in table.keys() {
            let value = table.needed(&name)?.value;
            labels.push((name, value));
        }
        table.end()?;
    }
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
