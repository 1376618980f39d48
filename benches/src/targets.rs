//! The targets of delivery over HTTP, each with the answer by which it takes a request.

use indelible::sink::{
    AwsKeys, AzureCredentials, AzureMonitor, CloudWatch, Datadog, Feed, GoogleCredentials, GoogleLogging, Otlp, Splunk,
    Token, Webhook,
};

/// A target.
#[derive(Debug)]
pub struct Target {
    /// What it is called.
    pub name: &'static str,
    /// How it takes a request.
    pub answer: (u16, &'static str),
    feed: fn(&str, String) -> Feed,
}

impl Target {
    /// A feed of this name to a receiver's URL.
    pub fn feed(&self, name: &str, url: String) -> Feed {
        (self.feed)(name, url)
    }
}

/// All of them.
pub const TARGETS: [Target; 8] = [
    Target {
        name: "webhook, lists of 1,000",
        answer: (200, "{}"),
        feed: |name, url| Feed::new(name, webhook(url).in_lists(1000)),
    },
    Target {
        name: "webhook, one by one",
        answer: (200, "{}"),
        feed: |name, url| Feed::new(name, webhook(url)),
    },
    Target {
        name: "Splunk, gzip",
        answer: (200, r#"{"text":"Success","code":0}"#),
        feed: |name, url| Feed::new(name, Splunk::new(url, "token")),
    },
    Target {
        name: "Datadog, gzip",
        answer: (202, "{}"),
        feed: |name, url| Feed::new(name, Datadog::new("datadoghq.eu", "key").url(url)),
    },
    Target {
        name: "OTLP, gzip",
        answer: (200, r#"{"partialSuccess":{}}"#),
        feed: |name, url| Feed::new(name, Otlp::new(url)),
    },
    Target {
        name: "CloudWatch",
        answer: (200, "{}"),
        feed: |name, url| {
            let keys = AwsKeys::new("AKIDEXAMPLE", "secret");
            Feed::new(
                name,
                CloudWatch::new("us-east-1", "audit", "auth")
                    .credentials(keys)
                    .endpoint(url),
            )
        },
    },
    Target {
        name: "Azure Monitor, gzip",
        answer: (204, ""),
        feed: |name, url| {
            let credentials = AzureCredentials::from_fn(|| Ok(Token::new("token")));
            let rule = "dcr-00000000000000000000000000000000";
            Feed::new(name, AzureMonitor::new(url, rule, "Custom-Audit_CL", credentials))
        },
    },
    Target {
        name: "Google Cloud Logging, gzip",
        answer: (200, "{}"),
        feed: |name, url| {
            let credentials = GoogleCredentials::from_fn(|| Ok(Token::new("token")));
            Feed::new(
                name,
                GoogleLogging::new("my-project", "audit")
                    .credentials(credentials)
                    .endpoint(url),
            )
        },
    },
];

fn webhook(url: String) -> Webhook {
    Webhook::new(url, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").allow_private_addresses()
}
