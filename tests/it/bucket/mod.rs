//! Exports into buckets of real servers: each is made once, whoever exports there, and verifies.

mod publish;
mod servers;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indelible::export::{Bucket, Destination, Every, ExportedFiles, Format};
use indelible::{Actor, AuditLog, Cause, ErrorKind, Event, Export, FileStore, MemoryStore, Query, SigningKey};
use object_store::{ObjectStore, ObjectStoreExt};

use crate::clock::Hand;
use crate::export::*;
use crate::scene::*;
use crate::schedule::wait_for_exports;
use servers::{SECRET, Server};

#[test]
fn s3_by_seaweedfs() {
    if let Some(server) = Server::seaweedfs() {
        try_all(&server);
    }
}

#[test]
fn azure_blob_by_azurite() {
    if let Some(server) = Server::azurite() {
        try_all(&server);
    }
}

fn try_all(server: &Server) {
    let scene = Scene::new();
    let log = log_of(&scene, 40);
    what_is_exported_verifies_and_is_not_exported_again(server, &log);
    what_a_crash_left_is_done_anew(server, &log);
    those_who_export_at_a_time_make_one_chain(server, &log);
    what_is_large_goes_in_parts(server);
    what_refuses_says_so_without_the_secret(server, &log);
    what_somebody_put_there_is_not_taken_for_an_export(server, &log);
    a_series_goes_on_from_what_stands_there(server);
    publish::what_is_published_is_what_is_published_into_a_folder(server);
    publish::those_who_publish_at_a_time_publish_one_log(server);
    publish::another_log_is_refused_there(server);
}

fn what_is_exported_verifies_and_is_not_exported_again(server: &Server, log: &AuditLog) {
    let (bucket, there) = (server.bucket("once/a"), Objects::new(server, "once/a"));
    let exports = [
        Export::new(query("seq_to=10")),
        Export::new(query("seq_from=10&seq_to=30&event_type=auth.login.failed")).format(Format::Csv),
        Export::new(query("seq_from=10&seq_to=30")).format(Format::Json),
    ];
    for (number, export) in exports.iter().enumerate() {
        let files = log.export(export, bucket.clone()).expect("exported");
        let manifest = format!("{bucket}/{number:020}.manifest");
        assert_eq!(files.manifest, Path::new(&manifest));
        assert!(files.files[0].starts_with(bucket.to_string()), "{:?}", files.files);
    }
    let before = there.all();
    assert_eq!(before.len(), 6);
    for (number, export) in exports.iter().enumerate() {
        let error = log.export(export, bucket.clone()).expect_err("there already");
        let manifest = format!("{bucket}/{number:020}.manifest");
        assert!(
            matches!(error.cause(), Cause::AlreadyExported { path } if path == Path::new(&manifest)),
            "{error}"
        );
    }
    assert_eq!(there.all(), before);
    let report = there.verify(log);
    assert_eq!((report.manifests, report.files, report.first_number), (3, 3, Some(0)));
    assert!(report.unlisted.is_empty());
    // Another log's exports do not mix with these.
    let origin = "other.example.com/audit";
    let other = AuditLog::builder(origin)
        .signer(SigningKey::generate(origin.parse().expect("an origin")).expect("a key"))
        .without_checkpoint_file()
        .open(MemoryStore::new())
        .expect("opens");
    let error = other
        .export(&Export::new(query("seq_to=2")), bucket)
        .expect_err("another log's");
    assert_eq!(error.kind(), ErrorKind::FixConfiguration, "{error}");
}

/// A crash leaves data without its manifest.
fn what_a_crash_left_is_done_anew(server: &Server, log: &AuditLog) {
    let (bucket, there) = (server.bucket("crash"), Objects::new(server, "crash"));
    let lines = Export::new(query("seq_to=10"));
    let files = log.export(&lines, bucket.clone()).expect("exported");
    let before = there.all();
    there.remove(&files.manifest);
    let again = log.export(&lines, bucket.clone()).expect("exported");
    assert_eq!(again.files, files.files);
    assert_eq!(there.all().len(), before.len(), "the data is taken over");
    // JSON names the newest checkpoint: once more is recorded, it is other data.
    let json = Export::new(query("seq_to=10")).format(Format::Json);
    let files = log.export(&json, bucket.clone()).expect("exported");
    there.remove(&files.manifest);
    log.append(login("meanwhile")).expect("recorded");
    let again = log.export(&json, bucket.clone()).expect("exported");
    assert_ne!(again.files, files.files);
    let report = there.verify(log);
    assert_eq!((report.manifests, report.unlisted.len()), (2, 1), "{report}");
}

fn what_somebody_put_there_is_not_taken_for_an_export(server: &Server, log: &AuditLog) {
    let (bucket, there) = (server.bucket("clash"), Objects::new(server, "clash"));
    let lines = Export::new(query("seq_to=10"));
    let files = log.export(&lines, bucket.clone()).expect("exported");
    there.remove(&files.manifest);
    let data = files.files[0].file_name().expect("a name").to_str().expect("UTF-8");
    there.put(data, b"other".to_vec());
    let error = log.export(&lines, bucket).expect_err("not that export");
    assert!(
        matches!(error.cause(), Cause::Damaged { file, .. } if file.ends_with(data)),
        "{error}"
    );
    assert_eq!(
        there.all(),
        [(data.to_owned(), b"other".to_vec())],
        "nothing is overwritten, and no manifest made"
    );
}

fn those_who_export_at_a_time_make_one_chain(server: &Server, log: &AuditLog) {
    let (bucket, there) = (server.bucket("race"), Objects::new(server, "race"));
    let refused = AtomicU64::new(0);
    let export = |range: &str| {
        let export = Export::new(query(range));
        loop {
            match log.export(&export, bucket.clone()) {
                Ok(files) => return Some(files),
                Err(error) if matches!(error.cause(), Cause::AlreadyExported { .. }) => return None,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Retry, "{error}");
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    };
    let ranges = ["seq_to=5", "seq_to=6", "seq_to=7", "seq_to=5", "seq_to=6", "seq_to=7"];
    let made: Vec<Option<ExportedFiles>> = std::thread::scope(|scope| {
        let threads: Vec<_> = ranges.iter().map(|range| scope.spawn(move || export(range))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    assert_eq!(
        made.iter().flatten().count(),
        3,
        "each range once; {refused:?} were refused at first"
    );
    let report = there.verify(log);
    assert_eq!(
        (report.manifests, report.files, report.unlisted.len()),
        (3, 3, 0),
        "{report}"
    );
}

fn what_is_large_goes_in_parts(server: &Server) {
    let (bucket, there) = (server.bucket("large"), Objects::new(server, "large"));
    let log = memory_log();
    let text = "0123456789abcdef".repeat(400);
    let tickets: Vec<_> = (0..2_600)
        .map(|number| {
            let event = Event::new("test.large")
                .actor(Actor::user("usr_1"))
                .metadata("text", &text)
                .metadata("number", number);
            log.submit(event).expect("taken")
        })
        .collect();
    tickets
        .into_iter()
        .for_each(|ticket| _ = ticket.wait().expect("recorded"));
    let files = log
        .export(&Export::new(query("seq_to=2602")), bucket)
        .expect("exported");
    assert!(files.exported.bytes > 2 * 8 * 1024 * 1024, "{}", files.exported.bytes);
    assert_eq!(there.verify(&log).bytes, files.exported.bytes);
}

fn what_refuses_says_so_without_the_secret(server: &Server, log: &AuditLog) {
    let export = Export::new(query("seq_to=10"));
    let wrong = "d3JvbmctYnV0LW5vdC10by1iZS1wcmludGVk";
    let bucket = server.bucket_with("refused", wrong);
    assert!(!format!("{bucket:?}").contains(wrong));
    let error = log.export(&export, bucket).expect_err("refused");
    let Cause::Export {
        action: "list",
        path,
        source,
    } = error.cause()
    else {
        panic!("{error}");
    };
    assert!(source.to_string().contains("403"), "{error}");
    assert!(path.to_string_lossy().ends_with("://audit/refused"));
    assert!(!format!("{error} {error:?}").contains(wrong) && !format!("{error:?}").contains(SECRET));
}

fn a_series_goes_on_from_what_stands_there(server: &Server) {
    let (bucket, there) = (server.bucket("series"), Objects::new(server, "series"));
    let scene = Scene::new();
    let clock = Hand::new();
    let open = || {
        let builder = scene.builder().clock(clock.clone());
        let builder = builder.export_every(Every::Hour, Export::new(Query::new()), bucket.clone());
        builder.open(FileStore::new(scene.folder())).expect("opens")
    };
    let remembered = scene.folder().join("exports");
    for round in 0..4 {
        let log = open();
        wait_for_exports(&log, 1);
        log.append(login(round)).expect("recorded");
        clock.forward(Duration::from_secs(3600));
        wait_for_exports(&log, 2);
        log.close(Duration::from_secs(10)).expect("closed");
        clock.forward(Duration::from_secs(3600));
        match round {
            // The position is lost; then the newest manifest, as if a crash had come before it.
            0 => std::fs::remove_dir_all(&remembered).expect("removed"),
            1 => there.remove(Path::new("00000000000000000003.manifest")),
            _ => {}
        }
    }
    let log = open();
    wait_for_exports(&log, 1);
    let report = there.verify(&log);
    assert_eq!((report.manifests, report.first_number), (8, Some(0)), "{report}");
    assert_eq!(report.records, log.state().exports[0].position, "each record once");
}

#[test]
fn a_bucket_that_does_not_answer_is_given_up_when_the_log_closes() {
    let scene = Scene::new();
    let log = log_of(&scene, 5);
    // It takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", silent.local_addr().expect("an address"));
    let options = [
        ("aws_endpoint", endpoint.as_str()),
        ("aws_access_key_id", "key"),
        ("aws_secret_access_key", "secret"),
        ("aws_allow_http", "true"),
    ];
    let bucket = Bucket::new("s3://audit/x").expect("a bucket");
    let bucket = options.into_iter().fold(bucket, |bucket, (key, value)| {
        bucket.option(key, value).expect("an option")
    });
    let exporting = std::thread::spawn({
        let log = log.clone();
        move || log.export(&Export::new(query("seq_to=3")), bucket)
    });
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    log.close(Duration::from_secs(20)).expect("closed");
    let error = exporting.join().expect("no panic").expect_err("given up");
    assert!(error.to_string().contains("the log is closing"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn a_bucket_is_named_by_an_address() {
    for good in [
        "s3://audit",
        "s3://audit/",
        "az://audit/a/b",
        "gs://acme.audit-1/exports/",
    ] {
        let bucket = Bucket::new(good).expect(good);
        assert_eq!(bucket.to_string(), good.trim_end_matches('/'));
        let destination: Destination = good.parse().expect(good);
        assert_eq!(destination, bucket.into());
    }
    for bad in [
        "s3://",
        "s3:///x",
        "audit",
        "ftp://audit",
        "S3://audit",
        "s3://a b",
        "s3://audit/../x",
        "s3://u:p@audit",
    ] {
        let error = Bucket::new(bad).expect_err(bad);
        assert!(
            matches!(
                error.cause(),
                Cause::Configuration {
                    option: "destination",
                    ..
                }
            ),
            "{bad}: {error}"
        );
    }
    // Each service has options of its own.
    let google = Bucket::new("gs://audit").expect("a bucket");
    let google = google
        .option("GOOGLE_SERVICE_ACCOUNT", "/run/key.json")
        .expect("an option");
    let error = google.option("aws_region", "eu-central-1").expect_err("not Google's");
    assert!(error.to_string().contains("aws_region"), "{error}");
}

/// What stands under a prefix, as another client sees it.
struct Objects {
    client: Box<dyn ObjectStore>,
    prefix: object_store::path::Path,
    runtime: tokio::runtime::Runtime,
}

impl Objects {
    fn new(server: &Server, prefix: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Self {
            client: server.client(),
            prefix: prefix.into(),
            runtime: runtime.expect("a runtime"),
        }
    }

    /// The names and contents.
    fn all(&self) -> Vec<(String, Vec<u8>)> {
        self.runtime.block_on(async {
            let listed = self
                .client
                .list_with_delimiter(Some(&self.prefix))
                .await
                .expect("listed");
            let mut all = Vec::new();
            for object in listed.objects {
                let content = self.client.get(&object.location).await.expect("there");
                let content = content.bytes().await.expect("there").to_vec();
                all.push((object.location.filename().expect("a name").to_owned(), content));
            }
            all.sort();
            all
        })
    }

    /// All that stands below, by its name there.
    fn below(&self) -> Vec<(String, Vec<u8>)> {
        self.runtime.block_on(async {
            let (mut open, mut all) = (vec![self.prefix.clone()], Vec::new());
            while let Some(prefix) = open.pop() {
                let listed = self.client.list_with_delimiter(Some(&prefix)).await.expect("listed");
                open.extend(listed.common_prefixes);
                for object in listed.objects {
                    // SeaweedFS lists folders that are empty.
                    let content = match self.client.get(&object.location).await {
                        Err(object_store::Error::NotFound { .. }) => continue,
                        content => content.expect("there"),
                    };
                    let name = object
                        .location
                        .as_ref()
                        .strip_prefix(self.prefix.as_ref())
                        .expect("below");
                    all.push((name[1..].to_owned(), content.bytes().await.expect("there").to_vec()));
                }
            }
            all.sort();
            all
        })
    }

    fn put(&self, name: &str, content: Vec<u8>) {
        let location = object_store::path::Path::from(format!("{}/{name}", self.prefix));
        self.runtime
            .block_on(self.client.put(&location, content.into()))
            .expect("written");
    }

    fn remove(&self, address: &Path) {
        let name = address.file_name().expect("a name").to_str().expect("UTF-8");
        let location = self.prefix.clone().join(name);
        self.runtime.block_on(self.client.delete(&location)).expect("removed");
    }

    /// Verifies a copy in a folder.
    #[track_caller]
    fn verify(&self, log: &AuditLog) -> indelible::export::ExportReport {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, content) in self.all() {
            std::fs::write(folder.path().join(name), content).expect("written");
        }
        assert_sound(folder.path(), &log.vkey())
    }
}
