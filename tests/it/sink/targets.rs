//! The targets over HTTP, for what is tried on all of them.

use indelible::sink::{Feed, HttpOptions, Secret};
use serde_json::Value;

use super::receiver::{Reply, Request};
use super::*;

/// What gives a token, or says why there is none.
pub(super) type Give = Arc<dyn Fn() -> Result<String, String> + Send + Sync>;

/// A token that stays the same.
pub(super) fn token(text: &'static str) -> Give {
    Arc::new(move || Ok(text.to_owned()))
}

/// A target over HTTP. A new one is added to [`targets`].
#[derive(Clone, Copy)]
pub(super) struct Http {
    pub(super) name: &'static str,
    /// A feed named `siem` to a receiver's URL.
    pub(super) feed: fn(String, Give, HttpOptions) -> Feed,
    /// The answer that takes a request.
    pub(super) good: fn() -> Reply,
    /// The records of a request, as they are delivered.
    pub(super) records: fn(&Request) -> Vec<Value>,
    /// By which answers a record that comes alone is set aside.
    pub(super) refused_by: &'static [u16],
    /// Whether each answer of 2xx takes a request, whatever else it says.
    pub(super) believes_any_2xx: bool,
    /// Whether a request keeps within what the target takes, by its documentation.
    pub(super) fits: fn(&Request) -> bool,
}

impl Http {
    /// The `seq` of the records of a request.
    pub(super) fn seqs(&self, request: &Request) -> Vec<u64> {
        let records = (self.records)(request);
        let seq = |record: &Value| record["seq"].as_u64().expect("a seq");
        records.iter().map(seq).collect()
    }
}

/// All targets at a time: most of a test is waiting.
pub(super) fn for_each(test: impl Fn(&Http) + Sync) {
    let targets = targets();
    std::thread::scope(|scope| {
        for http in &targets {
            std::thread::Builder::new()
                .name(http.name.to_owned())
                .spawn_scoped(scope, || test(http))
                .expect("a thread");
        }
    });
}

fn targets() -> Vec<Http> {
    vec![
        #[cfg(feature = "webhook")]
        Http {
            name: "webhook",
            feed: |url, give, options| {
                let webhook = indelible::sink::Webhook::new(url, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
                    .allow_private_addresses()
                    .header("authorization", Secret::from_fn(move || give()))
                    .in_lists(100);
                Feed::new("siem", webhook.http(options))
            },
            good: || Reply::status(204),
            records: |request| list(&request.json(), |event| event["data"].clone()),
            refused_by: &[400, 413],
            believes_any_2xx: true,
            fits: |request| request.text().len() <= 1_000_000,
        },
        #[cfg(feature = "splunk")]
        Http {
            name: "splunk",
            feed: |url, give, options| {
                let splunk = indelible::sink::Splunk::new(url, Secret::from_fn(move || give()));
                Feed::new("siem", splunk.http(options))
            },
            good: || Reply::status(200).body(r#"{"text":"Success","code":0}"#),
            records: |request| {
                let events = super::splunk::events(request);
                events.iter().map(|event| event["event"].clone()).collect()
            },
            refused_by: &[400, 413],
            believes_any_2xx: false,
            // Of Splunk Cloud.
            fits: |request| request.text().len() <= 1_000_000,
        },
        #[cfg(feature = "datadog")]
        Http {
            name: "datadog",
            feed: |url, give, options| {
                let datadog = indelible::sink::Datadog::new("datadoghq.eu", Secret::from_fn(move || give())).url(url);
                Feed::new("siem", datadog.http(options))
            },
            good: || Reply::status(202).body("{}"),
            records: |request| list(&request.json(), |log| text_of(&log["message"])),
            refused_by: &[400, 413],
            believes_any_2xx: false,
            fits: |request| {
                let logs = list(&request.json(), Value::to_string);
                request.text().len() <= 5_000_000 && logs.len() <= 1000 && logs.iter().all(|log| log.len() <= 1_000_000)
            },
        },
        #[cfg(feature = "otlp")]
        Http {
            name: "otlp",
            feed: |url, give, options| {
                let otlp = indelible::sink::Otlp::new(url).header("authorization", Secret::from_fn(move || give()));
                Feed::new("siem", otlp.http(options))
            },
            good: || Reply::status(200).body(r#"{"partialSuccess":{}}"#),
            records: |request| {
                let logs = super::otlp::records(request);
                logs.iter().map(|log| text_of(&log["body"]["stringValue"])).collect()
            },
            refused_by: &[400, 413],
            believes_any_2xx: false,
            // Of a Collector, unless it is told otherwise.
            fits: |request| request.text().len() <= 20 * 1024 * 1024,
        },
        #[cfg(feature = "cloudwatch")]
        Http {
            name: "cloudwatch",
            feed: |url, give, options| {
                use indelible::sink::{AwsCredentials, AwsKeys, CloudWatch};

                let keys = move || Ok(AwsKeys::new("AKIDEXAMPLE", "secret").session_token(give()?));
                let logs = CloudWatch::new("us-east-1", "audit", "auth").credentials(AwsCredentials::from_fn(keys));
                Feed::new("siem", logs.endpoint(url).http(options))
            },
            good: || Reply::status(200).body("{}"),
            records: |request| list(&request.json()["logEvents"], |event| text_of(&event["message"])),
            refused_by: &[413],
            believes_any_2xx: false,
            fits: |request| {
                let sizes = list(&request.json()["logEvents"], |event| {
                    event["message"].as_str().expect("a text").len() + 26
                });
                sizes.len() <= 10_000 && sizes.iter().sum::<usize>() <= 1_048_576
            },
        },
        #[cfg(feature = "azure")]
        Http {
            name: "azure",
            feed: |url, give, options| {
                let token = move || give().map(indelible::sink::Token::new);
                let credentials = indelible::sink::AzureCredentials::from_fn(token);
                Feed::new("siem", clouds::azure::sink(&url, credentials).http(options))
            },
            good: || Reply::status(204),
            records: clouds::azure::records,
            refused_by: &[413],
            believes_any_2xx: false,
            fits: |request| {
                let is_cut = |column: &Value| {
                    column
                        .as_str()
                        .is_some_and(|text| text.encode_utf16().count() * 2 > 65_536)
                };
                let rows = list(&request.json(), |row| {
                    row.as_object().expect("a row").values().any(is_cut)
                });
                let bytes = request.text().len().max(request.wire_bytes());
                bytes <= 1_048_576 && rows.iter().all(|is_cut| !is_cut)
            },
        },
        #[cfg(feature = "google")]
        Http {
            name: "google",
            feed: |url, give, options| {
                let token = move || give().map(indelible::sink::Token::new);
                let credentials = indelible::sink::GoogleCredentials::from_fn(token);
                Feed::new("siem", clouds::google::sink(&url, credentials).http(options))
            },
            good: || Reply::status(200).body("{}"),
            records: clouds::google::records,
            refused_by: &[413],
            believes_any_2xx: false,
            fits: |request| {
                let entries = list(&request.json()["entries"], Value::to_string);
                request.text().len() <= 10_000_000 && entries.iter().all(|entry| entry.len() <= 256 * 1024)
            },
        },
    ]
}

fn list<T>(list: &Value, item: impl Fn(&Value) -> T) -> Vec<T> {
    list.as_array().expect("a list").iter().map(item).collect()
}

/// A record that is shipped as a text.
fn text_of(text: &Value) -> Value {
    serde_json::from_str(text.as_str().expect("a text")).expect("JSON")
}
