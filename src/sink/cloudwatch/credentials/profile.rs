//! The shared files of AWS's clients
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>).

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{AwsKeys, hold, with_token};
use crate::sink::Delivery;
use crate::sink::http::Variables;

/// The keys of a profile: those of the credentials file before those of the config file. `None` where neither has it.
pub(super) fn keys(variables: &Variables, name: &str) -> Result<Option<AwsKeys>, Delivery> {
    let home = variables.get("HOME").map(|home| PathBuf::from(home).join(".aws"));
    let file = |variable: &str, beside: &str| {
        let named = variables.get(variable).map(PathBuf::from);
        named.or_else(|| home.as_ref().map(|home| home.join(beside)))
    };
    let files = [
        (file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), name.to_owned()),
        (file("AWS_CONFIG_FILE", "config"), format!("profile {name}")),
    ];
    let mut settings = BTreeMap::new();
    for (path, title) in files {
        let Some(path) = path else { continue };
        let content = match std::fs::read_to_string(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                let kind = error.kind();
                return Err(hold(format!("the file {} cannot be read: {kind}", path.display())));
            }
        };
        let is_wanted = |found: &str| found == title || name == "default" && found == "default";
        for (key, value) in section(&content, is_wanted) {
            settings.entry(key).or_insert(value);
        }
    }
    // The keys beside a role are those that it is assumed with.
    let has_role = settings.contains_key("role_arn");
    let (id, secret) = (
        settings.remove("aws_access_key_id"),
        settings.remove("aws_secret_access_key"),
    );
    match (id, secret) {
        (Some(id), Some(secret)) if !has_role => {
            let keys = AwsKeys::new(id, secret);
            Ok(Some(with_token(keys, settings.remove("aws_session_token"))))
        }
        (Some(_), None) | (None, Some(_)) if !has_role => Err(hold(format!(
            "the profile {name:?} has only one of aws_access_key_id and aws_secret_access_key"
        ))),
        _ => match OTHER_WAYS.iter().find(|way| settings.contains_key(**way)) {
            Some(way) => Err(hold(format!(
                "the profile {name:?} asks for {way}: give its keys by AwsCredentials::from_fn"
            ))),
            None => Ok(None),
        },
    }
}

/// The settings of a section, with names in lower case. What is indented belongs to the line before it, and is left out.
fn section(content: &str, is_wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let (mut settings, mut is_in) = (Vec::new(), false);
    for line in content.lines() {
        if line.starts_with(['#', ';', ' ', '\t']) {
            continue;
        }
        let line = line.trim();
        if let Some(title) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            let words: Vec<_> = title.split_whitespace().collect();
            is_in = is_wanted(&words.join(" "));
        } else if let (true, Some((key, value))) = (is_in, line.split_once('=')) {
            settings.push((key.trim().to_lowercase(), value.trim().to_owned()));
        }
    }
    settings
}

/// What a profile may ask for, and this does not do.
const OTHER_WAYS: [&str; 6] = [
    "role_arn",
    "credential_process",
    "sso_session",
    "sso_start_url",
    "web_identity_token_file",
    "login_session",
];
