//! `indelible ship`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indelible::config::Config;
use indelible::sink::SinkState;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::failure::{Failure, complain};

/// Deliver a log to the sinks of a configuration, beside the service that writes it
///
/// It reads on as soon as something is committed, and keeps the position of each sink in the folder of the log. What goes
/// wrong, and when it is mended, is printed to standard error, and recorded in the log by the service. It ends by SIGTERM or
/// SIGINT, once what there is is delivered, at the latest after ten seconds. The service opens the log without these sinks.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible ship /var/lib/auth/audit --config audit.toml")]
pub(crate) struct Ship {
    /// The directory of the log; that of the configuration, where it is not given
    dir: Option<PathBuf>,

    /// The file: TOML, or JSON where its name ends in .json
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(crate) fn run(arguments: &Ship) -> Result<ExitCode, Failure> {
    let config = Config::read(&arguments.config).map_err(|error| Failure::at(&arguments.config, error))?;
    let config = match &arguments.dir {
        Some(dir) => config.at(dir),
        None => config,
    };
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    if config.reader().checkpoint()?.is_none() {
        complain("there is no log yet: it is waited for");
    }
    let shipper = config.ship()?;
    let (mut known, mut unreadable) = (BTreeMap::new(), None);
    // Standard output may be a sink's.
    complain(format!("delivering to {}", names(&shipper.states()?)));
    while signals.pending().next().is_none() {
        // While the log cannot be read, the sinks wait for that too.
        let now = shipper.states().map(|states| tell(&states, &mut known));
        let now = now.err().map(|error| error.to_string());
        if let Some(problem) = now.as_ref().filter(|_| now != unreadable) {
            complain(problem);
        }
        unreadable = now;
        std::thread::sleep(LOOK_EVERY);
    }
    shipper.stop(STOPPING_MAX)?;
    Ok(ExitCode::SUCCESS)
}

fn names(states: &[SinkState]) -> String {
    let names: Vec<_> = states.iter().map(|state| state.name.as_str()).collect();
    names.join(", ")
}

/// Tells what goes wrong with each sink, once, and when it is mended.
fn tell(states: &[SinkState], known: &mut BTreeMap<String, String>) {
    for state in states {
        let problem = state
            .failing_since
            .and(state.last_error.as_ref())
            .map(|problem| problem.what().to_owned());
        match (problem, known.get(&state.name)) {
            (Some(problem), before) if before != Some(&problem) => {
                let lag = state.lag_records;
                complain(format!("{}: {problem}; {lag} records wait", state.name));
                known.insert(state.name.clone(), problem);
            }
            (None, Some(_)) => {
                complain(format!("{}: it delivers again", state.name));
                known.remove(&state.name);
            }
            _ => {}
        }
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(200);

const STOPPING_MAX: Duration = Duration::from_secs(10);
