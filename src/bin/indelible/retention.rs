//! `indelible retention`.

use std::io::{IsTerminal, stdout};
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Args;
use indelible::retention::{Retention, RetentionReport, Rule};

use crate::failure::Failure;
use crate::opening::{self, Opening};
use crate::output::Output;

/// Take from a log what is over by a retention
///
/// Segments of which all is over are removed, other records that are over are erased one by one. Each step is announced
/// in the log first. What a legal hold covers stays. Prints what was taken and
/// what stays: one JSON object, where standard output is no terminal. What sinks and exports of a
/// service still need is not known here: where some lag behind, this is for the service to do, with the call
/// AuditLog::apply_retention.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  indelible retention audit --key audit.key --keep 90d --rule '7y tenant_id=org_acme' --dry-run"
)]
pub(crate) struct Apply {
    #[command(flatten)]
    opening: Opening,

    /// How long records are kept that no rule is for: 90d, 6m, 7y, or forever
    #[arg(long, value_name = "PERIOD")]
    keep: String,

    /// A period, and the records that it is for: some of tenant_id, event_type, category, severity and severity_min, as in
    /// a query. May be given several times: the longest wins
    #[arg(long = "rule", value_name = "RULE")]
    rules: Vec<String>,

    /// Only print what would be taken. Nothing is changed
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(arguments: &Apply, output: &mut Output) -> Result<ExitCode, Failure> {
    let Apply { opening, dry_run, .. } = arguments;
    let retention = retention(arguments)?;
    let reader = opening::reader(&opening.dir)?;
    let report = match dry_run {
        true => reader.plan_retention(&retention, SystemTime::now())?,
        false => {
            let log = opening.open_for("AuditLog::apply_retention")?;
            let report = log.apply_retention(&retention);
            let closed = opening::close(&log);
            let report = report?;
            closed?;
            report
        }
    };
    match stdout().is_terminal() {
        true => print(&report, *dry_run, output),
        false => output.line(format_args!("{}", report.to_json())),
    }
    Ok(ExitCode::SUCCESS)
}

fn retention(arguments: &Apply) -> Result<Retention, Failure> {
    let keep = arguments.keep.parse::<Retention>();
    let default = keep.map_err(|error| Failure::new(format!("keep: {error}")))?;
    let rules = arguments.rules.iter().map(|rule| rule.parse::<Rule>());
    rules
        .into_iter()
        .try_fold(default, |retention, rule| Ok(retention.rule(rule?)))
}

fn print(report: &RetentionReport, is_plan: bool, output: &mut Output) {
    let would = if is_plan { "to be " } else { "" };
    if let Some(purged) = &report.purged {
        let last = purged.end.saturating_sub(1);
        output.line(format_args!("{would}purged {} to {last}", purged.start));
    }
    for segment in &report.segments {
        output.line(format_args!("{would}removed {segment}"));
    }
    for range in &report.erased {
        output.line(format_args!("{would}erased {} to {}", range.start(), range.end()));
    }
    if report.unlisted > 0 {
        output.line(format_args!("and {} more", report.unlisted));
    }
    for (rule, count) in &report.by_rule {
        output.line(format_args!("over by {rule}: {count} records"));
    }
    for (hold, count) in &report.held {
        output.line(format_args!("kept by the legal hold {hold:?}: {count} records"));
    }
    output.line(format_args!("left: {} records", report.left));
}
