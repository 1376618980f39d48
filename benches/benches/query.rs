//! Queries beside SQLite with indexes and DuckDB on Parquet, over the same events, also with the page cache dropped; scans
//! beside ripgrep; making the index, and its size.
//!
//! Of 1 and of 10 million events, unless it is told which: `-- 1000000`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use indelible::query::{CountBy, Field, Order};
use indelible::{AuditLog, FileStore, LogReader, Query, Timestamp};
use indelible_benches::arguments::Arguments;
use indelible_benches::cold::drop_page_cache;
use indelible_benches::duckdb::Parquet;
use indelible_benches::events::{Login, ORIGIN};
use indelible_benches::folder::Folder;
use indelible_benches::latency::Latencies;
use indelible_benches::ours;
use indelible_benches::table::{Table, Target, count, figure};
use rusqlite::{Connection, params};

fn main() {
    let arguments = Arguments::read();
    let mut table = Table::new(&["records", "what", "ours", "p99", "peer", "", "p99", "ratio", "target"]);
    let sizes: &[u64] = arguments.count(&[200_000][..], &[1_000_000, 10_000_000]);
    for records in sizes.iter().filter(|records| arguments.wants(&records.to_string())) {
        measure(*records, &mut table);
    }
    table.print("Queries (medians)");
}

fn measure(records: u64, table: &mut Table) {
    let folder = Folder::new("query");
    let log = ours::open(&folder, "ours");
    ours::fill(&log, records, |number| Login::new(number).event());
    ours::wait_for_indexes(&folder.join("ours"));
    ours::close(&log);
    let log = index(&folder, records, table);
    let reader = log.reader();
    let mut parquet = Parquet::new(folder.path());
    let sqlite = fill_sqlite(&folder.join("sqlite"), &reader, parquet.as_mut());
    let at = |part: u64| {
        let record = reader.record(records / 4 * part).expect("a record");
        record.recorded_at().expect("a time")
    };
    let (start, end) = (at(1), at(3));
    let login = |number: u64| Login::new(number.wrapping_mul(0x9E37_79B9) % records);
    let mut selective = |number: u64| {
        let query = Query::new()
            .action("auth.login.failed")
            .actor_id(login(number).user)
            .since(start)
            .until(end);
        reader.query(&query).expect("an answer").found.len()
    };
    let mut selective_in_sqlite = |number: u64| {
        let sql = "SELECT event FROM events WHERE actor_id = ?1 AND action = 'auth.login.failed' \
                   AND occurred_at >= ?2 AND occurred_at < ?3 ORDER BY seq DESC LIMIT 100";
        let values = params![login(number).user, start.to_string(), end.to_string()];
        rows(&sqlite, sql, values)
    };
    let mut newest = |_: u64| reader.query(&Query::new()).expect("an answer").found.len();
    let mut newest_in_sqlite = |_: u64| {
        let sql = "SELECT event FROM events ORDER BY seq DESC LIMIT 100";
        rows(&sqlite, sql, params![])
    };
    let mut from = |number: u64| {
        let query = Query::new().since(later(start, number)).order(Order::OldestFirst);
        reader.query(&query).expect("an answer").found.len()
    };
    let mut from_in_sqlite = |number: u64| {
        let sql = "SELECT event FROM events WHERE occurred_at >= ?1 ORDER BY occurred_at LIMIT 100";
        rows(&sqlite, sql, params![later(start, number).to_string()])
    };
    let by_action = CountBy::new().field(Field::EventType);
    let mut count_all = |_: u64| reader.count(&Query::new(), &by_action).expect("counted").groups.len();
    let mut count_all_in_sqlite = |_: u64| {
        let sql = "SELECT action, count(*) FROM events GROUP BY action";
        rows(&sqlite, sql, params![])
    };
    let limit = if records > 1_000_000 { 2.0 } else { 0.3 };
    let nothing = || {};
    let figures = [
        beside(
            "an actor's failed logins in a time range",
            ROUNDS,
            &nothing,
            &mut selective,
            &mut selective_in_sqlite,
        ),
        beside("the newest 100", ROUNDS, &nothing, &mut newest, &mut newest_in_sqlite),
        beside("100 from a time on", ROUNDS, &nothing, &mut from, &mut from_in_sqlite),
        beside(
            "count by action over all",
            10,
            &nothing,
            &mut count_all,
            &mut count_all_in_sqlite,
        ),
    ];
    let limits = [limit, 1.0, 1.0, 300.0];
    for (figures, limit) in figures.iter().zip(limits) {
        let absolute = figure(figures.ours / 1000.0, "ms", Target::AtMost(limit));
        let ratio = figures.ours / figures.theirs;
        let target = match figures.what {
            "the newest 100" | "100 from a time on" => absolute,
            _ => format!("{absolute}; {}", figure(ratio, "", Target::AtMost(1.0))),
        };
        table.row(figures.row(records, "SQLite", target));
    }
    if drop_page_cache(folder.path()) {
        let cold = || assert!(drop_page_cache(folder.path()), "the page cache stays");
        let what = "the actor's, the page cache dropped";
        let figures = beside(what, 21, &cold, &mut selective, &mut selective_in_sqlite);
        let target = figure(figures.ours / figures.theirs, "", Target::AtMost(3.0));
        table.row(figures.row(records, "SQLite", target));
    } else {
        eprintln!("the page cache cannot be dropped: queries that read from the disk are not measured");
    }
    if let Some(parquet) = parquet {
        let users = (0..DUCKDB_ROUNDS).map(|number| login(number).user).collect();
        let sql = format!(
            "SELECT event FROM 'events.parquet' WHERE actor_id = ? AND action = 'auth.login.failed' \
             AND occurred_at >= '{start}' AND occurred_at < '{end}' ORDER BY seq DESC LIMIT 100"
        );
        let newest = "SELECT event FROM 'events.parquet' ORDER BY seq DESC LIMIT 100".to_owned();
        let from =
            "SELECT event FROM 'events.parquet' WHERE occurred_at >= ? ORDER BY occurred_at LIMIT 100".to_owned();
        let times = (0..DUCKDB_ROUNDS)
            .map(|number| later(start, number).to_string())
            .collect();
        let count = "SELECT action, count(*) FROM 'events.parquet' GROUP BY action".to_owned();
        let each = || vec!["-".to_owned(); DUCKDB_ROUNDS as usize];
        let queries = [(sql, users), (newest, each()), (from, times), (count, each())];
        for (ours, theirs) in figures.iter().zip(parquet.measure(&queries)) {
            let figures = Figures {
                theirs: theirs.p50,
                theirs_p99: theirs.p99,
                ..*ours
            };
            table.row(figures.row(records, "DuckDB on Parquet", String::new()));
        }
    }
    scan(&folder, &reader, records, table);
}

/// What a query took, ours and the peer's, in microseconds.
struct Figures {
    what: &'static str,
    found: f64,
    ours: f64,
    ours_p99: f64,
    theirs: f64,
    theirs_p99: f64,
}

/// Asks ours and the peer by turns, each after `before`.
fn beside(
    what: &'static str,
    rounds: u64,
    before: &dyn Fn(),
    ours: &mut dyn FnMut(u64) -> usize,
    theirs: &mut dyn FnMut(u64) -> usize,
) -> Figures {
    let (mut mine, mut others, mut found) = (Latencies::new(), Latencies::new(), 0);
    for number in 0..rounds {
        before();
        let began = Instant::now();
        let count = ours(number);
        mine.push(began.elapsed());
        before();
        let began = Instant::now();
        assert_eq!(theirs(number), count, "{what} {number}: the answers differ");
        others.push(began.elapsed());
        found += count;
    }
    Figures {
        what,
        found: found as f64 / rounds as f64,
        ours: mine.quantile_micros(0.5),
        ours_p99: mine.quantile_micros(0.99),
        theirs: others.quantile_micros(0.5),
        theirs_p99: others.quantile_micros(0.99),
    }
}

impl Figures {
    fn row(&self, records: u64, peer: &str, target: String) -> [String; 9] {
        let micros = |value: f64| format!("{value:.0} µs");
        [
            count(records as f64),
            format!("{} ({:.0} found)", self.what, self.found),
            micros(self.ours),
            micros(self.ours_p99),
            peer.into(),
            micros(self.theirs),
            micros(self.theirs_p99),
            format!("{:.2}", self.ours / self.theirs),
            target,
        ]
    }
}

/// Words anywhere, which no index helps with, beside ripgrep over the same lines.
fn scan(folder: &Folder, reader: &LogReader, records: u64, table: &mut Table) {
    let segments = folder.join("ours/segments");
    let rg = |word: &str, threads: &str| {
        let began = Instant::now();
        let output = Command::new("rg")
            .args([
                "--ignore-case",
                "--fixed-strings",
                "--count",
                "--no-filename",
                "--text",
                "--threads",
                threads,
                word,
            ])
            .arg(&segments)
            .output()
            .ok()?;
        let lines: usize = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| line.parse::<usize>().ok())
            .sum();
        Some((began.elapsed(), lines))
    };
    if rg("nobody", "1").is_none() {
        eprintln!("ripgrep is not installed: scans are not measured");
        return;
    }
    let user = Login::new(records / 2).user;
    for word in ["zanzibar", &user] {
        let query = Query::new().words(word).limit(1000);
        let (mut counted, mut paged) = (Latencies::new(), Latencies::new());
        let (mut one, mut all) = (Latencies::new(), Latencies::new());
        for _ in 0..9 {
            let began = Instant::now();
            let found = reader
                .count(&Query::new().words(word), &CountBy::new())
                .expect("counted")
                .total;
            counted.push(began.elapsed());
            let began = Instant::now();
            let page = reader.query(&query).expect("an answer");
            paged.push(began.elapsed());
            assert_eq!(page.found.len() as u64, found.min(1000), "{word}");
            let Some((time, lines)) = rg(word, "1") else { return };
            one.push(time);
            assert_eq!(u64::try_from(lines).ok(), Some(found), "{word}");
            let Some((time, _)) = rg(word, "0") else { return };
            all.push(time);
        }
        let millis = |latencies: &mut Latencies| latencies.quantile_micros(0.5) / 1000.0;
        let (one, all) = (millis(&mut one), millis(&mut all));
        for (what, mut ours) in [("counted", counted), ("a page", paged)] {
            let ours = millis(&mut ours);
            table.row([
                count(records as f64),
                format!("scan for {word:?}, {what}; ripgrep on one core {one:.0} ms"),
                format!("{ours:.0} ms"),
                String::new(),
                "ripgrep".into(),
                format!("{all:.0} ms"),
                String::new(),
                format!("{:.2}", ours / all),
                figure(ours / all, "", Target::AtMost(1.0)),
            ]);
        }
    }
}

/// Makes all indexes anew.
fn index(folder: &Folder, records: u64, table: &mut Table) -> AuditLog {
    let path = folder.join("ours");
    fs::remove_dir_all(path.join("index")).expect("remove the indexes");
    let began = Instant::now();
    let builder = AuditLog::builder(ORIGIN).key_file(folder.join("ours.key"));
    let log = builder.open(FileStore::new(&path)).expect("open");
    let made = ours::wait_for_indexes(&path);
    let seconds = began.elapsed().as_secs_f64();
    let (index_bytes, segment_bytes) = (bytes_in(&path.join("index")), bytes_in(&path.join("segments")));
    let (made, all) = (
        made as f64,
        fs::read_dir(path.join("segments")).expect("segments").count() as f64,
    );
    let rate = records as f64 * made / all / seconds;
    table.row([
        count(records as f64),
        "indexing, a second".into(),
        count(rate),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        figure(rate, "", Target::AtLeast(300_000.0)),
    ]);
    let part = 100.0 * index_bytes * all / made / segment_bytes;
    table.row([
        count(records as f64),
        "the index, of the segments' bytes".into(),
        format!("{part:.1} %"),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        figure(part, "%", Target::AtMost(6.0)),
    ]);
    // That of the last segment is in memory soon.
    std::thread::sleep(Duration::from_secs(2));
    log
}

fn bytes_in(folder: &Path) -> f64 {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| entry.metadata().expect("its size").len() as f64)
        .sum()
}

fn fill_sqlite(path: &Path, reader: &LogReader, mut parquet: Option<&mut Parquet>) -> Connection {
    let mut connection = Connection::open(path).expect("open a database");
    let tables =
        "CREATE TABLE events (seq INTEGER PRIMARY KEY, occurred_at TEXT, action TEXT, actor_id TEXT, event TEXT)";
    connection.execute(tables, []).expect("create the table");
    let transaction = connection.transaction().expect("begin");
    {
        let sql = "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5)";
        let mut insert = transaction.prepare(sql).expect("prepare");
        for record in reader.records(..).expect("records") {
            let record = record.expect("a record");
            let event = record.event().expect("an event").expect("not erased");
            let fields = event.fields();
            let occurred_at = fields.occurred_at.map(|time| time.to_string());
            let actor = fields.actor.as_ref().map(|actor| actor.id.clone());
            let row = params![record.seq(), occurred_at, fields.action.as_str(), actor, record.line()];
            insert.execute(row).expect("insert");
            if let Some(parquet) = &mut parquet {
                let texts = [&occurred_at, &actor].map(|text| text.as_deref().unwrap_or_default());
                let line = record.line().unwrap_or_default();
                parquet.add(record.seq(), texts[0], fields.action.as_str(), texts[1], line);
            }
        }
    }
    transaction.commit().expect("commit");
    for columns in ["actor_id, occurred_at", "action, occurred_at", "occurred_at"] {
        let name = columns.replace(", ", "_");
        connection
            .execute(&format!("CREATE INDEX by_{name} ON events ({columns})"), [])
            .expect("create an index");
    }
    connection.execute("ANALYZE", []).expect("analyze");
    connection
}

fn rows(connection: &Connection, sql: &str, parameters: &[&dyn rusqlite::ToSql]) -> usize {
    let mut statement = connection.prepare_cached(sql).expect("prepare");
    let rows = statement
        .query_map(parameters, |row| row.get::<_, String>(0))
        .expect("query");
    rows.map(|row| row.expect("a row")).count()
}

fn later(time: Timestamp, number: u64) -> Timestamp {
    Timestamp::from_unix_micros(time.unix_micros() + i64::try_from(number).expect("few")).expect("a time")
}

/// How often each query is asked, with other values.
const ROUNDS: u64 = 300;

/// The same of DuckDB, which reads much for each.
const DUCKDB_ROUNDS: u64 = 15;
