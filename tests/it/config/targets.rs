//! Targets over HTTP of a file.

use indelible::sink::{Datadog, Feed, HttpOptions, Otlp, Splunk, Syslog, Webhook};

use super::*;

#[test]
fn each_target_has_its_keys() {
    let base = "origin = 'auth.example.com/audit'\npath = 'audit'\n[[sinks]]\nname = 'siem'\n";
    let secret = "{ env = 'NO_SUCH_SECRET' }";
    let splunk = "type = 'splunk'\nurl = 'https://localhost:1'\nindex = 'audit'\nhost = 'a'\nsource = 'b'\n\
                  sourcetype = 'c'\nacknowledged = '30s'\ntimeout = '5s'\nfields = { env = 'test' }\n";
    let datadog = "type = 'datadog'\nsite = 'datadoghq.eu'\nurl = 'https://localhost:1'\nsource = 'a'\nservice = 'b'\n\
                   hostname = 'c'\ntags = { env = 'test' }\n";
    let otlp = "type = 'otlp'\nurl = 'https://localhost:1'\nresource = { 'service.name' = 'auth' }\n";
    for (text, key) in [(splunk, "token"), (datadog, "api_key"), (otlp, "headers.authorization")] {
        let whole = format!("{base}{text}{key} = {secret}\n");
        let config = Config::from_toml(&whole, "").unwrap_or_else(|error| panic!("{whole}{error}"));
        let missing = config.check_secrets().expect_err("it is not set").to_string();
        let line = whole.lines().count();
        let expected = format!("line {line}: sinks[0].{key}: the environment variable NO_SUCH_SECRET is not set");
        assert_eq!(missing, expected);
        let unknown = Config::from_toml(&format!("{whole}colour = 'red'\n"), "").expect_err("unknown");
        assert!(
            unknown.to_string().contains("sinks[0].colour: there is no such key"),
            "{unknown}"
        );
        for url in [
            "localhost:8088",
            "localhost",
            "ftp://localhost",
            "https://",
            "https:// localhost",
            "",
        ] {
            let wrong = whole.replace("https://localhost:1", url);
            let error = Config::from_toml(&wrong, "").expect_err(url).to_string();
            assert!(error.contains("sinks[0].url: it is no URL that begins"), "{error}");
        }
        if key != "headers.authorization" {
            let without = Config::from_toml(&format!("{base}{text}"), "").expect_err("needed");
            assert!(without.to_string().contains(&format!("{key} is needed")), "{without}");
        }
    }
    let wrong = format!("{base}{splunk}token = {secret}\n").replace("'test'", "5");
    let error = Config::from_toml(&wrong, "").expect_err("no text").to_string();
    assert!(error.contains("sinks[0].fields.env: "), "{error}");
}

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// A configuration with one sink, whose secret is in the file `secret`.
fn sink(text: &str) -> String {
    format!("origin = 'auth.example.com/audit'\npath = 'audit'\n[[sinks]]\nname = 'siem'\n{text}")
}

#[test]
fn what_no_target_takes_is_named_by_key_and_line() {
    let scene = Scene::new();
    fs::write(scene.root().join("secret"), SECRET).expect("written");
    let webhook = "type = 'webhook'\nurl = 'https://a'\nsecret = { file = 'secret' }\n";
    let otlp = "type = 'otlp'\nurl = 'https://a'\n";
    let datadog = "type = 'datadog'\nsite = 'datadoghq.eu'\napi_key = { file = 'secret' }\n";
    let aws = "type = 'cloudwatch'\nregion = 'eu-central-1'\ngroup = 'a'\nstream = 'b'\n";
    let google = "type = 'google'\nproject = 'p'\nlog = 'audit'\n";
    let azure = "type = 'azure'\nendpoint = 'https://a'\nrule = 'dcr-1'\nstream = 'Custom-A_CL'\n";
    let header = "headers = { 'x a' = { file = 'secret' } }";
    for (text, expected) in [
        (
            format!("{webhook}{header}"),
            "line 8: sinks[0].headers: \"x a\": it is no name",
        ),
        (
            format!("{otlp}{header}"),
            "line 7: sinks[0].headers: \"x a\": it is no name",
        ),
        (
            format!("{otlp}headers = {{ Content-Type = {{ file = 'secret' }} }}"),
            "line 7: sinks[0].headers: \"Content-Type\": this header is the sink's",
        ),
        (
            format!("{webhook}in_lists = 0"),
            "line 8: sinks[0].in_lists: it is 2 at least",
        ),
        (
            format!("{webhook}in_lists = 1"),
            "line 8: sinks[0].in_lists: it is 2 at least",
        ),
        (
            webhook.replace("https://a", "http://127.0.0.1:9000/"),
            "line 6: sinks[0].url: it is no address of the public internet",
        ),
        (
            webhook.replace("https://a", "https://[::1]/"),
            "line 6: sinks[0].url: it is no address of the public internet",
        ),
        (
            format!("{webhook}proxy = {{ file = 'secret' }}"),
            "line 8: sinks[0].proxy: what the proxy connects to cannot be told",
        ),
        (
            format!("{otlp}user_agent = \"a\\nb\""),
            "line 7: sinks[0].user_agent: it has a character",
        ),
        (
            datadog.replace("datadoghq.eu", "datadoghq .eu"),
            "line 6: sinks[0].site: it is no URL",
        ),
        (aws.replace("eu-central-1", "Frankfurt"), "line 6: sinks[0].region: "),
        (aws.replace("'a'", "'a b'"), "line 7: sinks[0].group: "),
        (aws.replace("'b'", "'b:c'"), "line 8: sinks[0].stream: "),
        (google.replace("'p'", "''"), "line 6: sinks[0].project: "),
        (google.replace("'audit'", "'audit log'"), "line 7: sinks[0].log: "),
        (azure.replace("dcr-1", ""), "line 7: sinks[0].rule: it is empty"),
    ] {
        let error = Config::from_toml(&sink(&text), scene.root())
            .expect_err(&text)
            .to_string();
        assert!(error.starts_with(expected), "{text}\n{error}");
    }
}

#[test]
fn a_secret_that_can_be_none_is_named_by_key_and_line_and_not_told() {
    let scene = Scene::new();
    for (text, content, problem) in [
        ("type = 'webhook'\nurl = 'https://a'\nsecret = ", "hunter2", "whsec_"),
        (
            "type = 'otlp'\nurl = 'https://a'\nheaders.authorization = ",
            "Bearer hunter2\nx",
            "a character that HTTP",
        ),
        (
            "type = 'splunk'\nurl = 'https://a'\ntoken = ",
            "hunter2\nx",
            "a character that HTTP",
        ),
        (
            "type = 'datadog'\nsite = 'a'\napi_key = ",
            "hunter2\rx",
            "a character that HTTP",
        ),
        (
            "type = 'otlp'\nurl = 'https://a'\nproxy = ",
            "socks5://hunter2:1",
            "no URL of an HTTP proxy",
        ),
        (
            "type = 'google'\nproject = 'p'\nlog = 'a'\nkey = ",
            "{\"hunter2\":1}",
            "no key of a service account",
        ),
    ] {
        fs::write(scene.root().join("secret"), content).expect("written");
        let text = sink(&format!("{text}{{ file = 'secret' }}"));
        let config = Config::from_toml(&text, scene.root()).unwrap_or_else(|error| panic!("{text}\n{error}"));
        let error = config.check_secrets().expect_err(&text).to_string();
        let line = format!("line {}: sinks[0].", text.lines().count());
        assert!(error.starts_with(&line) && error.contains(problem), "{text}\n{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn in_code_it_is_told_when_the_log_is_opened() {
    let scene = Scene::new();
    let roots = || HttpOptions::new().roots("none");
    for (feed, option) in [
        (Feed::new("a", Webhook::new("a", SECRET)), "url"),
        (
            Feed::new("a", Webhook::new("https://a", SECRET).in_lists(0)),
            "in_lists",
        ),
        (Feed::new("a", Webhook::new("https://a", SECRET).http(roots())), "roots"),
        (Feed::new("a", Otlp::new("a")), "url"),
        (
            Feed::new(
                "a",
                Otlp::new("https://a").http(HttpOptions::new().proxy("ftp://hunter2")),
            ),
            "proxy",
        ),
        (
            Feed::new("a", Otlp::new("https://a").header("a", "hunter2\n")),
            "headers",
        ),
        (Feed::new("a", Splunk::new("https://a", "hunter2\n")), "token"),
        (Feed::new("a", Datadog::new("a", "hunter2\n")), "api_key"),
        (Feed::new("a", Datadog::new("a", "b").url("c")), "url"),
        (Feed::new("a", Syslog::tcp("", 1)), "host"),
        (Feed::new("a", Syslog::tcp("a:601", 601)), "host"),
        (Feed::new("a", Syslog::tcp("[::1]", 601)), "host"),
        (Feed::new("a", Syslog::tcp("a", 0)), "port"),
        (Feed::new("a", Syslog::tcp("a", 1).app_name("a b")), "app_name"),
        (Feed::new("a", Syslog::tls("a", 1).roots("none")), "roots"),
    ] {
        let refused = scene
            .builder()
            .sink(feed)
            .open(scene.store())
            .expect_err(option)
            .to_string();
        assert!(
            refused.starts_with(&format!("sink: a: {option}: ")),
            "{option}: {refused}"
        );
        assert!(!refused.contains("hunter2"), "{refused}");
    }
    for host in ["::1", "fe80::1%eth0", "192.0.2.1", "siem.example.com"] {
        let builder = scene.builder().sink(Feed::new("a", Syslog::tcp(host, 601)));
        drop(builder.open(scene.store()).expect(host));
    }
}
