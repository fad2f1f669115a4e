//! `report`: draws a kept report again, or says what lies between two of them.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use lab_accept::report::{self, Comparison, LONGEST_REPORT, Report};

use crate::Done;
use crate::failure::Failure;

/// Draws a kept report again, or compares two of them.
///
/// With one report: prints it, and ends as `accept` did (0 nothing failed, 1 something failed,
/// 2 nothing could be judged). With two: says what broke, what was mended and what got slower
/// between the first and the second, and ends with 1 when something broke.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// The report (report.json), or the earlier one of two.
    #[arg(value_name = "A.json")]
    file: PathBuf,
    /// The later one.
    #[arg(value_name = "B.json")]
    later: Option<PathBuf>,
    /// What to draw.
    #[arg(long, default_value = "text")]
    format: ReportFormat,
    /// Where to write it; else standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// The forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ReportFormat {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
    /// For build servers.
    Junit,
    /// A page to look at.
    Html,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let first = read(&arguments.file)?;
    match &arguments.later {
        None => {
            let drawn = draw(&first, arguments.format)?;
            deliver(&drawn, arguments.format, arguments.out.as_deref())?;
            verdict(&first)
        }
        Some(later) => {
            let comparison = report::compare(&first, &read(later)?);
            let drawn = draw_comparison(&comparison, arguments.format)?;
            deliver(&drawn, arguments.format, arguments.out.as_deref())?;
            match comparison.broke() {
                true => Err(Failure::Said),
                false => Ok(()),
            }
        }
    }
}

/// Ends as [`Report::exit_code`] says.
pub(crate) fn verdict(report: &Report) -> Done {
    match report.exit_code() {
        0 => Ok(()),
        1 => Err(Failure::Said),
        _ => Err(Failure::Environment(anyhow::anyhow!(
            "of {} nothing could be judged",
            report.host.escape_debug()
        ))),
    }
}

fn read(path: &Path) -> Result<Report, Failure> {
    let name = path.display().to_string();
    let file =
        File::open(path).map_err(|error| Failure::input(format!("opening {name}: {error}")))?;
    let mut text = String::new();
    // One byte more than any report has, so that a longer one is seen to be.
    file.take(LONGEST_REPORT as u64 + 1)
        .read_to_string(&mut text)
        .map_err(|error| Failure::input(format!("reading {name}: {error}")))?;
    report::from_json(&name, &text).map_err(|error| Failure::Input(error.into()))
}

/// A report in one of its forms.
pub(crate) fn draw(report: &Report, format: ReportFormat) -> anyhow::Result<String> {
    match format {
        ReportFormat::Text => Ok(report::text(report)),
        ReportFormat::Json => report::to_json(report).context("writing a report"),
        ReportFormat::Junit => {
            report::junit(std::slice::from_ref(report)).context("writing a report")
        }
        ReportFormat::Html => report::html(report),
    }
}

fn draw_comparison(comparison: &Comparison, format: ReportFormat) -> Result<String, Failure> {
    match format {
        ReportFormat::Text => Ok(report::compare_text(comparison)),
        ReportFormat::Json => {
            let text = serde_json::to_string_pretty(comparison).context("writing a comparison")?;
            Ok(text + "\n")
        }
        ReportFormat::Junit => Err(Failure::input(
            "JUnit has no form for what lies between two runs: leave one out, or take \
             --format json",
        )),
        ReportFormat::Html => Ok(report::compare_html(comparison)?),
    }
}

/// Prints what was drawn, or writes it: whole or not at all.
pub(crate) fn deliver(drawn: &str, format: ReportFormat, out: Option<&Path>) -> anyhow::Result<()> {
    let Some(path) = out else {
        match format {
            ReportFormat::Text => anstream::print!("{drawn}"),
            _ => std::io::stdout()
                .write_all(drawn.as_bytes())
                .context("printing")?,
        }
        return Ok(());
    };
    let writing = || format!("writing {}", path.display());
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(writing)?;
    match format {
        // A file keeps no colours.
        ReportFormat::Text => write!(file, "{}", anstream::adapter::strip_str(drawn)),
        _ => file.write_all(drawn.as_bytes()),
    }
    .with_context(writing)?;
    file.as_file().sync_all().with_context(writing)?;
    super::render::open_to_all(file.as_file())?;
    file.persist(path).with_context(writing)?;
    Ok(())
}
