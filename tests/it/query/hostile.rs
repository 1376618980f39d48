//! Index files that are of another log, or no files at all: no answer changes, and nobody waits.

use std::fs;
use std::path::Path;

use super::*;

/// A log of segments of which each has an index, closed. Those of two logs are of the same length to the byte.
fn indexed_log(users: &str) -> Scene {
    let scene = Scene::new();
    let store = FileStore::new(scene.folder()).segment_size(40_000).space_ahead(false);
    let log = scene.builder().open(store).expect("opens");
    for number in 0..150_u64 {
        log.append(login(format!("{users}_{}", number % 10))).expect("recorded");
    }
    indexed(&scene);
    log.close(SOON).expect("closed");
    scene
}

fn asked(scene: &Scene) -> usize {
    let query = Query::new().actor_id("usr_one_3").limit(1_000);
    let reader = LogReader::new(scene.store());
    let counted = reader.count(&query, &CountBy::new()).expect("counts").total;
    let found = reader.query(&query).expect("an answer").found.len();
    assert_eq!(counted, found as u64);
    found
}

#[test]
fn the_index_of_another_log_is_not_believed() {
    let (one, two) = (indexed_log("one"), indexed_log("two"));
    assert_eq!((asked(&one), asked(&two)), (15, 0));
    let lengths = |scene: &Scene| -> Vec<u64> {
        let files = scene.segment_files();
        files
            .iter()
            .map(|path| fs::metadata(path).expect("a file").len())
            .collect()
    };
    assert_eq!(lengths(&one)[0], lengths(&two)[0], "they cannot be told apart by that");
    let index = |scene: &Scene| scene.folder().join("index");
    fs::remove_dir_all(index(&one)).expect("removed");
    copy_folder(&index(&two), &index(&one));
    assert_eq!(asked(&one), 15);
    // The log makes its own.
    let log = one.builder().open(one.store()).expect("opens");
    log.reader()
        .query(&Query::new().actor_id("usr_one_3"))
        .expect("an answer");
    log.close(SOON).expect("closed");
    let of_two: Vec<_> = list(&index(&two))
        .iter()
        .map(|path| fs::read(path).expect("a file"))
        .collect();
    let log = one.builder().open(one.store()).expect("opens");
    indexed(&one);
    log.close(SOON).expect("closed");
    let left = list(&index(&one));
    assert!(
        left.iter()
            .all(|path| !of_two.contains(&fs::read(path).expect("a file")))
    );
    assert_eq!(asked(&one), 15);
}

/// A copy of a log that went on by itself has segments of the same names and lengths, which begin in the same way.
#[test]
fn the_index_of_a_log_that_was_the_same_at_first_is_not_believed() {
    let one = Scene::new();
    let store = |scene: &Scene| FileStore::new(scene.folder()).segment_size(40_000).space_ahead(false);
    let go_on = |scene: &Scene, users: &str, count: u64| {
        let log = scene.builder().open(store(scene)).expect("opens");
        for number in 0..count {
            log.append(login(format!("{users}_{}", number % 10))).expect("recorded");
        }
        indexed(scene);
        log.close(SOON).expect("closed");
    };
    go_on(&one, "all", 15);
    let two = one.crash_copy();
    go_on(&one, "one", 150);
    go_on(&two, "two", 150);
    assert_eq!((asked(&one), asked(&two)), (15, 0));
    let [first_of_one, first_of_two] =
        [&one, &two].map(|scene| fs::read(&scene.segment_files()[0]).expect("a segment"));
    assert_eq!(first_of_one.len(), first_of_two.len());
    assert_eq!(first_of_one[..8192], first_of_two[..8192]);
    let index = |scene: &Scene| scene.folder().join("index");
    fs::remove_dir_all(index(&one)).expect("removed");
    copy_folder(&index(&two), &index(&one));
    assert_eq!(asked(&one), 15);
}

/// Puts something at a path.
type Put<'a> = &'a dyn Fn(&Path);

#[test]
fn what_stands_in_the_place_of_an_index_is_passed_over() {
    let scene = indexed_log("one");
    let other = indexed_log("two");
    let index = list(&scene.folder().join("index")).pop().expect("an index");
    let sealed = scene.segment_files().len() - 1;
    let next = list(&scene.folder().join("index")).remove(0);
    let content = fs::read(&index).expect("an index");
    let foreign = list(&other.folder().join("index")).pop().expect("an index");
    let places: [(&str, Put<'_>); 8] = [
        ("that of the segment before", &|path| {
            fs::copy(&next, path).expect("copied");
        }),
        ("nothing", &|path| fs::write(path, "").expect("written")),
        ("an older version", &|path| {
            let mut content = content.clone();
            content[7] = b'1';
            fs::write(path, content).expect("written");
        }),
        ("a link to another log's", &|path| {
            std::os::unix::fs::symlink(&foreign, path).expect("linked");
        }),
        ("a link to nothing", &|path| {
            std::os::unix::fs::symlink("/nowhere", path).expect("linked");
        }),
        ("a link to a device", &|path| {
            std::os::unix::fs::symlink("/dev/zero", path).expect("linked");
        }),
        ("a folder", &|path| {
            fs::create_dir(path).expect("made");
            fs::write(path.join("x"), "x").expect("written");
        }),
        ("a pipe", &|path| {
            let made = std::process::Command::new("mkfifo").arg(path).status();
            assert!(made.expect("mkfifo").success());
        }),
    ];
    for (what, put) in places {
        let copy = scene.crash_copy();
        let path = copy.folder().join("index").join(index.file_name().expect("a name"));
        fs::remove_file(&path).expect("removed");
        put(&path);
        let (folder, key) = (copy.folder(), copy.key_file());
        let found = within(Duration::from_secs(20), what, move || {
            let query = Query::new().actor_id("usr_one_3").limit(1_000);
            let outside = LogReader::new(FileStore::new(&folder))
                .query(&query)
                .expect("an answer");
            let builder = AuditLog::builder(crate::scene::ORIGIN).key_file(key);
            let log = builder.open(FileStore::new(&folder)).expect("opens");
            let inside = log.reader().query(&query).expect("an answer");
            eventually("it is made anew", || {
                let entries = list(&folder.join("index"));
                let files = entries
                    .iter()
                    .filter(|path| fs::symlink_metadata(path).is_ok_and(|kind| kind.is_file()));
                files.count() == sealed
            });
            log.close(SOON).expect("closed");
            (outside.found.len(), inside.found.len())
        });
        assert_eq!(found, (15, 15), "{what}");
    }
}

/// The log's own threads clean up after themselves, and after nobody else.
#[test]
fn what_is_no_index_stays_beside_them() {
    let scene = indexed_log("one");
    let index = scene.folder().join("index");
    let (foreign, half) = (index.join("precious"), list(&index).remove(0).with_extension("new"));
    for path in [&foreign, &half] {
        fs::write(path, "x").expect("written");
    }
    let log = scene.builder().open(scene.store()).expect("opens");
    eventually("what a crash left is removed", || !half.exists());
    log.close(SOON).expect("closed");
    assert!(foreign.exists());
}

/// Of an index that is gone, neither the memory nor the file is kept.
#[test]
fn an_index_that_is_gone_is_let_go() {
    let scene = indexed_log("one");
    let log = scene.builder().open(scene.store()).expect("opens");
    let reader = log.reader();
    let ask = || reader.query(&Query::new().actor_id("usr_one_3")).expect("an answer");
    ask();
    let index = scene.folder().join("index");
    let kept = || {
        let open = list(Path::new("/proc/self/fd"));
        let targets = open.into_iter().filter_map(|path| fs::read_link(path).ok());
        let names = targets.map(|target| target.to_string_lossy().into_owned());
        names
            .filter(|name| name.starts_with(&*index.to_string_lossy()))
            .collect::<Vec<_>>()
    };
    let before = kept();
    assert!(
        !before.is_empty() && before.iter().all(|name| !name.ends_with("(deleted)")),
        "{before:?}"
    );
    assert!(log.purge(100).expect("purged") > 0);
    ask();
    assert!(kept().iter().all(|name| !name.ends_with("(deleted)")), "{:?}", kept());
    log.close(SOON).expect("closed");
}

/// A segment that ends too early is no shorter answer, in either order, and no smaller count.
#[test]
fn records_that_are_missing_at_the_end_of_a_segment_are_told() {
    let scene = indexed_log("one");
    let text = fs::read(&scene.segment_files()[0]).expect("a segment");
    let ends = (0..text.len()).filter(|at| text[*at] == b'\n');
    // The last line is a checkpoint, and the one before it the last record.
    let last = ends.rev().nth(2).expect("lines") + 1;
    for (cut, has_index) in [(last, true), (last, false), (last + 100, true), (last + 100, false)] {
        let copy = scene.crash_copy();
        fs::write(&copy.segment_files()[0], &text[..cut]).expect("written");
        if !has_index {
            fs::remove_dir_all(copy.folder().join("index")).expect("removed");
        }
        let reader = LogReader::new(copy.store());
        let is_told = |error: indelible::Error| matches!(error.cause(), Cause::Damaged { .. });
        for query in ["", "q=personal.example", "actor_id=usr_one_3"] {
            let query = Query::parse(query).expect("a query").limit(1_000);
            for order in [Order::OldestFirst, Order::NewestFirst] {
                let answer = reader.query(&query.clone().order(order));
                assert!(is_told(answer.expect_err("a record is missing")), "{query} {order:?}");
            }
            let counts = reader.count(&query, &CountBy::new());
            assert!(is_told(counts.expect_err("a record is missing")), "{query}");
        }
    }
}
