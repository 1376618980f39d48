//! Tokens of Google: signed by a service account itself (<https://google.aip.dev/auth/4111>), or of the metadata server
//! (<https://cloud.google.com/compute/docs/access/authenticate-workloads>).

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use zeroize::Zeroizing;

use crate::json::{self, JsonError, Kind, Reader};
use crate::sink::http::{Client, Request, Token, Variables, ask_host};
use crate::sink::{Delivery, Secret};

/// Where the tokens for Google Cloud Logging come from.
///
/// ```
/// use indelible::sink::{GoogleCredentials, Secret};
///
/// let key = GoogleCredentials::service_account(Secret::file("/run/secrets/audit-key.json"));
/// let machine = GoogleCredentials::metadata();
/// assert_eq!(format!("{key:?} {machine:?}"), "GoogleCredentials GoogleCredentials");
/// ```
#[derive(Clone)]
pub struct GoogleCredentials {
    source: Source,
    variables: Variables,
}

#[derive(Clone)]
enum Source {
    Find,
    ServiceAccount(Secret),
    Metadata,
    Host(Arc<dyn Fn() -> Result<Token, String> + Send + Sync>),
}

impl GoogleCredentials {
    /// The key in the file that `GOOGLE_APPLICATION_CREDENTIALS` names; where it is not set, the service account of the
    /// machine. Other kinds of credentials are for [`from_fn`](Self::from_fn).
    pub fn find() -> Self {
        Self::of(Source::Find)
    }

    /// A key of a service account: the JSON that Google gives out once.
    pub fn service_account(key: impl Into<Secret>) -> Self {
        Self::of(Source::ServiceAccount(key.into()))
    }

    /// The service account of the machine: Compute Engine, GKE with Workload Identity, Cloud Run.
    pub fn metadata() -> Self {
        Self::of(Source::Metadata)
    }

    /// What this gives: a token with the scope `https://www.googleapis.com/auth/logging.write`. Where it fails it says why,
    /// in words without a secret; delivery is then held.
    pub fn from_fn(token: impl Fn() -> Result<Token, String> + Send + Sync + 'static) -> Self {
        Self::of(Source::Host(Arc::new(token)))
    }

    /// Looks these variables up, rather than those of the process.
    pub fn variables(mut self, variables: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.variables = Variables::of(variables);
        self
    }

    fn of(source: Source) -> Self {
        Self {
            source,
            variables: Variables::default(),
        }
    }

    /// A token. `nearby` reaches what is on the machine.
    pub(super) fn token(&self, nearby: &mut Client) -> Result<Token, Delivery> {
        let of_key = |key: &Secret| {
            let key = key.get().map_err(Delivery::hold)?;
            let now = SystemTime::now();
            Key::read(&key).and_then(|key| key.sign(now)).map_err(Delivery::hold)
        };
        match &self.source {
            Source::Find => match self.variables.get("GOOGLE_APPLICATION_CREDENTIALS") {
                Some(path) => of_key(&Secret::file(path)),
                None => self.ask_machine(nearby),
            },
            Source::ServiceAccount(key) => of_key(key),
            Source::Metadata => self.ask_machine(nearby),
            Source::Host(token) => ask_host(&**token),
        }
    }

    fn ask_machine(&self, nearby: &mut Client) -> Result<Token, Delivery> {
        let host = self.variables.get("GCE_METADATA_HOST");
        let host = host.as_deref().unwrap_or("metadata.google.internal");
        let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
        let answer = nearby.send(&Request {
            method: "GET",
            url: &url,
            headers: &[("metadata-flavor", "Google")],
            body: b"",
        })?;
        Token::read(&answer, "the metadata server")
    }
}

impl Default for GoogleCredentials {
    fn default() -> Self {
        Self::find()
    }
}

impl fmt::Debug for GoogleCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GoogleCredentials")
    }
}

/// Checks a key of a service account, as Google gives it.
#[cfg_attr(not(feature = "config"), expect(dead_code, reason = "for a file of settings"))]
pub(crate) fn check_key(text: &str) -> Result<(), String> {
    Key::read(text)?.sign(SystemTime::now()).map(drop)
}

/// A key of a service account.
struct Key {
    email: String,
    id: String,
    private: Zeroizing<String>,
}

impl Key {
    fn read(text: &str) -> Result<Self, String> {
        let (mut kind, mut email, mut id, mut private) = Default::default();
        let read = Reader::new(text.as_bytes(), json::DEPTH_MAX).and_then(|mut reader| {
            reader.object::<JsonError>(|key, value| {
                let field = match key {
                    "type" => &mut kind,
                    "client_email" => &mut email,
                    "private_key_id" => &mut id,
                    "private_key" => &mut private,
                    _ => return value.skip(),
                };
                match value.kind()? {
                    Kind::String => *field = Zeroizing::new(value.string()?.into_owned()),
                    _ => value.skip()?,
                }
                Ok(())
            })
        });
        if read.is_err() || *kind != "service_account" {
            return Err("the credentials of Google are no key of a service account".to_owned());
        }
        Ok(Self {
            email: email.to_string(),
            id: id.to_string(),
            private,
        })
    }

    /// A token that is good for an hour, without asking anybody.
    fn sign(&self, now: SystemTime) -> Result<Token, String> {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (issued, ends) = (since.as_secs(), since + LIFE);
        let header = object(&[("alg", "RS256"), ("kid", &self.id), ("typ", "JWT")], &[]);
        let claims = object(
            &[("aud", AUDIENCE), ("iss", &self.email), ("sub", &self.email)],
            &[("exp", ends.as_secs()), ("iat", issued)],
        );
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = sign(&self.private, &signed)?;
        Ok(Token::new(format!("{signed}.{signature}")).until(UNIX_EPOCH + ends))
    }
}

/// The signature of a text as JWS has it, RS256 (RFC 7518 §3.3). The key is PEM of PKCS #8.
fn sign(pem: &str, text: &str) -> Result<String, String> {
    let wrong = || "the private key of the service account is no RSA key in PEM of PKCS #8".to_owned();
    let encoded = pem.split("-----").nth(2).ok_or_else(wrong)?;
    let encoded: Zeroizing<String> = Zeroizing::new(encoded.split_whitespace().collect());
    let der = Zeroizing::new(STANDARD.decode(encoded.as_bytes()).map_err(|_| wrong())?);
    let pair = RsaKeyPair::from_pkcs8(&der).map_err(|_| wrong())?;
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
        .map_err(|_| wrong())?;
    Ok(URL_SAFE_NO_PAD.encode(signature))
}

fn object(texts: &[(&str, &str)], numbers: &[(&str, u64)]) -> Vec<u8> {
    let mut out = Vec::new();
    let key = |out: &mut Vec<u8>, key: &str| {
        out.push(if out.is_empty() { b'{' } else { b',' });
        json::string(out, key);
        out.push(b':');
    };
    for (name, text) in texts {
        key(&mut out, name);
        json::string(&mut out, text);
    }
    for (name, number) in numbers {
        key(&mut out, name);
        json::unsigned(&mut out, *number);
    }
    out.push(b'}');
    out
}

const AUDIENCE: &str = "https://logging.googleapis.com/";

const LIFE: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::sign;

    /// RFC 7515, appendix A.2.
    #[test]
    fn a_signature_is_that_of_the_rfc() {
        let text = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let expected = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CU\
            Ar7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--x\
            i12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
        assert_eq!(sign(RFC_7515_KEY, text).as_deref(), Ok(expected));
    }

    #[test]
    fn a_key_that_is_none_is_not_told() {
        for key in [
            "",
            "secret",
            "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----",
        ] {
            let refused = sign(key, "").expect_err("refused");
            assert!(
                !refused.contains("c2VjcmV0") && !refused.contains("secret"),
                "{refused}"
            );
        }
    }

    /// The key of that appendix, as PKCS #8.
    const RFC_7515_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
        MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCh+BYK4uPJtGXO\n\
        jS1lYmM2K5J9vinh8CR3/BYlzJChNuOL2TSXxbbqY913EeZ8dCn5VrD7io8ImtxL\n\
        aYk8wTM/U+3QGbh3hCUv7JFP5IV3aVlL6kKA0ywPVb9ilE8TA5a8bpvfbr3SvaNn\n\
        juygxmj3AbONv/s4yDQs4v5tJ/reSlpIdJed1LnPmt7Ex1sFhSwsD174pcF1A5L5\n\
        ROjtZMEQxrZHYJqkeDrrnGya11UxMFBji4NmXG9veoKjlnAqH2QbgtPr8jkiGUkf\n\
        toaHLFcW9Qr4NY2ai50Xw0Byj3+H2JoY2PyrZ62EWQwuz3WTOTY8BwNNb2BvniHg\n\
        VFbK5emhAgMBAAECggEAEq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyW\n\
        PEAeP88vLNO97IjlA7/GQ5sLKMgvfTeXZx9SE+7YwVol2NXOoAJe46sui395IW/G\n\
        O+pWJ1O0BkTGoVEn2bKVRUCgu+GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzj\n\
        kn439X0M/V51gfpRLI9JYanrC4D4qAdGcopV/0ZHHzQlBjudU2QvXt4ehNYTCBr6\n\
        XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl/x/jTj3ccPDVZFD9pIuhLhBOneufuBiB\n\
        4cS98l2SR/RQyGWSeWjnczT0QU91p1DhOVRuOopznQKBgQDgHMQQ60imZV1URk0K\n\
        pLttoLhyt3SmqdEf/kgHePDdtzEafpAu+cS191R2JiuoF2yzWXnwFDcqGigp5BNr\n\
        0AHQfD8/Lk8l1Mk09jxxCfui5nYooNyac8YFjm3vItzVCVDnEd3BbVWG8qf6deqE\n\
        lMGAg+C2V0L4oNXnP7LZcPAZRwKBgQC5A8R+CZW2MvRTLLHzwZkUXV866cff7tx6\n\
        kqa0finGG0KgeqlaZPxgCZnFp7AeAcCMtiynVlJ7vMVgePsLq6XtON4tB5kP9jAP\n\
        rq3rbAOal78eUH5OcED6eNuCV8ixEu1eWcPNCS/l1OW1EnXUEoEHKl54Xrrz2uNw\n\
        kgMTP1FZ1wKBgAcCn1dwJKufzBWQxWQp1vsM5fggqPN1qGb5y0MAk3g7/Ls5bkUp\n\
        5u9SN0Ai3Ya6hNnvWJMb7sXQX6U/zyO2M/hTip7tUeh7CXgwo59dkpN75gJLVds2\n\
        9+DAncu3KXU4f2Fa+7bLNrur53k8KwPOq2bbuTG69QtV7Jr5MR0AHWKNAoGBAIf/\n\
        evpitUf+4JYbLpvNXWcY052Mpz22aR84mY3nh3F2LF2mjMJDpTg7FmuyPcVw6EcG\n\
        yoAe9fa65iNqCq+jdw6PVNGo2hxfjSiZ8IIzHdsPXI89//pMjZcQK9r+CCoRjaZj\n\
        OYiIDktVWZzmevJuv6WywUqd57LE3Zar3dLSIkx1AoGAIYd7DHOhrWvxkwPQsRM2\n\
        tOgrjbcrfvtQJipd+DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd/QJQ3\n\
        ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp/gh6A56\n\
        03k2+ZQwVK0JKSHuLFkuQ3U=\n\
        -----END PRIVATE KEY-----";
}
