//! Signatures of AWS, version 4
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

use std::fmt::Write;

use ring::{digest, hmac};

use super::credentials::AwsKeys;
use crate::timestamp::Timestamp;

/// A request as it is signed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signable<'a> {
    pub(super) method: &'a str,
    /// Encoded as it is sent.
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    /// Those that are signed: names in lower case and in their order, values without white space around them.
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a [u8],
}

/// What a signature is good for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

/// The value of `X-Amz-Date`: `YYYYMMDDTHHMMSSZ`.
pub(super) fn amz_date(time: Timestamp) -> String {
    let mut date: String = time.to_string();
    date.truncate("2026-01-01T00:00:00".len());
    date.retain(|byte| byte != '-' && byte != ':');
    date.push('Z');
    date
}

/// The value of `Authorization`. `date` is that of `X-Amz-Date`.
pub(super) fn authorization(request: &Signable<'_>, keys: &AwsKeys, scope: Scope<'_>, date: &str) -> String {
    let mut names = String::new();
    for (name, _) in request.headers {
        let separator = if names.is_empty() { "" } else { ";" };
        let _ = write!(names, "{separator}{name}");
    }
    let mut canonical = format!("{}\n{}\n{}\n", request.method, request.path, request.query);
    for (name, value) in request.headers {
        let _ = writeln!(canonical, "{name}:{value}");
    }
    let _ = write!(canonical, "\n{names}\n{}", sha256(request.body));

    let day = date.get(..8).unwrap_or(date);
    let Scope { region, service } = scope;
    let credential = format!("{day}/{region}/{service}/aws4_request");
    let signed = format!("{ALGORITHM}\n{date}\n{credential}\n{}", sha256(canonical.as_bytes()));
    let mut key = mac(format!("AWS4{}", keys.secret()).as_bytes(), day);
    for part in [region, service, "aws4_request"] {
        key = mac(key.as_ref(), part);
    }
    let signature = hex::encode(mac(key.as_ref(), &signed));
    let id = keys.access_key_id();
    format!("{ALGORITHM} Credential={id}/{credential}, SignedHeaders={names}, Signature={signature}")
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(request: &Signable<'_>, service: &str) -> String {
        let keys = AwsKeys::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let region = "us-east-1";
        let value = authorization(request, &keys, Scope { region, service }, "20150830T123600Z");
        let scope = format!("Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request, SignedHeaders=");
        assert!(value.starts_with(&format!("AWS4-HMAC-SHA256 {scope}")), "{value}");
        value.rsplit_once("Signature=").expect("a signature").1.to_owned()
    }

    /// Cases of AWS's `aws-sig-v4-test-suite`, by name.
    #[test]
    fn signatures_are_those_of_the_test_suite() {
        const TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeo\
            IYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HF\
            vlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3i\
            SIlTJabIQwj2ICCR/oLxBA==";
        let host = ("host", "example.amazonaws.com");
        let date = ("x-amz-date", "20150830T123600Z");
        let form = ("content-type", "application/x-www-form-urlencoded");
        let plain = Signable {
            method: "GET",
            path: "/",
            query: "",
            headers: &[host, date],
            body: b"",
        };
        let post = Signable {
            method: "POST",
            ..plain
        };
        let cases = [
            (
                "get-vanilla",
                plain,
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "get-vanilla-query-order-key-case",
                Signable {
                    query: "Param1=value1&Param2=value2",
                    ..plain
                },
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "post-vanilla",
                post,
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "post-x-www-form-urlencoded",
                Signable {
                    headers: &[form, host, date],
                    body: b"Param1=value1",
                    ..post
                },
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            (
                "post-sts-header-before",
                Signable {
                    headers: &[host, date, ("x-amz-security-token", TOKEN)],
                    ..post
                },
                "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            ),
        ];
        for (name, request, expected) in cases {
            assert_eq!(signature(&request, "service"), expected, "{name}");
        }
    }

    /// The example of the IAM user guide.
    #[test]
    fn a_signature_is_that_of_the_guide() {
        let request = Signable {
            method: "GET",
            path: "/",
            query: "Action=ListUsers&Version=2010-05-08",
            headers: &[
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                ("host", "iam.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
            ],
            body: b"",
        };
        let expected = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        assert_eq!(signature(&request, "iam"), expected);
    }

    #[test]
    fn a_date_is_cut_to_seconds() {
        let time = "2015-08-30T12:36:00.999999Z".parse().expect("a time");
        assert_eq!(amz_date(time), "20150830T123600Z");
    }
}
