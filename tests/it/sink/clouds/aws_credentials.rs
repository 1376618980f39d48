//! Where the credentials of AWS are found.

use indelible::sink::AwsCredentials;

use super::cloudwatch::{good, sink};
use super::*;
use crate::sink::receiver::Receiver;

/// The key and the token that a sink uses with these credentials.
fn used(credentials: AwsCredentials) -> (String, Option<String>) {
    let receiver = Receiver::answering(|_| good());
    let scene = Scene::new();
    let log = open_for(&scene, sink(receiver.url("")).credentials(credentials));
    flush(&log);
    let request = receiver.requests()[0].clone();
    let signed = request.header("authorization").expect("signed");
    let key = signed
        .split("Credential=")
        .nth(1)
        .and_then(|rest| rest.split('/').next())
        .expect("a key");
    (
        key.to_owned(),
        request.header("x-amz-security-token").map(str::to_owned),
    )
}

fn held(credentials: AwsCredentials, said: &str) {
    let receiver = Receiver::answering(|_| good());
    let scene = Scene::new();
    assert_held(&open_for(&scene, sink(receiver.url("")).credentials(credentials)), said);
    assert!(receiver.requests().is_empty());
}

#[test]
fn credentials_are_found_in_the_order_of_the_official_clients() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        path.display().to_string()
    };
    let shared = "# mine\n[default]\naws_access_key_id = AKDEFAULT\naws_secret_access_key=a=b+c/d\n\n\
                  [audit]\nAWS_ACCESS_KEY_ID=AKAUDIT\naws_secret_access_key = s\naws_session_token = t\n[half]\naws_access_key_id=x\n\
                  [audit-role]\naws_access_key_id = AKBASE\naws_secret_access_key = s\n";
    let config = "[default]\nregion = eu-central-1\ns3 =\n  aws_access_key_id = nested\n\
                  [profile  other ]\naws_access_key_id=AKOTHER\naws_secret_access_key=s\n\
                  [profile role]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = default\n\
                  [profile audit-role]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = audit-role\n";
    let files = [
        ("AWS_SHARED_CREDENTIALS_FILE", write("credentials", shared)),
        ("AWS_CONFIG_FILE", write("config", config)),
    ];
    let with = |more: &[(&'static str, &str)]| {
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        variables(files.clone().into_iter().chain(more).collect::<Vec<_>>())
    };
    let found = |more: &[(&'static str, &str)]| used(AwsCredentials::find().variables(with(more)));
    assert_eq!(found(&[]), ("AKDEFAULT".into(), None));
    assert_eq!(found(&[("AWS_PROFILE", "audit")]), ("AKAUDIT".into(), Some("t".into())));
    let environment = [
        ("AWS_PROFILE", "audit"),
        ("AWS_ACCESS_KEY_ID", "AKENV"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_SESSION_TOKEN", "u"),
    ];
    assert_eq!(found(&environment), ("AKENV".into(), Some("u".into())));
    assert_eq!(
        used(AwsCredentials::profile("other").variables(with(&[]))),
        ("AKOTHER".into(), None)
    );
    for (profile, said) in [
        ("half", "only one"),
        ("role", "role_arn"),
        // Its keys are those that the role is assumed with.
        ("audit-role", "role_arn"),
        ("none", "no AWS credentials"),
    ] {
        held(AwsCredentials::profile(profile).variables(with(&[])), said);
    }
    held(AwsCredentials::environment().variables(with(&[])), "environment");
    let half = [("AWS_ACCESS_KEY_ID", "x".to_owned())];
    held(
        AwsCredentials::environment().variables(variables(half)),
        "AWS_SECRET_ACCESS_KEY",
    );
    let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/token".to_owned())];
    held(AwsCredentials::find().variables(variables(web)), "web identity");
    let off = [("AWS_EC2_METADATA_DISABLED", "true".to_owned())];
    held(AwsCredentials::find().variables(variables(off)), "no AWS credentials");
}

const GIVEN: &str = r#"{"Code":"Success","AccessKeyId":"AKGIVEN","SecretAccessKey":"s","Token":"t","Expiration":"2099-01-01T00:00:00Z","RoleArn":null}"#;

#[test]
fn the_agent_of_a_container_gives_credentials() {
    let agent = Receiver::answering(|request| match request.header("authorization") {
        Some("secret") => Reply::status(200).body(GIVEN),
        _ => Reply::status(403),
    });
    let folder = tempfile::tempdir().expect("a folder");
    let token = folder.path().join("token");
    std::fs::write(&token, "secret\n").expect("written");
    let uri = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.url("/v1/credentials?id=x"));
    let file = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.display().to_string());
    let given = ("AKGIVEN".to_owned(), Some("t".to_owned()));
    assert_eq!(
        used(AwsCredentials::find().variables(variables([uri.clone(), file]))),
        given
    );
    let value = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "secret".to_owned());
    assert_eq!(
        used(AwsCredentials::container().variables(variables([uri.clone(), value]))),
        given
    );
    held(AwsCredentials::container().variables(variables([uri])), "HTTP 403");
    assert_eq!(agent.requests()[0].path, "/v1/credentials?id=x");
    for url in [
        "http://10.0.0.1/",
        "http://example.com/",
        "ftp://127.0.0.1/",
        "http://localhost.example.com/",
    ] {
        let uri = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.to_owned())];
        held(AwsCredentials::container().variables(variables(uri)), "neither https");
    }
}

#[test]
fn the_metadata_of_an_instance_gives_credentials_by_its_second_version() {
    let metadata = Receiver::answering(|request| {
        let is_known = request.header("x-aws-ec2-metadata-token") == Some("T0KEN");
        match request.path.as_str() {
            "/latest/api/token" if request.method == "PUT" => Reply::status(200).body("T0KEN"),
            "/latest/meta-data/iam/security-credentials/" if is_known => Reply::status(200).body("audit-role\n"),
            "/latest/meta-data/iam/security-credentials/audit-role" if is_known => Reply::status(200).body(GIVEN),
            _ => Reply::status(401),
        }
    });
    let place = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.url("/"))];
    let given = ("AKGIVEN".to_owned(), Some("t".to_owned()));
    assert_eq!(used(AwsCredentials::find().variables(variables(place.clone()))), given);
    assert_eq!(
        used(AwsCredentials::instance().variables(variables(place.clone()))),
        given
    );
    metadata.answer(|request| match request.path.as_str() {
        "/latest/api/token" => Reply::status(200).body("T0KEN"),
        _ => Reply::status(404),
    });
    held(
        AwsCredentials::instance().variables(variables(place)),
        "no AWS credentials in the instance",
    );
}
