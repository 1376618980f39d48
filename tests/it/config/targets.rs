//! Targets over HTTP of a file.

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
        let expected = format!("sinks[0].{key}: the environment variable NO_SUCH_SECRET is not set");
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
