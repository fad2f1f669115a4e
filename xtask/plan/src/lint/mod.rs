//! What stands on an image, held against the rules: whoever edited it, and
//! whatever made it.
//!
//! A lint is a question with an id. It passes, fails, or is not run because what
//! it would look at could not be read, which is a failure of its own elsewhere.

mod autoinstall;
mod files;
mod image;
mod menu;
mod payload;
mod sbom;
mod story;

use serde::Serialize;

use image::Image;

/// What came of one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It is as it should be.
    Pass,
    /// It is not.
    Fail,
    /// It could not be told.
    NotRun,
}

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The question's name.
    pub id: &'static str,
    /// The answer.
    pub status: Status,
    /// What should be so.
    pub what: &'static str,
    /// What was seen.
    pub evidence: String,
}

/// All answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LintReport {
    /// Every question, in a fixed order.
    pub findings: Vec<Finding>,
    /// In words, what the image does to which machine and which disk.
    pub story: Vec<String>,
}

impl LintReport {
    /// The questions that were answered with no.
    pub fn failures(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.status == Status::Fail)
    }
}

/// An answer before it has its question.
enum Answer {
    Pass(String),
    Fail(String),
    NotRun(String),
}

/// Fails with all of `wrong`, or passes with `right` when there is nothing.
fn answer(wrong: &[String], right: impl Into<String>) -> Answer {
    if wrong.is_empty() {
        Answer::Pass(right.into())
    } else {
        Answer::Fail(wrong.join("; "))
    }
}

type Question = (&'static str, &'static str, fn(&Image<'_>) -> Answer);

/// Every question.
const QUESTIONS: &[Question] = &[
    (
        "menu-entries",
        "the menu has the lab's entries, and starts or installs by default",
        menu::entries,
    ),
    (
        "menu-semicolon",
        "no kernel line is cut off by a `;`",
        menu::semicolon,
    ),
    (
        "menu-autoinstall",
        "only the entries that install have the word `autoinstall`",
        menu::autoinstall,
    ),
    (
        "menu-path",
        "every entry names the installer's file that is meant for it",
        menu::path,
    ),
    (
        "menu-erase",
        "only the entry that was asked for erases an installed lab",
        menu::erase,
    ),
    (
        "menu-files",
        "every kernel and initrd of the menu is on the image",
        menu::files,
    ),
    (
        "menu-marker",
        "the menu looks for this machine's marker, and the image carries none",
        menu::marker,
    ),
    (
        "autoinstall-reads",
        "the installer's file has the keys and values that are meant, and no others",
        autoinstall::reads,
    ),
    (
        "autoinstall-disk",
        "just one disk can be meant, and its layout does what it says",
        autoinstall::disk,
    ),
    (
        "autoinstall-guard",
        "the guard runs before anything is written",
        autoinstall::guard,
    ),
    (
        "autoinstall-late",
        "the last steps lay down the overlay and the marker, and do nothing else",
        autoinstall::late,
    ),
    (
        "autoinstall-access",
        "somebody can log in, by key",
        autoinstall::access,
    ),
    (
        "asking-files",
        "the entries that ask everything install nothing by themselves",
        autoinstall::asking,
    ),
    (
        "guard-agrees",
        "guard, installer, menu and manifest mean the same machine and disk",
        autoinstall::agrees,
    ),
    (
        "guard-scripts",
        "the guard is the one that this program puts on an image",
        files::scripts,
    ),
    (
        "overlay-list",
        "what is laid down is what the list says",
        files::overlay,
    ),
    (
        "offline-list",
        "what the machine is to have without a network is on the image, and nothing else",
        payload::list,
    ),
    (
        "sbom-lock",
        "an image that carries a lock carries the list of just this lock",
        sbom::of_the_lock,
    ),
    (
        "manifest-files",
        "every file of the lab is as the manifest says",
        files::manifest,
    ),
    (
        "secret-modes",
        "files with secrets are readable by root alone",
        files::modes,
    ),
    (
        "secret-elsewhere",
        "no secret lies anywhere else",
        files::elsewhere,
    ),
];

/// Holds an image against the rules.
///
/// `files` gives a file's bytes by its path without the leading `/`; it is asked
/// for the lab's own files and the menus only. `listing` has every file of the
/// image with its permission bits.
pub fn lint(files: &dyn Fn(&str) -> Option<Vec<u8>>, listing: &[(String, u32)]) -> LintReport {
    let image = Image::open(files, listing);
    let findings = QUESTIONS.iter().map(|(id, what, ask)| {
        let (status, evidence) = match ask(&image) {
            Answer::Pass(evidence) => (Status::Pass, evidence),
            Answer::Fail(evidence) => (Status::Fail, evidence),
            Answer::NotRun(evidence) => (Status::NotRun, evidence),
        };
        Finding {
            id,
            status,
            what,
            evidence,
        }
    });
    let findings = findings.collect();
    LintReport {
        findings,
        story: story::tell(&image),
    }
}
