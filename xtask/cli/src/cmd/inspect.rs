//! `inspect`: opens a finished image, verifies it, and says in words what it
//! will do to which machine.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use lab_image::{FileKind, Image, Scope};
use serde::Serialize;
use serde_json::json;

use super::Format;
use crate::Done;
use crate::failure::Failure;
use crate::ui::{ASIDE, BAD, GOOD, Meter, STRONG};

/// Opens a finished image and lints it.
///
/// Verifies its boot records, both directory trees, md5sum.txt, every menu
/// entry, the installer's file, and that no secret lies open; then says in words
/// what the image will do to which machine and which disk.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// The image.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How to print the findings.
    #[arg(long, default_value = "text")]
    format: Format,
}

/// How one check came out. Not run is never a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    Pass,
    Fail,
    NotRun,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) id: &'static str,
    pub(crate) status: Status,
    pub(crate) what: String,
    pub(crate) evidence: String,
}

/// Everything that was found in an image.
pub(crate) struct Report {
    pub(crate) findings: Vec<Finding>,
    pub(crate) story: Vec<String>,
}

impl Report {
    /// How many checks came out like that.
    pub(crate) fn count(&self, status: Status) -> usize {
        self.findings
            .iter()
            .filter(|one| one.status == status)
            .count()
    }
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let report = inspect(&arguments.file, Scope::Everything)?;
    match arguments.format {
        Format::Text => print_text(&arguments.file, &report),
        Format::Json => print_json(&arguments.file, &report),
    }
    match report.count(Status::Fail) {
        0 => Ok(()),
        _ => Err(Failure::Said),
    }
}

/// Looks at an image; what `scope` leaves out was verified by the caller.
pub(crate) fn inspect(path: &Path, scope: Scope) -> Result<Report, Failure> {
    let name = path.display().to_string();
    let file =
        File::open(path).map_err(|error| Failure::input(format!("opening {name}: {error}")))?;
    let total = file.metadata().map_or(0, |found| found.len());
    let watched = Watched {
        inner: file,
        meter: Meter::new(),
        done: 0,
        total,
    };
    let mut image = Image::open(BufReader::new(watched), &name).map_err(Failure::Input)?;
    let mut findings: Vec<Finding> = lab_image::verify(&mut image, scope)
        .into_iter()
        .map(from_image)
        .collect();
    findings.push(permissions(path, &mut image)?);
    let files = image.files(0);
    let regular = files.iter().filter(|file| file.kind == FileKind::File);
    let listing: Vec<(String, u32)> = regular
        .filter_map(|file| Some((file.path.clone(), file.mode?)))
        .collect();
    let image = std::cell::RefCell::new(image);
    let read = |path: &str| image.borrow_mut().read(path, MAX_LINTED).ok().flatten();
    let lint = lab_plan::lint(&read, &listing);
    findings.extend(lint.findings.into_iter().map(from_plan));
    Ok(Report {
        findings,
        story: lint.story,
    })
}

/// A file that shows how much of it was read.
struct Watched {
    inner: File,
    meter: Meter,
    done: u64,
    total: u64,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.done += count as u64;
        // Some of it is read twice; more than all is of no use to anybody.
        let done = self.done.min(self.total);
        self.meter.update("reading", done, Some(self.total));
        Ok(count)
    }
}

impl Seek for Watched {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.inner.seek(to)
    }
}

/// No file that the lints read is longer.
const MAX_LINTED: u64 = 64 << 20;

/// An image with secrets in it must be readable by its owner alone.
fn permissions<R: Read + Seek>(path: &Path, image: &mut Image<R>) -> Result<Finding, Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path)
        .with_context(|| format!("looking at {}", path.display()))?
        .permissions()
        .mode()
        & 0o777;
    let hidden = |mode: u32| mode & 0o077 == 0;
    let secret = image
        .files(0)
        .iter()
        .any(|file| file.kind == FileKind::File && file.mode.is_some_and(hidden));
    let open = secret && mode & 0o077 != 0;
    Ok(Finding {
        id: "image-permissions",
        status: if open { Status::Fail } else { Status::Pass },
        what: "an image with secrets is readable by its owner alone".to_owned(),
        evidence: match open {
            true => format!("mode {mode:03o}: run `chmod 600 {}`", path.display()),
            false => format!("mode {mode:03o}"),
        },
    })
}

fn from_image(finding: lab_image::Finding) -> Finding {
    Finding {
        status: match finding.outcome {
            lab_image::Outcome::Pass => Status::Pass,
            lab_image::Outcome::Fail => Status::Fail,
            lab_image::Outcome::NotRun => Status::NotRun,
        },
        id: finding.id,
        what: finding.what,
        evidence: finding.evidence,
    }
}

fn from_plan(finding: lab_plan::Finding) -> Finding {
    Finding {
        status: match finding.status {
            lab_plan::Status::Pass => Status::Pass,
            lab_plan::Status::Fail => Status::Fail,
            lab_plan::Status::NotRun => Status::NotRun,
        },
        id: finding.id,
        what: finding.what.to_owned(),
        evidence: finding.evidence,
    }
}

/// Prints failures first, then the rest in a line each.
pub(crate) fn print_text(path: &Path, report: &Report) {
    anstream::println!("{STRONG}{}{STRONG:#}", path.display());
    for status in [Status::Fail, Status::NotRun, Status::Pass] {
        let (style, word) = match status {
            Status::Fail => (BAD, "fail"),
            Status::NotRun => (ASIDE, "not run"),
            Status::Pass => (GOOD, "pass"),
        };
        for finding in report.findings.iter().filter(|one| one.status == status) {
            anstream::println!(
                "  {style}{word:7}{style:#} {:24} {}",
                finding.id,
                finding.what
            );
            if status != Status::Pass {
                anstream::println!("          {}", finding.evidence);
            }
        }
    }
    if !report.story.is_empty() {
        anstream::println!("\n{STRONG}What this image does{STRONG:#}");
    }
    for line in &report.story {
        anstream::println!("  {line}");
    }
    anstream::println!("\n{}", totals(report));
}

/// How many checks passed, failed and were not run.
pub(crate) fn totals(report: &Report) -> String {
    let [pass, fail, not_run] =
        [Status::Pass, Status::Fail, Status::NotRun].map(|status| report.count(status));
    format!("{pass} pass, {fail} fail, {not_run} not run")
}

fn print_json(path: &Path, report: &Report) {
    let json = json!({
        "format": 1,
        "image": path,
        "ok": report.count(Status::Fail) == 0,
        "findings": report.findings,
        "story": report.story,
    });
    anstream::println!("{json:#}");
}
