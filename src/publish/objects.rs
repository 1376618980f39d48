//! A bucket of tiles: objects that are created, several at a time, and a checkpoint that is replaced only where it is
//! the one that was read.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error as Refusal, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
    UpdateVersion,
};
use tokio::task::JoinSet;

use super::place::Place;
use crate::error::{Cause, Error, Result};
use crate::export::bucket::{Bucket, Connection, bounded};
use crate::export::place::GoesOn;

/// A bucket. Who else publishes into it meanwhile creates the same objects, and one of two replaces the checkpoint.
pub(super) struct Objects<'a> {
    bucket: Bucket,
    connection: Connection,
    goes_on: GoesOn<'a>,
    /// What is to be created.
    waiting: Vec<(String, PutPayload)>,
    /// What was read of objects that may be replaced.
    versions: HashMap<String, UpdateVersion>,
    written: u64,
}

impl<'a> Objects<'a> {
    /// Connects. Whether it answers is not asked.
    pub(super) fn open(bucket: &Bucket, goes_on: GoesOn<'a>) -> Result<Self> {
        Ok(Self {
            bucket: bucket.clone(),
            connection: bucket.connect()?,
            goes_on,
            waiting: Vec::new(),
            versions: HashMap::new(),
            written: 0,
        })
    }

    fn location(&self, name: &str) -> Path {
        let prefix = self.bucket.prefix().clone();
        name.split('/').fold(prefix, |path, part| path.join(part))
    }

    /// Creates what waits, all at a time.
    fn create_waiting(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let Some((first, _)) = waiting.first() else {
            return Ok(());
        };
        let address = self.address(first);
        let located: Vec<_> = waiting
            .iter()
            .map(|(name, content)| (self.location(name), content.clone()))
            .collect();
        let there = self.connection.ask(("write", &address), self.goes_on, move |client| {
            Box::pin(async move {
                let mut puts = JoinSet::new();
                for (at, (location, content)) in located.into_iter().enumerate() {
                    let client = Arc::clone(&client);
                    let put = async move { client.put_opts(&location, content, PutMode::Create.into()).await };
                    puts.spawn(async move { (at, put.await) });
                }
                let mut there = Vec::new();
                while let Some(put) = puts.join_next().await {
                    match put.map_err(|source| Refusal::JoinError { source })? {
                        (at, Err(Refusal::AlreadyExists { .. })) => there.push(at),
                        (_, put) => drop(put?),
                    }
                }
                Ok(there)
            })
        })?;
        self.written += u64::try_from(waiting.len() - there.len()).unwrap_or_default();
        for (name, content) in there.into_iter().filter_map(|at| waiting.get(at)) {
            let address = self.address(name);
            // Who published what comes after it has removed it meanwhile.
            let gone = || Error::export("write", &address, io::ErrorKind::NotFound.into());
            let found = self.read(name, content.content_length().max(1))?.ok_or_else(gone)?;
            if !content.iter().flatten().eq(&found) {
                let problem = "it was published before with other content, and never changes";
                return Err(Error::damaged(address.display().to_string(), None, problem));
            }
        }
        Ok(())
    }
}

impl Place for Objects<'_> {
    fn address(&self, name: &str) -> PathBuf {
        self.bucket.address(name)
    }

    fn read(&mut self, name: &str, most: usize) -> Result<Option<Vec<u8>>> {
        let (address, location) = (self.address(name), self.location(name));
        let found = self.connection.ask(("read", &address), self.goes_on, move |client| {
            Box::pin(async move {
                let found = match client.get(&location).await {
                    Err(Refusal::NotFound { .. }) => return Ok(None),
                    found => found?,
                };
                let version = UpdateVersion {
                    e_tag: found.meta.e_tag.clone(),
                    version: found.meta.version.clone(),
                };
                bounded(found, most).await.map(|content| Some((content, version)))
            })
        })?;
        Ok(found.map(|(content, version)| {
            self.versions.insert(name.to_owned(), version);
            content
        }))
    }

    fn create(&mut self, name: &str, content: Vec<u8>) -> Result<()> {
        self.waiting.push((name.to_owned(), content.into()));
        let bytes: usize = self.waiting.iter().map(|(_, content)| content.content_length()).sum();
        match self.waiting.len() >= WAITING_MAX || bytes >= WAITING_BYTES_MAX {
            true => self.create_waiting(),
            false => Ok(()),
        }
    }

    /// Where another one was there first, it stays.
    fn replace(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let (address, location, payload) = (self.address(name), self.location(name), content.to_vec());
        let mode = self.versions.remove(name).map_or(PutMode::Create, PutMode::Update);
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::ContentType, "text/plain; charset=utf-8".into());
        attributes.insert(Attribute::CacheControl, "no-cache".into());
        let mut options = PutOptions::from(mode);
        options.attributes = attributes;
        let put = self.connection.ask(("write", &address), self.goes_on, move |client| {
            Box::pin(async move { client.put_opts(&location, payload.into(), options).await })
        });
        match put {
            Ok(put) => drop(self.versions.insert(name.to_owned(), put.into())),
            // An answer that was lost is asked for again: then what stands there is ours.
            Err(error) if is_conflict(&error) && self.read(name, content.len())?.as_deref() == Some(content) => {}
            Err(error) => return Err(error),
        }
        self.written += 1;
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<()> {
        let (address, location) = (self.address(name), self.location(name));
        self.connection.ask(("remove", &address), self.goes_on, move |client| {
            Box::pin(async move { delete(client.as_ref(), &location).await })
        })
    }

    fn remove_partial(&mut self, name: &str) -> Result<()> {
        let name = format!("{name}.p");
        let (address, location) = (self.address(&name), self.location(&name));
        self.connection.ask(("remove", &address), self.goes_on, move |client| {
            Box::pin(async move {
                for object in client.list_with_delimiter(Some(&location)).await?.objects {
                    delete(client.as_ref(), &object.location).await?;
                }
                Ok(())
            })
        })
    }

    /// What a bucket has taken is durable.
    fn sync(&mut self) -> Result<()> {
        self.create_waiting()
    }

    fn written(&self) -> u64 {
        self.written
    }
}

/// Deletes what may be gone: some servers also list folders that are empty.
async fn delete(client: &dyn ObjectStore, location: &Path) -> object_store::Result<()> {
    match client.delete(location).await {
        Err(Refusal::NotFound { .. }) => Ok(()),
        deleted => deleted,
    }
}

fn is_conflict(error: &Error) -> bool {
    matches!(error.cause(), Cause::Export { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
}

/// So many objects are created at a time, or so many bytes.
const WAITING_MAX: usize = 16;
const WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;
