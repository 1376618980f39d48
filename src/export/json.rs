//! JSON: one envelope around merged events.

use super::output::Output;
use super::source::{Plan, Source, Written, merged};
use crate::error::Result;
use crate::json::{string, unsigned};

/// Writes the envelope and the records that match in it. What is known at the end stands at the end.
pub(super) fn write(source: &mut Source<'_>, plan: &Plan, output: &mut Output<'_>) -> Result<Written> {
    let mut out = b"{\"schema\":\"indelible/export\",\"schema_version\":1,\"origin\":".to_vec();
    string(&mut out, source.checkpoint.checkpoint().origin().as_str());
    out.extend_from_slice(b",\"filter\":");
    string(&mut out, &plan.filter.to_string());
    out.extend_from_slice(b",\"checkpoint\":");
    string(&mut out, source.checkpoint.as_str());
    out.extend_from_slice(b",\"records\":[");
    output.write(&out)?;
    let mut separator: &[u8] = b"\n";
    let written = source.each(plan, |record| {
        let (event, hash, seq) = (merged(record)?, record.hash(), record.seq());
        let recorded_at = record.recorded_at().map(|time| time.to_string()).unwrap_or_default();
        let personal_erased = match record.personal_json() {
            Some(_) => "",
            None => r#","personal_erased":true"#,
        };
        output.count();
        output.write(separator)?;
        separator = b",\n";
        output.write(
            format!(
                r#"{{"event":{event},"hash":"{hash}"{personal_erased},"recorded_at":"{recorded_at}","seq":{seq}}}"#
            )
            .as_bytes(),
        )
    })?;
    out.clear();
    let gone = &written.gone;
    out.extend_from_slice(b"\n],\"erased\":");
    unsigned(&mut out, gone.erased);
    out.extend_from_slice(b",\"personal_erased\":");
    unsigned(&mut out, gone.personal_erased);
    out.extend_from_slice(b",\"purged\":");
    super::manifest::write_purged(&mut out, gone.purged.as_ref());
    out.extend_from_slice(b",\"count\":");
    unsigned(&mut out, output.records());
    out.extend_from_slice(b"}\n");
    output.write(&out)?;
    Ok(written)
}
