//! The log itself: its options, its retention, its exports.

use std::collections::BTreeSet;
use std::time::Duration;

use super::section::{At, Section};
use super::{Config, ConfigError, sinks};
use crate::export::position::Series;
use crate::export::{Compression, Destination, Every, Export, Format};
use crate::log::{AuditLog, Builder};
use crate::query::Query;
use crate::retention::{Period, Retention, Rule};

pub(super) fn config(mut root: Section) -> Result<Config, ConfigError> {
    let origin = root.needed("origin")?;
    crate::note::Origin::new(&origin.value).map_err(|error| origin.wrong(error))?;
    let Some(path) = root.path("path")? else {
        return Err(ConfigError::new("path", None, "it is needed"));
    };
    let segment_bytes = root.whole("segment_bytes")?;
    let mut builder = AuditLog::builder(origin.value);
    if let Some(path) = root.path("key_file")? {
        builder = builder.key_file(path);
    }
    if let Some(path) = root.path("checkpoint_file")? {
        builder = builder.checkpoint_file(path);
    }
    if let Some(source) = root.text("source")? {
        builder = builder.source(source.value);
    }
    if let Some(age) = root.duration("rotate_key_after")? {
        builder = builder.rotate_key_after(age);
    }
    if let Some(bytes) = root.whole("queue_bytes")? {
        builder = builder.queue_bytes(bytes);
    }
    if let Some(section) = root.table("retention")? {
        builder = retention(builder, section)?;
    }
    let mut exported = BTreeSet::new();
    for section in root.tables("exports")? {
        builder = export(builder, section, &mut exported)?;
    }
    let mut secrets = Vec::new();
    let (mut feeds, mut names) = (Vec::new(), BTreeSet::new());
    for section in root.tables("sinks")? {
        let (named, feed) = sinks::feed(section, &mut secrets)?;
        crate::sink::check(std::slice::from_ref(&feed)).map_err(|error| named.wrong(error))?;
        if !names.insert(named.value.clone()) {
            return Err(named.wrong(format!("there is a sink {:?} already", named.value)));
        }
        feeds.push(feed);
    }
    root.end()?;
    Ok(Config {
        builder,
        path,
        segment_bytes,
        feeds,
        secrets,
    })
}

fn retention(builder: Builder, mut section: Section) -> Result<Builder, ConfigError> {
    let keep = section.needed("keep")?;
    let mut retention: Retention = keep.value.parse().map_err(|error| keep.wrong(error))?;
    for rule in section.texts("rules")? {
        let parsed: Rule = rule.value.parse().map_err(|error| rule.wrong(error))?;
        retention = retention.rule(parsed);
    }
    if let Some(limit) = section.parsed("delivery_limit", str::parse::<Period>)? {
        retention = retention.delivery_limit(limit);
    }
    retention.check().map_err(|error| section.wrong(error))?;
    let every = section.duration("every")?.unwrap_or(A_DAY);
    section.end()?;
    Ok(builder.retention(retention, every))
}

/// `exported` are the series before it.
fn export(builder: Builder, mut section: Section, exported: &mut BTreeSet<String>) -> Result<Builder, ConfigError> {
    let every = section.needed("every")?;
    let every = match every.value.as_str() {
        "hour" => Every::Hour,
        "day" => Every::Day,
        _ => return Err(every.wrong("it is hour or day")),
    };
    let to = section.needed("to")?;
    let mut destination: Destination = to.value.parse().map_err(|error| to.wrong(error))?;
    if !to.value.contains("://") {
        destination = section.in_folder(&to.value).into();
    }
    let filter = filter(&mut section)?;
    let mut export = Export::new(filter.value.clone());
    if let Some(format) = section.parsed("format", str::parse::<Format>)? {
        export = export.format(format);
    }
    if let Some(compression) = section.parsed("compression", str::parse::<Compression>)? {
        export = export.compressed(compression);
    }
    if section.boolean("formula_guard")? == Some(false) {
        export = export.without_formula_guard();
    }
    section.end()?;
    let series = Series { destination, export };
    series.check().map_err(|error| filter.wrong(error))?;
    if !exported.insert(series.id()) {
        return Err(to.wrong("the same is exported there already"));
    }
    Ok(builder.export_every(every, series.export, series.destination))
}

/// The filter of a sink or an export; everything where there is none.
pub(super) fn filter(section: &mut Section) -> Result<At<Query>, ConfigError> {
    let Some(At { key, line, value }) = section.text("filter")? else {
        return Ok(section.at(Query::new()));
    };
    match Query::parse(&value) {
        Ok(value) => Ok(At { key, line, value }),
        Err(error) => Err(ConfigError::new(key, Some(line), error.to_string())),
    }
}

const A_DAY: Duration = Duration::from_secs(86_400);
