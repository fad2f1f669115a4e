//! The reports of all machines: printed, and kept where that is asked for.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use lab_accept::Evidence;
use lab_accept::report::{self, Report};

use super::{Arguments, Came, Format};
use crate::Done;
use crate::failure::Failure;
use crate::ui;

/// Prints and keeps every report. The worst of them makes the exit code: a machine that could
/// not be asked, then one that failed.
pub(super) fn finish(arguments: &Arguments, all: Vec<(String, Came)>) -> Done {
    let several = all.len() > 1;
    let mut reports = Vec::new();
    let mut could_not = None;
    for (host, came) in all {
        match came {
            Ok((report, evidence)) => {
                if let Some(folder) = &arguments.report {
                    let folder = match several {
                        true => folder.join(plain(&host)),
                        false => folder.clone(),
                    };
                    keep(&folder, &report, &evidence)?;
                }
                reports.push(report);
            }
            Err(failure) => {
                let named = match several {
                    true => failure.within(&host),
                    false => failure,
                };
                if could_not.is_some() {
                    ui::error(&named);
                } else {
                    could_not = Some(named);
                }
            }
        }
    }
    print(arguments.format, &reports)?;
    if let Some(failure) = could_not {
        return Err(failure.into_environment());
    }
    match reports.iter().map(Report::exit_code).max() {
        Some(0) => Ok(()),
        Some(1) => Err(Failure::Said),
        _ => Err(Failure::Environment(anyhow::anyhow!(
            "nothing could be judged; the reasons stand above"
        ))),
    }
}

fn print(format: Format, reports: &[Report]) -> Done {
    if reports.is_empty() {
        return Ok(());
    }
    let text = match format {
        Format::Text => {
            let all: Vec<String> = reports.iter().map(report::text).collect();
            all.join("\n")
        }
        Format::Json => json(reports)?,
        Format::Junit => report::junit(reports).context("writing the report")?,
    };
    let mut out = anstream::stdout();
    // Nobody reads on: not this command's failure.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Ok(())
}

/// One machine's report is an object, those of several are a list.
fn json(reports: &[Report]) -> anyhow::Result<String> {
    if let [only] = reports {
        return report::to_json(only).context("writing the report");
    }
    let mut text = serde_json::to_string_pretty(reports).context("writing the reports")?;
    text.push('\n');
    Ok(text)
}

/// A host as the name of a folder.
fn plain(host: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let name: String = host
        .chars()
        .map(|c| if fits(c) { c } else { '_' })
        .collect();
    match name.trim_start_matches('.') {
        "" => "_".to_owned(),
        name => name.to_owned(),
    }
}

fn keep(folder: &Path, report: &Report, evidence: &Evidence) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let mut evidence = serde_json::to_string_pretty(evidence).context("writing the evidence")?;
    evidence.push('\n');
    let one = std::slice::from_ref(report);
    for (name, text) in [
        ("evidence.json", evidence),
        ("report.json", report::to_json(report)?),
        ("report.html", report::html(report)?),
        ("report.xml", report::junit(one)?),
    ] {
        write(&folder.join(name), text.as_bytes())?;
    }
    ui::step(&format!(
        "kept in {}: report.html, report.json, report.xml, evidence.json",
        folder.display()
    ));
    Ok(())
}

/// Writes a file whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let doing = || format!("writing {}", path.display());
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(doing)?;
    file.write_all(bytes).with_context(doing)?;
    file.as_file().sync_all().with_context(doing)?;
    file.persist(path).with_context(doing)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_host_is_a_folder_below() {
        assert_eq!(plain("admin@192.0.2.7:22"), "admin_192.0.2.7_22");
        assert_eq!(plain("[2001:db8::1]:22"), "_2001_db8__1__22");
        assert_eq!(plain("../../etc"), "_.._etc");
        assert_eq!(plain(".."), "_");
    }
}
