//! DuckDB on Parquet, in a child process that times its own queries: the client is Python's, which many have.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The events, on their way to Parquet.
#[derive(Debug)]
pub struct Parquet {
    lines: BufWriter<File>,
    folder: PathBuf,
}

/// What a query took.
#[derive(Debug, Clone)]
pub struct Timed {
    /// The median, in microseconds.
    pub p50: f64,
    /// Of 100 queries 99 take no longer, in microseconds.
    pub p99: f64,
    /// How many rows all rounds found.
    pub found: u64,
}

impl Parquet {
    /// Files in a folder; `None` where there is no DuckDB.
    pub fn new(folder: &Path) -> Option<Self> {
        let mut python = Command::new("python3");
        let found = python.args(["-c", "import duckdb"]).stderr(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            eprintln!("DuckDB is not installed (pip install duckdb): it is not measured");
            return None;
        }
        let lines = File::create(folder.join("events.tsv")).expect("create a file");
        Some(Self {
            lines: BufWriter::with_capacity(1 << 20, lines),
            folder: folder.to_owned(),
        })
    }

    /// Adds an event. No field has a tab: canonical JSON escapes them.
    pub fn add(&mut self, seq: u64, occurred_at: &str, action: &str, actor: &str, line: &str) {
        writeln!(self.lines, "{seq}\t{occurred_at}\t{action}\t{actor}\t{line}").expect("write a line");
    }

    /// Makes the Parquet file, and has each query asked so many times, warm. A query has one parameter, which takes each
    /// of the values in turn.
    pub fn measure(mut self, queries: &[(String, Vec<String>)]) -> Vec<Timed> {
        self.lines.flush().expect("write lines");
        let mut input = String::new();
        for (sql, values) in queries {
            input += &format!("{sql}\t{}\n", values.join("\t"));
        }
        let script = self.folder.join("duckdb.in");
        std::fs::write(&script, input).expect("write the queries");
        let output = Command::new("python3")
            .args(["-c", SCRIPT])
            .current_dir(&self.folder)
            .stdin(File::open(&script).expect("the queries"))
            .stderr(Stdio::inherit())
            .output()
            .expect("start DuckDB");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let timed = text.lines().map(|line| {
            let mut figures = line.split(' ').map(|figure| figure.parse::<f64>().expect("a figure"));
            let mut next = || figures.next().expect("three figures");
            Timed {
                p50: next(),
                p99: next(),
                found: next() as u64,
            }
        });
        let timed: Vec<Timed> = timed.collect();
        assert_eq!(timed.len(), queries.len(), "DuckDB failed");
        timed
    }
}

const SCRIPT: &str = r#"
import sys, time, duckdb
db = duckdb.connect()
db.execute("SET enable_progress_bar = false")
columns = "{'seq': 'BIGINT', 'occurred_at': 'VARCHAR', 'action': 'VARCHAR', 'actor_id': 'VARCHAR', 'event': 'VARCHAR'}"
db.execute(f"COPY (SELECT * FROM read_csv('events.tsv', delim='\t', quote='', escape='', header=false, columns={columns})) "
           "TO 'events.parquet' (FORMAT parquet, COMPRESSION zstd)")
for line in sys.stdin:
    sql, *values = line.rstrip("\n").split("\t")
    times, found = [], 0
    for value in values[:1] + values:
        began = time.perf_counter()
        rows = db.execute(sql, [value] if "?" in sql else []).fetchall()
        times.append((time.perf_counter() - began) * 1e6)
        found += len(rows)
        if len(times) == 1 and values:
            first = len(rows)
    # The first round is for the caches.
    times = sorted(times[1:])
    print(times[len(times) // 2], times[min(len(times) - 1, len(times) * 99 // 100)], found - first)
"#;
