//! Those who give credentials, when they hang, fail or lie: nothing is sent with what they say, and once they are well again
//! nothing was lost.

use std::time::Duration;

use indelible::sink::HttpOptions;

use super::*;
use crate::sink::receiver::{Receiver, Reply};

/// Where credentials are asked for, and who is asked.
struct Giver {
    name: &'static str,
    /// A feed that asks the first, and delivers to the second.
    feed: fn(&Receiver, &Receiver) -> Feed,
    /// The answer of a target that takes what is delivered.
    taken: fn() -> Reply,
    given: fn(&str) -> Reply,
}

fn givers() -> Vec<Giver> {
    vec![
        #[cfg(feature = "azure")]
        Giver {
            name: "Microsoft Entra",
            feed: |giver, target| {
                let credentials = indelible::sink::AzureCredentials::client_secret("tenant", "client", "S3CRET");
                let place = [("AZURE_AUTHORITY_HOST", giver.url(""))];
                let sink = azure::sink(&target.url(""), credentials.variables(variables(place)));
                Feed::new("siem", sink.http(impatient()))
            },
            taken: || Reply::status(204),
            given: |_| Reply::status(200).body(TOKEN),
        },
        #[cfg(feature = "azure")]
        Giver {
            name: "a managed identity",
            feed: |giver, target| {
                let credentials = indelible::sink::AzureCredentials::managed_identity();
                let place = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", giver.url(""))];
                let sink = azure::sink(&target.url(""), credentials.variables(variables(place)));
                Feed::new("siem", sink.http(impatient()))
            },
            taken: || Reply::status(204),
            given: |_| Reply::status(200).body(TOKEN),
        },
        #[cfg(feature = "google")]
        Giver {
            name: "the metadata server",
            feed: |giver, target| {
                let credentials = indelible::sink::GoogleCredentials::metadata();
                let place = [("GCE_METADATA_HOST", format!("127.0.0.1:{}", giver.port()))];
                let sink = google::sink(&target.url(""), credentials.variables(variables(place)));
                Feed::new("siem", sink.http(impatient()))
            },
            taken: || Reply::status(200).body("{}"),
            given: |_| Reply::status(200).body(TOKEN),
        },
        #[cfg(feature = "cloudwatch")]
        Giver {
            name: "a container's agent",
            feed: |giver, target| {
                let credentials = indelible::sink::AwsCredentials::container();
                let place = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", giver.url("/"))];
                let credentials = credentials.variables(variables(place));
                let sink = cloudwatch::sink(target.url("")).credentials(credentials);
                Feed::new("siem", sink.http(impatient()))
            },
            taken: cloudwatch::good,
            given: |_| Reply::status(200).body(KEYS),
        },
        #[cfg(feature = "cloudwatch")]
        Giver {
            name: "an instance",
            feed: |giver, target| {
                let credentials = indelible::sink::AwsCredentials::instance();
                let place = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", giver.url(""))];
                let credentials = credentials.variables(variables(place));
                let sink = cloudwatch::sink(target.url("")).credentials(credentials);
                Feed::new("siem", sink.http(impatient()))
            },
            taken: cloudwatch::good,
            given: |path| match path {
                "/latest/api/token" => Reply::status(200).body("T0KEN"),
                "/latest/meta-data/iam/security-credentials/" => Reply::status(200).body("role"),
                _ => Reply::status(200).body(KEYS),
            },
        },
    ]
}

/// What hangs is not waited for long.
fn impatient() -> HttpOptions {
    HttpOptions::new().timeout(Duration::from_millis(500))
}

const TOKEN: &str = r#"{"access_token":"T0KEN","expires_in":3599}"#;

#[cfg(feature = "cloudwatch")]
const KEYS: &str = r#"{"AccessKeyId":"AKGIVEN","SecretAccessKey":"S3CRET","Token":"T0KEN"}"#;

#[test]
fn who_gives_credentials_and_is_not_well_loses_nothing() {
    let givers = givers();
    std::thread::scope(|scope| {
        for giver in &givers {
            scope.spawn(|| try_all(giver));
        }
    });
}

fn try_all(giver: &Giver) {
    let elsewhere = Receiver::answering(|_| Reply::status(200).body(TOKEN));
    let evil = ["", "T0KEN\\r\\nx-evil: 1", "T0KEN\\u0000", " "];
    let evil = evil.map(|token| {
        let keys = format!(r#""AccessKeyId":"AK","SecretAccessKey":"S3CRET","Token":"{token}""#);
        Reply::status(200).body(format!(r#"{{"access_token":"{token}",{keys}}}"#))
    });
    let replies = [
        Reply::Close,
        Reply::Hang(Duration::from_millis(2500)),
        Reply::Drip("HTTP/1.1 200 Said\r\ncontent-length: 1000000\r\n\r\n"),
        Reply::Endless,
        Reply::status(500),
        Reply::status(404),
        Reply::status(302).with("location", elsewhere.url("/")),
        Reply::status(200),
        Reply::status(200).body("<html>welcome</html>"),
        Reply::status(200).body("{}"),
        Reply::status(200).body(r#"{"access_token":5,"AccessKeyId":5,"SecretAccessKey":5}"#),
        Reply::status(200).body(r#"{"access_token":"T0KEN","expires_in":-1,"AccessKeyId":"AK"}"#),
    ];
    for reply in replies.into_iter().chain(evil) {
        let what = format!("{}: {reply:?}", giver.name);
        let asked = Receiver::answering(move |_| reply.clone());
        let taken = giver.taken;
        let target = Receiver::answering(move |_| taken());
        let scene = Scene::new();
        let log = scene.open();
        append(&log, 3);
        log.add_sink((giver.feed)(&asked, &target).without_checkpoints())
            .expect("added");
        let problem = problem(&log);
        assert!(
            !problem.contains("S3CRET") && !problem.contains("T0KEN"),
            "{what}: {problem}"
        );
        assert_eq!((state(&log).position, state(&log).rejected), (0, 0), "{what}");
        assert!(target.requests().is_empty(), "{what}");
        let given = giver.given;
        asked.answer(move |request| given(&request.path));
        log.resume_sink("siem").expect("tries again");
        flush(&log);
        assert!(
            target
                .requests()
                .iter()
                .all(|request| request.header("x-evil").is_none())
        );
    }
    assert!(elsewhere.requests().is_empty(), "{}", giver.name);
}

/// A clock that jumps, on either side: what has ended is asked for again, and what has not is not asked for each time.
#[cfg(feature = "google")]
#[test]
fn a_token_that_ends_at_once_or_never_is_used() {
    for ends in [
        "0",
        "\"0\"",
        "9007199254740991",
        "\"18446744073709551615\"",
        "\"soon\"",
        "null",
    ] {
        let answer = format!(r#"{{"access_token":"T0KEN","expires_in":{ends}}}"#);
        let metadata = Receiver::answering(move |_| Reply::status(200).body(answer.clone()));
        let target = Receiver::answering(|_| Reply::status(200).body("{}"));
        let place = [("GCE_METADATA_HOST", format!("127.0.0.1:{}", metadata.port()))];
        let credentials = indelible::sink::GoogleCredentials::metadata().variables(variables(place));
        let scene = Scene::new();
        let sink = google::sink(&target.url(""), credentials).http(HttpOptions::new());
        let log = open_for(&scene, sink);
        append(&log, 1);
        flush(&log);
        append(&log, 1);
        flush(&log);
        assert_eq!(state(&log).retries, 0, "{ends}");
    }
}

#[cfg(feature = "cloudwatch")]
#[test]
fn a_clock_that_is_off_is_told_and_keys_that_are_mended_are_asked_for() {
    use indelible::sink::{AwsCredentials, AwsKeys};

    let refused = |name: &str| Reply::status(400).body(format!(r#"{{"__type":"{name}","message":"no"}}"#));
    let receiver = Receiver::answering(move |_| {
        refused("InvalidSignatureException").with("date", "Sun, 01 Nov 2020 10:00:00 GMT")
    });
    let current = Arc::new(Mutex::new("old"));
    let given = Arc::clone(&current);
    let keys = move || Ok(AwsKeys::new("AKIDEXAMPLE", "secret").session_token(*given.lock().expect("unpoisoned")));
    let scene = Scene::new();
    let sink = cloudwatch::sink(receiver.url("")).credentials(AwsCredentials::from_fn(keys));
    let log = open_for(&scene, sink.http(HttpOptions::new().timeout(SOON)));
    assert_held(&log, "InvalidSignatureException: the clock here is ");
    receiver.answer(move |request| match request.header("x-amz-security-token") {
        Some("new") => cloudwatch::good(),
        _ => refused("AccessDeniedException"),
    });
    log.resume_sink("siem").expect("tries again");
    eventually("it is denied", || problem(&log).contains("AccessDeniedException"));
    *current.lock().expect("unpoisoned") = "new";
    log.resume_sink("siem").expect("tries again");
    flush(&log);
}
