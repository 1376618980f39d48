//! What the crate's default features weigh: how many crates, and the processor time of a clean release build.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use indelible_benches::arguments::Arguments;
use indelible_benches::folder::Folder;
use indelible_benches::table::{Table, Target, figure};

fn main() {
    let arguments = Arguments::read();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let mut table = Table::new(&["default features", "measured", "target"]);
    let crates = crates(&manifest);
    table.row([
        "crates, itself included".into(),
        crates.to_string(),
        figure(crates as f64, "", Target::AtMost(45.0)),
    ]);
    if arguments.quick {
        println!("the clean release build is left out of the quick run");
    } else {
        match build(&manifest) {
            Some(seconds) => {
                let target = figure(seconds, "s", Target::AtMost(45.0));
                table.row([
                    "processor time of a clean release build".into(),
                    format!("{seconds:.1} s"),
                    target,
                ]);
            }
            None => println!("the processor time of children is not known here: the build is left out"),
        }
    }
    table.print("Weight");
}

fn crates(manifest: &Path) -> usize {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "-e", "normal,build", "--prefix", "none", "--manifest-path"])
        .arg(manifest);
    let output = tree.output().expect("run cargo tree");
    assert!(
        output.status.success(),
        "cargo tree: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // A crate that was listed before is marked with (*).
    let lines: BTreeSet<&str> = text
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| !line.is_empty())
        .collect();
    lines.len()
}

fn build(manifest: &Path) -> Option<f64> {
    let folder = Folder::new("weight");
    let before = children_seconds()?;
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["build", "--release", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(folder.path());
    build.env_remove("RUSTFLAGS").env("RUSTC_WRAPPER", "");
    assert!(build.status().expect("run cargo build").success());
    Some(children_seconds()? - before)
}

/// The processor time of the children that were waited for, and of theirs.
fn children_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let mut columns = stat.rsplit_once(')')?.1.split_whitespace().skip(13);
    let mut ticks = || columns.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / 100.0)
}
