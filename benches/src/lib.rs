//! What the benchmarks of `indelible` share: the events, the statistics, the table, and the peers that the log is
//! measured beside.
//!
//! Each program in `benches/` prints a table of what it measured in that run, ours and the peer by turns, so that both
//! saw the same machine. The figure to look at is the ratio: it is the median of the ratios of neighbouring rounds.
//!
//! ```text
//! cargo bench --bench append            all of it
//! cargo bench --bench append -- --quick a look, for a build that must not wait
//! ```
//!
//! Data stands in the folder `INDELIBLE_BENCH_DIR`, or where temporary files stand, and is removed at the end. It must
//! be on a disk: in memory a sync costs nothing.

pub mod arguments;
pub mod callgrind;
pub mod child;
pub mod cold;
pub mod duckdb;
pub mod events;
pub mod folder;
pub mod latency;
pub mod nowhere;
pub mod ours;
pub mod paced;
pub mod quiet;
pub mod raw;
pub mod receiver;
pub mod rounds;
pub mod rsyslog;
pub mod sqlite;
pub mod table;
pub mod targets;
pub mod tracing_json;
