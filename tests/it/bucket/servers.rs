//! Servers nobody here wrote, which `tests/peers/install` puts into `target/peers`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use indelible::export::Bucket;
use sha2::{Digest, Sha256};

use crate::peers::{free_port, installed};

/// A server, until this is dropped.
pub(super) struct Server {
    child: Child,
    /// What it says stands there too.
    folder: tempfile::TempDir,
    port: u16,
    service: Service,
}

#[derive(Clone, Copy)]
enum Service {
    S3,
    Azure,
}

impl Server {
    /// S3, with signatures that are checked. `None` where it is not installed.
    pub(super) fn seaweedfs() -> Option<Self> {
        let weed = installed("venv/bin/weed", "exports to S3: no SeaweedFS")?;
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("s3.json");
        let identities = format!(
            "{{\"identities\":[{{\"name\":\"t\",\"credentials\":[{{\"accessKey\":\"{KEY}\",\"secretKey\":\"{SECRET}\"}}],\
             \"actions\":[\"Admin\",\"Read\",\"Write\",\"List\",\"Tagging\"]}}]}}"
        );
        std::fs::write(&config, identities).expect("written");
        let [master, volume, filer, s3] = std::array::from_fn(|_| free_port());
        let mut command = Command::new(weed);
        command
            .args(["-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"])
            .args([
                "-volume.max=50",
                "-master.volumeSizeLimitMB=64",
                "-filer",
                "-s3",
                "-iam=false",
            ])
            .arg(format!("-dir={}", folder.path().display()))
            .arg(format!("-master.port={master}"))
            .arg(format!("-volume.port={volume}"))
            .arg(format!("-filer.port={filer}"))
            .arg(format!("-s3.port={s3}"))
            .arg(format!("-s3.config={}", config.display()));
        let server = Self::start(command, folder, s3, Service::S3);
        // A folder of the filer's is a bucket. Once it takes a file, volumes are there.
        server.wait(|| ask(filer, "POST", "/buckets/audit/", "").is_some_and(|answer| answer.contains(" 201 ")));
        let upload = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\nx\r\n--b--\r\n";
        let header = "Content-Type: multipart/form-data; boundary=b\r\n";
        server.wait(|| {
            let answer = ask_with(filer, "POST", "/buckets/audit/ready/f", header, upload);
            answer.is_some_and(|answer| answer.contains(" 201 "))
        });
        server.wait(|| TcpStream::connect(("127.0.0.1", s3)).is_ok());
        Some(server)
    }

    /// Azure Blob, with signatures that are checked. `None` where it is not installed.
    pub(super) fn azurite() -> Option<Self> {
        let azurite = installed(
            "npm/node_modules/.bin/azurite-blob",
            "exports to Azure Blob: no Azurite",
        )?;
        let (folder, port) = (tempfile::tempdir().expect("a folder"), free_port());
        let mut command = Command::new(azurite);
        command
            .args([
                "--silent",
                "--disableTelemetry",
                "--blobHost",
                "127.0.0.1",
                "--blobPort",
            ])
            .arg(port.to_string())
            .arg("-l")
            .arg(folder.path());
        let server = Self::start(command, folder, port, Service::Azure);
        server.wait(|| {
            let answer = ask_with(
                port,
                "PUT",
                "/devstoreaccount1/audit?restype=container",
                &create_container(),
                "",
            );
            answer.is_some_and(|answer| answer.contains(" 201 "))
        });
        Some(server)
    }

    fn start(mut command: Command, folder: tempfile::TempDir, port: u16, service: Service) -> Self {
        let log = std::fs::File::create(folder.path().join("log")).expect("a file");
        let errors = log.try_clone().expect("a file");
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        let child = child.expect("it starts");
        Self {
            child,
            folder,
            port,
            service,
        }
    }

    #[track_caller]
    fn wait(&self, mut is_ready: impl FnMut() -> bool) {
        let began = Instant::now();
        while !is_ready() {
            if began.elapsed() > READY_MAX {
                let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                panic!("the server is not ready: {}", &log[log.len().saturating_sub(3000)..]);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(super) fn bucket(&self, prefix: &str) -> Bucket {
        self.bucket_with(
            prefix,
            match self.service {
                Service::S3 => SECRET,
                Service::Azure => AZURE_KEY,
            },
        )
    }

    /// With another secret.
    pub(super) fn bucket_with(&self, prefix: &str, secret: &str) -> Bucket {
        let (scheme, options) = match self.service {
            Service::S3 => (
                "s3",
                [
                    ("AWS_ENDPOINT", format!("http://127.0.0.1:{}", self.port)),
                    ("AWS_REGION", "us-east-1".into()),
                    ("AWS_ACCESS_KEY_ID", KEY.into()),
                    ("AWS_SECRET_ACCESS_KEY", secret.into()),
                    ("AWS_ALLOW_HTTP", "true".into()),
                ]
                .to_vec(),
            ),
            Service::Azure => (
                "az",
                [
                    (
                        "AZURE_STORAGE_ENDPOINT",
                        format!("http://127.0.0.1:{}/devstoreaccount1", self.port),
                    ),
                    ("AZURE_STORAGE_ACCOUNT_NAME", "devstoreaccount1".into()),
                    ("AZURE_STORAGE_ACCOUNT_KEY", secret.into()),
                    ("AZURE_ALLOW_HTTP", "true".into()),
                ]
                .to_vec(),
            ),
        };
        let bucket = Bucket::new(&format!("{scheme}://audit/{prefix}")).expect("a bucket");
        options.into_iter().fold(bucket, |bucket, (key, value)| {
            bucket.option(key, value).expect("an option")
        })
    }

    /// A client that is not ours.
    pub(super) fn client(&self) -> Box<dyn object_store::ObjectStore> {
        match self.service {
            Service::S3 => Box::new(
                object_store::aws::AmazonS3Builder::new()
                    .with_endpoint(format!("http://127.0.0.1:{}", self.port))
                    .with_region("us-east-1")
                    .with_access_key_id(KEY)
                    .with_secret_access_key(SECRET)
                    .with_allow_http(true)
                    .with_bucket_name("audit")
                    .build()
                    .expect("a client"),
            ),
            Service::Azure => Box::new(
                object_store::azure::MicrosoftAzureBuilder::new()
                    .with_endpoint(format!("http://127.0.0.1:{}/devstoreaccount1", self.port))
                    .with_account("devstoreaccount1")
                    .with_access_key(AZURE_KEY)
                    .with_allow_http(true)
                    .with_container_name("audit")
                    .build()
                    .expect("a client"),
            ),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask(port: u16, method: &str, path: &str, body: &str) -> Option<String> {
    ask_with(port, method, path, "", body)
}

fn ask_with(port: u16, method: &str, path: &str, headers: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
    .ok()?;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    Some(answer)
}

/// The headers that make a container in Azure, signed with the shared key.
fn create_container() -> String {
    let now = time::OffsetDateTime::now_utc();
    let now = now
        .format(&time::format_description::well_known::Rfc2822)
        .expect("a date");
    let now = now.replace("+0000", "GMT");
    let resource = "/devstoreaccount1/devstoreaccount1/audit\nrestype:container";
    let text = format!("PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{now}\nx-ms-version:2023-11-03\n{resource}");
    let key = STANDARD.decode(AZURE_KEY).expect("base64");
    let signature = STANDARD.encode(hmac(&key, text.as_bytes()));
    format!("x-ms-date: {now}\r\nx-ms-version: 2023-11-03\r\nAuthorization: SharedKey devstoreaccount1:{signature}\r\n")
}

/// HMAC-SHA256 (RFC 2104).
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x36))
        .chain_update(text)
        .finalize();
    Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x5c))
        .chain_update(inner)
        .finalize()
        .into()
}

const KEY: &str = "AKTEST";
pub(super) const SECRET: &str = "SKTEST-not-to-be-printed";

/// The published key of the emulator's account.
const AZURE_KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

const READY_MAX: Duration = Duration::from_secs(60);
