//! Credentials that the machine gives: the agent of a container
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>), and the metadata service of an
//! EC2 instance, version 2 (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html>).

use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use super::{AwsKeys, hold, with_token};
use crate::json::{JsonError, Kind, Reader};
use crate::sink::Delivery;
use crate::sink::http::{Answer, Client, Request, Variables};

/// `None` where no variable names an agent.
pub(super) fn of_container(variables: &Variables, client: &mut Client) -> Result<Option<AwsKeys>, Delivery> {
    let relative = variables.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    let url = match (relative, variables.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
        (Some(path), _) if path.starts_with('/') => format!("http://169.254.170.2{path}"),
        (Some(_), _) => return Err(hold("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is no path")),
        (None, Some(url)) if is_safe(&url) => url,
        (None, Some(_)) => {
            return Err(hold(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor an address of this host or of the agent",
            ));
        }
        (None, None) => return Ok(None),
    };
    let token = match variables.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(path) => {
            let token = std::fs::read_to_string(&path);
            let token = token.map_err(|error| hold(format!("the file {path} cannot be read: {}", error.kind())))?;
            Some(Zeroizing::new(token.trim_end().to_owned()))
        }
        None => variables.get("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(Zeroizing::new),
    };
    let headers: Vec<_> = token.iter().map(|token| ("authorization", token.as_str())).collect();
    let answer = ask(client, "GET", &url, &headers, "the container's agent")?;
    read(&answer, "the container's agent").map(Some)
}

/// `None` where the variables turn it off, or the instance has no role.
pub(super) fn of_instance(variables: &Variables, client: &mut Client) -> Result<Option<AwsKeys>, Delivery> {
    let is_on = |value: Option<String>| value.is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if is_on(variables.get("AWS_EC2_METADATA_DISABLED")) {
        return Ok(None);
    }
    let mode = variables.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    let host = match mode.is_some_and(|mode| mode.eq_ignore_ascii_case("ipv6")) {
        true => "http://[fd00:ec2::254]",
        false => "http://169.254.169.254",
    };
    let host = variables
        .get("AWS_EC2_METADATA_SERVICE_ENDPOINT")
        .unwrap_or_else(|| host.to_owned());
    let host = host.trim_end_matches('/');
    let service = "the instance's metadata service";

    let lasting = [("x-aws-ec2-metadata-token-ttl-seconds", "21600")];
    let token = ask(client, "PUT", &format!("{host}/latest/api/token"), &lasting, service)?;
    let token = Zeroizing::new(String::from_utf8_lossy(&token.body).trim().to_owned());
    let token = [("x-aws-ec2-metadata-token", token.as_str())];
    let roles = format!("{host}/latest/meta-data/iam/security-credentials/");
    let answer = client.send(&Request {
        method: "GET",
        url: &roles,
        headers: &token,
        body: b"",
    })?;
    if answer.status == 404 {
        return Ok(None);
    }
    answer.gives(service)?;
    let role = String::from_utf8_lossy(&answer.body);
    let role = role.lines().next().unwrap_or_default().trim();
    if role.is_empty() {
        return Ok(None);
    }
    let answer = ask(client, "GET", &format!("{roles}{role}"), &token, service)?;
    read(&answer, service).map(Some)
}

/// Whether credentials may be asked for there: over TLS, or of this host, ECS or EKS.
fn is_safe(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // With a user's name before it, the host is another one than it seems.
    if authority.contains('@') {
        return false;
    }
    let host = match authority.strip_prefix('[') {
        Some(host) => host.split(']').next(),
        None => authority.split(':').next(),
    };
    let host = host.unwrap_or_default();
    let is_near = |address: std::net::IpAddr| address.is_loopback() || AGENTS.contains(&address.to_string().as_str());
    match scheme {
        "https" => true,
        "http" => host == "localhost" || host.parse().is_ok_and(is_near),
        _ => false,
    }
}

fn ask(
    client: &mut Client,
    method: &'static str,
    url: &str,
    headers: &[(&str, &str)],
    service: &str,
) -> Result<Answer, Delivery> {
    let request = Request {
        method,
        url,
        headers,
        body: b"",
    };
    let answer = client.send(&request)?;
    answer.gives(service)?;
    Ok(answer)
}

fn read(answer: &Answer, service: &str) -> Result<AwsKeys, Delivery> {
    let (mut id, mut secret, mut token, mut ends) = (None, None, None, None);
    let read = Reader::new(&answer.body, 8).and_then(|mut reader| {
        reader.object::<JsonError>(|key, value| {
            let field = match key {
                "AccessKeyId" => &mut id,
                "SecretAccessKey" => &mut secret,
                "Token" => &mut token,
                "Expiration" => &mut ends,
                _ => return value.skip(),
            };
            match value.kind()? {
                Kind::String => *field = Some(value.string()?.into_owned()),
                _ => value.skip()?,
            }
            Ok(())
        })
    });
    let (Ok(()), Some(id), Some(secret)) = (read, id, secret) else {
        return Err(Delivery::retry(format!("{service} gives no credentials")));
    };
    let keys = with_token(AwsKeys::new(id, secret), token);
    match ends.map(|ends| OffsetDateTime::parse(&ends, &Rfc3339)) {
        Some(Ok(ends)) => Ok(keys.until(SystemTime::from(ends))),
        _ => Ok(keys),
    }
}

/// Who gives credentials to containers: of ECS, and of EKS.
const AGENTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];
