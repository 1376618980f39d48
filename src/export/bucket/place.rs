//! One export into a bucket.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use object_store::{ObjectStoreExt, PutMode, PutOptions, PutPayload};

use super::Bucket;
use super::connection::{Connection, bounded};
use crate::error::{Cause, Error, Result};
use crate::export::Exported;
use crate::export::manifest::Manifest;
use crate::export::place::{Finished, GoesOn, MANIFEST, NewFile, Place, given_up, read_manifest};
use crate::note::{NOTE_BYTES_MAX, Origin};

/// A bucket, for one export. Others may export into it meanwhile.
#[derive(Debug)]
pub(in crate::export) struct BucketPlace<'a> {
    bucket: Bucket,
    connection: Connection,
    goes_on: Wanted<'a>,
    /// The names that stand there, once they were asked for.
    names: Option<Vec<String>>,
}

/// Whether it is wanted still.
struct Wanted<'a>(GoesOn<'a>);

impl std::fmt::Debug for Wanted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wanted")
    }
}

impl<'a> BucketPlace<'a> {
    pub(super) fn new(bucket: Bucket, connection: Connection, goes_on: GoesOn<'a>) -> Self {
        Self {
            bucket,
            connection,
            goes_on: Wanted(goes_on),
            names: None,
        }
    }

    fn location(&self, name: &str) -> object_store::path::Path {
        self.bucket.prefix.clone().join(name)
    }

    /// The names of what stands there.
    fn names(&mut self) -> Result<&[String]> {
        let names = match self.names.take() {
            Some(names) => names,
            None => {
                let (prefix, address) = (self.bucket.prefix.clone(), PathBuf::from(self.bucket.to_string()));
                self.connection.ask(("list", &address), self.goes_on.0, move |client| {
                    Box::pin(async move {
                        let prefix = (!prefix.as_ref().is_empty()).then_some(prefix);
                        let listed = client.list_with_delimiter(prefix.as_ref()).await?;
                        let names = listed.objects.iter().filter_map(|object| object.location.filename());
                        Ok(names.map(str::to_owned).collect())
                    })
                })?
            }
        };
        Ok(self.names.insert(names))
    }

    /// The numbers of the manifests, in order.
    fn numbers(&mut self) -> Result<Vec<u64>> {
        let mut numbers: Vec<u64> = self.names()?.iter().filter_map(|name| number_of(name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// A manifest, with its address.
    fn manifest(&self, number: u64) -> Result<(PathBuf, String)> {
        let name = name_of(number);
        let (address, location) = (self.bucket.address(&name), self.location(&name));
        let note = self.connection.ask(("read", &address), self.goes_on.0, move |client| {
            Box::pin(async move { bounded(client.get(&location).await?, NOTE_BYTES_MAX).await })
        })?;
        let note = String::from_utf8(note)
            .map_err(|error| Error::damaged(address.display().to_string(), None, error.to_string()))?;
        Ok((address, note))
    }

    /// Creates what is not there.
    fn create(&self, name: &str, content: Vec<u8>) -> Result<()> {
        let (address, location) = (self.bucket.address(name), self.location(name));
        self.connection.ask(("write", &address), self.goes_on.0, move |client| {
            Box::pin(async move {
                let options = PutOptions::from(PutMode::Create);
                client.put_opts(&location, content.into(), options).await.map(drop)
            })
        })
    }

    /// Whether data is there: nobody but an export gives this name, and what has it has so many bytes.
    fn is_there(&self, name: &str, bytes: u64) -> Result<bool> {
        let (address, location) = (self.bucket.address(name), self.location(name));
        let length = self.connection.ask(("read", &address), self.goes_on.0, move |client| {
            Box::pin(async move {
                match client.head(&location).await {
                    Ok(object) => Ok(Some(object.size)),
                    Err(object_store::Error::NotFound { .. }) => Ok(None),
                    Err(error) => Err(error),
                }
            })
        })?;
        match length {
            Some(length) if length != bytes => {
                let problem = format!("it has {length} bytes, where an export of {bytes} is due");
                Err(Error::damaged(address.display().to_string(), None, problem))
            }
            length => Ok(length.is_some()),
        }
    }

    /// Uploads a file of so many bytes, in constant memory. What is small is created only where there is nothing; parts
    /// take the place of what somebody else uploaded meanwhile under this name, which is the same content.
    fn upload(&self, name: &str, file: &mut impl Read, length: u64) -> Result<()> {
        let (address, location) = (self.bucket.address(name), self.location(name));
        let read = |file: &mut dyn Read, most: u64| -> Result<Vec<u8>> {
            let mut part = Vec::new();
            let taken = file.take(most).read_to_end(&mut part);
            taken.map_err(|error| Error::export("read", &address, error))?;
            Ok(part)
        };
        if length <= PART {
            return self.create(name, read(file, PART)?);
        }
        let wanted = ("write", address.as_path());
        let mut upload = self.connection.ask(wanted, self.goes_on.0, {
            let location = location.clone();
            move |client| Box::pin(async move { client.put_multipart(&location).await })
        })?;
        let part = PART.max(length.div_ceil(PARTS_MAX));
        loop {
            let bytes = read(file, part)?;
            if bytes.is_empty() {
                break;
            }
            let (put, back) = self.connection.ask(wanted, self.goes_on.0, move |_| {
                Box::pin(async move {
                    let put = upload.put_part(PutPayload::from(bytes)).await;
                    if put.is_err() {
                        // What is left of it costs money until it is aborted.
                        let _ = upload.abort().await;
                    }
                    Ok((put, upload))
                })
            })?;
            upload = back;
            let refused = |error| Error::export("write", &address, io::Error::other(error));
            put.map_err(refused)?;
            if !(self.goes_on.0)() {
                return Err(Error::export("write", &address, given_up()));
            }
        }
        self.connection.ask(wanted, self.goes_on.0, move |_| {
            Box::pin(async move { upload.complete().await.map(drop) })
        })
    }
}

impl Place for BucketPlace<'_> {
    fn begin(&mut self, name: &str) -> Result<NewFile> {
        let (stem, format) = name.split_once('.').unwrap_or((name, ""));
        let is_it = |data: &str| {
            let content = data.strip_prefix(stem).and_then(|rest| rest.strip_prefix('.'));
            content
                .and_then(|rest| rest.split_once('.'))
                .is_some_and(|(_, rest)| rest == format)
        };
        // Where there is no such data, no manifest can name it.
        if self.names()?.iter().any(|name| is_it(name)) {
            for number in self.numbers()?.into_iter().rev() {
                let (address, note) = self.manifest(number)?;
                let files = Manifest::unverified(&note).map(|manifest| manifest.files);
                if files.is_ok_and(|files| files.iter().any(|file| is_it(&file.name))) {
                    return Err(Cause::AlreadyExported { path: address }.into());
                }
            }
        }
        spool(&self.bucket)
    }

    fn keep(&mut self, name: &str, data: &mut NewFile, exported: &Exported) -> Result<String> {
        let (stem, format) = name.split_once('.').unwrap_or((name, ""));
        let hash = exported.sha256.to_string();
        let name = format!("{stem}.{}.{format}", hash.get(..TAG).unwrap_or_default());
        if self.is_there(&name, exported.bytes)? {
            return Ok(name);
        }
        let failed = |error| Error::export("read", &data.path, error);
        let mut file = data.file.take().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        file.rewind().map_err(failed)?;
        match self.upload(&name, &mut file, exported.bytes) {
            Err(error) if is(&error, io::ErrorKind::AlreadyExists) => {
                self.is_there(&name, exported.bytes).map(|_| name)
            }
            uploaded => uploaded.map(|()| name),
        }
    }

    fn newest(&mut self, origin: &Origin) -> Result<Option<(PathBuf, String)>> {
        // By what was there when it began: who exported since then has the number, and the manifest is refused.
        let Some(newest) = self.numbers()?.pop() else {
            return Ok(None);
        };
        let (address, note) = self.manifest(newest)?;
        let manifest = read_manifest(&address, &note, origin)?;
        if manifest.number != newest {
            let problem = format!("it says that its number is {}", manifest.number);
            return Err(Error::damaged(address.display().to_string(), None, problem));
        }
        Ok(Some((address, note)))
    }

    fn publish(&mut self, export: &Finished<'_>, _: &mut NewFile) -> Result<[PathBuf; 2]> {
        let name = name_of(export.number);
        let published = [self.bucket.address(&name), self.bucket.address(export.data)];
        let Err(error) = self.create(&name, export.note.as_bytes().to_vec()) else {
            return Ok(published);
        };
        // An answer that was lost is asked for again: then what stands there is ours.
        match self.manifest(export.number) {
            Ok((_, note)) if note == export.note => Ok(published),
            _ => Err(error),
        }
    }

    fn manifests(&mut self, from: u64, visit: &mut dyn FnMut(&std::path::Path, &str) -> Result<()>) -> Result<()> {
        for number in self.numbers()?.into_iter().filter(|number| *number >= from) {
            let (address, note) = self.manifest(number)?;
            visit(&address, &note)?;
        }
        Ok(())
    }
}

/// A file without a name.
fn spool(bucket: &Bucket) -> Result<NewFile> {
    let folder = bucket.spool.clone().unwrap_or_else(std::env::temp_dir);
    let mut random = [0; 16];
    let failed = |error| Error::export("create", &folder, error);
    getrandom::fill(&mut random).map_err(|error| failed(io::Error::other(error)))?;
    let path = folder.join(format!("indelible-{}", hex::encode(random)));
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path);
    let file = file.map_err(|error| Error::export("create", &path, error))?;
    // It goes with the process, whatever becomes of it.
    fs::remove_file(&path).map_err(|error| Error::export("remove", &path, error))?;
    Ok(NewFile {
        path,
        file: Some(file),
        is_kept: true,
    })
}

fn is(error: &Error, kind: io::ErrorKind) -> bool {
    matches!(error.cause(), Cause::Export { source, .. } if source.kind() == kind)
}

fn name_of(number: u64) -> String {
    format!("{number:020}{MANIFEST}")
}

fn number_of(name: &str) -> Option<u64> {
    let number = name.strip_suffix(MANIFEST)?.parse().ok()?;
    (name_of(number) == name).then_some(number)
}

/// How many digits of the content's hash a name has.
const TAG: usize = 16;

/// So many bytes are uploaded at once; what is larger, in parts.
const PART: u64 = 8 * 1024 * 1024;

/// S3 takes 10,000 parts.
const PARTS_MAX: u64 = 9_000;
