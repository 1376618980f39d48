//! Exports to S3, Azure Blob and Google Cloud Storage, by the crate `object_store`.
//!
//! # What stands in a bucket
//!
//! Under the prefix, all of it flat: a copy of it in a folder is what [`verify_export`](super::verify_export) takes.
//!
//! | name | what |
//! | --- | --- |
//! | `DAY-FROM-TO.CONTENT.FORMAT`, `DAY-FROM-TO-FILTER.CONTENT.FORMAT` | data: as in a folder, and 16 digits of its SHA-256 |
//! | `NUMBER.manifest` | a manifest: 20 digits, its place in the chain |
//!
//! There are no locks in a bucket. What makes each export one, whoever else exports there:
//!
//! 1. The data is uploaded under a name that holds its hash. Up to 8 MiB it is created in one request, and only where
//!    there is nothing. What is larger goes in parts, and those cannot be bound to that: two that upload it at a time, or
//!    one that tries again after a crash, write the same bytes under the same name. Whatever else has the name, as its
//!    length shows, is an error and stays.
//! 2. The manifest is created under its number, and only where there is none (`If-None-Match: *`; Google:
//!    `x-goog-if-generation-match: 0`). Of two that export at a time, one has the number; the other gets an error, and
//!    when it tries again finds what the first one did. So the chain of manifests never forks.
//!
//! Data without a manifest, and a multipart upload that is not complete, are what a crash left. A lifecycle rule can
//! abort the latter (`AbortIncompleteMultipartUpload`).
//!
//! # Permissions
//!
//! | | needed | minimal configuration |
//! | --- | --- | --- |
//! | S3 | `s3:PutObject`, `s3:GetObject`, `s3:AbortMultipartUpload` on `PREFIX/*`, `s3:ListBucket` on the bucket | `AWS_REGION` and credentials: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, web identity, or the instance's role; `AWS_ENDPOINT` for another server than Amazon's |
//! | Azure Blob | `Storage Blob Data Contributor` on the container, or a SAS with `racwl` | `AZURE_STORAGE_ACCOUNT_NAME` and `AZURE_STORAGE_ACCOUNT_KEY`, a service principal, or the managed identity |
//! | Google Cloud Storage | `storage.objects.create`, `get`, `list` on the bucket | `GOOGLE_SERVICE_ACCOUNT` (the path of a key file), or the instance's account |
//!
//! Nothing is deleted, so Object Lock, immutability policies and retention policies may be on.
//!
//! # What it was tried against
//!
//! Every build tests S3 against SeaweedFS and Azure Blob against Azurite. For Google Cloud Storage there is no server
//! to be had that speaks the XML interface that `object_store` uses: tested are the address and the options; the rest is
//! the code of the other two over the client of `object_store`.

mod connection;
mod place;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};

use super::place::GoesOn;
use crate::error::{Error, Result};
pub(crate) use connection::{Connection, bounded};
use place::BucketPlace;

/// A prefix of a bucket of S3, a container of Azure Blob, or a bucket of Google Cloud Storage. What stands there, and
/// which permissions it takes, is told in [the module](self).
///
/// Options are those of the crate `object_store`, by their names in the environment or in lower case: `AWS_REGION`,
/// `AZURE_STORAGE_ACCOUNT_NAME`, `GOOGLE_SERVICE_ACCOUNT`. What is not given here is taken from the environment.
///
/// ```
/// use indelible::export::{Bucket, Destination};
///
/// let bucket = Bucket::new("s3://acme-audit/exports")?.option("aws_region", "eu-central-1")?;
/// assert_eq!(Destination::from(bucket).to_string(), "s3://acme-audit/exports");
/// # Ok::<(), indelible::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Bucket {
    service: Service,
    name: String,
    prefix: Path,
    options: BTreeMap<String, String>,
    spool: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    S3,
    Azure,
    Google,
}

impl Bucket {
    /// The place at `s3://BUCKET/PREFIX`, `az://CONTAINER/PREFIX` or `gs://BUCKET/PREFIX`. Nothing is asked of it yet.
    ///
    /// # Errors
    ///
    /// [`Cause::Configuration`](crate::Cause::Configuration) where it is none of these.
    pub fn new(url: &str) -> Result<Self> {
        let wrong = |problem: String| Error::configuration("destination", problem);
        let takes = || wrong("a bucket is s3://BUCKET/PREFIX, az://CONTAINER/PREFIX or gs://BUCKET/PREFIX".into());
        let (scheme, rest) = url.split_once("://").ok_or_else(takes)?;
        let service = Service::of_scheme(scheme).ok_or_else(takes)?;
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_named = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_named) {
            return Err(takes());
        }
        let prefix = Path::parse(prefix.trim_end_matches('/')).map_err(|error| wrong(error.to_string()))?;
        Ok(Self {
            service,
            name: name.to_owned(),
            prefix,
            options: BTreeMap::new(),
            spool: None,
        })
    }

    /// Sets an option. It goes before the environment.
    ///
    /// # Errors
    ///
    /// [`Cause::Configuration`](crate::Cause::Configuration) where the service has no such option.
    pub fn option(mut self, key: &str, value: impl Into<String>) -> Result<Self> {
        let key = key.to_ascii_lowercase();
        let known = match self.service {
            Service::S3 => key.parse::<AmazonS3ConfigKey>().map(drop),
            Service::Azure => key.parse::<AzureConfigKey>().map(drop),
            Service::Google => key.parse::<GoogleConfigKey>().map(drop),
        };
        known.map_err(|error| Error::configuration("destination", error.to_string()))?;
        self.options.insert(key, value.into());
        Ok(self)
    }

    /// Where an export is written before it is uploaded: the system's folder for temporary files unless told otherwise.
    /// The file has no name there, and takes as many bytes as the export.
    pub fn spool(mut self, folder: impl Into<PathBuf>) -> Self {
        self.spool = Some(folder.into());
        self
    }

    /// Takes it for one export.
    pub(super) fn open<'a>(&self, goes_on: GoesOn<'a>) -> Result<BucketPlace<'a>> {
        Ok(BucketPlace::new(self.clone(), self.connect()?, goes_on))
    }

    /// Connects. Whether it answers is not asked.
    pub(crate) fn connect(&self) -> Result<Connection> {
        let bucket = self.clone();
        Connection::open(move || bucket.client())
    }

    pub(crate) fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// How errors and reports call what has this name.
    pub(crate) fn address(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("{self}/{name}"))
    }

    fn client(&self) -> object_store::Result<Arc<dyn ObjectStore>> {
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(5),
                base: 2.0,
            },
            max_retries: RETRIES_MAX,
            retry_timeout: RETRY_TIMEOUT,
        };
        Ok(match self.service {
            Service::S3 => {
                let mut builder = AmazonS3Builder::from_env().with_checksum_algorithm(Checksum::SHA256);
                for (key, value) in &self.options {
                    builder = builder.with_config(key.parse()?, value);
                }
                Arc::new(builder.with_bucket_name(&self.name).with_retry(retry).build()?)
            }
            Service::Azure => {
                let mut builder = MicrosoftAzureBuilder::from_env();
                for (key, value) in &self.options {
                    builder = builder.with_config(key.parse()?, value);
                }
                Arc::new(builder.with_container_name(&self.name).with_retry(retry).build()?)
            }
            Service::Google => {
                let mut builder = GoogleCloudStorageBuilder::from_env();
                for (key, value) in &self.options {
                    builder = builder.with_config(key.parse()?, value);
                }
                Arc::new(builder.with_bucket_name(&self.name).with_retry(retry).build()?)
            }
        })
    }
}

impl Service {
    const ALL: [Self; 3] = [Self::S3, Self::Azure, Self::Google];

    const fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Azure => "az",
            Self::Google => "gs",
        }
    }

    fn of_scheme(scheme: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.scheme() == scheme)
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.service.scheme(), self.name)?;
        match self.prefix.as_ref() {
            "" => Ok(()),
            prefix => write!(f, "/{prefix}"),
        }
    }
}

impl fmt::Debug for Bucket {
    /// Without the options' values: they may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("url", &self.to_string())
            .field("options", &self.options.keys())
            .field("spool", &self.spool)
            .finish()
    }
}

/// How often one request is tried again.
const RETRIES_MAX: usize = 5;

/// How long one request is tried again.
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);
